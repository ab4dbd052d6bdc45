//! The routes of still pictures: `keyframe.mp4`, `keyframe.h264` and `snapshot.jpg` below a stream's path. Who asks is judged
//! first, then what is asked; a picture has a tag and the time of its capture in headers.

use super::snapshots::NoSnapshot;
use super::still::Still;
use super::{Missing, Stills};
use crate::counters::add;
use crate::egress::Egress;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use weft_auth::{Action, Denied, Gate, Protocol, Request};
use weft_config::{Live, Source};
use weft_http::{cors, reply};
use weft_limits::Rates;
use weft_wire::{Codec, StreamName};

/// Pictures that one client address may ask for, per second and at once: three walls of 60 students behind one NAT.
const PER_SECOND: u32 = 200;
/// Widths of snapshots, in pixels.
const WIDTHS: std::ops::RangeInclusive<u32> = 64..=1920;
const CAPTURE_TIME: &str = "Weft-Capture-Time";
const CAPTURE_SOURCE: &str = "Weft-Capture-Source";
/// What scripts of other origins may read.
const EXPOSED: &str = "ETag, Last-Modified, Retry-After, Weft-Capture-Time, Weft-Capture-Source";

/// The paths below a stream's own.
pub const STILL_ROUTES: [&str; 3] = [
    "/{path:.*}/keyframe.h264",
    "/{path:.*}/keyframe.mp4",
    "/{path:.*}/snapshot.jpg",
];

/// The routes of still pictures of a node that serves readers; cheap to clone.
#[derive(Clone)]
pub struct StillRoutes {
    stills: Stills,
    settings: Live,
    gate: Gate,
    rates: Arc<Rates>,
}

/// A form that a picture is asked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AnnexB,
    Mp4,
    Jpeg,
}

/// Why a request has no picture for its answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Denied(Denied),
    #[error("more than {} pictures a second are asked for from this address", PER_SECOND)]
    TooOften(Duration),
    #[error("'{0}' is no name of a stream")]
    Name(String),
    #[error("path '{0}' is not configured")]
    NotConfigured(StreamName),
    #[error("path '{0}' is read elsewhere: it has no picture here")]
    Elsewhere(StreamName),
    #[error("width is a number of pixels from {} to {}", WIDTHS.start(), WIDTHS.end())]
    Width,
    #[error("{0}")]
    Missing(Missing),
    #[error("the stream's video is {0}: it has no start codes")]
    Form(Codec),
    #[error("the picture cannot be put into a file: {0}")]
    NoFile(weft_mp4::Error),
    #[error("{0}")]
    NoSnapshot(NoSnapshot),
}

impl StillRoutes {
    /// Of this egress; who may read is `gate`'s word.
    #[must_use]
    pub fn new(egress: &Egress, gate: Gate) -> Self {
        Self {
            stills: egress.stills().clone(),
            settings: egress.inner.config.settings.clone(),
            gate,
            rates: Arc::default(),
        }
    }

    /// Registers the routes.
    pub fn configure(self, service: &mut web::ServiceConfig) {
        let state = web::Data::new(self);
        for (route, form) in STILL_ROUTES
            .into_iter()
            .zip([Form::AnnexB, Form::Mp4, Form::Jpeg])
        {
            let of = state.clone();
            let answer = move |request: HttpRequest| {
                let state = of.clone();
                async move { get(&request, &state, form).await }
            };
            let resource = web::resource(route)
                .app_data(state.clone())
                .wrap(from_fn(common))
                .route(web::get().to(answer.clone()))
                .route(web::head().to(answer))
                .default_service(web::to(|| async {
                    let mut response = error(
                        StatusCode::METHOD_NOT_ALLOWED,
                        "a picture can be fetched: use GET",
                    );
                    let allowed = HeaderValue::from_static("GET, HEAD, OPTIONS");
                    response.headers_mut().insert(header::ALLOW, allowed);
                    response
                }));
            service.service(resource);
        }
    }
}

