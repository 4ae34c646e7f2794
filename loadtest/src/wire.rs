//! One kept connection that spends as little as it can: a request is written into a buffer that is used again, and of
//! the answer only what tells its end is read.

use std::io::{Error, ErrorKind, Result, Write};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http_api::client::Credentials;
use http_api::signature::{SignedParts, authorization};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer's head and body may be as long together.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Most answers are shorter; the buffer grows for others.
const FIRST_ROOM: usize = 8 * 1024;

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    host: String,
    out: Vec<u8>,
    answer: Vec<u8>,
    /// Differs between connections and runs; with the request's number it makes a nonce.
    nonce_prefix: String,
    sent: u64,
}

/// A request; its signature is made where it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    /// The idempotency key; empty for none.
    pub(crate) key: &'a str,
    pub(crate) body: &'a [u8],
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Whether it says that it is a repeated request's first answer.
    pub(crate) replayed: bool,
    pub(crate) body: &'a [u8],
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let nonce_prefix = format!("{:032x}", rand::random::<u128>());
        let (out, answer) = (Vec::with_capacity(2_048), vec![0; FIRST_ROOM]);
        Ok(Self { stream, host: address.to_string(), out, answer, nonce_prefix, sent: 0 })
    }

    /// Sends a signed POST and gives back the answer's status.
    pub(crate) async fn post(&mut self, credentials: &Credentials, path: &str, key: &str, body: &[u8]) -> Result<u16> {
        self.send(credentials, Request { method: "POST", path, key, body }).await?;
        Ok(self.receive().await?.status)
    }

    /// Whether the server has not closed it meanwhile, as it does with those that are idle for long. Costs no system
    /// call while it is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a request, signed.
    pub(crate) async fn send(&mut self, credentials: &Credentials, request: Request<'_>) -> Result<()> {
        self.write(credentials, request)?;
        self.stream.write_all(&self.out).await
    }

    /// Waits for the answer to what was sent.
    pub(crate) async fn receive(&mut self) -> Result<Answer<'_>> {
        let mut read = 0;
        let mut found: Option<Head> = None;
        loop {
            if read == self.answer.len() {
                self.answer.resize(read * 2, 0);
            }
            let more = self.stream.read(&mut self.answer[read..]).await?;
            if more == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer broke off"));
            }
            read += more;
            if found.is_none() {
                found = head(&self.answer[..read])?;
                if found.is_none() && read > MAX_ANSWER {
                    return Err(invalid("a head that is too long"));
                }
            }
            let Some(head) = &found else { continue };
            if head.length > MAX_ANSWER {
                return Err(invalid("an answer that is too long"));
            }
            if read > head.length {
                return Err(invalid("more than one answer"));
            }
            if read == head.length {
                let Head { status, replayed, body_from, length } = *head;
                return Ok(Answer { status, replayed, body: &self.answer[body_from..length] });
            }
        }
    }

    fn write(&mut self, credentials: &Credentials, request: Request<'_>) -> Result<()> {
        let Request { method, path, key, body } = request;
        self.sent += 1;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
        let nonce = format!("{}{}", self.nonce_prefix, self.sent);
        let parts = SignedParts {
            method,
            path_and_query: path,
            timestamp: &seconds,
            nonce: &nonce,
            idempotency_key: key,
            body,
        };
        let authorization = authorization(&credentials.key_id, &credentials.secret, &parts);
        self.out.clear();
        write!(self.out, "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\n", self.host)?;
        if !key.is_empty() {
            write!(self.out, "idempotency-key: {key}\r\n")?;
        }
        if !body.is_empty() {
            write!(self.out, "content-type: application/json\r\n")?;
        }
        write!(self.out, "content-length: {}\r\n\r\n", body.len())?;
        self.out.extend_from_slice(body);
        Ok(())
    }
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    replayed: bool,
    /// Where the body begins.
    body_from: usize,
    /// Of head and body.
    length: usize,
}

/// The head, once all of it is there.
fn head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("a head that is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| invalid("no status"))?;
    let (mut length, mut replayed) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("idempotency-replayed") {
            replayed = value.trim() == "true";
        }
    }
    let length = length.ok_or_else(|| invalid("no content-length"))?;
    Ok(Some(Head { status, replayed, body_from: end + 4, length: end + 4 + length }))
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_answer_is_found() {
        let answer = b"HTTP/1.1 201 Created\r\nDate: x\r\nContent-Length: 2\r\n\r\n{}";
        let length = answer.len();
        let whole = Head { status: 201, replayed: false, body_from: length - 2, length };
        assert_eq!(head(answer).expect("sound"), Some(whole));
        let replayed = b"HTTP/1.1 201 Created\r\nIdempotency-Replayed: true\r\ncontent-length: 0\r\n\r\n";
        assert!(head(replayed).expect("sound").is_some_and(|head| head.replayed));
        assert_eq!(head(&answer[..40]).expect("not all there"), None);
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"nothing\r\n\r\n").is_err());
    }
}
