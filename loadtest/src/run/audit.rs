//! The business audit: what the server says afterwards, from outside and over its API, held against what it answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::book::{Book, Broken, Open};
use super::shop::Shop;
use crate::Result;
use crate::caller::{Call, Caller, Kind};
use crate::parallel::in_parallel;
use crate::progress::Progress;

/// Calls at once.
const AT_ONCE: usize = 16;
/// A page of a list.
const PAGE: usize = 200;
/// How often something is asked for that may not have reached a list yet.
const LOOKS: u32 = 20;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Whether everything held.
    pub sound: bool,
    /// What was looked at.
    pub checks: Vec<AuditCheck>,
    /// The balance of each stock.
    pub stocks: Vec<Balance>,
}

/// One thing that must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditCheck {
    /// Stays the same between versions.
    pub id: &'static str,
    /// In words.
    pub what: &'static str,
    /// How many were looked at.
    pub checked: u64,
    /// How many of them were not as they must be.
    pub broken: u64,
    /// Whether none was.
    pub held: bool,
    /// A few of them.
    pub examples: Vec<String>,
}

/// A stock's coupons.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Balance {
    /// Its id.
    #[serde(default)]
    pub stock: String,
    /// What it is for.
    #[serde(default)]
    pub name: String,
    /// All of them.
    pub total: u64,
    /// Not claimed.
    pub available: u64,
    /// Claimed and not used.
    pub claimed: u64,
    /// Under a lock.
    pub locked: u64,
    /// Used.
    pub redeemed: u64,
    /// Taken back.
    pub voided: u64,
    /// Too late.
    pub expired: u64,
    /// Whether the server says that the parts make the whole.
    pub holds: bool,
}

/// A redemption as a list shows it.
struct Listed {
    id: String,
    order: String,
    coupon: String,
    is_live: bool,
}

impl Audit {
    /// How many of a check were broken.
    pub fn broken(&self, id: &str) -> Option<u64> {
        self.checks.iter().find(|check| check.id == id).map(|check| check.broken)
    }
}

impl AuditCheck {
    fn new(id: &'static str, what: &'static str, checked: u64, broken: Broken) -> Self {
        let Broken { count, examples } = broken;
        Self { id, what, checked, broken: count, held: count == 0, examples }
    }

    /// Why it did not hold.
    pub(super) fn reason(&self) -> String {
        let Self { what, checked, broken, examples, .. } = self;
        let examples = if examples.is_empty() { String::new() } else { format!(" ({})", examples.join("; ")) };
        format!("{what}: broken {broken} of {checked}{examples}")
    }
}

/// Asks the server.
pub(super) async fn run(caller: &Arc<Caller>, shop: &Arc<Shop>, mut book: Book, silent: bool) -> Result<Audit> {
    let (was_unknown, still_unknown) = (book.was_unknown, resolve(caller, shop, &mut book).await?);
    let listed = list(caller, shop, &book, silent).await?;
    let places: HashMap<&str, usize> = listed.iter().enumerate().map(|(place, row)| (&*row.id, place)).collect();
    let winners = book.winners().count() as u64;
    let mut missing = Vec::new();
    for (n, won) in book.winners() {
        let order = shop.order(n, won.rival);
        let there = places.get(&*won.redemption).is_some_and(|&place| listed[place].order == order);
        if !there {
            missing.push((won.redemption.to_string(), order));
        }
    }
    let lost = lost(caller, shop, missing).await?;
    let mut by_coupon: BTreeMap<&str, &str> = BTreeMap::new();
    let mut double = book.double.clone();
    for row in listed.iter().filter(|row| row.is_live) {
        if let Some(other) = by_coupon.insert(&row.coupon, &row.id) {
            double.add(|| format!("{} was redeemed as {other} and as {}", row.coupon, row.id));
        }
    }
    let phantoms = phantoms(shop, &book, &listed);
    let mut unfinished = Broken::default();
    for n in book.contested.iter().filter(|&&n| book.winner(n).is_none() && !is_open(&book, n)) {
        unfinished.add(|| format!("both checkouts of request {n} were refused"));
    }
    let (balances, caps, balance) = balances(caller, shop, &book, still_unknown.count).await?;
    let stocks = balances.len() as u64;
    let contested = book.contested.len() as u64;
    let answers = winners + book.claimed.iter().sum::<u64>();
    let checks = vec![
        AuditCheck::new("redeemed_once", "Nothing is redeemed or given out twice", answers, double),
        AuditCheck::new("acknowledged_there", "Every answer 201 is there afterwards", winners, lost),
        AuditCheck::new("unknown_resolved", "Every unknown outcome became known", was_unknown, still_unknown),
        AuditCheck::new(
            "refused_not_done",
            "Nothing happened that was not acknowledged",
            listed.len() as u64,
            phantoms,
        ),
        AuditCheck::new("one_of_two_wins", "Of two checkouts for one code, one wins", contested, unfinished),
        AuditCheck::new("answers_right", "Every answer says what the terms say", answers, book.wrong.clone()),
        AuditCheck::new("caps_exact", "No stock gives out more than it has, nor stops before", stocks, caps),
        AuditCheck::new("conserved", "Each stock's balance adds up, to what was answered", stocks, balance),
    ];
    Ok(Audit { sound: checks.iter().all(|check| check.held), checks, stocks: balances })
}

