//! What each request is: drawn from the workload's shares with its seed, so that the same run sends the same.

use std::str::FromStr;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

use super::schedule::Due;
use super::shop::Claimed;
use super::workload::{Abuse, Behaviour, Mix, Workload};
use crate::{Failure, Result};

/// Kinds of requests, whose figures are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A code or a coupon is redeemed.
    Redeem,
    /// The same key again.
    Repeat,
    /// Another checkout, for the same code.
    Rival,
    /// A coupon is claimed.
    Claim,
    /// A code is locked.
    Lock,
    /// A lock is let go.
    Release,
    /// What a code would take off.
    Validate,
    /// Something is read.
    Query,
    /// Codes are made ahead.
    Bulk,
    /// A code that is none.
    Guess,
    /// A claim by someone who means no good.
    Abuse,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Redeem,
        Self::Repeat,
        Self::Rival,
        Self::Claim,
        Self::Lock,
        Self::Release,
        Self::Validate,
        Self::Query,
        Self::Bulk,
        Self::Guess,
        Self::Abuse,
    ];

    /// Its name in thresholds and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redeem => "redeem",
            Self::Repeat => "repeat",
            Self::Rival => "rival",
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Release => "release",
            Self::Validate => "validate",
            Self::Query => "query",
            Self::Bulk => "bulk",
            Self::Guess => "guess",
            Self::Abuse => "abuse",
        }
    }

    /// The HTTP status of an answer that does what was asked for.
    pub const fn success(self) -> u16 {
        match self {
            Self::Redeem | Self::Repeat | Self::Rival | Self::Claim | Self::Lock | Self::Abuse => 201,
            Self::Release | Self::Validate | Self::Query => 200,
            Self::Bulk => 202,
            Self::Guess => 404,
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> std::result::Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// What goes wrong with a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    DoubleSubmit,
    Rival,
    TimeOut,
    LostAnswer,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Redeem(Trouble),
    Claim {
        redeemed: bool,
    },
    Lock {
        abandoned: bool,
    },
    Validate,
    Query,
    Bulk,
    /// A code that is none: mistyped or guessed.
    Guess,
    OneDevice,
    ReleaseBot,
}

/// One of them, with who does it and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Action {
    /// Its number; keys and orders are named after it.
    pub(super) n: u64,
    pub(super) due: Duration,
    pub(super) warm_up: bool,
    pub(super) what: What,
    pub(super) stock: usize,
    pub(super) store: usize,
    pub(super) user: u64,
}

/// How long bots are there after the release.
const RELEASE: Duration = Duration::from_secs(10);
/// Seeds of the arrivals and of what arrives differ, so that one does not tell the other.
const OTHER_SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Draws actions.
pub(super) struct Planner {
    random: SmallRng,
    next: u64,
    mix: Mix,
    weights: f64,
    behaviour: Behaviour,
    abuse: Abuse,
    stocks: Popularity,
    users: Popularity,
    stores: usize,
    claims: Vec<Claimed>,
}

/// Draws places `0..count`: the n-th is drawn as often as Zipf's law says, or all alike.
enum Popularity {
    Alike(u64),
    Zipf(Zipf<f64>),
}

impl Popularity {
    fn new(count: u64, exponent: f64) -> Result<Self> {
        if exponent <= 0.0 {
            return Ok(Self::Alike(count));
        }
        Zipf::new(count as f64, exponent).map(Self::Zipf).map_err(|error| Failure::Usage(format!("Zipf: {error}")))
    }

    fn draw(&self, random: &mut SmallRng) -> u64 {
        match self {
            Self::Alike(1) => 0,
            Self::Alike(count) => random.random_range(0..*count),
            // Ranks begin with 1.
            Self::Zipf(zipf) => zipf.sample(random) as u64 - 1,
        }
    }
}

impl Planner {
    pub(super) fn new(workload: &Workload, stocks: usize, stores: usize) -> Result<Self> {
        let Mix { redeem, claim, lock, validate, query, bulk } = workload.mix;
        let shop = &workload.shop;
        Ok(Self {
            random: SmallRng::seed_from_u64(workload.seed ^ OTHER_SEED),
            next: 0,
            mix: workload.mix,
            weights: redeem + claim + lock + validate + query + bulk,
            behaviour: workload.behaviour,
            abuse: workload.abuse,
            stocks: Popularity::new(stocks as u64, shop.stock_popularity)?,
            users: Popularity::new(shop.users, shop.user_popularity)?,
            stores,
            claims: Vec::new(),
        })
    }

    /// The same, but real claims decide who claims what.
    pub(super) fn of_claims(self, claims: Vec<Claimed>) -> Self {
        Self { claims, ..self }
    }

