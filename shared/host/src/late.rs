//! Probes from the first moment on; the API from when everything is folded.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http_api::problem::{Code, Problem};
use http_api::server::with_fallbacks;
use projection::handle::LedgerHandle;
use projection::owner::Progress;
use tower::ServiceExt;

use crate::contact::Contact;

/// Larger bodies are not kept for a second answer.
const REPEATABLE_BYTES: u64 = 64 << 10;

/// How old what is answered may be, in seconds, while the log cannot be reached.
static STALE: HeaderName = HeaderName::from_static("counterfoil-stale-seconds");

/// A router that is there before what it routes to.
pub(crate) struct Late {
    api: OnceLock<Router>,
    contact: OnceLock<Arc<Contact>>,
    ledger: OnceLock<LedgerHandle>,
    progress: Arc<Progress>,
    stopping: AtomicBool,
    note: OnceLock<&'static str>,
}

impl Late {
    pub(crate) fn new(progress: Arc<Progress>) -> Arc<Self> {
        Arc::new(Self {
            api: OnceLock::new(),
            contact: OnceLock::new(),
            ledger: OnceLock::new(),
            progress,
            stopping: AtomicBool::new(false),
            note: OnceLock::new(),
        })
    }

    /// From now on the API is served.
    pub(crate) fn ready(&self, api: Router, ledger: LedgerHandle, contact: Arc<Contact>, note: Option<&'static str>) {
        let _ = self.ledger.set(ledger);
        if let Some(note) = note {
            let _ = self.note.set(note);
        }
        let _ = self.contact.set(contact);
        let _ = self.api.set(with_fallbacks(api));
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Everything that is served.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        let (readiness, api, stale) = (self.clone(), self.clone(), self.clone());
        let api = any(move |request: Request| async move { api.answer(request).await });
        Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(move || async move { readiness.readiness() }))
            .route("/metrics", get(|| async { metrics() }))
            .route("/", api.clone())
            .route("/{*path}", api)
            .layer(from_fn(move |request: Request, next: Next| {
                let late = stale.clone();
                async move { late.with_age(request, next).await }
            }))
    }

    fn readiness(&self) -> Response {
        if self.stopping.load(Ordering::Acquire) {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
        }
        if self.api.get().is_none() {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("starting: {}\n", self.how_far())).into_response();
        }
        let mut text = "ready\n".to_owned();
        if let Some(note) = self.note.get() {
            text.push_str(note);
            text.push('\n');
        }
        if let Some(age) = self.contact.get().and_then(|contact| contact.stale()) {
            let seconds = age.as_secs();
            let _ = writeln!(
                text,
                "the log has not been heard of for {seconds} s: what is known is served, writes are refused"
            );
        }
        text.into_response()
    }

    fn how_far(&self) -> String {
        match self.progress.get() {
            (_, 0) => "the log is not open yet".to_owned(),
            (folded, total) => format!("{folded} of {total} records are folded ({} %)", folded * 100 / total),
        }
    }

    async fn answer(&self, mut request: Request) -> Response {
        // What the outer router found in the path would be taken for what the inner one finds.
        request.extensions_mut().clear();
        if let Some(api) = self.api.get() {
            return self.serve(api, request).await;
        }
        let detail = format!("This instance is starting: {}.", self.how_far());
        Problem::new(Code::LogUnavailable, detail).retry_after(1).into_response()
    }

    /// What is missing here may just have been made through another instance. So where something was not found, or a key
    /// is not known, everything that the log holds by now is folded, and the request answered once more.
    async fn serve(&self, api: &Router, request: Request) -> Response {
        let length = request.body().size_hint().upper().filter(|length| *length <= REPEATABLE_BYTES);
        let (Some(length), Some(ledger)) = (length, self.ledger.get()) else {
            return api.clone().oneshot(request).await.into_response();
        };
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, length as usize).await else {
            return Problem::new(Code::RequestTimeout, "The body broke off.").into_response();
        };
        let request = |parts| Request::from_parts(parts, Body::from(body.clone()));
        let first = api.clone().oneshot(request(parts.clone())).await.into_response();
        let missing = matches!(first.status(), StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED);
        if !missing || !ledger.catch_up().await {
            return first;
        }
        let second = api.clone().oneshot(request(parts)).await.into_response();
        if second.status() == StatusCode::UNAUTHORIZED { first } else { second }
    }

    /// While the log is out of reach, what is read says how old it may be.
    async fn with_age(&self, request: Request, next: Next) -> Response {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = next.run(request).await;
        if reads && let Some(age) = self.contact.get().and_then(|contact| contact.stale()) {
            let seconds = HeaderValue::from(age.as_secs());
            response.headers_mut().insert(&STALE, seconds.clone());
            response.headers_mut().insert(header::AGE, seconds);
        }
        response
    }
}

fn metrics() -> Response {
    ([(header::CONTENT_TYPE, telemetry::METRICS_TYPE)], telemetry::metrics()).into_response()
}

/// The probes and metrics of a process that serves nothing before it is ready.
pub fn health(ready: &Arc<AtomicBool>) -> Router {
    let ready = ready.clone();
    let health = move || async move {
        if ready.load(Ordering::Acquire) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        }
    };
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(health))
        .route("/metrics", get(|| async { metrics() }))
}
