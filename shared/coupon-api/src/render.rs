//! From an applied record to its answer: the same bytes on every instance, whenever it is asked for.

use std::sync::Arc;

use coupon::event::{
    Claim, Decision, Event, Lock, Note, OperationKind, OrderSummary, Part, Pseudonym, Redemption, Reversal,
    ReversedPart,
};
use coupon::fold::At;
use coupon::id::{
    BatchId, CouponId, DecisionId, LedgerRef, LoadTestId, LockId, MerchantId, OperationId, RedemptionId, ReversalId,
    StockId, StoreId,
};
use coupon::record::Entry;
use coupon::state::{LoadTestRow, Stock};
use http::StatusCode;
use http_api::axum::http;
use http_api::idempotency::Answer;
use http_api::problem::Problem;
use http_api::time::format_ms;
use serde_json::{Value, json};

use crate::dto::answer::{
    ClaimView, LockView, NoteView, OrderView, PartView, RedemptionView, ReversalView, ReversedView, ShareView,
    coupon_state, decision,
};
use crate::dto::context::Location;
use crate::dto::load_test::load_test_view;
use crate::dto::stock::{StockView, stock_view};
use crate::secrets::Secrets;

mod penalty;
mod risk;

/// A record that applied.
pub struct Rendered<'a> {
    /// Where it stands.
    pub at: At,
    /// The running number that it was given, or 0.
    pub number: u64,
    /// The record.
    pub entry: &'a Entry,
}

/// What an answer needs beside its record; all of it follows from the log up to that record.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// A merchant's own code, where the claimed coupon has one.
    pub own_code: Option<Arc<str>>,
    /// The stock as the record left it, where it changed one.
    pub stock: Option<Stock>,
    /// The user's id in clear, where it is at hand.
    pub user_id: Option<String>,
}

/// The number of a claimed coupon whose code is the merchant's own and must be looked up.
pub fn imported_number(it: &Rendered<'_>) -> Option<u64> {
    match first_event(it) {
        Some(Event::CouponClaimed(claim)) if claim.imported => Some(it.number),
        _ => None,
    }
}

/// The stock that a record made or changed, which its answer shows whole.
pub fn changed_stock(it: &Rendered<'_>) -> Option<u64> {
    match first_event(it)? {
        Event::StockCreated(_) | Event::RehearsalOpened(_) => Some(it.at.sequence),
        Event::StockChanged(stock, _)
        | Event::StockMoved(stock, ..)
        | Event::TotalSet(stock, _)
        | Event::BudgetSet(stock, _)
        | Event::LimitsSet(stock, _) => Some(*stock),
        _ => None,
    }
}

fn first_event<'a>(it: &Rendered<'a>) -> Option<&'a Event> {
    match it.entry {
        Entry::Guarded(record) => record.events.first(),
        Entry::Fences(_) | Entry::Cancel(_) => None,
    }
}

/// The answer to the request behind a record.
pub fn answer(
    secrets: &Secrets,
    merchant: MerchantId,
    livemode: bool,
    it: &Rendered<'_>,
    beside: &Beside,
) -> Result<Answer, Problem> {
    if let Some(number) = changed_stock(it) {
        let stock = beside.stock.as_ref().ok_or_else(|| Problem::internal("a changed stock without its state"))?;
        let status = if it.at.sequence == number { StatusCode::CREATED } else { StatusCode::OK };
        return Answer::json(status, &stock_with_more(stock_view(StockId::new(merchant, number), stock, livemode), it));
    }
    let Some(event) = first_event(it) else { return Err(Problem::internal("a record without events")) };
    if let Some(answer) = risk::answer(secrets, merchant, it, event) {
        return answer;
    }
    let scene = Scene { secrets, merchant, livemode, at: it.at, user_id: beside.user_id.as_deref() };
    match event {
        Event::CouponClaimed(claim) => {
            Answer::json(StatusCode::CREATED, &scene.claim(claim, it.number, beside.own_code.as_deref()))
        }
        Event::CouponsLocked(lock) => Answer::json(StatusCode::CREATED, &scene.lock(lock)),
        Event::CouponsRedeemed(redemption) => Answer::json(StatusCode::CREATED, &scene.redemption(redemption)),
        Event::RedemptionReversed(reversal) => Answer::json(StatusCode::CREATED, &scene.reversal(reversal)),
        Event::Penalty(_) | Event::Appeal(_) | Event::RiskSettingsSet(_) | Event::PenaltyLadderSet(_) => {
            penalty::answer(&scene, event, it.entry)
        }
        other => {
            let (status, body) = scene.plain(other, it.entry)?;
            Answer::json(status, &body)
        }
    }
}

