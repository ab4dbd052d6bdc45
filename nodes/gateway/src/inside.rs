//! The gateway inside of a node: its URLs are other names of the node's own WHIP routes, so that one endpoint, one gate and
//! one set of limits judge every publisher. No request leaves the process.

use crate::answer;
use crate::asked::{self, Asked};
use crate::names::Clock;
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Url};
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, guard, web};
use futures::FutureExt;
use futures::future::{Either, ready};
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
                .default_service(web::to(async || answer::not_found()))
                .wrap_fn(move |mut request, inner| {
                    let (gateway, origin) = (gateway.clone(), origin(request.headers()));
                    match gateway.steered(&mut request) {
                        Either::Right(response) => {
                            let mut response = request.into_response(response);
                            gateway.own(response.headers_mut(), origin.as_ref());
                            ready(Ok(response)).left_future()
                        }
                        Either::Left(kept) => {
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

    /// Makes the request one that the node's own routes know, or gives the answer where the gateway knows it.
    fn steered(&self, request: &mut ServiceRequest) -> Either<Kept, HttpResponse> {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let read = Asked::read(
            request.method(),
            uri.path(),
            query,
            request.headers(),
            &self.clock,
        );
        let asked = match read {
            Ok(Some(asked)) => asked,
            Ok(None) => return Either::Right(answer::not_found()),
            Err(error) => return Either::Right(answer::error(&error)),
        };
        let Some(path) = asked.path() else {
            return Either::Right(match asked {
                Asked::Health => answer::health(&self.host.name(), &self.host.problems()),
                _ => answer::preflight(),
            });
        };
        let uri = match query {
            "" => path,
            query => format!("{path}?{query}"),
        };
        // Made of a valid URI's query and of letters that a path may have.
        let Ok(uri) = uri.parse::<Uri>() else {
            return Either::Right(answer::not_found());
        };
        let rtsp = self.host.rtsp(host(request.connection_info().host()));
        request.head_mut().uri = uri.clone();
        request.match_info_mut().set(Url::new(uri));
        Either::Left(Kept { asked, rtsp })
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
