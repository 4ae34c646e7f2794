//! The edge: what happens to every request around its handler, and to every answer on its way out.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tracing::Instrument;

use super::ServerLimits;
use super::admission::{Admission, AdmissionLimits, Class};
use crate::arrival::{self, ARRIVAL, Arrival};
use crate::call::TestOutcome;
use crate::problem::{Code, Problem, Result};
use crate::request_id::{RequestId, X_REQUEST_ID, traceparent};
use crate::traffic::{Operation, traffic};

/// Never queued and never refused: a probe that fails under load would take the instance down just then.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Set by a proxy in front of the services that knows how to leave a request without an answer.
const FRONT: &str = "x-counterfoil-front";

/// As an extension of a response: close the connection instead of answering.
#[derive(Clone, Copy, Debug)]
pub struct DropConnection;

/// The request was given up on purpose; hyper closes the connection on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub struct Dropped;

/// The router, with answers for unknown paths and methods.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|| async { Problem::of(Code::RouteNotFound) })
        .method_not_allowed_fallback(|| async { Problem::of(Code::MethodNotAllowed) })
}

/// A router with everything around it: request ids, limits, time-outs, panics, fallbacks. It is a service for hyper
/// and, for tests without a socket, for tower.
#[derive(Clone)]
pub struct Edge {
    router: Router,
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    limits: ServerLimits,
    admission: Admission,
    slots: Semaphore,
    waiting: AtomicUsize,
    pub(super) in_flight: AtomicUsize,
    pub(super) draining: AtomicBool,
    /// Told when the end begins: answers that go on for long end with it.
    pub(super) ending: Arc<watch::Sender<bool>>,
}

impl Edge {
    /// Puts the edge around a router. It answers unknown paths and methods itself.
    pub fn new(router: Router, limits: ServerLimits) -> Self {
        Self::admitting(router, limits, Admission::new(AdmissionLimits::default()))
    }

    /// The same, which lets in what it is told to.
    pub fn admitting(router: Router, limits: ServerLimits, admission: Admission) -> Self {
        let router = with_fallbacks(router);
        let shared = Shared {
            slots: Semaphore::new(limits.max_concurrent_requests.min(Semaphore::MAX_PERMITS)),
            limits,
            admission,
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            ending: Arc::new(watch::Sender::new(false)),
        };
        Self { router, shared: Arc::new(shared) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Answers a request, or drops its connection where a test asked for that.
    pub async fn handle(&self, request: Request) -> Result<Response, Dropped> {
        let _counted = Counted::new(&self.shared.in_flight);
        let request_id = RequestId::from_headers(request.headers());
        let header = request_id.header_value();
        let span = span(&request, &request_id);
        let arrival = Arrival::new(request_id, request.uri().clone()).ending(self.shared.ending.clone());
        let answering = ARRIVAL.scope(arrival, self.answer(request));
        let mut response = match span {
            Some(span) => answering.instrument(span).await?,
            None => answering.await?,
        };
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, header);
        if self.shared.draining.load(Ordering::Relaxed) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Answers, and counts what somebody at a counter waited for.
    async fn answer(&self, request: Request) -> Result<Response, Dropped> {
        let Some(operation) = Operation::of(request.method(), request.uri().path()) else {
            return self.worked(request).await;
        };
        let begun = Instant::now();
        let response = self.worked(request).await?;
        let refused = response.extensions().get::<Code>().map(|code| (arrival::merchant(), *code));
        traffic().answered(operation, begun.elapsed(), refused);
        Ok(response)
    }

    async fn worked(&self, request: Request) -> Result<Response, Dropped> {
        if header_bytes(&request) > self.shared.limits.max_header_bytes {
            let detail = format!("Request line and header may have {} bytes.", self.shared.limits.max_header_bytes);
            return Ok(Problem::new(Code::HeaderTooLarge, detail).into_response());
        }
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let probe = PROBES.contains(&request.uri().path());
        let proxied = request.headers().contains_key(FRONT);
        if !probe && !self.shared.admission.admit(Class::of(request.method(), request.uri().path())) {
            let detail = "More comes than can be done in time; this one was not begun.";
            return Ok(Problem::new(Code::Overloaded, detail).into_response());
        }
        let work = async {
            let _slot = if probe { None } else { Some(self.shared.slot().await?) };
            Ok(self.guarded(request).await)
        };
        let response = match tokio::time::timeout(self.shared.limits.request_timeout, work).await {
            Ok(answered) => answered.unwrap_or_else(Problem::into_response),
            Err(_) => timed_out(writes).into_response(),
        };
        depart(response, writes, proxied)
    }

    /// Calls the router; a panic inside costs this answer alone. Where the profile aborts on panics this has no effect.
    async fn guarded(&self, request: Request) -> Response {
        let mut router = self.router.clone();
        let mut answer = pin!(tower::Service::call(&mut router, request));
        let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(Some(response)),
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        });
        caught.await.unwrap_or_else(|| Problem::internal("a handler panicked").into_response())
    }
}

