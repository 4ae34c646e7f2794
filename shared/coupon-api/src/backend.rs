//! The one way in which a call becomes a submission, and its outcome an answer.

use std::sync::Arc;

use coupon::code::{is_importable, parse_generated};
use coupon::command::{Command, CouponRef};
use coupon::decision::Place;
use coupon::event::{Decision, Pseudonym};
use coupon::hash::id_hash;
use coupon::id::{CouponId, LedgerRef, MerchantId, StockId};
use coupon::record::{Entry, RequestKey};
use coupon::rejection::{Refusal, Rejection};
use coupon::state::{Done, Read, RequestOutcome, live_request};
use coupon::terms::{Millis, Zone};
use http_api::call::Call;
use http_api::idempotency::Answer as HttpAnswer;
use http_api::problem::{Code, Problem};
use inline_risk::{InlineRisk, Occasion};
use projection::engine::{Answer, Applied, Reply, Submission, What};
use projection::handle::LedgerHandle;
use projection::ledger::Ledger;
use projection::shard::ShardState;
use risk::lists::Request;

use crate::challenge;
use crate::dto::context::Context;
use crate::metrics;
use crate::past::AsOf;
use crate::refusal;
use crate::render::{self, Beside, Rendered};
use crate::secrets::{Personal, Secrets};
use crate::watch::Directory;

/// How long an attempt may be under way before its record is void, in milliseconds.
pub const ATTEMPT_MS: i64 = 15_000;

/// A refused attempt that leaves no record in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A device or an address was limited.
    Limited,
    /// A code that nobody could have been given.
    WrongCode,
}

/// Told of attempts that leave no record.
pub type Attempts = Box<dyn Fn(MerchantId, Attempt, Option<Pseudonym>, Option<Pseudonym>) + Send + Sync>;

/// What handlers need.
pub struct Backend {
    /// The ledger.
    pub ledger: LedgerHandle,
    /// What is derived from the master key.
    pub secrets: Arc<Secrets>,
    /// Limits and verdicts.
    pub risk: Arc<InlineRisk>,
    /// Keys and merchants.
    pub directory: Arc<Directory>,
    /// Where attempts without a record go.
    pub attempts: Attempts,
}

/// Who is behind a claim, lock or redemption, as pseudonyms and sealed.
pub struct Shopper {
    /// The user.
    pub user: Option<Pseudonym>,
    /// What risk says.
    pub decision: Decision,
    /// The data in clear, encrypted.
    pub sealed: Vec<u8>,
}

/// Who asks, and for what.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The caller's id of the user.
    pub user_id: Option<&'a str>,
    /// The end user as the caller saw them.
    pub context: &'a Context,
    /// For what, where and for how much.
    pub occasion: Occasion,
    /// The store's id.
    pub store_id: Option<&'a str>,
    /// The caller's id of the cashier.
    pub cashier_id: Option<&'a str>,
}

impl Backend {
    /// Decides a command under the call's key, and answers.
    pub async fn write(
        &self,
        call: &Call,
        merchant: MerchantId,
        fingerprint: [u8; 16],
        command: Command,
    ) -> Result<HttpAnswer, Problem> {
        self.write_for(None, call, merchant, fingerprint, command).await
    }

    /// The same for a user whose id is at hand, so that it need not be deciphered for the answer.
    pub async fn write_for(
        &self,
        user_id: Option<String>,
        call: &Call,
        merchant: MerchantId,
        fingerprint: [u8; 16],
        command: Command,
    ) -> Result<HttpAnswer, Problem> {
        let request = self.request_key(call, merchant).map(|key| (key, fingerprint));
        match self.submit(merchant, request, What::Command(command.by(&call.caller.key_id))).await {
            Answer::Applied(applied) => self.applied(call, merchant, &applied, user_id).await,
            other => self.answer(call, merchant, other).await,
        }
    }

    /// Whether a merchant is live; callers who see all merchants are not of its mode themselves.
    pub fn livemode(&self, call: &Call, merchant: MerchantId) -> bool {
        self.directory.merchant(merchant).map_or(call.caller.livemode, |row| row.profile.livemode)
    }

