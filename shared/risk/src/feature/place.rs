//! Where somebody was, and how fast the way from there was.

use serde::{Deserialize, Serialize};

/// A place on earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// North of the equator, millionths of a degree.
    pub latitude_microdegrees: i32,
    /// East of Greenwich, millionths of a degree.
    pub longitude_microdegrees: i32,
}

/// The mean radius of the earth, km (IUGG).
const RADIUS_KM: f64 = 6_371.008_8;
/// Below this an address is not placed well enough to say that anybody moved, km.
const NEAR_KM: f64 = 50.0;
/// Two moments lie at least so far apart, ms: clocks of two machines do not agree better.
const LEAST_MS: i64 = 1_000;
const MS_PER_HOUR: f64 = 3_600_000.0;

impl Place {
    /// The great-circle distance, km, by the haversine formula (R. W. Sinnott, *Virtues of the Haversine*, Sky and
    /// Telescope 68, 1984); at most 0.6 % off, as the earth is no sphere.
    pub fn distance_km(self, other: Self) -> f64 {
        let radians = |microdegrees: i32| f64::from(microdegrees) / 1e6 * (std::f64::consts::PI / 180.0);
        let (here, there) = (radians(self.latitude_microdegrees), radians(other.latitude_microdegrees));
        let east = radians(other.longitude_microdegrees) - radians(self.longitude_microdegrees);
        // The sines are those of libm, the same to the bit on every machine.
        let (north, east) = (libm::sin((there - here) / 2.0), libm::sin(east / 2.0));
        let chord = north * north + libm::cos(here) * libm::cos(there) * east * east;
        2.0 * RADIUS_KM * libm::asin(libm::sqrt(chord.min(1.0)))
    }
}

/// Where a key was last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whereabouts {
    /// The later counts; of two at the same moment the greater place, so that the order of reading does not matter.
    last: Option<(i64, Place)>,
}

impl Whereabouts {
    pub(super) fn add(&mut self, at_ms: i64, place: Place) {
        self.last = self.last.max(Some((at_ms, place)));
    }

    /// When it was last seen somewhere, milliseconds.
    pub(super) fn last_ms(&self) -> i64 {
        self.last.map_or(0, |(at_ms, _)| at_ms)
    }

    /// The speed of the way here, km/h: 0 for less than 50 km, not a number where one of both places is not known.
    pub(super) fn speed(&self, now_ms: i64, here: Option<Place>) -> f64 {
        let (Some((at_ms, there)), Some(here)) = (self.last, here) else { return f64::NAN };
        let distance = there.distance_km(here);
        if distance < NEAR_KM {
            return 0.0;
        }
        distance / (now_ms.saturating_sub(at_ms).max(LEAST_MS) as f64 / MS_PER_HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn place(latitude: f64, longitude: f64) -> Place {
        Place { latitude_microdegrees: (latitude * 1e6) as i32, longitude_microdegrees: (longitude * 1e6) as i32 }
    }

    #[test]
    fn distances_are_those_of_the_map() {
        let (shanghai, beijing) = (place(31.2304, 121.4737), place(39.9042, 116.4074));
        let km = shanghai.distance_km(beijing);
        assert!((km - 1_067.0).abs() < 3.0, "{km}");
        let half_round = place(0.0, 0.0).distance_km(place(0.0, 180.0));
        assert!((half_round - std::f64::consts::PI * RADIUS_KM).abs() < 1e-6, "{half_round}");
        let over_the_date_line = place(0.0, 179.5).distance_km(place(0.0, -179.5));
        assert!((over_the_date_line - 111.2).abs() < 0.1, "{over_the_date_line}");
    }

    #[test]
    fn speed_is_not_known_without_both_places_and_none_nearby() {
        let (shanghai, hangzhou, suburb) = (place(31.23, 121.47), place(30.27, 120.16), place(31.3, 121.5));
        let mut user = Whereabouts::default();
        assert!(user.speed(0, Some(shanghai)).is_nan());
        user.add(0, shanghai);
        assert!(user.speed(HOUR_MS, None).is_nan());
        assert_eq!(user.speed(1, Some(suburb)).to_bits(), 0.0_f64.to_bits());
        let train = user.speed(HOUR_MS, Some(hangzhou));
        assert!((150.0..180.0).contains(&train), "{train}");
        let at_once = user.speed(-5, Some(hangzhou));
        assert!(at_once.is_finite() && at_once > 500_000.0, "a clock that is behind divides by a second: {at_once}");
    }

    #[test]
    fn the_last_place_is_the_latest_in_any_order() {
        let seen = [(5, place(1.0, 1.0)), (9, place(2.0, 2.0)), (9, place(3.0, 3.0)), (7, place(4.0, 4.0))];
        let (mut there, mut back) = (Whereabouts::default(), Whereabouts::default());
        for (n, (at_ms, place)) in seen.iter().enumerate() {
            there.add(*at_ms, *place);
            let (at_ms, place) = seen[seen.len() - 1 - n];
            back.add(at_ms, place);
        }
        assert_eq!((there, there.last), (back, Some((9, place(3.0, 3.0)))));
    }
}
