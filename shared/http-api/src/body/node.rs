//! A parsed JSON document, borrowed from the body: the one parse from which both the typed request and its
//! fingerprint are made.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deeper documents are refused: none of ours needs half of it.
pub(super) const MAX_DEPTH: usize = 32;

/// Most objects have no more fields.
const USUAL_FIELDS: usize = 8;

/// A value. Objects are sorted by key, so that two bodies that differ only in order and white space are equal.
#[derive(Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A value of a query, whose type only the reader knows.
    Param(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let node = Seed { depth: 0 }.deserialize(&mut deserializer)?;
        deserializer.end().map(|()| node)
    }

    /// Finds what a pointer's unescaped parts lead to.
    pub(super) fn at<'n>(&'n self, parts: &[String]) -> Option<&'n Self> {
        parts.iter().try_fold(self, |node, part| match node {
            Self::Array(items) => items.get(part.parse::<usize>().ok()?),
            Self::Object(fields) => fields.iter().find(|(key, _)| key == part).map(|(_, value)| value),
            _ => None,
        })
    }

    /// The first thing that JSON allows and we do not, with where it stands: a repeated key or U+0000. The path is written
    /// from its end, and only where there is something to say.
    pub(super) fn fault(&self, path: &mut Vec<String>) -> Option<&'static str> {
        match self {
            Self::Text(text) | Self::Param(text) => text.contains('\0').then_some("must not contain U+0000"),
            Self::Array(items) => {
                items.iter().enumerate().find_map(|(i, item)| item.fault(path).inspect(|_| path.push(i.to_string())))
            }
            Self::Object(fields) => fields.iter().enumerate().find_map(|(i, (key, value))| {
                let fault = if i > 0 && fields[i - 1].0 == *key {
                    Some("stands twice in the same object")
                } else if key.contains('\0') {
                    Some("must not contain U+0000")
                } else {
                    value.fault(path)
                };
                fault.inspect(|_| path.push(key.to_string()))
            }),
            _ => None,
        }
    }

    /// Canonical JSON: sorted keys, no white space. `skip` names a field of the top level that is left out.
    pub(super) fn canonical(&self, out: &mut Vec<u8>, skip: Option<&str>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => push_json(out, value),
            Self::Unsigned(value) => push_json(out, value),
            Self::Signed(value) => push_json(out, value),
            Self::Float(value) => push_json(out, value),
            Self::Text(text) | Self::Param(text) => push_json(out, text),
            Self::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.canonical(out, None);
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                let mut first = true;
                for (key, value) in fields.iter().filter(|(key, _)| Some(&**key) != skip) {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    push_json(out, key);
                    out.push(b':');
                    value.canonical(out, None);
                }
                out.push(b'}');
            }
        }
    }
}

/// Scalars always serialise into memory.
fn push_json(out: &mut Vec<u8>, value: impl serde::Serialize) {
    let _ = serde_json::to_writer(out, &value);
}

#[derive(Clone, Copy)]
struct Seed {
    depth: usize,
}

impl Seed {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        while let Some(key) = access.next_key_seed(KeySeed)? {
            fields.push((key, access.next_value_seed(seed)?));
        }
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Node::Object(fields))
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
