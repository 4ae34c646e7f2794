use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::auth::Suspension;
use crate::idempotency::Answer;
use crate::server::{Edge, ServerLimits};
use crate::testing::{Draft, NOW_MS, gate, json as json_of, key};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    user_id: String,
}

async fn claim(call: Call) -> Result<Answer> {
    call.require(&[Role::Operator])?;
    call.limit(QuotaClass::Redeem)?;
    let key = call.require_idempotency_key()?.clone();
    let claim = call.parse::<Claim>()?;
    let seen = json!({"user_id": claim.body.user_id, "key": key.as_str(), "merchant": call.merchant()?.to_string()});
    Answer::json(StatusCode::CREATED, &seen)
}

async fn upload(State(_): State<Arc<Gate>>, upload: Upload) -> Json<Value> {
    Json(json!({"bytes": upload.call.body.len(), "csv": upload.format == UploadFormat::Csv}))
}

fn edge(keys: Vec<Arc<Key>>) -> Edge {
    let inner = Router::new().route("/claims", post(claim)).route("/uploads", post(upload));
    let read = |call: Call| async move { call.path().to_owned() + "?" + call.query().unwrap_or_default() };
    let analysts = |call: Call| async move { call.require(&[Role::Analyst]) };
    let platform = |call: Call| async move { call.merchant().map(|id| id.to_string()) };
    let id =
        |segment: Segment, _: Call| async move { segment.id::<StoreId>(Code::StoreNotFound).map(|id| id.to_string()) };
    let router = Router::new()
        .nest("/v1", inner)
        .route("/v1/stocks", get(read))
        .route("/v1/analysts", get(analysts))
        .route("/v1/own", get(platform))
        .route("/v1/stores/{id}", get(id))
        .with_state(Arc::new(gate(keys)));
    Edge::new(router, ServerLimits::default())
}

async fn send(edge: &Edge, request: Request<Body>) -> (StatusCode, Value) {
    let response = edge.clone().oneshot(request).await.expect("an answer");
    assert!(response.headers().contains_key("x-request-id"));
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::String(text)))
}