/// With what the record says of the stock beyond the stock itself.
fn stock_with_more(view: StockView, it: &Rendered<'_>) -> StockView {
    let Entry::Guarded(record) = it.entry else { return view };
    record.events.iter().fold(view, |view, event| match event {
        Event::RedemptionsExpected(_, expected) => view.expecting(Some(*expected)),
        Event::RehearsalOpened(rehearsal) => {
            view.twin_of(StockId::new(record.merchant.real(), rehearsal.of), rehearsal.until)
        }
        _ => view,
    })
}

/// What every part of an answer needs.
pub struct Scene<'a> {
    /// Opens what is sealed, makes codes.
    pub secrets: &'a Secrets,
    /// Whose record it is.
    pub merchant: MerchantId,
    /// Of a live merchant.
    pub livemode: bool,
    /// Where the record stands.
    pub at: At,
    /// The user's id in clear, where it is at hand.
    pub user_id: Option<&'a str>,
}

impl Scene<'_> {
    fn decision(&self, it: &Decision) -> crate::dto::answer::DecisionView {
        decision(DecisionId::new(self.merchant, self.at.sequence), it)
    }

    fn ledger_ref(&self) -> String {
        LedgerRef(self.at.sequence).to_string()
    }

    /// What is sealed under a user's key names the user; other seals do not.
    fn user_id(&self, user: Option<Pseudonym>, sealed: &[u8]) -> Option<String> {
        let user = user?;
        self.user_id.map(str::to_owned).or_else(|| self.secrets.open(self.merchant, user, sealed).user_id)
    }

    /// A claim.
    pub fn claim(&self, claim: &Claim, number: u64, own_code: Option<&str>) -> ClaimView {
        let code = own_code.map_or_else(|| self.secrets.codes(self.merchant).encode(number).to_string(), str::to_owned);
        ClaimView {
            coupon_id: CouponId::new(self.merchant, number).to_string(),
            code,
            stock_id: StockId::new(self.merchant, claim.stock).to_string(),
            user_id: self.user_id(Some(claim.user), &claim.sealed),
            state: "claimed",
            valid_from: format_ms(claim.valid_from),
            valid_until: format_ms(claim.valid_until),
            uses_left: claim.uses,
            channel: claim.channel.clone(),
            claimed_at: format_ms(self.at.time),
            decision: self.decision(&claim.decision),
            livemode: self.livemode,
            ledger_ref: self.ledger_ref(),
            note: note(&claim.note),
        }
    }

    /// A lock as it was made.
    pub fn lock(&self, lock: &Lock) -> LockView {
        LockView {
            id: LockId::new(self.merchant, self.at.sequence).to_string(),
            token: Some(token(&lock.token)),
            state: "locked",
            expires_at: format_ms(lock.expires_at),
            order: order(&lock.order),
            coupons: lock.parts.iter().map(|it| part(self.merchant, it)).collect(),
            decision: Some(self.decision(&lock.decision)),
            livemode: self.livemode,
            ledger_ref: self.ledger_ref(),
            note: note(&lock.note),
        }
    }

    /// A redemption as it was made.
    pub fn redemption(&self, redemption: &Redemption) -> RedemptionView {
        let actor = &redemption.actor;
        RedemptionView {
            id: RedemptionId::new(self.merchant, self.at.sequence).to_string(),
            state: "redeemed",
            redeemed_at: format_ms(self.at.time),
            order: order(&redemption.order),
            coupons: redemption.parts.iter().map(|it| part(self.merchant, it)).collect(),
            lock_id: redemption.lock.map(|lock| LockId::new(self.merchant, lock).to_string()),
            user_id: self.user_id(actor.user, &redemption.sealed),
            store_id: actor.store.map(|store| StoreId::new(self.merchant.real(), store).to_string()),
            cashier_id: actor.cashier.clone(),
            terminal_id: actor.terminal.clone(),
            decision: self.decision(&redemption.decision),
            livemode: self.livemode,
            ledger_ref: self.ledger_ref(),
            note: note(&redemption.note),
        }
    }

    /// A reversal as it was made.
    pub fn reversal(&self, reversal: &Reversal) -> ReversalView {
        ReversalView {
            id: Some(ReversalId::new(self.merchant, self.at.sequence).to_string()),
            reversed_at: Some(format_ms(self.at.time)),
            ledger_ref: Some(self.ledger_ref()),
            ..reversal_preview(self.merchant, self.livemode, reversal)
        }
    }

    /// Answers without a shape of their own.
    fn plain(&self, event: &Event, entry: &Entry) -> Result<(StatusCode, Value), Problem> {
        let ok = |body: Value| Ok((StatusCode::OK, body));
        let created = |body: Value| Ok((StatusCode::CREATED, body));
        let sequence = self.at.sequence;
        match event {
            Event::MerchantCreated(profile) => created(json!({
                "id": MerchantId(sequence as u32).to_string(),
                "name": profile.name,
                "time_zone": profile.zone.0.name(),
                "mode": if profile.livemode { "live" } else { "test" },
                "livemode": profile.livemode,
                "created_at": format_ms(self.at.time),
            })),
            Event::QuotasSet(merchant, quotas) => ok(json!({
                "merchant_id": merchant.to_string(),
                "create_per_second": quotas.create_per_second,
                "redeem_per_second": quotas.redeem_per_second,
                "import_per_minute": quotas.import_per_minute,
            })),
            Event::ApiKeyCreated(key) => {
                let mut body = json!({
                    "key_id": key.key_id,
                    "secret": self.secrets.api_secret(&key.key_id),
                    "name": key.name,
                    "role": key.role,
                    "merchant_id": key.merchant.map(|merchant| merchant.to_string()),
                    "store_ids": key.stores.as_ref().zip(key.merchant).map(|(stores, merchant)| {
                        stores.iter().map(|store| StoreId::new(merchant, *store).to_string()).collect::<Vec<_>>()
                    }),
                    "livemode": key.livemode,
                    "created_at": format_ms(self.at.time),
                });
                if let Some(until) = old_key_ends(entry) {
                    body["old_key_expires_at"] = format_ms(until).into();
                }
                created(body)
            }
            Event::ApiKeyEnds(_, at) => ok(json!({"deleted": true, "expires_at": format_ms(*at)})),
            Event::StoreCreated(store) => created(json!({
                "id": StoreId::new(self.merchant, sequence).to_string(),
                "name": store.name,
                "location": store.location.map(Location::from),
                "created_at": format_ms(self.at.time),
                "livemode": self.livemode,
            })),
            Event::CodesMade(made) => Ok((StatusCode::ACCEPTED, self.codes_made(made))),
            Event::BatchVoided(batch, reason) => ok(json!({
                "id": BatchId::new(self.merchant, *batch).to_string(), "state": "voided", "reason": reason,
                "ledger_ref": self.ledger_ref(), "livemode": self.livemode,
            })),
            Event::LockExtended(lock, until) => ok(json!({
                "id": LockId::new(self.merchant, *lock).to_string(), "state": "locked",
                "expires_at": format_ms(*until), "ledger_ref": self.ledger_ref(), "livemode": self.livemode,
            })),
            Event::LockReleased(lock, reason) => ok(json!({
                "id": LockId::new(self.merchant, *lock).to_string(), "state": "released",
                "reason": release_reason(*reason), "ledger_ref": self.ledger_ref(), "livemode": self.livemode,
            })),
            Event::CouponVoided(void) => ok(json!({
                "coupon_id": CouponId::new(self.merchant, void.coupon).to_string(), "state": "voided",
                "reason": void.reason, "ledger_ref": self.ledger_ref(), "livemode": self.livemode,
            })),
            Event::LoadTestStored(test) => {
                let view =
                    load_test_view(LoadTestId::new(self.merchant, sequence), &LoadTestRow::of(test, self.at.time));
                created(serde_json::to_value(view).map_err(Problem::internal)?)
            }
            Event::OperationStarted(operation) => Ok((
                StatusCode::ACCEPTED,
                json!({
                    "id": OperationId::new(self.merchant, sequence).to_string(),
                    "kind": operation_kind(operation.kind),
                    "stock_id": StockId::new(self.merchant, operation.stock).to_string(),
                    "created_at": format_ms(self.at.time),
                    "livemode": self.livemode,
                    "state": if operation.total == 0 { "done" } else { "running" },
                    "total": operation.total, "done": 0, "failed": 0,
                    "result_url": format!("/v1/operations/{}/result", OperationId::new(self.merchant, sequence)),
                }),
            )),
            _ => Err(Problem::internal("a record that answers no request")),
        }
    }

    fn codes_made(&self, made: &coupon::event::CodesMade) -> Value {
        let sequence = self.at.sequence;
        let batch = BatchId::new(self.merchant, sequence);
        let result_url = format!("/v1/code-batches/{batch}/codes?format=csv");
        json!({
            "id": batch.to_string(),
            "batch_id": batch.to_string(),
            "stock_id": StockId::new(self.merchant, made.stock).to_string(),
            "count": made.count,
            "label": made.label,
            "operation_id": OperationId::new(self.merchant, sequence).to_string(),
            "state": "done",
            "total": made.count,
            "done": made.count,
            "failed": 0,
            "created_at": format_ms(self.at.time),
            "livemode": self.livemode,
            "result_url": result_url,
            "ledger_ref": self.ledger_ref(),
        })
    }
}

