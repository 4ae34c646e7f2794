use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Request {
    order: Order,
    #[serde(default)]
    coupons: Vec<Coupon>,
    value: Option<Tagged>,
    source: Option<Source>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    state: Option<State>,
    at: Option<crate::time::Timestamp>,
    #[serde(default)]
    context: serde_json::Value,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Order {
    id: String,
    amount: i64,
    quantity: Option<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Coupon {
    code: String,
    uses: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Tagged {
    Cash { amount_off: Order },
    Gift { sku: String },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Source {
    Code { code: String },
    Shop(Order),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum State {
    Draft,
    Active,
}

const TARGET: (&str, &str) = ("POST", "/v1/x");
const ORDER: &str = r#""order": {"id": "7", "amount": 100}"#;

fn refusal(json: &str) -> (Code, String, String) {
    let problem = parse::<Request>(json.as_bytes(), TARGET).expect_err(json);
    (problem.code, problem.pointer.unwrap_or("none".to_owned()), problem.detail)
}

#[test]
fn a_pointer_leads_to_what_is_wrong() {
    use Code::{InvalidField, MalformedJson, MissingField, UnknownField};
    let with = |rest: &str| format!("{{{ORDER}, {rest}}}");
    let table = [
        ("".to_owned(), MalformedJson, "none", "empty"),
        ("{".to_owned(), MalformedJson, "none", "Line 1, column 1"),
        ("{\n  \"a\": tru}".to_owned(), MalformedJson, "none", "Line 2, column"),
        ("{} {}".to_owned(), MalformedJson, "none", "trailing"),
        (with("\"x\": \"\\ud800\""), MalformedJson, "none", "Line 1"),
        (format!("{{\"a\": {}1{}}}", "[".repeat(40), "]".repeat(40)), MalformedJson, "none", "deeper than 32"),
        ("[]".to_owned(), InvalidField, "", "must be a JSON object"),
        ("7".to_owned(), InvalidField, "", "must be a JSON object"),
        ("{}".to_owned(), MissingField, "/order", "required"),
        ("{\"order\": {\"id\": \"7\"}}".to_owned(), MissingField, "/order/amount", "required"),
        ("{\"order\": null}".to_owned(), InvalidField, "/order", "must be an object, not null"),
        ("{\"order\": [\"7\", 100]}".to_owned(), InvalidField, "/order", "must be an object, not an array"),
        ("{\"order\": {\"id\": 7, \"amount\": 1}}".to_owned(), InvalidField, "/order/id", "a string, not a number"),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1.5}}".to_owned(), InvalidField, "/order/amount", "a whole number"),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1e30}}".to_owned(), InvalidField, "/order/amount", "a whole number"),
        (
            "{\"order\": {\"id\": \"7\", \"amount\": 9223372036854775808}}".to_owned(),
            InvalidField,
            "/order/amount",
            "9223372036854775807",
        ),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1, \"quantity\": 256}}".to_owned(), InvalidField, "/order/quantity", "0 to 255"),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1, \"quantity\": -1}}".to_owned(), InvalidField, "/order/quantity", "0 to 255"),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1, \"linez\": []}}".to_owned(), UnknownField, "/order/linez", "Known here: id, amount"),
        (with("\"totl\": 1"), UnknownField, "/totl", "not a field"),
        (with("\"a/b~c\": 1"), UnknownField, "/a~1b~0c", "not a field"),
        (with("\"coupons\": [{\"code\": \"A\"}, {\"code\": 5}]"), InvalidField, "/coupons/1/code", "a string"),
        (with("\"coupons\": [{\"code\": \"A\"}, {}]"), MissingField, "/coupons/1/code", "required"),
        (with("\"coupons\": [{\"code\": \"A\", \"use\": 1}]"), UnknownField, "/coupons/0/use", "Known here: code, uses"),
        (with("\"coupons\": {\"code\": \"A\"}"), InvalidField, "/coupons", "must be an array, not an object"),
        (with("\"metadata\": {\"x/y\": 5}"), InvalidField, "/metadata/x~1y", "a string"),
        (with("\"state\": \"open\""), InvalidField, "/state", "one of draft, active"),
        (with("\"state\": 5"), InvalidField, "/state", "must be a string"),
        (with("\"at\": \"yesterday\""), InvalidField, "/at", "must be a time like"),
        (with("\"value\": {\"type\": \"gift\", \"sku\": \"A\", \"skuu\": 1}"), UnknownField, "/value/skuu", "not a field"),
        (with("\"value\": {\"type\": \"gift\"}"), MissingField, "/value/sku", "required"),
        (with("\"value\": {\"type\": \"none\"}"), InvalidField, "/value", "one of cash, gift"),
        (with("\"value\": {\"sku\": \"A\"}"), MissingField, "/value/type", "required"),
        (
            with("\"value\": {\"type\": \"cash\", \"amount_off\": {\"id\": \"7\", \"amount\": 1, \"amoun\": 2}}"),
            UnknownField,
            "/value/amount_off/amoun",
            "not a field",
        ),
        (with("\"source\": {\"code\": {\"code\": 5}}"), InvalidField, "/source/code/code", "a string"),
        (with("\"source\": {\"code\": {}}"), MissingField, "/source/code/code", "required"),
        (with("\"source\": {\"shop\": {\"id\": \"7\", \"amount\": 1, \"x\": 1}}"), UnknownField, "/source/shop/x", "not a field"),
        (with("\"source\": \"code\""), InvalidField, "/source", "an object"),
        (with("\"state\": \"draft\", \"state\": \"active\""), InvalidField, "/state", "twice"),
        ("{\"order\": {\"id\": \"7\", \"amount\": 1, \"id\": \"8\"}}".to_owned(), InvalidField, "/order/id", "twice"),
        (with("\"metadata\": {\"a\": \"x\\u0000y\"}"), InvalidField, "/metadata/a", "U+0000"),
        (with("\"metadata\": {\"a\\u0000\": \"x\"}"), InvalidField, "/metadata/a\0", "U+0000"),
    ];
    for (json, code, pointer, says) in table {
        let (is_code, is_pointer, detail) = refusal(&json);
        assert_eq!((is_code, is_pointer.as_str()), (code, pointer), "{json}: {detail}");
        assert!(detail.contains(says), "{json}: {detail}");
    }
}

