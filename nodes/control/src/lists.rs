//! The routes that show the fabric: streams, nodes, sessions and HLS muxers, each list in pages, each item by its name.
//! All are taken from one snapshot, and all say how old it is.

use crate::error::Error;
use crate::fabric::{Connection, Session, Snapshot, Stream};
use crate::muxers::HlsMuxer;
use crate::nodes::Node;
use crate::page::{Page, PageQuery};
use crate::path::Path;
use crate::routes::Control;
use crate::sessions::{RtspConn, RtspSession, WebRtcSession};
use crate::uuid;
use crate::view::SessionKind;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use std::collections::BTreeSet;
use weft_bus::RequestError;
use weft_wire::{MuxerReport, NodeName, StreamName};

/// How old the view is, in seconds.
const VIEW_AGE: &str = "Weft-View-Age";

fn answer(snapshot: &Snapshot, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((VIEW_AGE, snapshot.age_seconds()))
        .json(body)
}

fn page<T: Serialize>(snapshot: &Snapshot, page: Page<T>) -> HttpResponse {
    answer(snapshot, page.aged(snapshot.age_seconds()))
}

/// `GET /v3/paths/list`.
pub(crate) async fn paths(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Error> {
    let snapshot = control.fabric.snapshot().await;
    let paths = &control.settings.now().paths;
    // Paths with a name of their own are listed also while nobody publishes or reads them.
    let fixed: Vec<StreamName> = paths
        .iter()
        .filter(|conf| conf.is_static())
        .filter_map(|conf| StreamName::new(conf.name.as_str()).ok())
        .collect();
    let names: BTreeSet<&StreamName> = snapshot.names().chain(&fixed).collect();
    // Of streams that are not on the page nothing is made.
    let shown = query.cut(names.into_iter().collect())?.map(|name| {
        let stream = snapshot.stream(name);
        let path = stream.as_ref().map_or_else(|| Path::idle(name), Path::new);
        path.under(paths)
    });
    Ok(page(&snapshot, shown))
}

/// `GET /v3/paths/get/{name}`.
pub(crate) async fn path(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let name = StreamName::new(name.as_str()).map_err(|e| Error::BadRequest(e.to_string()))?;
    let fabric = &control.fabric;
    // The view may be a moment old; of one stream its owner is asked as well, and what it says counts.
    let (snapshot, owner) = tokio::join!(fabric.snapshot(), fabric.owner(&name));
    let stream = snapshot.stream(&name);
    let known = match (owner, &stream) {
        (Ok(info), stream) => {
            let newer = |s: &&Stream<'_>| s.owner.is_some_and(|(_, p)| p.info.epoch > info.epoch);
            match stream.as_ref().filter(newer) {
                Some(stream) => Some(Path::new(stream)),
                None => Some(Path::of_owner(&name, &info, stream.as_ref())),
            }
        }
        (Err(RequestError::NoOwner), Some(stream)) => stream.without_owner().as_ref().map(Path::new),
        (Err(_), stream) => stream.as_ref().map(Path::new),
    };
    let paths = &control.settings.now().paths;
    let fixed = || paths.get(name.as_str()).filter(|conf| conf.is_static());
    known
        .or_else(|| fixed().map(|_| Path::idle(&name)))
        .map(|path| answer(&snapshot, path.under(paths)))
        .ok_or(Error::NotFound("path"))
}

/// `GET /v3/nodes/list`.
pub(crate) async fn nodes(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Error> {
    let snapshot = control.fabric.snapshot().await;
    let all: Vec<_> = snapshot.nodes().iter().collect();
    let shown = query.cut(all)?;
    Ok(page(
        &snapshot,
        shown.map(|(name, state)| Node::new(&snapshot, name, state)),
    ))
}

/// `GET /v3/nodes/get/{name}`.
pub(crate) async fn node(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let name = node_name(&name)?;
    let snapshot = control.fabric.snapshot().await;
    let state = snapshot.nodes().get(&name).ok_or(Error::NotFound("node"))?;
    Ok(answer(&snapshot, Node::new(&snapshot, &name, state)))
}

pub(crate) fn node_name(name: &str) -> Result<NodeName, Error> {
    NodeName::new(name).map_err(|e| Error::BadRequest(e.to_string()))
}

/// `GET /v3/webrtcsessions/list`.
pub(crate) async fn webrtc_sessions(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Error> {
    sessions(&control, &query, SessionKind::WebRtc, WebRtcSession::new).await
}

/// `GET /v3/rtspsessions/list`, and the same with TLS.
pub(crate) async fn rtsp_sessions(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
    kind: SessionKind,
) -> Result<HttpResponse, Error> {
    sessions(&control, &query, kind, RtspSession::new).await
}

async fn sessions<T: Serialize>(
    control: &Control,
    query: &PageQuery,
    kind: SessionKind,
    form: fn(&Session<'_>) -> T,
) -> Result<HttpResponse, Error> {
    let snapshot = control.fabric.snapshot().await;
    let shown = query.cut(snapshot.sessions(kind))?;
    Ok(page(&snapshot, shown.map(|session| form(&session))))
}

/// `GET /v3/webrtcsessions/get/{id}`.
pub(crate) async fn webrtc_session(
    control: web::Data<Control>,
    id: web::Path<String>,
) -> Result<HttpResponse, Error> {
    session(&control, &id, SessionKind::WebRtc, WebRtcSession::new).await
}

/// `GET /v3/rtspsessions/get/{id}`, and the same with TLS.
pub(crate) async fn rtsp_session(
    control: web::Data<Control>,
    id: web::Path<String>,
    kind: SessionKind,
) -> Result<HttpResponse, Error> {
    session(&control, &id, kind, RtspSession::new).await
}

async fn session<T: Serialize>(
    control: &Control,
    id: &str,
    kind: SessionKind,
    form: fn(&Session<'_>) -> T,
) -> Result<HttpResponse, Error> {
    let id = uuid::read(id)?;
    let mut snapshot = control.fabric.snapshot().await;
    if snapshot.session(id).is_none() {
        // It may have come a moment ago: its WHIP answer names it.
        snapshot = control.fabric.newest().await;
    }
    let session = snapshot.session(id).filter(|s| s.kind() == Some(kind));
    let session = session.ok_or(Error::NotFound("session"))?;
    Ok(answer(&snapshot, form(&session)))
}

/// `GET /v3/rtspconns/list`, and the same with TLS.
pub(crate) async fn connections(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
    tls: bool,
) -> Result<HttpResponse, Error> {
    let snapshot = control.fabric.snapshot().await;
    let shown = query.cut(snapshot.connections(tls))?;
    Ok(page(
        &snapshot,
        shown.map(|connection| RtspConn::new(&connection)),
    ))
}

/// `GET /v3/rtspconns/get/{id}`, and the same with TLS.
pub(crate) async fn connection(
    control: web::Data<Control>,
    id: web::Path<String>,
    tls: bool,
) -> Result<HttpResponse, Error> {
    let id = uuid::read(&id)?;
    let snapshot = control.fabric.snapshot().await;
    let of_kind = |found: &Connection<'_>| found.report.tls == tls;
    let found = snapshot.connection(id).filter(of_kind);
    let found = found.ok_or(Error::NotFound("connection"))?;
    Ok(answer(&snapshot, RtspConn::new(&found)))
}

/// `GET /v3/hlsmuxers/list`.
pub(crate) async fn muxers(
    control: web::Data<Control>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Error> {
    let snapshot = control.fabric.snapshot().await;
    let all = snapshot.muxers();
    let all = all.iter().filter_map(|muxers| HlsMuxer::of(muxers));
    Ok(page(&snapshot, query.cut(all.collect())?))
}

/// `GET /v3/hlsmuxers/get/{name}`.
pub(crate) async fn muxer(
    control: web::Data<Control>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let name = StreamName::new(name.as_str()).map_err(|e| Error::BadRequest(e.to_string()))?;
    let snapshot = control.fabric.snapshot().await;
    let all = snapshot.muxers();
    let of_it = |muxers: &&Vec<(_, &MuxerReport)>| muxers.iter().any(|(_, muxer)| muxer.stream == name);
    let found = all.iter().find(of_it).and_then(|muxers| HlsMuxer::of(muxers));
    found
        .map(|muxer| answer(&snapshot, muxer))
        .ok_or(Error::NotFound("muxer"))
}
