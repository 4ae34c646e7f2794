//! Pages over the lists that only grow.

use coupon::id::MerchantId;
use coupon::terms::Millis;
use http_api::call::Call;
use http_api::page::{Cursor, List, Page};
use http_api::problem::{Code, Problem};

use crate::backend::Backend;

/// The merchant whose lists a caller reads: its own, or the one that it names where it sees all.
pub fn read_of(backend: &Backend, call: &Call, named: Option<&str>) -> Result<MerchantId, Problem> {
    let missing = || Problem::of(Code::MerchantNotFound).pointer("/query/merchant_id");
    let Some(named) = named else {
        return call.scope().ok_or_else(|| {
            let detail = "merchant_id is required: the key belongs to no merchant.";
            Problem::new(Code::MissingField, detail).pointer("/query/merchant_id")
        });
    };
    let id: MerchantId = named.parse().map_err(|_| missing())?;
    if call.sees(id) && backend.directory.merchant(id).is_some() { Ok(id) } else { Err(missing()) }
}

/// A list's places and numbers, newest first, after the cursor's place. Lists only grow, so a place stays what it is.
pub fn newest(numbers: &[u64], after: Option<u64>) -> impl Iterator<Item = (u64, u64)> {
    let end = after.map_or(numbers.len(), |after| usize::try_from(after).unwrap_or(usize::MAX).min(numbers.len()));
    numbers[..end].iter().enumerate().rev().map(|(place, number)| (place as u64, *number))
}

/// Rows that are looked at in one go, while everybody else waits.
const LOOK_AT: usize = 20_000;
/// Goes for one page; then the caller gets what there is, and a cursor to go on.
pub const LOOKS: usize = 50;

/// What looking at a list found: rows with their places, and where the next look has to go on if this one stopped
/// before the page was full.
pub struct Scan<T> {
    /// Of which there may be one too many.
    pub rows: Vec<(u64, T)>,
    /// After which place there is more to look at.
    pub stopped_at: Option<u64>,
}

/// Looks at a list's numbers, newest first, until a page is full or enough were looked at.
pub fn scan<T>(numbers: &[u64], after: Option<u64>, limit: usize, mut row: impl FnMut(u64) -> Option<T>) -> Scan<T> {
    let mut scan = Scan { rows: Vec::new(), stopped_at: None };
    for (looked_at, (place, number)) in newest(numbers, after).enumerate() {
        scan.rows.extend(row(number).map(|row| (place, row)));
        if scan.rows.len() > limit {
            break;
        }
        if looked_at + 1 == LOOK_AT && place > 0 {
            scan.stopped_at = Some(place);
            break;
        }
    }
    scan
}

impl<T> Scan<T> {
    /// Goes on with what the next look found.
    pub fn append(&mut self, next: Self) {
        self.rows.extend(next.rows);
        self.stopped_at = next.stopped_at;
    }

    /// The page; a cursor even where nothing was found yet, if there is more to look at.
    pub fn page(self, asked: &Page) -> List<T> {
        let stopped_at = self.stopped_at;
        let mut list = page(self.rows, asked);
        list.next_cursor = list.next_cursor.or(stopped_at.map(|place| Cursor::number(place).encode()));
        list
    }
}

/// Whether a row's time is asked for.
pub fn in_time(page: &Page, at: Millis) -> bool {
    page.from_ms.is_none_or(|from| at >= from) && page.until_ms.is_none_or(|until| at < until)
}

/// A page of rows with their places, of which there may be one too many.
pub fn page<T>(rows: Vec<(u64, T)>, page: &Page) -> List<T> {
    let more = rows.len() > page.limit;
    let last = rows.get(page.limit.saturating_sub(1)).map(|(place, _)| *place);
    let next_cursor = last.filter(|_| more).map(|place| Cursor::number(place).encode());
    List { data: rows.into_iter().take(page.limit).map(|(_, row)| row).collect(), next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_stops_says_where_to_go_on() {
        let numbers: Vec<u64> = (0..50_000).collect();
        let asked = Page { limit: 2, cursor: None, from_ms: None, until_ms: None };
        let (mut after, mut found, mut looks) = (None, Vec::new(), 0);
        loop {
            let list = scan(&numbers, after, asked.limit, |n| [7, 8, 9].contains(&n).then_some(n)).page(&asked);
            found.extend(list.data);
            looks += 1;
            let Some(cursor) = list.next_cursor else { break };
            after = Cursor::decode(&cursor).and_then(|cursor| cursor.to_number());
        }
        assert_eq!((found, looks), (vec![9, 8, 7], 4));
    }
}
