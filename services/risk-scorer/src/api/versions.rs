//! The life of what is pushed version by version, rule sets and models: two people bring a version to life, one lead goes
//! back.

use std::sync::Arc;

use coupon::command::Command;
use coupon::id::{ModelId, PLATFORM, RuleSetId};
use coupon::ruleset::{RuleSetRow, RuleState, RuleStep, RulesMoved};
use coupon::state::Read;
use coupon_api::dto::ruleset::{RuleSetView, model_id, ruleset_id, ruleset_view, version_view};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use projection::shard::ShardState;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RiskApi;

/// What is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rules as text.
    Rules,
    /// A model's artifact.
    Model,
}

impl Kind {
    fn missing(self) -> Problem {
        Problem::of(self.not_found())
    }

    fn not_found(self) -> Code {
        match self {
            Self::Rules => Code::RulesetNotFound,
            Self::Model => Code::ModelNotFound,
        }
    }

    fn id(self) -> fn(u64) -> String {
        match self {
            Self::Rules => ruleset_id,
            Self::Model => model_id,
        }
    }

    fn index(self) -> Index {
        match self {
            Self::Rules => Index::RuleSets,
            Self::Model => Index::Models,
        }
    }

    fn of(self, shard: &ShardState, number: u64) -> Option<&Arc<RuleSetRow>> {
        match self {
            Self::Rules => shard.ruleset(PLATFORM, number),
            Self::Model => shard.model(PLATFORM, number),
        }
    }

    /// The number in the path, and the version's.
    pub(super) fn named(self, path: &Segment) -> Result<(u64, u32), Problem> {
        let (owner, number) = match self {
            Self::Rules => path.id(self.not_found()).map(|id: RuleSetId| (id.merchant, id.number))?,
            Self::Model => path.id(self.not_found()).map(|id: ModelId| (id.merchant, id.number))?,
        };
        let version = path.id_at(1, self.not_found())?;
        if owner == PLATFORM { Ok((number, version)) } else { Err(self.missing()) }
    }
}

