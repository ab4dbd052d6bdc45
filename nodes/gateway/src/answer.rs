//! The words and headers of the gateway's own answers, and what it adds to those of the server: where the stream is read, its
//! name, and that scripts may see both.

use crate::asked::Asked;
use crate::error::Error;
use crate::location;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// Where the stream is read.
pub(crate) const RTSP_URL: HeaderName = HeaderName::from_static("rtsp-url");
/// What the stream is called.
pub(crate) const STREAM_NAME: HeaderName = HeaderName::from_static("stream-name");

/// Seconds a client should wait before it tries a full gateway again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// An error in MediaMTX's form.
pub(crate) fn error(error: &Error) -> HttpResponse {
    let body = json!({ "status": "error", "error": error.to_string() });
    let mut response = HttpResponse::build(error.status()).json(body);
    if let Error::Busy(_) = error {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// What there is no route to.
pub(crate) fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .content_type("text/plain")
        .body("404 page not found")
}

/// The answer to a CORS preflight.
pub(crate) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "OPTIONS, GET, POST, PATCH, DELETE",
        ))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match",
        ))
        .finish()
}

/// Whether `server` is well: 200, or 503 with what is wrong.
pub(crate) fn health(server: &str, problems: &[String]) -> HttpResponse {
    let (status, word) = match problems {
        [] => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "error"),
    };
    let mut body = json!({ "status": word, "server": server, "problems": problems });
    if !problems.is_empty() {
        body["error"] = Value::String(problems.join("; "));
    }
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(body)
}

/// Lets pages of `origins` read the answer, unless it says whose may.
pub(crate) fn cors(headers: &mut HeaderMap, origins: &[String], origin: Option<&HeaderValue>) {
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    let listed = |word: &str| origins.iter().any(|o| o == word);
    let allowed = match origin {
        _ if listed("*") => Some(HeaderValue::from_static("*")),
        Some(origin) if origin.to_str().is_ok_and(listed) => Some(origin.clone()),
        _ => None,
    };
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}

/// Makes the server's answer to `asked` the gateway's: URLs of the session lead here, and the headers of the gateway's own
/// are added. `origin` is how the server calls itself in URLs; `rtsp` is where readers find its streams.
pub(crate) fn adapt(
    asked: &Asked,
    status: StatusCode,
    headers: &mut HeaderMap,
    origin: &str,
    rtsp: Option<&str>,
) {
    let Some((stream, face)) = asked.stream() else {
        return;
    };
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    if let Some(url) = headers.get(header::LOCATION).and_then(text) {
        let ours = location::at_gateway(&url, origin, stream, face);
        let ours = ours.or_else(|| absolute(&url, origin, asked));
        if let Some(value) = ours.and_then(|url| HeaderValue::from_str(&url).ok()) {
            headers.insert(header::LOCATION, value);
        }
    }
    let links: Vec<HeaderValue> = headers.get_all(header::LINK).cloned().collect();
    headers.remove(header::LINK);
    for link in links {
        let ours = text(&link).and_then(|link| location::link_at_gateway(&link, origin, stream, face));
        let ours = ours.and_then(|link| HeaderValue::from_str(&link).ok());
        headers.append(header::LINK, ours.unwrap_or(link));
    }
    if !matches!(asked, Asked::Endpoint { .. }) {
        return;
    }
    let mut added = Vec::new();
    // Without it nobody reads there, or nobody knows where.
    let url = rtsp.map(|rtsp| format!("{rtsp}/{stream}"));
    if let Some(url) = url.and_then(|url| HeaderValue::from_str(&url).ok())
        && status == StatusCode::CREATED
    {
        headers.insert(RTSP_URL, url);
        added.push("RTSP-URL");
    }
    if let Ok(name) = HeaderValue::from_str(stream.as_str()) {
        headers.insert(STREAM_NAME, name);
        added.push("Stream-Name");
    }
    let exposed = headers
        .get_all(header::ACCESS_CONTROL_EXPOSE_HEADERS)
        .filter_map(text);
    let exposed: Vec<String> = exposed.chain(added.into_iter().map(str::to_owned)).collect();
    if let Ok(exposed) = HeaderValue::from_str(&exposed.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// A `Location` of a form that the gateway has no name for, such that the client finds the server's own.
fn absolute(url: &str, origin: &str, asked: &Asked) -> Option<String> {
    let base = url::Url::parse(origin).ok()?.join(&asked.path()?).ok()?;
    Some(base.join(url).ok()?.to_string())
}
