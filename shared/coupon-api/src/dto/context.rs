//! The end user as the caller saw them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use coupon::event::Note;
use http_api::body::Check;
use http_api::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The end user's device and address. What is left out is not guessed: the caller's own address is never used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// A stable id of the device, 1..=128 characters.
    pub device_id: Option<String>,
    /// IPv4 or IPv6; IPv6 counts by its /64.
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// At most 512 characters.
    pub user_agent: Option<String>,
    /// Where the device is.
    pub location: Option<Location>,
}

/// A point on earth.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees, -90..=90.
    pub latitude: f64,
    /// Degrees, -180..=180.
    pub longitude: f64,
    /// Defaults to `wgs84`; maps in China use `gcj02`.
    #[serde(default)]
    pub datum: Datum,
}

/// In which system a point is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// As satellites say it.
    #[default]
    Wgs84,
    /// As Chinese maps draw it.
    Gcj02,
}

impl Context {
    /// The address, if one was given and is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.ip.as_deref().and_then(|ip| ip.parse().ok())
    }

    /// Checks what types cannot.
    pub fn check(&self) -> Result<(), Problem> {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let ip_is_sound = self.ip.is_none() || self.address().is_some();
        let mut check = Check::new()
            .length("/context/device_id", &text(&self.device_id), 1..=128)
            .length("/context/user_agent", &text(&self.user_agent), 0..=512)
            .field("/context/ip", ip_is_sound, "must be an IPv4 or IPv6 address");
        if let Some(location) = self.location {
            check = location.check(check, "/context/location");
        }
        check.done()
    }
}

impl Location {
    /// Checks the ranges.
    pub fn check(self, check: Check, pointer: &str) -> Check {
        let latitude = (-90.0..=90.0).contains(&self.latitude);
        let longitude = (-180.0..=180.0).contains(&self.longitude);
        check.field_at(|| format!("{pointer}/latitude"), latitude, "must be -90 to 90 degrees").field_at(
            || format!("{pointer}/longitude"),
            longitude,
            "must be -180 to 180 degrees",
        )
    }
}

impl From<Location> for coupon::event::Location {
    fn from(location: Location) -> Self {
        Self { latitude: location.latitude, longitude: location.longitude, gcj02: location.datum == Datum::Gcj02 }
    }
}

impl From<coupon::event::Location> for Location {
    fn from(location: coupon::event::Location) -> Self {
        let datum = if location.gcj02 { Datum::Gcj02 } else { Datum::Wgs84 };
        Self { latitude: location.latitude, longitude: location.longitude, datum }
    }
}

/// Checks and takes the caller's own notes.
pub fn note(reference: Option<String>, metadata: Option<BTreeMap<String, String>>) -> Result<Note, Problem> {
    let metadata = metadata.unwrap_or_default();
    let mut check = Check::new().length("/reference", reference.as_deref().unwrap_or("-"), 1..=500).field(
        "/metadata",
        metadata.len() <= 20,
        "must have at most 20 keys",
    );
    for (key, value) in &metadata {
        let fits = (1..=64).contains(&key.chars().count()) && value.chars().count() <= 500;
        let pointer = || format!("/metadata/{}", key.replace('~', "~0").replace('/', "~1"));
        check = check.field_at(pointer, fits, "must have a key of 1 to 64 and a value of at most 500 characters");
    }
    check.done()?;
    Ok(Note { reference, metadata })
}

/// Checks an opaque id of the caller's: 1..=128 characters.
pub fn opaque(check: Check, pointer: &str, text: Option<&str>) -> Check {
    match text {
        Some(text) => check.length(pointer, text, 1..=128),
        None => check,
    }
}

/// A number of a Chinese mobile phone, or an international one: personal data that has no place in an id.
pub fn is_phone_number(text: &str) -> bool {
    let international = text.strip_prefix('+');
    let digits = international.unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let mainland = digits.len() == 11 && digits.starts_with('1') && digits.as_bytes()[1] >= b'3';
    mainland || (international.is_some() && (7..=15).contains(&digits.len()))
}

#[cfg(test)]
mod tests {
    use super::is_phone_number;

    #[test]
    fn phone_numbers_are_told_from_ids() {
        for number in ["13800138000", "+8613800138000", "+14155550123"] {
            assert!(is_phone_number(number), "{number}");
        }
        for id in ["4129537", "u-13800138000", "10000000000", "用户13800138000", "+"] {
            assert!(!is_phone_number(id), "{id}");
        }
    }
}