/// What holds for all merchants is changed by those who see all of them.
pub(super) fn of_the_platform(call: &Call, roles: &[Role]) -> Result<(), Problem> {
    call.require(roles)?;
    if call.caller.merchant.is_none() {
        return Ok(());
    }
    let detail = "Rule sets and models hold for all merchants; a key that is bound to one may look at them only.";
    Err(Problem::new(Code::RoleForbidden, detail))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitRequest {
    /// `shadow`, `live`, `paused` or `retired`.
    to: Target,
    /// Why.
    #[serde(default)]
    comment: String,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    Shadow,
    Live,
    Paused,
    Retired,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Comment {
    /// Why.
    comment: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// The version that shall be live again.
    to_version: u32,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// All of a kind, newest first.
pub(super) async fn list(state: &RiskApi, call: &Call, kind: Kind) -> Result<List<RuleSetView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (_, asked) = call.list::<NoFilter>()?;
    let (after, wanted) = (asked.after()?, asked.clone());
    let rows = state
        .backend
        .look(PLATFORM, move |shard, ledger, _| {
            newest(ledger.index.list(PLATFORM, kind.index()), after)
                .filter_map(|(place, number)| Some((place, number, kind.of(shard, number)?)))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, number, row)| (place, ruleset_view(kind.id(), number, row)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// The number of the one with a name.
pub(super) async fn named_so(state: &RiskApi, kind: Kind, name: String) -> Result<Option<u64>, Problem> {
    let look = move |shard: &ShardState, numbers: &[u64]| {
        let is_it = |number: &u64| kind.of(shard, *number).is_some_and(|row| row.name == name);
        numbers.iter().copied().find(is_it)
    };
    state.backend.look(PLATFORM, move |shard, ledger, _| look(shard, ledger.index.list(PLATFORM, kind.index()))).await
}

/// All versions of one.
pub(super) async fn row(state: &RiskApi, kind: Kind, number: u64) -> Result<Arc<RuleSetRow>, Problem> {
    let row = state.backend.look(PLATFORM, move |shard, _, _| kind.of(shard, number).cloned()).await?;
    row.ok_or_else(|| kind.missing())
}

/// A version with its text.
pub(super) async fn read(state: &RiskApi, call: &Call, path: &Segment, kind: Kind) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (number, version) = kind.named(path)?;
    let row = row(state, kind, number).await?;
    let it = row.numbered(version).ok_or_else(|| kind.missing())?;
    Answer::ok(&version_view((kind.id())(number), u64::from(version), it, true))
}

/// A step, with why, under the request's fingerprint.
struct Stepped {
    kind: Kind,
    number: u64,
    version: u32,
    step: RuleStep,
    comment: String,
    fingerprint: [u8; 16],
}

async fn step(state: &RiskApi, call: &Call, stepped: Stepped) -> Result<Answer, Problem> {
    let Stepped { kind, number, version, step, comment, fingerprint } = stepped;
    Check::new().length("/comment", &comment, 0..=2_000).done()?;
    let moved = Box::new(RulesMoved { ruleset: number, version, step, comment, by: call.caller.key_id.to_string() });
    let command = match kind {
        Kind::Rules => Command::MoveRules(moved),
        Kind::Model => Command::MoveModel(moved),
    };
    let answer = state.backend.write(call, PLATFORM, fingerprint, command).await?;
    let now = row(state, kind, number).await?.numbered(version).map(|version| version.state);
    // What it looks at is counted from the past first; whoever is told that it is live finds it so.
    let inline = state.scorer.inline.clone();
    let wait = move || match (kind, now) {
        (Kind::Rules, Some(RuleState::Live | RuleState::Shadow)) => inline.evaluates(number, version),
        (Kind::Model, Some(RuleState::Live)) => inline.scores_by(number, version),
        _ => {}
    };
    tokio::task::spawn_blocking(wait).await.map_err(Problem::internal)?;
    Ok(answer)
}

/// Somebody proposes a step.
pub(super) async fn submit(state: &RiskApi, path: &Segment, call: &Call, kind: Kind) -> Result<Answer, Problem> {
    of_the_platform(call, &[Role::Analyst])?;
    let parsed = call.parse::<SubmitRequest>()?;
    let SubmitRequest { to, comment } = parsed.body;
    let to = match to {
        Target::Shadow => RuleState::Shadow,
        Target::Live => RuleState::Live,
        Target::Paused => RuleState::Paused,
        Target::Retired => RuleState::Retired,
    };
    let ((number, version), fingerprint) = (kind.named(path)?, parsed.fingerprint);
    step(state, call, Stepped { kind, number, version, step: RuleStep::Submit(to), comment, fingerprint }).await
}

/// A lead approves or rejects.
pub(super) async fn decide(
    state: &RiskApi,
    path: &Segment,
    call: &Call,
    (kind, what): (Kind, RuleStep),
) -> Result<Answer, Problem> {
    of_the_platform(call, &[Role::AnalystLead])?;
    let parsed = call.parse_optional::<Comment>()?;
    let ((number, version), fingerprint) = (kind.named(path)?, parsed.fingerprint);
    step(state, call, Stepped { kind, number, version, step: what, comment: parsed.body.comment, fingerprint }).await
}

/// A lead goes back to a version that was live.
pub(super) async fn roll_back(state: &RiskApi, path: &Segment, call: &Call, kind: Kind) -> Result<Answer, Problem> {
    of_the_platform(call, &[Role::AnalystLead])?;
    let parsed = call.parse::<RollbackRequest>()?;
    let RollbackRequest { to_version: version, comment } = parsed.body;
    let ((number, from), fingerprint) = (kind.named(path)?, parsed.fingerprint);
    step(state, call, Stepped { kind, number, version, step: RuleStep::RollBack(from), comment, fingerprint }).await
}
