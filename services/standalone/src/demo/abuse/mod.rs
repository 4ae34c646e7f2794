//! Abusers: episodes that come and go, each of one kind, so that every kind of rule has something to catch.

mod claims;
mod codes;
mod tills;

use std::time::Duration;

use super::catalogue::MERCHANTS;
use super::stage::{At, Came, Person, Stage};

/// What an abuser is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One phone, many accounts.
    DeviceFarm,
    /// Coupons claimed by one and used by another at once.
    Resale,
    /// Codes that are tried one after the other.
    Guessing,
    /// Fifty phones of one network, many accounts on each.
    NetFarm,
    /// A cashier who rings up the coupons of a few friends.
    Collusion,
    /// One account in two cities.
    Travel,
    /// A cashier whose orders come to just what the coupon asks for.
    Threshold,
    /// Rooted phones and throw-away addresses that lists know.
    Listed,
    /// A script that waits for the release of a hot stock; it comes with the release.
    ReleaseBot,
}

impl Kind {
    /// In the order in which they come.
    pub(super) const ALL: [Self; 8] = [
        Self::DeviceFarm,
        Self::Listed,
        Self::Collusion,
        Self::Guessing,
        Self::NetFarm,
        Self::Resale,
        Self::Threshold,
        Self::Travel,
    ];

    /// Plays one episode; the number makes its people others than those of the last.
    pub(super) async fn play(self, stage: &Stage, number: u64) {
        match self {
            Self::DeviceFarm => claims::device_farm(stage, number).await,
            Self::NetFarm => claims::net_farm(stage, number).await,
            Self::Listed => claims::listed(stage, number).await,
            Self::Guessing => codes::guessing(stage, number).await,
            Self::Resale => codes::resale(stage, number).await,
            Self::Travel => codes::travel(stage, number).await,
            Self::Collusion => tills::collusion(stage, number).await,
            Self::Threshold => tills::threshold(stage, number).await,
            Self::ReleaseBot => claims::release_bot(stage, number).await,
        }
    }
}

/// An abuser of an episode.
fn abuser(stage: &Stage, what: &str, n: u64, ip: &str) -> Person {
    let run = stage.run % 100_000_000;
    Person { user: format!("{what}-{run}-user-{n}"), device: format!("{what}-{run}-phone-{n}"), ip: ip.to_owned() }
}

/// An address of the shared space (RFC 6598) in a network of an episode's own.
fn address(stage: &Stage, (kind, number): (Kind, u64), host: u64) -> String {
    let net = super::crowd::scattered(stage.run ^ ((number * 16 + kind as u64) << 40)) % 16_384;
    format!("100.{}.{}.{}", 64 + net / 256, net % 256, host % 254 + 1)
}

/// Where the episode takes place: each time elsewhere. The merchant that was penalised has no visitors.
fn place(number: u64) -> At {
    let shop = (number % (MERCHANTS.len() as u64 - 1)) as usize;
    let stocks = MERCHANTS[shop].stocks;
    let stock = stocks.iter().position(|stock| stock.weight > 0).unwrap_or_default();
    At { shop, stock }
}

/// All stocks of a merchant that shoppers take.
fn stocks(shop: usize) -> Vec<At> {
    let taken = MERCHANTS[shop].stocks.iter().enumerate().filter(|(_, stock)| stock.weight > 0);
    taken.map(|(stock, _)| At { shop, stock }).collect()
}

/// Pauses of a person: never twice the same.
async fn pause(base_ms: u64, number: u64) {
    let uneven = super::crowd::scattered(number) % base_ms;
    tokio::time::sleep(Duration::from_millis(base_ms / 2 + uneven)).await;
}

/// Gives up once it was stopped so often.
struct Patience {
    left: u32,
}

impl Patience {
    fn of(left: u32) -> Self {
        Self { left }
    }

    /// Whether it goes on after this.
    fn goes_on(&mut self, came: &Came, bothers: impl Fn(&Came) -> bool) -> bool {
        self.left -= u32::from(bothers(came));
        self.left > 0
    }
}
