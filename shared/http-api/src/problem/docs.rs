//! The pages behind a problem's `type`: one per code, made from the registry, so that none can be missing.

use std::fmt::Write;

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use super::Code;

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>\
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2430;background:#fff}\
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.05rem;margin:1.8rem 0 .3rem}p{margin:.4rem 0}a{color:#0b57a4}\
code{font:0.92em ui-monospace,monospace;background:#eef1f5;padding:.1em .35em;border-radius:4px}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #dfe4ea;\
vertical-align:top}.s{color:#5a6675}\
@media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181e}a{color:#7db8f5}code{background:#252c36}\
td,th{border-color:#303946}.s{color:#9aa6b5}}</style>";

/// The router of `/docs/errors/`, the index, and `/docs/errors/{code}`.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs/errors", get(|| async { Html(index()) }))
        .route("/docs/errors/", get(|| async { Html(index()) }))
        .route("/docs/errors/{code}", get(|Path(name): Path<String>| async move { page_of(&name) }))
}

fn page_of(name: &str) -> Response {
    match name.parse::<Code>() {
        Ok(code) => Html(page(code)).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, Html(unknown(name))).into_response(),
    }
}

fn index() -> String {
    let mut html = String::with_capacity(24 * 1024);
    html.push_str(HEAD);
    html.push_str(
        "<title>Error codes · Counterfoil</title></head><body><h1>Error codes</h1><p>Errors are answered as ",
    );
    html.push_str("<code>application/problem+json</code>; act on <code>code</code>, show <code>detail</code>.</p>");
    html.push_str("<table><thead><tr><th>Status<th>Code<th>Meaning</thead><tbody>");
    for &code in Code::ALL {
        let _ = write!(
            html,
            "<tr><td>{}<td><a href=\"/docs/errors/{code}\"><code>{code}</code></a><td>{}",
            code.status().as_u16(),
            escaped(code.title())
        );
    }
    html.push_str("</tbody></table></body></html>");
    html
}

fn page(code: Code) -> String {
    let mut html = String::with_capacity(2048);
    html.push_str(HEAD);
    let _ = write!(
        html,
        "<title>{code} · Counterfoil</title></head><body><p><a href=\"/docs/errors/\">All error codes</a></p>\
         <h1>{}</h1><p class=\"s\"><code>{code}</code> · HTTP {}</p>\
         <h2>What was wrong</h2><p>{}</p><h2>What to do</h2><p>{}</p></body></html>",
        escaped(code.title()),
        code.status(),
        prose(code.cause()),
        prose(code.remedy()),
    );
    html
}

fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(64).collect();
    format!(
        "{HEAD}<title>Unknown error code · Counterfoil</title></head><body><h1>Unknown error code</h1>\
         <p>There is no code <code>{}</code>. <a href=\"/docs/errors/\">All error codes</a></p></body></html>",
        escaped(&shown)
    )
}

/// Escaped, with what stands between backticks set as code.
fn prose(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    for (i, part) in text.split('`').enumerate() {
        let part = escaped(part);
        let _ = if i % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{get as fetch, text};

    #[tokio::test]
    async fn every_code_has_its_page_and_the_index_names_it() {
        let index = text(fetch(router(), "/docs/errors/").await).await;
        for &code in Code::ALL {
            let path = format!("/docs/errors/{code}");
            assert!(index.contains(&format!("href=\"{path}\"")), "{code}");
            let response = fetch(router(), &path).await;
            assert_eq!(response.status(), 200);
            let page = text(response).await;
            assert!(page.contains("lang=\"en\"") && page.contains(code.as_str()), "{code}");
        }
    }

    #[tokio::test]
    async fn an_unknown_code_is_404_and_escaped() {
        let response = fetch(router(), "/docs/errors/%3Cscript%3E").await;
        assert_eq!(response.status(), 404);
        let page = text(response).await;
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }
}