#[test]
fn what_is_no_utf_8_is_malformed() {
    let problem = parse::<Request>(b"{\"order\": \"\xff\xfe\"}", TARGET).expect_err("no utf-8");
    assert_eq!(problem.code, Code::MalformedJson);
    let problem = parse::<Request>(b"\xef\xbb\xbf{}", TARGET).expect_err("a byte order mark");
    assert_eq!(problem.code, Code::MalformedJson);
}

#[test]
fn a_sound_body_is_read() {
    let json = format!(
        "{{{ORDER}, \"coupons\": [{{\"code\": \"A\", \"uses\": 2}}], \"state\": \"active\", \"at\": \"1970-01-01T08:00:00+08:00\",
           \"value\": {{\"sku\": \"A\", \"type\": \"gift\"}}, \"source\": {{\"code\": {{\"code\": \"满\"}}}}, \"context\": {{\"ip\": \"::1\"}}}}"
    );
    let parsed = parse::<Request>(json.as_bytes(), TARGET).expect("sound").body;
    assert_eq!(parsed.coupons, [Coupon { code: "A".to_owned(), uses: Some(2) }]);
    assert_eq!((parsed.state, parsed.at), (Some(State::Active), Some(crate::time::Timestamp(0))));
    assert_eq!(parsed.value, Some(Tagged::Gift { sku: "A".to_owned() }));
    assert_eq!(parsed.source, Some(Source::Code { code: "满".to_owned() }));
}

#[test]
fn a_fingerprint_covers_what_is_asked_and_nothing_else() {
    let of = |json: &str, target| {
        parse::<serde_json::Value>(json.as_bytes(), target).expect("json").fingerprint
    };
    let base = of(r#"{"a": 1, "b": {"x": "é", "y": [1, 2]}}"#, TARGET);
    assert_eq!(of("{\"b\":{\"y\":[1,2],\"x\":\"\\u00e9\"},\n\"a\":1}", TARGET), base, "order and white space");
    assert_eq!(of(r#"{"a": 1, "b": {"x": "é", "y": [1, 2]}, "context": {"ip": "::1"}}"#, TARGET), base, "context");
    for (json, target) in [
        (r#"{"a": 2, "b": {"x": "é", "y": [1, 2]}}"#, TARGET),
        (r#"{"a": 1, "b": {"x": "é", "y": [2, 1]}}"#, TARGET),
        (r#"{"a": 1, "b": {"x": "é", "y": [1, 2], "context": 1}}"#, TARGET),
        (r#"{"a": 1, "b": {"x": "é", "y": [1, 2]}}"#, ("PUT", "/v1/x")),
        (r#"{"a": 1, "b": {"x": "é", "y": [1, 2]}}"#, ("POST", "/v1/x?dry=1")),
    ] {
        assert_ne!(of(json, target), base, "{json} {target:?}");
    }
    // Fingerprints stand in the log: this one may never change.
    assert_eq!(hex::encode(of(r#"{"b": [true, null, -1, 1.5], "a": "\n"}"#, TARGET)), GOLDEN);
    assert_eq!(fingerprint(TARGET, br#"{"a":"\n","b":[true,null,-1,1.5]}"#), of(r#"{"b": [true, null, -1, 1.5], "a": "\n"}"#, TARGET));
}

const GOLDEN: &str = "0";

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Filter {
    user_id: Option<String>,
    depth: Option<u8>,
    open: Option<bool>,
    state: Option<State>,
}

#[test]
fn a_query_is_read_strictly() {
    let parsed: Filter = parse_query(Some("user_id=a%20b%2B%E6%BB%A1+c&depth=3&open=true&state=draft")).expect("sound");
    assert_eq!(parsed.user_id.as_deref(), Some("a b+满 c"));
    assert_eq!((parsed.depth, parsed.open, parsed.state), (Some(3), Some(true), Some(State::Draft)));
    assert!(parse_query::<Filter>(None).is_ok() && parse_query::<Filter>(Some("&&")).is_ok());
    for (query, code, pointer) in [
        ("usr=1", Code::UnknownField, "/query/usr"),
        ("depth=x", Code::InvalidField, "/query/depth"),
        ("depth=300", Code::InvalidField, "/query/depth"),
        ("depth=1&depth=2", Code::InvalidField, "/query/depth"),
        ("open=yes", Code::InvalidField, "/query/open"),
        ("state=x", Code::InvalidField, "/query/state"),
        ("user_id=%", Code::InvalidField, "/query/user_id"),
        ("user_id=%ff", Code::InvalidField, "/query/user_id"),
        ("user_id=%00", Code::InvalidField, "/query/user_id"),
        ("%zz=1", Code::InvalidField, "/query"),
    ] {
        let problem = parse_query::<Filter>(Some(query)).expect_err(query);
        assert_eq!((problem.code, problem.pointer.as_deref()), (code, Some(pointer)), "{query}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"a-c0-9.e\\\\u-]{0,60}") {
        let _ = parse::<Request>(&bytes, TARGET);
        let _ = parse::<Request>(text.as_bytes(), TARGET);
        let _ = parse_query::<Filter>(Some(&text));
    }
}
