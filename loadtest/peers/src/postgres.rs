//! The peer on `PostgreSQL`: one prepared call of one function per redemption.
//!
//! A connection runs one transaction after another, each of which waits for the flush of its commit. So there are many
//! connections, whose commits share flushes; on each of them requests are pipelined, so that a backend finds its next
//! one waiting.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_api::problem::{Code, Problem, Result as Answered};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, Row, Statement};

use crate::app::{App, router};
use crate::codes::{self, Issued, code_hash};
use crate::failure::Result;
use crate::serve::serve;
use crate::servers::Server;
use crate::store::{Attempt, CURRENCY, DISCOUNT, Decided, MINIMUM_SPEND, STOCK, Store, Sums};
use crate::{Common, Limits};

/// As many as there are budget slots of a stock.
const SLOTS: usize = 64;

/// 1 to 2 KB of log each, 64 MB per segment.
const REDEMPTIONS_PER_SEGMENT: usize = 32_000;

/// 1 GB, which is minutes of redemptions.
const MOST_SEGMENTS: usize = 16;

const SCHEMA: &str = include_str!("postgres/schema.sql");
const REDEEM: &str = include_str!("postgres/redeem.sql");

/// 14 arguments, as the function declares them.
const CALL: &str = "SELECT * FROM redeem($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

struct Postgres {
    connections: Vec<Connection>,
    next: AtomicUsize,
    device_limit: i32,
    key_id: String,
}

struct Connection {
    client: Client,
    redeem: Statement,
    slot: i32,
}

/// Serves until it is told to end.
pub(crate) async fn run(
    common: Common,
    limits: Limits,
    database_url: Option<String>,
    connections: usize,
) -> Result<()> {
    let server = if database_url.is_none() { Some(Server::postgres().await?) } else { None };
    let url = database_url.or_else(|| server.as_ref().map(|server| server.url.clone())).unwrap_or_default();
    let issued = Issued::make(common.codes, common.out.as_deref())?;
    fill(&url, &issued.codes, limits, server.is_some()).await?;
    let mut open = Vec::new();
    for number in 0..connections.max(1) {
        let client = connect(&url).await?;
        let redeem = client.prepare(CALL).await?;
        open.push(Connection { client, redeem, slot: (number % SLOTS) as i32 });
    }
    let store = Postgres {
        connections: open,
        next: AtomicUsize::default(),
        device_limit: limits.device_limit,
        key_id: issued.key.id.clone(),
    };
    let served = serve(&common, router(App { key: issued.key, store })).await;
    if let Some(server) = server {
        server.stop().await?;
    }
    served
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // An error of the connection reaches whoever waits for an answer on it.
    tokio::spawn(connection);
    Ok(client)
}

/// The schema, the one stock, and the codes; all in one transaction, as a bulk load is done.
async fn fill(url: &str, codes: &[codes::Code], limits: Limits, own: bool) -> Result<()> {
    let mut client = connect(url).await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(SCHEMA).await?;
    let budget = limits.budget.unwrap_or(codes.len() as i64 * DISCOUNT);
    let stock =
        "INSERT INTO stocks VALUES ($1, $2, $3, $4, now() - interval '1 day', now() + interval '1 year', $5, $6)";
    transaction.execute(stock, &[&STOCK, &DISCOUNT, &MINIMUM_SPEND, &CURRENCY, &limits.user_limit, &budget]).await?;
    let slots = "INSERT INTO budget_slots \
        SELECT $1, slot, $2::bigint / $3 + CASE WHEN slot < $2::bigint % $3 THEN 1 ELSE 0 END \
        FROM generate_series(0, $3::int - 1) slot";
    transaction.execute(slots, &[&STOCK, &budget, &(SLOTS as i32)]).await?;
    let copy = "COPY coupons (coupon_id, stock_id, code_hash) FROM STDIN (FORMAT binary, FREEZE)";
    let sink = transaction.copy_in(copy).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT8, Type::INT4, Type::BYTEA]));
    for (number, code) in (1_i64..).zip(codes) {
        writer.as_mut().write(&[&number, &STOCK, &code_hash(code).as_slice()]).await?;
    }
    writer.finish().await?;
    transaction.batch_execute("ALTER TABLE coupons ADD PRIMARY KEY (code_hash)").await?;
    transaction.batch_execute(REDEEM).await?;
    transaction.commit().await?;
    client.batch_execute("VACUUM ANALYZE").await?;
    if own {
        warm_up(&client, codes.len()).await?;
    }
    Ok(())
}

