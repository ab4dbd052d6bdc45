//! `/{path}/publish`: one page that publishes a camera or a test picture from a browser.
//! All it does happens in `publish.html`, over WHIP like any other client.

use super::{finish, stream};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

const PAGE: &str = include_str!("publish.html");

/// The page; an invalid path is told before anybody gives access to a camera.
pub(super) async fn get(request: HttpRequest) -> HttpResponse {
    finish(stream(&request).map(|_| {
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(PAGE)
    }))
}
