use chrono::NaiveDateTime;
use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::*;

const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;

/// A moment in UTC.
fn utc(text: &str) -> Millis {
    let Ok(time) = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S") else { panic!("not a time: {text}") };
    time.and_utc().timestamp_millis()
}

/// The number of a calendar day.
fn day(text: &str) -> Day {
    (utc(&format!("{text} 00:00:00")) / DAY) as Day
}

#[test]
fn days_start_where_the_zone_says() {
    // Zone, calendar day, its first instant in UTC, its length in hours.
    let table = [
        (Tz::Asia__Shanghai, "2026-02-17", "2026-02-16 16:00:00", 24),
        // Summer time in New York: a day of 23 and one of 25 hours.
        (Tz::America__New_York, "2026-03-08", "2026-03-08 05:00:00", 23),
        (Tz::America__New_York, "2026-11-01", "2026-11-01 04:00:00", 25),
        (Tz::America__New_York, "2026-11-02", "2026-11-02 05:00:00", 24),
        // Clocks put forward at 24:00: the day starts at 1:00.
        (Tz::Asia__Tehran, "2022-03-22", "2022-03-21 20:30:00", 23),
        (Tz::Asia__Beirut, "2024-03-31", "2024-03-30 22:00:00", 23),
        (Tz::America__Sao_Paulo, "2018-11-04", "2018-11-04 03:00:00", 23),
        // Clocks put back at 24:00 to 23:00: the day before lasts an hour longer.
        (Tz::Asia__Tehran, "2022-09-21", "2022-09-20 19:30:00", 25),
        (Tz::Asia__Beirut, "2024-10-26", "2024-10-25 21:00:00", 25),
        // Put back at 1:00 to 0:00: midnight comes twice and counts once.
        (Tz::America__Havana, "2025-11-02", "2025-11-02 04:00:00", 25),
        // Put back at 0:01 to 23:01: the day has begun and goes on.
        (Tz::America__St_Johns, "2010-11-06", "2010-11-06 02:30:00", 24),
        (Tz::America__St_Johns, "2010-11-07", "2010-11-07 02:30:00", 25),
        // The date line: a skipped day is empty.
        (Tz::Pacific__Apia, "2011-12-29", "2011-12-29 10:00:00", 24),
        (Tz::Pacific__Apia, "2011-12-30", "2011-12-30 10:00:00", 0),
        (Tz::Pacific__Apia, "2011-12-31", "2011-12-30 10:00:00", 24),
        // Before 1970, with local mean time to the second.
        (Tz::Asia__Shanghai, "1900-06-01", "1900-05-31 15:54:17", 24),
        (Tz::UTC, "1969-12-31", "1969-12-31 00:00:00", 24),
    ];
    for (zone, date, start, hours) in table {
        let day = day(date);
        assert_eq!(day_start(zone, day), utc(start), "start of {date} in {zone}");
        assert_eq!(day_start(zone, day + 1) - utc(start), hours * HOUR, "length of {date} in {zone}");
        if hours > 0 {
            assert_eq!(day_of(zone, utc(start)), day, "first instant of {date} in {zone}");
            assert_eq!(day_of(zone, utc(start) + hours * HOUR - 1), day, "last of {date} in {zone}");
            assert_eq!(day_bounds(zone, utc(start) + HOUR), (utc(start), utc(start) + hours * HOUR));
        }
    }
}

#[test]
fn an_hour_shown_twice_belongs_to_the_day_that_had_begun() {
    let zone = Tz::America__St_Johns;
    // 23:30 by the clock, half an hour after it had shown 0:00.
    assert_eq!(day_of(zone, utc("2010-11-07 03:00:00")), day("2010-11-07"));
    assert_eq!(day_of(zone, utc("2010-11-07 02:29:59")), day("2010-11-06"));
}

#[test]
fn weekdays_are_iso() {
    assert_eq!(weekday(Tz::UTC, 0), 4);
    assert_eq!(weekday(Tz::UTC, -1), 3);
    assert_eq!(weekday(Tz::Asia__Shanghai, utc("2026-02-15 15:59:59")), 7);
    assert_eq!(weekday(Tz::Asia__Shanghai, utc("2026-02-15 16:00:00")), 1);
}

