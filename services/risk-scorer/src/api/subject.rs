//! Subjects as callers name them.

use coupon::id::MerchantId;
use coupon::subject::{Subject, SubjectKind};
use coupon_api::secrets::Secrets;
use http_api::problem::{Code, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

/// A subject.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectRequest {
    /// `user`, `device` or `ip`.
    kind: KindName,
    /// As the merchant knows it.
    value: String,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindName {
    User,
    Device,
    Ip,
}

impl SubjectRequest {
    /// As the ledger knows it; only the merchant's own callers can have made the same one.
    pub(super) fn at(&self, merchant: MerchantId, secrets: &Secrets) -> Result<Subject, Problem> {
        if self.value.is_empty() || self.value.len() > 512 {
            let detail = "/subject/value must have 1 to 512 bytes.";
            return Err(Problem::new(Code::InvalidField, detail).pointer("/subject/value"));
        }
        let (kind, pseudonym) = match self.kind {
            KindName::User => (SubjectKind::User, secrets.user(merchant, &self.value)),
            KindName::Device => (SubjectKind::Device, secrets.device(merchant, &self.value)),
            KindName::Ip => {
                let ip = self.value.parse().map_err(|_| {
                    Problem::new(Code::InvalidField, "/subject/value must be an address.").pointer("/subject/value")
                })?;
                (SubjectKind::Ip, secrets.ip(merchant, ip))
            }
        };
        Ok(Subject { kind, pseudonym })
    }
}
