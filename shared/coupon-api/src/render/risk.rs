//! Answers to what people do about risk, and to what is done with people.

use coupon::event::Event;
use coupon::id::{DecisionId, MerchantId};
use coupon::label::LabelSet;
use coupon::list::ListStep;
use coupon::record::Entry;
use coupon::snooze::SnoozeStep;
use http_api::axum::http::StatusCode;
use http_api::idempotency::Answer;
use http_api::problem::Problem;

use super::Rendered;
use crate::challenge;
use crate::dto::answer::decision;
use crate::dto::breaker::breaker_reset;
use crate::dto::case::case_stepped;
use crate::dto::label::{LabelOf, label_set, labels_of};
use crate::dto::list::list_stepped;
use crate::dto::ruleset::{model_id, rules_moved, rules_pushed, ruleset_id};
use crate::dto::snooze::{snooze_begun, snooze_ended};
use crate::dto::user;
use crate::secrets::Secrets;

/// The answer, where the event is about risk.
pub(super) fn answer(
    secrets: &Secrets,
    merchant: MerchantId,
    it: &Rendered<'_>,
    event: &Event,
) -> Option<Result<Answer, Problem>> {
    let at = it.at;
    Some(match event {
        Event::RulesPushed(pushed) => {
            Answer::json(StatusCode::CREATED, &rules_pushed(ruleset_id, pushed, it.number, at))
        }
        Event::RulesMoved(moved) => Answer::json(StatusCode::OK, &rules_moved(ruleset_id, moved, it.number, at)),
        Event::ModelPushed(pushed) => Answer::json(StatusCode::CREATED, &rules_pushed(model_id, pushed, it.number, at)),
        Event::ModelMoved(moved) => Answer::json(StatusCode::OK, &rules_moved(model_id, moved, it.number, at)),
        Event::ListStepped(stepped) => {
            let status =
                if matches!(stepped.step, ListStep::Remove(..)) { StatusCode::OK } else { StatusCode::CREATED };
            Answer::json(status, &list_stepped(secrets, merchant, stepped, at))
        }
        Event::LabelSet(set) => {
            Answer::json(StatusCode::CREATED, &label_set(merchant, set, labels(merchant, it), it.number, at))
        }
        Event::CaseStepped(stepped) => {
            let ids = labels(merchant, it).into_iter().map(|label| label.id).collect();
            let (status, body) = case_stepped(merchant, stepped, it.number, at, ids);
            body.map_err(Problem::internal).and_then(|body| Answer::json(status, &body))
        }
        Event::SnoozeStepped(stepped) => match &stepped.step {
            SnoozeStep::Begin(what) => {
                Answer::json(StatusCode::CREATED, &snooze_begun(merchant, what, &stepped.by, at))
            }
            SnoozeStep::End(number) => Answer::json(StatusCode::OK, &snooze_ended(merchant, *number, at)),
        },
        Event::BreakerReset(reset) => Answer::ok(&breaker_reset(merchant, reset, at)),
        Event::ChallengeAnswered(answered) => {
            Answer::json(StatusCode::CREATED, &challenge::answered(secrets, merchant, answered, at))
        }
        Event::Decided(kept) => {
            let id = DecisionId::new(merchant, at.sequence);
            Answer::json(StatusCode::CREATED, &decision(id, &kept.decision))
        }
        Event::UserStepped(stepped) => user::stepped(secrets, stepped, at),
        _ => return None,
    })
}

/// The labels that the record set.
fn labels(merchant: MerchantId, it: &Rendered<'_>) -> Vec<LabelOf> {
    let events = match it.entry {
        Entry::Guarded(record) => record.events.as_slice(),
        Entry::Fences(_) | Entry::Cancel(_) => &[],
    };
    let sets = events.iter().filter_map(|event| match event {
        Event::LabelSet(set) => Some::<&LabelSet>(set),
        _ => None,
    });
    labels_of(merchant, it.at, sets)
}
