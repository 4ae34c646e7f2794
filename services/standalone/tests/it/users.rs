//! People: signed in by a link or a password, let in by their sessions, kept to their roles, and out again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use testkit::person::{Person, sign_in, token};

use crate::support::{Caller, Server, code, merchant, runtime, tool};

const PASSWORD: &str = "correct horse 电池";

fn analyst(name: &str) -> Value {
    json!({"name": name, "display_name": "安", "role": "analyst"})
}

/// Somebody who belongs to a merchant.
fn of_merchant(merchant: &Value) -> Value {
    json!({"name": "shop", "role": "merchant", "merchant_id": merchant["id"]})
}

#[test]
fn a_link_lets_in_once_and_the_session_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let an = runtime.block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let made = platform.ok("/v1/users", analyst("an")).await;
        let by_link = json!({"token": token(&made)});
        let replies = testkit::at_once(4, |_| {
            let (address, body) = (server.address.clone(), by_link.clone());
            async move { sign_in(&address, &body).await }
        });
        let replies = replies.await;
        let (good, bad): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status.as_u16() == 200);
        assert_eq!((good.len(), bad.len()), (1, 3), "of four at the same moment");
        assert!(bad.iter().all(|reply| code(reply) == "link_expired"));
        let cookie = good[0].header("set-cookie");
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        assert_eq!(good[0].header("cache-control"), "no-store");
        let an = Person::of(&server.address, good[0]);
        let session = an.get("/v1/sessions/current").await;
        assert_eq!((&session["user"]["name"], &session["user"]["role"]), (&json!("an"), &json!("analyst")));
        assert_eq!(session["permissions"], json!(["risk.read", "risk.work"]));
        an
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let an = an.at(&server.address);
        assert_eq!(an.get("/v1/sessions/current").await["user"]["id"], json!(an.user_id));
        an.get("/v1/risk/decisions").await;
    });
}

#[test]
fn a_password_is_set_and_signs_in_and_wrong_ones_are_limited() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let an = Person::new(&platform, &server.address, analyst("an")).await;
        let path = "/v1/users/me/password";
        assert_eq!(code(&an.send("PUT", path, Some(&json!({"new": "short"}))).await), "invalid_field");
        let set = an.send("PUT", path, Some(&json!({"new": PASSWORD}))).await;
        assert_eq!(set.status.as_u16(), 200, "{}", String::from_utf8_lossy(&set.body));
        assert_eq!(code(&an.send("GET", "/v1/sessions/current", None).await), "session_expired", "all others end");
        let an = Person::of(&server.address, &set);
        assert_eq!(an.get("/v1/sessions/current").await["has_password"], true);

        let by_password = |password: &str| json!({"name": "an", "password": password});
        let an = Person::signed_in(&server.address, &by_password(PASSWORD)).await;
        let change = |current: Option<&str>| json!({"current": current, "new": "another password"});
        assert_eq!(code(&an.send("PUT", path, Some(&change(None))).await), "missing_field");
        assert_eq!(code(&an.send("PUT", path, Some(&change(Some("wrong")))).await), "invalid_field");
        assert_eq!(an.send("PUT", path, Some(&change(Some(PASSWORD)))).await.status.as_u16(), 200);

        let mut seen = Vec::new();
        for _ in 0..11 {
            seen.push(code(&sign_in(&server.address, &by_password(PASSWORD)).await));
        }
        assert!(seen[..9].iter().all(|code| code == "sign_in_failed"), "{seen:?}");
        let limited = sign_in(&server.address, &by_password("another password")).await;
        assert_eq!((limited.status.as_u16(), code(&limited).as_str()), (429, "sign_in_limited"));
        assert!(limited.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 60));
        let nobody = sign_in(&server.address, &json!({"name": "nobody", "password": PASSWORD})).await;
        assert_eq!(code(&nobody), "sign_in_failed", "others are not limited, and nobody is like a wrong password");
    });
}

#[test]
fn signing_out_and_disabling_end_sessions_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let an = Person::new(&platform, &server.address, analyst("an")).await;
        let link = platform.ok(&format!("/v1/users/{}/link", an.user_id), json!({})).await;
        let elsewhere = Person::signed_in(&server.address, &json!({"token": token(&link)})).await;
        let out = an.send("DELETE", "/v1/sessions/current", None).await;
        assert!(out.header("set-cookie").starts_with("counterfoil_session=; "), "{}", out.header("set-cookie"));
        for ended in [&an, &elsewhere] {
            assert_eq!(code(&ended.send("GET", "/v1/risk/decisions", None).await), "session_expired");
        }
        let link = platform.ok(&format!("/v1/users/{}/link", an.user_id), json!({})).await;
        let an = Person::signed_in(&server.address, &json!({"token": token(&link)})).await;
        platform.ok(&format!("/v1/users/{}/disable", an.user_id), json!({})).await;
        assert_eq!(code(&an.send("GET", "/v1/risk/decisions", None).await), "session_expired");
        let link = platform.post(&format!("/v1/users/{}/link", an.user_id), json!({})).await;
        assert_eq!(code(&link), "user_disabled");
        let users = platform.get("/v1/users?name=an").await;
        assert!(users["data"][0]["disabled_at"].is_string(), "{users}");
    });
}

