//! Which rules hit together.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use axum::extract::State;
use coupon::id::{MerchantId, PLATFORM, RuleSetId};
use http_api::auth::Role;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::{Timestamp, format_ms};
use inline_risk::{History, Past, What};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BACK_MS, LOOK_AT, Texts};
use crate::api::RiskApi;
use crate::api::decisions::CLOCKS_APART_MS;
use crate::api::subjects::scope;

/// Rules of one matrix: those that hit most.
const MOST_RULES: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    ruleset: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    merchant_id: Option<String>,
}

/// A rule: its set and its name.
type Rule = (u64, String);

struct Look {
    set: Option<u64>,
    merchant: Option<MerchantId>,
    from_ms: i64,
    until_ms: i64,
}

/// What was found.
#[derive(Default)]
struct Pairs {
    decisions: u64,
    hits: BTreeMap<Rule, u64>,
    /// By two rules, the lesser one first.
    together: BTreeMap<(Rule, Rule), u64>,
    stopped_at: Option<i64>,
}

/// Which rules hit together
///
/// Of the decisions since `from`, seven days ago unless given: for each pair of the 50 rules that hit most, in how many of
/// them both did; on the diagonal, in how many one did. With `ruleset` its rules alone, live or in the shadow; otherwise
/// all that were live.
#[utoipa::path(get, path = "/v1/risk/rules/co-occurrence", tag = "Risk",
    params(("ruleset" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query),
        ("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn co_occurrence(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let Query { ruleset, from, until, merchant_id } = call.query_as()?;
    let merchant = scope(&call, merchant_id.as_deref())?;
    let missing = || Problem::of(Code::RulesetNotFound).pointer("/query/ruleset");
    let set = |text: &str| text.parse::<RuleSetId>().ok().filter(|id| id.merchant == PLATFORM).map(|id| id.number);
    let set = ruleset.as_deref().map(|text| set(text).ok_or_else(missing)).transpose()?;
    let mut texts = Texts::of(&state).await?;
    if set.is_some_and(|set| !texts.sets.contains_key(&set)) {
        return Err(missing());
    }
    let until_ms = until.map_or(i64::MAX, |Timestamp(until)| until);
    let from_ms = from.map_or_else(|| state.backend.ledger.now().min(until_ms) - BACK_MS, |Timestamp(from)| from);
    let look = Look { set, merchant, from_ms, until_ms };
    let history = state.scorer.history.clone();
    let work = move || scan(&history, &look, &mut texts).map(|pairs| view(&look, &pairs));
    let shown = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Answer::ok(&shown)
}

fn scan(history: &History, look: &Look, texts: &mut Texts) -> std::io::Result<Pairs> {
    let (mut pairs, mut count) = (Pairs::default(), 0);
    history.backward(None, |_, past| {
        if past.time_ms < look.from_ms.saturating_sub(CLOCKS_APART_MS) {
            return ControlFlow::Break(());
        }
        if count == LOOK_AT {
            pairs.stopped_at = Some(past.time_ms);
            return ControlFlow::Break(());
        }
        count += 1;
        let Past { merchant, time_ms, what: What::Decided(decided) } = past else { return ControlFlow::Continue(()) };
        let is_wanted = (look.from_ms..look.until_ms).contains(&time_ms)
            && look.merchant.is_none_or(|wanted| wanted == merchant.real());
        if is_wanted {
            let hits = texts.hits(&decided.decision).into_iter();
            let own = hits.filter(|(used, _)| look.set.map_or(used.live, |set| set == used.number));
            pairs.add(own.map(|(used, rule)| (used.number, rule)).collect());
        }
        ControlFlow::Continue(())
    })?;
    Ok(pairs)
}

impl Pairs {
    fn add(&mut self, mut hits: Vec<Rule>) {
        self.decisions += 1;
        hits.sort();
        hits.dedup();
        for (i, rule) in hits.iter().enumerate() {
            *self.hits.entry(rule.clone()).or_default() += 1;
            for other in &hits[i + 1..] {
                *self.together.entry((rule.clone(), other.clone())).or_default() += 1;
            }
        }
    }

    /// The rules that hit most, and how often two of them did.
    fn matrix(&self) -> (Vec<&Rule>, Vec<Vec<u64>>) {
        let mut rules: Vec<&Rule> = self.hits.keys().collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(self.hits[*rule]));
        rules.truncate(MOST_RULES);
        let count = |one: &Rule, other: &Rule| {
            if one == other {
                return self.hits[one];
            }
            let pair = (one.min(other).clone(), one.max(other).clone());
            self.together.get(&pair).copied().unwrap_or_default()
        };
        let row = |one: &&Rule| rules.iter().map(|other| count(one, other)).collect();
        let matrix = rules.iter().map(row).collect();
        (rules, matrix)
    }
}

fn view(look: &Look, pairs: &Pairs) -> Value {
    let (rules, matrix) = pairs.matrix();
    let rule = |rule: &&Rule| {
        let (set, name) = rule;
        json!({"rule": name, "ruleset_id": RuleSetId::new(PLATFORM, *set).to_string(), "hits": pairs.hits[*rule]})
    };
    json!({
        "from": format_ms(look.from_ms),
        "until": (look.until_ms < i64::MAX).then(|| format_ms(look.until_ms)),
        "decisions": pairs.decisions,
        "rules": rules.iter().map(rule).collect::<Vec<_>>(),
        "matrix": matrix,
        "looked_back_to": pairs.stopped_at.map(format_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_counts_once_for_each_decision_and_on_both_sides() {
        let rule = |name: &str| (1, name.to_owned());
        let mut pairs = Pairs::default();
        pairs.add(vec![rule("b"), rule("a"), rule("a")]);
        pairs.add(vec![rule("a"), rule("c")]);
        pairs.add(Vec::new());
        let (rules, matrix) = pairs.matrix();
        assert_eq!(rules, [&rule("a"), &rule("b"), &rule("c")]);
        assert_eq!(matrix, [[2, 1, 1], [1, 1, 0], [1, 0, 1]]);
        assert_eq!(pairs.decisions, 3);
    }
}