/// Whether a redemption's outcome is still not known.
fn is_open(book: &Book, n: u64) -> bool {
    book.unknown.values().any(|open| open.redeems == Some(n))
}

/// Asks what became of requests that had no definite answer to the end.
async fn resolve(caller: &Caller, shop: &Shop, book: &mut Book) -> Result<Broken> {
    let mut open = Broken::default();
    for (key, of) in std::mem::take(&mut book.unknown) {
        let path = format!("/v1/requests/{key}");
        let found = get(caller, shop, &path).await.unwrap_or_default();
        let state = found.as_ref().and_then(|found| found["state"].as_str()).unwrap_or("absent");
        match state {
            "refused" | "cancelled" | "absent" => {}
            "done" => done(book, &key, of, found.as_ref()),
            _ => {
                open.add(|| format!("{key} is {state}"));
                book.unknown.insert(key, of);
            }
        }
    }
    Ok(open)
}

/// A request that was done after all: counted like one that was answered.
fn done(book: &mut Book, key: &str, of: Open, found: Option<&Value>) {
    let response = found.map(|found| &found["response"]);
    let id = |name: &str| response.and_then(|response| response[name].as_str());
    if let (Some(n), Some(id)) = (of.redeems, id("id")) {
        book.redeemed(n, id, key.ends_with("-b"));
    }
    if let (Some(stock), Some(coupon)) = (of.claims, id("coupon_id")) {
        book.claimed(stock, coupon);
    }
}

/// All redemptions of this run.
async fn list(caller: &Arc<Caller>, shop: &Arc<Shop>, book: &Book, silent: bool) -> Result<Vec<Listed>> {
    let expected = book.winners().count() as u64;
    let progress = Arc::new(Progress::new("redemptions read", expected.div_ceil(PAGE as u64), silent));
    let rows = Arc::new(Mutex::new(Vec::new()));
    // Lists of different stocks are read at the same time.
    let ids: Arc<Vec<String>> = Arc::new(shop.stock_ids().map(|(id, _)| id.to_owned()).collect());
    let (shared, of, all, into, shown) = (caller.clone(), shop.clone(), ids.clone(), rows.clone(), progress.clone());
    let work = move |index: usize| {
        let (caller, shop, ids, rows, progress) =
            (shared.clone(), of.clone(), all.clone(), into.clone(), shown.clone());
        async move {
            let mut cursor = String::new();
            loop {
                let path = format!("/v1/redemptions?stock_id={}&limit={PAGE}{cursor}", ids[index]);
                let page = get(&caller, &shop, &path).await?.unwrap_or_default();
                let data = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
                rows.lock().unwrap_or_else(PoisonError::into_inner).extend(data.iter().map(listed));
                progress.advance();
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return Ok(()),
                }
            }
        }
    };
    in_parallel(ids.len(), AT_ONCE, work).await?;
    progress.finish();
    Ok(std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner)))
}

fn listed(row: &Value) -> Listed {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_live = row["state"] != "reversed";
    Listed {
        id: text(&row["id"]),
        order: text(&row["order"]["id"]),
        coupon: text(&row["coupons"][0]["coupon_id"]),
        is_live,
    }
}