impl Shared {
    /// A place among the requests that are worked on, after a wait in a queue that is bounded too.
    async fn slot(&self) -> Result<SemaphorePermit<'_>> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Ok(slot);
        }
        let overloaded = || Problem::new(Code::Overloaded, "Too many requests are waiting; this one was not begun.");
        let waiting = Counted::new(&self.waiting);
        if waiting.count > self.limits.max_queued_requests {
            return Err(overloaded());
        }
        match tokio::time::timeout(self.limits.queue_timeout, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(overloaded()),
        }
    }
}

/// Counts as long as it lives.
struct Counted<'a> {
    counter: &'a AtomicUsize,
    count: usize,
}

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        Self { counter, count: counter.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Carries out what the handler left for the answer.
fn depart(mut response: Response, writes: bool, proxied: bool) -> Result<Response, Dropped> {
    let left = ARRIVAL.try_with(|arrival| (arrival.rate.take(), arrival.test_outcome.take()));
    let (rate, test_outcome) = left.unwrap_or_default();
    if response.extensions().get::<DropConnection>().is_some() || test_outcome == Some(TestOutcome::DropResponse) {
        return unanswered(proxied);
    }
    if test_outcome == Some(TestOutcome::OutcomeUnknown) && writes && response.status().is_success() {
        response = Problem::of(Code::OutcomeUnknown).into_response();
    }
    if let Some(rate) = rate {
        rate.insert_into(response.headers_mut());
    }
    Ok(response)
}

/// The caller gets no answer. A proxy in front is asked to see to that: a connection that ends without an answer would
/// count there as a failure of this instance, and keep everybody's requests from it for a while.
fn unanswered(proxied: bool) -> Result<Response, Dropped> {
    let redirect = ("x-accel-redirect", "/.counterfoil/no_answer");
    if proxied { Ok((StatusCode::NO_CONTENT, [redirect]).into_response()) } else { Err(Dropped) }
}

fn timed_out(writes: bool) -> Problem {
    if writes {
        Problem::of(Code::OutcomeUnknown)
    } else {
        Problem::new(Code::Overloaded, "The answer was not ready in time.")
    }
}

fn header_bytes(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let fields = |headers: &HeaderMap| -> usize {
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
    };
    target + fields(request.headers())
}

/// A span only where somebody listens, and without the query: that may hold personal data.
fn span(request: &Request, request_id: &RequestId) -> Option<tracing::Span> {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return None;
    }
    let (trace_id, parent_id) = traceparent(request.headers()).unzip();
    Some(tracing::debug_span!(
        "request",
        request_id = request_id.as_str(),
        method = request.method().as_str(),
        path = request.uri().path(),
        trace_id,
        parent_id,
    ))
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Dropped>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Edge {
    type Response = Response;
    type Error = Dropped;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let edge = self.clone();
        Box::pin(async move { edge.handle(request.map(Body::new)).await })
    }
}

impl tower::Service<Request> for Edge {
    type Response = Response;
    type Error = Dropped;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let edge = self.clone();
        Box::pin(async move { edge.handle(request).await })
    }
}
