//! Lists: newest first, in pages with opaque cursors.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use crate::body::{Node, decode_query, parse_fields};
use crate::idempotency::Answer;
use crate::problem::{Code, Problem, Result};
use crate::time::Timestamp;

/// The rows of a page unless the caller asks otherwise.
pub const DEFAULT_LIMIT: u16 = 50;

/// The most rows of a page.
pub const MAX_LIMIT: u16 = 200;

const NAMES: [&str; 4] = ["cursor", "from", "limit", "until"];

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows, 1 to 200.
    pub limit: usize,
    /// After this row.
    pub cursor: Option<Cursor>,
    /// Not before this time; milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Before this time; milliseconds since 1970.
    pub until_ms: Option<i64>,
}

/// A place in a list, opaque to callers. It is checked against typing errors, not signed: what it may show is decided
/// by who asks, every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// A list without filters of its own.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    limit: Option<u16>,
    cursor: Option<Cursor>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: usize::from(DEFAULT_LIMIT), cursor: None, from_ms: None, until_ms: None }
    }
}

impl Page {
    /// Reads a query of page parameters and those of `F`, which denies unknown fields.
    pub fn parse<F: DeserializeOwned>(query: Option<&str>) -> Result<(F, Self)> {
        let (page, filter): (Vec<(Cow<'_, str>, Node<'_>)>, Vec<_>) =
            decode_query(query)?.into_iter().partition(|(name, _)| NAMES.contains(&&**name));
        let Fields { limit, cursor, from, until } = parse_fields(page)?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let detail = format!("/query/limit must be 1 to {MAX_LIMIT}.");
            return Err(Problem::new(Code::InvalidField, detail).pointer("/query/limit"));
        }
        let (from_ms, until_ms) = (from.map(|time| time.0), until.map(|time| time.0));
        if from_ms.zip(until_ms).is_some_and(|(from, until)| from >= until) {
            return Err(Problem::new(Code::InvalidField, "/query/until must be after from.").pointer("/query/until"));
        }
        Ok((parse_fields(filter)?, Self { limit: usize::from(limit), cursor, from_ms, until_ms }))
    }

    /// The cursor as the number that [`Cursor::number`] made; a cursor of another list is refused.
    pub fn after(&self) -> Result<Option<u64>> {
        self.cursor.as_ref().map(|cursor| cursor.to_number().ok_or_else(foreign_cursor)).transpose()
    }
}

impl Cursor {
    /// A cursor of any bytes.
    pub fn new(place: impl Into<Vec<u8>>) -> Self {
        Self(place.into())
    }

    /// A cursor of a number.
    pub fn number(place: u64) -> Self {
        Self(place.to_be_bytes().to_vec())
    }

    /// The bytes it was made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number it was made of.
    pub fn to_number(&self) -> Option<u64> {
        self.0.as_slice().try_into().ok().map(u64::from_be_bytes)
    }

    /// The text for callers.
    pub fn encode(&self) -> String {
        let mut bytes = self.0.clone();
        bytes.extend(check_bytes(&self.0));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads such a text.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > 512 {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let place = bytes.len().checked_sub(3)?;
        let check = bytes.split_off(place);
        (check == check_bytes(&bytes)).then_some(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::decode(&text).ok_or_else(|| D::Error::custom("must be a next_cursor of this list"))
    }
}

/// What callers get of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct List<T> {
    /// The rows.
    pub data: Vec<T>,
    /// What to send as `cursor` for the rows after these; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// Makes a page of up to `limit + 1` rows: the one too many only proves that more follow.
    pub fn page(mut rows: Vec<T>, page: &Page, place: impl FnOnce(&T) -> Cursor) -> Self {
        let more = rows.len() > page.limit;
        rows.truncate(page.limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| place(row).encode());
        Self { data: rows, next_cursor }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        Answer::json(StatusCode::OK, &self).into_response()
    }
}

fn foreign_cursor() -> Problem {
    Problem::new(Code::InvalidField, "/query/cursor must be a next_cursor of this list.").pointer("/query/cursor")
}

fn check_bytes(place: &[u8]) -> [u8; 3] {
    let digest = Sha256::new_with_prefix(b"counterfoil cursor").chain_update(place).finalize();
    [digest[0], digest[1], digest[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        order_id: Option<String>,
    }

    #[test]
    fn page_and_filter_are_read_from_one_query() {
        let cursor = Cursor::number(8431);
        let query = format!("order_id=7&limit=200&cursor={}&from=2026-11-11T00:00:00%2B08:00", cursor.encode());
        let (filter, page) = Page::parse::<Filter>(Some(&query)).expect("sound");
        assert_eq!(filter.order_id.as_deref(), Some("7"));
        assert_eq!((page.limit, page.after(), page.from_ms), (200, Ok(Some(8431)), Some(1_794_326_400_000)));
        let (_, page) = Page::parse::<NoFilter>(None).expect("nothing is needed");
        assert_eq!(page, Page::default());
        assert_eq!(Page { cursor: Some(Cursor::new(*b"abc")), ..page }.after(), Err(foreign_cursor()));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (query, code, pointer) in [
            ("limit=0", Code::InvalidField, "/query/limit"),
            ("limit=201", Code::InvalidField, "/query/limit"),
            ("limit=x", Code::InvalidField, "/query/limit"),
            ("limit=99999999", Code::InvalidField, "/query/limit"),
            ("cursor=AAAA", Code::InvalidField, "/query/cursor"),
            ("cursor=!", Code::InvalidField, "/query/cursor"),
            ("from=yesterday", Code::InvalidField, "/query/from"),
            ("from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", Code::InvalidField, "/query/until"),
            ("offset=5", Code::UnknownField, "/query/offset"),
            ("limit=1&limit=2", Code::InvalidField, "/query/limit"),
        ] {
            let problem = Page::parse::<Filter>(Some(query)).expect_err(query);
            assert_eq!((problem.code, problem.pointer.as_deref()), (code, Some(pointer)), "{query}");
        }
    }

    #[test]
    fn a_list_ends_without_a_cursor() {
        let page = Page { limit: 2, ..Page::default() };
        let list = List::page(vec![3_u64, 2, 1], &page, |&row| Cursor::number(row));
        assert_eq!(list.data, [3, 2]);
        let cursor = Cursor::decode(list.next_cursor.as_deref().expect("more follow")).expect("ours");
        assert_eq!(cursor.to_number(), Some(2));
        assert_eq!(List::page(vec![2_u64, 1], &page, |&row| Cursor::number(row)).next_cursor, None);
    }
}
