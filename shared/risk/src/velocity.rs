//! How often something happened with a subject in the last minute, hour and day.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Of what kind a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectKind {
    /// A device.
    Device,
    /// An address; IPv6 by its /64.
    Ip,
    /// A user.
    User,
}

/// Somebody or something at one merchant, by its pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Of what kind.
    pub kind: SubjectKind,
    /// The merchant's number.
    pub merchant: u32,
    /// What stands for it.
    pub pseudonym: [u8; 16],
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Counted {
    /// Coupons claimed.
    Claims,
    /// Redemptions.
    Redemptions,
    /// Attempts that were limited, or that named codes which do not exist.
    Refused,
}

/// A feature: a count of one kind of subject over one window. The numbers stand in decisions and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub number: u16,
    /// As analysts read it.
    pub name: &'static str,
    /// Of which subjects.
    pub kind: SubjectKind,
    /// Of what.
    pub counted: Counted,
    /// Over how many seconds.
    pub window_seconds: u32,
}

const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

macro_rules! slots {
    ($($number:literal $name:literal $kind:ident $counted:ident $window:ident;)*) => {
        /// All slots.
        pub const SLOTS: &[Slot] = &[$(Slot {
            number: $number,
            name: $name,
            kind: SubjectKind::$kind,
            counted: Counted::$counted,
            window_seconds: $window,
        },)*];
    };
}

slots! {
    1  "device_claims_1m"       Device Claims      MINUTE;
    2  "device_claims_1h"       Device Claims      HOUR;
    3  "device_claims_24h"      Device Claims      DAY;
    4  "device_redemptions_1m"  Device Redemptions MINUTE;
    5  "device_redemptions_1h"  Device Redemptions HOUR;
    6  "device_redemptions_24h" Device Redemptions DAY;
    7  "device_refused_1m"      Device Refused     MINUTE;
    8  "device_refused_1h"      Device Refused     HOUR;
    11 "ip_claims_1m"           Ip     Claims      MINUTE;
    12 "ip_claims_1h"           Ip     Claims      HOUR;
    13 "ip_claims_24h"          Ip     Claims      DAY;
    14 "ip_redemptions_1m"      Ip     Redemptions MINUTE;
    15 "ip_redemptions_1h"      Ip     Redemptions HOUR;
    16 "ip_redemptions_24h"     Ip     Redemptions DAY;
    17 "ip_refused_1m"          Ip     Refused     MINUTE;
    18 "ip_refused_1h"          Ip     Refused     HOUR;
    21 "user_claims_1m"         User   Claims      MINUTE;
    22 "user_claims_1h"         User   Claims      HOUR;
    23 "user_claims_24h"        User   Claims      DAY;
    24 "user_redemptions_1m"    User   Redemptions MINUTE;
    25 "user_redemptions_1h"    User   Redemptions HOUR;
    26 "user_redemptions_24h"   User   Redemptions DAY;
}

/// Counts in tiles of one width, oldest first, as far back as a window reaches from the newest. Tiles are numbered from
/// 1970 on. Two of them take no memory of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tiles(SmallVec<[(u32, u32); 2]>);

impl Tiles {
    fn add(&mut self, tile: u32, keep: u32) {
        let newest = self.0.last().map_or(tile, |(last, _)| (*last).max(tile));
        let oldest = (newest + 1).saturating_sub(keep);
        // What is older than every window may as well never have been.
        if tile >= oldest {
            match self.0.binary_search_by_key(&tile, |(at, _)| *at) {
                Ok(i) => self.0[i].1 = self.0[i].1.saturating_add(1),
                Err(i) => self.0.insert(i, (tile, 1)),
            }
        }
        let first = self.0.partition_point(|(at, _)| *at < oldest);
        self.0.drain(..first);
    }

    fn sum(&self, after: i64, until: i64) -> i64 {
        let within = |at: u32| i64::from(at) > after && i64::from(at) <= until;
        self.0.iter().filter(|(at, _)| within(*at)).map(|(_, n)| i64::from(*n)).sum()
    }
}

fn second_of(time_ms: i64) -> u32 {
    u32::try_from(time_ms.max(0) / 1000).unwrap_or(u32::MAX - 1)
}

/// One thing counted of one subject: the last minute in tiles of a second, the hour of a minute, the day of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Windows {
    seconds: Tiles,
    minutes: Tiles,
    hours: Tiles,
}

impl Windows {
    /// One event in this second.
    fn once(second: u32) -> Self {
        let one = |tile: u32| Tiles(smallvec::smallvec![(tile, 1)]);
        Self { seconds: one(second), minutes: one(second / 60), hours: one(second / 3600) }
    }

    /// The second of the only event that still counts in any window, if there is but one.
    fn only(&self) -> Option<u32> {
        let [(second, 1)] = *self.seconds.0 else { return None };
        let alone = |tiles: &Tiles, tile: u32| *tiles.0 == [(tile, 1)];
        (alone(&self.minutes, second / 60) && alone(&self.hours, second / 3600)).then_some(second)
    }

