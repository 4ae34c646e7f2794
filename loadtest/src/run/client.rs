//! One connection's customer: sends what is due, and writes down what it was told.

mod settle;

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use super::action::{Action, Kind, Trouble, What};
use super::book::Open;
use super::generator::{Job, Run, give};
use super::record::Seen;
use crate::wire::Wire;

/// The devices and the address that abusers share.
const FARM_DEVICES: u64 = 5;

/// What goes out.
struct Out {
    kind: Kind,
    method: &'static str,
    path: String,
    key: String,
    body: String,
    /// What is not known until it is answered.
    open: Open,
    /// How the first attempt goes wrong.
    trouble: Trouble,
    due: Duration,
    warm_up: bool,
}

/// A customer.
pub(super) struct Client {
    run: Rc<Run>,
    wire: Option<Wire>,
    /// The last answer's.
    body: Vec<u8>,
    replayed: bool,
}

impl Client {
    pub(super) fn new(run: Rc<Run>) -> Self {
        Self { run, wire: None, body: Vec::new(), replayed: false }
    }

    pub(super) async fn act(&mut self, job: Job) {
        match job {
            Job::Action(action) => self.begin(action).await,
            Job::Second { action, place, rival } => self.second(action, place, rival).await,
        }
    }

    async fn begin(&mut self, action: Action) {
        match action.what {
            What::Redeem(trouble) => self.redeem(action, trouble).await,
            What::Claim { redeemed } => self.claim(action, redeemed).await,
            What::Lock { abandoned } => self.lock(action, abandoned).await,
            What::Validate => self.validate(action).await,
            What::Query => self.query(action).await,
            What::Bulk => self.bulk(action).await,
            What::Guess => self.guess(action).await,
            What::OneDevice | What::ReleaseBot => self.abuse(action).await,
        }
    }

    async fn redeem(&mut self, action: Action, trouble: Trouble) {
        let Some(place) = self.run.take_code(action.stock) else { return self.no_code(action) };
        if matches!(trouble, Trouble::DoubleSubmit | Trouble::Rival) {
            let rival = trouble == Trouble::Rival;
            give(&self.run, Job::Second { action, place, rival });
        }
        let body = self.order(action, &self.coded(action.stock, place), "", "");
        let out = Out { trouble, ..self.redemption(action, "", body) };
        let contested = trouble == Trouble::Rival;
        if contested {
            self.run.book.borrow_mut().contested.push(action.n);
        }
        self.won(action, &out, false, contested, false).await;
    }

    /// The same key again at the same time, or another checkout.
    async fn second(&mut self, action: Action, place: u64, rival: bool) {
        let suffix = if rival { "-b" } else { "" };
        let body = self.order(action, &self.coded(action.stock, place), suffix, "");
        let kind = if rival { Kind::Rival } else { Kind::Repeat };
        let due = self.run.now();
        let out = Out { kind, due, ..self.redemption(action, suffix, body) };
        self.won(action, &out, rival, rival, false).await;
    }

