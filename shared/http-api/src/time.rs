//! RFC 3339 at the edge, milliseconds since 1970 in UTC everywhere else.

use std::fmt;

use chrono::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what RFC 3339 can write and calendars agree on.
const BOUNDS_MS: (i64, i64) = (-62_135_596_800_000, 253_402_300_799_999);

const DAY_MS: i64 = 86_400_000;

/// A time in a body: RFC 3339 with any offset when read, UTC with milliseconds when written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub i64,
);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = written(self.0);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = written(self.0);
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time like 2026-11-24T15:00:00+08:00")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                parse_ms(text).map(Timestamp).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// The time as `2026-11-24T07:00:00.123Z`. What lies outside the years 1 to 9999 is written as their nearer end.
pub fn format_ms(ms: i64) -> String {
    Timestamp(ms).to_string()
}

/// Reads RFC 3339, with seconds and an offset or Z; what is finer than a millisecond is cut off.
pub fn parse_ms(text: &str) -> Option<i64> {
    if text.len() > 40 {
        return None;
    }
    let ms = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (BOUNDS_MS.0..=BOUNDS_MS.1).contains(&ms).then_some(ms)
}

/// The system's clock. Only the wiring of a process should name it; everything else is handed a clock.
pub fn system_clock_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as i64
}

fn written(ms: i64) -> [u8; 24] {
    let ms = ms.clamp(BOUNDS_MS.0, BOUNDS_MS.1);
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let fields = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, in_day / 3_600_000),
        (14, 2, in_day / 60_000 % 60),
        (17, 2, in_day / 1000 % 60),
        (20, 3, in_day % 1000),
    ];
    for (start, width, mut value) in fields {
        for place in text[start..start + width].iter_mut().rev() {
            *place = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

/// Year, month and day of a day number. Howard Hinnant's algorithm: eras of 400 years, years that begin in March so
/// that the leap day comes last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(format_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_ms(1_795_503_600_123), "2026-11-24T07:00:00.123Z");
        assert_eq!(format_ms(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(format_ms(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(format_ms(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(format_ms(i64::MIN), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn any_offset_is_read() {
        let expected = Some(1_795_503_600_000);
        for text in ["2026-11-24T07:00:00Z", "2026-11-24T15:00:00+08:00", "2026-11-24T07:00:00.000999Z"] {
            assert_eq!(parse_ms(text), expected, "{text}");
        }
        for bad in ["", "2026-11-24", "2026-11-24T07:00:00", "2026-02-30T00:00:00Z", "tomorrow", "0000-01-01T00:00:00Z"]
        {
            assert_eq!(parse_ms(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in BOUNDS_MS.0..=BOUNDS_MS.1) {
            prop_assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,45}") {
            let _ = parse_ms(&text);
        }
    }
}
