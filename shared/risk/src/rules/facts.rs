//! What rules look at: what a request says, and what is known of whom it has to do with.

use std::cell::Cell;

use super::check::Type;
use crate::feature::Subject;

/// What a request says and what is known of whom it has to do with.
pub struct Facts<'a> {
    /// The values of the plan's features, by their numbers; not a number where one is not known.
    pub values: &'a [f64],
    /// With whom and what.
    pub subject: &'a Subject,
    /// `claim`, `lock` or `redemption`.
    pub event: &'a str,
    /// The order's amount, minor units; not a number where there is none.
    pub amount: f64,
    /// The hour of the merchant's day, 0 to 23; not a number where the zone is not known.
    pub hour: f64,
    /// 1 for Monday to 7 for Sunday; not a number where the zone is not known.
    pub weekday: f64,
    /// What the model says, 0 to 1000; not a number without a model.
    pub score: f64,
    /// How many users hang together, by devices and addresses, with those of the request; not a number if not known, as
    /// all of the cluster.
    pub cluster_size: f64,
    /// On how many devices.
    pub cluster_devices: f64,
    /// Edges by the most that there could be, 0 to 1.
    pub cluster_density: f64,
    /// Between the first sight of its oldest and of its newest user, seconds.
    pub cluster_age_spread: f64,
    /// The names of the lists that the request matches.
    pub lists: &'a [&'a str],
    /// Something could not be worked out.
    pub failed: Cell<bool>,
}

impl<'a> Facts<'a> {
    /// Of a request of which nothing more is known.
    pub fn new(values: &'a [f64], subject: &'a Subject, event: &'a str) -> Self {
        Self {
            values,
            subject,
            event,
            amount: f64::NAN,
            hour: f64::NAN,
            weekday: f64::NAN,
            score: f64::NAN,
            cluster_size: f64::NAN,
            cluster_devices: f64::NAN,
            cluster_density: f64::NAN,
            cluster_age_spread: f64::NAN,
            lists: &[],
            failed: Cell::new(false),
        }
    }
}

/// A number that a request brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Amount,
    Hour,
    Weekday,
    Score,
    ClusterSize,
    ClusterDevices,
    ClusterDensity,
    ClusterAgeSpread,
}

impl Attribute {
    /// All of them.
    const ALL: [Self; 8] = [
        Self::Amount,
        Self::Hour,
        Self::Weekday,
        Self::Score,
        Self::ClusterSize,
        Self::ClusterDevices,
        Self::ClusterDensity,
        Self::ClusterAgeSpread,
    ];

    /// As rules spell it, and what it means.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Amount => ("amount", "the order's amount, minor units"),
            Self::Hour => ("hour", "the hour of the merchant's day, 0 to 23"),
            Self::Weekday => ("weekday", "1 for Monday to 7 for Sunday"),
            Self::Score => ("score", "what the model says, 0 to 1000"),
            Self::ClusterSize => (
                "cluster_size",
                "users that hang together with the request's, by devices and addresses that they share",
            ),
            Self::ClusterDevices => ("cluster_devices", "how many of the cluster are devices"),
            Self::ClusterDensity => ("cluster_density", "the cluster's edges by the most that there could be, 0 to 1"),
            Self::ClusterAgeSpread => {
                ("cluster_age_spread", "seconds between the first sight of the cluster's oldest and newest user")
            }
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.said().0 == name)
    }

    pub(super) fn value(self, facts: &Facts<'_>) -> f64 {
        match self {
            Self::Amount => facts.amount,
            Self::Hour => facts.hour,
            Self::Weekday => facts.weekday,
            Self::Score => facts.score,
            Self::ClusterSize => facts.cluster_size,
            Self::ClusterDevices => facts.cluster_devices,
            Self::ClusterDensity => facts.cluster_density,
            Self::ClusterAgeSpread => facts.cluster_age_spread,
        }
    }
}

/// What a request itself says: names, types and meanings.
pub(super) fn attributes() -> impl Iterator<Item = (&'static str, Type, &'static str)> {
    let event = ("event", Type::Text, "what is asked for: \"claim\", \"lock\" or \"redemption\"");
    let numbers = Attribute::ALL.into_iter().map(|attribute| {
        let (name, about) = attribute.said();
        (name, Type::Number, about)
    });
    std::iter::once(event).chain(numbers)
}