/// What every answer carries; preflights end here.
async fn common(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let listed = request
        .app_data::<web::Data<StillRoutes>>()
        .map(|state| state.settings.now().allow_origins.webrtc.clone());
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        request.into_response(cors::read_only("Authorization, If-None-Match"))
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("weft"));
    if cors::readable(headers, origin.as_ref(), &listed.unwrap_or_default()) {
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(response)
}

async fn get(request: &HttpRequest, state: &StillRoutes, form: Form) -> HttpResponse {
    match picture(request, state, form).await {
        Ok(response) => response,
        Err(refusal) => {
            let busy = matches!(
                refusal,
                Refusal::TooOften(_) | Refusal::NoSnapshot(NoSnapshot::Busy)
            );
            add(&state.stills.counters().refused, u64::from(busy));
            refused(&refusal)
        }
    }
}

async fn picture(request: &HttpRequest, state: &StillRoutes, form: Form) -> Result<HttpResponse, Refusal> {
    let ip = weft_http::address(request, &state.settings.now().trusted_proxies.webrtc);
    state.rates.take(ip, PER_SECOND).map_err(Refusal::TooOften)?;
    let stream = StreamName::new(request.match_info().query("path"));
    let stream = stream.map_err(|_| Refusal::Name(request.match_info().query("path").to_owned()))?;
    may_read(request, state, &stream, ip).await?;
    let width = match form {
        Form::AnnexB | Form::Mp4 => None,
        Form::Jpeg => width(request.query_string())?,
    };
    let (kept, still) = state.stills.newest(&stream).await.map_err(Refusal::Missing)?;
    let shown = request.headers().get(header::IF_NONE_MATCH);
    let unchanged = |still: &Still| shown.is_some_and(|shown| names(shown, &still.tag()));
    if unchanged(&still) {
        return Ok(not_modified(state, &still));
    }
    let (still, kind, bytes) = match form {
        Form::AnnexB if still.track.codec != Codec::H264 => return Err(Refusal::Form(still.track.codec)),
        Form::AnnexB => {
            let bytes = still.annex_b().into();
            (still, "video/h264", bytes)
        }
        Form::Mp4 => {
            let file = weft_mp4::still(&still.track, &still.data).map_err(Refusal::NoFile)?;
            (still, "video/mp4", file)
        }
        Form::Jpeg => {
            let made = state.stills.snapshot(&kept, still, width).await;
            let snapshot = made.map_err(Refusal::NoSnapshot)?;
            if unchanged(&snapshot.still) {
                return Ok(not_modified(state, &snapshot.still));
            }
            (Arc::clone(&snapshot.still), "image/jpeg", snapshot.jpeg.clone())
        }
    };
    add(&state.stills.counters().served, 1);
    let mut response = HttpResponse::Ok();
    describe(&mut response, &still);
    Ok(response.content_type(kind).body(bytes))
}

/// The gate's word first: whether a path is there is told to those who may know.
async fn may_read(
    request: &HttpRequest,
    state: &StillRoutes,
    stream: &StreamName,
    ip: IpAddr,
) -> Result<(), Refusal> {
    let query = request.query_string().to_owned();
    let (credentials, user_agent) = weft_http::credentials(request, &query);
    let asked = state.gate.check(Request {
        action: Action::Read,
        path: stream.to_string(),
        protocol: Protocol::WebRtc,
        session: None,
        ip,
        query,
        user_agent,
        credentials,
    });
    asked.await.map_err(Refusal::Denied)?;
    let config = state.settings.now();
    let found = config.paths.find(stream);
    let found = found.ok_or_else(|| Refusal::NotConfigured(stream.clone()))?;
    match found.conf.source {
        Source::Redirect(_) => Err(Refusal::Elsewhere(stream.clone())),
        Source::Publisher | Source::Pull(_) => Ok(()),
    }
}

/// `?width=`; the width of the stream where there is none.
fn width(query: &str) -> Result<Option<u32>, Refusal> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, value)) = pairs.find(|(name, _)| *name == "width") else {
        return Ok(None);
    };
    let width = value.parse().ok().filter(|width| WIDTHS.contains(width));
    width.map(Some).ok_or(Refusal::Width)
}