    fn add(&mut self, time_ms: i64) {
        let second = second_of(time_ms);
        self.seconds.add(second, 60);
        self.minutes.add(second / 60, 60);
        self.hours.add(second / 3600, 24);
    }

    /// Tiles that overlap `(at - window, at]` by their beginning: exact to a sixtieth of the window or better.
    fn count(&self, window_seconds: u32, at_ms: i64) -> i64 {
        let second = at_ms.div_euclid(1000);
        let (tiles, width, reach) = match window_seconds {
            MINUTE => (&self.seconds, 1, 60),
            HOUR => (&self.minutes, 60, 60),
            _ => (&self.hours, 3600, 24),
        };
        let tile = second.div_euclid(width);
        tiles.sum(tile - reach, tile)
    }
}

/// When something happened with a subject. Millions of subjects are seen once, and cost nothing but the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<Windows>", into = "Option<Windows>")]
enum Times {
    #[default]
    Never,
    /// Once, in this second since 1970.
    Once(u32),
    /// Never what `Once` can say.
    Often(Box<Windows>),
}

impl Times {
    fn add(&mut self, time_ms: i64) {
        let mut windows = match std::mem::take(self) {
            Self::Never => {
                *self = Self::Once(second_of(time_ms));
                return;
            }
            Self::Once(second) => Box::new(Windows::once(second)),
            Self::Often(windows) => windows,
        };
        windows.add(time_ms);
        // Long after the others it is the only one that still counts.
        *self = windows.only().map_or(Self::Often(windows), Self::Once);
    }

    fn count(&self, window_seconds: u32, at_ms: i64) -> i64 {
        match self {
            Self::Never => 0,
            Self::Once(second) => Windows::once(*second).count(window_seconds, at_ms),
            Self::Often(windows) => windows.count(window_seconds, at_ms),
        }
    }
}

impl From<Option<Windows>> for Times {
    fn from(windows: Option<Windows>) -> Self {
        let Some(windows) = windows else { return Self::Never };
        windows.only().map_or_else(|| Self::Often(Box::new(windows.clone())), Self::Once)
    }
}

impl From<Times> for Option<Windows> {
    fn from(times: Times) -> Self {
        match times {
            Times::Never => None,
            Times::Once(second) => Some(Windows::once(second)),
            Times::Often(windows) => Some(*windows),
        }
    }
}

/// All that is counted of one subject; of most subjects it is one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectCounts {
    claims: Times,
    redemptions: Times,
    refused: Times,
    /// The last event, milliseconds.
    pub last_ms: i64,
}

impl SubjectCounts {
    /// Counts one event.
    pub fn add(&mut self, counted: Counted, time_ms: i64) {
        let times = match counted {
            Counted::Claims => &mut self.claims,
            Counted::Redemptions => &mut self.redemptions,
            Counted::Refused => &mut self.refused,
        };
        times.add(time_ms);
        self.last_ms = self.last_ms.max(time_ms);
    }

    /// A slot's value at a time.
    pub fn value(&self, slot: &Slot, at_ms: i64) -> i64 {
        let times = match slot.counted {
            Counted::Claims => &self.claims,
            Counted::Redemptions => &self.redemptions,
            Counted::Refused => &self.refused,
        };
        times.count(slot.window_seconds, at_ms)
    }
}

/// About so many subjects, half as many at least and twice at most, have a part to themselves.
const PART: usize = 1_024;

/// The counts of all subjects, at most so many. They lie in parts, by their pseudonyms, each with its share of the room: no
/// decision may wait for a look at all of them.
#[derive(Debug)]
pub struct Velocity {
    parts: Vec<FxHashMap<Subject, SubjectCounts>>,
    /// In each part.
    most: usize,
    evicted: Vec<Subject>,
}

impl Velocity {
    /// Keeps at most so many subjects, about 300 bytes each; those not seen for longest go first.
    pub fn new(most: usize) -> Self {
        let parts = (most / PART).next_power_of_two();
        let most = (most / parts).max(1);
        Self { parts: (0..parts).map(|_| FxHashMap::default()).collect(), most, evicted: Vec::new() }
    }

    fn part_of(&self, subject: &Subject) -> usize {
        let [.., low, high] = subject.pseudonym;
        usize::from(u16::from_le_bytes([low, high])) & (self.parts.len() - 1)
    }

    /// Counts one event; the subject's counts after it.
    pub fn add(&mut self, subject: Subject, counted: Counted, time_ms: i64) -> &SubjectCounts {
        let part = self.part_of(&subject);
        if self.parts[part].len() >= self.most && !self.parts[part].contains_key(&subject) {
            self.evict(part);
        }
        let counts = self.parts[part].entry(subject).or_default();
        counts.add(counted, time_ms);
        counts
    }

    /// Lets a sixteenth of a part's subjects go, those not seen for longest.
    fn evict(&mut self, part: usize) {
        let subjects = &mut self.parts[part];
        let mut seen: Vec<(i64, Subject)> = subjects.iter().map(|(s, counts)| (counts.last_ms, *s)).collect();
        let n = (seen.len() / 16).max(1);
        seen.select_nth_unstable(n - 1);
        for (_, subject) in &seen[..n] {
            subjects.remove(subject);
            self.evicted.push(*subject);
        }
    }

