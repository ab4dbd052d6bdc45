//! The gateway inside of a node: its URLs are other names of the node's own WHIP routes, so that one endpoint, one gate and
//! one set of limits judge every publisher. No request leaves the process.

use crate::answer;
use crate::asked::{self, Asked};
use crate::error::Error;
use crate::names::Clock;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse, Url};
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, guard, web};
use futures::FutureExt;
use std::sync::Arc;

/// The node that the gateway is in.
pub trait Host: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> String;
    /// What keeps it from doing its work, in sentences.
    fn problems(&self) -> Vec<String>;
    /// Scheme and authority at which streams are read, such as `rtsp://host:8554`, for a client that reached the node as
    /// `host`; `None`: nobody is known who serves readers.
    fn rtsp(&self, host: &str) -> Option<String>;
    /// Pages of which sites may read the gateway's own answers.
    fn allow_origins(&self) -> Vec<String>;
}

/// The gateway of a node; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    host: Arc<dyn Host>,
    clock: Arc<Clock>,
}

/// What is kept of a request until its answer is there.
struct Kept {
    asked: Asked,
    rtsp: Option<String>,
}

impl Gateway {
    /// A gateway of this node.
    #[must_use]
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            clock: Arc::default(),
        }
    }

    /// The routes, to be registered before those that take every path. `faces` registers the node's own routes,
    /// `/{path}/whip` and below, a second time, for the gateway alone.
    pub fn routes<F>(&self, faces: F) -> impl FnOnce(&mut web::ServiceConfig) + use<F>
    where
        F: FnOnce(&mut web::ServiceConfig),
    {
        let gateway = self.clone();
        move |service| {
            let scope = web::scope(asked::PREFIX.trim_end_matches('/'))
                .guard(guard::fn_guard(|context| {
                    asked::is_ours(context.head().uri.path())
                }))
                .configure(faces)
                .default_service(web::to(async || answer::error(&Error::NoWhep)))
                .wrap_fn(move |request, inner| {
                    let (gateway, origin) = (gateway.clone(), origin(request.headers()));
                    match gateway.steered(request) {
                        Err((request, response)) => {
                            let mut response = request.into_response(response);
                            gateway.own(response.headers_mut(), origin.as_ref());
                            futures::future::ready(Ok(response)).left_future()
                        }
                        Ok((request, kept)) => {
                            use actix_web::dev::Service;
                            let answered = inner.call(request);
                            async move {
                                let mut response: ServiceResponse<BoxBody> = answered.await?;
                                let status = response.status();
                                let rtsp = kept.rtsp.as_deref();
                                answer::adapt(&kept.asked, status, response.headers_mut(), "", rtsp);
                                gateway.own(response.headers_mut(), origin.as_ref());
                                Ok(response)
                            }
                            .right_future()
                        }
                    }
                });
            service.service(scope);
        }
    }

    /// The request as the node's own routes know it, or the answer where the gateway knows it.
    fn steered(
        &self,
        mut request: ServiceRequest,
    ) -> Result<(ServiceRequest, Kept), (ServiceRequest, HttpResponse)> {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let read = Asked::read(
            request.method(),
            uri.path(),
            query,
            request.headers(),
            &self.clock,
        );
        let response = match read {
            Ok(Some(asked)) => match asked.path() {
                Some(path) => {
                    let rtsp = self.host.rtsp(host(request.connection_info().host()));
                    let uri = match query {
                        "" => path,
                        query => format!("{path}?{query}"),
                    };
                    // Made of a valid URI's query and of letters that a path may have.
                    let Ok(uri) = uri.parse::<Uri>() else {
                        return Err((request, answer::not_found()));
                    };
                    request.head_mut().uri = uri.clone();
                    request.match_info_mut().set(Url::new(uri));
                    return Ok((request, Kept { asked, rtsp }));
                }
                None if asked == Asked::Health => answer::health(&self.host.name(), &self.host.problems()),
                None => answer::preflight(),
            },
            Ok(None) => answer::not_found(),
            Err(error) => answer::error(&error),
        };
        Err((request, response))
    }

    /// What every answer carries, unless the node has said it.
    fn own(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        headers.insert(header::SERVER, HeaderValue::from_static("weft"));
        answer::cors(headers, &self.host.allow_origins(), origin);
    }
}

fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ORIGIN).cloned()
}

/// The host of `host:port`.
pub(crate) fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}
