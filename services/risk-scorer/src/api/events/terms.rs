//! What the terms of a query mean for events: ids are read, and what people call devices, users and addresses is turned
//! into what stands for them at each merchant.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use coupon::event::Pseudonym;
use coupon::id::{MerchantId, StockId, StoreId};
use coupon_api::dto::answer::action_name;
use coupon_api::secrets::Secrets;
use dashmap::DashMap;
use risk::query::{Comparison, Field, Problem, Query, Term, Test};

use super::event::Event;
use crate::api::RiskApi;
use crate::api::marks::{Labels, label_name};
use crate::api::subjects::Named;

/// A network of IPv4 may have so many addresses: each stands for something else at each merchant.
const SHORTEST_PREFIX: u8 = 16;

/// What a term means for an event.
pub(super) enum Matcher {
    /// Of one merchant: what a caller may see.
    Own(MerchantId),
    Kind(Vec<String>),
    Action(Vec<String>),
    Rule(Vec<String>),
    Code(Vec<String>),
    Stock(Vec<StockId>),
    Store(Vec<StoreId>),
    Merchant(Vec<MerchantId>),
    Device(Vec<Named>),
    User(Vec<Named>),
    Cashier(Vec<Named>),
    Ip(Vec<Address>),
    Label(Vec<String>),
    Score(Comparison, i64),
    Amount(Comparison, i64),
    Degraded(bool),
}

/// An address, or a network.
pub(super) enum Address {
    One(Named),
    Network(Network),
}

/// A network of IPv4, by what stands for its addresses, or for the /24 in it, at each merchant.
pub(super) struct Network {
    base: u32,
    prefix: u8,
    secrets: Arc<Secrets>,
    known: DashMap<MerchantId, Arc<HashSet<Pseudonym>>>,
}

/// Whether a query looks at a field.
pub(super) fn uses(query: &Query, field: Field) -> bool {
    match query {
        Query::Is(term) => term.field == field,
        Query::Not(query) => uses(query, field),
        Query::And(list) | Query::Or(list) => list.iter().any(|query| uses(query, field)),
    }
}

/// The query for a caller who sees one merchant, or all.
pub(super) fn understand(
    state: &RiskApi,
    merchant: Option<MerchantId>,
    query: Query,
) -> Result<Query<Matcher>, Vec<Problem>> {
    let query = query.map(&mut |term| matcher(state, &term).map_err(|problem| vec![problem]))?;
    let own = merchant.map(|merchant| Query::Is(Matcher::Own(merchant)));
    Ok(Query::And(own.into_iter().chain([query]).collect()))
}

fn matcher(state: &RiskApi, term: &Term) -> Result<Matcher, Problem> {
    let values = match &term.test {
        Test::Compare(comparison, bound) if term.field == Field::Score => {
            return Ok(Matcher::Score(*comparison, *bound));
        }
        Test::Compare(comparison, bound) => return Ok(Matcher::Amount(*comparison, *bound)),
        Test::OneOf(values) => values.clone(),
    };
    Ok(match term.field {
        Field::Kind => Matcher::Kind(values),
        Field::Action => Matcher::Action(values),
        Field::Rule => Matcher::Rule(values),
        Field::Code => Matcher::Code(values),
        Field::Label => Matcher::Label(values),
        Field::Degraded => Matcher::Degraded(values.iter().any(|value| value == "yes")),
        Field::Stock => Matcher::Stock(ids(term, &values, "a stock's id, stk_...")?),
        Field::Store => Matcher::Store(ids(term, &values, "a store's id, sto_...")?),
        Field::Merchant => Matcher::Merchant(ids(term, &values, "a merchant's id, mer_...")?),
        Field::Device => Matcher::Device(named(state, term, &values)?),
        Field::User => Matcher::User(named(state, term, &values)?),
        Field::Cashier => Matcher::Cashier(named(state, term, &values)?),
        Field::Ip => Matcher::Ip(values.iter().map(|value| address(state, term, value)).collect::<Result<_, _>>()?),
        Field::Score | Field::Amount => return Err(problem(term, "is one whole number", "compare it")),
    })
}

fn problem(term: &Term, message: &str, hint: &str) -> Problem {
    // The value begins behind the name and its sign.
    let column = term.column + term.field.name().len() as u32 + 1;
    Problem::new(column, format!("{} {message}", term.field.name()), hint)
}

fn ids<T: std::str::FromStr>(term: &Term, values: &[String], wanted: &str) -> Result<Vec<T>, Problem> {
    let id = |value: &String| {
        value.parse().map_err(|_| problem(term, &format!("is never {value:?}"), &format!("write {wanted}")))
    };
    values.iter().map(id).collect()
}

fn named(state: &RiskApi, term: &Term, values: &[String]) -> Result<Vec<Named>, Problem> {
    let named = |value: &String| {
        let kind = term.field.name();
        Named::new(state, kind, value, "/query/query").map_err(|_| problem(term, "is empty", "write the caller's id"))
    };
    values.iter().map(named).collect()
}

