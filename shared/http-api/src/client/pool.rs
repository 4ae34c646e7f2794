//! Kept connections to one server.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{ClientError, Reply};

/// Idle connections that are kept; more are closed after use.
const MAX_IDLE: usize = 1024;

type Connection = SendRequest<Full<Bytes>>;

#[derive(Clone)]
pub(super) struct Pool {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Pool {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Arc::default() }
    }

    /// Sends over a kept connection, or a new one. A request goes out a second time only if the first connection
    /// proved closed before any of it was sent.
    pub(super) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, ClientError> {
        loop {
            let kept = self.take();
            let fresh = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = body.collect().await?.to_bytes();
                    self.give_back(connection).await;
                    return Ok(Reply { status: head.status, headers: head.headers, body });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(ClientError::Broken(error.into_error())),
                },
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection that can take another request.
    async fn give_back(&self, mut connection: Connection) {
        if connection.ready().await.is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let stream = TcpStream::connect(self.address).await.map_err(ClientError::Connect)?;
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "client connection ended early");
            }
        });
        Ok(sender)
    }
}
