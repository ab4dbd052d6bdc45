//! The session's states and refusals, request by request.
//! Bytes and framing are tested beside the framer.

use super::*;
use crate::{Frame, Framer};
use bytes::BytesMut;

const LIMITS: Limits = Limits {
    first_request: Duration::from_secs(10),
    idle: Duration::from_secs(60),
};
const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
const UDP: &str = "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n";

fn request(line: &str, headers: &str) -> Request {
    let text = format!("{line} RTSP/1.0\r\nCSeq: 3\r\n{headers}\r\n");
    match Framer::default().next(&mut BytesMut::from(text.as_str())) {
        Ok(Some(Frame::Request(request))) => request,
        other => panic!("{other:?}"),
    }
}

fn session() -> Session {
    let allowed = Allowed { tcp: true, udp: true };
    Session::new("abc".into(), LIMITS, allowed, Duration::ZERO)
}

fn ask(session: &mut Session, line: &str, headers: &str) -> Action {
    session.request(&request(line, headers), Duration::ZERO)
}

fn status(action: Action) -> u16 {
    match action {
        Action::Reply(response) => response.status.0,
        other => panic!("{other:?}"),
    }
}

fn set_up(session: &mut Session, track: u8, transport: &str) -> Response {
    let request = request(&format!("SETUP rtsp://h/cam/trackID={track}"), transport);
    match session.request(&request, Duration::ZERO) {
        Action::SetUp(setup) => session.set_up(
            &request,
            track,
            setup,
            Some(ServerPorts {
                rtp: 8000,
                rtcp: 8001,
            }),
        ),
        other => panic!("{other:?}"),
    }
}

fn playing(transport: &str) -> Session {
    let mut s = session();
    set_up(&mut s, 0, transport);
    s.playing(&request("PLAY rtsp://h/cam/", ""), &[(0, 7, 9)]);
    s
}

#[test]
fn a_session_goes_from_init_to_playing_to_paused_and_back() {
    let mut s = session();
    assert_eq!(status(ask(&mut s, "OPTIONS *", "")), 200);
    assert!(matches!(ask(&mut s, "DESCRIBE rtsp://h/cam", ""), Action::Describe(t) if t.path == "cam"));
    let answer = set_up(&mut s, 0, TCP);
    assert_eq!(answer.header("Session"), Some("abc;timeout=60"));
    assert_eq!(
        answer.header("Transport"),
        Some("RTP/AVP/TCP;unicast;interleaved=0-1")
    );
    let answer = set_up(&mut s, 1, TCP);
    assert_eq!(
        answer.header("Transport"),
        Some("RTP/AVP/TCP;unicast;interleaved=2-3"),
        "0-1 is taken"
    );
    assert_eq!(
        ask(&mut s, "PLAY rtsp://h/cam/", "Session: abc\r\n"),
        Action::Play
    );
    let answer = s.playing(
        &request("PLAY rtsp://h/cam/", "Session: abc\r\n"),
        &[(1, 2, 3), (0, 65535, 4_000_000_000)],
    );
    assert_eq!(answer.header("Range"), Some("npt=now-"));
    assert_eq!(
        answer.header("RTP-Info"),
        Some(
            "url=rtsp://h/cam/trackID=0;seq=65535;rtptime=4000000000,url=rtsp://h/cam/trackID=1;seq=2;rtptime=3"
        )
    );
    assert_eq!(
        status(ask(&mut s, "PLAY rtsp://h/cam/", "Session: abc;timeout=60\r\n")),
        200
    );
    assert!(matches!(ask(&mut s, "PAUSE rtsp://h/cam/", ""), Action::Pause(_)));
    assert_eq!(s.state(), State::Paused);
    assert_eq!(status(ask(&mut s, "PAUSE rtsp://h/cam/", "")), 200);
    assert_eq!(ask(&mut s, "PLAY rtsp://h/cam/", ""), Action::Play);
    assert!(matches!(
        ask(&mut s, "TEARDOWN rtsp://h/cam/", ""),
        Action::TearDown(_)
    ));
}

#[test]
fn methods_out_of_their_state_are_refused() {
    let mut s = session();
    assert_eq!(status(ask(&mut s, "PLAY rtsp://h/cam", "")), 455);
    assert_eq!(status(ask(&mut s, "PAUSE rtsp://h/cam", "")), 455);
    assert_eq!(status(ask(&mut s, "TEARDOWN rtsp://h/cam", "")), 454);
    assert_eq!(
        status(ask(&mut s, "GET_PARAMETER rtsp://h/cam", "Session: old\r\n")),
        454
    );
    let mut s = playing(TCP);
    let again = format!("{TCP}Session: abc\r\n");
    assert_eq!(status(ask(&mut s, "SETUP rtsp://h/cam/trackID=1", &again)), 455);
    assert_eq!(status(ask(&mut s, "PAUSE rtsp://h/cam", "Session: abd\r\n")), 454);
}

