//! Lists of risk: made, filled by hand and from files, matched in line, and asked.

use serde_json::{Value, json};

use crate::support::{Caller, Server, merchant, runtime, stock};

fn claimed(stock: &str, user: &str, context: &Value) -> Value {
    json!({"stock_id": stock, "user_id": user, "context": context})
}

async fn made(analyst: &Caller, name: &str, mode: &str, item_type: &str) -> String {
    let list = json!({"name": name, "mode": mode, "item_type": item_type});
    let made = analyst.ok("/v1/risk/lists", list).await;
    assert_eq!((&made["mode"], &made["item_type"], &made["items"]), (&json!(mode), &json!(item_type), &json!(0)));
    made["id"].as_str().expect("an id").to_owned()
}

#[test]
fn lists_block_allow_and_watch_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (caller, stock, device) = runtime.block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let analyst = analyst(&server, folder.path()).await;
        let device = made(&analyst, "farms", "block", "device").await;
        let add = async |list: &str, item: Value| analyst.ok(&format!("/v1/risk/lists/{list}/items"), item).await;
        let item = add(&device, json!({"value": "farm-*", "reason": "羊毛党"})).await;
        assert_eq!((&item["value"], &item["reason"]), (&json!("farm-*"), &json!("羊毛党")), "{item}");
        add(&device, json!({"value": "old", "reason": "past", "expires_at": "2020-01-01T00:00:00Z"})).await;
        let allowed = made(&analyst, "office", "allow", "cidr").await;
        add(&allowed, json!({"value": "198.51.100.7/24", "reason": "ours"})).await;
        let watched = made(&analyst, "throw-away", "watch", "email_domain").await;
        add(&watched, json!({"value": "@Mailinator.com", "reason": "throw-away mail"})).await;
        (caller, stock, device)
    });
    let check = |server: &Server, round: &str| {
        let caller = caller.at(&server.address);
        runtime.block_on(async {
            let farm = json!({"device_id": "farm-9"});
            let refused = caller.post("/v1/claims", claimed(&stock, &format!("u-{round}"), &farm)).await;
            assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("risk_blocked"), "{round}");
            let problem = refused.json().expect("JSON");
            assert_eq!(problem["decision"]["reasons"][0]["code"], "list:farms", "{problem}");
            let old = json!({"device_id": "old"});
            caller.ok("/v1/claims", claimed(&stock, &format!("o-{round}"), &old)).await;
            let mail = format!("{round}@x.mailinator.com");
            let watched = caller.ok("/v1/claims", claimed(&stock, &mail, &json!({"device_id": "d"}))).await;
            assert_eq!(watched["decision"]["action"], "review", "{watched}");
            let office = json!({"device_id": "d", "ip": "198.51.100.200"});
            let let_through = caller.ok("/v1/claims", claimed(&stock, &format!("a-{mail}"), &office)).await;
            assert_eq!(let_through["decision"]["action"], "allow", "what is allowed goes before what is watched");
        });
    };
    check(&server, "first");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    check(&server, "again");
    runtime.block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        let items = analyst.get(&format!("/v1/risk/lists/{device}/items?limit=1")).await;
        assert!(items["next_cursor"].is_string(), "{items}");
        let found = analyst.get("/v1/risk/lists/lookup?item_type=device&value=farm-3").await;
        assert_eq!((&found["listed"], &found["data"][0]["name"]), (&json!(true), &json!("farms")), "{found}");
        let path = format!("/v1/risk/lists/{device}/items/farm-*");
        let removed = analyst.send("DELETE", &path, Some("take-off"), Some(&json!({"reason": "appeal"}))).await;
        assert_eq!(removed.status.as_u16(), 200, "{:?}", removed.json());
        let again = analyst.send("DELETE", &path, Some("once-more"), None).await;
        assert_eq!(again.code().map(|code| code.to_string()).as_deref(), Some("list_item_not_found"));
        let farm = json!({"device_id": "farm-9"});
        caller.at(&server.address).ok("/v1/claims", claimed(&stock, "free", &farm)).await;
        let decisions = analyst.get("/v1/risk/decisions?action=block").await;
        let id = decisions["data"][0]["id"].as_str().expect("an id").to_owned();
        let derived = analyst.ok(&format!("/v1/risk/decisions/{id}/derive"), json!({})).await;
        assert_eq!(derived["equal"], true, "{derived}");
    });
}

#[test]
fn files_are_added_whole_and_what_is_wrong_is_told_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        let list = made(&analyst, "vpn", "watch", "cidr").await;
        let path = format!("/v1/risk/lists/{list}/items");
        let send = async |text: String| {
            let (key, content) = (Caller::key(), ("text/csv", text.into_bytes().into()));
            let sent = analyst.client.signed_bytes(&analyst.credentials, ("POST", &path), Some(&key), content);
            let reply = sent.await.expect("an answer");
            (reply.status.as_u16(), reply.json().expect("JSON"))
        };
        let many: Vec<String> = (0..2_500).map(|n| format!("10.{}.{}.0/24", n / 250, n % 250)).collect();
        let (status, added) = send(format!("# VPN\r\n{}\n\nnot-an-address\n", many.join("\n"))).await;
        assert_eq!((status, &added["done"], &added["failed"]), (202, &json!(2_500), &json!(1)), "{added}");
        assert_eq!(added["problems"][0]["line"], 2_503, "{added}");
        let csv = "value,reason,expires_at\n192.0.2.0/24,hosting,2099-01-01T00:00:00Z\n192.0.2.0/99,wrong,\n";
        let (status, added) = send(csv.to_owned()).await;
        assert_eq!((status, &added["done"], &added["problems"][0]["line"]), (202, &json!(1), &json!(3)), "{added}");
        let found = analyst.get("/v1/risk/lists/lookup?item_type=ip&value=10.3.7.9").await;
        assert_eq!(found["listed"], true, "{found}");
        let found = analyst.get("/v1/risk/lists/lookup?item_type=ip&value=192.0.3.1").await;
        assert_eq!((&found["listed"], &found["data"]), (&json!(false), &json!([])), "{found}");
        let lists = analyst.get("/v1/risk/lists").await;
        assert_eq!(lists["data"][0]["items"], 2_501, "{lists}");
        let wrong = analyst.post(&path, json!({"value": "300.1.1.1/8", "reason": "x"})).await;
        assert_eq!(wrong.code().map(|code| code.to_string()).as_deref(), Some("invalid_field"));
        let operator = merchant(&server.address, folder.path()).await.1;
        let refused = operator.post(&path, json!({"value": "10.0.0.0/8", "reason": "x"})).await;
        assert_eq!(refused.code().map(|code| code.to_string()).as_deref(), Some("role_forbidden"));
    });
}

async fn analyst(server: &Server, folder: &std::path::Path) -> Caller {
    let platform = Caller::platform(&server.address, folder);
    let key = platform.ok("/v1/keys", json!({"role": "analyst"})).await;
    Caller::new(&server.address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"))
}
