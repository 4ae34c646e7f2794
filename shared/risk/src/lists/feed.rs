//! Many items at once, as feeds and tables bring them.

use super::problem::ItemProblem;
use super::{Item, ItemType};

/// The items of a feed, one on each line, and what is wrong on which line, counted from 1. Lines end with a line feed,
/// with or without a carriage return; blank lines do not count, nor does what follows a `#` at the start of a line or
/// after a blank; nor a byte-order mark before the first.
pub fn parse_feed(text: &str, item_type: ItemType) -> (Vec<Item>, Vec<(usize, ItemProblem)>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let value = without_comment(line).trim();
        if value.is_empty() {
            continue;
        }
        match Item::parse(item_type, value) {
            Ok(item) => items.push(item),
            Err(problem) => problems.push((number, problem)),
        }
    }
    (items, problems)
}

/// Ids may have a `#` inside, so that only one after a blank begins a comment.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

/// An item with why it is on its list, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What.
    pub item: Item,
    /// Why.
    pub reason: String,
    /// Until when, milliseconds since 1970; for good where there is none.
    pub expires_at_ms: Option<i64>,
}

/// The entries of rows `(value, reason, expires_at_ms)` of a table that the caller took apart, and what is wrong in which
/// row, counted from 1.
pub fn parse_rows<'a>(
    rows: impl IntoIterator<Item = (&'a str, &'a str, Option<i64>)>,
    item_type: ItemType,
) -> (Vec<Entry>, Vec<(usize, ItemProblem)>) {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (number, (value, reason, expires_at_ms)) in (1..).zip(rows) {
        match Item::parse(item_type, value) {
            Ok(item) => entries.push(Entry { item, reason: reason.trim().to_owned(), expires_at_ms }),
            Err(problem) => problems.push((number, problem)),
        }
    }
    (entries, problems)
}
