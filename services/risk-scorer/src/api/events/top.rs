//! Whom or what events are most about.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;

use coupon::id::DecisionId;
use http_api::problem::Problem;
use risk::query::Field;
use serde_json::{Value, json};

use super::event::Group;
use super::scan::{Scan, Scanned};
use super::view::personal;
use crate::api::RiskApi;
use crate::api::live::change;

/// Rows at most.
pub(super) const MOST_ROWS: usize = 50;
/// Values that are counted: with more the answer is not complete.
const MOST_VALUES: usize = 200_000;

/// How often a value was seen, and a decision by which it is found in clear.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    now: u64,
    before: u64,
    example: Option<DecisionId>,
}

impl Scan<'_> {
    /// The values that were seen most since a time, with how often that was before it.
    pub(super) fn top(&self, by: Field, since: i64, limit: usize) -> io::Result<(Vec<(Group, Seen)>, Scanned)> {
        let mut seen: HashMap<Group, Seen> = HashMap::new();
        let mut dropped = None;
        let (mut scanned, _) = self.visit(|_, past, event| {
            for group in event.groups(by, self.labels) {
                if seen.len() >= MOST_VALUES && !seen.contains_key(&group) {
                    dropped = Some(past.time_ms);
                    continue;
                }
                let one = seen.entry(group).or_default();
                if past.time_ms >= since {
                    one.now += 1;
                } else {
                    one.before += 1;
                }
                let done = event.decided.filter(|decided| decided.done && one.example.is_none());
                one.example = one.example.or(done.map(|decided| DecisionId::new(event.merchant, decided.number)));
            }
            ControlFlow::Continue(())
        })?;
        scanned.reached = scanned.reached.or(dropped);
        let mut seen: Vec<_> = seen.into_iter().filter(|(_, seen)| seen.now > 0).collect();
        seen.sort_unstable_by(|(a, one), (b, other)| other.now.cmp(&one.now).then_with(|| a.cmp(b)));
        seen.truncate(limit);
        Ok((seen, scanned))
    }
}

/// The rows, in clear where some record of theirs says so.
pub(super) async fn shown(state: &RiskApi, by: Field, seen: Vec<(Group, Seen)>) -> Result<Vec<Value>, Problem> {
    let mut rows = Vec::with_capacity(seen.len());
    for (group, Seen { now, before, example }) in seen {
        let id = group.name();
        let value = match (&group, example) {
            (Group::Of(..), Some(example)) => {
                let personal = personal(state, example).await?;
                match by {
                    Field::Device => personal.device_id,
                    Field::User => personal.user_id,
                    Field::Ip => personal.ip,
                    _ => None,
                }
            }
            (Group::Of(..), None) => None,
            (Group::Word(_) | Group::Text(_), _) => Some(id.clone()),
        };
        let merchant = if let Group::Of(merchant, _) = group { Some(merchant.real().to_string()) } else { None };
        rows.push(json!({"value": value, "id": id, "merchant_id": merchant, "count": now, "before": before,
            "change": change(now, before)}));
    }
    Ok(rows)
}
