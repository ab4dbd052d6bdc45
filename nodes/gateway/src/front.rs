//! The gateway in front of another server: an HTTP server whose routes are those of the exam gateway and nothing else, each
//! request passed on once. Nothing is remembered between requests, so there may be any number of gateways.

use crate::asked::Asked;
use crate::client::{ANSWER, Client, Incoming, Outgoing};
use crate::error::Error;
use crate::health::Health;
use crate::inside::host;
use crate::names::Clock;
use crate::settings::Settings;
use crate::{answer, body};
use actix_web::http::header::{self, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures::stream::unfold;
use std::convert::Infallible;
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests passed on at once.
const MAX_REQUESTS: usize = 256;
/// Channels of events open at once: one for each publisher that wants one.
const MAX_CHANNELS: usize = 2_000;
/// Open connections of each of the two workers.
const MAX_CONNECTIONS: usize = 2_048;
/// The time a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What an answer in progress may take at the end.
const SHUTDOWN_SECONDS: u64 = 2;

/// What the workers share.
struct Front {
    settings: Settings,
    clock: Clock,
    health: Health,
    // overflow: refused with 503 and Retry-After, told in the log
    requests: Arc<Semaphore>,
    // overflow: the same
    channels: Arc<Semaphore>,
}

/// Serves the gateway on a listening socket until `end` is ready. Needs a running actix system.
///
/// # Errors
/// When the socket cannot be served, or no client for the server can be made.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    end: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let client = Client::new().map_err(std::io::Error::other)?;
    let front = web::Data::new(Front {
        settings,
        clock: Clock::default(),
        health: Health::default(),
        requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
        channels: Arc::new(Semaphore::new(MAX_CHANNELS)),
    });
    let client = web::Data::new(client);
    let app = move || {
        App::new()
            .app_data(front.clone())
            .app_data(client.clone())
            .default_service(web::to(any))
    };
    let server = HttpServer::new(app)
        .workers(2)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = end => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

async fn any(
    request: HttpRequest,
    payload: web::Payload,
    front: web::Data<Front>,
    client: web::Data<Client>,
) -> HttpResponse {
    let mut response = match answered(&request, payload, &front, &client).await {
        Ok(response) => response,
        Err(error) => {
            let (status, path) = (error.status().as_u16(), request.path());
            if status >= 500 {
                // As a value, which the log quotes: a server's words may hold line breaks.
                tracing::warn!(path, status, error = error.to_string(), "not passed on");
            } else {
                tracing::debug!(path, status, error = error.to_string(), "refused");
            }
            answer::error(&error)
        }
    };
    let origin = request.headers().get(header::ORIGIN);
    let headers = response.headers_mut();
    if !headers.contains_key(header::SERVER) {
        headers.insert(header::SERVER, HeaderValue::from_static("weft"));
    }
    answer::cors(headers, &["*".to_owned()], origin);
    response
}

async fn answered(
    request: &HttpRequest,
    payload: web::Payload,
    front: &Front,
    client: &Client,
) -> Result<HttpResponse, Error> {
    let (path, query) = (request.path(), request.query_string());
    let asked = Asked::read(request.method(), path, query, request.headers(), &front.clock)?;
    let Some(asked) = asked else {
        return Ok(answer::not_found());
    };
    let Some((stream, face)) = asked.stream() else {
        return Ok(match asked {
            Asked::Health => {
                let problems = front.health.problems(client, &front.settings).await;
                answer::health(&front.settings.whip, &problems)
            }
            _ => answer::preflight(),
        });
    };
    // A place is for what is passed on: a client that keeps its body back takes nobody's.
    let body = body::read(request.headers(), payload).await?;
    let permit = Arc::clone(&front.requests)
        .try_acquire_owned()
        .map_err(|_| Error::Busy(MAX_REQUESTS))?;
    let (server, variable) = front.settings.server(face);
    let there = asked.path().unwrap_or_default();
    let there = match query {
        "" => there,
        query => format!("{there}?{query}"),
    };
    let out = Outgoing {
        method: request.method(),
        server,
        path: &there,
        headers: request.headers(),
        peer: request.peer_addr().map(|peer| peer.ip()),
        body,
        variable,
        limit: ANSWER,
    };
    let mut incoming = client.ask(out).await?;
    let rtsp = front.settings.rtsp(host(request.connection_info().host()));
    let (status, mut headers) = (incoming.status, std::mem::take(&mut incoming.headers));
    answer::adapt(&asked, status, &mut headers, server, Some(&rtsp));
    tracing::debug!(%stream, status = status.as_u16(), server, "passed on");
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        response.append_header((name, value));
    }
    if incoming.channel {
        drop(permit);
        let permit = Arc::clone(&front.channels)
            .try_acquire_owned()
            .map_err(|_| Error::Busy(MAX_CHANNELS))?;
        return Ok(response.streaming(channel(incoming, permit)));
    }
    Ok(response.body(incoming.body(variable).await?))
}

/// The words of a channel, as they come.
fn channel(
    incoming: Incoming,
    permit: OwnedSemaphorePermit,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> {
    unfold((incoming, permit), |(mut incoming, permit)| async move {
        let chunk = incoming.chunk().await?;
        Some((Ok(chunk), (incoming, permit)))
    })
}
