//! A publisher that is not ours, over loopback UDP: connecting, media, feedback, closing, restarting.
//! What an attacker can do is in `hostile`.

mod support;

use rtc::peer_connection::transport::RTCDtlsRole;
use std::sync::Arc;
use std::time::Duration;
use support::client::{Client, payload};
use support::relay::{Relay, rtp_seq};
use support::{Log, counter, eventually, recorder, shards, shards_with};
use weft_rtc::{Answer, Error, Shards};
use weft_wire::{CloseReason, Codec};

async fn publish(shards: &Shards, client: &Client, log: &Arc<Log>) -> Answer {
    let offer = client.offer().await;
    let answer = shards
        .pick()
        .answer(offer, recorder(log))
        .await
        .expect("an answer");
    client.connect(&answer.sdp).await;
    log.until("DTLS on our side too", |h| h.connected.is_some()).await;
    answer
}

#[actix_rt::test]
async fn every_packet_from_the_first_on_arrives_with_its_track_and_content() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let client = Client::new(None).await;
    let answer = publish(&shards, &client, &log).await;
    let codecs: Vec<Codec> = answer.tracks.iter().map(|t| t.codec).collect();
    assert_eq!(codecs, [Codec::H264, Codec::Opus]);
    assert!(answer.tracks[0].nack && answer.tracks[0].pli);
    for _ in 0..100 {
        client.send(0).await;
        client.send(1).await;
    }
    log.until("200 packets", |h| h.packets == 200).await;
    log.with(|h| {
        assert!(h.connected.is_some());
        assert_eq!(h.seqs.each_ref().map(|s| s.len()), [100, 100]);
        assert!(
            h.payloads
                .iter()
                .all(|(track, seq, data)| *data == payload(*track, *seq))
        );
    });
    eventually("the key frame request", async || client.plis() >= 1).await;
    // The client's report interceptor speaks every second.
    log.until("sender reports of both", |h| {
        [0, 1].iter().all(|t| h.reports.iter().any(|r| r.track == *t))
    })
    .await;
    log.until("a round trip", |h| h.rtts > 0).await;
    let stats = answer.peer.stats();
    assert!(stats.connected && stats.remote.is_some() && stats.packets == 200);
    client.pc.close().await.expect("closed");
    log.until("the end", |h| !h.closed.is_empty()).await;
    assert_eq!(log.with(|h| h.closed.clone()), [CloseReason::PeerLeft]);
    eventually("no peer left", async || shards.peers() == 0).await;
    shards.stop(CloseReason::Shutdown).await;
    assert_eq!(log.with(|h| h.closed.len()), 1);
}

