//! The circle: issuer → log → redeemer → risk-scorer → redeemer; and the limits per device and address.

use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock};
use serde_json::{Value, json};

#[test]
fn a_device_that_claims_too_much_is_blocked_also_after_a_restart_and_a_rebuild() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = runtime();
    let rules = [("COUNTERFOIL__RISK__DEVICE_CLAIMS_PER_MINUTE", "5")];
    let server = Server::start(folder.path(), &rules);
    let (shop, caller) = runtime.block_on(merchant(&server.address, folder.path()));
    let context = json!({"device_id": "farm-1", "ip": "203.0.113.9"});
    let code = runtime.block_on(async {
        let stock = stock(&caller, json!({})).await;
        let mut code = Value::Null;
        for n in 0..6 {
            let body = json!({"stock_id": stock, "user_id": format!("u{n}"), "context": context});
            code = caller.ok("/v1/claims", body).await["code"].clone();
        }
        code
    });
    let check = |server: &Server, round: &str| {
        let caller = caller.at(&server.address);
        runtime.block_on(async {
            let subject = blocked(&analyst(server, folder.path()).await, &shop).await;
            let verdict = &subject["verdicts"][0];
            assert_eq!(
                (&verdict["rule"], &verdict["count"], &verdict["threshold"]),
                (&json!("device_claims_1m"), &json!(6), &json!(5))
            );
            assert_eq!((&verdict["window_seconds"], &verdict["active"]), (&json!(60), &json!(true)));
            let mut body = redemption(&code, &format!("o-{round}"));
            body["context"] = context.clone();
            let refused = caller.post("/v1/redemptions", body).await;
            assert_eq!(
                (refused.status.as_u16(), refused.code().map(|c| c.to_string())),
                (403, Some("risk_blocked".into()))
            );
            let problem = refused.json().expect("JSON");
            assert_eq!(problem["decision"]["reasons"][0]["code"], "device_claims_1m");
        });
    };
    check(&server, "live");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &rules);
    check(&server, "restarted");
    assert_eq!(server.terminate(), Some(0));
    std::fs::remove_dir_all(folder.path().join("risk.sled")).expect("removes");
    let server = Server::start(folder.path(), &rules);
    check(&server, "rebuilt");
    runtime.block_on(async {
        let mut body = redemption(&code, "another-device");
        body["context"] = json!({"device_id": "honest"});
        let redeemed = caller.at(&server.address).ok("/v1/redemptions", body).await;
        assert_eq!(
            (&redeemed["decision"]["action"], &redeemed["decision"]["missing"]),
            (&json!("allow"), &json!(["ip"]))
        );
    });
}

#[test]
fn a_rule_sets_text_is_checked_to_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        let check =
            async |text: &str| analyst.ok("/v1/risk/rulesets/check", json!({"text": text})).await["problems"].clone();
        let good =
            "rule 羊毛党 { when distinct(user by device, 24h) > 3 then block reason \"{n} users on one device\" }";
        assert_eq!(check(good).await, json!([]));
        let bad = "rule a {\n  when count(claim by devise, 1h) > 3 then block\n}\nrule b { when hour then review }";
        let problems = check(bad).await;
        let told =
            |n: usize| (problems[n]["line"].as_u64(), problems[n]["column"].as_u64(), problems[n]["code"].as_str());
        assert_eq!(
            (told(0), told(1)),
            ((Some(2), Some(23), Some("unknown_name")), (Some(4), Some(15), Some("wrong_type")))
        );
        assert!(problems[1]["hint"].as_str().is_some_and(|hint| hint.contains("compare it")), "{problems}");
        let features = analyst.get("/v1/risk/features").await;
        let names: Vec<_> =
            features["data"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
        for name in ["device_claims_1h", "count", "distinct", "age", "hour"] {
            assert!(names.contains(&json!(name)), "{name}: {names:?}");
        }
        let operator = merchant(&server.address, folder.path()).await.1;
        let refused = operator.post("/v1/risk/rulesets/check", json!({"text": good})).await;
        assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("role_forbidden"));
    });
}