/// What a server that has run for a day has behind it: the coupons are in memory, which a bulk load passes by, and used
/// segments of its log lie ready to be written again, so that none must be made during a measurement.
async fn warm_up(client: &Client, codes: usize) -> Result<()> {
    client.batch_execute("CREATE EXTENSION pg_prewarm").await?;
    client.batch_execute("SELECT pg_prewarm('coupons'), pg_prewarm('coupons_pkey')").await?;
    for _ in 0..(codes / REDEMPTIONS_PER_SEGMENT).min(MOST_SEGMENTS) {
        client.batch_execute("SELECT pg_current_xact_id()").await?;
        client.batch_execute("SELECT pg_switch_wal()").await?;
    }
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}

impl Store for Postgres {
    async fn redeem(&self, attempt: &Attempt) -> Answered<Decided> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let Connection { client, redeem, slot } = &self.connections[number];
        let Attempt { request, .. } = attempt;
        let at = UNIX_EPOCH + Duration::from_millis(attempt.at_ms as u64);
        let row = client
            .query_one(
                redeem,
                &[
                    &attempt.idempotency_key,
                    &attempt.body_hash.as_slice(),
                    &attempt.code_hash.as_slice(),
                    &request.order.id,
                    &request.order.amount,
                    &request.order.currency,
                    &request.user_id,
                    &request.context.device_id,
                    &request.context.ip,
                    &at,
                    &(attempt.at_ms / 60_000),
                    slot,
                    &self.device_limit,
                    &self.key_id,
                ],
            )
            .await
            .map_err(failed)?;
        decided(&row).map_err(failed)
    }

    async fn audit(&self) -> Answered<Sums> {
        let sums = "SELECT \
            (SELECT count(*) FROM coupons WHERE state = 'redeemed'), \
            (SELECT count(*) FROM audit), \
            (SELECT sum(budget)::bigint FROM stocks) - (SELECT sum(remaining)::bigint FROM budget_slots)";
        let row = self.connections[0].client.query_one(sums, &[]).await.map_err(failed)?;
        let sum = |place: usize| row.try_get::<_, i64>(place).map_err(failed);
        Ok(Sums { redeemed: sum(0)?, audit_rows: sum(1)?, budget_used: sum(2)? })
    }
}

fn decided(row: &Row) -> Result<Decided, tokio_postgres::Error> {
    let redeemed_at = row.try_get::<_, Option<SystemTime>>(3)?.unwrap_or(UNIX_EPOCH);
    Ok(Decided {
        replayed: row.try_get(0)?,
        outcome: row.try_get(1)?,
        redemption_id: row.try_get::<_, Option<_>>(2)?.unwrap_or_default(),
        redeemed_at_ms: redeemed_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64,
        redeemed_by_order: row.try_get::<_, Option<_>>(4)?.unwrap_or_default(),
        coupon_id: row.try_get::<_, Option<_>>(5)?.unwrap_or_default(),
        stock_id: row.try_get::<_, Option<_>>(6)?.unwrap_or_default(),
        discount: row.try_get::<_, Option<_>>(7)?.unwrap_or_default(),
    })
}

/// What the database itself refused has been rolled back; of a broken connection nobody knows.
fn failed(error: tokio_postgres::Error) -> Problem {
    eprintln!("peers: {error}: {:?}", error.as_db_error());
    match error.as_db_error() {
        Some(_) => Problem::internal(error),
        None => Problem::of(Code::OutcomeUnknown),
    }
}
