//! Lists over the merchants that a caller sees, newest first: those of each merchant are in the order of its records,
//! and are merged by the records' times.

use std::collections::BinaryHeap;

use coupon::id::{MerchantId, PLATFORM};
use coupon::label;
use coupon::terms::Millis;
use http_api::call::Call;
use http_api::page::{Cursor, List, Page};
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use projection::ledger::Ledger;

/// Rows that are looked at for one page; then the caller gets what there is, and a cursor to go on.
const LOOK_AT: usize = 20_000;

/// A place in the lists: when, whose, and the number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The record's time.
    pub(super) at: Millis,
    /// Whose.
    pub(super) merchant: MerchantId,
    /// The number on the list.
    pub(super) number: u64,
}

impl Place {
    /// Before everything.
    pub(super) const NEWEST: Self = Self { at: Millis::MAX, merchant: MerchantId(u32::MAX), number: u64::MAX };

    /// As a cursor.
    pub(super) fn cursor(self) -> Cursor {
        let (at, merchant, number) = (self.at.to_be_bytes(), self.merchant.0.to_be_bytes(), self.number.to_be_bytes());
        Cursor::new([&at[..], &merchant, &number].concat())
    }

    /// The place of a page's cursor.
    pub(super) fn after(page: &Page) -> Result<Option<Self>, Problem> {
        page.cursor.as_ref().map(|cursor| Self::read(cursor.as_bytes()).ok_or_else(foreign)).transpose()
    }

    /// The place in a cursor's bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (merchant, rest) = rest.split_first_chunk::<4>()?;
        let number = rest.try_into().ok()?;
        Some(Self {
            at: Millis::from_be_bytes(*at),
            merchant: MerchantId(u32::from_be_bytes(*merchant)),
            number: u64::from_be_bytes(number),
        })
    }
}

/// What stands against a cursor of another list.
pub(super) fn foreign() -> Problem {
    Problem::new(Code::InvalidField, "/query/cursor must be a next_cursor of this list.").pointer("/query/cursor")
}

/// The one merchant that is asked about, or all that the caller sees (`None`).
pub(super) fn seen(call: &Call, named: Option<&str>) -> Result<Option<MerchantId>, Problem> {
    match named {
        Some(_) => super::whose(call, named).map(Some),
        None => Ok(call.scope()),
    }
}

/// The merchants that are meant: one, or all of them.
pub(super) fn merchants(ledger: &Ledger, one: Option<MerchantId>) -> Vec<MerchantId> {
    let all =
        || ledger.index.list(PLATFORM, Index::Merchants).iter().map(|number| MerchantId(*number as u32)).collect();
    one.map_or_else(all, |one| vec![one])
}

/// The places on the merchants' lists, newest first, after a place.
pub(super) fn newest<'a>(
    ledger: &'a Ledger,
    merchants: &[MerchantId],
    list: Index,
    after: Option<Place>,
) -> impl Iterator<Item = Place> + 'a {
    let place = move |merchant: MerchantId, number: u64| {
        let sequence = if list == Index::Labels { label::record_of(number) } else { number };
        let at = ledger.of(merchant).positions().get(sequence).map_or(0, |(_, at)| at);
        Place { at, merchant, number }
    };
    let mut heads = BinaryHeap::new();
    for merchant in merchants {
        let numbers = ledger.index.list(*merchant, list);
        let end = after.map_or(numbers.len(), |after| numbers.partition_point(|n| place(*merchant, *n) < after));
        if let Some((last, rest)) = numbers[..end].split_last() {
            heads.push((place(*merchant, *last), rest));
        }
    }
    std::iter::from_fn(move || {
        let (newest, rest) = heads.pop()?;
        if let Some((last, rest)) = rest.split_last() {
            heads.push((place(newest.merchant, *last), rest));
        }
        Some(newest)
    })
}

/// A page of what `row` makes of the places.
pub(super) fn page<T>(
    places: impl Iterator<Item = Place>,
    asked: &Page,
    mut row: impl FnMut(Place) -> Option<T>,
) -> List<T> {
    let mut rows = Vec::new();
    let mut last = None;
    for (looked_at, place) in places.enumerate() {
        if rows.len() == asked.limit || looked_at == LOOK_AT {
            return List { data: rows, next_cursor: last.map(|place: Place| place.cursor().encode()) };
        }
        if asked.from_ms.is_some_and(|from| place.at < from) {
            break;
        }
        if asked.until_ms.is_none_or(|until| place.at < until) {
            rows.extend(row(place));
        }
        last = Some(place);
    }
    List { data: rows, next_cursor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_cursor() {
        let place = Place { at: 1_773_115_200_000, merchant: MerchantId(7), number: u64::MAX };
        assert_eq!(Place::read(place.cursor().as_bytes()), Some(place));
        assert_eq!(Place::read(Cursor::number(7).as_bytes()), None, "another list's");
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_goes_on_behind_it() {
        let all: Vec<Place> =
            (0..5).rev().map(|n| Place { at: n, merchant: MerchantId(1), number: n as u64 }).collect();
        let asked = Page { limit: 2, cursor: None, from_ms: Some(1), until_ms: Some(4) };
        let first = page(all.iter().copied(), &asked, |place| Some(place.number));
        let cursor = first.next_cursor.as_deref().and_then(Cursor::decode).expect("more");
        let after = Place::read(cursor.as_bytes()).expect("a place");
        let rest = all.iter().copied().filter(|place| *place < after);
        let second = page(rest, &asked, |place| Some(place.number));
        assert_eq!((first.data, second.data, second.next_cursor), (vec![3, 2], vec![1], None));
    }

    #[test]
    fn a_page_that_finds_nothing_says_where_it_stopped() {
        let all = (0..=LOOK_AT as u64).rev().map(|n| Place { at: n as i64, merchant: MerchantId(1), number: n });
        let found = page(all, &Page::default(), |_| None::<u64>);
        assert!(found.data.is_empty() && found.next_cursor.is_some());
    }
}
