//! Pages of the WebRTC port that are of no one stream: the dashboard at `/`, the wall of proctors at `/wall`.
//! All they know they ask of the API, as whoever opens them; what they are made of is the pages' own business.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

/// Path and file of each.
const PAGES: [(&str, &str); 2] = [("/", "dashboard.html"), ("/wall", "wall.html")];

/// Registers them. They hold nothing of anybody's, so nobody is asked who they are.
pub(crate) fn routes(service: &mut web::ServiceConfig) {
    for (path, file) in PAGES {
        let get = move |request: HttpRequest| async move { alone(&request, file) };
        service.route(path, web::get().to(get));
    }
}

/// A page that stands in no frame: with its buttons somebody could be made to end an exam.
fn alone(request: &HttpRequest, file: &str) -> HttpResponse {
    let mut response = weft_pages::page(request, file);
    let policy = HeaderValue::from_static("frame-ancestors 'none'");
    // Of two policies both count.
    response.headers_mut().append(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn each_page_is_there_and_stands_in_no_frame() {
        for (_, file) in PAGES {
            let response = alone(&TestRequest::default().to_http_request(), file);
            assert_eq!(response.status(), 200, "{file}");
            let policies = response.headers().get_all(CONTENT_SECURITY_POLICY);
            assert!(
                policies.into_iter().any(|p| p == "frame-ancestors 'none'"),
                "{file}"
            );
        }
    }
}
