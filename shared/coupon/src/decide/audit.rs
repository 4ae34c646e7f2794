//! Which commands are deeds that are asked for later, and what they are done to.

use crate::audit::AuditObject;
use crate::case::CaseStep;
use crate::command::{Command, Step};
use crate::decide::Scene;
use crate::id::{
    AppealId, BatchId, CaseId, CouponId, DecisionId, ListId, MerchantId, ModelId, PLATFORM, PenaltyId, RuleSetId,
    SnoozeId, StockId, UserId,
};
use crate::list::ListStep;
use crate::penalty::Act;
use crate::snooze::SnoozeStep;
use crate::state::{Read, View};
use crate::user::UserStep;

/// What a command is called, and its object; `None` of what the service is for, and of ticks.
pub(super) fn deed<V: View + ?Sized>(scene: Scene<'_, V>, command: &Command) -> Option<(&'static str, AuditObject)> {
    let id = |id: String| AuditObject::Id(id);
    let stock = |number: u64| id(StockId::new(scene.merchant, number).to_string());
    Some(match command {
        Command::CreateMerchant(_) => ("merchant.create", made("mer_")),
        Command::SetQuotas(merchant, _) => ("merchant.set_quotas", id(MerchantId::to_string(merchant))),
        Command::CreateKey(key) => ("key.create", id(key.key_id.clone())),
        Command::RotateKey(_, old, _) => ("key.rotate", id(key_id(scene, *old))),
        Command::EndKey(hash) => ("key.end", id(key_id(scene, *hash))),
        Command::CreateStore(..) => ("store.create", made("str_")),
        Command::CreateStock(..) => ("stock.create", made("stk_")),
        Command::ChangeStock(number, _) => ("stock.change", stock(*number)),
        Command::MoveStock(number, step, _) => (moved(*step), stock(*number)),
        Command::SetTotal(number, ..) => ("stock.set_total", stock(*number)),
        Command::SetBudget(number, ..) => ("stock.set_budget", stock(*number)),
        Command::SetLimit(number, ..) => ("stock.set_limit", stock(*number)),
        Command::MakeCodes(..) => ("codes.make", made("bat_")),
        Command::VoidBatch(number, _) => ("codes.void", id(BatchId::new(scene.merchant, *number).to_string())),
        Command::VoidCoupon(number, _) => ("coupon.void", id(CouponId::new(scene.merchant, *number).to_string())),
        Command::StartOperation(_) => ("operation.start", made("op_")),
        Command::OpenRehearsal(_) => ("rehearsal.open", made("stk_")),
        Command::StoreLoadTest(_) => ("load_test.store", made("ldt_")),
        Command::PushRules(pushed) => ("ruleset.push", pushed.ruleset.map_or_else(|| made("rls_"), ruleset)),
        Command::MoveRules(moved) => (moved.step.name(), ruleset(moved.ruleset)),
        Command::SetLabels(labels) => {
            let decision = labels.first().map_or(0, |label| label.decision);
            ("label.set", id(DecisionId::new(scene.merchant, decision).to_string()))
        }
        Command::StepCase(stepped, _) => (stepped.step.deed(), case(scene, stepped.case, &stepped.step)),
        Command::StepSnooze(stepped) => match stepped.step {
            SnoozeStep::Begin(_) => ("snooze.begin", made("snz_")),
            SnoozeStep::End(number) => ("snooze.end", id(SnoozeId::new(scene.merchant, number).to_string())),
        },
        Command::StepList(stepped) => match stepped.step {
            ListStep::Make(_) => ("list.make", made("lst_")),
            ListStep::Add(_) => ("list.add", id(ListId::new(scene.merchant, stepped.list).to_string())),
            ListStep::Remove(..) => ("list.remove", id(ListId::new(scene.merchant, stepped.list).to_string())),
        },
        Command::PushModel(pushed) => ("model.push", pushed.ruleset.map_or_else(|| made("mdl_"), model)),
        Command::MoveModel(moved) => ("model.move", model(moved.ruleset)),
        Command::Impose(_) => ("penalty.impose", made("pen_")),
        Command::MovePenalty(number, act, _) => {
            let what = if matches!(act, Act::Approve(_)) { "penalty.approve" } else { "penalty.lift" };
            (what, id(PenaltyId::new(scene.merchant, *number).to_string()))
        }
        Command::Appeal(_) => ("appeal.make", made("apl_")),
        Command::ResolveAppeal(it) => ("appeal.resolve", id(AppealId::new(scene.merchant, it.appeal).to_string())),
        Command::SetRiskSettings(..) => ("risk_settings.set", id(scene.merchant.to_string())),
        Command::SetPenaltyLadder(..) => ("penalty_ladder.set", id("penalty_ladder".to_owned())),
        Command::ResetBreaker(_) => ("breaker.reset", id(scene.merchant.to_string())),
        Command::StepUser(stepped) => match user_deed(&stepped.step) {
            (what, true) => (what, made("usr_")),
            (what, false) => (what, id(UserId::new(scene.merchant, stepped.user).to_string())),
        },
        _ => return None,
    })
}

/// What it is called, and whether it makes the user.
fn user_deed(step: &UserStep) -> (&'static str, bool) {
    match step {
        UserStep::Create(..) => ("user.create", true),
        UserStep::Link(_) => ("user.link", false),
        UserStep::SetPassword(_) => ("user.set_password", false),
        UserStep::SignIn(_) => ("user.sign_in", false),
        UserStep::SignOut => ("user.sign_out", false),
        UserStep::Disable => ("user.disable", false),
    }
}

fn made(prefix: &str) -> AuditObject {
    AuditObject::Made(prefix.to_owned())
}

fn ruleset(number: u64) -> AuditObject {
    AuditObject::Id(RuleSetId::new(PLATFORM, number).to_string())
}

fn model(number: u64) -> AuditObject {
    AuditObject::Id(ModelId::new(PLATFORM, number).to_string())
}

fn moved(step: Step) -> &'static str {
    match step {
        Step::Activate { .. } => "stock.activate",
        Step::Pause => "stock.pause",
        Step::Resume => "stock.resume",
        Step::Close => "stock.close",
    }
}

/// A key's id, where the key is known by its hash.
fn key_id<V: View + ?Sized>(scene: Scene<'_, V>, hash: [u8; 16]) -> String {
    scene.view.api_key(scene.merchant, hash).map(|row| row.key.key_id.clone()).unwrap_or_default()
}

/// An opening adds to the subject's open case, if there is one.
fn case<V: View + ?Sized>(scene: Scene<'_, V>, named: u64, step: &CaseStep) -> AuditObject {
    let number = match step {
        CaseStep::Open(opening) => {
            opening.subject.and_then(|subject| scene.view.open_case(scene.merchant, subject).copied())
        }
        _ => Some(named),
    };
    number.map_or_else(|| made("case_"), |number| AuditObject::Id(CaseId::new(scene.merchant, number).to_string()))
}
