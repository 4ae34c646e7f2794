//! Lists of risk: whom and what somebody allows, blocks or watches. Of a merchant, or the platform's for all merchants.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::terms::Millis;

/// How many items one record may add.
pub const ITEMS_PER_RECORD: usize = 1_000;

/// A step of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStepped {
    /// Which list; one that is made has its record's sequence as its number.
    pub list: u64,
    /// By which key.
    pub by: String,
    /// What.
    pub step: ListStep,
}

/// What is done with a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListStep {
    /// It is made.
    Make(ListProfile),
    /// Items are added; one that was there is replaced.
    Add(Vec<ItemAdded>),
    /// An item is taken off; why.
    Remove([u8; 16], String),
}

/// What a list is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProfile {
    /// As analysts and rules call it.
    pub name: String,
    /// What becomes of what it matches.
    pub mode: ListMode,
    /// What it holds.
    pub item_type: ItemKind,
}

/// What becomes of what a list matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ListMode {
    /// It is let through, whatever rules say.
    Allow,
    /// It is refused.
    Block,
    /// It is looked at.
    Watch,
}

impl ListMode {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Watch => "watch",
        }
    }
}

/// What the items of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ItemKind {
    /// Users.
    User,
    /// Devices.
    Device,
    /// Single addresses.
    Ip,
    /// Networks.
    Cidr,
    /// Domains of e-mail addresses.
    EmailDomain,
    /// Stores.
    Store,
    /// Cashiers.
    Cashier,
}

impl ItemKind {
    /// As the API spells it.
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

    /// Whether somebody stands behind it, so that it is kept encrypted.
    pub fn is_person(self) -> bool {
        matches!(self, Self::User | Self::Device | Self::Ip | Self::Cashier)
    }
}

/// An item, as it is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemAdded {
    /// What stands for its value.
    pub item: [u8; 16],
    /// What it is.
    pub kind: ItemKind,
    /// What is matched.
    pub value: ItemValue,
    /// Why.
    pub reason: String,
    /// Not matched from here on.
    pub expires_at: Option<Millis>,
}

/// What is matched: networks and domains in clear, whoever a person stands behind encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemValue {
    /// As it is.
    Clear(String),
    /// Encrypted under what stands for it.
    Sealed(Vec<u8>),
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// The last change.
    pub version: Sequence,
    /// What it is.
    pub profile: ListProfile,
    /// By which key it was made.
    pub by: String,
    /// When.
    pub created_at: Millis,
    /// Items that are on it, those that are over too.
    pub items: u64,
}

/// An item of a list. One that was taken off keeps its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// What it is.
    pub added: ItemAdded,
    /// By which key it was added.
    pub by: String,
    /// When.
    pub added_at: Millis,
    /// Taken off: when, by which key, why.
    pub removed: Option<(Millis, String, String)>,
}
