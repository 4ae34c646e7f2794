//! Wrong input over HTTP: each case with its status, its code and the place that it points to, and none of them leaves
//! a record of an event in the ledger.

use std::collections::BTreeMap;

use bytes::Bytes;
use coupon::record::Entry;
use http_api::axum::http::Request;
use http_api::client::{Credentials, Reply};
use http_api::signature::{SignedParts, authorization};
use serde_json::{Value, json};

use crate::support::{Caller, Server, claim, fold_log, merchant, redemption, runtime, stock};

/// Status, code and pointer; an empty pointer is none.
type Expected = (u16, &'static str, &'static str);

/// What the cases name in braces.
struct Scene {
    names: BTreeMap<&'static str, String>,
    keys: BTreeMap<&'static str, Caller>,
}

impl Scene {
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn role(platform: &Caller, address: &str, merchant: &str, body: Value) -> Caller {
    let key = platform.ok(&format!("/v1/merchants/{merchant}/keys"), body).await;
    Caller::new(address, &text(&key["key_id"]), &text(&key["secret"]))
}

#[expect(clippy::too_many_lines, reason = "one list of what there is, in the order in which it comes to be")]
async fn scene(server: &Server, folder: &std::path::Path) -> Scene {
    let platform = Caller::platform(&server.address, folder);
    let (own, admin) = merchant(&server.address, folder).await;
    let (_, stranger) = merchant(&server.address, folder).await;
    let own = text(&own["id"]);
    let stored = text(&admin.ok("/v1/stores", json!({"name": "朝阳店"})).await["id"]);
    let elsewhere = text(&admin.ok("/v1/stores", json!({"name": "海淀店"})).await["id"]);
    let open = stock(&admin, json!({"limits": {"per_user": 100, "per_user_day": 90}})).await;
    let draft = text(&admin.ok("/v1/stocks", template()).await["id"]);
    let closed = stock(&admin, json!({})).await;
    let paused = stock(&admin, json!({})).await;
    let of_closed = claim(&admin, &closed, "u").await;
    admin.ok(&format!("/v1/stocks/{closed}/close"), json!({"stop_redemptions": true})).await;
    admin.ok(&format!("/v1/stocks/{paused}/pause"), json!({})).await;
    let one = stock(&admin, json!({"total": 1})).await;
    let of_one = claim(&admin, &one, "u").await;
    let once = stock(&admin, json!({"limits": {"per_user": 1, "per_day": 1}})).await;
    claim(&admin, &once, "u").await;
    let daily = stock(&admin, json!({"limits": {"per_day": 1}})).await;
    claim(&admin, &daily, "u").await;
    let later = json!({"claim_from": "2099-01-01T00:00:00+08:00"});
    let later = stock(&admin, later).await;
    let future =
        json!({"valid_after_claim": null, "valid_from": "2098-01-01T00:00:00Z", "valid_until": "2099-01-01T00:00:00Z"});
    let future = claim(&admin, &stock(&admin, future).await, "u").await;
    let poor = stock(&admin, json!({"budget": {"amount": 499, "currency": "CNY"}})).await;
    let of_poor = claim(&admin, &poor, "u").await;
    let bound = claim(&admin, &stock(&admin, json!({"store_ids": [elsewhere]})).await, "u").await;
    let narrow = claim(&admin, &stock(&admin, json!({"applies_to": {"skus": ["tea"]}})).await, "u").await;
    let never = json!({"available_times": [{"weekdays": [1], "from": "03:00", "until": "03:01"}]});
    let never = claim(&admin, &stock(&admin, never).await, "u").await;
    let exclusive = claim(&admin, &stock(&admin, json!({"stacking": {"exclusive": true}})).await, "u").await;
    let pool = stock(&admin, json!({"code_mode": "pool", "total": 10})).await;
    let imported = stock(&admin, json!({"code_mode": "imported", "total": 10})).await;
    let batch = admin.ok(&format!("/v1/stocks/{pool}/codes"), json!({"count": 5, "label": "x"})).await;
    let voided_batch = admin.ok(&format!("/v1/stocks/{pool}/codes"), json!({"count": 5})).await;
    let voided_batch = text(&voided_batch["batch_id"]);
    admin.ok(&format!("/v1/code-batches/{voided_batch}/void"), json!({"reason": "leaked"})).await;
    let free = claim(&admin, &open, "u-1").await;
    let second = claim(&admin, &open, "u-1").await;
    let spent = claim(&admin, &open, "u-1").await;
    let redeemed = admin.ok("/v1/redemptions", redemption(&spent["code"], "order-1")).await;
    let given_back = claim(&admin, &open, "u-1").await;
    let reversed = admin.ok("/v1/redemptions", redemption(&given_back["code"], "order-2")).await;
    let path = format!("/v1/redemptions/{}/reversals", text(&reversed["id"]));
    admin.ok(&path, json!({"reason": "returned"})).await;
    let gone = claim(&admin, &open, "u-1").await;
    admin.ok(&format!("/v1/coupons/{}/void", text(&gone["coupon_id"])), json!({"reason": "stolen"})).await;
    let no_window = stock(&admin, json!({"reversal_window_days": 0})).await;
    let no_window = claim(&admin, &no_window, "u").await;
    let too_late = admin.ok("/v1/redemptions", redemption(&no_window["code"], "order-3")).await;
    let held = claim(&admin, &open, "u-1").await;
    let mut body = redemption(&held["code"], "order-4");
    body["ttl_seconds"] = json!(3600);
    let lock = admin.ok("/v1/locks", body.clone()).await;
    let let_go = claim(&admin, &open, "u-1").await;
    body["coupons"] = json!([{"code": let_go["code"]}]);
    body["order"]["id"] = json!("order-5");
    let released = admin.ok("/v1/locks", body).await;
    let path = format!("/v1/locks/{}/release", text(&released["id"]));
    admin.ok(&path, json!({"token": released["token"], "reason": "abandoned"})).await;
    let many =
        stock(&admin, json!({"type": "multi_use", "value": {"uses": 3, "minimum_interval_seconds": 3600}})).await;
    let many = claim(&admin, &many, "u").await;
    admin.ok("/v1/redemptions", redemption(&many["code"], "order-6")).await;
    let few = stock(&admin, json!({"type": "multi_use", "value": {"uses": 3}})).await;
    let few = claim(&admin, &few, "u").await;
    let foreign_stock = stock(&stranger, json!({})).await;
    let foreign = claim(&stranger, &foreign_stock, "u").await;
    admin.send("POST", "/v1/requests/cancelled-key/cancel", None, None).await;
    let used = json!({"stock_id": open, "user_id": "u-1"});
    admin.send("POST", "/v1/claims", Some("used-key"), Some(&used)).await;
    let names = BTreeMap::from([
        ("merchant", own.clone()),
        ("store", stored.clone()),
        ("stock", open),
        ("draft", draft),
        ("closed", closed),
        ("paused", paused),
        ("sold_out", one),
        ("once", once),
        ("daily", daily),
        ("later", later),
        ("pool", pool),
        ("imported", imported),
        ("batch", text(&batch["batch_id"])),
        ("voided_batch", voided_batch),
        ("code", text(&free["code"])),
        ("second", text(&second["code"])),
        ("coupon", text(&free["coupon_id"])),
        ("spent", text(&spent["code"])),
        ("spent_coupon", text(&spent["coupon_id"])),
        ("redemption", text(&redeemed["id"])),
        ("reversed", text(&reversed["id"])),
        ("too_late", text(&too_late["id"])),
        ("gone", text(&gone["code"])),
        ("gone_coupon", text(&gone["coupon_id"])),
        ("of_closed", text(&of_closed["code"])),
        ("of_one", text(&of_one["code"])),
        ("of_poor", text(&of_poor["code"])),
        ("bound", text(&bound["code"])),
        ("narrow", text(&narrow["code"])),
        ("never", text(&never["code"])),
        ("exclusive", text(&exclusive["code"])),
        ("future", text(&future["code"])),
        ("held", text(&held["code"])),
        ("lock", text(&lock["id"])),
        ("token", text(&lock["token"])),
        ("released", text(&released["id"])),
        ("released_token", text(&released["token"])),
        ("many", text(&many["code"])),
        ("few", text(&few["code"])),
        ("foreign_stock", foreign_stock),
        ("foreign_code", text(&foreign["code"])),
        ("foreign_coupon", text(&foreign["coupon_id"])),
        ("long", "x".repeat(129)),
        ("longer", "x".repeat(501)),
    ]);
    let at = &server.address;
    let mut keys = BTreeMap::from([("platform", platform.clone()), ("admin", admin)]);
    for name in ["developer", "operator", "analyst"] {
        keys.insert(name, role(&platform, at, &own, json!({"role": name})).await);
    }
    keys.insert("till", role(&platform, at, &own, json!({"role": "operator", "store_ids": [stored]})).await);
    Scene { names, keys }
}

fn template() -> Value {
    json!({
        "type": "cash", "name": "五元券", "terms": "5 off", "total": 1000, "code_mode": "generated",
        "value": {"amount_off": {"amount": 500, "currency": "CNY"}},
        "valid_after_claim": {"days": 30},
    })
}

/// A body with one place changed; `null` takes the place away.
fn changed(mut body: Value, pointer: &str, to: &str) -> String {
    let to: Value = serde_json::from_str(to).expect("JSON");
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
    let place = body.pointer_mut(parent).expect("the place is there");
    match (to, place) {
        (Value::Null, Value::Object(object)) => drop(object.remove(field)),
        (to, Value::Array(list)) => list[field.parse::<usize>().expect("a number")] = to,
        (to, place) => place[field] = to,
    }
    body.to_string()
}

/// Bodies of stocks: what is changed, to what, and what comes of it.
const STOCKS: &[(&str, &str, Expected)] = &[
    ("/type", "null", (400, "missing_field", "/type")),
    ("/type", "\"voucher\"", (400, "invalid_field", "/type")),
    ("/name", "null", (400, "missing_field", "/name")),
    ("/name", "\"\"", (400, "invalid_field", "/name")),
    ("/name", "7", (400, "invalid_field", "/name")),
    ("/name", "\"{long}\"", (400, "invalid_field", "/name")),
    ("/total", "0", (400, "invalid_field", "/total")),
    ("/total", "-1", (400, "invalid_field", "/total")),
    ("/total", "1.5", (400, "invalid_field", "/total")),
    ("/total", "\"1000\"", (400, "invalid_field", "/total")),
    ("/total", "1000000001", (400, "invalid_field", "/total")),
    ("/code_mode", "\"printed\"", (400, "invalid_field", "/code_mode")),
    ("/value", "null", (400, "missing_field", "/value")),
    ("/value", "{}", (400, "missing_field", "/value/amount_off")),
    ("/value/amount_off/amount", "0", (400, "invalid_field", "/value/amount_off/amount")),
    ("/value/amount_off/amount", "-500", (400, "invalid_field", "/value/amount_off/amount")),
    ("/value/amount_off/amount", "5.5", (400, "invalid_field", "/value/amount_off/amount")),
    ("/value/amount_off/currency", "\"yuan\"", (400, "invalid_field", "/value/amount_off/currency")),
    ("/value/percent_off_bp", "100", (400, "unknown_field", "/value/percent_off_bp")),
    (
        "/value/minimum_spend",
        "{\"amount\":1,\"currency\":\"USD\"}",
        (400, "invalid_field", "/value/minimum_spend/currency"),
    ),
    ("/valid_after_claim", "null", (400, "missing_field", "/valid_from")),
    ("/valid_after_claim/days", "0", (400, "invalid_field", "/valid_after_claim/days")),
    ("/valid_until", "\"2099-01-01T00:00:00Z\"", (400, "invalid_field", "/valid_after_claim")),
    ("/claim_from", "\"tomorrow\"", (400, "invalid_field", "/claim_from")),
    ("/limits", "{\"per_user\":0}", (400, "invalid_field", "/limits/per_user")),
    ("/limits", "{\"per_week\":1}", (400, "unknown_field", "/limits/per_week")),
    ("/budget", "{\"amount\":100,\"currency\":\"USD\"}", (400, "invalid_field", "/budget/currency")),
    ("/budget", "{\"amount\":-1,\"currency\":\"CNY\"}", (400, "invalid_field", "/budget/amount")),
    ("/stacking", "{\"max_per_order\":31}", (400, "invalid_field", "/stacking/max_per_order")),
    ("/reversal_window_days", "3651", (400, "invalid_field", "/reversal_window_days")),
    (
        "/available_times",
        "[{\"weekdays\":[8],\"from\":\"09:00\",\"until\":\"10:00\"}]",
        (400, "invalid_field", "/available_times/0/weekdays"),
    ),
    (
        "/available_times",
        "[{\"weekdays\":[1],\"from\":\"25:00\",\"until\":\"26:00\"}]",
        (400, "invalid_field", "/available_times/0/from"),
    ),
    ("/store_ids", "[\"str_nowhere\"]", (404, "store_not_found", "/store_ids/0")),
    ("/metadata", "{\"k\":\"v\",\"n\":1}", (400, "invalid_field", "/metadata/n")),
    ("/colour", "\"red\"", (400, "unknown_field", "/colour")),
    ("/reference", "\"{longer}\"", (400, "invalid_field", "/reference")),
];

fn order() -> Value {
    json!({
        "coupons": [{"code": "{code}"}],
        "order": {"id": "o", "amount": 2000, "currency": "CNY", "lines": [
            {"id": "1", "sku": "cup", "quantity": 2, "unit_amount": 1000, "amount": 2000},
        ]},
        "context": {"device_id": "d", "ip": "203.0.113.7"},
    })
}

/// Bodies of redemptions.
const REDEMPTIONS: &[(&str, &str, Expected)] = &[
    ("/coupons", "null", (400, "invalid_field", "/coupons")),
    ("/coupons", "[]", (400, "invalid_field", "/coupons")),
    ("/coupons/0", "{}", (400, "invalid_field", "/coupons/0")),
    ("/coupons/0", "{\"code\":\"{code}\",\"coupon_id\":\"{coupon}\"}", (400, "invalid_field", "/coupons/0")),
    ("/coupons/0/uses", "0", (400, "invalid_field", "/coupons/0/uses")),
    ("/coupons", "[{\"code\":\"{code}\"},{\"code\":\"{code}\"}]", (400, "invalid_field", "/coupons/1")),
    ("/coupons/0/code", "\"0000-0000-0000-0000\"", (404, "coupon_not_found", "/coupons/0")),
    ("/coupons/0/code", "\"{foreign_code}\"", (404, "coupon_not_found", "/coupons/0")),
    ("/coupons/0", "{\"coupon_id\":\"{foreign_coupon}\"}", (404, "coupon_not_found", "/coupons/0")),
    ("/coupons/0/code", "\"{spent}\"", (409, "already_redeemed", "/coupons/0")),
    ("/coupons/0/code", "\"{gone}\"", (409, "coupon_voided", "/coupons/0")),
    ("/coupons/0/code", "\"{held}\"", (409, "coupon_locked", "/coupons/0")),
    ("/coupons/0/code", "\"{of_closed}\"", (409, "stock_not_active", "/coupons/0")),
    ("/coupons/0/code", "\"{of_poor}\"", (409, "budget_exhausted", "/coupons/0")),
    ("/coupons/0/code", "\"{future}\"", (422, "not_yet_valid", "/coupons/0")),
    ("/coupons/0/code", "\"{never}\"", (422, "outside_available_times", "/coupons/0")),
    ("/coupons/0/code", "\"{bound}\"", (422, "store_not_eligible", "/coupons/0")),
    ("/coupons/0/code", "\"{narrow}\"", (422, "nothing_eligible", "/coupons/0")),
    ("/coupons/0/code", "\"{many}\"", (422, "minimum_interval", "/coupons/0")),
    ("/coupons", "[{\"code\":\"{few}\",\"uses\":4}]", (422, "uses_exceeded", "/coupons/0")),
    ("/coupons", "[{\"code\":\"{code}\"},{\"code\":\"{exclusive}\"}]", (422, "not_stackable", "/coupons/1")),
    ("/coupons", "[{\"code\":\"{code}\"},{\"code\":\"{second}\"}]", (422, "not_stackable", "/coupons/1")),
    ("/order", "null", (400, "missing_field", "/order")),
    ("/order/id", "\"\"", (400, "invalid_field", "/order/id")),
    ("/order/amount", "-1", (400, "invalid_field", "/order/amount")),
    ("/order/amount", "2001", (422, "order_amount_mismatch", "/order/amount")),
    ("/order/currency", "\"USD\"", (422, "currency_mismatch", "/coupons/0")),
    ("/order/currency", "\"RMB元\"", (400, "invalid_field", "/order/currency")),
    ("/order/lines/0/quantity", "0", (400, "invalid_field", "/order/lines/0/quantity")),
    ("/order/lines/0/amount", "1999", (422, "order_amount_mismatch", "/order/lines/0/amount")),
    ("/order/lines/0/sku", "null", (400, "missing_field", "/order/lines/0/sku")),
    ("/order/lines/0/colour", "1", (400, "unknown_field", "/order/lines/0/colour")),
    ("/order", "{\"id\":\"o\",\"amount\":999,\"currency\":\"CNY\"}", (422, "order_below_minimum", "/coupons/0")),
    ("/user_id", "\"13800138000\"", (400, "invalid_field", "/user_id")),
    ("/user_id", "\"somebody else\"", (422, "user_mismatch", "/coupons/0")),
    ("/store_id", "\"here\"", (404, "store_not_found", "/store_id")),
    ("/context/ip", "\"300.1.1.1\"", (400, "invalid_field", "/context/ip")),
    ("/context/location", "{\"latitude\":91,\"longitude\":0}", (400, "invalid_field", "/context/location/latitude")),
    ("/context/device", "\"d\"", (400, "unknown_field", "/context/device")),
    ("/context/device_id", "\"test_block\"", (403, "risk_blocked", "")),
    ("/context/device_id", "\"test_challenge\"", (403, "challenge_required", "")),
    ("/lock", "{\"id\":\"lck_x\",\"token\":\"00\"}", (404, "lock_not_found", "/lock/id")),
    ("/lock", "{\"id\":\"{lock}\",\"token\":\"00\"}", (400, "invalid_field", "/lock/token")),
    ("/lock", "{\"id\":\"{lock}\",\"token\":\"00000000000000000000000000000000\"}", (409, "lock_lost", "")),
    ("/lock", "{\"id\":\"{lock}\",\"token\":\"{token}\"}", (422, "lock_order_mismatch", "")),
    ("/lock", "{\"id\":\"{released}\",\"token\":\"{released_token}\"}", (409, "lock_lost", "")),
];

/// Other calls: who, method, path, body.
const CALLS: &[(&str, &str, &str, &str, Expected)] = &[
    ("admin", "POST", "/v1/claims", "{\"user_id\":\"u\"}", (400, "missing_field", "/stock_id")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{stock}\"}", (400, "missing_field", "/user_id")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{stock}\",\"user_id\":\"\"}", (400, "invalid_field", "/user_id")),
    (
        "admin",
        "POST",
        "/v1/claims",
        "{\"stock_id\":\"{stock}\",\"user_id\":\"+8613800138000\"}",
        (400, "invalid_field", "/user_id"),
    ),
    (
        "admin",
        "POST",
        "/v1/claims",
        "{\"stock_id\":\"{stock}\",\"code\":\"{code}\",\"user_id\":\"u\"}",
        (400, "invalid_field", "/code"),
    ),
    (
        "admin",
        "POST",
        "/v1/claims",
        "{\"stock_id\":\"{foreign_stock}\",\"user_id\":\"u\"}",
        (404, "stock_not_found", "/stock_id"),
    ),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{draft}\",\"user_id\":\"u\"}", (409, "stock_not_active", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{paused}\",\"user_id\":\"u\"}", (409, "stock_not_active", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{closed}\",\"user_id\":\"u\"}", (409, "stock_not_active", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{sold_out}\",\"user_id\":\"u\"}", (409, "stock_sold_out", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{once}\",\"user_id\":\"u\"}", (409, "user_limit_reached", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{daily}\",\"user_id\":\"v\"}", (409, "day_limit_reached", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{later}\",\"user_id\":\"u\"}", (409, "claim_not_open", "")),
    ("admin", "POST", "/v1/claims", "{\"code\":\"{code}\",\"user_id\":\"u\"}", (409, "coupon_claimed", "")),
    (
        "admin",
        "POST",
        "/v1/claims",
        "{\"code\":\"ZZZZ-ZZZZ-ZZZZ-ZZZZ\",\"user_id\":\"u\"}",
        (404, "coupon_not_found", "/code"),
    ),
    (
        "admin",
        "POST",
        "/v1/locks",
        "{\"coupons\":[{\"code\":\"{code}\"}],\"order\":{\"id\":\"o\",\"amount\":2000,\"currency\":\"CNY\"}}",
        (400, "missing_field", "/ttl_seconds"),
    ),
    (
        "admin",
        "POST",
        "/v1/locks",
        "{\"coupons\":[{\"code\":\"{code}\"}],\"order\":{\"id\":\"o\",\"amount\":2000,\"currency\":\"CNY\"},\"ttl_seconds\":604801}",
        (400, "invalid_field", "/ttl_seconds"),
    ),
    (
        "admin",
        "POST",
        "/v1/locks/{lock}/extend",
        "{\"token\":\"{token}\",\"ttl_seconds\":0}",
        (400, "invalid_field", "/ttl_seconds"),
    ),
    (
        "admin",
        "POST",
        "/v1/locks/{lock}/release",
        "{\"token\":\"{token}\",\"reason\":\"bored\"}",
        (400, "invalid_field", "/reason"),
    ),
    (
        "admin",
        "POST",
        "/v1/locks/{lock}/release",
        "{\"token\":\"{released_token}\",\"reason\":\"abandoned\"}",
        (409, "lock_lost", ""),
    ),
    (
        "admin",
        "POST",
        "/v1/locks/lck_nowhere/release",
        "{\"token\":\"{token}\",\"reason\":\"abandoned\"}",
        (404, "lock_not_found", ""),
    ),
    ("admin", "POST", "/v1/redemptions/{redemption}/reversals", "{}", (400, "missing_field", "/reason")),
    ("admin", "POST", "/v1/redemptions/{reversed}/reversals", "{\"reason\":\"x\"}", (409, "already_reversed", "")),
    ("admin", "POST", "/v1/redemptions/{too_late}/reversals", "{\"reason\":\"x\"}", (409, "reversal_too_late", "")),
    ("admin", "POST", "/v1/redemptions/rdm_nowhere/reversals", "{\"reason\":\"x\"}", (404, "redemption_not_found", "")),
    (
        "admin",
        "POST",
        "/v1/redemptions/{redemption}/reversals",
        "{\"reason\":\"x\",\"coupons\":[{\"coupon_id\":\"{coupon}\"}]}",
        (404, "coupon_not_found", "/coupons/0"),
    ),
    (
        "admin",
        "POST",
        "/v1/redemptions/{redemption}/reversals",
        "{\"reason\":\"x\",\"coupons\":[{\"coupon_id\":\"{spent_coupon}\",\"uses\":2}]}",
        (422, "uses_exceeded", "/coupons/0"),
    ),
    ("admin", "PUT", "/v1/stocks/{stock}/total", "{\"current\":7,\"target\":2000}", (409, "version_conflict", "")),
    ("admin", "PUT", "/v1/stocks/{stock}/total", "{\"current\":1000,\"target\":1}", (409, "below_used", "")),
    ("admin", "PUT", "/v1/stocks/{stock}/total", "{\"target\":2000}", (400, "missing_field", "/current")),
    (
        "admin",
        "PUT",
        "/v1/stocks/{stock}/budget",
        "{\"current\":null,\"target\":{\"amount\":1,\"currency\":\"CNY\"}}",
        (409, "below_used", ""),
    ),
    (
        "admin",
        "PUT",
        "/v1/stocks/{stock}/budget",
        "{\"current\":null,\"target\":{\"amount\":9000000,\"currency\":\"USD\"}}",
        (422, "currency_mismatch", "/target/currency"),
    ),
    (
        "admin",
        "PUT",
        "/v1/stocks/{stock}/limits/per_week",
        "{\"current\":null,\"target\":1}",
        (400, "invalid_field", "/path/name"),
    ),
    (
        "admin",
        "PUT",
        "/v1/stocks/{stock}/limits/per_user",
        "{\"current\":1,\"target\":2}",
        (409, "version_conflict", ""),
    ),
    ("admin", "PATCH", "/v1/stocks/{stock}", "{\"total\":5}", (409, "stock_not_draft", "")),
    ("admin", "PATCH", "/v1/stocks/{stock}", "{\"name\":\"\"}", (400, "invalid_field", "/name")),
    ("admin", "POST", "/v1/stocks/{stock}/activate", "", (409, "stock_not_draft", "")),
    ("admin", "POST", "/v1/stocks/{stock}/resume", "", (409, "stock_not_active", "")),
    ("admin", "POST", "/v1/stocks/{closed}/pause", "", (409, "stock_closed", "")),
    ("admin", "POST", "/v1/stocks/{foreign_stock}/activate", "", (404, "stock_not_found", "")),
    ("admin", "POST", "/v1/stocks/{pool}/codes", "{\"count\":0}", (400, "invalid_field", "/count")),
    ("admin", "POST", "/v1/stocks/{pool}/codes", "{\"count\":1}", (409, "stock_sold_out", "")),
    ("admin", "POST", "/v1/stocks/{imported}/codes", "{\"count\":1}", (409, "code_mode_mismatch", "")),
    ("admin", "POST", "/v1/code-batches/{voided_batch}/void", "{\"reason\":\"x\"}", (409, "batch_voided", "")),
    ("admin", "POST", "/v1/code-batches/{batch}/void", "{\"reason\":\"\"}", (400, "invalid_field", "/reason")),
    ("admin", "POST", "/v1/coupons/{gone_coupon}/void", "{\"reason\":\"x\"}", (409, "coupon_voided", "")),
    ("admin", "POST", "/v1/coupons/{spent_coupon}/void", "{\"reason\":\"x\"}", (409, "already_redeemed", "")),
    ("admin", "POST", "/v1/sends", "{\"stock_id\":\"{stock}\",\"user_ids\":[]}", (400, "invalid_field", "/user_ids")),
    ("admin", "POST", "/v1/sends", "{\"stock_id\":\"{draft}\",\"user_ids\":[\"u\"]}", (409, "stock_not_active", "")),
    (
        "admin",
        "POST",
        "/v1/stores",
        "{\"name\":\"x\",\"location\":{\"latitude\":0,\"longitude\":181}}",
        (400, "invalid_field", "/location/longitude"),
    ),
    ("admin", "POST", "/v1/merchants/{merchant}/keys", "{\"role\":\"king\"}", (400, "invalid_field", "/role")),
    (
        "admin",
        "POST",
        "/v1/merchants/{merchant}/keys",
        "{\"role\":\"developer\",\"store_ids\":[\"{store}\"]}",
        (400, "invalid_field", "/store_ids"),
    ),
    ("admin", "GET", "/v1/stocks?limit=0", "", (400, "invalid_field", "/query/limit")),
    ("admin", "GET", "/v1/stocks?limit=201", "", (400, "invalid_field", "/query/limit")),
    ("admin", "GET", "/v1/stocks?cursor=%21", "", (400, "invalid_field", "/query/cursor")),
    ("admin", "GET", "/v1/stocks?from=yesterday", "", (400, "invalid_field", "/query/from")),
    ("admin", "GET", "/v1/stocks?colour=red", "", (400, "unknown_field", "/query/colour")),
    ("admin", "GET", "/v1/stocks?state=open", "", (400, "invalid_field", "/query/state")),
    ("admin", "GET", "/v1/stocks/{foreign_stock}", "", (404, "stock_not_found", "")),
    ("admin", "GET", "/v1/stocks/{stock}?as_of=then", "", (400, "invalid_field", "/query/as_of")),
    ("admin", "GET", "/v1/coupons/{foreign_coupon}", "", (404, "coupon_not_found", "")),
    ("admin", "GET", "/v1/coupons?state=mine", "", (400, "invalid_field", "/query/state")),
    ("admin", "GET", "/v1/operations/op_nowhere", "", (404, "operation_not_found", "")),
    ("admin", "GET", "/v1/redemptions?state=done", "", (400, "invalid_field", "/query/state")),
    ("admin", "GET", "/v1/code-batches/{batch}/codes?format=pdf", "", (400, "invalid_field", "/query/format")),
    ("admin", "POST", "/v1/coupons/lookup", "{\"code\":\"{foreign_code}\"}", (404, "coupon_not_found", "/code")),
    ("admin", "GET", "/v1/nowhere", "", (404, "route_not_found", "")),
    ("admin", "DELETE", "/v1/stocks/{stock}", "", (405, "method_not_allowed", "")),
    ("operator", "POST", "/v1/stocks", "{}", (403, "role_forbidden", "")),
    ("developer", "POST", "/v1/claims", "{}", (403, "role_forbidden", "")),
    ("developer", "GET", "/v1/code-batches/{batch}/codes", "", (403, "role_forbidden", "")),
    ("analyst", "POST", "/v1/redemptions", "{}", (403, "role_forbidden", "")),
    ("admin", "GET", "/v1/risk/features", "", (403, "role_forbidden", "")),
    ("admin", "POST", "/v1/merchants", "{\"name\":\"x\"}", (403, "role_forbidden", "")),
    (
        "platform",
        "POST",
        "/v1/merchants",
        "{\"name\":\"x\",\"time_zone\":\"Mars/Olympus\"}",
        (400, "invalid_field", "/time_zone"),
    ),
    ("platform", "POST", "/v1/merchants", "{\"name\":\"x\",\"mode\":\"demo\"}", (400, "invalid_field", "/mode")),
    (
        "platform",
        "PUT",
        "/v1/merchants/{merchant}/quotas",
        "{\"create_per_second\":1,\"redeem_per_second\":1000001,\"import_per_minute\":1}",
        (400, "invalid_field", "/redeem_per_second"),
    ),
    ("platform", "GET", "/v1/merchants/mer_nowhere", "", (404, "merchant_not_found", "")),
    (
        "till",
        "POST",
        "/v1/redemptions",
        "{\"coupons\":[{\"code\":\"{code}\"}],\"order\":{\"id\":\"o\",\"amount\":2000,\"currency\":\"CNY\"},\"store_id\":\"str_00000010000000000000\"}",
        (403, "store_forbidden", "/store_id"),
    ),
    ("till", "GET", "/v1/locks/{lock}", "", (403, "store_forbidden", "")),
    ("admin", "POST", "/v1/claims", "{\"stock_id\":\"{stock}\",", (400, "malformed_json", "")),
    ("admin", "POST", "/v1/claims", "[]", (400, "invalid_field", "")),
    (
        "admin",
        "POST",
        "/v1/claims",
        "{\"stock_id\":\"{stock}\",\"stock_id\":\"{stock}\",\"user_id\":\"u\"}",
        (400, "invalid_field", "/stock_id"),
    ),
];

/// What stands around a request.
#[derive(Clone, Copy)]
enum Around {
    Unsigned,
    Scheme(&'static str),
    WrongSecret,
    UnknownKey,
    Clock(i64),
    ShortNonce,
    OtherBody,
    OtherPath,
    OtherKey,
    Bearer,
    ContentType(&'static str),
    Key(Option<&'static str>),
    Test(&'static str),
    Large,
    LongHeader,
    NonceTwice,
}

const AROUND: &[(Around, Expected)] = &[
    (Around::Unsigned, (401, "signature_missing", "/headers/authorization")),
    (Around::Scheme("Basic dXNlcjpwYXNz"), (401, "signature_missing", "/headers/authorization")),
    (Around::Scheme("COUNTERFOIL-HMAC-SHA256 key_id=\"x\""), (401, "signature_invalid", "/headers/authorization")),
    (Around::WrongSecret, (401, "signature_invalid", "/headers/authorization")),
    (Around::UnknownKey, (401, "key_unknown", "/headers/authorization")),
    (Around::Clock(-302), (401, "timestamp_out_of_range", "/headers/authorization")),
    (Around::Clock(302), (401, "timestamp_out_of_range", "/headers/authorization")),
    (Around::ShortNonce, (401, "signature_invalid", "/headers/authorization")),
    (Around::OtherBody, (401, "signature_invalid", "/headers/authorization")),
    (Around::OtherPath, (401, "signature_invalid", "/headers/authorization")),
    (Around::OtherKey, (401, "signature_invalid", "/headers/authorization")),
    (Around::NonceTwice, (401, "nonce_reused", "/headers/authorization")),
    (Around::Bearer, (401, "signature_invalid", "/headers/authorization")),
    (Around::ContentType("text/plain"), (415, "unsupported_media_type", "/headers/content-type")),
    (Around::ContentType(""), (415, "unsupported_media_type", "/headers/content-type")),
    (Around::Key(None), (400, "idempotency_key_missing", "/headers/idempotency-key")),
    (Around::Key(Some("two words")), (400, "invalid_field", "/headers/idempotency-key")),
    (Around::Key(Some("cancelled-key")), (409, "request_cancelled", "")),
    (Around::Key(Some("used-key")), (422, "idempotency_key_reused", "/headers/idempotency-key")),
    (Around::Test("explode"), (400, "invalid_field", "/headers/counterfoil-test")),
    (Around::Large, (413, "body_too_large", "")),
    (Around::LongHeader, (431, "header_too_large", "")),
];

async fn around(caller: &Caller, scene: &Scene, around: Around) -> Reply {
    let body = scene.fill("{\"stock_id\":\"{stock}\",\"user_id\":\"somebody\"}");
    let body = if matches!(around, Around::Large) { format!("{body}{}", " ".repeat(1 << 20)) } else { body };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("a date");
    let timestamp = if let Around::Clock(off) = around { now + off } else { now }.to_string();
    let nonce = if matches!(around, Around::ShortNonce) { "short".to_owned() } else { Caller::key().replace('-', "_") };
    let nonce = format!("{nonce:_<20}");
    let nonce = if matches!(around, Around::ShortNonce) { nonce.trim_end_matches('_') } else { nonce.as_str() };
    let own_key = Caller::key();
    let key = if let Around::Key(key) = around { key } else { Some(own_key.as_str()) };
    let secret = match around {
        Around::WrongSecret => Credentials::new("x", "cfs_wrong").secret,
        _ => caller.credentials.secret.clone(),
    };
    let parts = SignedParts {
        method: "POST",
        path_and_query: if matches!(around, Around::OtherPath) { "/v1/claims?x=1" } else { "/v1/claims" },
        timestamp: &timestamp,
        nonce,
        idempotency_key: if matches!(around, Around::OtherKey) { "another" } else { key.unwrap_or_default() },
        body: if matches!(around, Around::OtherBody) { b"{}" } else { body.as_bytes() },
    };
    let key_id = if matches!(around, Around::UnknownKey) { "cfk_test_nobody" } else { &caller.credentials.key_id };
    let value = match around {
        Around::Scheme(text) => text.to_owned(),
        Around::Bearer => format!("Bearer {key_id}:cfs_wrong"),
        _ => authorization(key_id, &secret, &parts),
    };
    let content_type = if let Around::ContentType(other) = around { other } else { "application/json" };
    let send = async || {
        let mut request = Request::post("/v1/claims");
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        if !matches!(around, Around::Unsigned) {
            request = request.header("authorization", &value);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        match around {
            Around::Test(outcome) => request = request.header("counterfoil-test", outcome),
            Around::LongHeader => request = request.header("x-long", "x".repeat(20_000)),
            _ => {}
        }
        let request = request.body(Bytes::from(body.clone())).expect("a request");
        caller.client.send(request).await.expect("an answer")
    };
    if matches!(around, Around::NonceTwice) {
        // Refused for its body, but seen.
        let first = send().await;
        assert_eq!(first.status.as_u16(), 201);
    }
    send().await
}

fn check(wrong: &mut Vec<String>, what: &str, reply: &Reply, (status, code, pointer): Expected) {
    let problem = reply.json().unwrap_or_default();
    let got = (reply.status.as_u16(), problem["code"].as_str(), problem["pointer"].as_str().unwrap_or_default());
    if got != (status, Some(code), pointer) {
        wrong.push(format!("{what}\n  expected {:?}\n  got      {got:?}: {problem}", (status, code, pointer)));
    }
    let complete = problem["title"].is_string()
        && problem["detail"].as_str().is_some_and(|detail| detail.len() > 3)
        && problem["type"] == format!("/docs/errors/{code}")
        && problem["status"] == status
        && problem["request_id"] == reply.header("x-request-id");
    if !complete || reply.header("content-type") != "application/problem+json" {
        wrong.push(format!("{what}\n  is not a whole problem: {problem}"));
    }
}

fn events(folder: &std::path::Path) -> usize {
    let mut events = 0;
    fold_log(folder, |_, _, entry, _| events += usize::from(matches!(entry, Entry::Guarded(_))));
    events
}

#[test]
fn wrong_input_is_told_what_is_wrong_and_leaves_no_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = scene(&server, folder.path()).await;
        let admin = &scene.keys["admin"];
        let mut wrong = Vec::new();
        // The one that shows a nonce twice succeeds the first time.
        for (case, expected) in AROUND {
            let what = format!("around: {}", expected.1);
            check(&mut wrong, &what, &around(admin, &scene, *case).await, *expected);
        }
        let before = events(folder.path());
        let send = async |key: &str, method: &str, path: &str, body: String| {
            let (path, body, idempotency) = (scene.fill(path), scene.fill(&body), Caller::key());
            let idempotency = (method != "GET").then_some(idempotency.as_str());
            let caller = &scene.keys[key];
            let content = ("application/json", Bytes::from(body));
            let sent = caller.client.signed_bytes(&caller.credentials, (method, &path), idempotency, content);
            sent.await.expect("an answer")
        };
        for (pointer, to, expected) in STOCKS {
            let body = changed(template(), pointer, &scene.fill(to));
            let reply = send("admin", "POST", "/v1/stocks", body).await;
            check(&mut wrong, &format!("stock {pointer} = {to}"), &reply, *expected);
        }
        for (pointer, to, expected) in REDEMPTIONS {
            let body = changed(order(), pointer, &scene.fill(to));
            let reply = send("admin", "POST", "/v1/redemptions", body).await;
            check(&mut wrong, &format!("redemption {pointer} = {to}"), &reply, *expected);
        }
        for (key, method, path, body, expected) in CALLS {
            let reply = send(key, method, path, (*body).to_owned()).await;
            check(&mut wrong, &format!("{key} {method} {path} {body}"), &reply, *expected);
        }
        let cases = AROUND.len() + STOCKS.len() + REDEMPTIONS.len() + CALLS.len();
        assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(events(folder.path()), before, "a refused request left an event");
    });
    assert_eq!(server.terminate(), Some(0));
}
