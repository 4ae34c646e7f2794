//! Serving and draining: connections with bounds on all that a peer can make us hold, and an end in which every
//! accepted request is answered.

pub mod admission;
mod edge;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

pub use admission::Admission;
pub use edge::{DropConnection, Dropped, Edge, with_fallbacks};

/// Connections taken from the backlog once shutdown has begun: those peers have connected, and would be cut off.
const LAST_ACCEPTS: usize = 1024;

/// Bounds on what peers may make the server hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; more wait in the system's backlog.
    pub max_connections: usize,
    /// Requests worked on at once.
    pub max_concurrent_requests: usize,
    /// Requests that may wait for such a place; more are refused with 503.
    pub max_queued_requests: usize,
    /// How long they may wait.
    pub queue_timeout: Duration,
    /// Bytes of request line and header.
    pub max_header_bytes: usize,
    /// How long the head of a request may take, and how long a connection may idle.
    pub header_read_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// After shutdown has begun, how long idle connections are still served before they are closed.
    pub lame_duck: Duration,
    /// After shutdown has begun, when what is left is cut off.
    pub drain_deadline: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_concurrent_requests: 1024,
            max_queued_requests: 1024,
            queue_timeout: Duration::from_secs(1),
            max_header_bytes: 16 * 1024,
            header_read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            lame_duck: Duration::from_millis(100),
            drain_deadline: Duration::from_secs(8),
        }
    }
}

/// How the end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections when shutdown began.
    pub connections: usize,
    /// Requests under way when shutdown began.
    pub requests_in_flight: usize,
    /// Connections cut off at the deadline; 0 after a clean end.
    pub connections_dropped: usize,
    /// Requests cut off at the deadline: their outcomes are unknown to their callers.
    pub requests_dropped: usize,
    /// From the beginning of shutdown to the end.
    pub elapsed: Duration,
}

/// Serves until `shutdown` is ready, then drains.
///
/// On shutdown nothing more is accepted, every answer says `Connection: close`, idle connections are closed after the
/// lame-duck time, and what has not ended by the deadline is cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    admission: Admission,
    shutdown: impl Future<Output = ()>,
) -> DrainReport {
    let _watching = admission.watch(Handle::current());
    let mut server = Server::new(router, limits, admission);
    let slots = Arc::clone(&server.slots);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = server.tasks.join_next() => {}
            (stream, slot) = accept(&listener, &slots) => server.spawn(stream, slot),
        }
    }
    server.drain(listener).await
}

struct Server {
    edge: Edge,
    limits: ServerLimits,
    slots: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    fn new(router: Router, limits: ServerLimits, admission: Admission) -> Self {
        Self {
            edge: Edge::admitting(router, limits, admission),
            limits,
            slots: Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS))),
            closing: watch::Sender::new(false),
            tasks: JoinSet::new(),
        }
    }

    fn spawn(&mut self, stream: TcpStream, slot: Option<OwnedSemaphorePermit>) {
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_read_timeout)
            // Twice the limit, so that it is mostly the edge that refuses, with a problem that says why.
            .max_header_size(2 * self.limits.max_header_bytes)
            .max_buf_size((4 * self.limits.max_header_bytes).max(64 * 1024))
            .serve_connection(TokioIo::new(stream), self.edge.clone());
        let mut closing = self.closing.subscribe();
        self.tasks.spawn(async move {
            let _slot = slot;
            let mut connection = pin!(connection);
            let closing = async { closing.wait_for(|&closing| closing).await.is_ok() };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                _ = closing => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }

    async fn drain(mut self, listener: TcpListener) -> DrainReport {
        let began = Instant::now();
        let deadline = tokio::time::sleep(self.limits.drain_deadline);
        let mut deadline = pin!(deadline);
        let shared = Arc::clone(self.edge.shared());
        shared.draining.store(true, Ordering::Relaxed);
        shared.ending.send_replace(true);
        self.accept_backlog(listener).await;
        while self.tasks.try_join_next().is_some() {}
        let (connections, requests_in_flight) = (self.tasks.len(), shared.in_flight.load(Ordering::Relaxed));
        tracing::info!(connections, requests_in_flight, "draining");

        let lame_duck = tokio::time::sleep(self.limits.lame_duck.min(self.limits.drain_deadline));
        let mut lame_duck = pin!(lame_duck);
        let mut announced = false;
        while !self.tasks.is_empty() {
            tokio::select! {
                _ = self.tasks.join_next() => {}
                () = &mut lame_duck, if !announced => {
                    announced = true;
                    self.closing.send_replace(true);
                }
                () = &mut deadline => break,
            }
        }
        let report = DrainReport {
            connections,
            requests_in_flight,
            connections_dropped: self.tasks.len(),
            requests_dropped: shared.in_flight.load(Ordering::Relaxed),
            elapsed: began.elapsed(),
        };
        self.tasks.shutdown().await;
        tracing::info!(connections_dropped = report.connections_dropped, elapsed = ?report.elapsed, "drained");
        report
    }

    /// Takes what has already connected, without waiting, and closes the port.
    async fn accept_backlog(&mut self, listener: TcpListener) {
        for _ in 0..LAST_ACCEPTS {
            let accepting = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
            let (Ok(Ok((stream, _))), Ok(slot)) = (accepting, Arc::clone(&self.slots).try_acquire_owned()) else {
                return;
            };
            self.spawn(stream, Some(slot));
        }
    }
}

/// The next connection, once there is room for it. Errors of accepting pass by themselves: a peer that has gone, or
/// descriptors that will be freed.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Binds an address; port 0 takes a free one.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

#[cfg(test)]
mod tests;