    async fn claim(&mut self, action: Action, redeemed: bool) {
        let Some(out) = self.claim_of(action, Kind::Claim, &format!("user-{}", action.user), None) else { return };
        let Some((status, took)) = self.settle(&out).await else { return };
        let limited = self.run.load.workload.shop.claimable.is_some();
        let code = self.code();
        let sold_out = limited && status == 409 && code == "stock_sold_out";
        self.seen(&out, status, &code, status == 201 || sold_out, Some(took));
        self.run.book.borrow_mut().sold_out[action.stock] |= sold_out;
        if status != 201 {
            return;
        }
        let Some(coupon) = self.claimed(action) else { return };
        if redeemed {
            let body = self.order(action, &format!(r#""coupon_id":"{coupon}""#), "", "");
            let due = self.run.now();
            let out = Out { due, ..self.redemption(action, "-r", body) };
            self.won(action, &out, false, false, true).await;
        }
    }

    /// Writes down whose coupon the answer names.
    fn claimed(&mut self, action: Action) -> Option<String> {
        let coupon = field(&self.body, r#""coupon_id":"cpn_"#).map(|rest| format!("cpn_{rest}"));
        let mut book = self.run.book.borrow_mut();
        match &coupon {
            Some(coupon) => book.claimed(action.stock, coupon),
            None => book.wrong.add(|| format!("claim {} was answered 201 without a coupon", action.n)),
        }
        coupon
    }

    async fn abuse(&mut self, action: Action) {
        let device = action.n % FARM_DEVICES;
        let context = if action.what == What::OneDevice {
            format!(r#"{{"device_id":"farm-{device}","ip":"203.0.113.{}"}}"#, 10 + device)
        } else {
            format!(r#"{{"device_id":"bot-{}","ip":"198.51.100.7"}}"#, action.n)
        };
        let user = format!("account-{}", action.n);
        let Some(out) = self.claim_of(action, Kind::Abuse, &user, Some(context)) else { return };
        let Some((status, took)) = self.settle(&out).await else { return };
        // Whether they are caught is not what a load test judges: each of these is an answer.
        let expected = matches!(status, 201 | 403 | 409 | 429);
        let code = self.code();
        self.seen(&out, status, &code, expected, Some(took));
        if status == 201 {
            self.claimed(action);
        }
    }

    async fn lock(&mut self, action: Action, abandoned: bool) {
        let Some(place) = self.run.take_code(action.stock) else { return self.no_code(action) };
        let body = self.order(action, &self.coded(action.stock, place), "", r#","ttl_seconds":600"#);
        let out = Out {
            kind: Kind::Lock,
            path: "/v1/locks".to_owned(),
            key: self.key(action, "-l"),
            open: Open { redeems: None, claims: None },
            ..self.redemption(action, "", body)
        };
        let Some((status, took)) = self.settle(&out).await else { return };
        let code = self.code();
        self.seen(&out, status, &code, status == 201, Some(took));
        let lock = field(&self.body, r#""id":"lck_"#).map(|rest| format!("lck_{rest}"));
        let token = field(&self.body, r#""token":""#).map(str::to_owned);
        let (Some(lock), Some(token)) = (lock, token) else { return };
        let due = self.run.now();
        if abandoned {
            let out = Out {
                kind: Kind::Release,
                path: format!("/v1/locks/{lock}/release"),
                key: self.key(action, "-x"),
                body: format!(r#"{{"token":"{token}","reason":"abandoned"}}"#),
                due,
                ..out
            };
            let Some((status, took)) = self.settle(&out).await else { return };
            let code = self.code();
            self.seen(&out, status, &code, matches!(status, 200 | 201), Some(took));
            return;
        }
        let locked = format!(r#","lock":{{"id":"{lock}","token":"{token}"}}"#);
        let body = self.order(action, &self.coded(action.stock, place), "", &locked);
        let out = Out { due, ..self.redemption(action, "-r", body) };
        self.won(action, &out, false, false, false).await;
    }

    async fn validate(&mut self, action: Action) {
        let body = self.order(action, &format!(r#""code":"{}""#, self.run.lasting_code(action.stock)), "", "");
        let out = Self::harmless(action, Kind::Validate, "POST", "/v1/validations".to_owned(), body);
        self.expect(&out, &[200]).await;
    }

    async fn query(&mut self, action: Action) {
        let redemption = {
            let book = self.run.book.borrow();
            // Something that was done a while ago.
            action.n.checked_sub(1_000).and_then(|n| book.winner(n).map(|won| won.redemption.clone()))
        };
        let stock = &self.run.load.shop.stocks[action.stock];
        let id = stock.pool.as_ref().map(|pool| &pool.id).or(stock.claims.as_ref().map(|claims| &claims.id));
        let path = match (redemption, id) {
            (Some(redemption), _) => format!("/v1/redemptions/{redemption}"),
            (None, Some(id)) => format!("/v1/stocks/{id}/conservation"),
            (None, None) => return,
        };
        let out = Self::harmless(action, Kind::Query, "GET", path, String::new());
        self.expect(&out, &[200]).await;
    }

    async fn bulk(&mut self, action: Action) {
        let stock = &self.run.load.shop.stocks[action.stock];
        let Some(pool) = &stock.pool else { return };
        let (path, body) = (format!("/v1/stocks/{}/codes", pool.id), r#"{"count":1000,"label":"bulk"}"#.to_owned());
        let out = Out { key: self.key(action, ""), ..Self::harmless(action, Kind::Bulk, "POST", path, body) };
        self.expect(&out, &[200, 201, 202]).await;
    }

    /// A code that is none is refused; an abuser may be refused for more than that.
    async fn guess(&mut self, action: Action) {
        let guessed = format!("{:016}", action.n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000_000_000_000_000);
        let body = self.order(action, &format!(r#""code":"{guessed}""#), "", "");
        let out = Out { kind: Kind::Guess, ..self.redemption(action, "", body) };
        let Some((status, took)) = self.settle(&out).await else { return };
        let code = self.code();
        self.seen(&out, status, &code, matches!(status, 403 | 404 | 429), Some(took));
        if status == 201 {
            self.run.book.borrow_mut().wrong.add(|| format!("{guessed}, which is no code, was redeemed"));
        }
    }

    async fn expect(&mut self, out: &Out, statuses: &[u16]) {
        if let Some((status, took)) = self.settle(out).await {
            let code = self.code();
            self.seen(out, status, &code, statuses.contains(&status), Some(took));
        }
    }

    /// Settles a redemption and writes down whether it was won.
    async fn won(&mut self, action: Action, out: &Out, rival: bool, contested: bool, of_claim: bool) {
        let Some((status, took)) = self.settle(out).await else { return };
        let code = self.code();
        let lost_to_other = contested && status == 409 && matches!(&*code, "already_redeemed" | "coupon_locked");
        self.seen(out, status, &code, status == 201 || lost_to_other, Some(took));
        if status != 201 {
            return;
        }
        let mut book = self.run.book.borrow_mut();
        let Some(redemption) = field(&self.body, r#""id":"rdm_"#) else {
            return book.wrong.add(|| format!("redemption {} was answered 201 without an id", action.n));
        };
        let redemption = format!("rdm_{redemption}");
        if let Some(payable) = self.run.load.shop.stocks[action.stock].payable {
            let said = number(&self.body, r#""payable":"#);
            if said != Some(payable) {
                book.wrong.add(|| format!("redemption {} says payable {said:?} and not {payable}", action.n));
            }
        }
        if book.redeemed(action.n, &redemption, rival) {
            let counts = if of_claim { &mut book.redeemed_claims } else { &mut book.redeemed_codes };
            counts[action.stock] += 1;
        }
    }

    /// The code of the last answer, if it is a problem.
    fn code(&self) -> String {
        field(&self.body, r#""code":""#).filter(|_| self.is_problem()).unwrap_or_default().to_owned()
    }

    fn is_problem(&self) -> bool {
        field(&self.body, r#""request_id":""#).is_some() || field(&self.body, r#""title":""#).is_some()
    }

    fn seen(&self, out: &Out, status: u16, code: &str, expected: bool, took: Option<Duration>) {
        let seen = Seen { kind: out.kind, warm_up: out.warm_up, status, code, expected, took };
        self.run.record.borrow_mut().seen(seen);
    }

    fn no_code(&self, action: Action) {
        let (warm_up, took) = (action.warm_up, None);
        let seen = Seen { kind: Kind::Redeem, warm_up, status: 0, code: "no_code_left", expected: false, took };
        self.run.record.borrow_mut().seen(seen);
    }

    fn key(&self, action: Action, suffix: &str) -> String {
        format!("lt-{}-{}{suffix}", self.run.load.shop.run, action.n)
    }

    fn coded(&self, stock: usize, place: u64) -> String {
        format!(r#""code":"{}""#, self.run.code(stock, place))
    }

    fn redemption(&self, action: Action, suffix: &str, body: String) -> Out {
        Out {
            kind: Kind::Redeem,
            method: "POST",
            path: "/v1/redemptions".to_owned(),
            key: self.key(action, suffix),
            body,
            open: Open { redeems: Some(action.n), claims: None },
            trouble: Trouble::None,
            due: action.due,
            warm_up: action.warm_up,
        }
    }

    /// Something that changes no coupon.
    fn harmless(action: Action, kind: Kind, method: &'static str, path: String, body: String) -> Out {
        let open = Open { redeems: None, claims: None };
        let trouble = Trouble::None;
        Out { kind, method, path, key: String::new(), body, open, trouble, due: action.due, warm_up: action.warm_up }
    }

    fn claim_of(&self, action: Action, kind: Kind, user: &str, context: Option<String>) -> Option<Out> {
        let claims = self.run.load.shop.stocks.get(action.stock)?.claims.as_ref()?;
        let context = context.unwrap_or_else(|| self.context(action.user));
        Some(Out {
            kind,
            path: "/v1/claims".to_owned(),
            body: format!(r#"{{"stock_id":"{}","user_id":"{user}","context":{context}}}"#, claims.id),
            open: Open { redeems: None, claims: Some(action.stock) },
            ..self.redemption(action, "", String::new())
        })
    }

    /// The body of a redemption, a validation or a lock; `coupon` names the coupon, `more` is put before the context.
    fn order(&self, action: Action, coupon: &str, suffix: &str, more: &str) -> String {
        let shop = &self.run.load.shop;
        let amount = shop.stocks[action.stock].amount;
        let mut body = String::with_capacity(320);
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            concat!(
                r#"{{"coupons":[{{{}}}],"order":{{"id":"lt-{}-{}{}","amount":{},"currency":"CNY"}},"#,
                r#""user_id":"user-{}"{},"context":{}"#
            ),
            coupon,
            shop.run,
            action.n,
            suffix,
            amount,
            action.user,
            more,
            self.context(action.user)
        );
        match shop.stores.get(action.store) {
            Some(store) => drop(write!(body, r#","store_id":"{store}"}}"#)),
            None => body.push('}'),
        }
        body
    }

    /// A customer's device and address: 10.0.0.0/8 by customer.
    fn context(&self, user: u64) -> String {
        let shop = &self.run.load.workload.shop;
        let (device, address) = (user / shop.users_per_device, user / shop.users_per_address);
        let [_, a, b, c] = ((address % (1 << 24)) as u32).to_be_bytes();
        format!(r#"{{"device_id":"device-{device}","ip":"10.{a}.{b}.{c}"}}"#)
    }
}

/// What follows `name` in compact JSON, up to the next quotation mark.
fn field<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = &text[text.find(name)? + name.len()..];
    rest.split('"').next()
}

/// The whole number that follows `name`.
fn number(body: &[u8], name: &str) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text[text.find(name)? + name.len()..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_of_an_answer_is_found() {
        let body = br#"{"decision":{"id":"dec_1"},"id":"rdm_2","order":{"payable":11800,"id":"o"}}"#;
        assert_eq!(field(body, r#""id":"rdm_"#), Some("2"));
        assert_eq!((number(body, r#""payable":"#), number(body, r#""discount":"#)), (Some(11_800), None));
        assert_eq!(field(b"\xff", "x"), None);
    }
}
