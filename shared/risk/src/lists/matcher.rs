//! All items of all lists, so that a request is matched in about a microsecond and an item is put in or taken out
//! alone.
//!
//! Everything is a look-up in a hash map. Networks and prefixes are looked up once for each length that there is among
//! them (tuple space search; Srinivasan, Suri, Varghese, *Packet Classification using Tuple Space Search*, SIGCOMM 1999),
//! of networks only those lengths that there are in the address's own block. Sorted ranges would take one search, but
//! would have to be made anew for each item.

use core::net::IpAddr;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::item::{Value, bits};
use super::networks::Networks;
use super::{Item, ItemType};

/// Whom and what a request has to do with; what was not told is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The user's id. Where no domain is told and this looks like an e-mail address, its domain is taken.
    pub user: Option<&'a str>,
    /// The device's id.
    pub device: Option<&'a str>,
    /// The address.
    pub ip: Option<IpAddr>,
    /// The domain of the user's e-mail address.
    pub email_domain: Option<&'a str>,
    /// The store's id.
    pub store: Option<&'a str>,
    /// The cashier's id.
    pub cashier: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// The domain in lower case, without a dot at its end.
    fn domain(&self) -> Option<Cow<'a, str>> {
        let of_user = || self.user.and_then(|user| user.rsplit_once('@')).map(|(_, domain)| domain);
        let domain = self.email_domain.or_else(of_user)?.trim();
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let is_lower = !domain.bytes().any(|byte| byte.is_ascii_uppercase());
        Some(if is_lower { Cow::Borrowed(domain) } else { Cow::Owned(domain.to_ascii_lowercase()) })
    }
}

/// The end of what never ends, milliseconds since 1970.
pub const NEVER: i64 = i64::MAX;

/// On which lists a value is, ascending, and until when on each.
type Holders = SmallVec<[(u32, i64); 1]>;

/// Values of one kind, with the lists that each is on.
#[derive(Clone, Debug)]
pub(super) struct Values<K>(FxHashMap<K, Holders>);

impl<K> Default for Values<K> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<K: Hash + Eq> Values<K> {
    /// Puts a value on a list; whether it was not there.
    pub(super) fn add(&mut self, value: K, list: u32, until_ms: i64) -> bool {
        let holders = self.0.entry(value).or_default();
        match holders.binary_search_by_key(&list, |(list, _)| *list) {
            Ok(at) => {
                holders[at].1 = until_ms;
                false
            }
            Err(at) => {
                holders.insert(at, (list, until_ms));
                true
            }
        }
    }

    /// Takes a value from a list; whether it was there.
    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, value: &Q, list: u32) -> bool
    where
        K: Borrow<Q>,
    {
        let Some(holders) = self.0.get_mut(value) else { return false };
        let Ok(at) = holders.binary_search_by_key(&list, |(list, _)| *list) else { return false };
        holders.remove(at);
        if holders.is_empty() {
            self.0.remove(value);
        }
        true
    }

    pub(super) fn find<Q: Hash + Eq + ?Sized>(&self, value: &Q, found: &mut Found)
    where
        K: Borrow<Q>,
    {
        let Some(holders) = self.0.get(value) else { return };
        let live = holders.iter().filter(|(_, until_ms)| *until_ms > found.now_ms);
        found.lists.extend(live.map(|(list, _)| *list));
    }

    /// Keeps what is to be kept, and tells which values' places on lists go.
    pub(super) fn retain(&mut self, keep: &impl Fn(u32, i64) -> bool, mut gone: impl FnMut(&K)) {
        self.0.retain(|value, holders| {
            let before = holders.len();
            holders.retain(|(list, until_ms)| keep(*list, *until_ms));
            (holders.len()..before).for_each(|_| gone(value));
            !holders.is_empty()
        });
    }
}

/// The lists that were found so far.
pub(super) struct Found {
    now_ms: i64,
    lists: Vec<u32>,
}

/// How many places on lists there are of each length.
#[derive(Clone, Debug, Default)]
struct Lengths(BTreeMap<usize, usize>);

impl Lengths {
    fn add(&mut self, length: usize) {
        *self.0.entry(length).or_default() += 1;
    }

    fn remove(&mut self, length: usize) {
        if let Some(number) = self.0.get_mut(&length) {
            *number -= 1;
            if *number == 0 {
                self.0.remove(&length);
            }
        }
    }
}

