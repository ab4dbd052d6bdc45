//! Packets on their way: interleaved and UDP, exact beginnings, reports, and that nobody else is ever sent anything.
//! Time limits and slow readers are in `life`.

use crate::client::{Answer, Client, Item, Rtp, rtp};
use crate::mock::{self, AUDIO_SSRC, AUDIO_START, CAPTURE_START, Running, VIDEO, VIDEO_SSRC};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use weft_rtsp_server::{ReaderEvent, RtpLine};
use weft_wire::CaptureTime;

/// `(url, seq, rtptime)` of each track.
fn rtp_info(answer: &Answer) -> Vec<(String, u16, u32)> {
    let one = |text: &str| {
        let mut parts = text.split(';');
        let mut value = |name: &str| parts.next().unwrap().strip_prefix(name).unwrap().to_owned();
        let (url, seq, time) = (value("url="), value("seq="), value("rtptime="));
        (url, seq.parse().unwrap(), time.parse().unwrap())
    };
    answer.header("rtp-info").split(',').map(one).collect()
}

fn report(packet: &[u8]) -> (u32, u64, u32, u32, u32) {
    assert_eq!(packet[..2], [0x80, 200]);
    let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
    let ntp = u64::from(word(8)) << 32 | u64::from(word(12));
    (word(4), ntp, word(16), word(20), word(24))
}

#[tokio::test]
async fn an_interleaved_reader_gets_reports_then_the_whole_group_of_pictures_exactly_as_announced() {
    let server = mock::start();
    let mut blocks = vec![server.demo.picture(true, 5000), server.demo.sound()];
    blocks.push(server.demo.picture(false, 700));
    let mut client = Client::connect(&server).await;
    let answer = client.play("demo", &[0, 1]).await;
    assert_eq!(answer.header("range"), "npt=now-");
    let info = rtp_info(&answer);
    assert_eq!(info[0].0, client.url("demo/trackID=0"));
    assert_eq!(info[1].0, client.url("demo/trackID=1"));
    let (channel, packet) = client.frame().await;
    assert_eq!(channel, 1);
    assert_eq!(
        report(&packet),
        (VIDEO_SSRC, CAPTURE_START.to_ntp(), mock::VIDEO_START, 0, 0)
    );
    let (channel, packet) = client.frame().await;
    assert_eq!(channel, 3);
    assert_eq!(
        report(&packet),
        (AUDIO_SSRC, CAPTURE_START.to_ntp(), AUDIO_START, 0, 0)
    );
    let mut next = [info[0].1, info[1].1];
    blocks.push(server.demo.sound());
    blocks.push(server.demo.picture(false, 20_000));
    let mut firsts = [None; 2];
    for block in &blocks {
        let lane = usize::from(block.track.0);
        for n in 0..block.len() {
            let (channel, packet) = client.frame().await;
            let packet = rtp(&packet);
            assert_eq!(usize::from(channel), 2 * lane);
            assert_eq!(packet.seq, next[lane]);
            assert_eq!(packet.time, block.rtp_time);
            assert_eq!(packet.marker, lane == 0 && n + 1 == block.len());
            next[lane] = next[lane].wrapping_add(1);
            firsts[lane].get_or_insert(packet.time);
        }
    }
    assert_eq!(
        firsts,
        [Some(info[0].2), Some(info[1].2)],
        "rtptime of the packets really sent first"
    );
    let queue = server.demo.queue(0);
    let packets: usize = blocks.iter().map(|b| b.len()).sum();
    assert_eq!(
        queue.packets.load(std::sync::atomic::Ordering::SeqCst),
        packets as u64
    );
    let view = &server.handle.sessions()[0];
    assert_eq!(
        (view.state, view.transport, view.path.as_str()),
        ("read", "TCP", "demo")
    );
    assert_eq!(view.packets_sent, packets as u64);
    assert_eq!(server.counter("weft_rtsp_packets_sent_total"), packets as u64);
}

