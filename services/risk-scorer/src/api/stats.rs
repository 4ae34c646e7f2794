//! What a rule did, and whether it was right.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use coupon::appeal::About;
use coupon::decision::{Decision, RuleOutcome, SetUsed};
use coupon::id::{DecisionId, MerchantId, PLATFORM, RuleSetId};
use coupon::penalty::decisions;
use coupon::ruleset::RuleSetRow;
use coupon::state::Read;
use coupon_api::dto::answer::action_name;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::{Timestamp, format_ms};
use inline_risk::{Decided, History, Past, RuleBook, Version, What};
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::RiskApi;
use super::across::merchants;
use super::decisions::CLOCKS_APART_MS;
use super::marks::{self, Labels};
use super::subjects::scope;

mod matrix;
mod tally;

use tally::{Hit, Tally};

#[derive(OpenApi)]
#[openapi(paths(stats, matrix::co_occurrence))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/rules/{id}/stats", get(stats))
        .route("/v1/risk/rules/co-occurrence", get(matrix::co_occurrence))
}

/// What of the past is looked at; the answer says where it stopped.
const LOOK_AT: usize = 500_000;
/// How far is looked back, unless the caller says so, milliseconds.
const BACK_MS: i64 = 7 * 86_400_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    interval: Option<Interval>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    merchant_id: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Interval {
    Hour,
    #[default]
    Day,
}

impl Interval {
    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

/// A rule as a caller names it: in any set, or in one.
struct Named {
    rule: String,
    set: Option<u64>,
}

impl Named {
    fn parse(text: &str) -> Result<Self, Problem> {
        let Some((set, rule)) = text.split_once('/') else { return Ok(Self { rule: text.to_owned(), set: None }) };
        let set = set.parse::<RuleSetId>().ok().filter(|id| id.merchant == PLATFORM);
        let set = set.ok_or_else(|| Problem::of(Code::RuleNotFound))?;
        Ok(Self { rule: rule.to_owned(), set: Some(set.number) })
    }

