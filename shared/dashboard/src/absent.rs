//! What stands at `/` where the pages were not built.

use axum::response::{Html, IntoResponse, Response};

use crate::answer::guard;

const PAGE: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Counterfoil</title></head><body>
<h1>Counterfoil</h1>
<p>The API is served here; the pages for people are not part of this build.
To get them, install Node.js 20 or later with npm and run <code>make run</code> again.</p>
<p><a href=\"/docs/\">The API</a> · <a href=\"/docs/errors/\">Error codes</a> · <a href=\"/openapi.json\">OpenAPI</a></p>
<section lang=\"zh\">
<h2>页面尚未构建</h2>
<p>接口已可使用，但本次构建不包含供人使用的页面。请安装 Node.js 20 或更高版本（含 npm），然后重新运行 <code>make run</code>。</p>
<p><a href=\"/docs/\">接口文档</a> · <a href=\"/docs/errors/\">错误码</a> · <a href=\"/openapi.json\">OpenAPI</a></p>
</section>
</body></html>
";

pub(crate) fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    guard(response.headers_mut());
    response
}