#[test]
fn a_rule_set_goes_live_by_two_and_back_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let id = runtime.block_on(async {
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let text = |hour: u32| format!("# 夜里\nrule night {{ when hour < {hour} then review score 100 }}\n");
        let push = async |text: String| an.ok("/v1/risk/rulesets", json!({"name": "night", "text": text})).await;
        let first = push(text(5)).await;
        let id = first["id"].as_str().expect("an id").to_owned();
        assert_eq!((&first["version"], &first["state"]), (&json!(1), &json!("draft")), "{first}");
        let second = push(text(6)).await;
        assert_eq!((&second["id"], &second["version"]), (&first["id"], &json!(2)), "the same name is the same set");

        let refused =
            an.post("/v1/risk/rulesets", json!({"name": "bad", "text": "rule a { when 1 then block }"})).await;
        assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("rule_invalid"));
        assert_eq!(refused.json().expect("JSON")["problems"][0]["column"], 15);

        let of = |version: u32, step: &str| format!("/v1/risk/rulesets/{id}/versions/{version}/{step}");
        let moved = an.ok(&of(1, "submit"), json!({"to": "shadow"})).await;
        assert_eq!(moved["state"], "shadow", "at once");
        let moved = an.ok(&of(1, "submit"), json!({"to": "live", "comment": "nothing honest was hit"})).await;
        assert_eq!((&moved["state"], &moved["current_state"]), (&json!("pending_approval"), &json!("shadow")));
        let own = an.post(&of(1, "approve"), json!({})).await;
        assert_eq!(own.code().map(|code| code.to_string()).as_deref(), Some("self_approval"));
        assert_eq!(bo.ok(&of(1, "approve"), json!({})).await["state"], "live");
        an.ok(&of(2, "submit"), json!({"to": "live"})).await;
        bo.ok(&of(2, "approve"), json!({"comment": "ok"})).await;
        let list = an.get("/v1/risk/rulesets").await;
        let set = &list["data"][0];
        assert_eq!((&set["live_version"], &set["versions"][1]["state"]), (&json!(2), &json!("retired")), "{list}");
        let diff = an.get(&format!("{}?from=1", of(2, "diff"))).await["diff"].clone();
        let diff = diff.as_str().expect("a text");
        assert!(diff.contains("-rule night { when hour < 5") && diff.contains("+rule night { when hour < 6"), "{diff}");
        let (key, back) = (Caller::key(), json!({"to_version": 1, "comment": "too loud"}));
        let first = an.send("POST", &of(2, "rollback"), Some(&key), Some(&back)).await.json().expect("JSON");
        assert_eq!((&first["state"], &first["version"]), (&json!("live"), &json!(1)), "{first}");
        let again = an.send("POST", &of(2, "rollback"), Some(&key), Some(&back)).await.json().expect("JSON");
        assert_eq!(again, first, "the same key gets the same answer, though version 2 is live no more");
        let late = an.post(&of(2, "rollback"), back).await;
        assert_eq!(late.code().map(|code| code.to_string()).as_deref(), Some("ruleset_not_pending"));
        id
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        let live = analyst.get(&format!("/v1/risk/rulesets/{id}/versions/1")).await;
        assert_eq!(
            (&live["state"], live["text"].as_str().is_some_and(|text| text.contains("夜里"))),
            (&json!("live"), true)
        );
        let gone = analyst.post(&format!("/v1/risk/rulesets/{id}/versions/9/submit"), json!({"to": "shadow"})).await;
        assert_eq!(gone.code().map(|code| code.to_string()).as_deref(), Some("ruleset_not_found"));
    });
}

#[test]
fn a_live_rule_blocks_what_its_shadow_only_watched_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (caller, stock) = runtime.block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let text = "rule farm { when distinct(user by device, 24h) > 3 then block score 500 }";
        let id = an.ok("/v1/risk/rulesets", json!({"name": "farms", "text": text})).await["id"].clone();
        let of = |step: &str| format!("/v1/risk/rulesets/{}/versions/1/{step}", id.as_str().expect("an id"));
        an.ok(&of("submit"), json!({"to": "shadow"})).await;
        for n in 0..6 {
            caller.ok("/v1/claims", claimed(&stock, &format!("u{n}"), "farm-1")).await;
        }
        for n in 0..3 {
            caller.ok("/v1/claims", claimed(&stock, &format!("h{n}"), "home-1")).await;
        }
        an.ok(&of("submit"), json!({"to": "live"})).await;
        bo.ok(&of("approve"), json!({})).await;
        (caller, stock)
    });
    let check = |server: &Server, round: &str| {
        let caller = caller.at(&server.address);
        runtime.block_on(async {
            let refused = caller.post("/v1/claims", claimed(&stock, &format!("x-{round}"), "farm-1")).await;
            assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("risk_blocked"), "{round}");
            let reason = refused.json().expect("JSON")["decision"]["reasons"][0].clone();
            assert_eq!(reason["code"], "farm", "{reason}");
            caller.ok("/v1/claims", claimed(&stock, &format!("honest-{round}"), &format!("phone-{round}"))).await;
        });
    };
    runtime.block_on(counted(&caller, &stock));
    check(&server, "live");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    check(&server, "restarted");
    assert_eq!(server.terminate(), Some(0));
    std::fs::remove_dir_all(folder.path().join("risk.sled")).expect("removes");
    let server = Server::start(folder.path(), &[]);
    check(&server, "rebuilt");
}