    /// Looks at the merchant's folded state, with the log's time there.
    pub async fn look<T: Send + 'static>(
        &self,
        merchant: MerchantId,
        look: impl FnOnce(&ShardState, &Ledger, Millis) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let query = move |ledger: &Ledger, now: Millis| {
            let shard = ledger.of(merchant);
            look(shard, ledger, shard.time.max(now))
        };
        self.ledger.query(query).await.map_err(Problem::internal)
    }

    /// Hands in a submission.
    pub async fn submit(&self, merchant: MerchantId, request: Option<(RequestKey, [u8; 16])>, what: What) -> Answer {
        let deadline = self.ledger.now() + ATTEMPT_MS;
        let ask = move |reply: Reply| Submission {
            merchant,
            what,
            request,
            deadline,
            reply,
            code_of: refusal::number,
            attempts: 0,
        };
        self.ledger.submit(ask).await
    }

    /// An outcome as HTTP.
    pub async fn answer(&self, call: &Call, merchant: MerchantId, answer: Answer) -> Result<HttpAnswer, Problem> {
        match answer {
            Answer::Applied(applied) => self.applied(call, merchant, &applied, None).await,
            Answer::Replayed(done) => Ok(self.replay(call, merchant, done).await?.replayed(true)),
            other => Err(self.challenged(call, merchant, self.refused(merchant, other))),
        }
    }

    /// A refusal that asks for proof, with the challenge that the call's key can be let through by.
    fn challenged(&self, call: &Call, merchant: MerchantId, problem: Problem) -> Problem {
        match self.request_key(call, merchant) {
            Some(request) if problem.code == Code::ChallengeRequired => {
                let challenge = challenge::new(request, self.ledger.now());
                problem.with("challenge", challenge::view(&self.secrets, merchant.real(), &challenge))
            }
            _ => problem,
        }
    }

    /// The key under which the call's request is known.
    pub fn request_key(&self, call: &Call, merchant: MerchantId) -> Option<RequestKey> {
        call.idempotency_key.as_ref().map(|key| self.secrets.request_key(merchant.real(), key.as_str()))
    }

    async fn applied(
        &self,
        call: &Call,
        merchant: MerchantId,
        applied: &Applied,
        user_id: Option<String>,
    ) -> Result<HttpAnswer, Problem> {
        let rendered = Rendered { at: applied.at, number: applied.number, entry: &applied.entry };
        self.render(call, merchant, &rendered, user_id).await
    }

    /// The answer that a key got when it was used.
    pub async fn replay(&self, call: &Call, merchant: MerchantId, done: Done) -> Result<HttpAnswer, Problem> {
        let found = self.ledger.record(merchant.shard(), done.sequence).await.map_err(Problem::internal)?;
        let Some((at, entry)) = found else {
            return Err(Problem::new(Code::LogUnavailable, "The first answer cannot be read from the log now."));
        };
        // The key is the merchant's; what it was used for may be at its rehearsals.
        let merchant = match &entry {
            Entry::Guarded(record) => record.merchant,
            Entry::Fences(_) | Entry::Cancel(_) => merchant,
        };
        self.render(call, merchant, &Rendered { at, number: done.number, entry: &entry }, None).await
    }

    async fn render(
        &self,
        call: &Call,
        merchant: MerchantId,
        it: &Rendered<'_>,
        user_id: Option<String>,
    ) -> Result<HttpAnswer, Problem> {
        let own_code = match render::imported_number(it) {
            Some(number) => self.look(merchant, move |shard, _, _| shard.code_text(merchant, number).cloned()).await?,
            None => None,
        };
        let stock = match render::changed_stock(it) {
            Some(number) => {
                let as_of = AsOf::Reference(LedgerRef(it.at.sequence));
                self.stock_as_of(StockId::new(merchant, number), as_of).await?
            }
            None => None,
        };
        render::answer(&self.secrets, merchant, call.caller.livemode, it, &Beside { own_code, stock, user_id })
    }

    /// The first answer to a call that is repeated; `None` where its key has not become a record. For calls whose
    /// checks might come out differently the second time.
    pub async fn repeated(
        &self,
        call: &Call,
        merchant: MerchantId,
        fingerprint: [u8; 16],
    ) -> Result<Option<HttpAnswer>, Problem> {
        let Some(key) = &call.idempotency_key else { return Ok(None) };
        let key = self.secrets.request_key(merchant.real(), key.as_str());
        let found = self
            .look(merchant, move |shard, _, now| {
                live_request(shard, merchant.shard(), key, now).map(|row| row.outcome.clone())
            })
            .await?;
        match found {
            None | Some(RequestOutcome::Open) => Ok(None),
            Some(RequestOutcome::Cancelled) => Err(self.refused(merchant, Answer::Cancelled)),
            Some(RequestOutcome::Done(done)) if done.fingerprint != fingerprint => {
                Err(self.refused(merchant, Answer::KeyReused))
            }
            Some(RequestOutcome::Done(done)) => Ok(Some(self.replay(call, merchant, done).await?.replayed(true))),
        }
    }

    /// What stands against a call; but a limit stops new attempts only: what has happened already is answered.
    pub async fn first_or(
        &self,
        call: &Call,
        merchant: MerchantId,
        fingerprint: [u8; 16],
        problem: Problem,
    ) -> Result<HttpAnswer, Problem> {
        if !matches!(problem.code, Code::DeviceLimited | Code::IpLimited) {
            return Err(problem);
        }
        self.repeated(call, merchant, fingerprint).await?.ok_or(problem)
    }

    /// An outcome that is no success, as a problem.
    pub fn refused(&self, merchant: MerchantId, answer: Answer) -> Problem {
        match answer {
            Answer::Refused(refusal, as_of) => {
                refusal::problem(merchant, &refusal).with("ledger_ref", LedgerRef(as_of).to_string())
            }
            Answer::RefusedElsewhere(number) => Code::from_u16(number).map_or_else(
                || Problem::new(Code::Overloaded, "Another attempt under this key was refused. Repeat it."),
                Problem::of,
            ),
            Answer::KeyReused => Problem::of(Code::IdempotencyKeyReused).pointer("/headers/idempotency-key"),
            Answer::Cancelled => Problem::of(Code::RequestCancelled),
            Answer::Overloaded => Problem::of(Code::Overloaded),
            Answer::Stopped => Problem::new(
                Code::LogUnavailable,
                "The merchant's partition of the log is damaged and stopped; an operator has to look at it.",
            )
            .retry_after(60),
            Answer::Away => Problem::of(Code::LogUnavailable).retry_after(1),
            Answer::Unknown | Answer::Nothing | Answer::Applied(_) | Answer::Replayed(_) => {
                Problem::of(Code::OutcomeUnknown)
            }
        }
    }

    /// Where a coupon is: at the merchant, or at its rehearsals.
    pub fn place(&self, merchant: MerchantId, code: Option<&str>, id: Option<&str>) -> MerchantId {
        let rehearsals = merchant.rehearsals();
        if !self.directory.rehearses(merchant) {
            return merchant;
        }
        if let Some(id) = id {
            let there = id.parse::<CouponId>().is_ok_and(|id| id.merchant == rehearsals);
            return if there { rehearsals } else { merchant };
        }
        let is_of = |merchant: MerchantId| {
            let form = code.and_then(parse_generated);
            form.is_some_and(|form| self.secrets.codes(merchant).verify(form).is_some())
        };
        if !is_of(merchant) && is_of(rehearsals) { rehearsals } else { merchant }
    }

    /// A coupon as its caller names it. A code with a wrong MAC costs no look-up.
    pub fn coupon_ref(&self, merchant: MerchantId, code: Option<&str>, id: Option<&str>) -> CouponRef {
        let named = self.named(merchant, code, id);
        metrics::named(named != CouponRef::Unknown);
        named
    }

    fn named(&self, merchant: MerchantId, code: Option<&str>, id: Option<&str>) -> CouponRef {
        if let Some(id) = id {
            return match id.parse::<CouponId>() {
                Ok(id) if id.merchant == merchant => CouponRef::Number(id.number),
                _ => CouponRef::Unknown,
            };
        }
        let code = code.unwrap_or_default();
        if let Some(form) = parse_generated(code) {
            if let Some(number) = self.secrets.codes(merchant).verify(form) {
                return CouponRef::Number(number);
            }
            if !self.directory.may_look_like_generated(merchant) {
                return CouponRef::Unknown;
            }
        }
        let trimmed = code.trim();
        if is_importable(trimmed) { CouponRef::Imported(id_hash(trimmed)) } else { CouponRef::Unknown }
    }

    /// Limits a shopper and asks what risk says. Limited attempts leave no record in the ledger.
    pub fn shopper(&self, call: &Call, merchant: MerchantId, asking: Asking<'_>) -> Result<Shopper, Problem> {
        let Asking { context, ref occasion, .. } = asking;
        let device = context.device_id.as_deref().map(|id| self.secrets.device(merchant, id));
        let ip = context.address().map(|ip| self.secrets.ip(merchant, ip));
        if let Err(limited) = self.risk.limit(merchant, device, ip) {
            (self.attempts)(merchant, Attempt::Limited, device, ip);
            return Err(limited_problem(&limited));
        }
        let shopper = self.judge(call, merchant, asking);
        self.risk.judged_enough(merchant, occasion, &shopper.decision).map_err(unavailable)?;
        Ok(shopper)
    }

    /// Asks what risk says, whatever is limited.
    pub fn judge(&self, call: &Call, merchant: MerchantId, asking: Asking<'_>) -> Shopper {
        let Asking { user_id, context, occasion, store_id, cashier_id } = asking;
        let device = context.device_id.as_deref().map(|id| self.secrets.device(merchant, id));
        let address = context.address();
        let ip = address.map(|ip| self.secrets.ip(merchant, ip));
        let ip24 = address.map(|ip| self.secrets.ip24(merchant, ip));
        let user = user_id.map(|id| self.secrets.user(merchant, id));
        let mut missing = Vec::new();
        if device.is_none() {
            missing.push("device_id".to_owned());
        }
        if ip.is_none() {
            missing.push("ip".to_owned());
        }
        let forced = (!self.livemode(call, merchant))
            .then(|| context.device_id.as_deref().and_then(inline_risk::Forced::of))
            .flatten();
        let zone = self.directory.merchant(merchant).map(|row| {
            let Zone(zone) = row.profile.zone;
            zone
        });
        let (request, now_ms) = (self.request_key(call, merchant), self.ledger.now());
        let question = inline_risk::Question {
            merchant,
            device,
            ip,
            ip24,
            user,
            place: context.location.map(place),
            missing,
            forced,
            occasion,
            zone,
            number: refusal_number(request, now_ms),
            request,
            now_ms,
        };
        let told = Request {
            user: user_id,
            device: context.device_id.as_deref(),
            ip: address,
            store: store_id,
            cashier: cashier_id,
            ..Request::default()
        };
        let decision = self.risk.decide(&question, &told);
        let personal = Personal {
            user_id: user_id.map(str::to_owned),
            device_id: context.device_id.clone(),
            ip: context.ip.clone(),
            user_agent: context.user_agent.clone(),
        };
        let subject = user.or(device).or(ip).unwrap_or_default();
        Shopper { user, decision, sealed: self.secrets.seal(merchant, subject, &personal) }
    }

    /// A code that nobody could have been given leaves no record, so nobody can fill the log by guessing.
    pub fn refuse_unknown(
        &self,
        merchant: MerchantId,
        coupons: impl Iterator<Item = CouponRef>,
        decision: &Decision,
    ) -> Result<(), Problem> {
        let unknown = coupons.enumerate().filter(|(_, coupon)| *coupon == CouponRef::Unknown);
        let facts: Vec<_> = unknown.map(|(i, _)| (i, Rejection::CouponNotFound)).collect();
        let Some(refusal) = Refusal::of(facts) else { return Ok(()) };
        (self.attempts)(merchant, Attempt::WrongCode, decision.device, decision.ip);
        Err(refusal::problem(merchant, &refusal))
    }
}

