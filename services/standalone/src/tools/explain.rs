//! `counterfoil explain`: a coupon's story, from the log alone.

use std::process::ExitCode;

use coupon::code::parse_generated;
use coupon::fold::At;
use coupon::hash::id_hash;
use coupon::history::Story;
use coupon::id::{CouponId, MerchantId};
use coupon::record::Entry;
use coupon::state::Read;
use coupon_api::dto::answer::coupon_state;
use coupon_api::events::describe;
use coupon_api::secrets::Secrets;
use event_log::Topic;
use projection::codec::{Decoded, decode};
use projection::ledger::Ledger;
use serde_json::Value;

use super::{Source, fold_all, print};
use host::Failure;
use host::keys;

pub(crate) fn run(source: &Source, coupon: &str) -> Result<ExitCode, Failure> {
    let log = source.open()?;
    let mut ledger = Ledger::new();
    fold_all(log.as_ref(), &mut ledger, |_, _, _| {});
    let Some(id) = find(source, &ledger, coupon)? else {
        print("no coupon has this id or code");
        return Ok(ExitCode::from(1));
    };
    let shard = ledger.of(id.merchant);
    let Some(story) = Story::of(shard, id.merchant, id.number) else {
        print("no coupon has this id or code");
        return Ok(ExitCode::from(1));
    };
    let mut lines = Vec::new();
    let mut next = Some(story.last());
    while let Some(sequence) = next {
        let Some((offset, time)) = shard.positions().get(sequence) else { break };
        let partition = u32::from(shard.shard().0) % log.partitions(Topic::Ledger);
        let stored = log.read(Topic::Ledger, partition, offset, 1)?;
        let decoded = stored.first().and_then(|stored| decode(&stored.bytes).ok());
        let Some((_, Decoded::Entry(entry))) = decoded else { break };
        let Entry::Guarded(record) = *entry else { break };
        let at = At { shard: shard.shard(), sequence, time };
        lines.extend(describe(id, &record, at).into_iter().rev().map(line));
        next = story.previous(&record);
    }
    let row = story.now();
    let state = coupon_state(row.state);
    print(&format!("{id} is {state}, {} of {} uses left", row.uses_left, row.uses));
    lines.iter().rev().for_each(|line| print(line));
    Ok(ExitCode::SUCCESS)
}

/// When, where, what, and then what it says.
fn line(mut event: Value) -> String {
    let mut take = |name: &str| event.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (at, reference, kind) = (take("at"), take("ledger_ref"), take("type"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}  {}  {:<20} {event}", text(&at), text(&reference), text(&kind))
}

/// By its id; by a merchant's own code; or by a generated one, which only the merchant's key tells.
pub(super) fn find(source: &Source, ledger: &Ledger, coupon: &str) -> Result<Option<CouponId>, Failure> {
    if let Ok(id) = coupon.parse() {
        return Ok(Some(id));
    }
    let merchants = ledger.index.list(coupon::id::PLATFORM, projection::index::List::Merchants).iter();
    let merchants: Vec<MerchantId> = merchants.map(|number| MerchantId(*number as u32)).collect();
    let hash = id_hash(coupon.trim());
    let own = merchants.iter().find_map(|merchant| {
        let number = *ledger.of(*merchant).imported_code(*merchant, hash)?;
        Some(CouponId::new(*merchant, number))
    });
    let Some(form) = parse_generated(coupon).filter(|_| own.is_none()) else { return Ok(own) };
    let secrets = Secrets::new(keys::master_key(&source.config.security, &source.data_dir, false)?);
    Ok(merchants
        .into_iter()
        .find_map(|merchant| secrets.codes(merchant).verify(form).map(|number| CouponId::new(merchant, number))))
}
