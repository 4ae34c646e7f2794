//! Queries as typed requests: every parameter known, none twice.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::{Node, decode, invalid, pointer};
use crate::problem::{Code, Problem, Result};

/// More parameters than any call has.
const MAX_PARAMETERS: usize = 64;

/// Parses a query; problems point to `/query/<name>`. Empty values count as given.
pub(crate) fn parse_query<T: DeserializeOwned>(query: Option<&str>) -> Result<T> {
    parse_fields(decode_query(query)?)
}

/// Parses the decoded parameters of a query.
pub(crate) fn parse_fields<T: DeserializeOwned>(fields: Vec<(Cow<'_, str>, Node<'_>)>) -> Result<T> {
    decode(&Node::Object(fields), "/query")
}

/// The parameters of a query, decoded and sorted by name.
pub(crate) fn decode_query(query: Option<&str>) -> Result<Vec<(Cow<'_, str>, Node<'_>)>> {
    let mut fields = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        if fields.len() >= MAX_PARAMETERS {
            return Err(Problem::new(Code::InvalidField, "The query has too many parameters.").pointer("/query"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)
            .ok_or_else(|| invalid("/query".to_owned(), "has a name that is not percent-encoded UTF-8"))?;
        let value = decoded(value)
            .ok_or_else(|| invalid(pointer("/query", &[name.to_string()]), "must be percent-encoded UTF-8"))?;
        fields.push((name, Node::Param(value)));
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let node = Node::Object(fields);
    let mut path = Vec::new();
    if let Some(fault) = node.fault(&mut path) {
        let what = if fault.starts_with("stands twice") { "stands twice in the query" } else { fault };
        return Err(invalid(pointer("/query", &path), what));
    }
    match node {
        Node::Object(fields) => Ok(fields),
        _ => Ok(Vec::new()),
    }
}

/// Percent-encoding and `+` undone.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|&b| char::from(b).to_digit(16));
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