fn old_key_ends(entry: &Entry) -> Option<i64> {
    let Entry::Guarded(record) = entry else { return None };
    record.events.iter().find_map(|event| match event {
        Event::ApiKeyEnds(_, at) => Some(*at),
        _ => None,
    })
}

/// A reversal without what only its record gives.
pub fn reversal_preview(merchant: MerchantId, livemode: bool, reversal: &Reversal) -> ReversalView {
    ReversalView {
        id: None,
        redemption_id: RedemptionId::new(merchant, reversal.redemption).to_string(),
        redemption_state: if reversal.whole { "reversed" } else { "partially_reversed" },
        coupons: reversal.parts.iter().map(|it| reversed(merchant, it)).collect(),
        refund_id: reversal.refund_id.clone(),
        reason: reversal.reason.clone(),
        reversed_at: None,
        livemode,
        ledger_ref: None,
        note: note(&reversal.note),
    }
}

/// A lock's token as callers hold it.
pub fn token(token: &[u8; 16]) -> String {
    hex::encode(token)
}

/// As the API spells it.
pub fn release_reason(reason: coupon::event::ReleaseReason) -> &'static str {
    match reason {
        coupon::event::ReleaseReason::PaymentFailed => "payment_failed",
        coupon::event::ReleaseReason::Abandoned => "abandoned",
        coupon::event::ReleaseReason::Changed => "changed",
    }
}

