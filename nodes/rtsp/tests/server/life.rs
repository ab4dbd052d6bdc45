//! Time limits, slow readers, ends: on a clock that jumps to the next timer when nothing else is to do.
//! What is sent in the meantime is tested in `transports`.

use crate::client::{Client, Item};
use crate::mock;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use weft_rtsp_server::{ServerConfig, UdpAddresses};

fn secs(duration: Duration) -> u64 {
    // The clock jumps to timers, which fire up to a millisecond late.
    (duration + Duration::from_millis(500)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed_after_the_read_timeout() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let began = Instant::now();
    assert_eq!(client.until_closed().await, None);
    assert_eq!(secs(began.elapsed()), 10);
    assert_eq!(server.counter("weft_rtsp_connections_timed_out_total"), 1);
    assert_eq!(server.counter("weft_rtsp_connections_silent"), 0);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_waited_for_as_long_and_told() {
    let server = mock::start();
    for half in [
        &b"DESCRIBE rtsp://h/demo RTSP/1.0\r\nCSe"[..],
        b"$\x01\x10\x00abc",
        b"OPTIONS",
    ] {
        let mut client = Client::connect(&server).await;
        assert_eq!(client.ask("OPTIONS", "*", "").await.status, 200);
        client.send(half).await;
        let began = Instant::now();
        let answer = client.until_closed().await.unwrap();
        assert_eq!(answer.status, 408);
        assert_eq!(secs(began.elapsed()), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_first_request_is_told_as_well_also_when_it_began_late() {
    let server = mock::start();
    for late in [0, 50, 9000] {
        let mut client = Client::connect(&server).await;
        let began = Instant::now();
        tokio::time::sleep(Duration::from_millis(late)).await;
        client.send(b"DESCRIBE rtsp://h/demo RTSP/1.0\r\nCSe").await;
        let answer = client.until_closed().await.expect("closed without a word");
        assert_eq!(answer.status, 408);
        assert_eq!(secs(began.elapsed()), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_drip_do_not_stretch_the_limit() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.ask("OPTIONS", "*", "").await;
    let began = Instant::now();
    for byte in b"DESCRIBE rtsp://h/demo" {
        client.send([*byte]).await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        if began.elapsed() > Duration::from_secs(9) {
            break;
        }
    }
    assert_eq!(client.until_closed().await.unwrap().status, 408);
    assert_eq!(secs(began.elapsed()), 10);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_play_ends_after_its_timeout_and_any_request_renews_it() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("video");
    client
        .set_up(
            &format!("{url}/trackID=0"),
            "Transport: RTP/AVP/TCP;interleaved=0-1\r\n",
        )
        .await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(client.ask("GET_PARAMETER", &url, "").await.status, 200);
    let began = Instant::now();
    client.until_closed().await;
    assert_eq!(secs(began.elapsed()), 60);
    assert_eq!(server.handle.sessions().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_plays_over_tcp_needs_no_keep_alive() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.play("video", &[0]).await;
    client.frame().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    server.video.picture(true, 10);
    client.frame().await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_over_udp_lives_by_its_reports_alone() {
    let server = mock::start();
    let (media, reports) = (
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    );
    let ports = format!(
        "{}-{}",
        media.local_addr().unwrap().port(),
        reports.local_addr().unwrap().port()
    );
    let mut client = Client::connect(&server).await;
    let url = client.url("video");
    client
        .set_up(
            &format!("{url}/trackID=0"),
            &format!("Transport: RTP/AVP;unicast;client_port={ports}\r\n"),
        )
        .await;
    client.ask("PLAY", &url, "").await;
    let rtcp = server.addresses().rtcp.unwrap();
    for n in 1..=5 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        reports
            .send_to(&[0x80, 201, 0, 1, 0, 0, 0, 9], rtcp)
            .await
            .unwrap();
        server
            .until(|| server.counter("weft_rtsp_reports_received_total") == n)
            .await;
    }
    assert_eq!(server.handle.sessions().len(), 1);
    // Somebody else's datagrams keep nobody alive.
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(30)).await;
    stranger
        .send_to(&[0x80, 201, 0, 1, 0, 0, 0, 9], rtcp)
        .await
        .unwrap();
    client.until_closed().await;
    assert_eq!(secs(began.elapsed()), 60);
    assert_eq!(server.counter("weft_rtsp_reports_unknown_total"), 1);
    assert_eq!(server.video.readers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_skips_then_is_closed_and_nobody_else_notices() {
    let server = mock::start();
    let mut slow = Client::connect(&server).await;
    let mut quick = Client::connect(&server).await;
    slow.play("video", &[0]).await;
    quick.play("video", &[0]).await;
    let queue = server.video.queue(0);
    let began = Instant::now();
    let mut next = None;
    // 20 Mbit/s, a key unit each second.
    for n in 0_u32.. {
        let block = server.video.picture(n.is_multiple_of(25), 100_000);
        let mut packets = 0;
        while packets < block.len() {
            let (channel, packet) = quick.frame().await;
            if channel == 0 {
                let seq = crate::client::rtp(&packet).seq;
                assert_eq!(next.unwrap_or(seq), seq);
                next = Some(seq.wrapping_add(1));
                packets += 1;
            }
        }
        if server.counter("weft_rtsp_readers_too_slow_total") == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "never closed");
    }
    assert!(
        queue.skipped.load(SeqCst) > 0,
        "its queue went on to a later key unit"
    );
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(10) && took < Duration::from_secs(13),
        "{took:?}"
    );
    assert_eq!(server.counter("weft_rtsp_readers_too_slow_total"), 1);
    assert_eq!(server.handle.sessions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_silent_connections_do_not_keep_a_reader_out_and_are_gone_soon() {
    let server = mock::start();
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(Client::connect(&server).await);
    }
    server.until(|| server.counter("rtsp_conns") == 500).await;
    let mut reader = Client::connect(&server).await;
    server.video.picture(true, 100);
    reader.play("video", &[0]).await;
    reader.frame().await;
    for client in &mut silent {
        client.until_closed().await;
    }
    server.until(|| server.counter("rtsp_conns") == 1).await;
    assert_eq!(server.counter("weft_rtsp_connections_silent"), 0);
    assert_eq!(server.handle.sessions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_above_the_limit_are_closed_at_once() {
    let server = mock::start_with(ServerConfig {
        max_connections: 2,
        ..mock::config()
    });
    let (mut one, mut two) = (Client::connect(&server).await, Client::connect(&server).await);
    one.ask("OPTIONS", "*", "").await;
    two.ask("OPTIONS", "*", "").await;
    let mut three = Client::connect(&server).await;
    assert_eq!(three.answer().await.status, 503);
    assert_eq!(three.item().await, Item::Closed);
    assert_eq!(server.counter("weft_rtsp_connections_refused_total"), 1);
    drop(one);
    server.until(|| server.counter("rtsp_conns") == 1).await;
    let mut four = Client::connect(&server).await;
    assert_eq!(four.ask("OPTIONS", "*", "").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_closes_the_oldest_that_has_said_nothing_and_takes_the_newcomer() {
    let server = mock::start_with(ServerConfig {
        max_connections: 8,
        ..mock::config()
    });
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Client::connect(&server).await);
    }
    server.until(|| server.counter("rtsp_conns") == 8).await;
    let mut newcomer = Client::connect(&server).await;
    assert_eq!(newcomer.ask("OPTIONS", "*", "").await.status, 200);
    silent.remove(0).until_closed().await;
    assert_eq!(server.counter("weft_rtsp_connections_made_room_total"), 1);
    assert_eq!(silent.remove(0).ask("OPTIONS", "*", "").await.status, 200);
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_sessions_and_no_more() {
    let mut config = weft_config::Config::default();
    config.fabric.limits.connections_per_address = 3;
    config.fabric.limits.sessions_per_address = 1;
    let server = mock::start_with(ServerConfig {
        settings: weft_config::Live::fixed(config),
        ..mock::config()
    });
    let mut first = Client::connect(&server).await;
    first.play("video", &[0]).await;
    let mut second = Client::connect(&server).await;
    let url = second.url("video");
    assert_eq!(second.ask("DESCRIBE", &url, "").await.status, 200);
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    let refused = second.ask("SETUP", &format!("{url}/trackID=0"), transport).await;
    assert_eq!(refused.status, 453, "{refused:?}");
    assert!(
        refused.body.contains("fabric.limits.sessionsPerAddress"),
        "{refused:?}"
    );
    assert_eq!(server.counter("weft_rtsp_sessions_of_address_refused_total"), 1);

    let mut third = Client::connect(&server).await;
    assert_eq!(third.ask("OPTIONS", "*", "").await.status, 200);
    let mut fourth = Client::connect(&server).await;
    assert_eq!(fourth.answer().await.status, 503);
    assert_eq!(
        server.counter("weft_rtsp_connections_of_address_refused_total"),
        1
    );

    drop(first);
    server.until(|| server.counter("rtsp_sessions") == 0).await;
    second.set_up(&format!("{url}/trackID=0"), transport).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_never_found_is_answered_in_time() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("never");
    let began = Instant::now();
    assert_eq!(client.ask("DESCRIBE", &url, "").await.status, 503);
    assert_eq!(secs(began.elapsed()), 10);
}

#[tokio::test]
async fn a_kicked_session_is_closed_with_a_goodbye() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    client.play("video", &[0]).await;
    let id = server.handle.sessions()[0].id;
    assert_eq!(client.session, Some(id.simple().to_string()));
    assert!(server.handle.kick(id));
    client.until_closed().await;
    server
        .until(|| server.video.readers() == 0 && server.counter("rtsp_conns") == 0)
        .await;
    assert!(!server.handle.kick(id));
}

#[tokio::test]
async fn shutdown_closes_every_connection_and_returns() {
    let mut server = mock::start();
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(&server).await;
        client.play("video", &[0]).await;
        clients.push(client);
    }
    server.stop.cancel();
    for client in &mut clients {
        client.until_closed().await;
    }
    (&mut server.task).await.unwrap();
    assert_eq!(server.video.readers(), 0);
    assert_eq!(server.counter("rtsp_conns"), 0);
}

#[tokio::test]
async fn readers_that_come_and_go_leave_nothing() {
    let server = mock::start();
    server.video.picture(true, 1000);
    for n in 0..200 {
        let mut client = Client::connect(&server).await;
        client.play("video", &[0]).await;
        client.frame().await;
        if n % 2 == 0 {
            let url = client.url("video");
            client.ask("TEARDOWN", &url, "").await;
        }
    }
    server.until(|| server.counter("rtsp_conns") == 0).await;
    assert_eq!(server.counter("rtsp_sessions"), 0);
    assert_eq!(server.counter("weft_rtsp_readers_total"), 200);
    assert_eq!(server.video.readers(), 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_stream_is_looked_for_frees_all_at_once() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("never");
    client
        .send(format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
        .await;
    server
        .until(|| server.counter("rtsp_conns") == 1 && server.searches.load(SeqCst) == 1)
        .await;
    // What it says meanwhile is no hanging up.
    client
        .send(format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n"))
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.searches.load(SeqCst), 1);
    let began = std::time::Instant::now();
    drop(client);
    server
        .until(|| server.counter("rtsp_conns") == 0 && server.searches.load(SeqCst) == 0)
        .await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_a_client_sends_ahead_is_answered_when_its_stream_is_found() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("slow");
    client
        .send(format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
        .await;
    server.until(|| server.searches.load(SeqCst) == 1).await;
    client
        .send(format!(
            "OPTIONS {url} RTSP/1.0\r\nCSeq: 2\r\n\r\nOPTIONS {url} RTSP/1.0\r\nCSeq: 3\r\n\r\n"
        ))
        .await;
    for (cseq, status) in [("1", 200), ("2", 200), ("3", 200)] {
        let answer = client.answer().await;
        assert_eq!((answer.header("CSeq"), answer.status), (cseq, status));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_waited_for_longer_than_a_session_lasts() {
    let patience = Duration::from_secs(100);
    assert!(mock::config().session_timeout < patience);
    let server = mock::start_patient(mock::config(), patience);
    let mut client = Client::connect(&server).await;
    let url = client.url("slow");
    let began = Instant::now();
    assert_eq!(client.ask("DESCRIBE", &url, "").await.status, 200);
    assert_eq!(secs(began.elapsed()), 100);
    let track = format!("{url}/trackID=0");
    let transport = "Transport: RTP/AVP/TCP;interleaved=0-1\r\n";
    assert_eq!(client.set_up(&track, transport).await.status, 200);
    // Beyond its patience nobody waits.
    let mut other = Client::connect(&server).await;
    let began = Instant::now();
    let url = other.url("never");
    assert_eq!(other.ask("DESCRIBE", &url, "").await.status, 503);
    assert_eq!(secs(began.elapsed()), 110);
}

#[tokio::test]
async fn a_reader_is_never_moved_by_a_second_description_of_its_stream() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    server.demo.picture(true, 100);
    client.play("demo", &[0]).await;
    let described = server.requests.lock().unwrap().len();
    let url = client.url("demo");
    let again = client.ask("DESCRIBE", &url, "").await;
    assert_eq!(again.status, 200);
    assert_eq!(
        server.requests.lock().unwrap().len(),
        described,
        "nobody was asked to place it"
    );
}

#[tokio::test]
async fn a_fixed_rtcp_port_is_kept_where_the_rtp_port_is_free_to_choose() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut config = mock::config();
    config.udp = Some(UdpAddresses {
        rtp: "127.0.0.1:0".parse().unwrap(),
        rtcp: free,
    });
    let server = mock::start_with(config);
    assert_eq!(server.addresses().rtcp, Some(free));
    assert_ne!(server.addresses().rtp.unwrap().port(), 0);
}

#[tokio::test]
async fn a_proxy_has_as_many_connections_and_sessions_as_its_clients() {
    let mut config = weft_config::Config::default();
    config.fabric.limits.connections_per_address = 1;
    config.fabric.limits.sessions_per_address = 1;
    config.trusted_proxies.rtsp = vec!["127.0.0.1".parse().unwrap()];
    let server = mock::start_with(ServerConfig {
        settings: weft_config::Live::fixed(config),
        ..mock::config()
    });
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(&server).await;
        client.play("video", &[0]).await;
        clients.push(client);
    }
    assert_eq!(server.counter("rtsp_sessions"), 3);
}
