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

/// Code, pointer, what the detail says, body.
const REFUSALS: &str = r#"malformed_json  | none                     | empty                          |
malformed_json  | none                     | Line 1, column 1               | {
malformed_json  | none                     | Line 1, column                 | {"a": tru}
malformed_json  | none                     | trailing                       | {} {}
malformed_json  | none                     | Line 1                         | {ORDER, "x": "\ud800"}
invalid_field   |                          | must be a JSON object          | []
invalid_field   |                          | must be a JSON object          | 7
missing_field   | /order                   | required                       | {}
missing_field   | /order/amount            | required                       | {"order": {"id": "7"}}
invalid_field   | /order                   | must be an object, not null    | {"order": null}
invalid_field   | /order                   | must be an object, not an array | {"order": ["7", 100]}
invalid_field   | /order/id                | a string, not a number         | {"order": {"id": 7, "amount": 1}}
invalid_field   | /order/amount            | a whole number                 | {"order": {"id": "7", "amount": 1.5}}
invalid_field   | /order/amount            | a whole number                 | {"order": {"id": "7", "amount": 1e30}}
invalid_field   | /order/amount            | 9223372036854775807            | {"order": {"id": "7", "amount": 9223372036854775808}}
invalid_field   | /order/quantity          | 0 to 255                       | {"order": {"id": "7", "amount": 1, "quantity": 256}}
invalid_field   | /order/quantity          | 0 to 255                       | {"order": {"id": "7", "amount": 1, "quantity": -1}}
unknown_field   | /order/linez             | Known here: id, amount         | {"order": {"id": "7", "amount": 1, "linez": []}}
unknown_field   | /totl                    | not a field                    | {ORDER, "totl": 1}
unknown_field   | /a~1b~0c                 | not a field                    | {ORDER, "a/b~c": 1}
invalid_field   | /coupons/1/code          | a string                       | {ORDER, "coupons": [{"code": "A"}, {"code": 5}]}
missing_field   | /coupons/1/code          | required                       | {ORDER, "coupons": [{"code": "A"}, {}]}
unknown_field   | /coupons/0/use           | Known here: code, uses         | {ORDER, "coupons": [{"code": "A", "use": 1}]}
invalid_field   | /coupons                 | must be an array, not an object | {ORDER, "coupons": {"code": "A"}}
invalid_field   | /metadata/x~1y           | a string                       | {ORDER, "metadata": {"x/y": 5}}
invalid_field   | /state                   | one of draft, active           | {ORDER, "state": "open"}
invalid_field   | /state                   | must be a string               | {ORDER, "state": 5}
invalid_field   | /at                      | must be a time like            | {ORDER, "at": "yesterday"}
unknown_field   | /value/skuu              | not a field                    | {ORDER, "value": {"type": "gift", "sku": "A", "skuu": 1}}
missing_field   | /value/sku               | required                       | {ORDER, "value": {"type": "gift"}}
invalid_field   | /value/type              | one of cash, gift              | {ORDER, "value": {"type": "none"}}
missing_field   | /value/type              | required                       | {ORDER, "value": {"sku": "A"}}
unknown_field   | /value/amount_off/amoun  | not a field                    | {ORDER, "value": {"type": "cash", "amount_off": {"id": "7", "amount": 1, "amoun": 2}}}
invalid_field   | /source/code/code        | a string                       | {ORDER, "source": {"code": {"code": 5}}}
missing_field   | /source/code/code        | required                       | {ORDER, "source": {"code": {}}}
unknown_field   | /source/shop/x           | not a field                    | {ORDER, "source": {"shop": {"id": "7", "amount": 1, "x": 1}}}
invalid_field   | /source                  | an object                      | {ORDER, "source": "code"}
invalid_field   | /state                   | twice                          | {ORDER, "state": "draft", "state": "active"}
invalid_field   | /order/id                | twice                          | {"order": {"id": "7", "amount": 1, "id": "8"}}
invalid_field   | /metadata/a              | U+0000                         | {ORDER, "metadata": {"a": "x\u0000y"}}"#;

#[test]
fn a_pointer_leads_to_what_is_wrong() {
    for row in REFUSALS.lines() {
        let cells: Vec<&str> = row.splitn(4, '|').map(str::trim).collect();
        let [code, pointer, says, json] = cells[..] else {
            panic!("{row}");
        };
        let json = json.replace("ORDER", ORDER);
        let (is_code, is_pointer, detail) = refusal(&json);
        assert_eq!((is_code.as_str(), is_pointer.as_str()), (code, pointer), "{json}: {detail}");
        assert!(detail.contains(says), "{json}: {detail}");
    }
}

#[test]
fn depth_lines_and_keys_are_looked_at_too() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(40), "]".repeat(40));
    let (code, _, detail) = refusal(&deep);
    assert!(code == Code::MalformedJson && detail.contains("deeper than 32"), "{detail}");
    let (_, _, detail) = refusal("{\n  \"a\": tru}");
    assert!(detail.contains("Line 2, column"), "{detail}");
    let (code, pointer, _) = refusal(r#"{"a\u0000": "x"}"#);
    assert_eq!((code, pointer.as_str()), (Code::InvalidField, "/a\0"));
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
    let of = |json: &str, target| parse::<serde_json::Value>(json.as_bytes(), target).expect("json").fingerprint;
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
    assert_eq!(
        fingerprint(TARGET, br#"{"a":"\n","b":[true,null,-1,1.5]}"#),
        of(r#"{"b": [true, null, -1, 1.5], "a": "\n"}"#, TARGET)
    );
}

const GOLDEN: &str = "6839f3f20793e811d9282c452b42a2a5";

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
