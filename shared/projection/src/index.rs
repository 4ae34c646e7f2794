//! Lists of what belongs together, for queries: kept in memory beside the rows, made anew from them.

use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use coupon::state::{Key, Row};
use linear_hashing::LinearHashMap;
use smallvec::SmallVec;

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// All merchants.
    Merchants,
    /// A merchant's stores.
    Stores,
    /// Its stocks.
    Stocks,
    /// A stock's batches.
    Batches(u64),
    /// Its coupons that have an owner.
    Coupons,
    /// A user's.
    CouponsOfUser(Pseudonym),
    /// A stock's.
    CouponsOfStock(u64),
    /// Its redemptions.
    Redemptions,
    /// A user's.
    RedemptionsOfUser(Pseudonym),
    /// A store's.
    RedemptionsOfStore(u64),
    /// A stock's.
    RedemptionsOfStock(u64),
    /// Its locks.
    Locks,
    /// Its operations.
    Operations,
    /// Twins of its stocks, under its rehearsals.
    Rehearsals,
    /// Its load tests.
    LoadTests,
    /// The platform's rule sets.
    RuleSets,
}

/// All lists; each holds numbers in the order in which they came.
#[derive(Debug, Default)]
pub struct Index {
    /// Most users have one coupon or two.
    lists: LinearHashMap<(MerchantId, List), SmallVec<[u64; 2]>>,
    keys: LinearHashMap<MerchantId, Vec<[u8; 16]>>,
}

impl Index {
    /// The numbers of a list, oldest first.
    pub fn list(&self, merchant: MerchantId, list: List) -> &[u64] {
        self.lists.get(&(merchant, list)).map_or(&[], SmallVec::as_slice)
    }

    /// The hashes of a merchant's key ids, oldest first; those without a merchant under the platform.
    pub fn keys(&self, merchant: MerchantId) -> &[[u8; 16]] {
        self.keys.get(&merchant).map_or(&[], Vec::as_slice)
    }

    /// Takes note of a changed row.
    pub fn changed(&mut self, key: &Key, before: Option<&Row>, row: &Row) {
        match (key, row) {
            (Key::Coupon(merchant, number), Row::Coupon(coupon)) => {
                let known = matches!(before, Some(Row::Coupon(old)) if old.user.is_some());
                if let (Some(user), false) = (coupon.user, known) {
                    self.push(*merchant, List::Coupons, *number);
                    self.push(*merchant, List::CouponsOfUser(user), *number);
                    self.push(*merchant, List::CouponsOfStock(coupon.stock), *number);
                }
            }
            (Key::Redemption(merchant, number), Row::Redemption(row)) if before.is_none() => {
                self.push(*merchant, List::Redemptions, *number);
                for (i, user) in row.users().enumerate() {
                    if !row.users().take(i).any(|other| other == user) {
                        self.push(*merchant, List::RedemptionsOfUser(user), *number);
                    }
                }
                if let Some(store) = row.store {
                    self.push(*merchant, List::RedemptionsOfStore(store), *number);
                }
                for (i, part) in row.parts.iter().enumerate() {
                    if !row.parts[..i].iter().any(|other| other.stock == part.stock) {
                        self.push(*merchant, List::RedemptionsOfStock(part.stock), *number);
                    }
                }
            }
            (_, row) if before.is_none() => self.created(key, row),
            _ => {}
        }
    }

    fn created(&mut self, key: &Key, row: &Row) {
        match (*key, row) {
            (Key::Merchant(owner, of), Row::Merchant(_)) if owner == coupon::id::PLATFORM => {
                self.push(owner, List::Merchants, u64::from(of.0));
            }
            (Key::ApiKey(owner, hash), Row::ApiKey(key)) => {
                self.keys.get_or_default(key.key.merchant.unwrap_or(owner)).push(hash);
            }
            (Key::Store(merchant, number), _) => self.push(merchant, List::Stores, number),
            (Key::Stock(merchant, number), _) => self.push(merchant, List::Stocks, number),
            (Key::Batch(merchant, number), Row::Batch(batch)) => {
                self.push(merchant, List::Batches(batch.stock), number);
            }
            (Key::Lock(merchant, number), _) => self.push(merchant, List::Locks, number),
            (Key::Operation(merchant, number), _) => self.push(merchant, List::Operations, number),
            (Key::Rehearsal(merchant, number), _) => self.push(merchant, List::Rehearsals, number),
            (Key::LoadTest(merchant, number), _) => self.push(merchant, List::LoadTests, number),
            (Key::RuleSet(owner, number), _) => self.push(owner, List::RuleSets, number),
            _ => {}
        }
    }

    /// Takes note of a row that is gone. Only rehearsals are forgotten; what is left of them in the lists of all is passed
    /// over by who reads them, and goes with the merchant's last rehearsal.
    pub fn removed(&mut self, key: &Key, before: &Row) {
        match (*key, before) {
            (Key::Coupon(merchant, _), Row::Coupon(coupon)) => {
                if let Some(user) = coupon.user {
                    self.lists.remove(&(merchant, List::CouponsOfUser(user)));
                }
            }
            (Key::Redemption(merchant, _), Row::Redemption(row)) => {
                for user in row.users() {
                    self.lists.remove(&(merchant, List::RedemptionsOfUser(user)));
                }
            }
            (Key::Rehearsal(merchant, stock), _) => self.rehearsal_removed(merchant, stock),
            _ => {}
        }
    }

    fn rehearsal_removed(&mut self, merchant: MerchantId, stock: u64) {
        for list in [List::Batches(stock), List::CouponsOfStock(stock), List::RedemptionsOfStock(stock)] {
            self.lists.remove(&(merchant, list));
        }
        let left: SmallVec<_> = self.list(merchant, List::Rehearsals).iter().copied().filter(|n| *n != stock).collect();
        if !left.is_empty() {
            self.lists.insert((merchant, List::Rehearsals), left);
            return;
        }
        for list in [List::Rehearsals, List::Stocks, List::Coupons, List::Redemptions, List::Locks, List::Operations] {
            self.lists.remove(&(merchant, list));
        }
    }

    fn push(&mut self, merchant: MerchantId, list: List, number: u64) {
        self.lists.get_or_default((merchant, list)).push(number);
    }

    /// Puts lists that were filled in no order into the order of their numbers, which is the order of the records
    /// that made them.
    pub fn sort(&mut self) {
        for list in self.lists.values_mut() {
            list.sort_unstable();
        }
        for keys in self.keys.values_mut() {
            keys.sort_unstable();
        }
    }
}
