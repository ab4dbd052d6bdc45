//! Still pictures as those who fetch them see them: the routes over a stream on the in-process bus, its pictures made by hand.
//! Real cameras, NATS and other decoders are the end-to-end tests' business.

#![allow(
    clippy::unwrap_used,
    reason = "in a scene of a test, a failed unwrap is a failed test"
)]

mod lamp;
mod life;
mod routes;
#[cfg(feature = "snapshot")]
mod snapshots;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, test};
use bytes::Bytes;
use lamp::Lamp;
use std::sync::Arc;
use weft_auth::Gate;
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members};
use weft_config::{Config, Live};
use weft_egress::{Egress, EgressConfig, StillRoutes};
use weft_wire::{NodeName, StreamName};

/// An egress on a bus of its own.
pub(crate) struct Scene {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) egress: Egress,
    routes: StillRoutes,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: actix_web::http::header::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The error's words.
    pub(crate) fn error(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(json["status"], "error");
        json["error"].as_str().unwrap().to_owned()
    }
}

/// What a request for a snapshot is answered: where none are made, that.
pub(crate) fn made(status: u16) -> u16 {
    if cfg!(feature = "snapshot") { status } else { 501 }
}

pub(crate) fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new());
        let live = Live::fixed(config);
        let settings = EgressConfig {
            settings: live.clone(),
            ..EgressConfig::default()
        };
        let members = Members::alone(NodeName::new("egress").unwrap());
        let egress = Egress::start(settings, bus.clone(), members);
        let routes = StillRoutes::new(&egress, Gate::new(live));
        Self { bus, egress, routes }
    }

    pub(crate) async fn lamp(&self, stream: &str) -> Lamp {
        Lamp::light(&self.bus, name(stream), 1, 1).await
    }

    /// One request.
    pub(crate) async fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
        let routes = self.routes.clone();
        let app = App::new().configure(|service| routes.configure(service));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::with_uri(url).method(method.parse().unwrap());
        for header in headers {
            request = request.insert_header(*header);
        }
        let response: ServiceResponse = app.call(request.to_request()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = test::read_body(response).await;
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.ask("GET", url, &[]).await
    }

    /// Lets the tasks of the stills see what was sent.
    pub(crate) async fn settle(&self) {
        for _ in 0..5 {
            actix_web::rt::task::yield_now().await;
        }
    }

    /// A counter of the stills.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let mut found = None;
        self.egress.stills().counters().each(&mut |n, help, value| {
            assert!(help.starts_with(char::is_uppercase), "{n}: {help:?}");
            if n == name {
                assert_eq!(found.replace(value), None, "{n} twice");
            }
        });
        found.unwrap()
    }
}
