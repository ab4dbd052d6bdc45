//! `/{path}/publish`: one page that publishes a camera or a test picture from a browser.
//! All it does happens in `publish.html`, over WHIP like any other client.

use super::{State, access, finish};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

const PAGE: &str = include_str!("publish.html");

/// The page; who may not publish here, or that nobody may, is told before anybody gives access to a camera.
pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    finish(access::publisher(&request, &state).await.map(|_| {
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(PAGE)
    }))
}
