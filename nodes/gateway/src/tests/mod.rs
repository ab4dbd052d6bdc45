//! The gateway inside of a node that records what it is asked, and in front of a server that does.
//! Beside real nodes it is tried in the operators' tests.

mod front;
mod inside;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};

/// WHIP routes like a node's: each answer says, in headers, what has arrived.
fn faces(service: &mut web::ServiceConfig) {
    let with = |pattern: &str| web::resource(pattern.to_owned()).default_service(web::to(face));
    service
        .service(with("/{path:.*}/whip/{secret:[^/]+}"))
        .service(with("/{path:.*}/whip/{secret:[^/]+}/events"))
        .service(with("/{path:.*}/whip"));
}

async fn face(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let path = request.match_info().query("path").to_owned();
    let secret = request.match_info().query("secret").to_owned();
    let said = |name: &str| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or("-")
            .to_owned()
    };
    let query = match request.query_string() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let url = format!("/{path}/whip/node.secret");
    let mut response = match (request.method(), &*secret) {
        (&Method::POST, "") if said("authorization") == "wrong" => {
            return HttpResponse::Unauthorized()
                .insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"mediamtx\""))
                .json(serde_json::json!({ "status": "error", "error": "authentication error" }));
        }
        (&Method::POST, "") => {
            let mut response = HttpResponse::Created();
            response
                .insert_header((header::LOCATION, format!("{url}{query}")))
                .insert_header((header::ETAG, "*"))
                .insert_header(("ID", "id"))
                .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag, Location"))
                .append_header((header::LINK, "<stun:h:1>; rel=\"ice-server\""))
                .append_header((header::LINK, format!("<{url}/events{query}>; rel=\"sse\"")));
            response
        }
        (&Method::OPTIONS, "") => HttpResponse::NoContent(),
        (&Method::PATCH | &Method::DELETE, _) => HttpResponse::Ok(),
        (&Method::GET, _) if request.path().ends_with("/events") => {
            let mut response = HttpResponse::Ok();
            response.content_type("text/event-stream");
            response
        }
        _ => HttpResponse::Gone(),
    };
    response
        .insert_header(("X-Path", path))
        .insert_header(("X-Secret", secret))
        .insert_header(("X-Uri", request.uri().to_string()))
        .insert_header(("X-Authorization", said("authorization")))
        .insert_header(("X-Forwarded", said("x-forwarded-for")))
        .insert_header(("X-Cookie", said("cookie")))
        .body(body)
}