#[actix_rt::test]
async fn the_answer_takes_the_other_dtls_part_whatever_the_offer_says() {
    let shards = shards();
    for (setup, role, answered) in [
        ("actpass", None, "passive"),
        ("active", Some(RTCDtlsRole::Client), "passive"),
        ("passive", Some(RTCDtlsRole::Server), "active"),
    ] {
        let log = Arc::new(Log::default());
        let client = Client::new(role).await;
        let offer = client
            .offer()
            .await
            .replace("a=setup:actpass", &format!("a=setup:{setup}"));
        let answer = shards
            .pick()
            .answer(offer, recorder(&log))
            .await
            .expect("an answer");
        assert!(
            answer.sdp.contains(&format!("a=setup:{answered}\r\n")),
            "{}",
            answer.sdp
        );
        client.connect(&answer.sdp).await;
        client.send(0).await;
        log.until("a packet", |h| h.packets == 1).await;
        answer.peer.close(CloseReason::Kicked);
        log.until("the end", |h| h.closed == [CloseReason::Kicked]).await;
        eventually("the close_notify", async || client.dtls_is_closed().await).await;
        client.pc.close().await.expect("closed");
    }
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn lost_packets_come_back_by_retransmission() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let node = shards.addresses()[0];
    let mut count = 0;
    let relay = Relay::start(
        node,
        Box::new(move |datagram| {
            let media = rtp_seq(datagram, 102).is_some();
            count += usize::from(media);
            !(media && count % 10 == 5)
        }),
    )
    .await;
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let answer = shards
        .pick()
        .answer(offer, recorder(&log))
        .await
        .expect("an answer");
    client.connect(&relay.rewrite(&answer.sdp, node)).await;
    for i in 1..=300 {
        client.send(0).await;
        // In step with the receiver, so that the kernel's buffers lose nothing of their own.
        log.until("the packets so far", |h| h.packets + 15 > i).await;
    }
    log.until("all packets", |h| h.seqs[0].len() == 300).await;
    assert_eq!(counter(&shards, "weft_rtc_rtx_packets_total"), 30);
    assert_eq!(answer.peer.stats().recovered, 30);
    log.with(|h| {
        assert!(
            h.payloads
                .iter()
                .all(|(track, seq, data)| *data == payload(*track, *seq))
        )
    });
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn two_publishers_share_a_port_and_one_leaving_leaves_the_other_alone() {
    let shards = shards();
    let (a, b) = (Client::new(None).await, Client::new(None).await);
    let (log_a, log_b) = (Arc::new(Log::default()), Arc::new(Log::default()));
    publish(&shards, &a, &log_a).await;
    publish(&shards, &b, &log_b).await;
    for _ in 0..20 {
        a.send(0).await;
        b.send(1).await;
    }
    log_a.until("its own", |h| h.packets == 20).await;
    log_b.until("its own", |h| h.packets == 20).await;
    a.pc.close().await.expect("closed");
    log_a
        .until("the end", |h| h.closed == [CloseReason::PeerLeft])
        .await;
    b.send(0).await;
    log_b
        .until("one more", |h| h.packets == 21 && h.closed.is_empty())
        .await;
    shards.stop(CloseReason::Shutdown).await;
    log_b
        .until("the end", |h| h.closed == [CloseReason::Shutdown])
        .await;
    eventually("the close_notify", async || b.dtls_is_closed().await).await;
    b.pc.close().await.expect("closed");
}

#[actix_rt::test]
async fn each_shard_has_its_own_port_and_the_emptier_one_is_picked() {
    let shards = shards_with(|c| c.shards = 2);
    let (a, b) = (Client::new(None).await, Client::new(None).await);
    let (log_a, log_b) = (Arc::new(Log::default()), Arc::new(Log::default()));
    publish(&shards, &a, &log_a).await;
    publish(&shards, &b, &log_b).await;
    let local = |log: &Log| log.with(|h| h.connected).expect("connected").local;
    let mut used = [local(&log_a), local(&log_b)];
    used.sort();
    let mut bound = shards.addresses();
    bound.sort();
    assert_eq!(used.as_slice(), bound.as_slice());
    for client in [a, b] {
        client.pc.close().await.expect("closed");
    }
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn sources_that_the_offer_does_not_announce_are_learnt() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let offer: String = offer
        .lines()
        .filter(|l| !l.starts_with("a=ssrc"))
        .flat_map(|l| [l, "\r\n"])
        .collect();
    let answer = shards
        .pick()
        .answer(offer, recorder(&log))
        .await
        .expect("an answer");
    client.connect(&answer.sdp).await;
    for _ in 0..20 {
        client.send(0).await;
        client.send(1).await;
    }
    log.until("all packets", |h| h.packets == 40).await;
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_peer_that_never_connects_is_closed_and_gives_its_place_back() {
    let shards = shards_with(|c| {
        c.handshake_timeout = Duration::from_millis(200);
        c.max_pending = 1;
    });
    let (client, log) = (Client::new(None).await, Arc::new(Log::default()));
    let offer = client.offer().await;
    shards
        .pick()
        .answer(offer.clone(), recorder(&log))
        .await
        .expect("an answer");
    let refused = shards.pick().answer(offer.clone(), recorder(&log)).await;
    assert!(matches!(refused, Err(Error::Full)));
    log.until("the end", |h| h.closed == [CloseReason::NoMedia]).await;
    shards
        .pick()
        .answer(offer, recorder(&log))
        .await
        .expect("there is room again");
    shards.stop(CloseReason::Shutdown).await;
    client.pc.close().await.expect("closed");
}

#[actix_rt::test]
async fn media_goes_on_through_an_ice_restart() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let client = Client::new(None).await;
    let answer = publish(&shards, &client, &log).await;
    client.send(0).await;
    log.until("a packet", |h| h.packets == 1).await;
    let line = |sdp: &str, name: &str| {
        let found = sdp.lines().find_map(|l| l.strip_prefix(name).map(str::to_owned));
        found.expect("such a line")
    };
    let candidate = answer
        .peer
        .patch("a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n".into())
        .await;
    assert!(matches!(candidate, Ok(None)), "{candidate:?}");
    client.pc.restart_ice().await.expect("restarted");
    let offer = client.offer().await;
    let fragment = format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
        line(&offer, "a=ice-ufrag:"),
        line(&offer, "a=ice-pwd:")
    );
    let body = answer
        .peer
        .patch(fragment)
        .await
        .expect("restarted")
        .expect("a body");
    let restarted = answer
        .sdp
        .replace(&line(&answer.sdp, "a=ice-ufrag:"), &line(&body, "a=ice-ufrag:"))
        .replace(&line(&answer.sdp, "a=ice-pwd:"), &line(&body, "a=ice-pwd:"));
    assert_ne!(restarted, answer.sdp);
    client.take(&restarted).await;
    let before = log.with(|h| h.packets);
    eventually("media after the restart", async || {
        client.send(0).await;
        log.with(|h| h.packets > before + 20)
    })
    .await;
    assert!(log.with(|h| h.closed.is_empty()));
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_socket_on_all_addresses_answers_from_the_one_it_was_reached_at() {
    for bind in ["0.0.0.0:0", "[::]:0"] {
        let shards = shards_with(|c| c.udp_address = bind.parse().expect("an address"));
        let (client, log) = (Client::new(None).await, Arc::new(Log::default()));
        let offer = client.offer().await;
        let loopback = "127.0.0.1".parse().ok();
        let answer = shards
            .pick()
            .answer_at(offer, loopback, recorder(&log))
            .await
            .expect("an answer");
        let first = answer
            .sdp
            .lines()
            .find(|l| l.starts_with("a=candidate:"))
            .expect("a candidate");
        assert!(first.contains(" 127.0.0.1 "), "{first}");
        client.connect(&answer.sdp).await;
        client.send(0).await;
        log.until("a packet", |h| h.packets == 1).await;
        let addresses = log.with(|h| h.connected).expect("connected");
        assert!(
            addresses.remote.is_ipv4() && !addresses.local.ip().is_unspecified(),
            "{addresses:?}"
        );
        client.pc.close().await.expect("closed");
        log.until("the end", |h| h.closed == [CloseReason::PeerLeft])
            .await;
        shards.stop(CloseReason::Shutdown).await;
    }
}
