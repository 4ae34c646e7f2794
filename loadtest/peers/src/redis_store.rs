//! The peer on Redis: one script per redemption, called by its hash.
//!
//! Redis reads what all connections have sent, runs it, flushes its append-only file once, and then answers all of it.
//! So a few connections with many requests under way each are enough.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_api::problem::{Code, Problem, Result as Answered};
use http_api::time::system_clock_ms;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Script};

use crate::app::{App, router};
use crate::codes::{self, Issued, code_hash};
use crate::failure::Result;
use crate::serve::serve;
use crate::servers::Server;
use crate::store::{Attempt, CURRENCY, DISCOUNT, Decided, MINIMUM_SPEND, STOCK, Store, Sums};
use crate::{Common, Limits};

/// Codes per write when they are loaded, and coupons per step when they are counted.
const STEP: usize = 10_000;

/// After this the outcome is unknown.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

const DAY_MS: i64 = 86_400_000;

struct Redis {
    connections: Vec<MultiplexedConnection>,
    next: AtomicUsize,
    script: Script,
    device_limit: i32,
    key_id: String,
}

/// Serves until it is told to end.
pub(crate) async fn run(common: Common, limits: Limits, redis_url: Option<String>, connections: usize) -> Result<()> {
    let server = if redis_url.is_none() { Some(Server::redis().await?) } else { None };
    let url = redis_url.or_else(|| server.as_ref().map(|server| server.url.clone())).unwrap_or_default();
    let issued = Issued::make(common.codes, common.out.as_deref())?;
    let client = Client::open(url)?;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_LIMIT));
    let mut open = Vec::new();
    for _ in 0..connections.max(1) {
        open.push(client.get_multiplexed_async_connection_with_config(&config).await?);
    }
    fill(&mut open[0], &issued.codes, limits).await?;
    let script = Script::new(include_str!("redis_store/redeem.lua"));
    script.load_async(&mut open[0]).await?;
    let store = Redis {
        connections: open,
        next: AtomicUsize::default(),
        script,
        device_limit: limits.device_limit,
        key_id: issued.key.id.clone(),
    };
    let served = serve(&common, router(App { key: issued.key, store })).await;
    if let Some(server) = server {
        server.stop().await?;
    }
    served
}

async fn fill(connection: &mut MultiplexedConnection, codes: &[codes::Code], limits: Limits) -> Result<()> {
    let budget = limits.budget.unwrap_or(codes.len() as i64 * DISCOUNT);
    let now = system_clock_ms();
    let mut stock = redis::cmd("HSET");
    stock.arg(format!("stock:{STOCK}"));
    stock.arg("discount").arg(DISCOUNT).arg("minimum_spend").arg(MINIMUM_SPEND).arg("currency").arg(CURRENCY);
    stock.arg("valid_from").arg(now - DAY_MS).arg("valid_until").arg(now + 365 * DAY_MS);
    stock.arg("user_limit").arg(limits.user_limit).arg("budget").arg(budget).arg("budget_left").arg(budget);
    stock.exec_async(connection).await?;
    let mut number = 0;
    for part in codes.chunks(STEP) {
        let mut pipeline = Pipeline::with_capacity(part.len());
        for code in part {
            number += 1;
            let command = pipeline.cmd("HSET").arg(coupon_key(code_hash(code)));
            command.arg("state").arg("active").arg("coupon_id").arg(number).arg("stock_id").arg(STOCK).ignore();
        }
        pipeline.exec_async(connection).await?;
    }
    Ok(())
}

fn coupon_key(hash: [u8; 16]) -> Vec<u8> {
    [b"coupon:", &hash[..]].concat()
}

impl Store for Redis {
    async fn redeem(&self, attempt: &Attempt) -> Answered<Decided> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let mut connection = self.connections[number].clone();
        let request = &attempt.request;
        let user = request.user_id.as_deref().unwrap_or_default();
        let device = request.context.device_id.as_deref().unwrap_or_default();
        let mut call = self.script.key(format!("request:{}", attempt.idempotency_key));
        call.key(coupon_key(attempt.code_hash)).key(format!("device:{device}:{}", attempt.at_ms / 60_000));
        call.arg(&attempt.idempotency_key).arg(&attempt.body_hash[..]).arg(&self.key_id).arg(attempt.at_ms);
        call.arg(&request.order.id).arg(request.order.amount).arg(&request.order.currency).arg(user).arg(device);
        call.arg(request.context.ip.as_deref().unwrap_or_default()).arg(self.device_limit);
        let it: (bool, String, i64, i64, String, i64, i32, i64) =
            call.invoke_async(&mut connection).await.map_err(failed)?;
        Ok(Decided {
            replayed: it.0,
            outcome: it.1,
            redemption_id: it.2,
            redeemed_at_ms: it.3,
            redeemed_by_order: it.4,
            coupon_id: it.5,
            stock_id: it.6,
            discount: it.7,
        })
    }

    async fn audit(&self) -> Answered<Sums> {
        let mut connection = self.connections[0].clone();
        let mut sums = Sums { redeemed: 0, audit_rows: 0, budget_used: 0 };
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("coupon:*").arg("COUNT").arg(STEP);
            let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await.map_err(failed)?;
            let mut states = Pipeline::with_capacity(keys.len());
            for key in &keys {
                states.cmd("HGET").arg(key).arg("state");
            }
            let states: Vec<String> = states.query_async(&mut connection).await.map_err(failed)?;
            sums.redeemed += states.iter().filter(|state| *state == "redeemed").count() as i64;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        sums.audit_rows = redis::cmd("XLEN").arg("audit").query_async(&mut connection).await.map_err(failed)?;
        let mut budget = redis::cmd("HMGET");
        budget.arg(format!("stock:{STOCK}")).arg("budget").arg("budget_left");
        let (budget, left): (i64, i64) = budget.query_async(&mut connection).await.map_err(failed)?;
        sums.budget_used = budget - left;
        Ok(sums)
    }
}

/// What Redis itself refused has not happened; of a broken connection nobody knows.
fn failed(error: RedisError) -> Problem {
    eprintln!("peers: {error}");
    if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
        Problem::of(Code::OutcomeUnknown)
    } else {
        Problem::internal(error)
    }
}