#[test]
fn people_keep_to_their_roles_and_writes_need_the_pages_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let (merchant, keyholder) = merchant(&server.address, folder.path()).await;
        let an = Person::new(&platform, &server.address, analyst("an")).await;
        let shop = Person::new(&platform, &server.address, of_merchant(&merchant)).await;
        let engineer = json!({"name": "eve", "role": "engineer"});
        let engineer = Person::new(&platform, &server.address, engineer).await;

        let refused = an.send("POST", "/v1/users", Some(&analyst("bo"))).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (403, "role_forbidden"));
        let refused = shop.send("GET", "/v1/risk/rulesets", None).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (403, "role_forbidden"));
        let keys = format!("/v1/merchants/{}/keys", merchant["id"].as_str().expect("an id"));
        assert_eq!(code(&shop.send("POST", &keys, Some(&json!({"role": "developer"}))).await), "role_forbidden");
        assert_eq!(code(&shop.send("GET", &keys, None).await), "role_forbidden");
        shop.get("/v1/stocks").await;
        assert_eq!(engineer.send("POST", "/v1/users", Some(&analyst("bo"))).await.status.as_u16(), 201);
        let key = keyholder.send("GET", "/v1/sessions/current", None, None).await;
        assert_eq!(code(&key), "session_missing", "keys have none");

        let forged = Person { csrf_token: String::new(), ..engineer.clone() };
        let refused = forged.send("POST", "/v1/users", Some(&analyst("ci"))).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (403, "csrf_token_invalid"));
        let nobody = an.client.get("/v1/sessions/current").await.expect("an answer");
        assert_eq!(code(&nobody), "session_missing");
    });
}

#[test]
fn what_people_do_is_found_under_their_ids_and_two_of_them_are_two_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let lead = |name: &str| json!({"name": name, "role": "analyst_lead"});
        let an = Person::new(&platform, &server.address, lead("an")).await;
        let bo = Person::new(&platform, &server.address, lead("bo")).await;
        let rules = json!({"name": "starter", "text": risk::rules::STARTER});
        let pushed = an.send("POST", "/v1/risk/rulesets", Some(&rules)).await;
        assert_eq!(pushed.status.as_u16(), 201, "{}", String::from_utf8_lossy(&pushed.body));
        let id = pushed.json().expect("JSON")["id"].as_str().expect("an id").to_owned();
        let version = format!("/v1/risk/rulesets/{id}/versions/1");
        let live = an.send("POST", &format!("{version}/submit"), Some(&json!({"to": "live", "comment": "now"}))).await;
        assert_eq!(live.status.as_u16(), 200, "{}", String::from_utf8_lossy(&live.body));
        let approve = format!("{version}/approve");
        assert_eq!(code(&an.send("POST", &approve, None).await), "self_approval");
        assert_eq!(bo.send("POST", &approve, None).await.status.as_u16(), 200);
        let deeds = bo.get(&format!("/v1/audit-events?actor={}", an.user_id)).await;
        let deeds: Vec<_> = deeds["data"].as_array().expect("deeds").iter().map(|it| &it["action"]).collect();
        assert!(deeds.contains(&&json!("user.sign_in")) && deeds.contains(&&json!("ruleset.push")), "{deeds:?}");
        let deeds = bo.get(&format!("/v1/audit-events?actor={}", bo.user_id)).await;
        assert_eq!(deeds["data"][0]["object"], json!(id), "{deeds}");
    });
}

