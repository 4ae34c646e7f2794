//! Bodies and queries as typed requests, with an RFC 6901 pointer to whatever is wrong with them.

mod check;
mod decode;
mod node;
mod query;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};

use crate::problem::{Code, Problem, Result};
pub use check::Check;
use decode::Refusal;
pub(crate) use node::Node;
pub(crate) use query::{decode_query, parse_fields, parse_query};

/// A typed body with the fingerprint of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The request.
    pub body: T,
    /// The first 16 bytes of SHA-256 over method, path with query and the canonical body without `context`.
    pub fingerprint: [u8; 16],
}

/// Parses a JSON object. `target` is method and path with query, which the fingerprint covers too.
pub fn parse<T: DeserializeOwned>(json: &[u8], target: (&str, &str)) -> Result<Parsed<T>> {
    let node = document(json)?;
    let body = decode(&node, "")?;
    let mut canonical = Vec::with_capacity(json.len());
    node.canonical(&mut canonical, Some("context"));
    Ok(Parsed { body, fingerprint: fingerprint(target, &canonical) })
}

/// The fingerprint of a request whose body is taken as it is.
pub fn fingerprint((method, path_and_query): (&str, &str), body: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for piece in [method.as_bytes(), b"\n", path_and_query.as_bytes(), b"\n", body] {
        hash.update(piece);
    }
    let digest: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|i| digest[i])
}

fn document(json: &[u8]) -> Result<Node<'_>> {
    if json.is_empty() {
        return Err(Problem::new(Code::MalformedJson, "The body is empty; a JSON object is expected."));
    }
    let node = Node::parse(json).map_err(|error| malformed(&error))?;
    let mut path = Vec::new();
    if let Some(fault) = node.fault(&mut path) {
        path.reverse();
        return Err(invalid(pointer("", &path), fault));
    }
    match node {
        Node::Object(_) => Ok(node),
        _ => Err(invalid(String::new(), "must be a JSON object")),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let detail = format!("Line {}, column {}: {what}.", error.line(), error.column());
    Problem::new(Code::MalformedJson, detail).with("line", error.line()).with("column", error.column())
}

fn invalid(pointer: String, what: &str) -> Problem {
    let name = if pointer.is_empty() { "The body" } else { pointer.as_str() };
    Problem::new(Code::InvalidField, format!("{name} {what}.")).pointer(pointer)
}

/// Turns a document into a request. Where it fails it is read a second time with its path tracked, so that sound
/// requests do not pay for the pointers of others.
fn decode<T: DeserializeOwned>(node: &Node<'_>, prefix: &str) -> Result<T> {
    T::deserialize(node).map_err(|first| match serde_path_to_error::deserialize::<_, T>(node) {
        Ok(_) => refused(node, prefix, Vec::new(), first),
        Err(error) => {
            let path = existing(node, error.path());
            refused(node, prefix, path, error.into_inner())
        }
    })
}

/// The parts of a path as far as the document has them: beyond that, serde names its own inventions.
fn existing(node: &Node<'_>, path: &serde_path_to_error::Path) -> Vec<String> {
    let mut parts = Vec::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => break,
        };
        parts.push(part);
        if node.at(&parts).is_none() {
            parts.pop();
        }
    }
    parts
}

fn refused(node: &Node<'_>, prefix: &str, mut path: Vec<String>, refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Invalid(what) => invalid(pointer(prefix, &path), &what),
        Refusal::Missing(field) => {
            path.push(field);
            let pointer = pointer(prefix, &path);
            Problem::new(Code::MissingField, format!("{pointer} is required.")).pointer(pointer)
        }
        Refusal::Unknown { field, expected } => {
            if path.last() != Some(&field) {
                path = located(node, path, &field);
            }
            let pointer = pointer(prefix, &path);
            let known = if expected.is_empty() { String::new() } else { format!(" Known here: {expected}.") };
            Problem::new(Code::UnknownField, format!("{pointer} is not a field of this call.{known}")).pointer(pointer)
        }
    }
}

/// Where below `path` the field stands. Tagged enums buffer their content, which loses the path inside; the document
/// still knows it where the name occurs once.
fn located(node: &Node<'_>, mut path: Vec<String>, field: &str) -> Vec<String> {
    fn search(node: &Node<'_>, field: &str, here: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let mut step = |part: String, value: &Node<'_>| {
            here.push(part);
            if here.last().is_some_and(|part| part == field) {
                found.push(here.clone());
            }
            search(value, field, here, found);
            here.pop();
        };
        match node {
            Node::Array(items) => items.iter().enumerate().for_each(|(i, item)| step(i.to_string(), item)),
            Node::Object(fields) => fields.iter().for_each(|(key, value)| step(key.to_string(), value)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Some(base) = node.at(&path) {
        search(base, field, &mut Vec::new(), &mut found);
    }
    let direct = found.iter().position(|parts| parts.len() == 1);
    match (direct, found.len()) {
        (None, 1) => path.append(&mut found[0]),
        _ => path.push(field.to_owned()),
    }
    path
}

/// RFC 6901.
fn pointer(prefix: &str, parts: &[String]) -> String {
    parts.iter().fold(prefix.to_owned(), |mut text, part| {
        text.push('/');
        text.push_str(&part.replace('~', "~0").replace('/', "~1"));
        text
    })
}

#[cfg(test)]
mod tests;
