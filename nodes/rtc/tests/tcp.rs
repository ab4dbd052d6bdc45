//! Publishers whose network lets TCP through and nothing else (RFC 6544): they publish as by UDP, on whichever shard.
//! What strangers do to the port: it costs them their connection, and nobody anything else.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::client::{Client, payload};
use support::{Log, counter, eventually, recorder, shards_with};
use weft_rtc::{RtcConfig, Shards, Transport};
use weft_wire::CloseReason;

fn listening(change: impl FnOnce(&mut RtcConfig)) -> Shards {
    shards_with(|c| {
        c.tcp_address = "127.0.0.1:0".parse().ok();
        change(c);
    })
}

async fn publish(shards: &Shards, client: &Client, log: &Arc<Log>) -> weft_rtc::Answer {
    let offer = client.offer().await;
    let shard = shards.pick();
    let answer = shard.answer(offer, recorder(log)).await.expect("an answer");
    client.connect(&answer.sdp).await;
    answer
}

/// Sends so many packets of video, no faster than they arrive.
async fn send(client: &Client, log: &Log, packets: usize) {
    let before = log.with(|h| h.seqs[0].len());
    for i in 1..=packets {
        client.send(0).await;
        log.until("the packets so far", |h| h.seqs[0].len() + 30 > before + i)
            .await;
    }
    log.until("all packets", |h| h.seqs[0].len() == before + packets)
        .await;
}

#[actix_rt::test]
async fn a_publisher_without_udp_publishes_by_tcp() {
    let (shards, log) = (listening(|_| {}), Arc::new(Log::default()));
    let client = Client::by_tcp("127.0.0.1:0").await;
    let answer = publish(&shards, &client, &log).await;
    let candidates: Vec<&str> = (answer.sdp.lines())
        .filter(|line| line.starts_with("a=candidate:"))
        .collect();
    // FFmpeg takes the first, whatever it is.
    assert!(candidates[0].contains(" udp "), "{candidates:?}");
    let port = shards.tcp_address().expect("bound").port();
    let passive = format!(" 127.0.0.1 {port} typ host tcptype passive");
    assert!(
        candidates.last().expect("some").ends_with(&passive),
        "{candidates:?}"
    );

    send(&client, &log, 300).await;
    log.with(|h| {
        assert!(
            h.payloads
                .iter()
                .all(|(track, seq, data)| *data == payload(*track, *seq))
        );
        let addresses = h.connected.expect("connected");
        assert_eq!(
            (addresses.transport, addresses.local.port()),
            (Transport::Tcp, port)
        );
    });
    assert_eq!(counter(&shards, "weft_rtc_tcp_media_dropped_total"), 0);
    // What comes the other way arrives too: the round trip, and the end.
    log.until("a round trip", |h| h.rtts > 0).await;
    answer.peer.close(CloseReason::Kicked);
    eventually("the close_notify", async || client.dtls_is_closed().await).await;
    log.until("the end", |h| h.closed == [CloseReason::Kicked]).await;
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn one_port_serves_all_shards_and_publishers_by_udp_beside() {
    let shards = listening(|c| c.shards = 2);
    let mut all = Vec::new();
    for i in 0..5 {
        let client = match i {
            4 => Client::new(None).await,
            _ => Client::by_tcp("127.0.0.1:0").await,
        };
        let log = Arc::new(Log::default());
        publish(&shards, &client, &log).await;
        all.push((client, log));
    }
    for (client, log) in &all {
        send(client, log, 40).await;
    }
    let by = |log: &Log| log.with(|h| h.connected).expect("connected").transport;
    let tcp = all.iter().filter(|(_, log)| by(log) == Transport::Tcp).count();
    assert_eq!(tcp, 4);
    // The publisher's own end is heard.
    all[0].0.pc.close().await.expect("closed");
    let left = |h: &support::Heard| h.closed == [CloseReason::PeerLeft];
    all[0].1.until("the end", left).await;
    shards.stop(CloseReason::Shutdown).await;
    for (client, log) in &all[1..] {
        log.until("the end", |h| h.closed == [CloseReason::Shutdown])
            .await;
        eventually("the close_notify", async || client.dtls_is_closed().await).await;
        client.pc.close().await.expect("closed");
    }
}

/// What comes back on a connection until it is closed.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("set");
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        // The node has closed with our bytes unread.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => all,
        Err(error) => panic!("not closed: {error}"),
    }
}

fn said(port: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(port).expect("connected");
    stream.write_all(bytes).expect("sent");
    stream
}

/// A check for `ufrag` that proves nothing, as a frame.
fn check(ufrag: &str) -> Vec<u8> {
    let user = format!("{ufrag}:x");
    let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
    check.extend([7; 12]);
    check.extend([0, 6, 0, u8::try_from(user.len()).expect("short")]);
    check.extend(user.as_bytes());
    check.resize(check.len().next_multiple_of(4), 0);
    check.extend([0, 8, 0, 20]);
    check.extend([9; 20]);
    let length = u16::try_from(check.len() - 20).expect("short").to_be_bytes();
    check[2..4].copy_from_slice(&length);
    let mut frame = u16::try_from(check.len()).expect("short").to_be_bytes().to_vec();
    frame.extend(check);
    frame
}