    /// What is due then.
    pub(super) fn draw(&mut self, due: Due) -> Action {
        let n = self.next;
        self.next += 1;
        if !self.claims.is_empty() {
            let Claimed { stock, user } = self.claims[n as usize % self.claims.len()];
            let redeemed = self.random.random_bool(self.behaviour.redeemed_at_once);
            let what = What::Claim { redeemed };
            return Action { n, due: due.at, warm_up: due.warm_up, what, stock, store: 0, user };
        }
        let what = self.what(due.at);
        let stock = self.stocks.draw(&mut self.random) as usize;
        let store = if self.stores == 0 { 0 } else { self.random.random_range(0..self.stores) };
        let user = self.users.draw(&mut self.random);
        Action { n, due: due.at, warm_up: due.warm_up, what, stock, store, user }
    }

    fn what(&mut self, at: Duration) -> What {
        let Abuse { one_device, guessing, release_bots } = self.abuse;
        let bots = if at < RELEASE { release_bots } else { 0.0 };
        let abuses = [(one_device, What::OneDevice), (guessing, What::Guess), (bots, What::ReleaseBot)];
        if let Some(abuse) = self.pick(1.0, &abuses) {
            return abuse;
        }
        let Behaviour { abandoned, redeemed_at_once, .. } = self.behaviour;
        let redeemed = self.random.random_bool(redeemed_at_once);
        let abandoned = self.random.random_bool(abandoned);
        let Mix { redeem: _, claim, lock, validate, query, bulk } = self.mix;
        let others = [
            (claim, What::Claim { redeemed }),
            (lock, What::Lock { abandoned }),
            (validate, What::Validate),
            (query, What::Query),
            (bulk, What::Bulk),
        ];
        self.pick(self.weights, &others).unwrap_or_else(|| self.redemption())
    }

    fn redemption(&mut self) -> What {
        let Behaviour { double_submit, rival, time_out, lost_answer, wrong_code, .. } = self.behaviour;
        let troubles = [
            (wrong_code, What::Guess),
            (double_submit, What::Redeem(Trouble::DoubleSubmit)),
            (rival, What::Redeem(Trouble::Rival)),
            (time_out, What::Redeem(Trouble::TimeOut)),
            (lost_answer, What::Redeem(Trouble::LostAnswer)),
        ];
        self.pick(1.0, &troubles).unwrap_or(What::Redeem(Trouble::None))
    }

    /// One of them by its weight of `all`; nothing for what `all` has more.
    fn pick(&mut self, all: f64, of: &[(f64, What)]) -> Option<What> {
        let mut drawn = self.random.random::<f64>() * all;
        of.iter().find_map(|&(weight, what)| {
            drawn -= weight;
            (drawn < 0.0).then_some(what)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planner(more: &str) -> Planner {
        let text = format!("name = \"t\"\n[[schedule]]\nkind = \"constant\"\nseconds = 1\nrate = 1\n{more}");
        Planner::new(&Workload::parse(&text, "t").expect("sound"), 10, 3).expect("a planner")
    }

    fn drawn(planner: &mut Planner, count: usize, at: Duration) -> Vec<Action> {
        (0..count).map(|_| planner.draw(Due { at, warm_up: false })).collect()
    }

    #[test]
    fn shares_are_kept_and_the_seed_repeats_them() {
        let more = "[mix]\nredeem = 6\nclaim = 3\nquery = 1\n[behaviour]\nrival = 0.5\nredeemed_at_once = 1\n[abuse]\nguessing = 0.1\n";
        let all = drawn(&mut planner(more), 10_000, Duration::ZERO);
        let share = |what: What| all.iter().filter(|action| action.what == what).count() as f64 / 10_000.0;
        let near = |is: f64, must: f64| (is - must).abs() < 0.02;
        assert!(near(share(What::Guess), 0.1) && near(share(What::Claim { redeemed: true }), 0.27));
        assert!(near(share(What::Redeem(Trouble::Rival)), 0.27) && near(share(What::Query), 0.09));
        assert_eq!(all, drawn(&mut planner(more), 10_000, Duration::ZERO));
    }

    #[test]
    fn bots_are_there_at_the_release_alone() {
        let mut planner = planner("[abuse]\nrelease_bots = 1.0\n");
        assert!(drawn(&mut planner, 100, Duration::ZERO).iter().all(|action| action.what == What::ReleaseBot));
        assert!(drawn(&mut planner, 100, RELEASE).iter().all(|action| action.what != What::ReleaseBot));
    }

    #[test]
    fn the_first_of_a_zipf_is_the_hottest() {
        let all = drawn(&mut planner("[shop]\nstock_popularity = 1.0\n"), 10_000, Duration::ZERO);
        let of = |stock: usize| all.iter().filter(|action| action.stock == stock).count();
        // The harmonic number of 10 is 2.93.
        assert!((3_200..3_620).contains(&of(0)) && (1_550..1_870).contains(&of(1)), "{} {}", of(0), of(1));
        assert!(all.iter().all(|action| action.stock < 10 && action.store < 3));
    }
}
