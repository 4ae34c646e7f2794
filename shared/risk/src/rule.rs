//! The first rules: how many claims a device or an address may make.

use serde::{Deserialize, Serialize};

use crate::velocity::{SLOTS, Slot, Subject, SubjectCounts};

/// Thresholds of the velocity rules; strictly more than a threshold is a hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VelocityRules {
    /// Claims of one device in 60 s. Default 20.
    pub device_claims_per_minute: i64,
    /// Claims of one device in an hour. Default 200.
    pub device_claims_per_hour: i64,
    /// Claims of one device in 24 h. Default 1000.
    pub device_claims_per_day: i64,
    /// Claims of one address in 60 s. Default 600.
    pub ip_claims_per_minute: i64,
    /// How long a hit blocks its subject, seconds. Default 600.
    pub block_seconds: i64,
}

impl Default for VelocityRules {
    fn default() -> Self {
        Self {
            device_claims_per_minute: 20,
            device_claims_per_hour: 200,
            device_claims_per_day: 1_000,
            ip_claims_per_minute: 600,
            block_seconds: 600,
        }
    }
}

/// A slot with its threshold.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it looks at; its name is the rule's code.
    pub slot: &'static Slot,
    /// The most that is allowed.
    pub threshold: i64,
}

/// A rule that hit.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Which.
    pub rule: Rule,
    /// What was counted.
    pub value: i64,
}

/// What is said of a subject until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Of whom.
    pub subject: Subject,
    /// The rule that hit.
    pub rule: String,
    /// What was counted.
    pub count: i64,
    /// What is allowed.
    pub threshold: i64,
    /// Over how many seconds.
    pub window_seconds: u32,
    /// As of this time of the log, milliseconds.
    pub watermark_ms: i64,
    /// It blocks until then, milliseconds.
    pub until_ms: i64,
}

impl VelocityRules {
    /// All rules.
    pub fn rules(&self) -> Vec<Rule> {
        let thresholds = [
            ("device_claims_1m", self.device_claims_per_minute),
            ("device_claims_1h", self.device_claims_per_hour),
            ("device_claims_24h", self.device_claims_per_day),
            ("ip_claims_1m", self.ip_claims_per_minute),
        ];
        let find = |name: &str| SLOTS.iter().find(|slot| slot.name == name);
        thresholds.iter().filter_map(|(name, n)| Some(Rule { slot: find(name)?, threshold: *n })).collect()
    }
}

impl Rule {
    /// Whether the subject's counts at a time are too many.
    pub fn hit(&self, subject: &Subject, counts: &SubjectCounts, at_ms: i64) -> Option<Hit> {
        let value = if self.slot.kind == subject.kind { counts.value(self.slot, at_ms) } else { 0 };
        (value > self.threshold).then_some(Hit { rule: *self, value })
    }
}

impl Hit {
    /// What it says of its subject.
    pub fn verdict(&self, subject: Subject, at_ms: i64, block_seconds: i64) -> Verdict {
        Verdict {
            subject,
            rule: self.rule.slot.name.to_owned(),
            count: self.value,
            threshold: self.rule.threshold,
            window_seconds: self.rule.slot.window_seconds,
            watermark_ms: at_ms,
            until_ms: at_ms + block_seconds * 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::velocity::{Counted, SubjectKind};

    #[test]
    fn one_more_than_the_threshold_hits() {
        let rules = VelocityRules { device_claims_per_minute: 3, ..VelocityRules::default() };
        let subject = Subject { kind: SubjectKind::Device, merchant: 1, pseudonym: [1; 16] };
        let mut counts = SubjectCounts::default();
        let hits = |counts: &SubjectCounts| {
            rules.rules().iter().filter_map(|rule| rule.hit(&subject, counts, 5_000)).collect::<Vec<_>>()
        };
        (0..3).for_each(|n| counts.add(Counted::Claims, n * 1000));
        assert!(hits(&counts).is_empty());
        counts.add(Counted::Claims, 4_000);
        let hit = hits(&counts)[0].verdict(subject, 5_000, 60);
        assert_eq!((hit.rule.as_str(), hit.count, hit.threshold, hit.until_ms), ("device_claims_1m", 4, 3, 65_000));
    }
}