async fn code(edge: &Edge, request: Request<Body>) -> String {
    send(edge, request).await.1["code"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_signed_call_reaches_its_handler() {
    let edge = edge(vec![key("cfk_test_1")]);
    let (status, body) = send(&edge, Draft::claim().signed()).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(body, json!({"user_id": "u1", "key": "k1", "merchant": MerchantId(7).to_string()}));
    let (status, body) = send(&edge, Draft::read("/v1/stocks?limit=20&cursor=b2%2Fm").signed()).await;
    assert_eq!((status.as_u16(), body), (200, json!("/v1/stocks?limit=20&cursor=b2%2Fm")));
}

#[tokio::test]
async fn limited_answers_say_what_is_left() {
    let edge = edge(vec![key("cfk_test_1")]);
    let response = edge.clone().oneshot(Draft::claim().signed()).await.expect("an answer");
    assert_eq!(response.headers()["ratelimit-policy"], "\"redeem\";q=200;w=1");
    assert_eq!(response.headers()["ratelimit"], "\"redeem\";r=199;t=1");
    let response = edge.clone().oneshot(Draft::read("/v1/stocks").signed()).await.expect("an answer");
    assert!(!response.headers().contains_key("ratelimit"));
}

#[rustfmt::skip]
#[tokio::test]
async fn the_ladder_refuses_each_fault_with_its_own_code() {
    let live = Key {
        livemode: true,
        ..(*key("cfk_live_1")).clone()
    };
    let ended = Key {
        expires_at_ms: Some(NOW_MS),
        ..(*key("cfk_test_old")).clone()
    };
    let suspended = |key_id, ends_at_ms| Key {
        suspended: Some(Suspension { penalty_id: "pen_1".to_owned(), sanction: "api_off", ends_at_ms }),
        ..(*key(key_id)).clone()
    };
    let (off, on_again) = (suspended("cfk_test_sus", Some(NOW_MS + 1)), suspended("cfk_test_was", Some(NOW_MS)));
    let developer = Key {
        role: Role::Developer,
        ..(*key("cfk_test_dev")).clone()
    };
    let keys = [live, ended, off, on_again, developer].map(Arc::new);
    let edge = edge([key("cfk_test_1")].into_iter().chain(keys).collect());
    let base = Draft::claim;
    let spoiled = |spoil: fn(&mut Request<Body>)| {
        let mut request = base().signed();
        spoil(&mut request);
        request
    };
    let table = [
        (Draft { body: vec![b' '; 100_001], ..base() }.signed(), "body_too_large"),
        (Draft { content_type: Some("text/plain"), ..base() }.signed(), "unsupported_media_type"),
        (Draft { content_type: None, ..base() }.signed(), "unsupported_media_type"),
        (spoiled(|r| drop(r.headers_mut().remove("authorization"))), "signature_missing"),
        (base().with_authorization("Basic YTpi"), "signature_missing"),
        (base().with_authorization("COUNTERFOIL-HMAC-SHA256 key_id=\"x\""), "signature_invalid"),
        (Draft { key_id: "cfk_test_none", ..base() }.signed(), "key_unknown"),
        (Draft { key_id: "cfk_test_old", ..base() }.signed(), "key_unknown"),
        (Draft { seconds: NOW_MS / 1000 - 301, ..base() }.signed(), "timestamp_out_of_range"),
        (Draft { seconds: NOW_MS / 1000 + 301, ..base() }.signed(), "timestamp_out_of_range"),
        (Draft { seconds: NOW_MS / 1000 + 300, ..base() }.signed(), "none"),
        (spoiled(|r| *r.body_mut() = Body::from("{\"user_id\": \"u2\"}")), "signature_invalid"),
        (spoiled(|r| *r.uri_mut() = Uri::from_static("/v1/claims?x=1")), "signature_invalid"),
        (spoiled(|r| drop(r.headers_mut().remove("idempotency-key"))), "signature_invalid"),
        (spoiled(|r| { r.headers_mut().append("idempotency-key", HeaderValue::from_static("k2")); }), "invalid_field"),
        (Draft { key_id: "cfk_test_sus", ..base() }.signed(), "merchant_suspended"),
        (Draft { key_id: "cfk_test_was", ..base() }.signed(), "none"),
        (Draft { idempotency_key: Some("a/b"), ..base() }.signed(), "invalid_field"),
        (Draft { idempotency_key: None, ..base() }.signed(), "idempotency_key_missing"),
        (Draft { key_id: "cfk_test_dev", ..base() }.signed(), "role_forbidden"),
        (Draft { body: Vec::new(), ..base() }.signed(), "malformed_json"),
        (base().with_authorization("Bearer cfk_test_1:cfs_test"), "none"),
        (base().with_authorization("Bearer cfk_test_1:cfs_wrong"), "signature_invalid"),
        (base().with_authorization("Bearer cfk_live_1:cfs_test"), "test_mode_only"),
    ];
    for (i, (request, expected)) in table.into_iter().enumerate() {
        assert_eq!(code(&edge, request).await, expected, "row {i}");
    }
}

#[tokio::test]
async fn a_replay_is_refused_and_a_wrong_signature_uses_no_nonce() {
    let edge = edge(vec![key("cfk_test_1")]);
    let draft = Draft::claim();
    let mut wrong = draft.signed();
    *wrong.body_mut() = Body::from("{}");
    assert_eq!(code(&edge, wrong).await, "signature_invalid");
    assert_eq!(code(&edge, draft.signed()).await, "none");
    assert_eq!(code(&edge, draft.signed()).await, "nonce_reused");
}

#[tokio::test]
async fn a_wrong_clock_is_told_the_time() {
    let edge = edge(vec![key("cfk_test_1")]);
    let (status, body) = send(&edge, Draft { seconds: NOW_MS / 1000 - 600, ..Draft::claim() }.signed()).await;
    assert_eq!(status, 401);
    assert_eq!(body["server_time"], "2026-11-24T07:00:00.000Z");
    assert_eq!(body["server_time_seconds"], NOW_MS / 1000);
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains("600 s behind")), "{body}");
}