#[test]
fn what_is_wrong_with_a_user_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        platform.ok("/v1/users", analyst("an")).await;
        for (body, expected, pointer) in [
            (analyst("an"), "user_exists", Value::Null),
            (analyst("An"), "invalid_field", json!("/name")),
            (json!({"name": "bo", "role": "king"}), "invalid_field", json!("/role")),
            (json!({"name": "bo", "role": "merchant"}), "missing_field", json!("/merchant_id")),
            (
                json!({"name": "bo", "role": "analyst", "merchant_id": "mer_0000001"}),
                "invalid_field",
                json!("/merchant_id"),
            ),
            (
                json!({"name": "bo", "role": "merchant", "merchant_id": "mer_zzzz"}),
                "merchant_not_found",
                json!("/merchant_id"),
            ),
            (json!({"name": "bo", "role": "analyst", "password": "short"}), "invalid_field", json!("/password")),
        ] {
            let refused = platform.post("/v1/users", body.clone()).await;
            assert_eq!(code(&refused), expected, "{body}");
            assert_eq!(refused.json().expect("JSON")["pointer"], pointer, "{body}");
        }
        let missing = platform.post("/v1/users/usr_00000000000000000099/link", json!({})).await;
        assert_eq!(code(&missing), "user_not_found");
        let key = Some("the-same");
        let user = json!({"name": "ci", "role": "engineer", "password": PASSWORD});
        let first = platform.send("POST", "/v1/users", key, Some(&user)).await;
        let again = platform.send("POST", "/v1/users", key, Some(&user)).await;
        assert_eq!((first.status.as_u16(), &first.body), (201, &again.body));
        assert!(first.json().expect("JSON").get("sign_in_url").is_none(), "the password is enough");
        let half = sign_in(&server.address, &json!({"name": "ci"})).await;
        assert_eq!(code(&half), "missing_field");
    });
}

#[test]
fn without_the_dashboard_there_are_neither_pages_nor_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[("COUNTERFOIL__DASHBOARD__ENABLED", "false")]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        for path in ["/", "/assets/index.js"] {
            let reply = platform.client.get(path).await.expect("an answer");
            assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (404, "route_not_found"), "{path}");
            assert_eq!(reply.header("content-type"), "application/problem+json");
        }
        let refused = sign_in(&server.address, &json!({"name": "an", "password": PASSWORD})).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (404, "route_not_found"));
        assert_eq!(platform.client.get("/docs/").await.expect("an answer").status.as_u16(), 200);
    });
}

#[test]
fn the_index_has_the_policy_that_keeps_foreign_code_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let index = platform.client.get("/").await.expect("an answer");
        assert_eq!((index.status.as_u16(), index.header("content-type")), (200, "text/html; charset=utf-8"));
        let policy = index.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        let docs = platform.client.get("/docs/").await.expect("an answer");
        let policy = docs.header("content-security-policy");
        assert!(policy.contains("script-src 'self';"), "people's sessions are on the same origin: {policy}");
    });
}

/// A demonstration without traffic, and the lines that it prints; killed when dropped.
struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Demo {
    fn start(folder: &std::path::Path, dashboard: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command
            .args(["demo", "--quiet", "--listen", "127.0.0.1:0", "--dashboard", dashboard, "--data-dir"])
            .arg(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    fn next(&mut self, begins: &str) -> String {
        let mut rest = self.lines.by_ref().map_while(Result::ok);
        rest.find_map(|line| line.strip_prefix(begins).map(str::to_owned)).expect("such a line")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demonstration_prints_a_link_and_the_command_line_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = Demo::start(folder.path(), "on");
    let address = demo.next("listening on ");
    let link = demo.next("dashboard: ");
    let token_of = |link: &str| {
        let token = link.trim().strip_prefix(&format!("{address}/#/sign-in?token=")).expect("a link to the pages");
        json!({"token": token})
    };
    runtime().block_on(async {
        let owner = Person::signed_in(&address, &token_of(&link)).await;
        let session = owner.get("/v1/sessions/current").await;
        assert_eq!(session["user"]["role"], "analyst_lead", "{session}");
        assert_eq!(session["user"]["display_name"], "Owner 店主", "{session}");
        let made = tool(folder.path(), &["users", "link", "owner"]);
        let again = Person::signed_in(&address, &token_of(&String::from_utf8_lossy(&made.stdout))).await;
        assert_eq!(again.user_id, owner.user_id);
        let added = tool(folder.path(), &["users", "add", "an", "--role", "analyst", "--display-name", "安"]);
        let an = Person::signed_in(&address, &token_of(&String::from_utf8_lossy(&added.stdout))).await;
        assert_eq!(tool(folder.path(), &["users", "disable", "an"]).status.code(), Some(0));
        assert_eq!(code(&an.send("GET", "/v1/sessions/current", None).await), "session_expired");
        let listed = tool(folder.path(), &["users", "list"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.contains("owner") && listed.contains("安  disabled"), "{listed}");
        let unknown = tool(folder.path(), &["users", "link", "nobody"]);
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no user nobody"));
    });
    drop(demo);
    let mut demo = Demo::start(folder.path(), "on");
    let address = demo.next("listening on ");
    let fresh = demo.next("dashboard: ");
    let body = json!({"token": fresh.strip_prefix(&format!("{address}/#/sign-in?token=")).expect("a link")});
    runtime().block_on(async { Person::signed_in(&address, &body).await });
}
