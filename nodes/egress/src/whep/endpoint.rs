//! The WHEP endpoint of a stream, `/{path}/whep`: what a reader may ask before, and its offer.
//! The session it opens has a URL of its own, see `resource`.

use super::error::Error;
use super::feeder::{Feeder, Inlet};
use super::session::Session;
use super::sessions::{Entry, Known};
use super::{Whep, finish};
use crate::counters::add;
use actix::Actor;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use uuid::Uuid;
use weft_auth::{Action, Protocol, Request};
use weft_http::{ReachedAt, body};
use weft_rtc::{IceServer, MediaSource, PeerHandle};
use weft_rtsp_server::{DescribeRequest, PlaySource};
use weft_wire::StreamName;

/// Readers at once that are not connected yet: each holds some 200 kB until it is, or for ten seconds.
const MOST_WAITING: usize = 500;

/// A client that may read a stream.
struct Client {
    stream: StreamName,
    principal: String,
    ip: IpAddr,
    query: String,
    user_agent: String,
}

/// `OPTIONS` that is no preflight: which bodies are taken.
pub(super) async fn options(request: HttpRequest, face: web::Data<Whep>) -> HttpResponse {
    if let Err(error) = client(&request, &face).await {
        return error.answer();
    }
    let mut response = HttpResponse::NoContent();
    response.insert_header(("Accept-Post", "application/sdp"));
    for link in face.ice_links() {
        response.append_header((header::LINK, link));
    }
    response
        .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Accept-Post, Link"))
        .finish()
}

/// `POST`: an offer to read.
pub(super) async fn post(request: HttpRequest, payload: web::Payload, face: web::Data<Whep>) -> HttpResponse {
    let result = Box::pin(read(&request, payload, &face)).await;
    match &result {
        Ok(_) => add(&face.counters.answered, 1),
        Err(error) => face.counters.refused(error),
    }
    if let Err(error) = &result
        // The gate has counted and logged these.
        && !matches!(error, Error::Denied(_))
    {
        tracing::debug!(path = request.path(), %error, "reader's offer refused");
    }
    finish(result)
}

async fn client(request: &HttpRequest, face: &Whep) -> Result<Client, Error> {
    let stream = StreamName::new(request.match_info().query("path"))?;
    let query = request.query_string().to_owned();
    let ip = weft_http::address(request, &face.config.settings.now().trusted_proxies.webrtc);
    let (credentials, user_agent) = weft_http::credentials(request, &query);
    let asked = face.config.gate.check(Request {
        action: Action::Read,
        path: stream.to_string(),
        protocol: Protocol::WebRtc,
        session: None,
        ip,
        credentials,
        query: query.clone(),
        user_agent: user_agent.clone(),
    });
    let grant = asked.await.map_err(Error::Denied)?;
    if face.config.settings.now().paths.find(&stream).is_none() {
        return Err(Error::Refused(format!("path '{stream}' is not configured")));
    }
    Ok(Client {
        stream,
        principal: grant.principal,
        ip,
        query,
        user_agent,
    })
}

async fn read(request: &HttpRequest, payload: web::Payload, face: &Whep) -> Result<HttpResponse, Error> {
    body::is_of_type(request, "application/sdp")?;
    let client = match client(request, face).await {
        Ok(client) => client,
        Err(error) => {
            // Read to its end, within its bounds, so that the client gets to see the answer; nobody looks at it.
            body::text(request, payload).await.ok();
            return Err(error);
        }
    };
    let offer = body::text(request, payload).await?;
    weft_sdp::watch::check(&offer).map_err(|error| Error::from(weft_rtc::Error::from(error)))?;
    if face.sessions.waiting() >= MOST_WAITING {
        return Err(Error::Unavailable(Duration::from_secs(1)));
    }
    let most = face.config.settings.now().fabric.limits.sessions_per_address;
    let share = face.config.shares.take(client.ip, most).ok_or(Error::OfAddress)?;
    let stream = client.stream.clone();
    let peer = request
        .peer_addr()
        .unwrap_or_else(|| SocketAddr::new(client.ip, 0));
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let describe = DescribeRequest {
        stream: stream.clone(),
        query: (!client.query.is_empty()).then(|| client.query.clone()),
        peer,
        user_agent: Some(client.user_agent.clone()),
        principal: client.principal.clone(),
    };
    let source = face.egress.open_for_whep(&describe).await;
    let source = source.map_err(|refusal| Error::of(refusal, &stream))?;
    let known = Arc::new(Known {
        id: Uuid::new_v4(),
        secret: Uuid::new_v4(),
        stream: stream.clone(),
        principal: client.principal,
        // What is shown in lists and told to hooks holds no credentials.
        query: weft_auth::without_secrets(&client.query),
        user_agent: client.user_agent,
        created: SystemTime::now(),
        addresses: OnceLock::new(),
    });
    let tracks = source.tracks();
    let (shown, sessions) = (Arc::clone(&known), Arc::clone(&face.sessions));
    let arbiter = face.arbiter.clone();
    let ids = tracks.iter().map(|t| t.id).collect();
    let make = Box::new(move |peer: PeerHandle| {
        let inlet = Inlet::default();
        let session = Session {
            known: Arc::clone(&shown),
            peer: peer.clone(),
            source: Some(source),
            tracks: ids,
            inlet: inlet.clone(),
            sessions: Arc::clone(&sessions),
            began: Instant::now(),
        };
        let actor = Session::start_in_arbiter(&arbiter, move |_| session);
        let entry = Entry {
            known: shown,
            peer,
            actor: actor.clone(),
            _share: Some(Arc::new(share)),
        };
        // Before anything of it can end.
        sessions.enter(entry);
        let feeder = Feeder {
            inlet,
            actor,
            asked: None,
        };
        Ok(Box::new(feeder) as Box<dyn MediaSource>)
    });
    let reached_at = request.conn_data::<ReachedAt>().map(|at| at.0);
    let shard = face.shards.pick();
    let answer = Box::pin(shard.watch_at(offer, &tracks, reached_at, make)).await?;
    tracing::info!(%stream, session = %known.id, %peer, "reader offered");
    Ok(created(face, &known, &client.query, answer.sdp))
}

fn created(face: &Whep, known: &Known, query: &str, answer: String) -> HttpResponse {
    let query = match query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    // The node's name lets any other node pass on what concerns this session.
    let node = &face.egress.inner.node;
    let url = format!("/{}/whep/{node}.{}{query}", known.stream, known.secret);
    let mut response = HttpResponse::Created();
    response
        .content_type("application/sdp")
        .insert_header((header::ETAG, "*"))
        .insert_header(("ID", known.id.to_string()))
        .insert_header(("Accept-Patch", "application/trickle-ice-sdpfrag"))
        .insert_header((header::LOCATION, url))
        .insert_header((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, ID, Accept-Patch, Link, Location",
        ));
    for link in face.ice_links() {
        response.append_header((header::LINK, link));
    }
    response.body(answer)
}

impl Whep {
    /// `Link` values of the ICE servers that clients are told of.
    fn ice_links(&self) -> Vec<String> {
        let told = IceServer::told(&self.config.settings.now().ice_servers, SystemTime::now());
        told.iter().map(IceServer::link).collect()
    }
}
