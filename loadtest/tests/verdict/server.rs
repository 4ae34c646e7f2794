//! A server in memory that plays the part of the API which a load test uses, and does one thing wrong.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each redemption takes so long.
    Slow(Duration),
    /// All that arrive within this long after the 50th redemption wait until it is over.
    Stall(Duration),
    /// Of so many redemptions one is answered 500 at first, and done when it is tried again.
    Broken(usize),
    /// The customer pays too much.
    WrongAmount,
    /// A code that was redeemed is redeemed again under another key.
    RedeemsTwice,
    /// Of so many redemptions that were answered 201 one is not kept.
    Loses(u64),
    /// Of so many keys one is answered `outcome_unknown` for ever.
    NeverTells(usize),
    /// Coupons are given out beyond the stock's total.
    GivesTooMany,
    /// A balance that says of one redemption more than there was.
    WrongBalance,
}

/// What it keeps.
#[derive(Default)]
struct Kept {
    /// The codes of each batch, by how many.
    batches: HashMap<String, u64>,
    totals: HashMap<String, u64>,
    /// Redemptions by their numbers, with the stock.
    redemptions: Vec<(String, Value)>,
    /// By code.
    redeemed: HashMap<String, usize>,
    /// Keys that were tried.
    tried: HashSet<String>,
    /// Coupons that were claimed of each stock.
    claimed: HashMap<String, u64>,
    /// The first answer to a key.
    answers: HashMap<String, Value>,
}

#[derive(Clone)]
struct Shop {
    fault: Fault,
    kept: Arc<Mutex<Kept>>,
    next: Arc<AtomicU64>,
    stalled: Arc<tokio::sync::RwLock<()>>,
}

