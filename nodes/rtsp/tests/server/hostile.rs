//! Bytes that no player sends: each ends its own connection with a clear answer, and nothing else.
//! Bounds of the framing itself are tested in `weft-rtsp`.

use crate::client::Client;
use crate::mock;
use rand::{Rng, SeedableRng, rngs::StdRng};

#[tokio::test]
async fn garbage_is_answered_with_400_and_closed() {
    let server = mock::start();
    let long = [
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: ".to_vec(),
        vec![b'a'; 20_000],
    ]
    .concat();
    for (bytes, cseq) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], ""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""),
        (b"DESCRIBE rtsp://h/a b RTSP/1.0\r\nCSeq: 8\r\n\r\n", "8"),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\nbroken\r\n\r\n", "7"),
        (
            b"OPTIONS * RTSP/1.0\r\nCSeq: 6\r\nContent-Length: -1\r\n\r\n",
            "6",
        ),
        (&long, "1"),
    ] {
        let mut client = Client::connect(&server).await;
        client.send(bytes).await;
        let answer = client.until_closed().await.unwrap();
        assert_eq!((answer.status, answer.header("cseq")), (400, cseq));
        assert!(!answer.body.is_empty());
    }
    assert_eq!(server.counter("weft_rtsp_connections_malformed_total"), 6);
}

#[tokio::test]
async fn an_announced_body_that_is_too_large_is_refused_before_it_comes() {
    let server = mock::start();
    for length in ["65537", "999999999999", "99999999999999999999999999"] {
        let mut client = Client::connect(&server).await;
        client
            .send(format!(
                "ANNOUNCE rtsp://h/demo RTSP/1.0\r\nCSeq: 4\r\nContent-Length: {length}\r\n\r\nv=0\r\n"
            ))
            .await;
        let answer = client.until_closed().await.unwrap();
        assert_eq!((answer.status, answer.header("cseq")), (413, "4"));
    }
}

#[tokio::test]
async fn a_thousand_random_connections_do_not_disturb_a_reader() {
    let server = mock::start();
    let mut reader = Client::connect(&server).await;
    server.video.picture(true, 100);
    reader.play("video", &[0]).await;
    let mut random = StdRng::seed_from_u64(7);
    let methods = [
        "OPTIONS",
        "DESCRIBE",
        "SETUP",
        "PLAY",
        "PAUSE",
        "TEARDOWN",
        "ANNOUNCE",
        "$\x00\x00\x01",
    ];
    for _ in 0..1000 {
        let mut client = Client::connect(&server).await;
        let mut bytes = Vec::new();
        for _ in 0..random.random_range(1..6) {
            let method = methods[random.random_range(0..methods.len())];
            let line = format!(
                "{method} rtsp://h/video/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP\r\n\r\n"
            );
            bytes.extend_from_slice(line.as_bytes());
        }
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        // The server may have closed before all is written.
        _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &bytes).await;
    }
    let block = server.video.picture(false, 3000);
    let mut got = 0;
    while got < block.len() {
        let (channel, packet) = reader.frame().await;
        got += usize::from(channel == 0 && crate::client::rtp(&packet).time == block.rtp_time);
    }
    server.until(|| server.counter("rtsp_conns") == 1).await;
    assert_eq!(server.video.readers(), 1);
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_not_read_either() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let request = format!("DESCRIBE {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", client.url("demo"));
    let many = request.repeat(100);
    // Until neither side's buffers take more; without the bound this would go on for ever.
    let mut written = 0_u64;
    loop {
        let write = tokio::io::AsyncWriteExt::write_all(&mut client.stream, many.as_bytes());
        if tokio::time::timeout(std::time::Duration::from_millis(300), write)
            .await
            .is_err()
        {
            break;
        }
        written += 100;
        assert!(written < 2_000_000, "the server reads without end");
    }
    assert!(server.counter("weft_rtsp_requests_total") > 0);
}