fn address(state: &RiskApi, term: &Term, value: &str) -> Result<Address, Problem> {
    let Some((base, prefix)) = value.split_once('/') else {
        let no = |_| problem(term, &format!("is never {value:?}"), "write an address, such as 203.0.113.9");
        return Named::new(state, "ip", value, "/query/query").map(Address::One).map_err(no);
    };
    let hint = "write IPv4 networks from /16 to /32, such as 203.0.113.0/24; of IPv6 each address stands for its /64";
    let no = || problem(term, &format!("cannot be {value:?}"), hint);
    let (base, prefix) = (base.parse::<IpAddr>().map_err(|_| no())?, prefix.parse::<u8>().map_err(|_| no())?);
    match base {
        IpAddr::V4(base) if (SHORTEST_PREFIX..=32).contains(&prefix) => {
            let secrets = state.backend.secrets.clone();
            Ok(Address::Network(Network { base: base.to_bits(), prefix, secrets, known: DashMap::new() }))
        }
        IpAddr::V6(base) if prefix == 64 => {
            Named::new(state, "ip", &base.to_string(), "/query/query").map(Address::One).map_err(|_| no())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Err(no()),
    }
}

impl Network {
    fn has(&self, event: &Event<'_>) -> bool {
        let by_24 = self.prefix <= 24;
        let told = if by_24 { event.decided.and_then(|decided| decided.who.ip24) } else { event.ip };
        let Some(told) = told else { return false };
        if let Some(known) = self.known.get(&event.merchant) {
            return known.contains(&told);
        }
        let all = Arc::new(self.all(event.merchant, by_24));
        self.known.insert(event.merchant, all.clone());
        all.contains(&told)
    }

    fn all(&self, merchant: MerchantId, by_24: bool) -> HashSet<Pseudonym> {
        let free = 32 - u32::from(self.prefix);
        let first = (u64::from(self.base) >> free) << free;
        let step = if by_24 { 256 } else { 1 };
        let addresses = (first..first + (1_u64 << free)).step_by(step);
        let ip = |bits: u64| IpAddr::V4(Ipv4Addr::from_bits(bits as u32));
        let stands = |ip| if by_24 { self.secrets.ip24(merchant, ip) } else { self.secrets.ip(merchant, ip) };
        addresses.map(|bits| stands(ip(bits))).collect()
    }
}

impl Matcher {
    /// Whether it holds of an event.
    pub(super) fn holds(&self, event: &Event<'_>, labels: &Labels) -> bool {
        let decided = event.decided;
        let decision = decided.map(|decided| &decided.decision);
        let word = |values: &[String], word: Option<&str>| word.is_some_and(|word| values.iter().any(|it| it == word));
        match self {
            Self::Own(merchant) => event.merchant.real() == *merchant,
            Self::Kind(values) => {
                word(values, event.tried()) || (event.code.is_some() && word(values, Some("refusal")))
            }
            Self::Action(values) => word(values, decision.map(|decision| action_name(decision.action))),
            Self::Rule(values) => {
                let mut reasons = decision.into_iter().flat_map(|decision| &decision.reasons);
                reasons.any(|reason| values.contains(&reason.code))
            }
            Self::Code(values) => word(values, event.code),
            Self::Label(values) => word(values, Some(event.label(labels).map_or("none", label_name))),
            Self::Degraded(wanted) => decision.is_some_and(|decision| decision.degraded == *wanted),
            Self::Stock(ids) => {
                let stock = decided.and_then(|decided| decided.who.stock);
                stock.is_some_and(|stock| ids.contains(&StockId::new(event.merchant, stock)))
            }
            Self::Store(ids) => {
                let store = decided.and_then(|decided| decided.who.store);
                store.is_some_and(|store| ids.contains(&StoreId::new(event.merchant.real(), store)))
            }
            Self::Merchant(ids) => ids.contains(&event.merchant.real()),
            Self::Device(named) => is_one(named, event.merchant, event.device),
            Self::User(named) => is_one(named, event.merchant, event.user),
            Self::Cashier(named) => is_one(named, event.merchant, decided.and_then(|decided| decided.who.cashier)),
            Self::Ip(addresses) => addresses.iter().any(|address| match address {
                Address::One(named) => event.ip.is_some() && named.pseudonym(event.merchant) == event.ip,
                Address::Network(network) => network.has(event),
            }),
            Self::Score(comparison, bound) => comparison.holds(event.score(), *bound),
            Self::Amount(comparison, bound) => event.amount().is_some_and(|amount| comparison.holds(amount, *bound)),
        }
    }
}

fn is_one(named: &[Named], merchant: MerchantId, told: Option<Pseudonym>) -> bool {
    told.is_some() && named.iter().any(|named| named.pseudonym(merchant) == told)
}