#[tokio::test]
async fn two_readers_number_their_packets_apart() {
    let server = mock::start();
    server.video.picture(true, 500);
    let mut clients = [Client::connect(&server).await, Client::connect(&server).await];
    let mut starts = Vec::new();
    for client in &mut clients {
        let info = rtp_info(&client.play("video", &[0]).await);
        client.frame().await;
        assert_eq!(rtp(&client.frame().await.1).seq, info[0].1);
        starts.push(info[0].1);
    }
    assert_eq!(server.video.readers(), 2);
}

#[tokio::test]
async fn the_announced_url_is_the_clients_own() {
    let server = mock::start();
    server.demo.picture(true, 500);
    let mut client = Client::connect(&server).await;
    let setup = format!("{}?token=x/trackID=0", client.url("demo"));
    client
        .set_up(&setup, "Transport: RTP/AVP/TCP;interleaved=8-9\r\n")
        .await;
    let url = client.url("demo?token=x");
    let answer = client.ask("PLAY", &url, "").await;
    assert_eq!(rtp_info(&answer)[0].0, setup);
    assert_eq!(client.frame().await.0, 9, "channels are the client's");
    assert_eq!(client.frame().await.0, 8);
}

#[tokio::test]
async fn a_lost_path_is_the_described_one() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let url = client.url("demo");
    client.ask("DESCRIBE", &url, "").await;
    let url = client.url("trackID=1");
    client
        .set_up(&url, "Transport: RTP/AVP/TCP;interleaved=0-1\r\n")
        .await;
}

#[tokio::test]
async fn a_later_report_tells_what_was_sent_since() {
    let server = mock::start();
    let block = server.video.picture(true, 3000);
    let mut client = Client::connect(&server).await;
    client.play("video", &[0]).await;
    let line = RtpLine {
        rtp_time: 5,
        capture: CaptureTime(1_800_000_000_000_000),
    };
    server.video.tell(&ReaderEvent::Report(VIDEO, line));
    for _ in 0..=block.len() {
        client.frame().await;
    }
    let (channel, packet) = client.frame().await;
    let expected = (
        VIDEO_SSRC,
        line.capture.to_ntp(),
        5,
        block.len() as u32,
        block.payload_bytes,
    );
    assert_eq!((channel, report(&packet)), (1, expected));
}

/// Two adjacent UDP ports of a client.
async fn ports() -> (UdpSocket, UdpSocket, u16) {
    loop {
        let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = rtp.local_addr().unwrap().port();
        if let (0, Some(next)) = (port % 2, port.checked_add(1))
            && let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", next)).await
        {
            return (rtp, rtcp, port);
        }
    }
}

async fn datagram(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (len, from) = tokio::time::timeout(Duration::from_secs(10), socket.recv_from(&mut buffer))
        .await
        .expect("no datagram came")
        .unwrap();
    (buffer[..len].to_vec(), from)
}

async fn play_udp(server: &Running, client: &mut Client, port: u16, extra: &str) -> Answer {
    let url = client.url("video");
    let transport = format!(
        "Transport: RTP/AVP;unicast{extra};client_port={port}-{}\r\n",
        port + 1
    );
    let answer = client.set_up(&format!("{url}/trackID=0"), &transport).await;
    let addresses = server.addresses();
    let (rtp, rtcp) = (addresses.rtp.unwrap().port(), addresses.rtcp.unwrap().port());
    assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
    assert_eq!(
        answer.header("transport"),
        format!(
            "RTP/AVP;unicast;client_port={port}-{};server_port={rtp}-{rtcp}",
            port + 1
        )
    );
    client.ask("PLAY", &url, "").await
}