#[test]
fn what_this_server_cannot_do_has_its_own_status() {
    let mut s = session();
    assert_eq!(status(ask(&mut s, "ANNOUNCE rtsp://h/cam", "")), 405);
    assert_eq!(status(ask(&mut s, "RECORD rtsp://h/cam", "")), 405);
    assert_eq!(status(ask(&mut s, "PLAY_NOTIFY rtsp://h/cam", "")), 501);
    assert_eq!(
        status(ask(&mut s, "options *", "")),
        501,
        "methods are case-sensitive"
    );
    assert_eq!(status(ask(&mut s, "DESCRIBE /cam", "")), 400);
    assert_eq!(status(ask(&mut s, "SETUP rtsp://h/cam/trackID=0", "")), 400);
    assert_eq!(
        status(ask(
            &mut s,
            "SETUP rtsp://h/cam/trackID=0",
            "Transport: RTP/AVP;multicast\r\n"
        )),
        461
    );
    let mut old = request("OPTIONS *", "");
    old.version = Version::Other;
    assert_eq!(status(s.request(&old, Duration::ZERO)), 505);
    let mut bare = request("OPTIONS *", "");
    bare.headers = crate::Headers::default();
    assert_eq!(status(s.request(&bare, Duration::ZERO)), 400);
}

#[test]
fn parameters_are_a_sign_of_life_and_nothing_else() {
    let mut s = playing(TCP);
    assert_eq!(
        status(ask(&mut s, "GET_PARAMETER rtsp://h/cam", "Session: abc\r\n")),
        200
    );
    assert_eq!(status(ask(&mut s, "SET_PARAMETER rtsp://h/cam", "")), 200);
    let mut set = request("SET_PARAMETER rtsp://h/cam", "");
    set.body = Bytes::from_static(b"volume: 11\r\n");
    assert_eq!(status(s.request(&set, Duration::ZERO)), 451);
}

#[test]
fn all_tracks_of_a_session_travel_alike_and_are_of_one_stream() {
    let mut s = session();
    set_up(&mut s, 0, UDP);
    assert_eq!(status(ask(&mut s, "SETUP rtsp://h/cam/trackID=1", TCP)), 461);
    assert_eq!(status(ask(&mut s, "SETUP rtsp://h/other/trackID=1", UDP)), 400);
    assert_eq!(
        set_up(
            &mut s,
            1,
            "Transport: RTP/AVP/TCP;interleaved=0-1,RTP/AVP/UDP;client_port=6000-6001\r\n"
        )
        .header("Transport"),
        Some("RTP/AVP;unicast;client_port=6000-6001;server_port=8000-8001")
    );
}

#[test]
fn setup_without_a_session_while_playing_begins_anew() {
    let mut s = playing(UDP);
    assert_eq!(ask(&mut s, "SETUP rtsp://h/cam/trackID=0", TCP), Action::Renew);
}

#[test]
fn a_track_set_up_twice_takes_the_second_transport() {
    let mut s = session();
    set_up(&mut s, 0, TCP);
    let answer = set_up(&mut s, 0, TCP);
    assert_eq!(
        answer.header("Transport"),
        Some("RTP/AVP/TCP;unicast;interleaved=0-1"),
        "its own channels are not in its way"
    );
    assert_eq!(s.tracks().count(), 1);
}

#[test]
fn silence_ends_a_session_unless_it_plays_over_its_connection() {
    let at = Duration::from_secs;
    let mut s = session();
    assert_eq!(s.deadline(), Some(at(10)));
    s.request(&request("OPTIONS *", ""), at(5));
    assert_eq!(s.deadline(), Some(at(65)));
    assert_eq!(playing(TCP).deadline(), None);
    let mut s = playing(UDP);
    assert_eq!(s.deadline(), Some(at(60)));
    s.touch(at(50));
    s.touch(at(40));
    assert_eq!(s.deadline(), Some(at(110)), "a late report moves nothing back");
    let mut s = playing(TCP);
    ask(&mut s, "PAUSE rtsp://h/cam", "");
    assert_eq!(s.deadline(), Some(at(60)));
}
