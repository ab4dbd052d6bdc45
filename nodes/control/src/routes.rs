//! The routes, and how they are put into an HTTP server: all of them on the API's port, metrics on their own, and the API
//! again on the WebRTC port, where the streams are. Opening the ports is the program's business.

use crate::dashboard::Live;
use crate::error::Error;
use crate::fabric::Fabric;
use crate::guard::{Door, guard, is_preflight, preflight};
use crate::view::NodeView;
use crate::{health, metrics, table};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use std::collections::BTreeMap;
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
    /// Who has the settings of the fabric; `None`: they are fixed.
    pub(crate) configurator: Option<Arc<dyn crate::Configurator>>,
    /// Who looks at the dashboard.
    pub(crate) live: Live,
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
            configurator: None,
            live: Live::default(),
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

    /// The same face, which shows and changes the configuration through this.
    #[must_use]
    pub fn configured(self, configurator: Arc<dyn crate::Configurator>) -> Self {
        Self {
            configurator: Some(configurator),
            ..self
        }
    }

    /// Where tasks of the face run that outlive a request.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Everything for the API's own port; answers 404 to what is not there.
    pub fn api(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let control = self.clone();
        move |config| {
            config.configure(control.mounted(Door::Api));
            config.default_service(web::to(not_found));
        }
    }

    /// The `/v3` routes and `/healthz` for the port that publishers use, to be mounted beside others.
    pub fn v3(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        self.mounted(Door::WebRtc)
    }

    fn mounted(&self, door: Door) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let data = web::Data::new(self.clone());
        move |config| {
            let mut places: BTreeMap<String, Resource> = BTreeMap::new();
            for endpoint in table::endpoints() {
                let place = places.remove(&endpoint.path);
                let place = place.unwrap_or_else(|| at(&endpoint.path)).route(endpoint.route);
                places.insert(endpoint.path, place);
            }
            let mut scope = web::scope("/v3");
            for (_, place) in places {
                scope = scope.service(place);
            }
            let queries = web::QueryConfig::default()
                .error_handler(|error, _| Error::BadRequest(error.to_string()).into());
            let paths = web::PathConfig::default()
                .error_handler(|error, _| Error::BadRequest(error.to_string()).into());
            let bodies = web::JsonConfig::default()
                .error_handler(|error, _| Error::BadRequest(error.to_string()).into());
            let scope = scope
                .default_service(web::to(not_found))
                .app_data(queries)
                .app_data(paths)
                .app_data(bodies)
                .app_data(data.clone())
                .app_data(door)
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
                    .app_data(Door::Metrics)
                    .route(web::get().to(metrics::metrics))
                    .wrap(from_fn(guard)),
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
    if is_preflight(request.method(), request.headers()) {
        return preflight();
    }
    HttpResponse::NotFound()
        .content_type("text/plain")
        .body("404 page not found")
}
