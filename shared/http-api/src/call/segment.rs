//! Parts of a path as typed ids: what is no id of the kind does not exist.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::problem::{Code, Problem, Result};

/// The parameters of a path, in order, decoded. It never refuses a request by itself, so that nobody learns anything
/// before the gate has let them in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment(Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let pairs = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(Self(pairs.map(|Path(pairs)| pairs.into_iter().map(|(_, value)| value).collect()).unwrap_or_default()))
    }
}

impl Segment {
    /// The first parameter as text.
    pub fn text(&self) -> &str {
        self.text_at(0)
    }

    /// The n-th parameter as text, from 0; empty if there is none.
    pub fn text_at(&self, n: usize) -> &str {
        self.0.get(n).map_or("", String::as_str)
    }

    /// The first parameter as an id; `missing` is the code if it is none.
    pub fn id<T: FromStr>(&self, missing: Code) -> Result<T> {
        path_id(self.text(), missing)
    }

    /// The n-th parameter as an id.
    pub fn id_at<T: FromStr>(&self, n: usize, missing: Code) -> Result<T> {
        path_id(self.text_at(n), missing)
    }
}

/// A text as an id; `missing` is the code if it is none.
pub fn path_id<T: FromStr>(text: &str, missing: Code) -> Result<T> {
    text.parse().map_err(|_| Problem::of(missing))
}
