//! Answers about penalties, appeals and what is set.

use coupon::appeal::{AppealRow, AppealStep};
use coupon::event::Event;
use coupon::id::{DecisionId, PenaltyId};
use coupon::record::Entry;
use http::StatusCode;
use http_api::axum::http;
use http_api::idempotency::Answer;
use http_api::problem::Problem;

use super::Scene;
use crate::dto::penalty::{
    AppealLabelView, appeal_view, kept, ladder_view, penalty_after, resolved_view, settings_view,
};

pub(super) fn answer(scene: &Scene<'_>, event: &Event, entry: &Entry) -> Result<Answer, Problem> {
    let (merchant, livemode) = (scene.merchant, scene.livemode);
    let (sequence, at) = (scene.at.sequence, scene.at.time);
    match event {
        Event::Penalty(step) => {
            let status = match **step {
                coupon::penalty::PenaltyStep::Imposed(_) => StatusCode::CREATED,
                coupon::penalty::PenaltyStep::Moved(_) => StatusCode::OK,
            };
            let view = penalty_after(PenaltyId::new(merchant, sequence), step, at, livemode);
            Answer::json(status, &view.ok_or_else(|| Problem::internal("a step of a penalty that was not taken"))?)
        }
        Event::Appeal(step) => match &**step {
            AppealStep::Made(made) => {
                let row = AppealRow::new(made.clone(), sequence, at);
                Answer::json(StatusCode::CREATED, &appeal_view(merchant, &row, livemode))
            }
            AppealStep::Resolved(resolved) => {
                let mut view = resolved_view(merchant, resolved, at, livemode);
                view.labels = labels(scene, entry);
                Answer::ok(&view)
            }
        },
        Event::RiskSettingsSet(set) => Answer::ok(&settings_view(merchant, Some(&kept(set, sequence, at)))),
        Event::PenaltyLadderSet(set) => Answer::ok(&ladder_view(Some(&kept(set, sequence, at)))),
        _ => Err(Problem::internal("a record about no penalty")),
    }
}

/// The labels that the record sets beside the outcome.
fn labels(scene: &Scene<'_>, entry: &Entry) -> Vec<AppealLabelView> {
    let Entry::Guarded(record) = entry else { return Vec::new() };
    let label = |event: &Event| match event {
        Event::LabelSet(set) => Some(AppealLabelView {
            decision_id: DecisionId::new(scene.merchant, set.decision).to_string(),
            label: if set.fraud { "fraud" } else { "honest" },
            kind: set.kind.clone(),
            source: set.source.name(),
        }),
        _ => None,
    };
    record.events.iter().filter_map(label).collect()
}