#[test]
fn a_validity_counts_the_first_day() {
    let claimed = utc("2026-03-07 20:00:00");
    // Zone, delay, days, first moment, first moment after.
    let table = [
        (Tz::Asia__Shanghai, 0, 1, claimed, "2026-03-08 16:00:00"),
        (Tz::Asia__Shanghai, 0, 7, claimed, "2026-03-14 16:00:00"),
        (Tz::Asia__Shanghai, 1, 1, utc("2026-03-08 16:00:00"), "2026-03-09 16:00:00"),
        (Tz::Asia__Shanghai, 3, 2, utc("2026-03-10 16:00:00"), "2026-03-12 16:00:00"),
        // Over the night in which New York loses an hour.
        (Tz::America__New_York, 0, 2, claimed, "2026-03-09 04:00:00"),
        (Tz::America__New_York, 1, 1, utc("2026-03-08 05:00:00"), "2026-03-09 04:00:00"),
    ];
    for (zone, delay_days, days, from, until) in table {
        let terms = Validity::AfterClaim { delay_days, days };
        assert_eq!(validity(zone, terms, claimed), (from, utc(until)), "{terms:?} in {zone}");
    }
    assert_eq!(validity(Tz::UTC, Validity::Fixed { from: 3, until: 9 }, claimed), (3, 9));
    let endless = Validity::AfterClaim { delay_days: u32::MAX, days: u32::MAX };
    assert_eq!(validity(Tz::UTC, endless, claimed), (Millis::MAX, Millis::MAX));
}

fn time(weekdays: &[u8], from_hour: u16, until_hour: u16) -> AvailableTime {
    AvailableTime { weekdays: weekdays.to_vec(), from_minute: from_hour * 60, until_minute: until_hour * 60 }
}

#[test]
fn available_times_answer_with_the_span_of_the_answer() {
    let zone = Tz::Asia__Shanghai;
    // Shanghai is 8 h ahead; 2026-02-16 is a Monday.
    let local = |text: &str| utc(text) - 8 * HOUR;
    let lunch = [time(&[1, 2, 3, 4, 5], 11, 14)];
    let friday_night = [time(&[5], 22, 2)];
    let seams = [time(&[1], 9, 12), time(&[1], 11, 13), time(&[1], 13, 24), time(&[2], 0, 6)];
    let round_the_clock = [time(&[6], 8, 8)];
    // Times, at, answer, from, until.
    let table: [(&[AvailableTime], _, _, _, _); 9] = [
        (&lunch, "2026-02-16 11:00:00", true, "2026-02-16 11:00:00", "2026-02-16 14:00:00"),
        (&lunch, "2026-02-16 14:00:00", false, "2026-02-16 14:00:00", "2026-02-17 11:00:00"),
        (&lunch, "2026-02-21 12:00:00", false, "2026-02-20 14:00:00", "2026-02-23 11:00:00"),
        (&friday_night, "2026-02-20 23:00:00", true, "2026-02-20 22:00:00", "2026-02-21 02:00:00"),
        (&friday_night, "2026-02-21 01:59:59", true, "2026-02-20 22:00:00", "2026-02-21 02:00:00"),
        (&friday_night, "2026-02-20 01:00:00", false, "2026-02-14 02:00:00", "2026-02-20 22:00:00"),
        (&friday_night, "2026-02-21 02:00:00", false, "2026-02-21 02:00:00", "2026-02-27 22:00:00"),
        (&seams, "2026-02-16 20:00:00", true, "2026-02-16 09:00:00", "2026-02-17 06:00:00"),
        (&round_the_clock, "2026-02-22 07:00:00", true, "2026-02-21 08:00:00", "2026-02-22 08:00:00"),
    ];
    for (times, at, open, from, until) in table {
        assert_eq!(available(zone, times, local(at)), (open, local(from), local(until)), "at {at}: {times:?}");
    }
    assert_eq!(available(zone, &[], 5), (true, Millis::MIN, Millis::MAX));
}

#[test]
fn available_times_follow_the_clock_when_it_is_put_forward_or_back() {
    let zone = Tz::America__New_York;
    let brunch = [time(&[7], 1, 3)];
    // 2026-03-08, 2:00 becomes 3:00; 2026-11-01, 2:00 becomes 1:00.
    let spring = (true, utc("2026-03-08 06:00:00"), utc("2026-03-08 07:00:00"));
    let autumn = (true, utc("2026-11-01 05:00:00"), utc("2026-11-01 08:00:00"));
    assert_eq!(available(zone, &brunch, utc("2026-03-08 06:59:59")), spring);
    assert_eq!(available(zone, &brunch, utc("2026-11-01 06:30:00")), autumn);
    let skipped = [time(&[7], 2, 3)];
    let (open, from, until) = available(zone, &skipped, utc("2026-03-08 07:00:00"));
    assert_eq!((open, until), (false, utc("2026-03-15 06:00:00")), "there is no 2:00 on that Sunday");
    assert_eq!(from, utc("2026-03-01 08:00:00"));
    // In Apia Thursday's night ends as Saturday begins.
    let night = [time(&[4], 22, 2)];
    let apia = available(Tz::Pacific__Apia, &night, utc("2011-12-30 09:00:00"));
    assert_eq!(apia, (true, utc("2011-12-30 08:00:00"), utc("2011-12-30 10:00:00")));
}

