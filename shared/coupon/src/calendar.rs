//! Days in a merchant's time zone. Pure: the moment is always passed in, and the zone's rules are those of the IANA
//! database that `chrono-tz` carries.
//!
//! A local time stands for the first instant at which the zone's clock shows it or a later one. A time that the clock
//! skips is thus the instant of the skip, one that it shows twice is the first, and days (and times of one day) lie
//! one behind the other without a gap or an overlap: once a day has begun, the clock being put back before midnight
//! does not return to the day before. A calendar day that a zone skips (Pacific/Apia, 2011-12-30) is empty.
//!
//! Moments more than a quarter of a million years from 1970 count as in the first or the last day that there is.

#[cfg(test)]
mod tests;

use std::cell::Cell;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::terms::{AvailableTime, Millis, Validity};

/// Days since 1970-01-01 in a zone's calendar.
pub type Day = i32;

/// The first and the last day; they reach to the ends of `Millis`. Within what `chrono` can represent.
const FIRST_DAY: i64 = -91_000_000;
const LAST_DAY: i64 = 91_000_000;

const DAY_SECONDS: i64 = 86_400;
/// No zone was ever further from UTC, in seconds (the furthest: Asia/Manila and America/Juneau, just under 16 h).
const MAX_OFFSET: i64 = 16 * 3600;
/// No clock was ever put back by more, in seconds (America/Juneau, 1867: a day).
const MAX_PUT_BACK: i64 = 25 * 3600;
/// A span of equal availability is followed so far, in days: then all times of the week were seen.
const SPAN_DAYS: u32 = 7;

/// The day of a moment.
pub fn day_of(zone: Tz, at: Millis) -> Day {
    let seconds = at.div_euclid(1000);
    let offset = offset(zone, seconds);
    let day = (seconds + offset).div_euclid(DAY_SECONDS).clamp(FIRST_DAY, LAST_DAY) as Day;
    // Only where the clock was put back can the next day have begun before it shows this one.
    let was_put_back = self::offset(zone, seconds - MAX_PUT_BACK) > offset;
    if was_put_back && day_start(zone, day + 1) <= at { day + 1 } else { day }
}

/// The first instant of a local day.
pub fn day_start(zone: Tz, day: Day) -> Millis {
    let day = i64::from(day);
    if day <= FIRST_DAY {
        Millis::MIN
    } else if day > LAST_DAY {
        Millis::MAX
    } else {
        first_instant(zone, day * DAY_SECONDS)
    }
}

/// The day of a moment as `[start, end)`.
pub fn day_bounds(zone: Tz, at: Millis) -> (Millis, Millis) {
    // Nearly all that is asked about is today. Every moment of a day has the day's bounds.
    thread_local!(static LAST: Cell<(Tz, Millis, Millis)> = const { Cell::new((Tz::UTC, 0, 0)) });
    let (last, from, until) = LAST.get();
    if last == zone && (from..until).contains(&at) {
        return (from, until);
    }
    let day = day_of(zone, at);
    let (from, until) = (day_start(zone, day), day_start(zone, day + 1));
    LAST.set((zone, from, until));
    (from, until)
}

/// The ISO weekday of a moment: 1 = Monday to 7 = Sunday.
pub fn weekday(zone: Tz, at: Millis) -> u8 {
    weekday_of(day_of(zone, at))
}

/// The hour that the zone's clock shows, 0 to 23.
pub fn hour(zone: Tz, at: Millis) -> u8 {
    let seconds = at.div_euclid(1000);
    ((seconds + offset(zone, seconds)).rem_euclid(DAY_SECONDS) / 3600) as u8
}

/// From when until when a coupon claimed at `at` may be used, `[from, until)`. Counted in days it ends at 24:00.
pub fn validity(zone: Tz, validity: Validity, at: Millis) -> (Millis, Millis) {
    match validity {
        Validity::Fixed { from, until } => (from, until),
        Validity::AfterClaim { delay_days, days } => {
            let first = later(day_of(zone, at), delay_days);
            let from = if delay_days == 0 { at } else { day_start(zone, first) };
            (from, day_start(zone, later(first, days)))
        }
    }
}