/// Under which number a decision is known that refuses a request: no record is its own. The highest bit tells such
/// numbers from those of records.
fn refusal_number(request: Option<RequestKey>, now_ms: Millis) -> u64 {
    let RequestKey(key) = request.unwrap_or(RequestKey([0; 16]));
    let hash = id_hash(&format!("{}:{now_ms}", hex::encode(key)));
    let number = hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    number | coupon::decision::REFUSED
}

/// As decisions keep it; what Chinese maps draw is some hundred metres off, which no rule minds.
fn place(location: crate::dto::context::Location) -> Place {
    let millionths = |degrees: f64| (degrees * 1e6).round() as i32;
    Place { latitude: millionths(location.latitude), longitude: millionths(location.longitude) }
}

/// Too much is at stake to go on without knowing.
fn unavailable(limit: i64) -> Problem {
    Problem::of(Code::RiskUnavailable).with("degraded_value_limit", limit).retry_after(5)
}

fn limited_problem(limited: &inline_risk::Limited) -> Problem {
    let (code, wait_ms) = match limited {
        inline_risk::Limited::Device { retry_after_ms } => (Code::DeviceLimited, *retry_after_ms),
        inline_risk::Limited::Ip { retry_after_ms } => (Code::IpLimited, *retry_after_ms),
    };
    let seconds = u32::try_from(wait_ms.div_ceil(1000).max(1)).unwrap_or(u32::MAX);
    Problem::of(code).with("scope", "end_user").retry_after(seconds)
}