/// As the API spells it.
pub fn operation_kind(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::MakeCodes => "make_codes",
        OperationKind::ImportCodes => "import_codes",
        OperationKind::Send => "send",
    }
}

/// The caller's notes.
pub fn note(note: &Note) -> NoteView {
    NoteView { reference: note.reference.clone(), metadata: note.metadata.clone() }
}

/// An order.
pub fn order(order: &OrderSummary) -> OrderView {
    OrderView {
        id: order.id.clone(),
        amount: order.amount,
        discount: order.discount,
        payable: order.payable,
        currency: order.currency.to_string(),
    }
}

/// A coupon's part.
pub fn part(merchant: MerchantId, part: &Part) -> PartView {
    PartView {
        coupon_id: CouponId::new(merchant, part.coupon).to_string(),
        stock_id: StockId::new(merchant, part.stock).to_string(),
        uses: part.uses,
        discount: part.discount,
        uses_left: part.uses_left,
        lines: part
            .shares
            .iter()
            .filter(|share| !share.line.is_empty())
            .map(|share| ShareView { line_id: share.line.clone(), discount: share.discount })
            .collect(),
        uses_reversed: None,
        discount_returned: None,
    }
}

fn reversed(merchant: MerchantId, part: &ReversedPart) -> ReversedView {
    ReversedView {
        coupon_id: CouponId::new(merchant, part.coupon).to_string(),
        stock_id: StockId::new(merchant, part.stock).to_string(),
        state: coupon_state(part.state),
        uses: part.uses,
        uses_left: part.uses_left,
        discount_returned: part.discount_returned,
    }
}