#[test]
fn every_decision_is_kept_and_derives_again_under_later_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (shop, ids) = runtime.block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let shop = shop["id"].as_str().expect("an id").to_owned();
        let text = "rule farm { when distinct(user by device, 24h) > 3 then block score 500 reason \"{n} users\" }\n\
                    rule per_claim { when 1 / count(claim by device, 1h) > 2 then review }";
        live(&an, &bo, text).await;
        for n in 0..4 {
            caller.ok("/v1/claims", claimed(&stock, &format!("u{n}"), "farm-1")).await;
        }
        // The list waits until all four are counted: the fifth meets four users, not fewer.
        let path = format!("/v1/risk/decisions?subject=device:farm-1&merchant_id={shop}");
        an.get(&path).await;
        let fifth = caller.post("/v1/claims", claimed(&stock, "u4", "farm-1")).await;
        assert_eq!(code(&fifth), "risk_blocked");
        let list = an.get(&path).await;
        let all = list["data"].as_array().expect("a list").clone();
        let (refused, first) = (&all[0], all.last().expect("some"));
        assert_eq!((&refused["action"], &refused["done"]), (&json!("block"), &json!(false)), "{refused}");
        let reason = &refused["reasons"][0];
        assert_eq!((&reason["code"], &reason["text"]), (&json!("farm"), &json!("4 users")), "{refused}");
        assert_eq!((&reason["feature"], &reason["points"]), (&json!("distinct(user by device, 24h)"), &json!(500)));
        assert_eq!((&refused["enforced_by"], &refused["score"]), (&json!("rules"), &json!(500)));
        assert_eq!(first["rules"][1]["outcome"], "error", "nothing was counted yet: {first}");
        assert_eq!(first["subject"]["device_id"], Value::Null, "lists give pseudonyms only");
        let blocked = an.get("/v1/risk/decisions?action=block&rule=farm&limit=1").await;
        assert_eq!(blocked["data"][0]["id"], refused["id"], "{blocked}");
        let none = an.get(&format!("/v1/risk/decisions?subject=device:home-1&merchant_id={shop}")).await;
        assert_eq!((&none["data"], &none["next_cursor"]), (&json!([]), &Value::Null));
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page =
                an.get(&format!("/v1/risk/subjects/device/farm-1/timeline?merchant_id={shop}&limit=2{cursor}")).await;
            paged.extend(page["data"].as_array().expect("a list").iter().map(|one| one["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(paged, all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>());
        let whole = an.get(&format!("/v1/risk/decisions/{}", first["id"].as_str().expect("an id"))).await;
        assert_eq!((&whole["subject"]["device_id"], &whole["event"]), (&json!("farm-1"), &json!("claim")));
        let together = an.get("/v1/risk/rules/co-occurrence").await;
        let farm = &together["rules"][0];
        let stats = an.get("/v1/risk/rules/farm/stats").await;
        assert_eq!((&farm["rule"], &farm["hits"]), (&json!("farm"), &stats["hits"]), "{together}");
        assert_eq!(together["matrix"], json!([[farm["hits"]]]), "the other rule met nothing but errors: {together}");
        live(&an, &bo, "rule farm { when hour >= 0 then block }").await;
        let ids: Vec<String> = paged.iter().map(|id| id.as_str().expect("an id").to_owned()).collect();
        (shop, ids)
    });
    let check = |server: &Server| {
        runtime.block_on(async {
            let analyst = analyst(server, folder.path()).await;
            for id in &ids {
                let derived = analyst.ok(&format!("/v1/risk/decisions/{id}/derive"), json!({})).await;
                assert_eq!((&derived["equal"], &derived["differences"]), (&json!(true), &json!([])), "{derived}");
            }
            let list = analyst.get(&format!("/v1/risk/decisions?merchant_id={shop}&limit=200")).await;
            let known: Vec<_> = list["data"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
            assert!(ids.iter().all(|id| known.contains(&json!(id))), "{known:?}");
        });
    };
    check(&server);
    assert_eq!(server.terminate(), Some(0));
    std::fs::remove_dir_all(folder.path().join("risk.sled")).expect("removes");
    let server = Server::start(folder.path(), &[]);
    check(&server);
}

/// Makes rules live by two.
async fn live(an: &Caller, bo: &Caller, text: &str) {
    let pushed = an.ok("/v1/risk/rulesets", json!({"name": "test", "text": text})).await;
    let (id, version) = (pushed["id"].as_str().expect("an id"), &pushed["version"]);
    let of = |step: &str| format!("/v1/risk/rulesets/{id}/versions/{version}/{step}");
    an.ok(&of("submit"), json!({"to": "live"})).await;
    assert_eq!(bo.ok(&of("approve"), json!({})).await["state"], "live");
}

fn claimed(stock: &str, user: &str, device: &str) -> Value {
    json!({"stock_id": stock, "user_id": user, "context": {"device_id": device}})
}

/// Counts follow the log by a moment: until the first claim of the farm is refused.
async fn counted(caller: &Caller, stock: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    for n in 0.. {
        let answer = caller.post("/v1/claims", claimed(stock, &format!("late-{n}"), "farm-1")).await;
        if answer.status == 403 {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "never refused: {:?}", answer.json());
    }
}

pub(crate) async fn lead(server: &Server, folder: &std::path::Path) -> Caller {
    key(server, folder, "analyst_lead").await
}

pub(crate) async fn analyst(server: &Server, folder: &std::path::Path) -> Caller {
    key(server, folder, "analyst").await
}

pub(crate) async fn key(server: &Server, folder: &std::path::Path, role: &str) -> Caller {
    let platform = Caller::platform(&server.address, folder);
    let key = platform.ok("/v1/keys", json!({"role": role})).await;
    Caller::new(&server.address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"))
}

/// The analyst's view, once the verdict is there.
async fn blocked(analyst: &Caller, shop: &Value) -> Value {
    let path = format!("/v1/risk/subjects/device/farm-1?merchant_id={}", shop["id"].as_str().expect("id"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
    loop {
        let subject = analyst.get(&path).await;
        if subject["verdicts"][0].is_object() {
            return subject;
        }
        assert!(std::time::Instant::now() < deadline, "no verdict within a second: {subject}");
    }
}

#[test]
fn devices_and_addresses_are_limited_and_unknown_addresses_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = [
        ("COUNTERFOIL__LIMITS__DEVICE_BURST", "3"),
        ("COUNTERFOIL__LIMITS__DEVICE_PER_SECOND", "1"),
        ("COUNTERFOIL__LIMITS__IP_BURST", "5"),
        ("COUNTERFOIL__LIMITS__IP_PER_SECOND", "1"),
    ];
    let server = Server::start(folder.path(), &limits);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let send = async |context: Value, n: usize| {
            let body = json!({"stock_id": stock, "user_id": format!("u{n}"), "context": context});
            caller.post("/v1/claims", body).await
        };
        let mut limited = None;
        for n in 0..5 {
            let reply = send(json!({"device_id": "one"}), n).await;
            limited = limited.or((reply.status.as_u16() == 429).then_some(reply));
        }
        let limited = limited.expect("the fourth or fifth is limited");
        let body = json!({"stock_id": stock, "user_id": "u", "context": {"device_id": "two"}});
        let again = async || caller.send("POST", "/v1/claims", Some("again"), Some(&body)).await;
        let first = again().await;
        for _ in 0..6 {
            let repeated = again().await;
            assert_eq!((repeated.status.as_u16(), repeated.body), (201, first.body.clone()), "limited or not");
        }
        let problem = limited.json().expect("JSON");
        assert_eq!((&problem["code"], &problem["scope"]), (&json!("device_limited"), &json!("end_user")));
        assert!(!limited.header("retry-after").is_empty());
        let mut codes = Vec::new();
        for n in 0..9 {
            let reply = send(json!({"device_id": format!("d{n}"), "ip": "203.0.113.7"}), n).await;
            codes.extend(reply.code().map(|c| c.to_string()));
        }
        assert!(codes.iter().all(|code| code == "ip_limited") && !codes.is_empty(), "{codes:?}");
        for n in 0..20 {
            claim(&caller, &stock, &format!("no-context-{n}")).await;
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn test_devices_force_outcomes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        for (device, status, code) in [
            ("test_block", 403, Some("risk_blocked")),
            ("test_challenge", 403, Some("challenge_required")),
            ("test_review", 201, None),
            ("test_degraded", 201, None),
        ] {
            let body = json!({"stock_id": stock, "user_id": device, "context": {"device_id": device}});
            let reply = caller.post("/v1/claims", body).await;
            assert_eq!(
                (reply.status.as_u16(), reply.code().map(|c| c.to_string())),
                (status, code.map(str::to_owned)),
                "{device}"
            );
            if device == "test_degraded" {
                assert_eq!(reply.json().expect("JSON")["decision"]["degraded"], true);
            }
        }
    });
    assert_eq!(server.terminate(), Some(0));
}
