//! One item of a list, normalised, so that what is equal is written equally.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

use super::problem::{ItemProblem, code};
use super::{ItemType, Mode};

/// How many characters a value may have: as ids in requests, and more than any domain (RFC 1035, 2.3.4: 255 octets).
pub const MOST_CHARACTERS: usize = 256;

const EMPTY: ItemProblem = ItemProblem::new(code::EMPTY, "there is no value", "leave the line out");
const TOO_LONG: ItemProblem = ItemProblem::new(code::TOO_LONG, "the value is too long", "at most 256 characters");
const CONTROL: ItemProblem =
    ItemProblem::new(code::CONTROL_CHARACTER, "a control character stands in the value", "write it as plain text");
const WILDCARD: ItemProblem =
    ItemProblem::new(code::WILDCARD, "a star stands inside the value", "one star at the end matches all that begin so");
const ALL_VALUES: ItemProblem =
    ItemProblem::new(code::MATCHES_ALL, "a star alone matches everything", "write how the values begin: abc*");
const ALL_ADDRESSES: ItemProblem =
    ItemProblem::new(code::MATCHES_ALL, "a network of length 0 holds every address", "write a smaller network");
const ADDRESS: ItemProblem =
    ItemProblem::new(code::NOT_AN_ADDRESS, "this is not an address", "for example 192.0.2.7 or 2001:db8::7");
const NETWORK: ItemProblem =
    ItemProblem::new(code::NETWORK, "this is a network, not an address", "networks belong in a list of type cidr");
const LENGTH: ItemProblem = ItemProblem::new(
    code::PREFIX_LENGTH,
    "the length after the slash is not valid",
    "a whole number, at most 32 for IPv4 and 128 for IPv6",
);
const DOMAIN: ItemProblem = ItemProblem::new(
    code::NOT_A_DOMAIN,
    "this is not a domain",
    "for example example.com, with others than a-z, 0-9 and - in punycode",
);

/// A network. IPv4 is the part of IPv6 that stands for it, `::ffff:0:0/96` (RFC 4291, 2.5.5.2), so that both are looked
/// up alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Network {
    bits: u128,
    length: u8,
}

/// The length of the network that holds all of IPv4.
pub(super) const IPV4: u8 = 96;
/// The length of a single address.
const HOST: u8 = 128;
/// The length of what one subscriber of IPv6 is given at least (RFC 6177).
const SUBSCRIBER: u8 = 64;

/// An address's bits, those of IPv4 mapped.
pub(super) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Whether these are the bits of an address of IPv4.
pub(super) fn is_ipv4(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

impl Network {
    /// The network of a length that holds an address; what lies behind the length is cleared.
    pub(super) fn of(bits: u128, length: u8) -> Self {
        let mask = u128::MAX.checked_shl(u32::from(HOST - length)).unwrap_or(0);
        Self { bits: bits & mask, length }
    }

    pub(super) fn bits(self) -> u128 {
        self.bits
    }

    pub(super) fn length(self) -> u8 {
        self.length
    }

    fn is_ipv4(self) -> bool {
        self.length >= IPV4 && is_ipv4(self.bits)
    }

    fn address(self) -> IpAddr {
        let address = IpAddr::V6(Ipv6Addr::from_bits(self.bits));
        if self.is_ipv4() { address.to_canonical() } else { address }
    }

    fn parse(text: &str) -> Result<Self, ItemProblem> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.trim_end().parse().map_err(|_| ADDRESS)?;
        let most = if address.is_ipv4() { HOST - IPV4 } else { HOST };
        let length = match length {
            Some(length) => parse_length(length.trim_start()).filter(|length| *length <= most).ok_or(LENGTH)?,
            None => most,
        };
        if length == 0 || (address.is_ipv6() && is_ipv4(bits(address)) && length == IPV4) {
            return Err(ALL_ADDRESSES);
        }
        Ok(Self::of(bits(address), HOST - most + length))
    }
}

/// Digits only: `parse` would take a sign as well.
fn parse_length(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = if self.is_ipv4() { self.length - IPV4 } else { self.length };
        write!(f, "{}/{length}", self.address())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Exact(Box<str>),
    /// What the value begins with.
    Prefix(Box<str>),
    Network(Network),
    Domain(Box<str>),
}

/// An item of a list. Its text is normalised: parsed again, it gives the same item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    item_type: ItemType,
    pub(super) value: Value,
}

impl Item {
    /// An item from what was typed: without blanks around it; a network without bits behind its length, an address of
    /// IPv4 that was written as one of IPv6 as what it is, a domain in lower case without `@`, `.` or `*.` before it.
    ///
    /// A network of IPv6 shorter than /96 holds no addresses of IPv4.
    pub fn parse(item_type: ItemType, text: &str) -> Result<Self, ItemProblem> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EMPTY);
        }
        if text.chars().count() > MOST_CHARACTERS {
            return Err(TOO_LONG);
        }
        if text.chars().any(char::is_control) {
            return Err(CONTROL);
        }
        let value = match item_type {
            ItemType::User | ItemType::Device | ItemType::Store | ItemType::Cashier => parse_id(text)?,
            ItemType::Ip => Value::Network(parse_address(text)?),
            ItemType::Cidr => Value::Network(Network::parse(text)?),
            ItemType::EmailDomain => Value::Domain(parse_domain(text)?),
        };
        Ok(Self { item_type, value })
    }

    /// Of which type.
    pub fn item_type(&self) -> ItemType {
        self.item_type
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Exact(text) | Value::Domain(text) => f.write_str(text),
            Value::Prefix(text) => write!(f, "{text}*"),
            Value::Network(network) if self.item_type == ItemType::Ip => network.address().fmt(f),
            Value::Network(network) => network.fmt(f),
        }
    }
}

fn parse_id(text: &str) -> Result<Value, ItemProblem> {
    let (start, is_prefix) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
    if start.is_empty() {
        return Err(ALL_VALUES);
    }
    if start.contains('*') {
        return Err(WILDCARD);
    }
    Ok(if is_prefix { Value::Prefix(start.into()) } else { Value::Exact(start.into()) })
}

fn parse_address(text: &str) -> Result<Network, ItemProblem> {
    if text.contains('/') {
        return Err(NETWORK);
    }
    let bits = bits(text.parse().map_err(|_| ADDRESS)?);
    Ok(Network::of(bits, if is_ipv4(bits) { HOST } else { SUBSCRIBER }))
}

/// A domain of two labels at least: a single one is a slip of the pen more often than a whole top-level domain is meant.
fn parse_domain(text: &str) -> Result<Box<str>, ItemProblem> {
    let text = ["*.", "@", "."].iter().find_map(|lead| text.strip_prefix(lead)).unwrap_or(text);
    let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        letters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    // What ends in a number is an address (URL Standard, 3.5), which belongs in another list.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_domain = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label) && !is_number;
    is_domain.then(|| domain.into()).ok_or(DOMAIN)
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