    fn is(&self, used: SetUsed, rule: &str) -> bool {
        self.rule == rule && self.set.is_none_or(|set| set == used.number)
    }
}

/// All that is looked at: which decisions, and what is known of them.
struct Look {
    named: Named,
    merchant: Option<MerchantId>,
    from_ms: i64,
    until_ms: i64,
    interval: Interval,
    labels: Labels,
    granted: HashSet<(MerchantId, u64)>,
}

/// What a rule did, and whether it was right
///
/// Of the decisions since `from`, seven days ago unless given, before `until`: hits by what was decided, and how those
/// decisions are labelled by now. `precision` is fraud of all labelled hits; `false_positive_rate` is the share of all
/// decisions labelled honest that it hit. What it did in the shadow is counted apart. Days are those of UTC.
#[utoipa::path(get, path = "/v1/risk/rules/{id}/stats", tag = "Risk",
    params(("id" = String, Path, description = "The rule's name, or `rls_.../name`."), ("interval" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query), ("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn stats(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let Query { interval, from, until, merchant_id } = call.query_as()?;
    let merchant = scope(&call, merchant_id.as_deref())?;
    let named = Named::parse(path.text())?;
    let mut texts = Texts::of(&state).await?;
    let until_ms = until.map_or(i64::MAX, |Timestamp(until)| until);
    let from_ms = from.map_or_else(|| state.backend.ledger.now().min(until_ms) - BACK_MS, |Timestamp(from)| from);
    let labels = marks::labels(&state, merchant).await?;
    let granted = granted(&state, merchant).await?;
    let interval = interval.unwrap_or_default();
    let look = Look { named, merchant, from_ms, until_ms, interval, labels, granted };
    let history = state.scorer.history.clone();
    let work = move || {
        let is_known = texts.have(&look.named);
        is_known.then(|| scan(&history, &look, &mut texts).map(|scanned| view(&look, &scanned))).transpose()
    };
    let shown = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Answer::ok(&shown.ok_or_else(|| Problem::of(Code::RuleNotFound))?)
}

/// The decisions that were found wrong when somebody appealed: against one, or against the penalty for which it stood in
/// evidence.
async fn granted(state: &RiskApi, merchant: Option<MerchantId>) -> Result<HashSet<(MerchantId, u64)>, Problem> {
    let look = move |ledger: &Ledger| {
        let mut granted = HashSet::new();
        for merchant in merchants(ledger, merchant) {
            for number in ledger.index.list(merchant, Index::Appeals) {
                let shard = ledger.of(merchant);
                let Some(row) = shard.appeal(merchant, *number).filter(|row| row.state() == "granted") else {
                    continue;
                };
                match row.made.about {
                    About::Decision(decision) => drop(granted.insert((merchant, decision))),
                    About::Penalty(penalty) => {
                        let penalty = shard.penalty(merchant, penalty);
                        let evidence = penalty.iter().flat_map(|row| decisions(merchant, &row.imposed.evidence));
                        granted.extend(evidence.map(|decision| (merchant, decision)));
                    }
                }
            }
        }
        granted
    };
    state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await
}

/// The texts of all rule sets, and the rules in them as they are needed.
struct Texts {
    sets: HashMap<u64, Arc<RuleSetRow>>,
    books: HashMap<(u64, u32), RuleBook>,
}

impl Texts {
    async fn of(state: &RiskApi) -> Result<Self, Problem> {
        let look = |ledger: &Ledger| {
            let numbers = ledger.index.list(PLATFORM, Index::RuleSets).iter();
            let row = |number: &u64| Some((*number, ledger.of(PLATFORM).ruleset(PLATFORM, *number)?.clone()));
            numbers.filter_map(row).collect()
        };
        let sets = state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await?;
        Ok(Self { sets, books: HashMap::new() })
    }

    fn book(&mut self, used: SetUsed) -> &RuleBook {
        let sets = &self.sets;
        self.books.entry((used.number, used.version)).or_insert_with(|| {
            let version = sets.get(&used.number).and_then(|row| row.numbered(used.version));
            version.map_or_else(RuleBook::default, |it| RuleBook::of(&[Version { used, text: it.text.clone() }], None))
        })
    }

    /// Whether some version has the rule; the newest ones are looked at first.
    fn have(&mut self, named: &Named) -> bool {
        let versions = self
            .sets
            .iter()
            .flat_map(|(number, row)| (1..=row.versions.len() as u32).rev().map(|version| (*number, version)));
        let versions: Vec<(u64, u32)> = versions.filter(|(set, _)| named.set.is_none_or(|it| it == *set)).collect();
        versions.into_iter().any(|(number, version)| {
            let used = SetUsed { number, version, live: false };
            self.book(used).rules().any(|(.., rule)| rule.name == named.rule)
        })
    }

    /// The rules that hit in a decision, each with its set.
    fn hits(&mut self, decision: &Decision) -> Vec<(SetUsed, String)> {
        let Some(basis) = decision.basis.as_deref() else { return Vec::new() };
        let hits = basis.outcomes.iter().filter(|said| said.outcome == RuleOutcome::Hit);
        hits.filter_map(|said| {
            let used = *basis.sets.get(usize::from(said.set))?;
            Some((used, self.book(used).rule(0, usize::from(said.rule))?.name.clone()))
        })
        .collect()
    }
}

/// What was found.
#[derive(Default)]
struct Scanned {
    live: Tally,
    shadow: Tally,
    /// Labelled honest, whether the rule hit or not.
    honest: u64,
    series: BTreeMap<i64, Tally>,
    /// Where it stopped, if there is more.
    stopped_at: Option<i64>,
}

fn scan(history: &History, look: &Look, texts: &mut Texts) -> std::io::Result<Scanned> {
    let (mut scanned, mut count) = (Scanned::default(), 0);
    history.backward(None, |_, past| {
        if past.time_ms < look.from_ms.saturating_sub(CLOCKS_APART_MS) {
            return ControlFlow::Break(());
        }
        if count == LOOK_AT {
            scanned.stopped_at = Some(past.time_ms);
            return ControlFlow::Break(());
        }
        count += 1;
        let Past { merchant, time_ms, what: What::Decided(decided) } = past else { return ControlFlow::Continue(()) };
        let is_wanted = (look.from_ms..look.until_ms).contains(&time_ms)
            && look.merchant.is_none_or(|wanted| wanted == merchant.real());
        if is_wanted {
            scanned.add(look, texts, (merchant, time_ms), &decided);
        }
        ControlFlow::Continue(())
    })?;
    Ok(scanned)
}

impl Scanned {
    fn add(&mut self, look: &Look, texts: &mut Texts, (merchant, at): (MerchantId, i64), decided: &Decided) {
        let key = (merchant, decided.number);
        let label = look.labels.get(&key).copied();
        self.honest += u64::from(label == Some(false));
        let hits = texts.hits(&decided.decision);
        let own = |live: bool| hits.iter().any(|(used, rule)| used.live == live && look.named.is(*used, rule));
        let hit = Hit {
            decision: DecisionId::new(merchant, decided.number),
            action: decided.decision.action,
            label,
            granted: look.granted.contains(&key),
        };
        if own(true) {
            let others = hits.iter().filter(|(used, rule)| used.live && !look.named.is(*used, rule));
            self.live.add(&hit, others.map(|(_, rule)| rule.as_str()));
            let bucket = at.div_euclid(look.interval.ms()) * look.interval.ms();
            self.series.entry(bucket).or_default().add(&hit, std::iter::empty());
        }
        if own(false) {
            self.shadow.add(&hit, std::iter::empty());
        }
    }
}

fn view(look: &Look, scanned: &Scanned) -> Value {
    let Tally { actions, .. } = &scanned.live;
    let by_action: BTreeMap<&str, u64> = actions.iter().map(|(action, n)| (action_name(*action), *n)).collect();
    let co_hits: Vec<Value> = scanned.live.together().map(|(rule, n)| json!({"rule": rule, "count": n})).collect();
    let bucket = |(at, tally): (&i64, &Tally)| {
        let mut one = tally.view();
        one["from"] = format_ms(*at).into();
        one
    };
    let live = &scanned.live;
    json!({
        "rule": look.named.rule,
        "ruleset_id": look.named.set.map(|set| RuleSetId::new(PLATFORM, set).to_string()),
        "from": format_ms(look.from_ms),
        "until": (look.until_ms < i64::MAX).then(|| format_ms(look.until_ms)),
        "hits": live.hits, "by_action": by_action,
        "fraud": live.fraud, "honest": live.honest, "unlabelled": live.unlabelled(),
        "precision": live.precision(),
        "false_positive_rate": share(live.honest, scanned.honest),
        "appeals_granted": live.appeals_granted,
        "co_hits": co_hits,
        "examples": live.examples,
        "shadow": scanned.shadow.view(),
        "interval": look.interval.name(),
        "series": scanned.series.iter().map(bucket).collect::<Vec<_>>(),
        "looked_back_to": scanned.stopped_at.map(format_ms),
    })
}

/// A part of a whole; nothing where there is no whole.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
