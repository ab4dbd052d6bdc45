//! The HTTP face of ingest: WHIP (RFC 9725) with MediaMTX's routes, headers and statuses, and the publish page.
//! Handlers read the request, ask who knows, here or on another node, and word the answer.

mod access;
mod endpoint;
mod events;
mod page;
mod refusals;
mod reply;
mod resource;
#[cfg(test)]
mod tests;

use crate::IngestConfig;
use crate::channels::Channels;
use crate::counters::Counters;
use crate::error::Error;
use crate::ownership::Fabric;
use crate::sessions::Sessions;
use actix::Addr;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use std::sync::Arc;
use weft_wire::{NodeName, StreamName};

pub(crate) use refusals::Refusals;

/// What the handlers stand on.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) sessions: Addr<Sessions>,
    pub(crate) config: Arc<IngestConfig>,
    pub(crate) fabric: Fabric,
    pub(crate) counters: Arc<Counters>,
    pub(crate) node: NodeName,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) channels: Arc<Channels>,
    /// How often each client address asks about sessions of other nodes.
    pub(crate) passed_on: Arc<weft_limits::Rates>,
}

impl State {
    /// Registers the routes.
    pub(crate) fn configure(self, service: &mut web::ServiceConfig) {
        let not_here = || {
            web::route()
                .guard(guard::Any(guard::Get()).or(guard::Head()).or(guard::Put()))
                .to(|| async { reply::error(&Error::Method) })
        };
        service
            .app_data(web::Data::new(self))
            .service(
                web::resource("/{path:.*}/whip/{secret:[^/]+}")
                    .wrap(from_fn(common))
                    .route(web::method(Method::OPTIONS).to(endpoint::options))
                    .route(web::patch().to(resource::patch))
                    .route(web::delete().to(resource::delete))
                    .route(web::get().to(resource::get))
                    .default_service(web::to(weft_http::reply::unknown)),
            )
            .service(
                web::resource("/{path:.*}/whip/{secret:[^/]+}/events")
                    .wrap(from_fn(common))
                    .route(web::get().to(events::get))
                    .default_service(web::to(|| async { reply::method("GET, OPTIONS") })),
            )
            .service(
                web::resource("/{path:.*}/whip")
                    .wrap(from_fn(common))
                    .route(web::method(Method::OPTIONS).to(endpoint::options))
                    .route(web::post().to(endpoint::post))
                    .route(not_here())
                    .default_service(web::to(weft_http::reply::unknown)),
            )
            .service(
                web::resource("/{path:.*}/publish")
                    .wrap(from_fn(common))
                    .route(web::get().to(page::get))
                    .route(web::head().to(page::get))
                    .default_service(web::to(weft_http::reply::unknown)),
            );
    }
}

/// What every answer carries: who answers, and whose scripts may read it. Preflights end here.
async fn common(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let listed = request
        .app_data::<web::Data<State>>()
        .map(|state| state.config.settings.now().allow_origins.webrtc.clone());
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        request.into_response(weft_http::reply::preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    weft_http::reply::common_headers(
        response.headers_mut(),
        origin.as_ref(),
        &listed.unwrap_or_default(),
    );
    Ok(response)
}

/// The stream a request is about.
fn stream(request: &HttpRequest) -> Result<StreamName, Error> {
    Ok(StreamName::new(request.match_info().query("path"))?)
}

/// The same where some path of the configuration means it.
fn configured(request: &HttpRequest, state: &State) -> Result<StreamName, Error> {
    let stream = stream(request)?;
    state.config.path(&stream)?;
    Ok(stream)
}

/// The answer, whichever way it went.
fn finish(result: Result<HttpResponse, Error>) -> HttpResponse {
    result.unwrap_or_else(|error| reply::error(&error))
}
