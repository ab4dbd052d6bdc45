//! What is asked of a node that it does not do: its WebRTC port sends publishers to a node that takes them, and readers to one
//! that serves them, with a redirect that keeps method and body. What those nodes do with them is theirs.

use actix_web::http::header;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use weft_bus::Members;
use weft_config::Live;
use weft_wire::{Guest, NodeName};

/// Seconds after which a node may be there that was not.
const RETRY_AFTER: &str = "2";

/// The way to other nodes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Elsewhere {
    members: Members,
    settings: Live,
}

impl Elsewhere {
    pub(crate) fn new(members: Members, settings: Live) -> Self {
        Self { members, settings }
    }

    /// The routes of publishers, for a node that takes none.
    pub(crate) fn publishers(&self, service: &mut web::ServiceConfig) {
        for route in [
            "/{path:.*}/whip/{secret:[^/]+}/events",
            "/{path:.*}/whip/{secret:[^/]+}",
            "/{path:.*}/whip",
            "/{path:.*}/publish",
        ] {
            self.lead(service, route, Guest::Publisher);
        }
    }

    /// The routes of readers, for a node that serves none.
    pub(crate) fn readers(&self, service: &mut web::ServiceConfig) {
        let whep = ["/{path:.*}/whep/{secret:[^/]+}", "/{path:.*}/whep"];
        for route in whep.into_iter().chain(weft_egress::STILL_ROUTES) {
            self.lead(service, route, Guest::Reader);
        }
    }

    fn lead(&self, service: &mut web::ServiceConfig, route: &str, guest: Guest) {
        let way = self.clone();
        let answer = move |request: HttpRequest| {
            let response = way.answer(&request, guest);
            async move { response }
        };
        service.service(web::resource(route).default_service(web::to(answer)));
    }

    fn answer(&self, request: &HttpRequest, guest: Guest) -> HttpResponse {
        let preflight = request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        // Browsers follow no redirect of a preflight.
        let mut response = if preflight {
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
        } else {
            match self.address(request.match_info().query("secret"), guest) {
                Some(address) => {
                    let uri = request.uri();
                    let rest = uri.path_and_query().map_or("/", |text| text.as_str());
                    HttpResponse::TemporaryRedirect()
                        .insert_header((header::LOCATION, format!("http://{address}{rest}")))
                        .finish()
                }
                None => nobody(guest),
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::SERVER, header::HeaderValue::from_static("weft"));
        let origin = request.headers().get(header::ORIGIN);
        weft_http::cors::readable(headers, origin, &self.settings.now().allow_origins.webrtc);
        response
    }

    /// Where to go: the node that a session's URL names, else one that has a place.
    fn address(&self, secret: &str, guest: Guest) -> Option<String> {
        let named = secret
            .rsplit_once('.')
            .and_then(|(node, _)| NodeName::new(node).ok());
        let view = self.members.view();
        if let Some(node) = named {
            let seen = view.nodes.get(&node)?;
            let address = seen.record.addresses.webrtc.clone();
            return (node != *self.members.node() && !address.is_empty()).then_some(address);
        }
        let chosen = self.members.choose(guest, &[]);
        let mut addresses = chosen.into_iter().map(|(_, record)| record.addresses.webrtc);
        addresses.find(|address| !address.is_empty())
    }
}

/// There is no such node.
fn nobody(guest: Guest) -> HttpResponse {
    let why = match guest {
        Guest::Publisher => {
            "this node takes no publishers and knows no node that does: start one with \"weft ingest\""
        }
        Guest::Reader => {
            "this node serves no readers and knows no node that does: start one with \"weft egress\""
        }
    };
    HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE)
        .insert_header((header::RETRY_AFTER, RETRY_AFTER))
        .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"))
        .json(serde_json::json!({ "status": "error", "error": why }))
}
