//! Every method and every refusal, as bytes on a connection.
//! The rules of the states are tested without sockets in `weft-rtsp`.

use crate::client::{Client, rtp};
use crate::mock::{self, VIDEO};
use std::sync::atomic::Ordering::SeqCst;

const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";

#[tokio::test]
async fn options_names_every_method() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    for url in ["*", "rtsp://127.0.0.1", "rtsp://127.0.0.1/anything"] {
        let answer = client.ask("OPTIONS", url, "").await;
        assert_eq!((answer.status, answer.reason.as_str()), (200, "OK"));
        assert_eq!(
            answer.header("public"),
            "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
        );
    }
}

#[tokio::test]
async fn describe_gives_the_tracks_and_a_base_without_the_query() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("demo?token=a/b");
    let answer = client
        .ask(
            "DESCRIBE",
            &url,
            "Accept: application/sdp\r\nUser-Agent: Test/1\r\n",
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert_eq!(answer.header("content-base"), client.url("demo/"));
    assert!(answer.body.contains("sprop-parameter-sets="), "{}", answer.body);
    assert!(answer.body.contains("a=control:trackID=1\r\n"), "{}", answer.body);
    let asked = server.requests.lock().unwrap()[0].clone();
    assert_eq!(asked.stream.as_str(), "demo");
    assert_eq!(asked.query.as_deref(), Some("token=a/b"));
    assert_eq!(asked.user_agent.as_deref(), Some("Test/1"));
    assert_eq!(asked.peer, client.stream.local_addr().unwrap());
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("nothing");
    let answer = client.ask("DESCRIBE", &url, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "no such stream\r\n"));
    let url = client.url("moved");
    let answer = client.ask("DESCRIBE", &url, "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, "rtsp://other:8554/moved")
    );
    let url = client.url("full");
    assert_eq!(client.ask("DESCRIBE", &url, "").await.status, 453);
    let url = client.url("later/trackID=0");
    let answer = client.ask("SETUP", &url, TCP).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "3"));
    for bad in ["", "..", "a%20b", "a//b"] {
        let url = client.url(bad);
        let answer = client.ask("DESCRIBE", &url, "").await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(!answer.body.is_empty());
    }
    let url = client.url("demo");
    for (method, status) in [
        ("ANNOUNCE", 405),
        ("RECORD", 405),
        ("DANCE", 501),
        ("PLAY", 455),
        ("PAUSE", 455),
    ] {
        assert_eq!(client.ask(method, &url, "").await.status, status, "{method}");
    }
    assert_eq!(client.ask("TEARDOWN", &url, "").await.status, 454);
    assert_eq!(
        client
            .ask("GET_PARAMETER", &url, "Session: 1234\r\n")
            .await
            .status,
        454
    );
    assert_eq!(server.counter("weft_rtsp_requests_refused_total"), 14);
}

#[tokio::test]
async fn set_up_refuses_what_it_cannot_do() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let track = client.url("demo/trackID=0");
    for (transport, status) in [
        ("", 400),
        ("Transport: RTP/AVP;multicast\r\n", 461),
        ("Transport: RTP/SAVP;unicast;client_port=5000-5001\r\n", 461),
        ("Transport: nonsense\r\n", 461),
    ] {
        assert_eq!(
            client.ask("SETUP", &track, transport).await.status,
            status,
            "{transport}"
        );
    }
    let url = client.url("demo/trackID=7");
    assert_eq!(client.ask("SETUP", &url, TCP).await.status, 404);
    let url = client.url("demo");
    assert_eq!(
        client.ask("SETUP", &url, TCP).await.status,
        459,
        "which of two tracks?"
    );
    let url = client.url("video");
    assert_eq!(
        client.ask("SETUP", &url, TCP).await.status,
        200,
        "there is only one"
    );
}

#[tokio::test]
async fn a_missing_sequence_number_is_told() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.send("OPTIONS * RTSP/1.0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.reason.as_str()), (400, "Bad Request"));
    assert_eq!(
        client.ask("OPTIONS", "*", "").await.status,
        200,
        "the connection lives on"
    );
    client.send("OPTIONS * RTSP/2.0\r\nCSeq: 9\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 505);
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("demo");
    client
        .send(format!(
            "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nDESCRIBE {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n\
             SETUP {url}/trackID=0 RTSP/1.0\r\nCSeq: 3\r\n{TCP}\r\nPLAY {url} RTSP/1.0\r\nCSeq: 4\r\n\r\n"
        ))
        .await;
    for cseq in 1..=4 {
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("cseq")),
            (200, cseq.to_string().as_str())
        );
    }
}

#[tokio::test]
async fn play_pause_play_goes_on_at_the_next_key_unit_with_exact_rtp_info() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let block = server.video.picture(true, 2000);
    client.play("video", &[0]).await;
    let (_, report) = client.frame().await;
    assert_eq!(report[1], 200);
    let mut before = rtp(&client.frame().await.1);
    for _ in 1..block.len() {
        before = rtp(&client.frame().await.1);
    }
    let url = client.url("video");
    assert_eq!(client.ask("PAUSE", &url, "").await.status, 200);
    server.video.picture(false, 100);
    server.video.picture(false, 100);
    let again = tokio::spawn(async move {
        let answer = client.ask("PLAY", &url, "").await;
        (client, answer)
    });
    // The pause ends when the server has taken the request; only then is a key unit one to go on with.
    let queue = server.video.queue(0);
    server.until(|| queue.resumed()).await;
    server.video.picture(false, 100);
    let key = server.video.picture(true, 2000);
    let (mut client, answer) = again.await.unwrap();
    let first = rtp(&client.frame().await.1);
    let track = client.url("video/trackID=0");
    assert_eq!(
        answer.header("rtp-info"),
        format!("url={track};seq={};rtptime={}", first.seq, first.time)
    );
    assert_eq!(first.time, key.rtp_time);
    assert_eq!(
        first.seq,
        before.seq.wrapping_add(1),
        "what was left out on purpose leaves no hole"
    );
    assert_eq!(first.ssrc, before.ssrc);
}

#[tokio::test]
async fn teardown_is_answered_and_closes() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.play("demo", &[0, 1]).await;
    assert_eq!(server.demo.readers(), 1);
    let url = client.url("demo");
    assert_eq!(client.ask("TEARDOWN", &url, "").await.status, 200);
    assert_eq!(client.until_closed().await, None);
    server
        .until(|| server.demo.readers() == 0 && server.handle.sessions().is_empty())
        .await;
    assert_eq!(server.demo.described.load(SeqCst), 1);
    assert_eq!(server.demo.joined.lock().unwrap()[0].tracks, [VIDEO, mock::AUDIO]);
}

#[tokio::test]
async fn a_paused_reader_is_told_when_its_stream_ends() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.play("video", &[0]).await;
    let url = client.url("video");
    assert_eq!(client.ask("PAUSE", &url, "").await.status, 200);
    server.video.tell(&mock::ended());
    client.until_closed().await;
}

#[tokio::test]
async fn describing_another_stream_moves_no_session() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let track = client.url("video/trackID=0");
    client.set_up(&track, TCP).await;
    let other = client.url("demo");
    assert_eq!(client.ask("DESCRIBE", &other, "").await.status, 200);
    let url = client.url("video");
    assert_eq!(client.ask("PLAY", &url, "").await.status, 200);
    assert_eq!((server.video.readers(), server.demo.readers()), (1, 0));
}
