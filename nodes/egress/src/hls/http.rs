//! HLS over HTTP: which file a URL means, whether it waits, and the headers around it. Playlists are never kept by caches,
//! media files never change.
//! What is in them is the muxer's business.

use super::Hls;
use super::muxer::{Muxer, No};
use super::playlist::{File, parse};
use crate::counters::add;
use actix_web::body::{BoxBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use weft_auth::Denied;
use weft_http::{cors, reply};
use weft_rtsp_server::{DescribeRequest, Refusal};
use weft_wire::StreamName;

const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const MEDIA: &str = "video/mp4";
/// Names of media files are never used twice; longer than anybody watches them is of no use.
const KEPT: &str = "max-age=60, immutable";
const NOT_KEPT: &str = "no-cache";

/// Registers the routes.
pub(super) fn configure(hls: Hls, service: &mut web::ServiceConfig) {
    service.app_data(web::Data::new(hls)).service(
        web::resource(r"/{path:.*}/{file:[^/]+\.(?:m3u8|mp4)}")
            .wrap(from_fn(common))
            .route(web::get().to(get))
            .route(web::head().to(get))
            .default_service(web::to(|| async { method() })),
    );
}

async fn get(request: HttpRequest, hls: web::Data<Hls>) -> HttpResponse {
    let info = request.match_info();
    let Ok(stream) = StreamName::new(info.query("path")) else {
        return error(StatusCode::NOT_FOUND, "this is no path");
    };
    let viewer = match hls.viewer(&request, &stream).await {
        Ok(viewer) => viewer,
        Err(no) => return denied(&no),
    };
    // Whoever writes a quotation mark into a URL would end the attribute that carries it.
    let query = match viewer.query.replace('"', "%22") {
        query if query.is_empty() => query,
        query => format!("?{query}"),
    };
    let muxer = hls.muxer(
        DescribeRequest {
            stream,
            query: Some(viewer.query),
            peer: request
                .peer_addr()
                .unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
            user_agent: Some(viewer.agent),
            principal: viewer.principal,
        },
        info.query("file") == "index.m3u8",
    );
    let answer = match info.query("file") {
        "index.m3u8" => muxer
            .multivariant(&query)
            .await
            .map(|text| hls.playlist(&muxer, text)),
        "video.m3u8" => hls.media(&muxer, "video", &request, &query).await,
        "audio.m3u8" => hls.media(&muxer, "audio", &request, &query).await,
        name => hls.file(&muxer, name).await,
    };
    answer.unwrap_or_else(|no| hls.refused(&no, &query))
}

impl Hls {
    async fn media(
        &self,
        muxer: &Muxer,
        name: &str,
        request: &HttpRequest,
        query: &str,
    ) -> Result<HttpResponse, No> {
        let directives = request.query_string();
        let number = |key: &str| {
            let value = directives
                .split('&')
                .find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
            value
                .map(|text| text.parse::<u64>().map_err(|_| No::TooFar))
                .transpose()
        };
        let reach = match (number("_HLS_msn")?, number("_HLS_part")?) {
            (Some(msn), part) => Some((msn, part)),
            (None, None) => None,
            // §6.2.5.2: a part without its segment.
            (None, Some(_)) => return Err(No::TooFar),
        };
        let text = muxer.media(name, reach, query).await?;
        Ok(self.playlist(muxer, text))
    }

    async fn file(&self, muxer: &Muxer, name: &str) -> Result<HttpResponse, No> {
        let (rendition, tag, file) = parse(name).ok_or(No::NotFound)?;
        let pieces = match file {
            File::Init(number) => vec![muxer.init(rendition, tag, number)?],
            File::Part(number) => vec![muxer.part(rendition, tag, number).await?],
            File::Segment(msn) => muxer.segment(rendition, tag, msn)?,
        };
        let length: usize = pieces.iter().map(Bytes::len).sum();
        add(&self.inner.counters.files, 1);
        self.count(muxer, length);
        let mut response = HttpResponse::Ok();
        response
            .content_type(MEDIA)
            .insert_header((header::CACHE_CONTROL, KEPT));
        Ok(match <[Bytes; 1]>::try_from(pieces) {
            Ok([whole]) => response.body(whole),
            Err(pieces) => {
                let pieces = futures::stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
                response.body(SizedStream::new(length as u64, pieces))
            }
        })
    }

    fn playlist(&self, muxer: &Muxer, text: String) -> HttpResponse {
        add(&self.inner.counters.playlists, 1);
        self.count(muxer, text.len());
        HttpResponse::Ok()
            .content_type(PLAYLIST)
            .insert_header((header::CACHE_CONTROL, NOT_KEPT))
            .body(text)
    }

    fn count(&self, muxer: &Muxer, bytes: usize) {
        muxer.sent(bytes);
        add(&self.inner.counters.bytes, bytes as u64);
    }

    /// `query` is this viewer's own, which goes with it to another node.
    fn refused(&self, no: &No, query: &str) -> HttpResponse {
        match no {
            No::NotFound => error(
                StatusCode::NOT_FOUND,
                "there is no such file in this stream, or no more",
            ),
            No::Refused(Refusal::NotFound) => {
                error(StatusCode::NOT_FOUND, "no stream is available on this path")
            }
            No::Refused(Refusal::Refused(why)) => error(StatusCode::BAD_REQUEST, why),
            // What the path's readers are sent to may be no HLS.
            No::Refused(Refusal::Moved(url)) if !url.starts_with("http") => {
                error(StatusCode::NOT_FOUND, &format!("this stream is read at {url}"))
            }
            No::Refused(Refusal::Moved(url)) => found(url),
            No::Elsewhere(url) => found(&format!("{url}{query}")),
            No::TooFar => error(
                StatusCode::BAD_REQUEST,
                "_HLS_msn and _HLS_part are numbers, not far ahead of the playlist",
            ),
            No::Refused(_) | No::Late => {
                add(&self.inner.counters.late, u64::from(*no == No::Late));
                error(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the stream has nothing to show yet, or this node is full; try again",
                )
            }
        }
    }
}

/// What every answer carries: who answers, and whose scripts may read it. Preflights end here.
async fn common(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let listed = request
        .app_data::<web::Data<Hls>>()
        .map(|hls| hls.inner.live.now());
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        request.into_response(cors::read_only("Authorization, Range"))
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("weft"));
    if let Some(config) = listed {
        cors::readable(headers, origin.as_ref(), &config.allow_origins.hls);
    }
    Ok(response)
}

fn denied(no: &Denied) -> HttpResponse {
    let (status, words) = reply::denied(no);
    let mut response = error(status, &words);
    match no {
        Denied::NoCredentials => reply::challenge(response.headers_mut()),
        Denied::TooMany(wait) => reply::retry_after(response.headers_mut(), *wait),
        _ => {}
    }
    response
}

/// The error as MediaMTX writes it; overload says when to come again.
fn error(status: StatusCode, text: &str) -> HttpResponse {
    let mut response = reply::json(status, reply::error_json(text, None));
    let not_kept = HeaderValue::from_static(NOT_KEPT);
    response.headers_mut().insert(header::CACHE_CONTROL, not_kept);
    response
}

fn found(url: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, url))
        .insert_header((header::CACHE_CONTROL, NOT_KEPT))
        .finish()
}

fn method() -> HttpResponse {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    let methods = HeaderValue::from_static("OPTIONS, GET, HEAD");
    response.headers_mut().insert(header::ALLOW, methods);
    response
}
