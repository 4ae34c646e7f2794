//! The board as one object.

use coupon::calendar;
use coupon::event::Pseudonym;
use coupon::id::{MerchantId, StoreId};
use coupon::terms::Zone;
use event_log::Topic;
use http_api::problem::Problem;
use http_api::time::format_ms;
use http_api::traffic::Operation;
use inline_risk::live::{Counted, Key, Ranked, Ring, SERIES_SECONDS, Sealed, TALLIED, Tallied, Top};
use serde_json::{Map, Value, json};

use super::hub::Identity;
use super::sampler::Samples;
use super::stocks;
use crate::api::RiskApi;

/// Rows of each list of the most frequent.
const MOST_TOP: usize = 10;
/// Merchants on the board: those with the most attempts.
const MOST_MERCHANTS: usize = 50;
/// An instance that has not beaten for so long may be gone, and after that is; it beats every two seconds.
const STALE_MS: i64 = 10_000;
const DOWN_MS: i64 = 30_000;
/// What is counted of the log, as the board calls it.
const NAMES: [(&str, Tallied); TALLIED] = [
    ("redemptions", Tallied::Redemptions),
    ("claims", Tallied::Claims),
    ("locks", Tallied::Locks),
    ("blocks", Tallied::Blocks),
    ("reviews", Tallied::Reviews),
    ("challenges", Tallied::Challenges),
];

/// What a board is made of.
pub(super) struct Making<'a> {
    pub(super) state: &'a RiskApi,
    pub(super) identity: &'a Identity,
    /// One merchant, or all.
    pub(super) scope: Option<MerchantId>,
    /// Milliseconds since 1970.
    pub(super) now_ms: i64,
}

/// What was counted, copied out from under the lock.
struct Snapshot {
    ring: Ring<TALLIED>,
    devices: Vec<Ranked<Key<Pseudonym>, Sealed>>,
    ips: Vec<Ranked<Key<Pseudonym>, Sealed>>,
    stores: Vec<Ranked<Key<u64>, ()>>,
    stocks: Vec<(MerchantId, u64)>,
}

impl Snapshot {
    fn of(counted: &Counted, scope: Option<MerchantId>, minute: i64) -> Self {
        let ring = match scope {
            None => counted.all.clone(),
            Some(merchant) => counted.of(merchant).cloned().unwrap_or_default(),
        };
        let stocks = ranked(&counted.stocks, scope, minute, stocks::MOST);
        Self {
            ring,
            devices: ranked(&counted.devices, scope, minute, MOST_TOP),
            ips: ranked(&counted.ips, scope, minute, MOST_TOP),
            stores: ranked(&counted.stores, scope, minute, MOST_TOP),
            stocks: stocks.into_iter().map(|it| (MerchantId(it.key.0), it.key.1)).collect(),
        }
    }
}

fn ranked<T, S>(top: &Top<Key<T>, S>, scope: Option<MerchantId>, minute: i64, most: usize) -> Vec<Ranked<Key<T>, S>>
where
    T: Copy + Eq + std::hash::Hash + Ord,
    S: Clone,
{
    top.ranked(minute, most, |(of, _)| scope.is_none_or(|merchant| MerchantId(*of).real() == merchant))
}