    /// Who was let go since this was last called.
    pub fn take_evicted(&mut self) -> Vec<Subject> {
        std::mem::take(&mut self.evicted)
    }

    /// A subject's counts.
    pub fn get(&self, subject: &Subject) -> Option<&SubjectCounts> {
        self.parts[self.part_of(subject)].get(subject)
    }

    /// Puts counts in place that were read from disk.
    pub fn restore(&mut self, subjects: impl IntoIterator<Item = (Subject, SubjectCounts)>) {
        for (subject, counts) in subjects {
            let part = self.part_of(&subject);
            self.parts[part].insert(subject, counts);
        }
    }

    /// Everything.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &SubjectCounts)> {
        self.parts.iter().flatten()
    }

    /// A subject's slots that are not zero at a time.
    pub fn slots(&self, subject: &Subject, at_ms: i64) -> Vec<(u16, i64)> {
        let Some(counts) = self.get(subject) else { return Vec::new() };
        let own = SLOTS.iter().filter(|slot| slot.kind == subject.kind);
        own.map(|slot| (slot.number, counts.value(slot, at_ms))).filter(|(_, value)| *value != 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEVICE: Subject = Subject { kind: SubjectKind::Device, merchant: 1, pseudonym: [7; 16] };

    fn slot(name: &str) -> &'static Slot {
        SLOTS.iter().find(|slot| slot.name == name).expect("a slot")
    }

    proptest! {
        #[test]
        fn the_minute_is_exact_to_the_second_and_order_does_not_matter(
            mut times in prop::collection::vec(0_i64..200_000, 1..200), shift in 0_usize..200,
        ) {
            let count = |times: &[i64]| {
                let mut counts = SubjectCounts::default();
                for time in times {
                    counts.add(Counted::Claims, *time);
                }
                counts
            };
            let counts = count(&times);
            let at = *times.iter().max().expect("one");
            let naive = times.iter().filter(|time| **time / 1000 > at / 1000 - 60).count() as i64;
            prop_assert_eq!(counts.value(slot("device_claims_1m"), at), naive);
            prop_assert_eq!(counts.value(slot("device_claims_24h"), at), times.len() as i64);
            let n = times.len();
            times.rotate_left(shift % n);
            prop_assert_eq!(count(&times), counts);
        }
    }

    #[test]
    fn one_event_is_written_as_it_always_was() {
        let mut counts = SubjectCounts::default();
        counts.add(Counted::Redemptions, 7_200_000);
        let bytes = bincode::serde::encode_to_vec(&counts, bincode::config::standard()).expect("written");
        // No claims; tiles of the second, the minute and the hour, one event each; nothing refused; the last event.
        assert_eq!(bytes[..11], [0, 1, 1, 251, 32, 28, 1, 1, 120, 1, 1]);
        let (read, _) = bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("read");
        assert_eq!(counts, read);
        counts.add(Counted::Redemptions, 7_200_000 + 200 * 3_600_000);
        assert_eq!(counts.redemptions, Times::Once(7_200 + 200 * 3_600), "the first counts in no window");
    }

    #[test]
    fn subjects_are_bounded_and_the_oldest_go_first() {
        let mut velocity = Velocity::new(32);
        for n in 0..100_u8 {
            velocity.add(Subject { pseudonym: [n; 16], ..DEVICE }, Counted::Claims, i64::from(n) * 1000);
        }
        assert!(velocity.iter().count() <= 32);
        assert!(velocity.get(&Subject { pseudonym: [99; 16], ..DEVICE }).is_some());
        assert!(velocity.get(&Subject { pseudonym: [0; 16], ..DEVICE }).is_none());
    }

    #[test]
    fn many_subjects_lie_in_parts_and_each_lets_its_oldest_go() {
        let mut velocity = Velocity::new(10_000);
        let subject = |n: u32| {
            let mut pseudonym = [0; 16];
            pseudonym[12..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9).to_be_bytes());
            Subject { pseudonym, ..DEVICE }
        };
        for n in 0..40_000 {
            velocity.add(subject(n), Counted::Claims, i64::from(n));
            assert!(velocity.get(&subject(n)).is_some());
        }
        let mut known: Vec<Subject> = velocity.iter().map(|(subject, _)| *subject).collect();
        assert!((9_000..=10_000).contains(&known.len()), "{}", known.len());
        let newest = (35_000..40_000).filter(|n| velocity.get(&subject(*n)).is_some()).count();
        assert!(newest > 4_900, "{newest} of the newest 5,000");
        known.extend(velocity.take_evicted());
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), 40_000, "everybody is known, or said to have gone");
    }

    #[test]
    fn numbers_of_slots_are_unique() {
        let mut numbers: Vec<u16> = SLOTS.iter().map(|slot| slot.number).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), SLOTS.len());
    }
}