#[test]
fn an_answer_that_never_changes_spans_a_week_each_way() {
    let always = [time(&[1, 2, 3, 4, 5, 6, 7], 0, 24)];
    let never = [time(&[], 0, 24)];
    for (times, answer) in [(&always, true), (&never, false)] {
        assert_eq!(available(Tz::UTC, times, 10 * DAY), (answer, 3 * DAY, 18 * DAY));
    }
}

#[test]
fn the_ends_of_time_are_in_the_first_and_last_day() {
    let noon = [time(&[1, 2, 3, 4, 5, 6, 7], 12, 13)];
    for zone in TZ_VARIANTS {
        let (start, end) = day_bounds(zone, Millis::MIN);
        assert_eq!((start, day_bounds(zone, end).0), (Millis::MIN, end));
        let (start, end) = day_bounds(zone, Millis::MAX);
        assert_eq!((day_bounds(zone, start - 1).1, end), (start, Millis::MAX));
        for at in [Millis::MIN, Millis::MAX] {
            let (_, from, until) = available(zone, &noon, at);
            assert!(from <= at && at <= until);
            assert!((1..=7).contains(&weekday(zone, at)));
        }
        assert_eq!((day_start(zone, Day::MIN), day_start(zone, Day::MAX)), (Millis::MIN, Millis::MAX));
    }
}

/// Around every change of offset of every zone, days lie one behind the other, and each first instant is the first.
#[test]
fn days_part_time_at_every_change_of_every_zone() {
    const STEP: i64 = 20 * 24 * 3600;
    for zone in TZ_VARIANTS {
        let (mut at, last) = (utc("1840-01-01 00:00:00") / 1000, utc("2040-01-01 00:00:00") / 1000);
        while at < last {
            if offset(zone, at) != offset(zone, at + STEP) {
                for day in (at / DAY_SECONDS - 2)..=((at + STEP) / DAY_SECONDS + 2) {
                    check_day(zone, day as Day);
                }
            }
            at += STEP;
        }
    }
}

fn check_day(zone: Tz, day: Day) {
    let (start, end) = (day_start(zone, day), day_start(zone, day + 1));
    let clock = |at: Millis| at + offset(zone, at / 1000 - i64::from(at % 1000 < 0)) * 1000;
    let midnight = Millis::from(day) * DAY;
    assert!(clock(start) >= midnight, "{zone}, {day}: midnight is reached");
    assert!(clock(start - 1) < midnight, "{zone}, {day}: and not before");
    assert!(start <= end, "{zone}, {day}: in order");
    if start < end {
        assert_eq!(day_of(zone, start), day, "{zone}: first instant");
        assert_eq!(day_of(zone, end - 1), day, "{zone}: last instant");
    }
}

proptest! {
    #[test]
    fn a_moment_is_in_its_day(zone in 0..TZ_VARIANTS.len(), at in -6_000_000_000_000..6_000_000_000_000_i64) {
        let zone = TZ_VARIANTS[zone];
        let (start, end) = day_bounds(zone, at);
        prop_assert!(start <= at && at < end, "{} in {}", at, zone);
    }

    /// The answer is the same throughout its span and another one just outside.
    #[test]
    fn the_span_is_that_of_the_answer(
        zone in 0..TZ_VARIANTS.len(),
        times in prop::collection::vec((prop::collection::vec(1..=7_u8, 1..4), 0..1440_u16, 1..=1440_u16), 1..4),
        at in 0..4_000_000_000_000_i64,
        inside in 0.0..1.0_f64,
    ) {
        let zone = TZ_VARIANTS[zone];
        let times: Vec<AvailableTime> = times
            .into_iter()
            .map(|(weekdays, from_minute, until_minute)| AvailableTime { weekdays, from_minute, until_minute })
            .collect();
        let (open, from, until) = available(zone, &times, at);
        prop_assert!(from <= at && at < until);
        let other = from + ((until - from - 1) as f64 * inside) as Millis;
        prop_assert_eq!(available(zone, &times, other).0, open, "the same at {}", other);
        if at - from < 6 * DAY {
            prop_assert_ne!(available(zone, &times, from - 1).0, open, "another before");
        }
        if until - at < 6 * DAY {
            prop_assert_ne!(available(zone, &times, until).0, open, "another after");
        }
    }
}
