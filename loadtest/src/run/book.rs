//! What the server has answered, kept so that it can be held against what it says afterwards.

use std::collections::{HashMap, HashSet};

/// Examples that a report names of one thing.
const EXAMPLES: usize = 5;

/// Something that must not be, with a few examples.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    pub(super) count: u64,
    pub(super) examples: Vec<String>,
}

/// Who won a code or a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Won {
    pub(super) redemption: Box<str>,
    /// Whether it was the second checkout.
    pub(super) rival: bool,
}

/// A write that may or may not have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// The action's number, for a redemption.
    pub(super) redeems: Option<u64>,
    /// The stock, for a claim.
    pub(super) claims: Option<usize>,
}

/// All of it.
#[derive(Default)]
pub(super) struct Book {
    /// By the action's number: each has a code or coupon of its own.
    won: Vec<Option<Won>>,
    /// Actions that were tried by two checkouts.
    pub(super) contested: Vec<u64>,
    coupons: HashSet<Box<str>>,
    /// Claims that were answered 201, by stock.
    pub(super) claimed: Vec<u64>,
    /// Redemptions by stock: of codes made ahead, and of claims.
    pub(super) redeemed_codes: Vec<u64>,
    pub(super) redeemed_claims: Vec<u64>,
    /// Whether a claim was told that there are none left, by stock.
    pub(super) sold_out: Vec<bool>,
    /// By key.
    pub(super) unknown: HashMap<String, Open>,
    /// Requests whose outcome was unknown for a while.
    pub(super) was_unknown: u64,
    /// Redeemed or claimed more than once, as the answers alone show.
    pub(super) double: Broken,
    /// Answers that contradict the contract.
    pub(super) wrong: Broken,
}

impl Broken {
    pub(super) fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

impl Book {
    pub(super) fn new(stocks: usize) -> Self {
        let (zeros, none) = (vec![0; stocks], vec![false; stocks]);
        let (claimed, redeemed_codes, redeemed_claims) = (zeros.clone(), zeros.clone(), zeros);
        Self { claimed, redeemed_codes, redeemed_claims, sold_out: none, ..Self::default() }
    }

    /// A redemption was answered 201. Gives back whether it is the first to say so.
    pub(super) fn redeemed(&mut self, n: u64, redemption: &str, rival: bool) -> bool {
        let place = n as usize;
        if self.won.len() <= place {
            self.won.resize(place + 1, None);
        }
        match &self.won[place] {
            Some(won) if &*won.redemption == redemption && won.rival == rival => false,
            Some(won) => {
                let first = won.redemption.clone();
                self.double.add(|| format!("the code of request {n} was redeemed as {first} and as {redemption}"));
                false
            }
            None => {
                self.won[place] = Some(Won { redemption: redemption.into(), rival });
                true
            }
        }
    }

    /// A claim was answered 201.
    pub(super) fn claimed(&mut self, stock: usize, coupon: &str) {
        if self.coupons.insert(coupon.into()) {
            self.claimed[stock] += 1;
        } else {
            self.double.add(|| format!("coupon {coupon} was given to two customers"));
        }
    }

    /// Who won an action's code.
    pub(super) fn winner(&self, n: u64) -> Option<&Won> {
        self.won.get(n as usize)?.as_ref()
    }

    /// All that were won, by action.
    pub(super) fn winners(&self) -> impl Iterator<Item = (u64, &Won)> {
        self.won.iter().enumerate().filter_map(|(n, won)| Some((n as u64, won.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_winner() {
        let mut book = Book::new(1);
        assert!(book.redeemed(3, "rdm_1", false) && !book.redeemed(3, "rdm_1", false));
        assert_eq!((book.double.count, book.winners().count()), (0, 1));
        assert!(!book.redeemed(3, "rdm_2", true));
        assert_eq!(book.double.count, 1);
        assert!(book.double.examples[0].contains("rdm_1 and as rdm_2"));
    }

    #[test]
    fn a_coupon_has_one_owner() {
        let mut book = Book::new(2);
        book.claimed(1, "cpn_1");
        book.claimed(1, "cpn_1");
        assert_eq!((book.claimed, book.double.count), (vec![0, 1], 1));
    }
}
