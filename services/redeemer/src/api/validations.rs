//! Validations: what a redemption would come to. Nothing changes.

use axum::extract::State;
use coupon::command::CouponRef;
use coupon::decide::Scene;
use coupon::decision::Asked;
use coupon::rejection::Refusal;
use coupon_api::backend::Attempt;
use coupon_api::dto::answer::{OrderView, PartView};
use coupon_api::dto::order::UseRequest;
use coupon_api::{refusal, render};
use http_api::auth::Role;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::Problem;
use http_api::quota::QuotaClass;
use serde_json::json;

use super::usage;
use crate::state::Redeemer;

/// What a redemption would come to
///
/// Answers 200 whether or not the coupons may be redeemed; `problems` say what stands against it. A shopper's
/// validation counts for the limits of device and address like any attempt.
#[utoipa::path(post, path = "/v1/validations", tag = "Redemptions", request_body = UseRequest,
    responses((status = 200, description = "`{redeemable, order, coupons}`", body = serde_json::Value)))]
pub(super) async fn validate(State(state): State<Redeemer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let merchant = call.merchant()?;
    let parsed = call.parse::<UseRequest>()?;
    let merchant = usage::place(&state, merchant, &parsed.body);
    call.limit_at(merchant, QuotaClass::Redeem)?;
    let named: Vec<_> = parsed.body.coupons.iter().map(|c| (c.code.clone(), c.coupon_id.clone())).collect();
    let order = (parsed.body.order.id.clone(), parsed.body.order.amount, parsed.body.order.currency.to_string());
    let checked = usage::check(&call, merchant, parsed.body)?;
    let command = checked.command(&state, &call, merchant, Asked::Redemption)?;
    if command.coupons.iter().any(|(coupon, _)| *coupon == CouponRef::Unknown) {
        (state.backend.attempts)(merchant, Attempt::WrongCode, command.decision.device, command.decision.ip);
    }
    let numbers: Vec<Option<u64>> = command
        .coupons
        .iter()
        .map(|(coupon, _)| match coupon {
            CouponRef::Number(number) => Some(*number),
            CouponRef::Imported(_) | CouponRef::Unknown => None,
        })
        .collect();
    let outcome = state
        .look(merchant, move |shard, _, now| {
            let scene = Scene { view: shard, merchant, now };
            coupon::decide::preview(scene, &command)
        })
        .await?;
    match outcome {
        Ok(evaluation) => {
            let parts: Vec<PartView> = evaluation.parts.iter().map(|part| render::part(merchant, part)).collect();
            let order: OrderView = render::order(&evaluation.order);
            Answer::ok(&json!({"redeemable": true, "order": order, "coupons": parts}))
        }
        Err(refusal) => Answer::ok(&refused(merchant, &refusal, &named, &numbers, &order)),
    }
}

fn refused(
    merchant: coupon::id::MerchantId,
    refusal: &Refusal,
    named: &[(Option<String>, Option<String>)],
    numbers: &[Option<u64>],
    (id, amount, currency): &(String, i64, String),
) -> serde_json::Value {
    let shown = |rejection: &coupon::rejection::Rejection| {
        let problem = refusal::problem(merchant, &rejection.clone().into());
        let mut shown = json!({"code": problem.code.as_str(), "detail": problem.detail});
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(problem.extra);
        }
        shown
    };
    let coupons: Vec<_> = named
        .iter()
        .enumerate()
        .map(|(i, (code, coupon_id))| {
            let problem = refusal.problems.iter().find(|(at, _)| *at == i).map(|(_, rejection)| shown(rejection));
            let coupon_id = coupon_id.clone().or_else(|| {
                let number = numbers.get(i).copied().flatten()?;
                Some(coupon::id::CouponId::new(merchant, number).to_string())
            });
            let mut entry = json!({"coupon_id": coupon_id, "code": code});
            if let Some(problem) = problem {
                entry["problem"] = problem;
            }
            entry
        })
        .collect();
    json!({
        "redeemable": false,
        "order": {"id": id, "amount": amount, "discount": 0, "payable": amount, "currency": currency},
        "coupons": coupons,
        "problem": shown(&refusal.rejection),
    })
}