/// Starts it at a free port; it ends with the test.
pub(crate) async fn start(fault: Fault) -> String {
    let shop = Shop { fault, kept: Arc::default(), next: Arc::default(), stalled: Arc::default() };
    let routes = Router::new()
        .route("/v1/merchants", post(made))
        .route("/v1/merchants/{id}/quotas", put(made))
        .route("/v1/merchants/{id}/keys", post(key))
        .route("/v1/stores", post(made))
        .route("/v1/stocks", post(stock))
        .route("/v1/stocks/{id}/activate", post(made))
        .route("/v1/stocks/{id}/codes", post(codes))
        .route("/v1/stocks/{id}/conservation", get(balance))
        .route("/v1/code-batches/{id}/codes", get(export))
        .route("/v1/claims", post(claim))
        .route("/v1/redemptions", post(redeem).get(list))
        .route("/v1/redemptions/{id}", get(read))
        .route("/v1/requests/{key}", get(request))
        .layer(from_fn_with_state(shop.clone(), wait))
        .with_state(shop);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

impl Shop {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

async fn wait(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let redeems = request.uri().path() == "/v1/redemptions" && request.method() == "POST";
    match shop.fault {
        Fault::Slow(time) if redeems => tokio::time::sleep(time).await,
        Fault::Stall(_) if redeems => drop(shop.stalled.read().await),
        _ => {}
    }
    next.run(request).await
}

async fn made(State(shop): State<Shop>) -> Response {
    (StatusCode::CREATED, Json(json!({"id": shop.id("mer")}))).into_response()
}

async fn key(State(shop): State<Shop>) -> Json<Value> {
    Json(json!({"key_id": shop.id("cfk_test"), "secret": "secret"}))
}

async fn stock(State(shop): State<Shop>, Json(body): Json<Value>) -> Json<Value> {
    let id = shop.id("stk");
    shop.kept().totals.insert(id.clone(), body["total"].as_u64().unwrap_or_default());
    Json(json!({"id": id}))
}

async fn codes(State(shop): State<Shop>, Path(stock): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    shop.kept().batches.insert(stock.clone(), body["count"].as_u64().unwrap_or_default());
    Json(json!({"batch_id": stock, "operation_id": shop.id("op"), "state": "done"}))
}

/// Codes name their stock.
async fn export(State(shop): State<Shop>, Path(stock): Path<String>) -> String {
    let count = shop.kept().batches.get(&stock).copied().unwrap_or_default();
    let lines = (0..count).map(|n| format!("{stock}.{n:06},cpn_{n}\n"));
    std::iter::once("code,coupon_id\n".to_owned()).chain(lines).collect()
}

async fn claim(State(shop): State<Shop>, Json(body): Json<Value>) -> Response {
    let stock = body["stock_id"].as_str().unwrap_or_default().to_owned();
    let mut kept = shop.kept();
    let total = kept.totals.get(&stock).copied().unwrap_or_default();
    let claimed = kept.claimed.entry(stock.clone()).or_default();
    if *claimed == total && shop.fault != Fault::GivesTooMany {
        let problem = json!({"title": "Sold out", "status": 409, "code": "stock_sold_out", "request_id": "r"});
        return (StatusCode::CONFLICT, Json(problem)).into_response();
    }
    *claimed += 1;
    let coupon = json!({"coupon_id": format!("cpn_{stock}_{claimed}"), "stock_id": stock, "state": "claimed"});
    (StatusCode::CREATED, Json(coupon)).into_response()
}

async fn redeem(State(shop): State<Shop>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers["idempotency-key"].to_str().unwrap_or_default().to_owned();
    let code = body["coupons"][0]["code"].as_str().unwrap_or_default().to_owned();
    let (stock, _) = code.split_once('.').unwrap_or_default();
    let mut kept = shop.kept();
    if let Some(first) = kept.answers.get(&key) {
        return (StatusCode::CREATED, [("idempotency-replayed", "true")], Json(first.clone())).into_response();
    }
    let number = kept.answers.len() as u64 + 1;
    let first_try = kept.tried.insert(key.clone());
    if matches!(shop.fault, Fault::Broken(each) if first_try && kept.tried.len().is_multiple_of(each)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if matches!(shop.fault, Fault::NeverTells(each) if key.bytes().map(usize::from).sum::<usize>().is_multiple_of(each))
    {
        let problem =
            json!({"title": "The outcome is unknown", "status": 503, "code": "outcome_unknown", "request_id": "r"});
        return (StatusCode::SERVICE_UNAVAILABLE, Json(problem)).into_response();
    }
    if let Fault::Stall(time) = shop.fault
        && number == 50
    {
        let stalled = shop.stalled.clone();
        tokio::spawn(async move {
            let _nobody_passes = stalled.write().await;
            tokio::time::sleep(time).await;
        });
    }
    if kept.redeemed.contains_key(&code) && shop.fault != Fault::RedeemsTwice {
        let problem =
            json!({"title": "Already redeemed", "status": 409, "code": "already_redeemed", "request_id": "r"});
        return (StatusCode::CONFLICT, Json(problem)).into_response();
    }
    let amount = body["order"]["amount"].as_u64().unwrap_or_default();
    let payable = amount - if shop.fault == Fault::WrongAmount { 999 } else { 1_000 };
    let answer = json!({
        "id": format!("rdm_{number}"), "state": "redeemed",
        "order": {"id": body["order"]["id"], "amount": amount, "discount": 1_000, "payable": payable},
        "coupons": [{"coupon_id": format!("cpn_{code}"), "stock_id": stock, "discount": 1_000, "uses_left": 0}],
    });
    kept.answers.insert(key, answer.clone());
    if !matches!(shop.fault, Fault::Loses(each) if number.is_multiple_of(each)) {
        let place = kept.redemptions.len();
        kept.redemptions.push((stock.to_owned(), answer.clone()));
        kept.redeemed.insert(code, place);
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn list(State(shop): State<Shop>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let (skip, limit) = (number("cursor").unwrap_or(0), number("limit").unwrap_or(50));
    let kept = shop.kept();
    let of = kept.redemptions.iter().rev().filter(|(stock, _)| Some(stock) == query.get("stock_id"));
    let rows: Vec<&Value> = of.map(|(_, row)| row).skip(skip).take(limit + 1).collect();
    let next = (rows.len() > limit).then(|| (skip + limit).to_string());
    Json(json!({"data": &rows[..rows.len().min(limit)], "next_cursor": next}))
}

async fn read(State(shop): State<Shop>, Path(id): Path<String>) -> Response {
    let kept = shop.kept();
    match kept.redemptions.iter().find(|(_, row)| row["id"] == *id) {
        Some((_, row)) => Json(row.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn request(State(shop): State<Shop>, Path(key): Path<String>) -> Json<Value> {
    Json(match shop.kept().answers.get(&key) {
        Some(answer) => json!({"state": "done", "status": 201, "response": answer}),
        None if matches!(shop.fault, Fault::NeverTells(_)) => json!({"state": "in_flight"}),
        None => json!({"state": "absent"}),
    })
}

async fn balance(State(shop): State<Shop>, Path(stock): Path<String>) -> Json<Value> {
    let kept = shop.kept();
    let total = kept.totals.get(&stock).copied().unwrap_or_default();
    let counted = kept.redemptions.iter().filter(|(of, _)| *of == stock).count() as u64;
    let redeemed = counted + u64::from(shop.fault == Fault::WrongBalance);
    let claimed = kept.claimed.get(&stock).copied().unwrap_or_default();
    let available = total.saturating_sub(redeemed + claimed);
    Json(json!({"total": total, "available": available, "claimed": claimed, "locked": 0, "redeemed": redeemed,
        "voided": 0, "expired": 0, "holds": true}))
}
