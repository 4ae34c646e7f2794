//! Twins of stocks: the whole way of a redemption, counted with nothing that is real; and load tests on file.

use std::time::{Duration, Instant};

use http_api::time::{format_ms, system_clock_ms};
use serde_json::{Value, json};

use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock, tool};

async fn twin(caller: &Caller, stock: &str, body: Value) -> Value {
    caller.ok(&format!("/v1/stocks/{stock}/rehearsals"), body).await
}

fn id(of: &Value) -> &str {
    of["id"].as_str().expect("an id")
}

#[test]
fn a_rehearsal_goes_the_whole_way_and_is_counted_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let store = caller.ok("/v1/stores", json!({"name": "外滩"})).await;
        let changes = json!({"limits": {"per_user": 1}, "stacking": {"exclusive": true}, "store_ids": [store["id"]],
            "budget": {"amount": 500, "currency": "CNY"}});
        let real = stock(&caller, changes).await;
        let made = twin(&caller, &real, json!({"total": 10})).await;
        let rehearsal = id(&made);
        assert_eq!(
            (&made["rehearsal_of"], &made["total"], &made["state"]),
            (&json!(real), &json!(10), &json!("active"))
        );
        assert_eq!(made["store_ids"], json!([store["id"]]));
        assert_eq!(caller.get(&format!("/v1/stocks/{rehearsal}")).await["until"], made["until"]);

        // The one coupon of the one user, all of the budget: at the twin.
        let coupon = claim(&caller, rehearsal, "ann").await;
        let order = |of: &Value| {
            let mut body = redemption(&of["code"], "order-1");
            (body["store_id"], body["user_id"]) = (store["id"].clone(), "ann".into());
            body
        };
        let valid = caller.ok("/v1/validations", order(&coupon)).await;
        assert_eq!(valid["redeemable"], true, "{valid}");
        let body = order(&coupon);
        let first = caller.send("POST", "/v1/redemptions", Some("r-1"), Some(&body)).await;
        assert_eq!(first.status.as_u16(), 201, "{}", String::from_utf8_lossy(&first.body));
        let again = caller.send("POST", "/v1/redemptions", Some("r-1"), Some(&body)).await;
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
        let done = caller.get("/v1/requests/r-1").await;
        assert_eq!((&done["state"], &done["response"]), (&json!("done"), &first.json().expect("JSON")));
        let redeemed = first.json().expect("JSON");
        assert_eq!(redeemed["store_id"], store["id"]);
        assert_eq!(caller.get(&format!("/v1/redemptions/{}", id(&redeemed))).await, redeemed);

        // And again where it counts: same user, same order, same store, same budget.
        let real_coupon = claim(&caller, &real, "ann").await;
        let real_redeemed = caller.ok("/v1/redemptions", order(&real_coupon)).await;
        assert_ne!(real_redeemed["id"], redeemed["id"]);
        for stock in [&real[..], rehearsal] {
            let balance = caller.get(&format!("/v1/stocks/{stock}/conservation")).await;
            assert_eq!((&balance["redeemed"], &balance["holds"]), (&json!(1), &json!(true)), "{balance}");
        }
        // Lists show what is real, and a twin's only to who asks for the twin.
        let ids = |list: &Value| -> Vec<Value> {
            list["data"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect()
        };
        assert_eq!(ids(&caller.get("/v1/redemptions").await), [real_redeemed["id"].clone()]);
        let of_twin = caller.get(&format!("/v1/redemptions?stock_id={rehearsal}")).await;
        assert_eq!(ids(&of_twin), [redeemed["id"].clone()]);
        let coupons = caller.get(&format!("/v1/coupons?stock_id={rehearsal}")).await;
        assert_eq!(coupons["data"][0]["id"], coupon["coupon_id"]);
        assert_eq!(ids(&caller.get("/v1/stocks").await), [json!(real)]);
        assert_eq!(ids(&caller.get(&format!("/v1/stocks/{real}/rehearsals")).await), [json!(rehearsal)]);
        // Its device and address have no counts that a real decision would see.
        let reversal = format!("/v1/redemptions/{}/reversals", id(&redeemed));
        caller.ok(&reversal, json!({"reason": "rehearsed"})).await;
        let found = caller.ok("/v1/coupons/lookup", json!({"code": coupon["code"]})).await;
        assert_eq!(found["state"], "claimed");

        let refused = caller.post(&format!("/v1/stocks/{rehearsal}/rehearsals"), json!({})).await;
        assert_eq!(code(&refused), "stock_is_rehearsal");
        let late = json!({"until": format_ms(system_clock_ms() + 31 * 86_400_000)});
        let refused = caller.post(&format!("/v1/stocks/{real}/rehearsals"), late).await;
        assert_eq!(
            (code(&refused), &refused.json().expect("JSON")["pointer"]),
            ("invalid_field".into(), &json!("/until"))
        );
        let (_, other) = merchant(&server.address, folder.path()).await;
        assert_eq!(other.send("GET", &format!("/v1/stocks/{rehearsal}"), None, None).await.status.as_u16(), 404);
        assert_eq!(
            code(&other.post("/v1/claims", json!({"stock_id": rehearsal, "user_id": "x"})).await),
            "stock_not_found"
        );
    });
    assert_eq!(server.terminate(), Some(0));
    let verified = tool(folder.path(), &["rebuild", "--verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let audited = tool(folder.path(), &["audit"]);
    assert!(audited.status.success(), "{}", String::from_utf8_lossy(&audited.stdout));
}

#[test]
fn on_its_date_a_twin_is_gone_and_stays_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let data_dir = folder.path();
    let server = runtime().block_on(async move {
        let (_, caller) = merchant(&server.address, data_dir).await;
        let real = stock(&caller, json!({})).await;
        let until = format_ms(system_clock_ms() + 2_000);
        let made = twin(&caller, &real, json!({"code_mode": "pool", "until": until})).await;
        let rehearsal = id(&made);
        caller.ok(&format!("/v1/stocks/{rehearsal}/codes"), json!({"count": 500, "label": "rehearsal"})).await;
        let coupon = claim(&caller, rehearsal, "ann").await;
        let redeemed = caller.ok("/v1/redemptions", redemption(&coupon["code"], "o-1")).await;
        let begun = Instant::now();
        let path = format!("/v1/stocks/{rehearsal}");
        while caller.send("GET", &path, None, None).await.status.as_u16() == 200 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.kill();
        let server = Server::start(data_dir, &[]);
        let caller = caller.at(&server.address);
        for path in [path, format!("/v1/redemptions/{}", id(&redeemed))] {
            assert_eq!(caller.send("GET", &path, None, None).await.status.as_u16(), 404, "{path}");
        }
        assert_eq!(caller.get(&format!("/v1/stocks/{real}/rehearsals")).await["data"], json!([]));
        let refused = caller.post("/v1/redemptions", redemption(&coupon["code"], "o-2")).await;
        assert_eq!(code(&refused), "coupon_not_found");
        server
    });
    assert_eq!(server.terminate(), Some(0));
    let verified = tool(folder.path(), &["rebuild", "--verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

fn report(outcome: &str, sound: bool) -> Value {
    json!({
        "format": "counterfoil-loadtest/1", "profile": "saturday", "load": {"peak_per_second": 899.6},
        "verdict": {"outcome": outcome, "line": format!("{outcome} saturday: 周六")}, "audit": {"sound": sound},
        "series": [{"second": 0, "p99_ms": 1.5}],
    })
}

#[test]
fn a_large_promotion_is_opened_once_a_load_test_has_passed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let body = json!({
            "type": "cash", "name": "大促", "total": 1000, "valid_after_claim": {"days": 30},
            "value": {"amount_off": {"amount": 500, "currency": "CNY"}, "minimum_spend": {"amount": 1000, "currency": "CNY"}},
            "expected_daily_redemptions": 100_001,
        });
        let made = caller.ok("/v1/stocks", body).await;
        assert_eq!(made["expected_daily_redemptions"], 100_001);
        let (stock, activate) = (id(&made), format!("/v1/stocks/{}/activate", id(&made)));
        let refused = caller.post(&activate, json!({})).await;
        let problem = refused.json().expect("JSON");
        assert_eq!((code(&refused), &problem["above"]), ("load_test_required".to_owned(), &json!(100_000)));
        for (outcome, sound) in [("FAIL", true), ("INVALID", true), ("PASS", false)] {
            let test = caller.ok("/v1/load-tests", json!({"stock_id": stock, "report": report(outcome, sound)})).await;
            assert_eq!(test["passed"], false);
            assert_eq!(code(&caller.post(&activate, json!({})).await), "load_test_required");
        }
        let passing = json!({"stock_id": stock, "report": report("PASS", true)});
        let test = caller.ok("/v1/load-tests", passing).await;
        assert_eq!((&test["passed"], &test["peak_per_second"], &test["stock_id"]), (&json!(true), &json!(900), &json!(stock)));
        assert_eq!(caller.get(&format!("/v1/load-tests/{}", id(&test))).await, test);
        assert_eq!(caller.get(test["report_url"].as_str().expect("a path")).await, report("PASS", true));
        let listed = caller.get(&format!("/v1/load-tests?stock_id={stock}&passed=true")).await;
        assert_eq!(listed["data"], json!([test]));
        assert_eq!(caller.get("/v1/load-tests").await["data"].as_array().map(Vec::len), Some(4));
        assert_eq!(caller.ok(&activate, json!({})).await["state"], "active");

        let wrong = json!({"report": {"format": "k6"}});
        let refused = caller.post("/v1/load-tests", wrong).await.json().expect("JSON");
        assert_eq!((&refused["code"], &refused["pointer"]), (&json!("invalid_field"), &json!("/report/format")));
        // What a small one expects asks for nothing, and what is taken back neither.
        let small = caller.ok("/v1/stocks", json!({
            "type": "multi_use", "name": "次卡", "total": 10, "valid_after_claim": {"days": 30},
            "value": {"uses": 10, "currency": "CNY"}, "expected_daily_redemptions": 200_000,
        })).await;
        let path = format!("/v1/stocks/{}", id(&small));
        let changed = json!({"expected_daily_redemptions": null});
        let patched = caller.send("PATCH", &path, Some(&Caller::key()), Some(&changed)).await;
        assert_eq!(patched.status.as_u16(), 200, "{}", String::from_utf8_lossy(&patched.body));
        assert_eq!(caller.get(&path).await["expected_daily_redemptions"], Value::Null);
        caller.ok(&format!("{path}/activate"), json!({})).await;
    });
}
