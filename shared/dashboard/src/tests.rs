use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const BUILT: &[File] = &[
    File { path: "/index.html", bytes: b"<!doctype html><script src=/assets/index-Bq3xk2.js></script>", gzip: None },
    File { path: "/assets/index-Bq3xk2.js", bytes: b"document.title = 'plain'", gzip: Some(b"packed") },
    File { path: "/favicon.svg", bytes: b"<svg/>", gzip: None },
];

async fn ask(files: &'static [File], path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let response = router(files).oneshot(request.body(Body::empty()).expect("a request")).await.expect("infallible");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, headers, String::from_utf8(body.to_vec()).expect("a text"))
}

#[tokio::test]
async fn every_answer_has_the_policy_and_its_type() {
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/index-Bq3xk2.js", "text/javascript; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
    ] {
        let (status, headers, _) = ask(BUILT, path, &[]).await;
        let policy = headers["content-security-policy"].to_str().expect("a text");
        assert_eq!((status.as_u16(), headers["content-type"].as_bytes()), (200, content_type.as_bytes()), "{path}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn what_is_named_after_its_content_is_kept_for_good_and_the_index_is_asked_for() {
    let caching = async |path| ask(BUILT, path, &[]).await.1["cache-control"].to_str().expect("a text").to_owned();
    assert_eq!(caching("/").await, "no-cache");
    assert_eq!(caching("/favicon.svg").await, "no-cache");
    assert_eq!(caching("/assets/index-Bq3xk2.js").await, "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn a_compressed_file_goes_to_those_who_take_it() {
    let path = "/assets/index-Bq3xk2.js";
    for (accepted, packed) in [
        ("gzip", true),
        ("br, gzip;q=0.8", true),
        ("GZIP", true),
        ("gzip;q=0", false),
        ("br", false),
        ("gzipped", false),
    ] {
        let (_, headers, body) = ask(BUILT, path, &[("accept-encoding", accepted)]).await;
        assert_eq!(headers.get("content-encoding").is_some(), packed, "{accepted}");
        assert_eq!(body, if packed { "packed" } else { "document.title = 'plain'" }, "{accepted}");
        assert_eq!(headers["vary"], "accept-encoding");
    }
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let (_, headers, _) = ask(BUILT, "/", &[]).await;
    let tag = headers["etag"].to_str().expect("a text").to_owned();
    for known in [tag.clone(), format!("\"other\", W/{tag}")] {
        let (status, headers, body) = ask(BUILT, "/", &[("if-none-match", &known)]).await;
        assert_eq!((status.as_u16(), body.as_str(), headers.contains_key("content-security-policy")), (304, "", true));
    }
    assert_eq!(ask(BUILT, "/", &[("if-none-match", "\"other\"")]).await.0, 200);
    let path = "/assets/index-Bq3xk2.js";
    let tags = [&[][..], &[("accept-encoding", "gzip")][..]];
    let (plain, packed) = (ask(BUILT, path, tags[0]).await.1, ask(BUILT, path, tags[1]).await.1);
    assert_ne!(plain["etag"], packed["etag"], "their bytes differ");
}

#[tokio::test]
async fn nothing_but_the_files_is_there() {
    for path in ["/index.html", "/assets/", "/assets/other.js", "/../Cargo.toml"] {
        assert_eq!(ask(BUILT, path, &[]).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn without_pages_the_index_says_how_to_get_them_in_both_languages() {
    let (status, headers, body) = ask(&[], "/", &[]).await;
    assert_eq!((status.as_u16(), headers["referrer-policy"].as_bytes()), (200, &b"no-referrer"[..]));
    assert!(headers["content-security-policy"].to_str().is_ok_and(|policy| policy.starts_with("default-src 'none'")));
    for said in ["make run", "Node.js 20", "href=\"/docs/\"", "页面尚未构建", "接口文档"] {
        assert!(body.contains(said), "{said}");
    }
    assert!(!body.contains("<style") && !body.contains("<script"));
}

/// Whether this build has pages or not, they are what was embedded.
#[tokio::test]
async fn what_is_embedded_is_whole() {
    assert_eq!(is_embedded(), embedded().iter().any(|file| file.path == "/index.html"));
    for file in embedded() {
        let path = if file.path == "/index.html" { "/" } else { file.path };
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = router(embedded()).oneshot(request).await.expect("infallible");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&body[..], file.bytes, "{path}");
    }
}
