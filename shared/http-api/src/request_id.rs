//! Request ids and W3C trace context: what ties an answer to the log lines about it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the request id, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The W3C header that carries the caller's trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The id of one request: the caller's own if it is safe to echo, else a random one.
///
/// It is kept as a header value so that cloning it is a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's `X-Request-Id` if it is 1 to 64 of `A-Za-z0-9_.:-`, else a new one.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(value) if is_safe(value.as_bytes()) => Self(value.clone()),
            _ => Self::random(),
        }
    }

    /// `req_` and 20 random characters of lower-case base32: 100 bits.
    pub fn random() -> Self {
        let mut bits: u128 = rand::random();
        let mut text = *b"req_00000000000000000000";
        for place in &mut text[4..] {
            *place = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("req_unknown")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trace and parent ids of a `traceparent` header (W3C Trace Context, version 00), each in lower-case hex.
/// `None` when it is malformed: a trace is never worth refusing a request for.
pub fn traceparent(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let sound = version.len() == 2
        && version != "ff"
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && parent.bytes().any(|b| b != b'0');
    sound.then_some((trace, parent))
}

fn is_safe(text: &[u8]) -> bool {
    (1..=64).contains(&text.len()) && text.iter().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(b))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_callers_id_is_kept_when_it_is_safe() {
        assert_eq!(RequestId::from_headers(&headers(X_REQUEST_ID, "shop-7:8431")).as_str(), "shop-7:8431");
        for unsafe_id in
            ["", "a b", "<script>", "0123456789012345678901234567890123456789012345678901234567890123456789"]
        {
            let id = RequestId::from_headers(&headers(X_REQUEST_ID, unsafe_id));
            assert!(id.as_str().starts_with("req_") && id.as_str().len() == 24, "{id}");
        }
        assert_ne!(RequestId::random(), RequestId::random());
    }

    #[test]
    fn a_traceparent_is_read_or_ignored() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            traceparent(&headers(TRACEPARENT, sound)),
            Some(("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"))
        );
        for bad in ["", "00-xyz", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-4bf9-00-01"] {
            assert_eq!(traceparent(&headers(TRACEPARENT, bad)), None, "{bad}");
        }
    }
}
