//! What a run sends, as a file (TOML).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::schedule::{Arrivals, Phase, Schedule};
use super::threshold::Threshold;
use crate::{Failure, Result};

/// A workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Named in reports.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub about: String,
    /// The same seed sends the same.
    #[serde(default = "one")]
    pub seed: u64,
    /// How requests lie within a rate.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Connections that are open from the beginning.
    #[serde(default = "connections")]
    pub connections: usize,
    /// As many may be opened when the others wait for answers.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// After so long without an answer a request's outcome is unknown, and its key is sent again. Milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// So long a request whose outcome is unknown is repeated before it is given up. Milliseconds.
    #[serde(default = "patience_ms")]
    pub patience_ms: u64,
    /// What must hold.
    #[serde(default)]
    pub thresholds: Vec<Check>,
    /// When requests are due.
    pub schedule: Vec<Phase>,
    /// What is there.
    #[serde(default)]
    pub shop: Shop,
    /// What is asked for.
    #[serde(default)]
    pub mix: Mix,
    /// What goes wrong between the client and the server; shares of the redemptions.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Who means no good; shares of all requests.
    #[serde(default)]
    pub abuse: Abuse,
    /// The highest rate that keeps the thresholds is searched for.
    pub search: Option<Search>,
    /// A file of real claims decides who claims what.
    #[serde(default)]
    pub replay: bool,
    /// The configuration of a server that is started for the run, unless another is given.
    pub server: Option<toml::Table>,
}

/// A threshold, as text or with more to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Check {
    /// Judged at the end.
    Text(Threshold),
    /// Judged each second too.
    Abort {
        /// What must hold.
        check: Threshold,
        /// End the run as soon as it does not.
        #[serde(default)]
        abort: bool,
        /// Not before so many seconds have been measured.
        #[serde(default = "after_seconds")]
        after_seconds: f64,
    },
}

/// What is there before the run begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shop {
    /// Stocks of codes made ahead.
    pub stocks: u32,
    /// Zipf exponent of how often each is used: 0 all alike, 1 the n-th one n times less than the first.
    pub stock_popularity: f64,
    /// Coupons that can be claimed of each stock; what is claimed later is refused as sold out. Enough if left out.
    pub claimable: Option<u64>,
    /// Stores, one of them named in each redemption; none if 0.
    pub stores: u32,
    /// Customers.
    pub users: u64,
    /// Zipf exponent of how often each comes.
    pub user_popularity: f64,
    /// Devices are shared by so many customers.
    pub users_per_device: u64,
    /// Addresses are shared by so many customers.
    pub users_per_address: u64,
    /// An order's amount, minor units.
    pub order_amount: u64,
}

/// What is asked for: weights, which need not add up to anything.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// A code made ahead is redeemed.
    pub redeem: f64,
    /// A coupon is claimed and then redeemed.
    pub claim: f64,
    /// A code is locked and then redeemed, or let go.
    pub lock: f64,
    /// What a code would take off; changes nothing.
    pub validate: f64,
    /// A redemption or a stock's balance is read.
    pub query: f64,
    /// A thousand codes are made ahead.
    pub bulk: f64,
}

/// Shares of the redemptions, 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// The same request with the same key twice at once.
    pub double_submit: f64,
    /// Another checkout tries the same code at the same time.
    pub rival: f64,
    /// The client gives up after `time_out_after_ms` and repeats the same key.
    pub time_out: f64,
    /// When it gives up, milliseconds.
    pub time_out_after_ms: u64,
    /// The connection is lost before the answer is read; the same key is sent again.
    pub lost_answer: f64,
    /// The code is mistyped.
    pub wrong_code: f64,
    /// Of the locks: the customer changes their mind.
    pub abandoned: f64,
    /// Of the claims: the coupon is redeemed at once.
    pub redeemed_at_once: f64,
}

/// Shares of all requests, 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Abuse {
    /// Claims for ever new accounts from one device.
    pub one_device: f64,
    /// Codes are guessed.
    pub guessing: f64,
    /// Claims by bots behind one address, in the first ten seconds.
    pub release_bots: f64,
}

/// A search for the highest rate.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Where it begins, per second.
    pub from: f64,
    /// Where it ends at the latest, per second.
    pub to: f64,
    /// How close it comes, per cent.
    pub within_percent: f64,
    /// Each trial, seconds.
    pub trial_seconds: f64,
}

fn one() -> u64 {
    1
}

fn connections() -> usize {
    32
}

fn max_connections() -> usize {
    1_024
}

fn timeout_ms() -> u64 {
    5_000
}

fn patience_ms() -> u64 {
    30_000
}

fn after_seconds() -> f64 {
    5.0
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            stocks: 1,
            stock_popularity: 0.0,
            claimable: None,
            stores: 0,
            users: 1_000_000,
            user_popularity: 0.0,
            users_per_device: 1,
            users_per_address: 3,
            order_amount: 12_800,
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self { redeem: 1.0, claim: 0.0, lock: 0.0, validate: 0.0, query: 0.0, bulk: 0.0 }
    }
}

