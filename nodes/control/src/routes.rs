//! The routes, and how they are put into an HTTP server: all of them on the API's port, metrics on their own, and the API
//! again on the WebRTC port, where the streams are. Opening the ports is the program's business.

use crate::error::Error;
use crate::page::PageQuery;
use crate::paths::Paths;
use crate::view::NodeView;
use crate::{health, info, metrics};
use actix_web::http::Method;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use std::sync::Arc;
use tokio::runtime::Handle;
use weft_bus::{Bus, Registry};

/// The control face; cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(crate) paths: Paths,
    pub(crate) node: Arc<dyn NodeView>,
    /// The runtime whose tasks are counted.
    runtime: Handle,
}

impl Control {
    /// A face of this node. Call it on the runtime whose tasks metrics shall count.
    #[must_use]
    pub fn new(node: Arc<dyn NodeView>, bus: Arc<dyn Bus>, registry: Arc<dyn Registry>) -> Self {
        Self {
            paths: Paths {
                bus,
                registry,
                node: node.clone(),
            },
            node,
            runtime: Handle::current(),
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
            let get = |path: &str| web::resource(path).default_service(web::to(not_found));
            config.service(
                web::scope("/v3")
                    .app_data(data.clone())
                    .wrap(headers())
                    .service(get("/info").route(web::get().to(info::info)))
                    .service(get("/paths/list").route(web::get().to(list)))
                    .service(get("/paths/get/{name:.*}").route(web::get().to(one)))
                    .service(get("/node/live").route(web::get().to(health::live)))
                    .service(get("/node/ready").route(web::get().to(health::ready)))
                    .default_service(web::to(not_found)),
            );
            config.service(get("/healthz").app_data(data).route(web::get().to(health::ready)));
        }
    }

    /// `/metrics` for the metrics' own port.
    pub fn metrics(&self) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
        let data = web::Data::new(self.clone());
        move |config| {
            config.service(
                web::resource("/metrics")
                    .app_data(data)
                    .route(web::get().to(metrics::metrics))
                    .default_service(web::to(not_found)),
            );
            config.default_service(web::to(not_found));
        }
    }
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Server", "weft"))
        .add(("Access-Control-Allow-Origin", "*"))
        .add(("Cache-Control", "no-cache"))
}

async fn list(control: web::Data<Control>, query: web::Query<PageQuery>) -> Result<impl Responder, Error> {
    Ok(web::Json(query.cut(control.paths.list().await?)?))
}

async fn one(control: web::Data<Control>, name: web::Path<String>) -> Result<impl Responder, Error> {
    Ok(web::Json(control.paths.get(&name).await?))
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
