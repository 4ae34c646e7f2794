//! `counterfoil log`: records decoded to JSON lines, with what became of each.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use coupon::fold::{At, Outcome};
use coupon::history::Story;
use coupon::id::{CouponId, LedgerRef, MerchantId};
use coupon::record::{Entry, RequestKey};
use coupon_api::secrets::Secrets;
use event_log::{EventLog, Stored, Topic};
use host::Failure;
use host::keys;
use http_api::time::{format_ms, parse_ms};
use projection::codec::{Control, Decoded, decode};
use projection::ledger::Ledger;
use serde_json::{Value, json};

use super::{Source, explain, fold_all, fold_one, print, records};

/// How long a follower waits for a word of the log before it looks itself.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which records are wanted; all that is said must hold.
#[derive(Args)]
pub(crate) struct Wanted {
    /// Only this partition
    #[arg(long)]
    partition: Option<u32>,
    /// From this offset of each partition
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// At most so many records of each partition
    #[arg(long, default_value_t = u64::MAX)]
    limit: u64,
    /// Appended at or after this time, such as 2026-11-11T20:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Appended before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// With this Idempotency-Key; needs --merchant
    #[arg(long, value_name = "KEY", requires = "merchant")]
    request: Option<String>,
    /// Of this merchant, `mer_...`
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
    /// That changed this coupon, by its id `cpn_...` or its code
    #[arg(long)]
    coupon: Option<String>,
    /// Go on with what is appended from now on, until interrupted
    #[arg(long)]
    follow: bool,
}

/// The same, understood.
struct Filter {
    from: u64,
    limit: u64,
    since: i64,
    until: i64,
    merchant: Option<MerchantId>,
    request: Option<RequestKey>,
    coupon: Option<CouponId>,
}

pub(crate) fn run(source: &Source, wanted: &Wanted) -> Result<ExitCode, Failure> {
    let log = source.open()?;
    let all = 0..log.partitions(Topic::Ledger);
    if let Some(wrong) = wanted.partition.filter(|partition| !all.contains(partition)) {
        return Err(format!("there is no partition {wrong}; the log has 0 to {}", all.end - 1).into());
    }
    let filter = Filter::new(source, log.as_ref(), wanted)?;
    let (sender, moved) = crossbeam_channel::bounded(1);
    log.watch(Arc::new(move || {
        // Full: it is going to look anyway.
        let _ = sender.try_send(());
    }));
    let partitions: Vec<u32> = all.filter(|n| wanted.partition.is_none_or(|only| only == *n)).collect();
    let mut next = vec![0; partitions.len()];
    let mut ledger = Ledger::new();
    loop {
        for (partition, next) in partitions.iter().zip(&mut next) {
            // What became of a record is known only to those who have folded all before it.
            records(log.as_ref(), *partition, *next, |stored| {
                *next = stored.offset + 1;
                let folded = fold_one(&mut ledger, stored);
                if filter.wants(stored, folded.as_ref(), &ledger) {
                    print(&line(stored, folded.map(|(at, _, outcome)| (at, outcome))).to_string());
                }
            })?;
        }
        if !wanted.follow {
            return Ok(ExitCode::SUCCESS);
        }
        let _ = moved.recv_timeout(LOOK_EVERY);
    }
}

