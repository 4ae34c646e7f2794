//! The file of claims: every row is a claim, or counted under the reason why it is none.

mod rule;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;

pub use rule::{Rule, RuleError};

use crate::{Failure, Result};

/// The columns that a claim needs, and `Distance`, which it does not: for how many rows it is unknown is only counted.
const COLUMNS: [&str; 6] = ["User_id", "Merchant_id", "Coupon_id", "Discount_rate", "Distance", "Date_received"];
const DISTANCE: usize = 4;

/// What the data writes for what is not known.
const NULL: &[u8] = b"null";

/// A claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The row of the file, from 1, the header not counted.
    pub row: u64,
    /// Who.
    pub user: u64,
    /// Of what: an index into [`Dataset::stocks`].
    pub stock: usize,
    /// When, `YYYYMMDD`.
    pub day: u32,
}

/// What a stock is of. A coupon that appears under two rules is two stocks, so that each claim has its own terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StockOf {
    /// The dataset's merchant.
    pub merchant: u64,
    /// The dataset's coupon.
    pub coupon: u64,
    /// Its rule.
    pub rule: Rule,
}

/// A stock and how many claims there are of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Of what.
    pub of: StockOf,
    /// Claims.
    pub claims: u64,
}

/// A file of claims, read.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Rows of the file without its header.
    pub rows: u64,
    /// By day, within a day in the order of the file.
    pub claims: Vec<Claim>,
    /// In the order in which they appear.
    pub stocks: Vec<Stock>,
    /// Rows that are no claims, by reason: `null User_id`, `malformed Discount_rate`, ...; a row counts once, under
    /// the first column that stands against it.
    pub excluded: BTreeMap<String, u64>,
    /// Claims whose distance is unknown; they are claims all the same.
    pub distance_unknown: u64,
}

impl Dataset {
    /// Reads a file, gzipped or not.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Failure::file(path))?;
        let mut file = BufReader::new(file);
        let zipped = file.fill_buf().map_err(Failure::file(path))?.starts_with(&[0x1F, 0x8B]);
        if zipped { Self::read(BufReader::new(MultiGzDecoder::new(file))) } else { Self::read(file) }
    }

    /// Reads CSV with a header. What cannot be read at all, such as a gzip that breaks off, is a failure.
    pub fn read(mut input: impl BufRead) -> Result<Self> {
        skip_byte_order_mark(&mut input)?;
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let places = places(rows.byte_headers()?)?;
        let mut dataset = Self::default();
        for reason in COLUMNS.iter().filter(|&&name| name != COLUMNS[DISTANCE]) {
            dataset.excluded.insert(format!("null {reason}"), 0);
        }
        let width = rows.byte_headers()?.len();
        let mut known = HashMap::new();
        let mut record = ByteRecord::new();
        while rows.read_byte_record(&mut record)? {
            dataset.rows += 1;
            match parse(&record, &places, width) {
                Ok(parsed) => dataset.take(&parsed, &mut known),
                Err(reason) => *dataset.excluded.entry(reason).or_default() += 1,
            }
        }
        // Stable: within a day the file's order stays.
        dataset.claims.sort_by_key(|claim| claim.day);
        Ok(dataset)
    }

    /// Ranges of `claims`, one per day.
    pub fn days(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut start = 0;
        self.claims.chunk_by(|one, next| one.day == next.day).map(move |day| {
            let range = start..start + day.len();
            start = range.end;
            range
        })
    }

    fn take(&mut self, row: &Row, known: &mut HashMap<StockOf, usize>) {
        let stock = *known.entry(row.of).or_insert_with(|| {
            self.stocks.push(Stock { of: row.of, claims: 0 });
            self.stocks.len() - 1
        });
        self.stocks[stock].claims += 1;
        self.distance_unknown += u64::from(row.distance_unknown);
        self.claims.push(Claim { row: self.rows, user: row.user, stock, day: row.day });
    }
}

/// A row that is a claim.
struct Row {
    user: u64,
    of: StockOf,
    day: u32,
    distance_unknown: bool,
}

fn skip_byte_order_mark(input: &mut impl BufRead) -> Result<()> {
    let marked = input.fill_buf().map_err(csv::Error::from)?.starts_with(b"\xEF\xBB\xBF");
    input.consume(if marked { 3 } else { 0 });
    Ok(())
}

/// Where each of `COLUMNS` stands.
fn places(header: &ByteRecord) -> Result<[usize; 6]> {
    let mut places = [0; 6];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let missing = || Failure::Usage(format!("the file of claims has no column {name}"));
        *place = header.iter().position(|column| column.trim_ascii() == name.as_bytes()).ok_or_else(missing)?;
    }
    Ok(places)
}

fn parse(record: &ByteRecord, places: &[usize; 6], width: usize) -> std::result::Result<Row, String> {
    if record.len() != width {
        return Err("malformed: wrong number of fields".to_owned());
    }
    let field = |column: usize| record.get(places[column]).unwrap_or_default().trim_ascii();
    for (column, name) in COLUMNS.iter().enumerate() {
        if column != DISTANCE && field(column) == NULL {
            return Err(format!("null {name}"));
        }
    }
    let malformed = |column: usize| format!("malformed {}", COLUMNS[column]);
    let text = |column: usize| std::str::from_utf8(field(column)).map_err(|_| malformed(column));
    let number = |column: usize| digits(text(column)?).ok_or_else(|| malformed(column));
    let (user, merchant, coupon) = (number(0)?, number(1)?, number(2)?);
    let rule = text(3)?.parse().map_err(|_| malformed(3))?;
    let day = digits(text(5)?).and_then(|day| u32::try_from(day).ok()).filter(|&day| is_day(day));
    Ok(Row {
        user,
        of: StockOf { merchant, coupon, rule },
        day: day.ok_or_else(|| malformed(5))?,
        distance_unknown: field(DISTANCE) == NULL || field(DISTANCE).is_empty(),
    })
}

fn digits(text: &str) -> Option<u64> {
    let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

/// Whether it is `YYYYMMDD`.
fn is_day(day: u32) -> bool {
    let (year, month, day) = (day / 10_000, day / 100 % 100, day % 100);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    (1900..=9999).contains(&year) && (1..=12).contains(&month) && (1..=last).contains(&day)
}
