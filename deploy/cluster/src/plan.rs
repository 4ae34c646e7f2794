//! What a cluster consists of.

use std::fmt;
use std::path::PathBuf;

use crate::Life;

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Merchants, stocks, codes, claims.
    Issuer,
    /// Validations, locks, redemptions.
    Redeemer,
    /// Counts and verdicts.
    RiskScorer,
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Issuer => "issuer",
            Self::Redeemer => "redeemer",
            Self::RiskScorer => "risk-scorer",
        })
    }
}

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All files lie here; what is there is gone on with.
    pub folder: PathBuf,
    /// Where the services' binaries lie.
    pub binaries: PathBuf,
    /// Brokers: 1, or 3 for a log that survives the loss of one.
    pub brokers: usize,
    /// Whether toxiproxy stands before the brokers, to disturb connections.
    pub proxied: bool,
    /// Partitions of each topic.
    pub partitions: u32,
    /// Instances of the issuer.
    pub issuers: usize,
    /// Instances of the redeemer.
    pub redeemers: usize,
    /// Instances of the risk-scorer.
    pub scorers: usize,
    /// Whether nginx stands in front.
    pub nginx: bool,
    /// Its port; `None` takes a free one.
    pub port: Option<u16>,
    /// How long everything lives.
    pub life: Life,
    /// Variables of the environment of every instance.
    pub environment: Vec<(String, String)>,
}

impl Plan {
    /// One of everything.
    pub fn new(folder: PathBuf, binaries: PathBuf) -> Self {
        Self {
            folder,
            binaries,
            brokers: 1,
            proxied: false,
            partitions: 8,
            issuers: 1,
            redeemers: 1,
            scorers: 1,
            nginx: true,
            port: None,
            life: Life::Guarded,
            environment: Vec::new(),
        }
    }

    /// Every instance, issuers first: theirs is the first key.
    pub(crate) fn instances(&self) -> Vec<(Service, usize)> {
        let of = |service, count: usize| (1..=count).map(move |number| (service, number));
        of(Service::Issuer, self.issuers)
            .chain(of(Service::Redeemer, self.redeemers))
            .chain(of(Service::RiskScorer, self.scorers))
            .collect()
    }
}
