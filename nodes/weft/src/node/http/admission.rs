//! What happens to a connection before its first request: a place among the others, and the handshake where there is TLS.
//! What it may do after that is `stream`'s and `requests`' business.

use super::counters::Counters;
use super::face::Face;
use super::stream::Guarded;
use actix_http::error::DispatchError;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use weft_limits::Full;

/// How long a refused client may take to see why.
const LAST_WORD: Duration = Duration::from_millis(200);
/// Refused clients of a face that are waited for at a time: closing over what they have sent would destroy the answer.
pub(super) const REFUSING: usize = 64;

/// Lets a connection in, or refuses it with a word.
pub(super) async fn admit(
    face: Face,
    tcp: TcpStream,
) -> Result<(Guarded, Option<SocketAddr>), DispatchError> {
    let peer = tcp.peer_addr().map_err(DispatchError::Io)?;
    let config = face.now();
    let (bounds, ip) = (face.bounds(&config), peer.ip().to_canonical());
    let entered = if face.trusts(&config, ip) {
        face.door.enter_by_proxy(bounds)
    } else {
        face.door.enter(ip, bounds)
    };
    let mut guest = match entered {
        Ok(guest) => guest,
        Err(full) => {
            refuse(&face, tcp, full).await;
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        }
    };
    Counters::one(&face.counters.accepted);
    // Answers are whole when they are written.
    tcp.set_nodelay(true).ok();
    let Some(acceptor) = &face.acceptor else {
        return Ok((Guarded::plain(tcp, guest, &face), Some(peer)));
    };
    let done = tokio::select! {
        biased;
        () = guest.sent_away() => {
            Counters::one(&face.counters.made_room);
            return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
        }
        done = acceptor.accept(tcp, config.read_timeout) => done,
    };
    match done {
        Ok(stream) => Ok((Guarded::secure(stream, guest, &face), Some(peer))),
        Err(error) => {
            tracing::debug!(%peer, %error, port = face.key(), "no TLS connection");
            Err(io::Error::other(error).into())
        }
    }
}

/// Says in HTTP why, where that can be read without a handshake.
async fn refuse(face: &Face, mut tcp: TcpStream, full: Full) {
    let (counter, status) = match full {
        Full::Address => (&face.counters.refused_address, "429 Too Many Requests"),
        Full::Port => (&face.counters.refused, "503 Service Unavailable"),
    };
    Counters::one(counter);
    if face.acceptor.is_some() {
        return;
    }
    let body = format!("{{\"status\":\"error\",\"error\":\"{full}\"}}");
    let answer = format!(
        "HTTP/1.1 {status}\r\nServer: weft\r\nRetry-After: 2\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // By the socket itself: the runtime does not know yet that it may be written to.
    if socket2::SockRef::from(&tcp).send(answer.as_bytes()).is_err() {
        return;
    }
    // overflow: it is closed at once.
    let Ok(_place) = face.refusing.try_acquire() else {
        return;
    };
    let until = Instant::now() + LAST_WORD;
    _ = tokio::time::timeout_at(until, async {
        socket2::SockRef::from(&tcp).shutdown(std::net::Shutdown::Write)?;
        let mut away = [0; 4096];
        while tcp.read(&mut away).await? > 0 {}
        io::Result::Ok(())
    })
    .await;
}