/// Those of `missing` that are not there when asked for by their id either.
async fn lost(caller: &Arc<Caller>, shop: &Arc<Shop>, missing: Vec<(String, String)>) -> Result<Broken> {
    let (missing, lost) = (Arc::new(missing), Arc::new(Mutex::new(Broken::default())));
    let (shared, of, all, into) = (caller.clone(), shop.clone(), missing.clone(), lost.clone());
    let work = move |index: usize| {
        let (caller, shop, missing, lost) = (shared.clone(), of.clone(), all.clone(), into.clone());
        async move {
            let (id, order) = &missing[index];
            let mut said = String::new();
            for look in 0..LOOKS {
                // What has just been written may reach another instance a moment later.
                if look > 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                match get(&caller, &shop, &format!("/v1/redemptions/{id}")).await? {
                    Some(found) if found["id"] == **id && found["order"]["id"] == **order => return Ok(()),
                    Some(found) => {
                        said = format!("{id} was answered 201 for order {order}, and is of {}", found["order"]["id"]);
                    }
                    None => said = format!("{id} was answered 201 for order {order}, and is not there"),
                }
                let few = lost.lock().unwrap_or_else(PoisonError::into_inner).count < 100;
                if !few {
                    break;
                }
            }
            lost.lock().unwrap_or_else(PoisonError::into_inner).add(|| said);
            Ok(())
        }
    };
    in_parallel(missing.len(), AT_ONCE, work).await?;
    let lost = lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(lost)
}

/// Redemptions of this run that nobody was told of.
fn phantoms(shop: &Shop, book: &Book, listed: &[Listed]) -> Broken {
    let mut phantoms = Broken::default();
    for row in listed {
        let Some((n, rival)) = shop.request_of(&row.order) else {
            if shop.own_merchant {
                phantoms.add(|| format!("{} is of order {}, which is not of this run", row.id, row.order));
            }
            continue;
        };
        let is_won = book.winner(n).is_some_and(|won| *won.redemption == *row.id && won.rival == rival);
        if !is_won && !is_open(book, n) {
            phantoms.add(|| format!("{} of order {} was not acknowledged", row.id, row.order));
        }
    }
    phantoms
}

/// The balance of each stock; stocks whose caps are not exact, and those that do not add up to what was answered.
async fn balances(caller: &Caller, shop: &Shop, book: &Book, open: u64) -> Result<(Vec<Balance>, Broken, Broken)> {
    let (mut all, mut caps, mut sums) = (Vec::new(), Broken::default(), Broken::default());
    for (index, stock) in shop.stocks.iter().enumerate() {
        let pool = stock.pool.iter().map(|pool| (&pool.id, "codes made ahead", 0, book.redeemed_codes[index], None));
        let claims = stock
            .claims
            .iter()
            .map(|claims| (&claims.id, "claims", book.claimed[index], book.redeemed_claims[index], Some(claims.total)));
        for (id, name, claimed, redeemed, cap) in pool.chain(claims) {
            let found = get(caller, shop, &format!("/v1/stocks/{id}/conservation")).await?;
            let Some(balance) = found.and_then(|found| serde_json::from_value::<Balance>(found).ok()) else {
                sums.add(|| format!("{id} has no balance"));
                continue;
            };
            let balance = Balance { stock: id.clone(), name: name.to_owned(), ..balance };
            let Balance { total, available, .. } = balance;
            let taken = balance.claimed + balance.locked + balance.redeemed + balance.voided + balance.expired;
            if cap.is_some_and(|cap| claimed > cap) || available > total {
                caps.add(|| format!("{id} gave out {claimed} of {total}"));
            }
            if cap.is_some() && book.sold_out[index] && available > 0 {
                caps.add(|| format!("{id} was sold out with {available} left"));
            }
            if available + taken != total || !balance.holds {
                sums.add(|| format!("{id}: {available} available and {taken} taken are not {total}"));
            } else if balance.redeemed.abs_diff(redeemed) > open {
                sums.add(|| {
                    format!("{id}: {redeemed} redemptions were answered, its balance says {}", balance.redeemed)
                });
            } else if cap.is_some() && taken.abs_diff(claimed) > open {
                sums.add(|| format!("{id}: {claimed} claims were answered, its balance says {taken}"));
            }
            all.push(balance);
        }
    }
    Ok((all, caps, sums))
}

/// A JSON answer; `None` for a refusal.
async fn get(caller: &Caller, shop: &Shop, path: &str) -> Result<Option<Value>> {
    let call = Call { kind: Kind::Read, credentials: &shop.credentials, method: "GET", path, key: None, body: None };
    let reply = caller.settle(&call).await?;
    Ok(reply.status.is_success().then(|| reply.json().ok()).flatten())
}
