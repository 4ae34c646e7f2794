//! Workloads that ship with the tool.

use std::path::Path;

use super::workload::Workload;
use crate::{Failure, Result};

/// Name and text of each.
pub const ALL: [(&str, &str); 10] = [
    ("redeem-200", include_str!("profiles/redeem-200.toml")),
    ("redeem-20000", include_str!("profiles/redeem-20000.toml")),
    ("saturday", include_str!("profiles/saturday.toml")),
    ("flash-sale", include_str!("profiles/flash-sale.toml")),
    ("spike-10x", include_str!("profiles/spike-10x.toml")),
    ("overload", include_str!("profiles/overload.toml")),
    ("overload-real", include_str!("profiles/overload-real.toml")),
    ("soak", include_str!("profiles/soak.toml")),
    ("capacity", include_str!("profiles/capacity.toml")),
    ("replay", include_str!("profiles/replay.toml")),
];

/// A profile's text.
pub fn text(name: &str) -> Result<&'static str> {
    ALL.iter().find(|(of, _)| *of == name).map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        Failure::Usage(format!("there is neither a file nor a profile {name}; profiles are {}", names.join(", ")))
    })
}

/// The workload of a file or of a profile, and its text.
pub fn load(name: &str) -> Result<(Workload, String)> {
    let path = Path::new(name);
    if path.is_file() {
        return Workload::read(path);
    }
    let text = text(name)?;
    Ok((Workload::parse(text, name)?, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_is_sound_and_named_as_it_is_found() {
        for (name, _) in ALL {
            let (workload, _) = load(name).unwrap_or_else(|failure| panic!("{name}: {failure}"));
            assert_eq!(workload.name, name);
            assert!(!workload.about.is_empty() && !workload.thresholds.is_empty(), "{name}");
        }
        assert!(load("redeem-2000").expect_err("none").to_string().contains("redeem-200, "));
    }
}
