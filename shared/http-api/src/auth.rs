//! Who calls: keys, roles and where keys are found.

use std::sync::Arc;

use coupon::id::{MerchantId, StoreId};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};
use crate::quota::Quotas;
use crate::signature::Secret;
use crate::time::format_ms;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Stocks and codes.
    Developer,
    /// Claims, validations, locks, redemptions and reversals; may be bound to stores.
    Operator,
    /// Imports, keys, code export, and all that developers and operators of the merchant may.
    Admin,
    /// Looks at risk, works on cases.
    Analyst,
    /// Approves rules and penalties, and all that analysts may.
    AnalystLead,
    /// Merchants, quotas and keys of any merchant, and the risk views.
    Platform,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Developer, Self::Operator, Self::Admin, Self::Analyst, Self::AnalystLead, Self::Platform];

    /// The name that requests and answers carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::AnalystLead => "analyst_lead",
            Self::Platform => "platform",
        }
    }

    /// Whether a key of this role may do what is open to `needed`.
    pub const fn covers(self, needed: Self) -> bool {
        match needed {
            Self::Developer => matches!(self, Self::Developer | Self::Admin),
            Self::Operator => matches!(self, Self::Operator | Self::Admin),
            Self::Admin => matches!(self, Self::Admin),
            Self::Analyst => matches!(self, Self::Analyst | Self::AnalystLead | Self::Platform),
            Self::AnalystLead => matches!(self, Self::AnalystLead | Self::Platform),
            Self::Platform => matches!(self, Self::Platform),
        }
    }
}

/// A live key with what the gate needs of its merchant.
#[derive(Clone, Debug)]
pub struct Key {
    /// `cfk_test_...` or `cfk_live_...`.
    pub key_id: Arc<str>,
    /// Whose it is; `None` for the platform's own keys and for analysts who see all merchants.
    pub merchant: Option<MerchantId>,
    /// What it may do.
    pub role: Role,
    /// The stores that an operator key is bound to; `None` = all.
    pub store_ids: Option<Arc<[StoreId]>>,
    /// Whether its merchant is a live one.
    pub livemode: bool,
    /// The prepared secret.
    pub secret: Secret,
    /// The sanction that switches the merchant's keys off.
    pub suspended: Option<Suspension>,
    /// When it ends, after a rotation; milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// The merchant's quotas.
    pub quotas: Arc<Quotas>,
}

/// A sanction as callers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// `pen_...`
    pub penalty_id: String,
    /// As the API spells it.
    pub sanction: &'static str,
    /// The first moment after it, milliseconds since 1970; until it is lifted where left out.
    pub ends_at_ms: Option<i64>,
}

impl Suspension {
    /// The refusal of what it bars.
    pub fn problem(&self) -> Problem {
        let ends_at = self.ends_at_ms.map(format_ms);
        let until = ends_at.as_deref().map_or_else(|| "it is lifted".to_owned(), str::to_owned);
        Problem::new(Code::MerchantSuspended, format!("The sanction {} bars this until {until}.", self.sanction))
            .with("penalty_id", &self.penalty_id)
            .with("sanction", self.sanction)
            .with("ends_at", ends_at)
    }
}

/// Where keys are found: a projection of the platform's shard.
pub trait KeyDirectory: Send + Sync {
    /// The key with that id, unless it has been revoked.
    fn find(&self, key_id: &str) -> Option<Arc<Key>>;

    /// The user with that id, unless disabled.
    fn user(&self, _user_id: &str) -> Option<Arc<User>> {
        None
    }
}

/// Somebody who signs in.
#[derive(Clone, Debug)]
pub struct User {
    /// What the user may do: as a key, whose id is the user's. Nothing can be signed with it.
    pub key: Arc<Key>,
    /// Sessions of an earlier one are over.
    pub epoch: u64,
}

/// A fixed set of keys, for tests, tools and the first start.
impl KeyDirectory for Vec<Arc<Key>> {
    fn find(&self, key_id: &str) -> Option<Arc<Key>> {
        self.iter().find(|key| &*key.key_id == key_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: the key's role; columns: what is asked for, in the order of `Role::ALL`.
    #[test]
    fn roles_cover_each_other_as_in_the_contract() {
        let table = [
            (Role::Developer, [true, false, false, false, false, false]),
            (Role::Operator, [false, true, false, false, false, false]),
            (Role::Admin, [true, true, true, false, false, false]),
            (Role::Analyst, [false, false, false, true, false, false]),
            (Role::AnalystLead, [false, false, false, true, true, false]),
            (Role::Platform, [false, false, false, true, true, true]),
        ];
        for (role, row) in table {
            assert_eq!(Role::ALL.map(|needed| role.covers(needed)), row, "{role:?}");
            let json = serde_json::to_value(role).expect("a string");
            assert_eq!(json, role.as_str());
        }
    }
}
