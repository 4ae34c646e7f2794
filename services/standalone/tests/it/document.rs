//! The `OpenAPI` document: it has what the contract names, and the server answers what it has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Caller, Server, code, merchant, runtime};

/// The calls of the contract.
const CALLS: &[(&str, &str)] = &[
    ("post", "/v1/merchants"),
    ("get", "/v1/merchants"),
    ("put", "/v1/merchants/{id}/quotas"),
    ("post", "/v1/merchants/{id}/keys"),
    ("get", "/v1/merchants/{id}/keys"),
    ("post", "/v1/keys/{key_id}/rotate"),
    ("delete", "/v1/keys/{key_id}"),
    ("post", "/v1/stores"),
    ("get", "/v1/stores"),
    ("post", "/v1/stocks"),
    ("get", "/v1/stocks"),
    ("get", "/v1/stocks/{id}"),
    ("patch", "/v1/stocks/{id}"),
    ("post", "/v1/stocks/{id}/activate"),
    ("post", "/v1/stocks/{id}/pause"),
    ("post", "/v1/stocks/{id}/resume"),
    ("post", "/v1/stocks/{id}/close"),
    ("put", "/v1/stocks/{id}/total"),
    ("put", "/v1/stocks/{id}/budget"),
    ("put", "/v1/stocks/{id}/limits/{name}"),
    ("get", "/v1/stocks/{id}/conservation"),
    ("post", "/v1/stocks/{id}/codes"),
    ("get", "/v1/code-batches/{id}/codes"),
    ("post", "/v1/code-batches/{id}/void"),
    ("post", "/v1/stocks/{id}/code-imports"),
    ("get", "/v1/operations/{id}"),
    ("post", "/v1/claims"),
    ("post", "/v1/sends"),
    ("post", "/v1/validations"),
    ("post", "/v1/locks"),
    ("get", "/v1/locks"),
    ("post", "/v1/locks/{id}/extend"),
    ("post", "/v1/locks/{id}/release"),
    ("post", "/v1/redemptions"),
    ("get", "/v1/redemptions"),
    ("get", "/v1/redemptions/{id}"),
    ("get", "/v1/redemptions/{id}/receipt"),
    ("post", "/v1/redemptions/{id}/reversals"),
    ("get", "/.well-known/jwks.json"),
    ("post", "/v1/coupons/lookup"),
    ("get", "/v1/coupons"),
    ("get", "/v1/coupons/{id}"),
    ("get", "/v1/coupons/{id}/events"),
    ("post", "/v1/coupons/{id}/void"),
    ("get", "/v1/requests/{key}"),
    ("post", "/v1/requests/{key}/cancel"),
    ("post", "/v1/signature-checks"),
    ("get", "/v1/risk/subjects/{kind}/{value}"),
    ("get", "/v1/risk/features"),
    ("get", "/v1/risk/breakers"),
    ("post", "/v1/risk/breakers/{merchant_id}/reset"),
    ("get", "/v1/risk/decisions/{id}"),
];

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Method, path and operation.
fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().expect("methods").iter().map(move |(m, o)| (m, path, o)))
        .collect()
}

#[test]
fn the_document_and_the_server_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let document = caller.client.get("/openapi.json").await.expect("an answer").json().expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for (method, path) in CALLS {
            assert!(document["paths"][path][method].is_object(), "{method} {path} is missing");
        }
        let ids: Vec<&str> = operations(&document).iter().filter_map(|(_, _, o)| o["operationId"].as_str()).collect();
        let all = operations(&document).len();
        assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (all, all), "ids are unique: {ids:?}");
        for (method, path, operation) in operations(&document) {
            complete(method, path, operation);
            // A stream does not end: `live.rs` reads it.
            if operation["responses"]["200"]["content"]["text/event-stream"].is_null() {
                answers(&caller, method, path).await;
            }
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

fn complete(method: &str, path: &str, operation: &Value) {
    let responses = operation["responses"].as_object().expect("responses");
    for (status, response) in responses {
        assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{method} {path} {status}");
    }
    let problem = &responses["default"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
    assert!(operation["summary"].is_string(), "{method} {path} has no summary");
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let named = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
    assert_eq!(named("Idempotency-Key"), method != "get", "{method} {path}");
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        assert!(named(name), "{method} {path} does not describe {name}");
    }
}

/// The path is there, with this method.
async fn answers(caller: &Caller, method: &str, path: &str) {
    let path = path.replace(['{', '}'], "");
    let key = (method != "get").then(Caller::key);
    let reply = caller.send(&method.to_uppercase(), &path, key.as_deref(), Some(&json!({}))).await;
    assert!(!["route_not_found", "method_not_allowed"].contains(&code(&reply).as_str()), "{method} {path}");
    assert_ne!(reply.status.as_u16(), 500, "{method} {path}");
}
