//! Files of rows: CSV with a header, gzipped or not, and the days and times that stand in them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use csv::StringRecord;
use flate2::bufread::MultiGzDecoder;

use crate::failure::{Failure, Result};

/// Reads the named columns of a file row by row, until whoever takes the rows wants no more.
pub fn rows<const N: usize>(
    path: &Path,
    columns: [&'static str; N],
    mut take: impl FnMut(Row<'_, N>) -> Result<bool>,
) -> Result<()> {
    let mut file = BufReader::new(File::open(path).map_err(Failure::file(path))?);
    let zipped = file.fill_buf().map_err(Failure::file(path))?.starts_with(&[0x1F, 0x8B]);
    let input: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let header = reader.headers()?.clone();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let is_it = |name: &str| name.trim_start_matches('\u{FEFF}') == column;
        *place = header.iter().position(is_it).ok_or(Failure::Column(column))?;
    }
    let mut record = StringRecord::new();
    let mut number = 1;
    while reader.read_record(&mut record)? {
        number += 1;
        if !take(Row { number, record: &record, places: &places })? {
            break;
        }
    }
    Ok(())
}

/// A row's named columns.
pub struct Row<'a, const N: usize> {
    number: u64,
    record: &'a StringRecord,
    places: &'a [usize; N],
}

impl<'a, const N: usize> Row<'a, N> {
    /// A column's text; empty where the row is too short.
    pub fn text(&self, column: usize) -> &'a str {
        self.record.get(self.places[column]).unwrap_or_default()
    }

    /// What a column says.
    pub fn read<T>(&self, column: usize, wanted: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column);
        parse(text).ok_or_else(|| Failure::Row { row: self.number, found: text.to_owned(), wanted })
    }
}

/// Minor units of an amount such as `57.16`.
pub fn minor_units(text: &str) -> Option<i64> {
    text.parse::<f64>().ok().filter(|amount| amount.is_finite()).map(|amount| (amount * 100.0).round() as i64)
}

/// Days since 1970 of `2018-07-25`.
pub fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() { None } else { days_since_1970(year, month, day) }
}

/// Days of the proleptic Gregorian calendar; counted from March, so that the day that leap years add comes last.
pub fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=longest).contains(&day) || !(1..10_000).contains(&year) {
        return None;
    }
    let (from_march, year) = ((month + 9) % 12, year - i64::from(month < 3));
    let leap_days = year / 4 - year / 100 + year / 400;
    // 306 days lie between the 1st of March of the year 0 and the 1st of January of the year 1; 719,162 to 1970.
    Some(year * 365 + leap_days + (from_march * 153 + 2) / 5 + day - 1 - 306 - 719_162)
}

/// `2018-07-25` of days since 1970.
pub fn day_text(days: i64) -> String {
    // A year has 365 or 366 days.
    let (first, last) = (1970 + days.div_euclid(366), 1970 + days.div_euclid(365));
    let begun = |year: &i64| days_since_1970(*year, 1, 1).is_some_and(|begins| begins <= days);
    let year = (first..=last).rev().find(begun).unwrap_or(first);
    let begins = |month: i64| days_since_1970(year, month, 1).unwrap_or(i64::MAX);
    let month = (1..=12).rev().find(|month| begins(*month) <= days).unwrap_or(1);
    format!("{year:04}-{month:02}-{:02}", days - begins(month) + 1)
}

/// Milliseconds of a day of `20:39` or `20:39:05`.
pub fn time_ms(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut part = |most: i64| parts.next()?.parse().ok().filter(|part| (0..=most).contains(part));
    let (hours, minutes) = (part(23)?, part(59)?);
    let seconds = if text.matches(':').count() == 2 { part(59)? } else { 0 };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2018-07-25"), Some(17_737));
        assert_eq!(day("2018-02-29"), None);
        assert_eq!(day("2018-13-01"), None);
        assert_eq!(day("2018-07"), None);
        for days in (0..40_000).step_by(13) {
            assert_eq!(day(&day_text(days)), Some(days));
        }
    }

    #[test]
    fn times_and_amounts_are_read_as_they_are_written() {
        assert_eq!(time_ms("01:00:05"), Some(3_605_000));
        assert_eq!(time_ms("1:38"), Some(5_880_000));
        assert_eq!(time_ms("24:00"), None);
        assert_eq!(minor_units("57.16"), Some(5_716));
        assert_eq!(minor_units("nan"), None);
    }
}
