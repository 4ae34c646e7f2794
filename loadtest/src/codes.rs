//! Codes made ahead, exported.

use std::path::Path;
use std::time::Duration;

use http_api::client::{Client, Credentials};

use crate::failure::unexpected;
use crate::{Failure, Result};

/// How long a million codes may take to arrive.
const EXPORT_LIMIT: Duration = Duration::from_mins(10);

/// Codes, one after the other, all of one length.
#[derive(Default)]
pub(crate) struct Codes {
    text: String,
    width: usize,
}

impl Codes {
    /// All codes of a batch.
    pub(crate) async fn export(target: &str, credentials: &Credentials, batch: &str) -> Result<Self> {
        Self::read(target, credentials, &format!("/v1/code-batches/{batch}/codes?format=csv"), 0).await
    }

    /// The coupons that an operation sent, by their ids.
    pub(crate) async fn sent(target: &str, credentials: &Credentials, operation: &str) -> Result<Self> {
        Self::read(target, credentials, &format!("/v1/operations/{operation}/result"), 2).await
    }

    /// A file with one code a line.
    pub(crate) fn lines(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
        Self::parse(&format!("code\n{text}"), 0)
    }

    async fn read(target: &str, credentials: &Credentials, path: &str, column: usize) -> Result<Self> {
        let client = Client::new(target).map_err(|error| Failure::Usage(error.to_string()))?.timeout(EXPORT_LIMIT);
        let reply = client.signed(credentials, "GET", path, None, None).await;
        let reply = reply.map_err(|source| Failure::Client { what: path.to_owned(), source })?;
        let text = std::str::from_utf8(&reply.body).map_err(|_| unexpected(path, "it is not UTF-8"))?;
        if !reply.status.is_success() {
            return Err(unexpected(path, text));
        }
        Self::parse(text, column)
    }

    /// A column of the export.
    fn parse(csv: &str, column: usize) -> Result<Self> {
        let mut codes = Self { text: String::new(), width: 0 };
        for line in csv.lines().skip(1).filter(|line| !line.is_empty()) {
            let code = line.split(',').nth(column).unwrap_or_default();
            if codes.width == 0 {
                codes.width = code.len();
            }
            if code.len() != codes.width || code.is_empty() {
                return Err(unexpected("the export of codes", "the codes differ in length"));
            }
            codes.text.push_str(code);
        }
        Ok(codes)
    }

    /// Puts others behind them.
    pub(crate) fn append(&mut self, other: Self) -> Result<()> {
        if self.width == 0 {
            *self = other;
        } else if other.width == self.width {
            self.text.push_str(&other.text);
        } else if other.width > 0 {
            return Err(unexpected("the export of codes", "the codes differ in length"));
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.text.len().checked_div(self.width).unwrap_or_default() as u64
    }

    /// The `n`-th of them.
    pub(crate) fn get(&self, n: u64) -> Option<&str> {
        let start = usize::try_from(n).ok()?.checked_mul(self.width)?;
        self.text.get(start..start + self.width).filter(|code| !code.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_by_their_place() {
        let codes = Codes::parse("code,coupon_id\nAAAA-0001,cpn_1\nAAAA-0002,cpn_2\n", 0).expect("an export");
        assert_eq!((codes.get(0), codes.get(1), codes.get(2)), (Some("AAAA-0001"), Some("AAAA-0002"), None));
        assert_eq!(Codes::parse("code,coupon_id\n", 0).expect("empty").get(0), None);
        assert!(Codes::parse("code,coupon_id\nA,1\nBB,2\n", 0).is_err());
        let sent = Codes::parse("row,result,coupon_id\n1,sent,cpn_1\n2,sent,cpn_2\n", 2).expect("a result");
        assert_eq!((sent.len(), sent.get(1)), (2, Some("cpn_2")));
    }
}
