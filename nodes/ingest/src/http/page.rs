//! `/{path}/publish`: the page that publishes a camera or a screen from a browser. What it does is in `nodes/pages/web`, over
//! WHIP like any other client.

use super::{State, access, reply};
use actix_web::{HttpRequest, HttpResponse, web};

const PAGE: &str = "publish.html";

/// The page; who may not publish here, or that nobody may, is told before anybody gives access to a camera.
pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    match access::publisher(&request, &state).await {
        Ok(_) => weft_pages::page(&request, PAGE),
        Err(error) => weft_pages::refused(&request, PAGE, reply::error(&error), &error.to_string()),
    }
}
