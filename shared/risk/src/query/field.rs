//! What can be asked of an event.

use serde::Serialize;

/// Of which type a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// One of a few words.
    Word,
    /// An id or a name.
    Text,
    /// A number, which can be compared.
    Number,
    /// `yes` or `no`.
    YesNo,
}

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident [$($value:literal),*] $about:literal;)*) => {
        /// What of an event is looked at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $(#[doc = $about] $variant,)*
        }

        impl Field {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As queries spell it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Of which type it is.
            pub fn kind(self) -> FieldType {
                match self {
                    $(Self::$variant => FieldType::$kind,)*
                }
            }

            /// What it can be, where that are a few words.
            pub fn values(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$($value),*],)*
                }
            }

            /// What it is, in one sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => $about,)*
                }
            }
        }
    };
}

fields! {
    Kind "kind" Word ["claim", "redemption", "lock", "decision", "refusal"]
        "What was tried; `refusal` is whatever was refused, and `decision` what was only asked about.";
    Action "action" Word ["allow", "review", "challenge", "block"] "What risk said.";
    Rule "rule" Text [] "The name of a rule that hit.";
    Code "code" Word ["risk_blocked", "challenge_required", "risk_review", "limited", "coupon_not_found"]
        "For what it was refused; `limited` is a device or an address that tried too often.";
    Stock "stock" Text [] "The stock that was claimed from, `stk_...`.";
    Store "store" Text [] "The store, `sto_...`.";
    Merchant "merchant" Text [] "The merchant, `mer_...`.";
    Device "device" Text [] "The device, by the caller's id of it.";
    User "user" Text [] "The user, by the caller's id.";
    Ip "ip" Text [] "The address, or a network such as 203.0.113.0/24.";
    Cashier "cashier" Text [] "The cashier, by the caller's id.";
    Label "label" Word ["fraud", "honest", "none"] "What somebody came to about it, by the newest 50,000 labels.";
    Score "score" Number [] "Points, 0 to 1000.";
    Amount "amount" Number [] "The order's amount, minor units; claims have none.";
    Degraded "degraded" YesNo ["yes", "no"] "Decided without what is needed.";
}

impl Field {
    /// The field with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// The field whose name is nearest to what somebody wrote, if it is near.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        let distance = |field: &Self| distance(name, field.name());
        let nearest = Self::ALL.iter().copied().min_by_key(distance)?;
        (distance(&nearest) <= 2).then_some(nearest)
    }
}

/// How many letters have to be put in, left out or changed (Levenshtein, "Binary codes capable of correcting deletions,
/// insertions and reversals", 1966).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(40).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
