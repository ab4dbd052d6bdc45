//! `/` of the WebRTC port: one page that shows the streams, for people who look there.
//! All it knows it asks of the API, as whoever opens it.

use actix_web::HttpResponse;
use actix_web::http::header;

const PAGE: &str = include_str!("streams.html");

/// The page; it holds nothing of anybody's.
pub(crate) async fn get() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ))
        .body(PAGE)
}

#[cfg(test)]
mod tests {
    use super::PAGE;

    #[test]
    fn names_of_streams_are_shown_as_text_and_never_as_markup() {
        assert!(PAGE.contains("textContent"));
        for markup in ["innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!PAGE.contains(markup), "{markup}");
        }
    }
}