impl Making<'_> {
    /// The board.
    pub(super) async fn board(&self, samples: impl Fn() -> Value) -> Result<Value, Problem> {
        let minute = self.now_ms.div_euclid(60_000);
        let live = self.state.scorer.inline.live();
        let snapshot = live.look(|counted| Snapshot::of(counted, self.scope, minute));
        let stocks = stocks::rows(self.state, self.scope, snapshot.stocks.clone()).await?;
        let cases = live.cases_now(self.scope, self.now_ms);
        let mut board = json!({
            "at": format_ms(self.now_ms),
            "started_at": format_ms(self.identity.started_ms),
            "merchants": self.merchants(),
            "top": {
                "devices": snapshot.devices.iter().map(|it| self.person(it, |it| it.device_id)).collect::<Vec<_>>(),
                "ips": snapshot.ips.iter().map(|it| self.person(it, |it| it.ip)).collect::<Vec<_>>(),
                "stores": snapshot.stores.iter().map(|it| self.store(it)).collect::<Vec<_>>(),
            },
            "stocks": stocks,
            "health": self.health(),
            "log": self.log(),
            "risk": self.risk(),
            "cases": {"open": cases.open, "claimed": cases.claimed, "overdue": cases.overdue},
        });
        if let (Value::Object(board), Value::Object(mut counts)) = (&mut board, samples()) {
            self.tally(&snapshot.ring, &mut counts);
            board.extend(counts);
        }
        Ok(board)
    }

    /// What is counted of the log, beside what the edge counts.
    fn tally(&self, ring: &Ring<TALLIED>, counts: &mut Map<String, Value>) {
        let second = self.now_ms.div_euclid(1_000);
        let (rates, totals) = (ring.rates(second), ring.totals(second));
        for (name, kind) in NAMES {
            counts["rates"][name] = json!(rates[kind as usize]);
            counts["totals"][name] = json!(totals[kind as usize]);
        }
        for (name, kind) in [NAMES[0], NAMES[1], NAMES[3]] {
            counts["series"][name] = json!(ring.series(second, kind as usize));
        }
    }

    fn merchants(&self) -> Vec<Value> {
        let directory = &self.state.backend.directory;
        let breakers = self.state.scorer.inline.breakers().into_iter();
        let seen = breakers.filter(|(merchant, ..)| self.scope.is_none_or(|scope| scope == *merchant));
        let mut rows: Vec<_> = seen
            .filter_map(|(merchant, row, settings)| {
                let known = directory.merchant(merchant)?;
                let Zone(zone) = known.profile.zone;
                let (day, _) = calendar::day_bounds(zone, self.now_ms);
                Some((merchant, known.profile.name.clone(), row.on(day), settings))
            })
            .collect();
        rows.sort_by(|(a, _, one, _), (b, _, other, _)| other.attempts.cmp(&one.attempts).then(a.cmp(b)));
        let row = |(merchant, name, row, settings): (MerchantId, String, coupon::breaker::BreakerRow, _)| {
            let settings: coupon::risk_settings::RiskSettings = settings;
            json!({
                "merchant_id": merchant.to_string(),
                "name": name,
                "attempts_today": row.attempts,
                "abnormal_today": row.abnormal,
                "share": row.abnormal as f64 / row.attempts.max(1) as f64,
                "limit_share": f64::from(settings.abnormal_share_bp) / 10_000.0,
                "minimum_volume": settings.minimum_volume,
                "tripped_at": row.tripped_at.map(format_ms),
            })
        };
        rows.into_iter().take(MOST_MERCHANTS).map(row).collect()
    }

    /// A device or an address, in clear where a record of it says so.
    fn person(
        &self,
        it: &Ranked<Key<Pseudonym>, Sealed>,
        value: impl Fn(coupon_api::secrets::Personal) -> Option<String>,
    ) -> Value {
        let (merchant, pseudonym) = it.key;
        let merchant = MerchantId(merchant);
        let open = |sealed: &Sealed| self.state.backend.secrets.open(merchant, sealed.subject, &sealed.bytes);
        let value = it.sample.as_ref().map(open).and_then(value);
        entry(&json!(value), &hex::encode(pseudonym), merchant, (it.now, it.before))
    }

    fn store(&self, it: &Ranked<Key<u64>, ()>) -> Value {
        let merchant = MerchantId(it.key.0);
        let store = StoreId::new(merchant, it.key.1);
        let id = store.to_string();
        let mut entry = entry(&json!(id), &id, merchant, (it.now, it.before));
        entry["name"] = json!(self.state.backend.directory.store_name(store));
        entry
    }

    fn health(&self) -> Vec<Value> {
        let heard = self.state.scorer.inline.live().heard();
        if heard.is_empty() {
            let Identity { instance, release, .. } = self.identity;
            let own = json!({"service": "standalone", "instance": instance, "state": "ok", "release": release,
                "seen_at": format_ms(self.now_ms)});
            return vec![own];
        }
        let row = |heard: inline_risk::live::Heard| {
            let state = match self.now_ms - heard.at_ms {
                age if age < STALE_MS => "ok",
                age if age < DOWN_MS => "stale",
                _ => "down",
            };
            json!({"service": heard.beat.service, "instance": format!("{:016x}", heard.beat.instance), "state": state,
                "release": heard.beat.release, "seen_at": format_ms(heard.at_ms)})
        };
        heard.into_iter().map(row).collect()
    }

    fn log(&self) -> Value {
        let log = self.state.backend.ledger.log();
        let counts = self.state.scorer.inline.counts().read();
        let (applied, watermark_ms) = (counts.applied(), counts.watermark_ms);
        drop(counts);
        let partitions = log.partitions(Topic::Ledger);
        // What cannot be read now is told by the age of the beats.
        let appended: u64 = (0..partitions).filter_map(|partition| log.end(Topic::Ledger, partition).ok()).sum();
        let lag = appended.saturating_sub(applied);
        let lag_ms = if lag == 0 { 0 } else { (self.now_ms - watermark_ms).max(0) };
        json!({"partitions": partitions, "appended": appended, "applied": applied, "lag_records": lag, "lag_ms": lag_ms})
    }

    fn risk(&self) -> Value {
        let inline = &self.state.scorer.inline;
        let stale = inline.stale_for(self.now_ms);
        let book = inline.counts().read().book().clone();
        let live = book.rules().filter(|(_, _, used, _)| used.live).count();
        let state = if stale.is_some() { "stale" } else { "ok" };
        let lag_ms = stale.filter(|age| *age < i64::MAX).unwrap_or_default();
        json!({"state": state, "lag_ms": lag_ms, "live_rules": live})
    }
}

fn entry(value: &Value, id: &str, merchant: MerchantId, (now, before): (u64, u64)) -> Value {
    json!({"value": value, "id": id, "merchant_id": merchant.real().to_string(), "now": now, "before": before,
        "change": change(now, before)})
}

/// By which share of `before` it grew; nothing where there was nothing.
pub(in crate::api) fn change(now: u64, before: u64) -> Option<f64> {
    (before > 0).then(|| (now as f64 - before as f64) / before as f64)
}

/// What the edge counts, at one merchant or at all.
pub(super) fn sampled(samples: &Samples, scope: Option<MerchantId>, now_ms: i64) -> Value {
    let second = now_ms.div_euclid(1_000);
    let refusals = samples.refusals(scope);
    let latency = |operation: Operation| {
        let (p50, p99) = samples.latency(operation).unzip();
        (operation.name().to_owned(), json!({"p50_ms": p50, "p99_ms": p99}))
    };
    let by_code = samples.by_code(scope).into_iter();
    let by_code = by_code.map(|it| json!({"code": it.code, "per_second": it.per_second, "last_hour": it.last_hour}));
    json!({
        "rates": {"refusals": refusals.rates(second)[0]},
        "totals": {"refusals": refusals.totals(second)[0]},
        "latency": Operation::ALL.map(latency).into_iter().collect::<Map<_, _>>(),
        "refusals": by_code.collect::<Vec<_>>(),
        "series": {
            "step_seconds": 1,
            "from": format_ms((second - SERIES_SECONDS as i64) * 1_000),
            "refusals": refusals.series(second, 0),
            "p99_ms": samples.p99_ms(second),
        },
    })
}