#[tokio::test]
async fn a_reader_over_udp_gets_the_same_packets_from_the_announced_ports() {
    let server = mock::start();
    let mut blocks = vec![server.video.picture(true, 40_000)];
    let mut client = Client::connect(&server).await;
    let (media, reports, port) = ports().await;
    let answer = play_udp(&server, &mut client, port, "").await;
    assert_eq!(answer.status, 200);
    let (packet, from) = datagram(&reports).await;
    assert_eq!(report(&packet).0, VIDEO_SSRC);
    assert_eq!(Some(from), server.addresses().rtcp);
    blocks.push(server.video.picture(false, 90_000));
    blocks.push(server.video.picture(false, 3));
    let (_, mut seq, time) = rtp_info(&answer)[0].clone();
    assert_eq!(time, blocks[0].rtp_time);
    for block in &blocks {
        let mut bytes = 0;
        for n in 0..block.len() {
            let (packet, from) = datagram(&media).await;
            assert_eq!(Some(from), server.addresses().rtp);
            let packet: Rtp = rtp(&packet);
            assert_eq!(
                (packet.seq, packet.time, packet.ssrc),
                (seq, block.rtp_time, VIDEO_SSRC)
            );
            assert_eq!(packet.marker, n + 1 == block.len());
            bytes += packet.payload.len();
            seq = seq.wrapping_add(1);
        }
        assert_eq!(bytes as u32, block.payload_bytes);
    }
    assert_eq!(server.handle.sessions()[0].transport, "UDP");
    assert_eq!(server.counter("weft_rtsp_datagrams_refused_total"), 0);
}

#[tokio::test]
async fn a_destination_in_the_transport_header_is_ignored() {
    let server = mock::start();
    server.video.picture(true, 3000);
    let mut client = Client::connect(&server).await;
    let (media, _reports, port) = ports().await;
    // The victim listens on the same port of another address of this machine.
    let victim = UdpSocket::bind(("127.0.0.2", port)).await.unwrap();
    play_udp(
        &server,
        &mut client,
        port,
        ";destination=127.0.0.2;source=127.0.0.2",
    )
    .await;
    datagram(&media).await;
    let error = victim.try_recv(&mut [0; 2048]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn two_sessions_cannot_share_a_clients_port() {
    let server = mock::start();
    let (_media, _reports, port) = ports().await;
    let mut first = Client::connect(&server).await;
    play_udp(&server, &mut first, port, "").await;
    let mut second = Client::connect(&server).await;
    let url = second.url("video/trackID=0");
    let transport = format!("Transport: RTP/AVP;unicast;client_port={port}-{}\r\n", port + 1);
    assert_eq!(second.ask("SETUP", &url, &transport).await.status, 400);
    drop(first);
    server.until(|| server.handle.sessions().is_empty()).await;
    assert_eq!(second.ask("SETUP", &url, &transport).await.status, 200);
}

#[tokio::test]
async fn a_refused_change_of_port_leaves_a_track_the_port_it_has() {
    let server = mock::start();
    let url = |client: &Client| format!("{}/trackID=0", client.url("video"));
    let at = |port: u16| format!("Transport: RTP/AVP;unicast;client_port={port}-{}\r\n", port + 1);
    let (mut a, mut b, mut c) = (
        Client::connect(&server).await,
        Client::connect(&server).await,
        Client::connect(&server).await,
    );
    assert_eq!(a.set_up(&url(&a), &at(45000)).await.status, 200);
    assert_eq!(b.set_up(&url(&b), &at(46000)).await.status, 200);
    assert_eq!(a.ask("SETUP", &url(&a), &at(46000)).await.status, 400);
    assert_eq!(
        c.ask("SETUP", &url(&c), &at(45000)).await.status,
        400,
        "it is still the first one's"
    );
    assert_eq!(
        a.set_up(&url(&a), &at(45000)).await.status,
        200,
        "its own port is no other's"
    );
    assert_eq!(a.set_up(&url(&a), &at(47000)).await.status, 200);
    assert_eq!(
        c.set_up(&url(&c), &at(45000)).await.status,
        200,
        "and is free once it is left"
    );
}

#[tokio::test]
async fn a_player_that_got_nothing_over_udp_begins_anew_over_tcp() {
    let server = mock::start();
    server.video.picture(true, 3000);
    let mut client = Client::connect(&server).await;
    let (_media, _reports, port) = ports().await;
    play_udp(&server, &mut client, port, "").await;
    let old = client.session.take();
    let answer = client.play("video", &[0]).await;
    assert_ne!(client.session, old);
    assert_eq!(client.frame().await.0, 1);
    let (channel, packet) = client.frame().await;
    assert_eq!((channel, rtp(&packet).seq), (0, rtp_info(&answer)[0].1));
    server.until(|| server.video.readers() == 1).await;
    assert_eq!(server.handle.sessions().len(), 1);
}

#[tokio::test]
async fn tcp_alone_refuses_udp_so_that_players_turn_to_tcp() {
    let config = weft_rtsp_server::ServerConfig {
        udp: None,
        ..mock::config()
    };
    let server = mock::start_with(config);
    let mut client = Client::connect(&server).await;
    let url = client.url("video/trackID=0");
    let answer = client
        .ask(
            "SETUP",
            &url,
            "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n",
        )
        .await;
    assert_eq!(answer.status, 461);
    assert_eq!(server.addresses().rtp, None);
}

#[tokio::test]
async fn the_end_of_a_stream_is_a_goodbye_and_a_closed_connection() {
    let server = mock::start();
    server.video.picture(true, 300);
    let mut client = Client::connect(&server).await;
    client.play("video", &[0]).await;
    server.video.tell(&mock::ended());
    let mut last = Vec::new();
    loop {
        match client.item().await {
            Item::Frame(1, packet) => last = packet,
            Item::Closed => break,
            _ => {}
        }
    }
    // Receiver report, description, BYE.
    let bye = [&[0x81, 203, 0, 1][..], &VIDEO_SSRC.to_be_bytes()].concat();
    assert!(last.ends_with(&bye), "{last:x?}");
}

#[tokio::test]
async fn a_large_picture_over_udp_is_paced_and_arrives_whole() {
    let server = mock::start();
    let mut client = Client::connect(&server).await;
    let (media, _reports, port) = ports().await;
    play_udp(&server, &mut client, port, "").await;
    // Ten times what a reader's socket holds by default.
    let block = server.video.picture(true, 2_000_000);
    let mut seq = None;
    for _ in 0..block.len() {
        let packet = rtp(&datagram(&media).await.0);
        assert_eq!(seq.unwrap_or(packet.seq), packet.seq);
        seq = Some(packet.seq.wrapping_add(1));
    }
}

/// The loopback address with this one's port.
fn local(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], address.port()))
}

