//! Lists of penalties and appeals, newest first: of one merchant, or of all that have any.

use std::cmp::Reverse;

use coupon::id::{MerchantId, PLATFORM};
use coupon::terms::Millis;
use coupon_api::listing::in_time;
use http_api::call::Call;
use http_api::page::{Cursor, List, Page};
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use projection::ledger::Ledger;

use super::RiskApi;

/// When a row was made, its merchant and its number there: no two are equal.
type Place = (Millis, MerchantId, u64);

/// A row with its place.
pub(super) struct Found<R> {
    /// Whose.
    pub(super) merchant: MerchantId,
    /// Its number there.
    pub(super) number: u64,
    /// The row.
    pub(super) row: R,
}

/// Whose rows a caller asks for: a merchant's own keys see that one only; `None` is all.
pub(super) fn whose(call: &Call, named: Option<&str>) -> Result<Option<MerchantId>, Problem> {
    let missing = || Problem::of(Code::MerchantNotFound).pointer("/query/merchant_id");
    let named = named.map(|id| id.parse::<MerchantId>().map_err(|_| missing())).transpose()?;
    if named.is_some_and(|id| id.is_rehearsals() || !call.sees(id)) {
        return Err(missing());
    }
    Ok(named.or(call.scope()))
}

/// The rows of a list. Merchants with penalties or appeals are few, and so are those; all of them are gone through.
pub(super) fn rows<R>(
    ledger: &Ledger,
    of: Option<MerchantId>,
    list: Index,
    mut row: impl FnMut(&Ledger, MerchantId, u64) -> Option<R>,
) -> Vec<Found<R>> {
    let all = || ledger.index.list(PLATFORM, Index::Penalised).iter().filter_map(|id| u32::try_from(*id).ok());
    let merchants: Vec<MerchantId> = of.map_or_else(|| all().map(MerchantId).collect(), |one| vec![one]);
    let mut found = Vec::new();
    for merchant in merchants {
        let numbers = ledger.index.list(merchant, list).iter();
        found.extend(
            numbers.filter_map(|&number| row(ledger, merchant, number).map(|row| Found { merchant, number, row })),
        );
    }
    found
}

/// A page of a list, with the log's time; `row` passes over what is not asked for, and says when the others were made.
pub(super) async fn page<R: Send + 'static>(
    state: &RiskApi,
    of: Option<MerchantId>,
    list: Index,
    asked: Page,
    row: impl Fn(&Ledger, MerchantId, u64, Millis) -> Option<(Millis, R)> + Send + 'static,
) -> Result<(List<Found<R>>, Millis), Problem> {
    let after = asked.cursor.as_ref().map(|cursor| place_of(cursor).ok_or_else(foreign)).transpose()?;
    let look = move |ledger: &Ledger, now: Millis| {
        let mut found = rows(ledger, of, list, |ledger, merchant, number| {
            let (at, row) = row(ledger, merchant, number, now)?;
            let wanted = in_time(&asked, at) && after.is_none_or(|after| (at, merchant, number) < after);
            wanted.then_some((at, row))
        });
        found.sort_by_key(|it| Reverse((it.row.0, it.merchant, it.number)));
        let list = List::page(found, &asked, |it| cursor((it.row.0, it.merchant, it.number)));
        let bare = |it: Found<(Millis, R)>| Found { merchant: it.merchant, number: it.number, row: it.row.1 };
        let data = list.data.into_iter().map(bare).collect();
        (List { data, next_cursor: list.next_cursor }, now)
    };
    state.backend.look(of.unwrap_or(PLATFORM), move |_, ledger, now| look(ledger, now)).await
}

fn cursor((at, merchant, number): Place) -> Cursor {
    Cursor::new([&at.to_be_bytes()[..], &merchant.0.to_be_bytes(), &number.to_be_bytes()].concat())
}

fn place_of(cursor: &Cursor) -> Option<Place> {
    let (at, rest) = cursor.as_bytes().split_first_chunk()?;
    let (merchant, number) = rest.split_first_chunk()?;
    let number = number.try_into().ok()?;
    Some((Millis::from_be_bytes(*at), MerchantId(u32::from_be_bytes(*merchant)), u64::from_be_bytes(number)))
}

fn foreign() -> Problem {
    Problem::new(Code::InvalidField, "/query/cursor must be a next_cursor of this list.").pointer("/query/cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_place_that_it_was_made_of() {
        let place = (1_773_115_200_000, MerchantId(7), 1 << 40);
        assert_eq!(place_of(&cursor(place)), Some(place));
        assert_eq!(place_of(&Cursor::number(7)), None, "another list's");
    }
}
