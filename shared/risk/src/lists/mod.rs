//! Lists of risk: whom and what a merchant or an analyst allows, blocks or watches, and which of them a request meets.
//!
//! A list has a number and holds items of one type. What a match means, and in which order lists count, is for the
//! rules: here is only said which lists match.

mod feed;
mod item;
mod matcher;
mod networks;
mod problem;

use serde::{Deserialize, Serialize};

pub use feed::{Entry, parse_feed, parse_rows};
pub use item::{Item, MOST_CHARACTERS};
pub use matcher::{Lists, NEVER, Request};
pub use problem::{ItemProblem, code};

/// What the items of a list are. The order stands in what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemType {
    /// Users by id; `abc*` is all that begin so.
    User,
    /// Devices by id, likewise.
    Device,
    /// Single addresses; one of IPv6 stands for its /64, which is what one subscriber is given.
    Ip,
    /// Networks, `192.0.2.0/24`.
    Cidr,
    /// Domains of e-mail addresses, with all below them.
    EmailDomain,
    /// Stores by id, as users.
    Store,
    /// Cashiers by id, as users.
    Cashier,
}

impl ItemType {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::User, Self::Device, Self::Ip, Self::Cidr, Self::EmailDomain, Self::Store, Self::Cashier];

    /// As it is spelt in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::Ip => "ip",
            Self::Cidr => "cidr",
            Self::EmailDomain => "email_domain",
            Self::Store => "store",
            Self::Cashier => "cashier",
        }
    }
}

/// What a list is for. The order stands in what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What matches is let through.
    Allow,
    /// What matches is refused.
    Block,
    /// What matches is noted, for rules and people to look at.
    Watch,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Block, Self::Watch];

    /// As it is spelt in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Watch => "watch",
        }
    }
}

#[cfg(test)]
mod tests;
