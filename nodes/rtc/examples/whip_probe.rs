//! A bare WHIP endpoint on 127.0.0.1: prints packets per second, sender reports and losses of each track that arrives.
//! For trying a publisher against `weft-rtc` alone: `cargo run -p weft-rtc --example whip_probe [http-port]`.

#![allow(clippy::print_stdout, reason = "a command-line tool prints")]

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use weft_rtc::{
    Error, Feedback, MediaReceiver, NegotiatedTrack, PeerAddresses, PeerHandle, ReceivedRtp, RtcConfig,
    SenderReport, Shards,
};
use weft_wire::CloseReason;

#[derive(Default, Clone)]
struct Track {
    packets: u64,
    bytes: u64,
    frames: u64,
    last: Option<u16>,
    missing: u64,
    filled: u64,
}

struct Probe {
    name: String,
    opened: Instant,
    next: Option<Instant>,
    tracks: Vec<Track>,
    reports: u64,
    rtt: Duration,
}

impl MediaReceiver for Probe {
    fn connected(&mut self, now: Instant, addresses: PeerAddresses) {
        println!(
            "{} connected after {:?}: {addresses:?}",
            self.name,
            now - self.opened
        );
        self.next = Some(now + Duration::from_secs(1));
    }

    fn rtp(&mut self, now: Instant, packet: ReceivedRtp, feedback: &mut Feedback) {
        let track = &mut self.tracks[packet.track];
        if track.packets == 0 {
            println!(
                "{} track {} first packet after {:?}",
                self.name,
                packet.track,
                now - self.opened
            );
        }
        track.packets += 1;
        track.bytes += packet.payload.len() as u64;
        track.frames += u64::from(packet.marker);
        let ahead = track.last.map_or(1, |last| packet.seq.wrapping_sub(last));
        if ahead == 0 || ahead >= 0x8000 {
            track.filled += 1;
            return;
        }
        if ahead > 1 {
            track.missing += u64::from(ahead - 1);
            let missing = (1..ahead).map(|i| packet.seq.wrapping_sub(i)).collect();
            feedback.nack.push((packet.track, missing));
        }
        track.last = Some(packet.seq);
    }

    fn sender_report(&mut self, _: Instant, report: SenderReport) {
        self.reports += 1;
        if self.reports <= 2 {
            println!("{} {report:?}", self.name);
        }
    }

    fn round_trip(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    fn loop_stalled(&mut self, _: Instant, pause: Duration, _: &mut Feedback) {
        println!("{} the loop stood still for {pause:?}", self.name);
    }

    fn poll(&mut self, now: Instant, feedback: &mut Feedback) -> Option<Instant> {
        if self.next.is_some_and(|at| at <= now) {
            self.next = Some(now + Duration::from_secs(1));
            feedback.keyframe.push(0);
            for (i, t) in self.tracks.iter_mut().enumerate() {
                println!(
                    "{} track {i}: {} packets/s {} kbit/s {} markers, missing {} filled {}, reports {} rtt {:?}",
                    self.name,
                    t.packets,
                    t.bytes / 125,
                    t.frames,
                    t.missing,
                    t.filled,
                    self.reports,
                    self.rtt
                );
                (t.packets, t.bytes, t.frames) = (0, 0, 0);
            }
        }
        self.next
    }

    fn closed(&mut self, reason: CloseReason) {
        println!("{} closed: {}", self.name, reason.token());
    }
}

struct State {
    shards: Shards,
    peers: Mutex<HashMap<String, PeerHandle>>,
}

async fn post(
    request: HttpRequest,
    name: web::Path<String>,
    body: String,
    state: web::Data<State>,
) -> HttpResponse {
    let name = name.into_inner();
    let id = format!(
        "{name}-{}",
        state.peers.lock().map(|p| p.len()).unwrap_or_default()
    );
    if std::env::var_os("DUMP").is_some() {
        println!("OFFER\n{body}");
    }
    let (label, opened) = (id.clone(), Instant::now());
    let make = Box::new(move |tracks: &[NegotiatedTrack], _: PeerHandle| {
        println!("{label} tracks {tracks:?}");
        let probe = Probe {
            name: label,
            opened,
            next: None,
            tracks: vec![Track::default(); tracks.len()],
            reports: 0,
            rtt: Duration::ZERO,
        };
        Ok(Box::new(probe) as Box<dyn MediaReceiver>)
    });
    let reached_at = request.app_data::<SocketAddr>().map(SocketAddr::ip);
    match state.shards.pick().answer_at(body, reached_at, make).await {
        Ok(answer) => {
            if std::env::var_os("DUMP").is_some() {
                println!("ANSWER\n{}", answer.sdp);
            }
            if let Ok(mut peers) = state.peers.lock() {
                peers.insert(id.clone(), answer.peer);
            }
            HttpResponse::Created()
                .insert_header(("Location", format!("/session/{id}")))
                .insert_header(("Access-Control-Allow-Origin", "*"))
                .content_type("application/sdp")
                .body(answer.sdp)
        }
        Err(Error::Offer(e)) => {
            println!("{id} refused: {e}");
            HttpResponse::BadRequest().body(e.to_string())
        }
        Err(e) => {
            println!("{id} failed: {e}");
            HttpResponse::ServiceUnavailable().body(e.to_string())
        }
    }
}

async fn patch(id: web::Path<String>, body: String, state: web::Data<State>) -> HttpResponse {
    let peer = state.peers.lock().ok().and_then(|p| p.get(&*id).cloned());
    let Some(peer) = peer else {
        return HttpResponse::NotFound().finish();
    };
    match peer.patch(body).await {
        Ok(Some(fragment)) => HttpResponse::Ok()
            .content_type("application/trickle-ice-sdpfrag")
            .body(fragment),
        Ok(None) => HttpResponse::NoContent().finish(),
        Err(e) => HttpResponse::BadRequest().body(e.to_string()),
    }
}

async fn delete(id: web::Path<String>, state: web::Data<State>) -> HttpResponse {
    let peer = state.peers.lock().ok().and_then(|mut p| p.remove(&*id));
    match peer {
        Some(peer) => {
            println!("{id} deleted: {:?}", peer.stats());
            peer.close(CloseReason::PeerLeft);
            HttpResponse::Ok().finish()
        }
        None => HttpResponse::NotFound().finish(),
    }
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(8080), |p| p.parse())?;
    let log = tracing_subscriber::EnvFilter::try_from_default_env()
        .or_else(|_| tracing_subscriber::EnvFilter::try_new(format!("info,{}", weft_rtc::QUIET)))?;
    tracing_subscriber::fmt().with_env_filter(log).init();
    let shards = Shards::start(RtcConfig {
        udp_address: "127.0.0.1:0".parse()?,
        ..RtcConfig::default()
    })?;
    println!(
        "http://127.0.0.1:{port}/NAME/whip, UDP {:?}, process {}",
        shards.addresses(),
        std::process::id()
    );
    let state = web::Data::new(State {
        shards: shards.clone(),
        peers: Mutex::default(),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(128 * 1024))
            .route("/{name}/whip", web::post().to(post))
            .route("/session/{id}", web::patch().to(patch))
            .route("/session/{id}", web::delete().to(delete))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", port))?
    .run();
    let http = server.handle();
    actix_web::rt::spawn(server);
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    http.stop(false).await;
    shards.stop(CloseReason::Shutdown).await;
    shards
        .counters()
        .each(&mut |name, _, value| println!("{name} {value}"));
    Ok(())
}
