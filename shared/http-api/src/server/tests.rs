use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::admission::AdmissionLimits;
use super::*;
use crate::arrival::Ending;
use crate::client::{Client, ClientError, Credentials};
use crate::problem::{Code, Problem};
use crate::testing::key;
use crate::traffic::{Operation, traffic};

struct Running {
    client: Client,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<DrainReport>,
}

async fn start(router: Router, limits: ServerLimits) -> Running {
    start_admitting(router, limits, AdmissionLimits::default()).await
}

async fn start_admitting(router: Router, limits: ServerLimits, admission: AdmissionLimits) -> Running {
    let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(serve(listener, router, limits, Admission::new(admission), shutdown));
    let client = Client::new(&format!("http://{address}")).expect("loopback");
    Running { client, address, stop, ended }
}

impl Running {
    async fn stop(self) -> DrainReport {
        self.stop.send(()).expect("still running");
        self.ended.await.expect("no panic")
    }

    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request).await.expect("written");
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn slow(millis: u64) -> axum::routing::MethodRouter {
    let work = move || async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        "done"
    };
    get(work).post(work)
}

fn router() -> Router {
    Router::new()
        .route("/ok", get(|| async { "ok" }))
        .route("/slow", slow(300))
        .route("/panic", get(|| async { panic!("on purpose") as &'static str }))
        .route("/drop", get(|| async { (axum::Extension(DropConnection), "never seen") }))
        .route("/livez", get(|| async { "ok" }))
        .merge(crate::problem::docs::router())
}

#[tokio::test]
async fn answers_carry_ids_and_problems() {
    let running = start(router(), ServerLimits::default()).await;
    let reply = running.client.get("/ok").await.expect("an answer");
    assert_eq!(&reply.body[..], b"ok");
    assert!(reply.header("x-request-id").starts_with("req_"));

    let request = http::Request::get("/nowhere").header("x-request-id", "mine-1").body(bytes::Bytes::new());
    let reply = running.client.send(request.expect("a request")).await.expect("an answer");
    assert_eq!((reply.status.as_u16(), reply.code()), (404, Some(Code::RouteNotFound)));
    assert_eq!(
        (reply.header("x-request-id"), &reply.json().expect("json")["request_id"]),
        ("mine-1", &json!("mine-1"))
    );
    assert_eq!(running.client.get("/docs/errors/route_not_found").await.expect("an answer").status, 200);

    let request = http::Request::delete("/ok").body(bytes::Bytes::new()).expect("a request");
    let reply = running.client.send(request).await.expect("an answer");
    assert_eq!((reply.code(), reply.header("allow")), (Some(Code::MethodNotAllowed), "GET,HEAD"));
    running.stop().await;
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let running = start(router(), ServerLimits::default()).await;
    let reply = running.client.get("/panic").await.expect("an answer all the same");
    assert_eq!((reply.status.as_u16(), reply.code()), (500, Some(Code::Internal)));
    assert!(!String::from_utf8_lossy(&reply.body).contains("on purpose"), "the cause is for the log");
    assert_eq!(running.client.get("/ok").await.expect("an answer").status, 200);
    running.stop().await;
}

#[tokio::test]
async fn a_dropped_answer_closes_the_connection() {
    let running = start(router(), ServerLimits::default()).await;
    let error = running.client.get("/drop").await.expect_err("no answer");
    assert!(matches!(error, ClientError::Broken(_)) && error.outcome_unknown(), "{error}");
    assert_eq!(running.raw(b"GET /drop HTTP/1.1\r\nhost: x\r\n\r\n").await, "");
    assert_eq!(running.client.get("/ok").await.expect("the server goes on").status, 200);
    running.stop().await;
}

#[tokio::test]
async fn large_heads_are_refused() {
    let limits = ServerLimits { max_header_bytes: 8 * 1024, ..ServerLimits::default() };
    let running = start(router(), limits).await;
    let filler = "a".repeat(10_000);
    let reply = running
        .raw(format!("GET /ok HTTP/1.1\r\nhost: x\r\nx: {filler}\r\nconnection: close\r\n\r\n").as_bytes())
        .await;
    assert!(reply.starts_with("HTTP/1.1 431") && reply.contains("header_too_large"), "{reply}");
    let filler = "a".repeat(200_000);
    let reply = running.raw(format!("GET /ok HTTP/1.1\r\nhost: x\r\nx: {filler}\r\n\r\n").as_bytes()).await;
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431"), "{reply}");
    running.stop().await;
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let limits = ServerLimits { header_read_timeout: Duration::from_millis(100), ..ServerLimits::default() };
    let running = start(router(), limits).await;
    let began = Instant::now();
    running.raw(b"GET /ok HTTP/1.1\r\nhost:").await;
    assert!(began.elapsed() < Duration::from_secs(1));
    running.stop().await;
}

#[tokio::test]
async fn overload_is_refused_at_once_but_never_a_probe() {
    let limits = ServerLimits { max_concurrent_requests: 1, max_queued_requests: 1, ..ServerLimits::default() };
    let running = start(router(), limits).await;
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = running.client.clone();
            tokio::spawn(async move { client.get("/slow").await.expect("an answer") })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.client.get("/livez").await.expect("an answer").status, 200);
    let mut codes = Vec::new();
    for call in calls {
        let reply = call.await.expect("no panic");
        if reply.code() == Some(Code::Overloaded) {
            assert_eq!(reply.header("retry-after"), "1");
        }
        codes.push(reply.status.as_u16());
    }
    codes.sort_unstable();
    assert_eq!(codes, [200, 200, 503, 503, 503]);
    running.stop().await;
}

#[tokio::test]
async fn more_than_is_configured_is_refused_at_the_door_but_never_a_probe() {
    let once_a_second = AdmissionLimits { per_second: Some(1), ..AdmissionLimits::default() };
    let running = start_admitting(router(), ServerLimits::default(), once_a_second).await;
    assert_eq!(running.client.get("/ok").await.expect("an answer").status, 200);
    let refused = running.client.get("/ok").await.expect("an answer");
    assert_eq!((refused.code(), refused.header("retry-after")), (Some(Code::Overloaded), "1"));
    assert_eq!(running.client.get("/livez").await.expect("an answer").status, 200);
    running.stop().await;
}

#[tokio::test]
async fn a_write_that_takes_too_long_has_an_unknown_outcome() {
    let limits = ServerLimits { request_timeout: Duration::from_millis(50), ..ServerLimits::default() };
    let running = start(router(), limits).await;
    assert_eq!(running.client.get("/slow").await.expect("an answer").code(), Some(Code::Overloaded));
    let request = http::Request::post("/slow").body(bytes::Bytes::new()).expect("a request");
    assert_eq!(running.client.send(request).await.expect("an answer").code(), Some(Code::OutcomeUnknown));
    running.stop().await;
}

#[tokio::test]
async fn a_drain_answers_what_was_accepted_and_then_ends() {
    let running = start(router(), ServerLimits::default()).await;
    // An idle connection that must not hold up the end.
    running.client.get("/ok").await.expect("an answer");
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = running.client.clone();
            tokio::spawn(async move { client.get("/slow").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let client = running.client.clone();
    let report = running.stop().await;
    for call in calls {
        let reply = call.await.expect("no panic").expect("an answer");
        assert_eq!((reply.status.as_u16(), reply.header("connection")), (200, "close"));
    }
    assert_eq!(
        (report.requests_in_flight, report.connections_dropped, report.requests_dropped),
        (8, 0, 0),
        "{report:?}"
    );
    assert!(report.elapsed < Duration::from_secs(2), "{report:?}");
    assert!(matches!(client.get("/ok").await, Err(ClientError::Connect(_))), "the port is closed");
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let limits = ServerLimits { drain_deadline: Duration::from_millis(200), ..ServerLimits::default() };
    let running = start(Router::new().route("/slow", slow(5000)), limits).await;
    let client = running.client.clone();
    let call = tokio::spawn(async move { client.get("/slow").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let report = running.stop().await;
    assert_eq!((report.connections_dropped, report.requests_dropped), (1, 1));
    assert!(report.elapsed < Duration::from_secs(1));
    assert!(call.await.expect("no panic").expect_err("cut off").outcome_unknown());
}

/// An answer that says nothing and goes on until the server ends.
struct UntilTheEnd(Pin<Box<dyn Future<Output = ()> + Send>>);

impl HttpBody for UntilTheEnd {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.as_mut().poll(cx).map(|()| None)
    }
}

#[tokio::test]
async fn an_answer_that_goes_on_takes_nobodys_place_and_ends_with_the_server() {
    let lasting = || async {
        let mut ending = Ending::of_this_server();
        Body::new(UntilTheEnd(Box::pin(async move { ending.begun().await })))
    };
    let limits = ServerLimits { max_concurrent_requests: 1, max_queued_requests: 0, ..ServerLimits::default() };
    let running = start(router().route("/lasting", get(lasting)), limits).await;
    let mut stream = TcpStream::connect(running.address).await.expect("a connection");
    stream.write_all(b"GET /lasting HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.expect("the head") > 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(running.client.get("/ok").await.expect("an answer").status, 200, "there is a place");
    let report = running.stop().await;
    stream.read_to_end(&mut answer).await.expect("the end");
    assert!(answer.ends_with(b"0\r\n\r\n"), "in good order: {}", String::from_utf8_lossy(&answer));
    assert_eq!((report.connections_dropped, report.requests_dropped), (0, 0), "{report:?}");
    assert!(report.elapsed < Duration::from_secs(2), "{report:?}");
}

#[tokio::test]
async fn what_is_answered_at_the_counter_is_counted_with_its_code() {
    let refuse = || async { Problem::of(Code::AlreadyRedeemed) };
    let running = start(Router::new().route("/v1/redemptions", post(refuse)), ServerLimits::default()).await;
    let counted = || {
        let refusals = traffic().refusals().into_iter();
        let own = refusals.filter(|((merchant, code), _)| merchant.is_none() && *code == Code::AlreadyRedeemed);
        (own.map(|(_, count)| count).sum::<u64>(), traffic().latencies(Operation::Redeem).now().count())
    };
    let before = counted();
    let request = http::Request::post("/v1/redemptions").body(bytes::Bytes::new()).expect("a request");
    assert_eq!(running.client.send(request).await.expect("an answer").code(), Some(Code::AlreadyRedeemed));
    assert_eq!(counted(), (before.0 + 1, before.1 + 1));
    running.stop().await;
}

#[tokio::test]
async fn the_client_signs_what_the_gate_accepts() {
    use crate::call::{Call, Gate};
    let gate = Gate::new(Arc::new(vec![key("cfk_test_1")]));
    let handler = |call: Call| async move { String::from_utf8_lossy(&call.body).into_owned() };
    let router = Router::new().route("/v1/claims", post(handler).get(handler)).with_state(Arc::new(gate));
    let running = start(router, ServerLimits::default()).await;
    let credentials = Credentials::new("cfk_test_1", "cfs_test");
    let body = json!({"name": "满100减20"});
    for _ in 0..3 {
        let reply = running.client.signed(&credentials, "POST", "/v1/claims?x=%20", Some("k1"), Some(&body)).await;
        let reply = reply.expect("an answer");
        assert_eq!((reply.status.as_u16(), reply.json().ok()), (200, Some(body.clone())));
    }
    let reply = running.client.signed(&credentials, "GET", "/v1/claims", None, None).await.expect("an answer");
    assert_eq!(reply.status, 200);
    let secret = ("cfk_test_1", "cfs_test");
    let reply = running.client.bearer(secret, ("POST", "/v1/claims"), None, Some(&body)).await.expect("an answer");
    assert_eq!(reply.status, 200);
    let wrong = Credentials::new("cfk_test_1", "cfs_other");
    let reply = running.client.signed(&wrong, "GET", "/v1/claims", None, None).await.expect("an answer");
    assert_eq!(reply.code(), Some(Code::SignatureInvalid));
    assert_eq!(reply.header("www-authenticate"), "COUNTERFOIL-HMAC-SHA256");
    running.stop().await;
}