#[tokio::test]
async fn outcomes_are_forced_in_test_mode_only() {
    let live = Key { livemode: true, ..(*key("cfk_live_1")).clone() };
    let edge = edge(vec![key("cfk_test_1"), Arc::new(live)]);
    let forced = |key_id, outcome: &'static str| {
        let mut request = Draft { key_id, ..Draft::claim() }.signed();
        request.headers_mut().insert(COUNTERFOIL_TEST, HeaderValue::from_static(outcome));
        request
    };
    let (status, body) = send(&edge, forced("cfk_test_1", "outcome_unknown")).await;
    assert_eq!((status.as_u16(), &body["code"]), (503, &json!("outcome_unknown")));
    assert!(edge.clone().oneshot(forced("cfk_test_1", "drop_response")).await.is_err());
    assert_eq!(code(&edge, forced("cfk_test_1", "explode")).await, "invalid_field");
    assert_eq!(code(&edge, forced("cfk_live_1", "drop_response")).await, "test_mode_only");
}

#[tokio::test]
async fn uploads_have_types_and_a_limit_of_their_own() {
    let edge = edge(vec![key("cfk_test_1")]);
    let upload = Draft { path: "/v1/uploads", content_type: Some("text/csv; charset=utf-8"), ..Draft::claim() };
    let large = Draft { body: vec![b'A'; 900_000], ..upload.clone() };
    assert_eq!(send(&edge, large.signed()).await.1, json!({"bytes": 900_000, "csv": true}));
    let rows =
        Draft { content_type: Some("application/x-ndjson"), nonce: "ndjson-ndjson-nd".to_owned(), ..upload.clone() };
    assert_eq!(send(&edge, rows.signed()).await.1["csv"], false);
    let too_large = Draft { body: vec![b'A'; 1_000_001], ..upload.clone() };
    assert_eq!(code(&edge, too_large.signed()).await, "body_too_large");
    assert_eq!(
        code(&edge, Draft { content_type: Some("application/json"), ..upload }.signed()).await,
        "unsupported_media_type"
    );
}

#[tokio::test]
async fn large_bodies_share_a_budget() {
    let limits = BodyLimits { buffered_bytes: 100 * 1024, upload_bytes: 1_000_000, ..BodyLimits::default() };
    let gate = Gate::with(Arc::new(vec![key("cfk_test_1")]), Arc::new(|| NOW_MS), limits);
    let router = Router::new().route("/v1/uploads", post(upload)).with_state(Arc::new(gate));
    let edge = Edge::new(router, ServerLimits::default());
    let upload = |bytes| Draft {
        path: "/v1/uploads",
        content_type: Some("text/csv"),
        body: vec![b'A'; bytes],
        ..Draft::claim()
    };
    assert_eq!(code(&edge, upload(200 * 1024).signed()).await, "overloaded");
    for _ in 0..3 {
        assert_eq!(code(&edge, upload(90 * 1024).signed()).await, "none", "the room is given back");
    }
}

#[tokio::test]
async fn keys_without_a_merchant_keep_to_their_own_calls() {
    let platform = Key { merchant: None, role: Role::Platform, ..(*key("cfk_live_p")).clone() };
    let edge = edge(vec![Arc::new(platform), key("cfk_test_1")]);
    let of = |key_id, path| Draft { key_id, ..Draft::read(path) }.signed();
    assert_eq!(code(&edge, of("cfk_live_p", "/v1/analysts")).await, "none");
    assert_eq!(code(&edge, of("cfk_live_p", "/v1/own")).await, "role_forbidden");
    let (_, body) = send(&edge, of("cfk_test_1", "/v1/analysts")).await;
    assert_eq!(body["roles"], json!(["analyst", "analyst_lead", "platform"]));
}

#[tokio::test]
async fn a_path_that_is_no_id_is_not_found_but_only_to_callers() {
    let edge = edge(vec![key("cfk_test_1")]);
    let id = StoreId::new(MerchantId(7), 1).to_string();
    let path: &'static str = Box::leak(format!("/v1/stores/{id}").into_boxed_str());
    assert_eq!(send(&edge, Draft::read(path).signed()).await.1, json!(id));
    assert_eq!(code(&edge, Draft::read("/v1/stores/%ff").signed()).await, "store_not_found");
    assert_eq!(code(&edge, Draft::read("/v1/stores/7").signed()).await, "store_not_found");
    assert_eq!(code(&edge, Draft::read("/v1/stores/7").with_authorization("")).await, "signature_missing");
}