impl Check {
    /// What must hold.
    pub fn threshold(&self) -> &Threshold {
        match self {
            Self::Text(check) | Self::Abort { check, .. } => check,
        }
    }

    /// From how many measured seconds on it ends the run.
    pub fn aborts_after(&self) -> Option<f64> {
        match self {
            Self::Abort { abort: true, after_seconds, .. } => Some(*after_seconds),
            Self::Text(_) | Self::Abort { .. } => None,
        }
    }
}

impl Workload {
    /// Reads it; errors name the line and what is expected there.
    pub fn parse(text: &str, from: &str) -> Result<Self> {
        let workload: Self = toml::from_str(text).map_err(|error| Failure::Usage(format!("{from}: {error}")))?;
        workload.check().map_err(|what| Failure::Usage(format!("{from}: {what}")))?;
        Ok(workload)
    }

    /// A file's.
    pub fn read(path: &Path) -> Result<(Self, String)> {
        let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
        Ok((Self::parse(&text, &path.display().to_string())?, text))
    }

    /// Its schedule.
    pub fn schedule(&self) -> Result<Schedule> {
        Schedule::new(&self.schedule)
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.schedule().map_err(|failure| failure.to_string())?;
        let Behaviour { double_submit, rival, time_out, lost_answer, wrong_code, abandoned, redeemed_at_once, .. } =
            self.behaviour;
        let Abuse { one_device, guessing, release_bots } = self.abuse;
        let shares = [
            ("behaviour.double_submit", double_submit),
            ("behaviour.rival", rival),
            ("behaviour.time_out", time_out),
            ("behaviour.lost_answer", lost_answer),
            ("behaviour.wrong_code", wrong_code),
            ("behaviour.abandoned", abandoned),
            ("behaviour.redeemed_at_once", redeemed_at_once),
            ("abuse.one_device", one_device),
            ("abuse.guessing", guessing),
            ("abuse.release_bots", release_bots),
        ];
        if let Some((name, _)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(format!("{name} is a share, 0 to 1"));
        }
        let Mix { redeem, claim, lock, validate, query, bulk } = self.mix;
        let weights = [redeem, claim, lock, validate, query, bulk];
        if !weights.iter().all(|weight| (0.0..=1e9).contains(weight)) || weights.iter().sum::<f64>() <= 0.0 {
            return Err("mix: weights are 0 or more, and one is above 0".to_owned());
        }
        let Shop { stocks, stores, users, users_per_device, users_per_address, order_amount, .. } = self.shop;
        let whole = [
            ("shop.stocks", u64::from(stocks), 1..=1_000),
            ("shop.stores", u64::from(stores), 0..=10_000),
            ("shop.users", users, 1..=10_000_000_000),
            ("shop.users_per_device", users_per_device, 1..=1_000_000),
            ("shop.users_per_address", users_per_address, 1..=1_000_000),
            ("shop.order_amount", order_amount, 10_000..=1_000_000_000),
            ("connections", self.connections as u64, 1..=20_000),
            ("max_connections", self.max_connections as u64, self.connections as u64..=20_000),
            ("timeout_ms", self.timeout_ms, 1..=600_000),
            ("patience_ms", self.patience_ms, 1..=600_000),
        ];
        if let Some((name, _, range)) = whole.iter().find(|(_, value, range)| !range.contains(value)) {
            return Err(format!("{name} must be {} to {}", range.start(), range.end()));
        }
        for (name, exponent) in
            [("shop.stock_popularity", self.shop.stock_popularity), ("shop.user_popularity", self.shop.user_popularity)]
        {
            if !(0.0..=5.0).contains(&exponent) {
                return Err(format!("{name} is a Zipf exponent, 0 to 5"));
            }
        }
        match self.search {
            Some(Search { from, to, within_percent, trial_seconds })
                if !(from > 0.0 && to > from && within_percent >= 1.0 && trial_seconds >= 1.0) =>
            {
                Err("search: 0 < from < to, within_percent and trial_seconds at least 1".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "name = \"small\"\n[[schedule]]\nkind = \"constant\"\nseconds = 1\nrate = 10\n";

    #[test]
    fn little_has_to_be_said() {
        let small = Workload::parse(SMALL, "small.toml").expect("sound");
        assert_eq!((small.shop.stocks, small.connections, small.arrivals), (1, 32, Arrivals::Poisson));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |more: &str| Workload::parse(&format!("{SMALL}{more}"), "w.toml").expect_err("wrong").to_string();
        assert!(said("[mix]\nredem = 1\n").contains("redem"), "{}", said("[mix]\nredem = 1\n"));
        assert!(said("[behaviour]\nrival = 1.5\n").contains("behaviour.rival is a share"));
        assert!(said("[shop]\nstocks = 0\n").contains("shop.stocks must be 1 to 1000"));
        assert!(said("[mix]\nredeem = 0\n").contains("one is above 0"));
        assert!(said("[shop]\nuser_popularity = 9\n").contains("Zipf"));
        let text = SMALL.replace("name", "thresholds = [\"p99 <\"]\nname");
        let error = Workload::parse(&text, "w.toml").expect_err("no limit").to_string();
        assert!(error.contains("p99 <"), "{error}");
    }
}