/// Ids of one kind: whole ones, and how they begin.
#[derive(Clone, Debug, Default)]
struct Ids {
    whole: Values<Box<str>>,
    prefixes: Values<Box<str>>,
    lengths: Lengths,
}

impl Ids {
    fn find(&self, id: &str, found: &mut Found) {
        let id = id.trim();
        self.whole.find(id, found);
        for length in self.lengths.0.range(..=id.len()).map(|(length, _)| *length) {
            if let Some(prefix) = id.get(..length) {
                self.prefixes.find(prefix, found);
            }
        }
    }
}

/// The items of all lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Users, devices, stores, cashiers.
    ids: [Ids; 4],
    networks: Networks,
    domains: Values<Box<str>>,
    len: usize,
}

fn ids_of(item_type: ItemType) -> usize {
    match item_type {
        ItemType::User => 0,
        ItemType::Device => 1,
        ItemType::Store => 2,
        _ => 3,
    }
}

impl Lists {
    /// Puts an item on a list until a time in milliseconds since 1970, or for good until [`NEVER`]; one that is there
    /// already is there until then instead. Whether it was not there.
    pub fn add(&mut self, list: u32, item: &Item, until_ms: i64) -> bool {
        let ids = &mut self.ids[ids_of(item.item_type())];
        let is_new = match &item.value {
            Value::Exact(id) => ids.whole.add(id.clone(), list, until_ms),
            Value::Domain(domain) => self.domains.add(domain.clone(), list, until_ms),
            Value::Prefix(prefix) => {
                let is_new = ids.prefixes.add(prefix.clone(), list, until_ms);
                is_new.then(|| ids.lengths.add(prefix.len())).is_some()
            }
            Value::Network(network) => self.networks.add(*network, list, until_ms),
        };
        self.len += usize::from(is_new);
        is_new
    }

    /// Takes an item from a list; whether it was there.
    pub fn remove(&mut self, list: u32, item: &Item) -> bool {
        let ids = &mut self.ids[ids_of(item.item_type())];
        let was_there = match &item.value {
            Value::Exact(id) => ids.whole.remove(id, list),
            Value::Domain(domain) => self.domains.remove(domain, list),
            Value::Prefix(prefix) => {
                let was_there = ids.prefixes.remove(prefix, list);
                was_there.then(|| ids.lengths.remove(prefix.len())).is_some()
            }
            Value::Network(network) => self.networks.remove(*network, list),
        };
        self.len -= usize::from(was_there);
        was_there
    }

    /// Takes all items from a list. Looks at every item of all lists.
    pub fn remove_list(&mut self, list: u32) {
        self.retain(|of, _| of != list);
    }

    /// Lets go of what expired: it matches nothing any more, but takes room. Looks at every item of all lists.
    pub fn remove_expired(&mut self, now_ms: i64) {
        self.retain(|_, until_ms| until_ms > now_ms);
    }

    fn retain(&mut self, keep: impl Fn(u32, i64) -> bool) {
        let Self { ids, networks, domains, len } = self;
        for Ids { whole, prefixes, lengths } in ids {
            whole.retain(&keep, |_| *len -= 1);
            prefixes.retain(&keep, |prefix| {
                lengths.remove(prefix.len());
                *len -= 1;
            });
        }
        domains.retain(&keep, |_| *len -= 1);
        networks.retain(&keep, || *len -= 1);
    }

    /// The numbers of the lists that have an item which matches a request at a time, ascending.
    pub fn matches(&self, request: &Request<'_>, now_ms: i64) -> Vec<u32> {
        let mut found = Found { now_ms, lists: Vec::new() };
        let told = [request.user, request.device, request.store, request.cashier];
        for (ids, id) in self.ids.iter().zip(told) {
            if let Some(id) = id {
                ids.find(id, &mut found);
            }
        }
        if let Some(ip) = request.ip {
            self.networks.find(bits(ip), &mut found);
        }
        if let Some(domain) = request.domain() {
            self.find_domains(&domain, &mut found);
        }
        found.lists.sort_unstable();
        found.lists.dedup();
        found.lists
    }

    /// The domain itself and those that it lies in.
    fn find_domains(&self, domain: &str, found: &mut Found) {
        if self.domains.0.is_empty() || domain.len() > 253 {
            return;
        }
        let mut rest = Some(domain);
        while let Some(domain) = rest {
            self.domains.find(domain, found);
            rest = domain.split_once('.').map(|(_, parent)| parent);
        }
    }

    /// How many items there are on all lists together; those that expired count until they are let go.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
