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
const MAX_ANSWER: usize = 64 * 1024;

/// A connection.
pub(super) struct Wire {
    stream: TcpStream,
    host: String,
    out: Vec<u8>,
    answer: Vec<u8>,
    /// Differs between connections and runs; with the request's number it makes a nonce.
    nonce_prefix: String,
    sent: u64,
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let nonce_prefix = format!("{:032x}", rand::random::<u128>());
        let (out, answer) = (Vec::with_capacity(2_048), vec![0; MAX_ANSWER]);
        Ok(Self { stream, host: address.to_string(), out, answer, nonce_prefix, sent: 0 })
    }

    /// Sends a signed POST and gives back the answer's status.
    pub(super) async fn post(&mut self, credentials: &Credentials, path: &str, key: &str, body: &[u8]) -> Result<u16> {
        self.write(credentials, path, key, body)?;
        self.stream.write_all(&self.out).await?;
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.answer[read..]).await?;
            if more == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer broke off or is too long"));
            }
            read += more;
            if let Some(head) = head(&self.answer[..read])? {
                if head.length > MAX_ANSWER {
                    return Err(invalid("an answer that is too long"));
                }
                if read == head.length {
                    return Ok(head.status);
                }
                if read > head.length {
                    return Err(invalid("more than one answer"));
                }
            }
        }
    }

    fn write(&mut self, credentials: &Credentials, path: &str, key: &str, body: &[u8]) -> Result<()> {
        self.sent += 1;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
        let nonce = format!("{}{}", self.nonce_prefix, self.sent);
        let parts = SignedParts {
            method: "POST",
            path_and_query: path,
            timestamp: &seconds,
            nonce: &nonce,
            idempotency_key: key,
            body,
        };
        let authorization = authorization(&credentials.key_id, &credentials.secret, &parts);
        self.out.clear();
        write!(self.out, "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {authorization}\r\n", self.host)?;
        if !key.is_empty() {
            write!(self.out, "idempotency-key: {key}\r\n")?;
        }
        write!(self.out, "content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len())?;
        self.out.extend_from_slice(body);
        Ok(())
    }
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
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
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| invalid("no content-length"))?;
    Ok(Some(Head { status, length: end + 4 + length }))
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
        assert_eq!(head(answer).expect("sound"), Some(Head { status: 201, length: answer.len() }));
        assert_eq!(head(&answer[..40]).expect("not all there"), None);
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"nothing\r\n\r\n").is_err());
    }
}
