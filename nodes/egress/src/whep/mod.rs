//! Readers over WebRTC (WHEP, draft-ietf-wish-whep): MediaMTX's routes, headers and statuses, and the sessions behind them.
//! Streams come from the hubs beside it; ICE, DTLS and the pace of packets are `weft-rtc`'s.

mod counters;
mod endpoint;
mod error;
mod feeder;
mod list;
mod resource;
mod session;
mod sessions;

pub(crate) use list::KIND as WEBRTC_SESSION;
pub(crate) use session::TRANSPORT as WEBRTC;

use crate::Egress;
use actix::{Arbiter, ArbiterHandle};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpResponse, guard, web};
use counters::Counters;
use error::Error;
use sessions::Sessions;
use std::sync::Arc;
use weft_auth::Gate;
use weft_config::Live;
use weft_http::reply;
use weft_limits::{Rates, Shares};
use weft_rtc::Shards;
use weft_wire::CloseReason;

/// What the face is told.
#[derive(Clone)]
pub struct WhepConfig {
    /// Who may read.
    pub gate: Gate,
    /// What each client address has of this node, publishers included.
    pub shares: Shares,
    /// Paths and whatever else may change while the node runs.
    pub settings: Live,
}

/// The face; cheap to clone.
#[derive(Clone)]
pub struct Whep {
    pub(super) egress: Egress,
    pub(super) shards: Shards,
    pub(super) config: WhepConfig,
    pub(super) sessions: Arc<Sessions>,
    /// How often each client address asks about sessions of other nodes.
    pub(super) passed_on: Arc<Rates>,
    pub(super) counters: Arc<Counters>,
    /// Where session actors live; it ends with the actix system.
    pub(super) arbiter: ArbiterHandle,
}

impl Whep {
    /// A face before these hubs, on these shards. Must be called inside an actix system.
    #[must_use]
    pub fn new(egress: Egress, shards: Shards, config: WhepConfig) -> Self {
        Self {
            egress,
            shards,
            config,
            sessions: Arc::default(),
            passed_on: Arc::default(),
            counters: Arc::default(),
            arbiter: Arbiter::new().handle(),
        }
    }

    /// Each counter: metric name, help, value.
    pub fn counters(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
        self.counters.each(visit);
    }

    /// The routes, for `App::configure`.
    pub fn routes(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let face = self.clone();
        move |service| face.configure(service)
    }

    /// Closes every session, those that are not connected yet included.
    pub fn close_all(&self, reason: CloseReason) {
        self.sessions.close_all(reason);
    }

    fn configure(self, service: &mut web::ServiceConfig) {
        let not_here = || {
            web::route()
                .guard(guard::Any(guard::Get()).or(guard::Head()).or(guard::Put()))
                .to(|| async { Error::Method.answer() })
        };
        service
            .app_data(web::Data::new(self))
            .service(
                web::resource("/{path:.*}/whep/{secret:[^/]+}")
                    .wrap(from_fn(common))
                    .route(web::method(Method::OPTIONS).to(endpoint::options))
                    .route(web::patch().to(resource::patch))
                    .route(web::delete().to(resource::delete))
                    .route(web::get().to(resource::get))
                    .default_service(web::to(reply::unknown)),
            )
            .service(
                web::resource("/{path:.*}/whep")
                    .wrap(from_fn(common))
                    .route(web::method(Method::OPTIONS).to(endpoint::options))
                    .route(web::post().to(endpoint::post))
                    .route(not_here())
                    .default_service(web::to(reply::unknown)),
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
        .app_data::<web::Data<Whep>>()
        .map(|face| face.config.settings.now().allow_origins.webrtc.clone());
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        request.into_response(reply::preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    reply::common_headers(
        response.headers_mut(),
        origin.as_ref(),
        &listed.unwrap_or_default(),
    );
    Ok(response)
}

/// The answer, whichever way it went.
fn finish(result: Result<HttpResponse, Error>) -> HttpResponse {
    result.unwrap_or_else(|error| error.answer())
}
