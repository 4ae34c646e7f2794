//! Models in line, labels in features, and back-tests of both.

use serde_json::{Value, json};

use crate::support::{Caller, Server, merchant, runtime, stock};

/// A tree that knows one thing: more than two users on a device.
fn artifact() -> Value {
    json!({"format": 1, "inputs": ["distinct(user by device, 24h)", "amount"], "link": "identity", "base": 0.0,
        "trees": [[[0, 2.5, 1, true, 0.1], [0.05], [0.9]]]})
}

#[test]
fn a_model_scores_in_line_and_rules_read_its_score() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let ids = runtime.block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let broken = json!({"artifact": {"format": 1, "inputs": ["count(claim by devise, 1h)"], "link": "logit",
            "base": 0.0, "trees": []}});
        let refused = an.post("/v1/risk/models", broken).await;
        assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("model_invalid"));
        let pushed = an.ok("/v1/risk/models", json!({"artifact": artifact(), "metrics": {"auc": 0.9}})).await;
        assert_eq!((&pushed["version"], &pushed["state"]), (&json!(1), &json!("draft")), "{pushed}");
        let of = |step: &str| format!("/v1/risk/models/{}/versions/1/{step}", pushed["id"].as_str().expect("an id"));
        an.ok(&of("submit"), json!({"to": "live"})).await;
        let own = an.post(&of("approve"), json!({})).await;
        assert_eq!(own.code().map(|code| code.to_string()).as_deref(), Some("self_approval"));
        assert_eq!(bo.ok(&of("approve"), json!({})).await["state"], "live");
        let text = "rule high { when score > 800 then review score 10 }";
        let set = an.ok("/v1/risk/rulesets", json!({"name": "scores", "text": text})).await;
        let of = |step: &str| format!("/v1/risk/rulesets/{}/versions/1/{step}", set["id"].as_str().expect("an id"));
        an.ok(&of("submit"), json!({"to": "live"})).await;
        bo.ok(&of("approve"), json!({})).await;
        for n in 0..5 {
            let context = json!({"device_id": "shared"});
            let body = json!({"stock_id": stock, "user_id": format!("u{n}"), "context": context});
            caller.ok("/v1/claims", body).await;
            // What was claimed is counted before the next one is: the list waits for it.
            an.get("/v1/risk/decisions?limit=1").await;
        }
        let list = an.get("/v1/risk/decisions?subject=device:shared").await;
        let all = list["data"].as_array().expect("a list").clone();
        assert_eq!(all.len(), 5, "{list}");
        let (last, first) = (&all[0], &all[4]);
        assert_eq!((&last["score"], &last["action"]), (&json!(900), &json!("review")), "{last}");
        assert_eq!((&first["score"], &first["action"]), (&json!(50), &json!("allow")), "{first}");
        assert_eq!(last["model"]["reasons"][0]["input"], "distinct(user by device, 24h)", "{last}");
        (shop["id"].as_str().expect("an id").to_owned(), all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>())
    });
    assert_eq!(server.terminate(), Some(0));
    std::fs::remove_dir_all(folder.path().join("risk.sled")).expect("removes");
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let analyst = lead(&server, folder.path()).await;
        let (shop, ids) = &ids;
        for id in ids {
            let path = format!("/v1/risk/decisions/{}/derive", id.as_str().expect("an id"));
            let derived = analyst.ok(&path, json!({})).await;
            assert_eq!(derived["equal"], true, "{derived}");
        }
        let label = |id: &Value, label: &str| {
            json!({"decision_id": id, "label": label, "source": "analyst", "reason": "looked at"})
        };
        analyst.ok("/v1/risk/labels", label(&ids[0], "fraud")).await;
        analyst.ok("/v1/risk/labels", label(&ids[4], "honest")).await;
        let asked = json!({"text": "rule farm { when distinct(user by device, 24h) > 1 and count(refused by device, 1h) == 0 \
                                    then block score 500 }",
            "from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "merchant_id": shop, "compare_with": "live"});
        let result = done(&analyst, asked).await;
        assert_eq!((&result["decisions"], &result["features_equal"]), (&json!(5), &json!(true)), "{result}");
        assert_eq!(result["actions"], json!({"allow": 2, "block": 3}), "{result}");
        assert_eq!(result["newly_blocked"]["count"], 3, "{result}");
        assert_eq!((&result["precision"], &result["recall"]), (&json!(1.0), &json!(1.0)), "{result}");
        assert_eq!((&result["rules"][0]["hits"], &result["rules"][0]["fraud"]), (&json!(3), &json!(1)), "{result}");
        let (set, model) = (analyst.get("/v1/risk/rulesets").await, analyst.get("/v1/risk/models").await);
        let version = |list: &Value| json!({"id": list["data"][0]["id"], "version": 1});
        let asked = json!({"ruleset": version(&set), "model": version(&model), "from": "2020-01-01T00:00:00Z",
            "until": "2099-01-01T00:00:00Z"});
        assert_eq!(done(&analyst, asked).await["actions"], json!({"allow": 3, "review": 2}));
        let tried = analyst.get("/v1/risk/backtests").await["data"].as_array().expect("a list").clone();
        let names: Vec<_> = tried.iter().map(|it| (&it["tried"]["ruleset"]["name"], &it["tried"]["draft"])).collect();
        assert_eq!(names, [(&json!("scores"), &json!(false)), (&Value::Null, &json!(true))], "newest first");
        assert_eq!(tried[0]["tried"]["model"]["version"], 1, "{tried:?}");
        let wrong = json!({"text": "rule a { when 1 then block }", "from": "2020-01-01T00:00:00Z",
            "until": "2021-01-01T00:00:00Z"});
        let refused = analyst.post("/v1/risk/backtests", wrong).await;
        assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("rule_invalid"));
        let unknown = analyst.send("GET", "/v1/risk/backtests/bkt_0", None, None).await;
        assert_eq!(unknown.code().map(|code| code.to_string()).as_deref(), Some("backtest_not_found"));
    });
}

/// The result of a back-test, once it is done.
async fn done(analyst: &Caller, asked: Value) -> Value {
    let started = analyst.post("/v1/risk/backtests", asked).await;
    assert_eq!(started.status.as_u16(), 202, "{:?}", started.json());
    let path = format!("/v1/risk/backtests/{}", started.json().expect("JSON")["id"].as_str().expect("an id"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let backtest = analyst.get(&path).await;
        if backtest["state"] == "done" {
            return backtest["result"].clone();
        }
        assert!(backtest["state"] == "running" && std::time::Instant::now() < deadline, "{backtest}");
    }
}

async fn lead(server: &Server, folder: &std::path::Path) -> Caller {
    let platform = Caller::platform(&server.address, folder);
    let key = platform.ok("/v1/keys", json!({"role": "analyst_lead"})).await;
    Caller::new(&server.address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"))
}
