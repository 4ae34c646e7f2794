//! Pages over the lists that only grow.

use coupon::terms::Millis;
use http_api::page::{Cursor, List, Page};

/// A list's places and numbers, newest first, after the cursor's place. Lists only grow, so a place stays what it is.
pub fn newest(numbers: &[u64], after: Option<u64>) -> impl Iterator<Item = (u64, u64)> {
    let end = after.map_or(numbers.len(), |after| usize::try_from(after).unwrap_or(usize::MAX).min(numbers.len()));
    numbers[..end].iter().enumerate().rev().map(|(place, number)| (place as u64, *number))
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
