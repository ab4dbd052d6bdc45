//! RTSP in: any bytes in any pieces give the same requests, within the bounds, and answers that are one message each.
//! Sessions, URIs and Transport headers are run on every request that comes out.

use bytes::{Bytes, BytesMut};
use std::time::Duration;
use weft_rtsp::{
    Action, Allowed, Error, Frame, Framer, Limits, MAX_BODY, MAX_HEAD, MAX_HEADERS, Request, Response,
    ServerPorts, Session, Target, parse_transports,
};

/// Frames the input whole and in pieces, and plays every request through a session.
pub fn rtsp_framing(data: &[u8]) {
    let (whole, whole_error) = frames(data, data.len().max(1));
    for piece in [1, 7, 1_000] {
        let (pieces, error) = frames(data, piece);
        assert_eq!(whole, pieces, "in pieces of {piece}");
        assert_eq!(whole_error, error, "in pieces of {piece}");
    }
    let cseq = Framer::cseq_of(data);
    assert!(cseq.is_none() || data.len() > 5);
    let mut session = new_session();
    for frame in &whole {
        match frame {
            Frame::Request(request) => play(&mut session, request),
            Frame::Interleaved { data, .. } => assert!(data.len() <= 0xffff),
            Frame::Response => {}
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        uri(text);
        assert!(parse_transports(text).len() <= text.len());
    }
}

fn frames(data: &[u8], piece: usize) -> (Vec<Frame>, Option<Error>) {
    let (mut framer, mut buffer, mut out) = (Framer::default(), BytesMut::new(), Vec::new());
    for bytes in data.chunks(piece) {
        buffer.extend_from_slice(bytes);
        loop {
            match framer.next(&mut buffer) {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(error) => return (out, Some(error)),
            }
        }
        assert!(
            buffer.len() <= MAX_HEAD + MAX_BODY + piece,
            "what is not framed yet is bounded"
        );
    }
    (out, None)
}

fn new_session() -> Session {
    let limits = Limits {
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(60),
    };
    Session::new(
        "0123".into(),
        limits,
        Allowed { tcp: true, udp: true },
        Duration::ZERO,
    )
}

fn play(session: &mut Session, request: &Request) {
    assert!(request.headers.len() <= MAX_HEADERS && request.body.len() <= MAX_BODY);
    let answer = match session.request(request, Duration::from_secs(1)) {
        Action::Reply(answer) | Action::Pause(answer) | Action::TearDown(answer) => answer,
        Action::Describe(target) => session.described(request, &target, "v=0\r\n".into()),
        Action::SetUp(setup) => {
            let track = setup.target.track.unwrap_or(0);
            let ports = ServerPorts {
                rtp: 8_000,
                rtcp: 8_001,
            };
            session.set_up(request, track, setup, Some(ports))
        }
        Action::Play => {
            let starts: Vec<(u8, u16, u32)> = session.tracks().map(|(id, _)| (id, 1, 2)).collect();
            session.playing(request, &starts)
        }
        Action::Renew => {
            *session = new_session();
            return;
        }
    };
    check_answer(&answer);
    assert!(session.tracks().count() <= 256);
}

/// An answer is one message, whatever of the request stands in it.
fn check_answer(answer: &Response) {
    let mut out = BytesMut::new();
    answer.write(&mut out);
    let mut framer = Framer::default();
    assert_eq!(framer.next(&mut out), Ok(Some(Frame::Response)));
    assert_eq!(out, Bytes::new(), "nothing follows it");
}

fn uri(text: &str) {
    if let Ok(target) = Target::parse(text) {
        assert!(!target.path.starts_with('/') && !target.path.ends_with('/'));
        assert!(target.base.ends_with('/') && !target.base.contains('?'));
    }
}