#[actix_rt::test]
async fn strangers_lose_their_connections_and_a_publisher_beside_them_loses_nothing() {
    let (shards, log) = (listening(|_| {}), Arc::new(Log::default()));
    let client = Client::by_tcp("127.0.0.1:0").await;
    let answer = publish(&shards, &client, &log).await;
    let ufrag = (answer.sdp.lines())
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .expect("there");
    let port = shards.tcp_address().expect("bound");
    let slow = said(port, &[0]);
    let began = Instant::now();
    let junk: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 0],
        &[0xff; 70_000],
        &[0, 40, 0x16, 0xfe, 0xfd],
        &[[0, 30].as_slice(), &[0x80; 30]].concat(),
    ];
    let strangers: Vec<TcpStream> = junk.iter().map(|bytes| said(port, bytes)).collect();
    // Right names, wrong proof; and names of nobody.
    let liars: Vec<TcpStream> = (0..50)
        .map(|i| said(port, &check(if i % 2 == 0 { ufrag } else { "nobody" })))
        .collect();
    send(&client, &log, 100).await;
    let closed = actix_rt::task::spawn_blocking(move || {
        for stream in strangers.into_iter().take(3).chain(liars) {
            assert!(rest(stream).is_empty(), "nothing is said to strangers");
        }
        assert!(rest(slow).is_empty());
    });
    closed.await.expect("all are closed");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    for (name, most) in [
        ("weft_rtc_dropped_bad_integrity_total", 25),
        ("weft_rtc_dropped_unknown_source_total", 25),
        ("weft_rtc_tcp_connections_silent_total", 1),
        ("weft_rtc_tcp_connections_junk_total", 5),
    ] {
        eventually(
            &format!("{name} is {most}, not {}", counter(&shards, name)),
            async || counter(&shards, name) == most,
        )
        .await;
    }
    send(&client, &log, 50).await;
    assert!(log.with(|h| h.closed.is_empty()));
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_port_full_of_silent_connections_makes_room_and_one_address_has_its_bound() {
    let (shards, log) = (listening(|c| c.tcp_connections = 20), Arc::new(Log::default()));
    let port = shards.tcp_address().expect("bound");
    let silent: Vec<TcpStream> = (0..30).map(|_| said(port, &[0])).collect();
    let client = Client::by_tcp("127.0.0.1:0").await;
    publish(&shards, &client, &log).await;
    send(&client, &log, 20).await;
    assert!(counter(&shards, "weft_rtc_tcp_connections_made_room_total") >= 10);
    drop(silent);
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;

    let mut config = weft_config::Config::default();
    config.fabric.limits.connections_per_address = 3;
    let shards = listening(|c| c.settings = weft_config::Live::fixed(config));
    let port = shards.tcp_address().expect("bound");
    let _crowd: Vec<TcpStream> = (0..10).map(|_| said(port, &[0])).collect();
    eventually("seven are refused", async || {
        counter(&shards, "weft_rtc_tcp_connections_of_address_refused_total") == 7
    })
    .await;
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_port_of_both_families_is_reached_by_ipv6_and_ipv4_over_udp_and_tcp() {
    let shards = shards_with(|c| {
        c.udp_address = "[::]:0".parse().expect("an address");
        c.tcp_address = "[::]:0".parse().ok();
    });
    let ways = [("[::1]:0", "::1"), ("127.0.0.1:0", "127.0.0.1")];
    for (own, at) in ways {
        for transport in [Transport::Udp, Transport::Tcp] {
            let log = Arc::new(Log::default());
            let client = match transport {
                Transport::Udp => Client::at(None, &[own], &[]).await,
                Transport::Tcp => Client::by_tcp(own).await,
            };
            let offer = client.offer().await;
            let shard = shards.pick();
            let answer = shard.answer_at(offer, at.parse().ok(), recorder(&log)).await;
            let answer = answer.expect("an answer");
            let first = answer.sdp.lines().find(|line| line.starts_with("a=candidate:"));
            assert!(first.expect("some").contains(&format!(" {at} ")), "{first:?}");
            client.connect(&answer.sdp).await;
            send(&client, &log, 20).await;
            let addresses = log.with(|h| h.connected).expect("connected");
            assert_eq!(addresses.transport, transport);
            assert_eq!(addresses.local.ip().to_string(), at);
            assert_eq!(addresses.remote.ip().to_string(), at);
            client.pc.close().await.expect("closed");
            log.until("the end", |h| h.closed == [CloseReason::PeerLeft])
                .await;
        }
    }
    shards.stop(CloseReason::Shutdown).await;
}