impl Filter {
    fn new(source: &Source, log: &dyn EventLog, wanted: &Wanted) -> Result<Self, Failure> {
        let time = |text: &Option<String>, none: i64| match text {
            None => Ok(none),
            Some(text) => parse_ms(text).ok_or_else(|| format!("{text:?} is no time such as 2026-11-11T20:00:00Z")),
        };
        let merchant = match &wanted.merchant {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| format!("{text:?} is no merchant's id"))?),
        };
        let request = match (&wanted.request, merchant) {
            (Some(key), Some(merchant)) => {
                let master = keys::master_key(&source.config.security, &source.data_dir, false)?;
                Some(Secrets::new(master).request_key(merchant, key))
            }
            _ => None,
        };
        let coupon = match &wanted.coupon {
            None => None,
            Some(text) => {
                let mut ledger = Ledger::new();
                if text.parse::<CouponId>().is_err() {
                    fold_all(log, &mut ledger, |_, _, _| {});
                }
                let found = explain::find(source, &ledger, text)?;
                Some(found.ok_or_else(|| format!("no coupon has the id or code {text:?}"))?)
            }
        };
        let (since, until) = (time(&wanted.since, i64::MIN)?, time(&wanted.until, i64::MAX)?);
        Ok(Self { from: wanted.from, limit: wanted.limit, since, until, merchant, request, coupon })
    }

    /// Asked right after the record was folded.
    fn wants(&self, stored: &Stored, folded: Option<&(At, Option<Entry>, Outcome)>, ledger: &Ledger) -> bool {
        let placed = stored.offset >= self.from && stored.offset - self.from < self.limit;
        if !placed || stored.append_time_ms < self.since || stored.append_time_ms >= self.until {
            return false;
        }
        if self.merchant.is_none() && self.request.is_none() && self.coupon.is_none() {
            return true;
        }
        let Some((at, Some(entry), _)) = folded else { return false };
        let of_merchant = |merchant: MerchantId| match entry {
            Entry::Guarded(record) => record.merchant == merchant,
            // Which of the shard's merchants they are of, only the keys say.
            Entry::Fences(_) | Entry::Cancel(_) => at.shard == merchant.shard(),
        };
        let changed = |coupon: CouponId| {
            let story = Story::of(ledger.shard(at.shard), coupon.merchant, coupon.number);
            at.shard == coupon.merchant.shard() && story.is_some_and(|story| story.last() == at.sequence)
        };
        self.merchant.is_none_or(of_merchant)
            && self.request.is_none_or(|key| has_key(entry, key))
            && self.coupon.is_none_or(changed)
    }
}

fn has_key(entry: &Entry, key: RequestKey) -> bool {
    match entry {
        Entry::Guarded(record) => record.request.is_some_and(|request| request.key == key),
        Entry::Fences(fences) => fences.fences.iter().any(|fence| fence.key == key),
        Entry::Cancel(cancel) => cancel.key == key,
    }
}

fn line(stored: &Stored, folded: Option<(At, Outcome)>) -> Value {
    let mut line = json!({
        "partition": stored.partition, "offset": stored.offset, "append_time": format_ms(stored.append_time_ms),
        "bytes": stored.bytes.len(),
    });
    if let Some((at, outcome)) = folded {
        line["ledger_ref"] = LedgerRef(at.sequence).to_string().into();
        line["sequence"] = at.sequence.into();
        line["time"] = format_ms(at.time).into();
        line["outcome"] = name(outcome).into();
        if let Outcome::Void(guard) = outcome {
            line["guard"] = guard.name().into();
        }
    }
    match decode(&stored.bytes) {
        Ok((header, Decoded::Entry(entry))) => {
            line["shard"] = header.shard.into();
            line["type"] = header.record_type.into();
            line["semantics"] = header.semantics.into();
            line["record"] = serde_json::to_value(&*entry).unwrap_or_default();
        }
        Ok((header, Decoded::Control(control))) => {
            line["shard"] = header.shard.into();
            line["type"] = header.record_type.into();
            line["semantics"] = header.semantics.into();
            line["control"] = match control {
                Control::CopySealed => json!({"copy_sealed": true}),
                Control::HashCheckpoint(sequence, hash) => {
                    json!({"hash_checkpoint": {"sequence": sequence, "hash": format!("{hash:032x}")}})
                }
                Control::SemanticsActivated(number) => json!({"semantics_activated": number}),
            };
        }
        Ok((header, Decoded::Foreign)) => line["foreign_type"] = header.record_type.into(),
        Err(damage) => line["damaged"] = damage.to_string().into(),
    }
    line
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied(_) => "applied",
        Outcome::Replayed(_) => "replayed",
        Outcome::Cancelled => "cancelled",
        Outcome::Fenced(_) => "fenced",
        Outcome::Void(_) => "void",
        Outcome::Noted => "noted",
    }
}
