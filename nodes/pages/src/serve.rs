//! Answers made of the embedded files: type, tag, and the policy that keeps a page from doing what it has no need of. Who may
//! see a page has been judged before.

use crate::files::{self, File};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};

/// What a page may do: its own files, media of its own making, and requests to any node, for a publisher is sent to others and
/// reads HLS from another port. It may stand in a frame: exam sites show it in theirs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      media-src 'self' blob: http: https:; connect-src 'self' http: https:; base-uri 'none'; \
                      form-action 'none'; object-src 'none'";

/// The page in this file of `dist` ("publish.html"); 404 where there is none. `If-None-Match` is answered.
#[must_use]
pub fn page(request: &HttpRequest, name: &str) -> HttpResponse {
    files::named(name).map_or_else(|| HttpResponse::NotFound().finish(), |file| answer(request, file))
}

/// The same page, which is told one thing more, as a meta element of this name.
#[must_use]
pub fn page_told(request: &HttpRequest, name: &str, meta: &str, content: &str) -> HttpResponse {
    let file = files::named(name);
    let Some((file, page)) = file.and_then(|file| Some((file, told(file, meta, content)?))) else {
        return HttpResponse::NotFound().finish();
    };
    // The content is part of what the tag names.
    answer_with(request, file, files::tag(page.as_bytes()), page)
}

/// A page's text with a meta element.
fn told(file: &File, meta: &str, content: &str) -> Option<String> {
    let page = std::str::from_utf8(file.body).ok()?;
    let element = format!("<head>\n<meta name=\"{meta}\" content=\"{}\">", escaped(content));
    Some(page.replacen("<head>", &element, 1))
}

/// A refusal as the client takes it: a browser that opens a page gets that page with the status, headers and words of the
/// refusal, and says in its own words what happened and what to do; everybody else gets the refusal as it is.
#[must_use]
pub fn refused(request: &HttpRequest, name: &str, refusal: HttpResponse, words: &str) -> HttpResponse {
    let accept = request.headers().get(header::ACCEPT);
    let page = accept
        .and_then(|value| value.to_str().ok())
        .filter(|accepted| accepted.contains("text/html"))
        .and_then(|_| files::named(name))
        .and_then(|file| {
            told(
                file,
                "weft-refused",
                &format!("{} {words}", refusal.status().as_u16()),
            )
        });
    let Some(page) = page else {
        return refusal;
    };
    let (mut response, _) = refusal.into_parts();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response.set_body(BoxBody::new(page))
}

/// Text as the value of an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// Registers `/weft-pages/{file}` for every file that pages need beside them, and `/weft-*.js` for the modules that other
/// sites import. The same on every port, and of nobody's secrets: no credentials are asked for.
pub fn assets(service: &mut web::ServiceConfig) {
    for file in files::all() {
        let get = move |request: HttpRequest| async move { answer(&request, file) };
        if file.name.ends_with(".html") {
            continue;
        }
        let mut paths = vec![format!("/weft-pages/{}", file.name)];
        if file.name.starts_with("weft-") && file.name.ends_with(".js") {
            paths.push(format!("/{}", file.name));
        }
        for path in paths {
            service.service(
                web::resource(path)
                    .route(web::get().to(get))
                    .route(web::head().to(get)),
            );
        }
    }
}

fn answer(request: &HttpRequest, file: &'static File) -> HttpResponse {
    answer_with(request, file, file.tag.clone(), file.body)
}

fn answer_with(
    request: &HttpRequest,
    file: &'static File,
    tag: String,
    body: impl MessageBody + 'static,
) -> HttpResponse {
    let tag = EntityTag::new_strong(tag);
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let status = if known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header(header::ETag(tag))
        // Asked for again each time, answered by 304: a node that was replaced shows its own pages at once.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if file.name.ends_with(".html") {
        response.insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    } else {
        // Modules are imported by pages of other origins.
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    if known {
        return response.finish();
    }
    response.content_type(file.content_type).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use actix_web::{App, test};

    async fn ask(path: &str, tag: Option<&str>) -> HttpResponse<impl actix_web::body::MessageBody> {
        let app = test::init_service(App::new().configure(assets)).await;
        let mut request = test::TestRequest::get().uri(path);
        if let Some(tag) = tag {
            request = request.insert_header((header::IF_NONE_MATCH, tag));
        }
        test::call_service(&app, request.to_request()).await.into()
    }

    #[actix_rt::test]
    async fn a_file_is_sent_once_and_then_known_by_its_tag() {
        let first = ask("/weft-pages/weft.css", None).await;
        assert_eq!(first.status(), StatusCode::OK);
        let text = |name| first.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(text("content-type"), "text/css; charset=utf-8");
        assert_eq!(text("x-content-type-options"), "nosniff");
        let tag = text("etag");
        assert_eq!(
            ask("/weft-pages/weft.css", Some(tag)).await.status(),
            StatusCode::NOT_MODIFIED
        );
        let old = ask("/weft-pages/weft.css", Some("\"of another version\"")).await;
        assert_eq!(old.status(), StatusCode::OK);
    }

    #[actix_rt::test]
    async fn a_refusal_is_a_page_for_browsers_alone_and_its_words_stay_words() {
        let refusal = || {
            HttpResponse::Unauthorized()
                .insert_header(("WWW-Authenticate", "Basic"))
                .body("no")
        };
        let words = "</head><script>\"&";
        let browser = test::TestRequest::get()
            .insert_header((header::ACCEPT, "text/html,*/*"))
            .to_http_request();
        let page = refused(&browser, "publish.html", refusal(), words);
        assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(page.headers().get("www-authenticate").unwrap(), "Basic");
        let content_type = page.headers().get("content-type").unwrap();
        assert_eq!(content_type, "text/html; charset=utf-8");
        let body = actix_web::body::to_bytes(page.into_body()).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(
            text.contains("content=\"401 &lt;/head&gt;&lt;script&gt;&quot;&amp;\""),
            "{text}"
        );
        let script = test::TestRequest::get()
            .insert_header((header::ACCEPT, "*/*"))
            .to_http_request();
        let plain = refused(&script, "publish.html", refusal(), words);
        assert_eq!(actix_web::body::to_bytes(plain.into_body()).await.unwrap(), "no");
    }

    #[actix_rt::test]
    async fn a_page_that_is_told_something_has_a_tag_for_what_it_is_told() {
        let ask = |content: &str, tag: Option<HeaderValue>| {
            let mut request = test::TestRequest::get();
            if let Some(tag) = tag {
                request = request.insert_header((header::IF_NONE_MATCH, tag));
            }
            page_told(&request.to_http_request(), "watch.html", "weft-hls-port", content)
        };
        let first = ask("8888", None);
        let tag = first.headers().get("etag").unwrap().clone();
        assert!(first.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        let body = actix_web::body::to_bytes(first.into_body()).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(
            text.contains("<meta name=\"weft-hls-port\" content=\"8888\">"),
            "{text}"
        );
        assert_eq!(ask("8888", Some(tag.clone())).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("8889", Some(tag)).status(), StatusCode::OK);
    }

    #[actix_rt::test]
    async fn what_is_no_file_is_not_found() {
        for path in [
            "/weft-pages/",
            "/weft-pages/no.js",
            "/weft-pages/../Cargo.toml",
            "/weft.css",
        ] {
            assert_eq!(ask(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