/// Whether coupons may be used at `at`, and the span `[from, until)` around it throughout which that is the answer.
/// The span ends where the answer changes, or a week away, so that it may be kept as a guard of the answer. Without
/// `times` the answer is yes for ever. A time past midnight belongs to the weekday on which it starts.
pub fn available(zone: Tz, times: &[AvailableTime], at: Millis) -> (bool, Millis, Millis) {
    if times.is_empty() {
        return (true, Millis::MIN, Millis::MAX);
    }
    let (open, mut from, mut until) = span_in_day(zone, times, at);
    for _ in 0..SPAN_DAYS {
        if from == Millis::MIN || from != day_bounds(zone, from).0 {
            break;
        }
        let (before, start, _) = span_in_day(zone, times, from - 1);
        if before != open {
            break;
        }
        from = start;
    }
    for _ in 0..SPAN_DAYS {
        if until == Millis::MAX || until != day_bounds(zone, until).0 {
            break;
        }
        let (after, _, end) = span_in_day(zone, times, until);
        if after != open {
            break;
        }
        until = end;
    }
    (open, from, until)
}

/// As `available`, within the day of `at`.
fn span_in_day(zone: Tz, times: &[AvailableTime], at: Millis) -> (bool, Millis, Millis) {
    let day = day_of(zone, at);
    let (mut closed_from, end) = (day_start(zone, day), day_start(zone, day + 1));
    for (from, until) in open_spans(zone, times, day) {
        if at < from {
            return (false, closed_from, from);
        }
        if at < until {
            return (true, from, until);
        }
        closed_from = until;
    }
    (false, closed_from, end)
}

/// The parts of a day in which coupons may be used: in order, apart from each other, none empty.
fn open_spans(zone: Tz, times: &[AvailableTime], day: Day) -> Vec<(Millis, Millis)> {
    let (start, end) = (day_start(zone, day), day_start(zone, day + 1));
    let minute = |minute: u16| {
        let seconds = i64::from(day) * DAY_SECONDS + i64::from(minute) * 60;
        first_instant(zone, seconds).clamp(start, end)
    };
    let mut spans = Vec::with_capacity(times.len());
    for time in times {
        let overnight = time.until_minute <= time.from_minute;
        if time.weekdays.contains(&weekday_of(day)) {
            spans.push((minute(time.from_minute), if overnight { end } else { minute(time.until_minute) }));
        }
        if overnight && time.weekdays.contains(&weekday_of(day - 1)) {
            spans.push((start, minute(time.until_minute)));
        }
    }
    spans.retain(|&(from, until)| from < until);
    spans.sort_unstable();
    spans.dedup_by(|next, span| {
        let joins = next.0 <= span.1;
        if joins {
            span.1 = span.1.max(next.1);
        }
        joins
    });
    spans
}

fn weekday_of(day: Day) -> u8 {
    // Day 0, 1970-01-01, was a Thursday.
    ((i64::from(day) + 3).rem_euclid(7) + 1) as u8
}

fn later(day: Day, days: u32) -> Day {
    (i64::from(day) + i64::from(days)).min(LAST_DAY + 1) as Day
}

/// The first instant at which the zone's clock shows `local` (seconds since 1970-01-01 0:00 on that clock) or later.
fn first_instant(zone: Tz, local: i64) -> Millis {
    // Long before, the clock shows an earlier time whatever its offset; long after, a later one. Between these two
    // at most one change of offset lies: zones do not change twice within two days.
    let old = offset(zone, local - MAX_OFFSET);
    let new = offset(zone, local + MAX_OFFSET);
    let by_old = local - old;
    if old == new || offset(zone, by_old) == old {
        return by_old * 1000;
    }
    let by_new = local - new;
    if offset(zone, by_new) == new {
        return by_new * 1000;
    }
    // By the new offset it would be before the change and by the old one after it: the clock skips this time.
    let (mut before, mut after) = (by_new, by_old);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(zone, middle) == old {
            before = middle;
        } else {
            after = middle;
        }
    }
    after * 1000
}

/// Seconds that the zone's clock is ahead of UTC at a moment in seconds since 1970.
fn offset(zone: Tz, seconds: i64) -> i64 {
    let seconds = seconds.clamp(FIRST_DAY * DAY_SECONDS, LAST_DAY * DAY_SECONDS);
    let moment = DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&moment).fix().local_minus_utc())
}
