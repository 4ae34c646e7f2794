//! Challenges: refused, proved, let through.

use std::path::Path;

use crate::support::{Caller, Server, code, merchant, runtime, stock};
use serde_json::{Value, json};

/// A claim of a device that is always asked for proof.
fn claim(stock: &str) -> Value {
    json!({"stock_id": stock, "user_id": "u-1", "context": {"device_id": "test_challenge", "ip": "203.0.113.7"}})
}

fn result(challenge: &Value) -> String {
    format!("/v1/risk/challenges/{}/result", challenge["id"].as_str().expect("an id"))
}

async fn challenged(caller: &Caller, key: &str, body: &Value) -> Value {
    let refused = caller.send("POST", "/v1/claims", Some(key), Some(body)).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (403, "challenge_required".to_owned()));
    refused.json().expect("JSON")["challenge"].clone()
}

async fn key_of(path: &str, role: &str, (address, folder): (&str, &Path)) -> Caller {
    let key = Caller::platform(address, folder).ok(path, json!({"role": role})).await;
    Caller::new(address, key["key_id"].as_str().expect("an id"), key["secret"].as_str().expect("a secret"))
}

#[test]
fn a_request_is_let_through_once_its_challenge_has_passed_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = runtime();
    let server = Server::start(folder.path(), &[]);
    let (key, other, late) = (Caller::key(), Caller::key(), Caller::key());
    let (admin, body, claimed) = runtime.block_on(async {
        let at = (server.address.as_str(), folder.path());
        let (shop, admin) = merchant(at.0, at.1).await;
        let body = claim(&stock(&admin, json!({})).await);
        let challenge = challenged(&admin, &key, &body).await;
        assert_eq!(challenge["methods"], json!(["otp", "captcha", "real_name"]));
        assert!(challenge["expires_at"].is_string(), "{challenge}");

        let failed = admin.ok(&result(&challenge), json!({"passed": false, "method": "captcha"})).await;
        assert_eq!((&failed["passed"], &failed["valid_until"]), (&json!(false), &Value::Null), "{failed}");
        let again = challenged(&admin, &key, &body).await;

        let keys = format!("/v1/merchants/{}/keys", shop["id"].as_str().expect("an id"));
        let operator = key_of(&keys, "operator", at).await;
        let (once, good) = (Caller::key(), json!({"passed": true, "method": "otp"}));
        let send = async || operator.send("POST", &result(&again), Some(&once), Some(&good)).await;
        let (first, replayed) = (send().await, send().await);
        assert_eq!((first.status.as_u16(), &first.body), (201, &replayed.body), "the same key gets the same answer");
        let passed = first.json().expect("JSON");
        assert_eq!((&passed["id"], &passed["method"]), (&again["id"], &json!("otp")), "{passed}");
        assert!(passed["valid_until"].as_str() > again["expires_at"].as_str(), "{passed}");

        challenged(&admin, &other, &body).await;
        let claimed = admin.send("POST", "/v1/claims", Some(&key), Some(&body)).await;
        assert_eq!(claimed.status.as_u16(), 201, "{:?}", claimed.json());

        let later = challenged(&admin, &late, &body).await;
        admin.ok(&result(&later), json!({"passed": true, "method": "real_name"})).await;
        let claimed = claimed.json().expect("JSON");
        let analyst = key_of("/v1/keys", "analyst", at).await;
        let path = format!("/v1/risk/decisions/{}", claimed["decision"]["id"].as_str().expect("an id"));
        let decision = analyst.get(&path).await;
        let told = (&decision["action"], &decision["enforced_by"]);
        assert_eq!(told, (&json!("allow"), &json!("challenge_passed")), "{decision}");
        assert_eq!(analyst.ok(&format!("{path}/derive"), json!({})).await["equal"], true);
        (admin, body, claimed)
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let admin = admin.at(&server.address);
        let replayed = admin.send("POST", "/v1/claims", Some(&key), Some(&body)).await;
        assert_eq!(replayed.json().expect("JSON"), claimed);
        let claimed = admin.send("POST", "/v1/claims", Some(&late), Some(&body)).await;
        assert_eq!(claimed.status.as_u16(), 201, "a proof outlives a restart");
        challenged(&admin, &other, &body).await;
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn results_are_for_the_merchants_own_people_and_for_challenges_that_were_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (_, admin) = merchant(at.0, at.1).await;
        let stranger = merchant(at.0, at.1).await.1;
        let body = claim(&stock(&admin, json!({})).await);
        let key = Caller::key();
        let challenge = challenged(&admin, &key, &body).await;
        let good = json!({"passed": true, "method": "otp"});
        let refused = stranger.post(&result(&challenge), good.clone()).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (404, "challenge_not_found".to_owned()));
        let analyst = key_of("/v1/keys", "analyst", at).await;
        assert_eq!(code(&analyst.post(&result(&challenge), good.clone()).await), "role_forbidden");
        let unknown = admin.post(&result(&challenge), json!({"passed": true, "method": "horoscope"})).await;
        assert_eq!((unknown.status.as_u16(), code(&unknown)), (400, "invalid_field".to_owned()));
        let forged = json!({"id": challenge["id"].as_str().expect("an id").replace("chl_00", "chl_01")});
        assert_eq!(code(&admin.post(&result(&forged), good).await), "challenge_not_found");
        challenged(&admin, &key, &body).await;
    });
    assert_eq!(server.terminate(), Some(0));
}
