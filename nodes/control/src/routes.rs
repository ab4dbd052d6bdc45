//! The routes, and how they are put into an HTTP server: all of them on the API's port, metrics on their own, and the API
//! again on the WebRTC port, where the streams are. Opening the ports is the program's business.

use crate::error::Error;
use crate::fabric::Fabric;
use crate::guard::guard;
use crate::view::{NodeView, SessionKind};
use crate::{health, info, lists, metrics, orders};
use actix_web::http::Method;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use std::sync::Arc;
use tokio::runtime::Handle;
use weft_bus::{Bus, Members, NodeService, Registry};

/// The control face; cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(crate) fabric: Fabric,
    pub(crate) node: Arc<dyn NodeView>,
    /// The configuration as it is now.
    pub(crate) settings: weft_config::Live,
    /// Who may ask and change.
    pub(crate) gate: weft_auth::Gate,
    /// The runtime whose tasks are counted.
    runtime: Handle,
}

impl Control {
    /// A face of this node, which is asked by `service` for what others are asked for over the bus. Call it on the runtime
    /// whose tasks metrics shall count.
    #[must_use]
    pub fn new(
        node: Arc<dyn NodeView>,
        service: Arc<dyn NodeService>,
        bus: Arc<dyn Bus>,
        registry: Arc<dyn Registry>,
        members: Members,
    ) -> Self {
        Self {
            fabric: Fabric::new(service, bus, registry, members),
            node,
            settings: weft_config::Live::default(),
            gate: weft_auth::Gate::open(),
            runtime: Handle::current(),
        }
    }

    /// The same face, which follows this configuration and asks this gate.
    #[must_use]
    pub fn guarded(self, settings: weft_config::Live, gate: weft_auth::Gate) -> Self {
        Self {
            settings,
            gate,
            ..self
        }
    }

    pub(crate) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Everything for the API's own port; answers 404 to what is not there.
    pub fn api(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let control = self.clone();
        move |config| {
            config.configure(control.v3());
            config.default_service(web::to(not_found));
        }
    }

    /// The `/v3` routes and `/healthz`, to be mounted beside others.
    pub fn v3(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let data = web::Data::new(self.clone());
        move |config| {
            let mut scope = web::scope("/v3")
                .service(at("/info").route(web::get().to(info::info)))
                .service(at("/nodes/list").route(web::get().to(lists::nodes)))
                .service(at("/nodes/get/{name}").route(web::get().to(lists::node)))
                .service(at("/nodes/drain/{name}").route(web::post().to(orders::drain_any)))
                .service(at("/paths/list").route(web::get().to(lists::paths)))
                .service(at("/paths/get/{name:.*}").route(web::get().to(lists::path)))
                .service(at("/paths/kick/{name:.*}").route(web::post().to(orders::kick_path)))
                .service(at("/paths/delete/{name:.*}").route(web::delete().to(orders::delete_path)))
                .service(at("/node/live").route(web::get().to(health::live)))
                .service(at("/node/ready").route(web::get().to(health::ready)))
                .service(at("/node/drain").route(web::post().to(orders::drain_own)))
                .default_service(web::to(not_found));
            for (word, kind) in [
                ("rtspsessions", SessionKind::Rtsp),
                ("webrtcsessions", SessionKind::WebRtc),
            ] {
                scope =
                    scope
                        .service(at(&format!("/{word}/list")).route(
                            web::get().to(move |control, query| lists::sessions(control, query, kind)),
                        ))
                        .service(
                            at(&format!("/{word}/get/{{id}}"))
                                .route(web::get().to(move |control, id| lists::session(control, id, kind))),
                        )
                        .service(at(&format!("/{word}/kick/{{id}}")).route(
                            web::post().to(move |control, id| orders::kick_session(control, id, kind)),
                        ));
            }
            let queries = web::QueryConfig::default()
                .error_handler(|error, _| Error::BadRequest(error.to_string()).into());
            let scope = scope
                .app_data(queries)
                .app_data(data.clone())
                .wrap(from_fn(guard))
                .wrap(headers());
            config.service(scope);
            config.service(at("/healthz").app_data(data).route(web::get().to(health::ready)));
        }
    }

    /// `/metrics` for the metrics' own port.
    pub fn metrics(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let data = web::Data::new(self.clone());
        move |config| {
            config.service(
                at("/metrics")
                    .app_data(data)
                    .route(web::get().to(metrics::metrics)),
            );
            config.default_service(web::to(not_found));
        }
    }
}

/// A place that is not there for other methods than those it gets.
fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(not_found))
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Server", "weft"))
        .add(("Cache-Control", "no-cache"))
}

/// What is not there: plain text as MediaMTX has it, and the browsers' question before a request (preflight) answered.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key("Access-Control-Request-Method");
    if asks {
        return HttpResponse::NoContent()
            .insert_header((
                "Access-Control-Allow-Methods",
                "OPTIONS, GET, POST, PATCH, DELETE",
            ))
            .insert_header(("Access-Control-Allow-Headers", "Authorization, Content-Type"))
            .finish();
    }
    HttpResponse::NotFound()
        .content_type("text/plain")
        .body("404 page not found")
}
