//! The HTTP servers of a node: one per port, with TLS or without, each within its limits of connections, time and size.
//! Which routes they have is decided by ingest, control and the gateway.

mod admission;
mod counters;
mod face;
mod port;
mod requests;
mod stream;

pub(crate) use counters::Counters;
pub(crate) use face::Face;
pub(crate) use port::Port;

use super::StartError;
use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Extensions, Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use std::any::Any;
use std::time::Duration;
use stream::Guarded;
use tokio::net::TcpStream;

/// What an answer in progress may take when the node ends.
const SHUTDOWN_SECONDS: u64 = 1;
/// How long a connection that asks for nothing more is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long the client may take to see an answer that came before the end of its request, and to close.
const LINGER: Duration = Duration::from_secs(1);

/// A server that has not been awaited yet, and the means to end it.
pub(crate) struct WebServer {
    pub(crate) server: Server,
    pub(crate) handle: ServerHandle,
}

/// Serves routes on a port with this many threads. `routes` is called once per thread.
pub(crate) fn serve<R, C>(port: Port, workers: usize, face: Face, routes: R) -> Result<WebServer, StartError>
where
    R: Fn() -> C + Clone + Send + 'static,
    C: FnOnce(&mut web::ServiceConfig),
{
    let address = port.address;
    let builder = Server::build()
        .workers(workers)
        // Never reached: the face refuses before, with a word.
        .max_concurrent_connections(usize::MAX / workers)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals();
    let ending = builder.graceful_shutdown_signal();
    let key = face.key();
    let service = move || {
        let (face, ending) = (face.clone(), ending.clone());
        let app = App::new()
            .app_data(web::Data::new(face.clone()))
            .wrap(from_fn(requests::limit))
            .configure(routes());
        let app = app
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            // The stream keeps this one, for every request of a connection.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(connected)
            .expect(fn_service(requests::expect))
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |tcp: TcpStream| admission::admit(face.clone(), tcp)).and_then(http)
    };
    let server = builder
        .listen(key, port.listener, service)
        .map_err(|source| StartError::Bind {
            protocol: "TCP",
            address,
            key,
            flag: "--config",
            source,
        })?
        .run();
    Ok(WebServer {
        handle: server.handle(),
        server,
    })
}

/// What the routes are told of a connection.
fn connected(stream: &Guarded, data: &mut Extensions) {
    weft_http::on_connect(stream.tcp() as &dyn Any, data);
    data.insert(stream.progress());
}