#[tokio::test]
async fn sockets_bound_to_every_address_answer_from_the_one_the_client_speaks_to() {
    for any in ["0.0.0.0:0", "[::]:0"] {
        let any = any.parse().unwrap();
        let server = mock::start_with(weft_rtsp_server::ServerConfig {
            rtsp_address: Some(any),
            udp: Some(weft_rtsp_server::UdpAddresses { rtp: any, rtcp: any }),
            ..mock::config()
        });
        server.video.picture(true, 5000);
        let mut client = Client::connect_to(local(server.addresses().rtsp.unwrap())).await;
        let (media, reports, port) = ports().await;
        play_udp(&server, &mut client, port, "").await;
        for (socket, ours) in [
            (&media, server.addresses().rtp),
            (&reports, server.addresses().rtcp),
        ] {
            let (_, from) = datagram(socket).await;
            assert_eq!(from, local(ours.unwrap()));
        }
        assert_eq!(
            server.handle.sessions()[0].remote_addr.ip().to_string(),
            "127.0.0.1"
        );
        // The client's report finds its session, whatever family the socket is of.
        let to = local(server.addresses().rtcp.unwrap());
        reports.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 9], to).await.unwrap();
        server
            .until(|| server.counter("weft_rtsp_reports_received_total") == 1)
            .await;
    }
}