#[tokio::test]
async fn a_bound_key_acts_for_its_stores() {
    let [one, two, other] = [1, 2, 3].map(|n| StoreId::new(MerchantId(7), n));
    let call = |stores: Option<&[StoreId]>| Call {
        caller: Arc::new(Key { store_ids: stores.map(Arc::from), ..(*key("cfk_test_1")).clone() }),
        session: None,
        request_id: RequestId::random(),
        idempotency_key: None,
        method: Method::POST,
        uri: Uri::from_static("/v1/redemptions"),
        body: Bytes::new(),
        test_outcome: None,
        received_at_ms: NOW_MS,
        retained: Arc::new(Retained { gate: Arc::new(gate(Vec::new())), _permit: None }),
    };
    assert_eq!(call(None).store(Some(other)), Ok(Some(other)));
    assert_eq!(call(None).store(None), Ok(None));
    assert_eq!(call(Some(&[one])).store(None), Ok(Some(one)));
    assert_eq!(call(Some(&[one, two])).store(Some(two)), Ok(Some(two)));
    let code = |result: Result<Option<StoreId>>| result.expect_err("refused").code;
    assert_eq!(code(call(Some(&[one, two])).store(Some(other))), Code::StoreForbidden);
    assert_eq!(code(call(Some(&[one, two])).store(None)), Code::MissingField);
    assert!(call(None).parse_optional::<serde_json::Map<String, Value>>().is_ok());
    assert!(call(None).sees(MerchantId(7)) && !call(None).sees(MerchantId(8)));
}

#[tokio::test]
async fn the_signature_check_answers_without_a_key() {
    let router = Router::new()
        .route("/v1/signature-checks", post(crate::signature_check::post))
        .with_state(Arc::new(gate(vec![key("cfk_test_1")])));
    let check = json!({
        "key_id": "cfk_test_1", "method": "GET", "path": "/v1/stocks", "timestamp": NOW_MS / 1000,
        "nonce": "0123456789abcdef", "signature": "00",
    });
    let request = Request::post("/v1/signature-checks")
        .header("content-type", "application/json")
        .body(Body::from(check.to_string()))
        .expect("a request");
    let report = json_of(router.oneshot(request).await.expect("infallible")).await;
    assert_eq!((&report["valid"], &report["problems"][0]["part"]), (&json!(false), &json!("signature")));
    assert_eq!(report["string_to_sign"], format!("GET\n/v1/stocks\n{}\n0123456789abcdef\n\n\n", NOW_MS / 1000));
}

/// Keys that change while a call is under way.
struct Changing(parking_lot::Mutex<Option<Arc<Key>>>);

impl crate::auth::KeyDirectory for Changing {
    fn find(&self, _: &str) -> Option<Arc<Key>> {
        self.0.lock().clone()
    }
}

#[tokio::test]
async fn a_call_that_goes_on_knows_whether_its_caller_still_may() {
    let known = Arc::new(Changing(parking_lot::Mutex::new(Some(key("cfk_test_1")))));
    let gate = Gate::with(known.clone(), Arc::new(|| NOW_MS), BodyLimits::default());
    let call = Call::from_request(Draft::read("/v1/stocks").signed(), &Arc::new(gate)).await.expect("admitted");
    assert!(call.is_still_admitted());
    let now = (*key("cfk_test_1")).clone();
    let suspended = |ends_at_ms| Some(Suspension { penalty_id: "pen_1".to_owned(), sanction: "api_off", ends_at_ms });
    let table = [
        (None, false),
        (Some(Key { expires_at_ms: Some(NOW_MS), ..now.clone() }), false),
        (Some(Key { expires_at_ms: Some(NOW_MS + 1), ..now.clone() }), true),
        (Some(Key { role: Role::Analyst, ..now.clone() }), false),
        (Some(Key { merchant: None, ..now.clone() }), false),
        (Some(Key { suspended: suspended(None), ..now.clone() }), false),
        (Some(Key { suspended: suspended(Some(NOW_MS)), ..now.clone() }), true),
        (Some(now), true),
    ];
    for (row, (changed, may)) in table.into_iter().enumerate() {
        *known.0.lock() = changed.map(Arc::new);
        assert_eq!(call.is_still_admitted(), may, "row {row}");
    }
}