/// Whether a list of tags names this one (RFC 9110 §13.1.2: weak comparison).
fn names(shown: &HeaderValue, tag: &str) -> bool {
    let shown = shown.to_str().unwrap_or_default();
    let mut tags = shown.split(',').map(str::trim);
    tags.any(|shown| shown == "*" || shown.strip_prefix("W/").unwrap_or(shown) == tag)
}

fn not_modified(state: &StillRoutes, still: &Still) -> HttpResponse {
    add(&state.stills.counters().unchanged, 1);
    let mut response = HttpResponse::NotModified();
    describe(&mut response, still);
    response.finish()
}

/// Which picture it is, and of when.
fn describe(response: &mut HttpResponseBuilder, still: &Still) {
    response
        .insert_header((header::ETAG, still.tag()))
        // Kept by whoever asked, and asked about again.
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((CAPTURE_TIME, still.capture.to_string()))
        .insert_header((CAPTURE_SOURCE, still.source.token()));
    if let Ok(micros) = u64::try_from(still.capture.0) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        response.insert_header((header::LAST_MODIFIED, header::HttpDate::from(at)));
    }
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let (status, retry_after) = match refusal {
        Refusal::Denied(denied) => {
            let wait = match denied {
                Denied::TooMany(wait) => Some(wait.as_secs() + 1),
                Denied::Unavailable(_) => Some(2),
                _ => None,
            };
            (reply::denied(denied).0, wait)
        }
        Refusal::TooOften(wait) => (StatusCode::TOO_MANY_REQUESTS, Some(wait.as_secs() + 1)),
        Refusal::Name(_) | Refusal::Width => (StatusCode::BAD_REQUEST, None),
        Refusal::NotConfigured(_) | Refusal::Elsewhere(_) | Refusal::Missing(Missing::NotFound) => {
            (StatusCode::NOT_FOUND, None)
        }
        Refusal::Missing(Missing::NoVideo) | Refusal::Form(_) | Refusal::NoFile(_) => {
            (StatusCode::NOT_ACCEPTABLE, None)
        }
        Refusal::Missing(Missing::NotYet) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Refusal::Missing(Missing::Unavailable | Missing::TooMany) => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(2))
        }
        Refusal::NoSnapshot(NoSnapshot::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Refusal::NoSnapshot(NoSnapshot::Undecodable(..)) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        Refusal::NoSnapshot(NoSnapshot::NotBuilt) => (StatusCode::NOT_IMPLEMENTED, None),
    };
    let words = match refusal {
        Refusal::Denied(denied) => reply::denied(denied).1,
        refusal => refusal.to_string(),
    };
    let mut response = error(status, &words);
    let headers: &mut HeaderMap = response.headers_mut();
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Refusal::Denied(Denied::NoCredentials) = refusal {
        reply::challenge(headers);
    }
    response
}

fn error(status: StatusCode, why: &str) -> HttpResponse {
    let mut response = reply::json(status, reply::error_json(why, None));
    let kept_by_nobody = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, kept_by_nobody);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_a_number_within_bounds_or_left_out() {
        for (query, width) in [
            ("", Ok(None)),
            ("jwt=x&width=320", Ok(Some(320))),
            ("width=64", Ok(Some(64))),
            ("width=1920&x", Ok(Some(1920))),
            ("width=63", Err(())),
            ("width=1921", Err(())),
            ("width=", Err(())),
            ("width=4e2", Err(())),
        ] {
            assert_eq!(super::width(query).map_err(drop), width, "{query}");
        }
    }

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_strong_and_by_the_star() {
        let names = |shown: &'static str| names(&HeaderValue::from_static(shown), "\"a-7\"");
        assert!(names("\"a-7\"") && names("W/\"a-7\"") && names("\"b-1\", \"a-7\"") && names("*"));
        assert!(!names("\"a-70\"") && !names("") && !names("a-7"));
    }
}
