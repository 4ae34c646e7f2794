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
    /// A merchant's labels, by their own numbers.
    Labels,
    /// Its cases.
    Cases,
    /// Those that are not closed.
    OpenCases,
    /// Its snoozes.
    Snoozes,
    /// Its lists of risk.
    RiskLists,
    /// The platform's models.
    Models,
    /// Deeds at it, by their records.
    Audit,
    /// A merchant's penalties.
    Penalties,
    /// Its appeals.
    Appeals,
    /// The platform's: merchants with penalties or appeals.
    Penalised,
    /// The platform's users.
    Users,
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
            (Key::Label(merchant, _), Row::Label(row)) => {
                let known = match before {
                    Some(Row::Label(old)) => old.labels.last().map(|label| label.number),
                    _ => None,
                };
                for label in row.labels.iter().filter(|label| Some(label.number) > known) {
                    self.push(*merchant, List::Labels, label.number);
                }
            }
            (Key::Case(merchant, number), Row::Case(row)) => {
                let is_open = !row.stage.is_closed();
                if let Some(Row::Case(old)) = before {
                    self.keep(*merchant, List::OpenCases, *number, (!old.stage.is_closed(), is_open));
                } else {
                    self.push(*merchant, List::Cases, *number);
                    if is_open {
                        self.push(*merchant, List::OpenCases, *number);
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
            (Key::List(merchant, number), _) => self.push(merchant, List::RiskLists, number),
            (Key::Model(merchant, number), _) => self.push(merchant, List::Models, number),
            (Key::Snooze(merchant, number), _) => self.push(merchant, List::Snoozes, number),
            (Key::User(owner, number), _) => self.push(owner, List::Users, number),
            (Key::Audit(merchant, sequence), _) => self.push(merchant, List::Audit, sequence),
            (Key::Penalty(merchant, number), _) => self.penalised(merchant, List::Penalties, number),
            // What lies under the number of what it is about is no further one.
            (Key::Appeal(merchant, number), Row::Appeal(row)) if row.number == number => {
                self.penalised(merchant, List::Appeals, number);
            }
            _ => {}
        }
    }

    /// Takes note of a row that is gone. Only rehearsals and old deeds are forgotten; what is left of them in the lists of all is passed
    fn penalised(&mut self, merchant: MerchantId, list: List, number: u64) {
        if [List::Penalties, List::Appeals].into_iter().all(|list| self.list(merchant, list).is_empty()) {
            self.push(coupon::id::PLATFORM, List::Penalised, u64::from(merchant.0));
        }
        self.push(merchant, list, number);
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
            (Key::Audit(merchant, sequence), _) => self.keep(merchant, List::Audit, sequence, (true, false)),
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

    /// A number comes onto a list in its place, or goes.
    fn keep(&mut self, merchant: MerchantId, list: List, number: u64, (was_on_it, is_on_it): (bool, bool)) {
        if was_on_it == is_on_it {
            return;
        }
        let numbers = self.lists.get_or_default((merchant, list));
        let place = numbers.partition_point(|other| *other < number);
        if is_on_it {
            numbers.insert(place, number);
        } else if numbers.get(place) == Some(&number) {
            numbers.remove(place);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use coupon::audit::AuditRow;
    use coupon::case::{CaseOutcome, CaseRow, Opening, Stage};

    use super::*;

    const MERCHANT: MerchantId = MerchantId(7);

    fn case(stage: Stage) -> Row {
        Row::Case(Arc::new(CaseRow { stage, ..CaseRow::opened(&Opening::default(), 1, 0) }))
    }

    #[test]
    fn cases_that_are_not_closed_are_listed_in_their_places() {
        let (mut index, open, closed) =
            (Index::default(), case(Stage::Open), case(Stage::Closed(CaseOutcome::Unclear, 9)));
        for number in [1, 2, 3] {
            index.changed(&Key::Case(MERCHANT, number), None, &open);
        }
        index.changed(&Key::Case(MERCHANT, 2), Some(&open), &closed);
        assert_eq!(index.list(MERCHANT, List::OpenCases), [1, 3]);
        index.changed(&Key::Case(MERCHANT, 2), Some(&closed), &open);
        assert_eq!(index.list(MERCHANT, List::OpenCases), [1, 2, 3]);
        index.changed(&Key::Case(MERCHANT, 4), None, &closed);
        assert_eq!((index.list(MERCHANT, List::OpenCases).len(), index.list(MERCHANT, List::Cases).len()), (3, 4));
    }

    #[test]
    fn old_deeds_leave_the_list() {
        let mut index = Index::default();
        let (by, what, object) = ("an".to_owned(), "stock.create".to_owned(), String::new());
        let row = Row::Audit(Arc::new(AuditRow { at: 0, by, what, object, next: 0 }));
        for sequence in [1, 2, 3] {
            index.changed(&Key::Audit(MERCHANT, sequence), None, &row);
        }
        index.removed(&Key::Audit(MERCHANT, 1), &row);
        assert_eq!(index.list(MERCHANT, List::Audit), [2, 3]);
    }
}
