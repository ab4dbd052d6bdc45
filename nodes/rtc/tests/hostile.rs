//! What strangers, attackers and a loop that stands still do to a live session: nothing that shows.
//! Malformed offers are `weft-sdp`'s tests.

mod support;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use support::client::Client;
use support::relay::Relay;
use support::{Log, counter, eventually, failing, napping, one_thread, recorder, shards, shards_on};
use weft_wire::CloseReason;

#[actix_rt::test]
async fn a_flood_of_junk_disturbs_nobody_and_leaves_nothing_behind() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let node = shards.addresses()[0];
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let answer = shards
        .pick()
        .answer(offer, recorder(&log))
        .await
        .expect("an answer");
    client.connect(&answer.sdp).await;
    let ufrag = answer
        .sdp
        .lines()
        .find_map(|l| l.strip_prefix("a=ice-ufrag:"))
        .expect("there")
        .to_owned();
    let ssrc = client.video_ssrc.to_be_bytes();
    let flood = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for i in 0..100_000u32 {
            let mut datagram = i.to_be_bytes().repeat(20);
            match i % 5 {
                0 => datagram[..4].copy_from_slice(&[0x80, 102, 0, 1]),
                1 => {
                    // A check with the right user and a wrong proof.
                    let user = format!("{ufrag}:x");
                    datagram = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
                    datagram.extend([7; 12]);
                    datagram.extend([0, 6, 0, u8::try_from(user.len()).expect("short")]);
                    datagram.extend(user.as_bytes());
                    datagram.resize(datagram.len().next_multiple_of(4), 0);
                    datagram.extend([0, 8, 0, 20]);
                    datagram.extend([9; 20]);
                    let len = u16::try_from(datagram.len() - 20).expect("short").to_be_bytes();
                    datagram[2..4].copy_from_slice(&len);
                }
                2 => datagram[..3].copy_from_slice(&[22, 254, 253]),
                3 => {
                    datagram[..4].copy_from_slice(&[0x80, 102, 0, 1]);
                    datagram[8..12].copy_from_slice(&ssrc);
                }
                _ => {}
            }
            // A full buffer is the flood's own loss.
            let _sent = socket.send_to(&datagram, node);
        }
    });
    let mut sent = 0;
    while !flood.is_finished() {
        client.send(0).await;
        client.send(1).await;
        sent += 2;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    flood.join().expect("the flood ended");
    client.send(0).await;
    eventually("the flood is counted", async || {
        counter(&shards, "weft_rtc_dropped_unknown_source_total") > 10_000
            && counter(&shards, "weft_rtc_dropped_bad_integrity_total") > 1_000
    })
    .await;
    // Some real packets may be lost to the kernel's full buffer; what got through is whole, and the session lives.
    eventually("media after the flood", async || {
        client.send(0).await;
        sent += 1;
        log.with(|h| h.packets * 2 > sent)
    })
    .await;
    log.with(|h| assert!(h.closed.is_empty() && h.payloads.iter().all(|(_, _, p)| p.len() == 200)));
    assert_eq!(counter(&shards, "weft_rtc_dropped_unknown_ssrc_total"), 0);
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_check_replayed_from_elsewhere_steals_nothing() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let node = shards.addresses()[0];
    let relay = Relay::start(node, Box::new(|_| true)).await;
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let answer = shards
        .pick()
        .answer(offer, recorder(&log))
        .await
        .expect("an answer");
    client.connect(&relay.rewrite(&answer.sdp, node)).await;
    client.send(0).await;
    log.until("a packet", |h| h.packets == 1).await;
    let remote = answer.peer.stats().remote;
    let checks = relay.checks.lock().expect("not poisoned").clone();
    assert!(!checks.is_empty());
    for _ in 0..40 {
        let thief = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for check in &checks {
            thief.send_to(check, node).expect("sent");
        }
        // Media from there, with the right source, fails SRTP's authentication.
        let mut rtp = vec![0x80, 102, 0, 1, 0, 0, 0, 0];
        rtp.extend(client.video_ssrc.to_be_bytes());
        rtp.extend([1; 60]);
        thief.send_to(&rtp, node).expect("sent");
        client.send(0).await;
    }
    log.until("all packets and no others", |h| h.packets == 41).await;
    client.send(1).await;
    log.until("one more", |h| h.packets == 42).await;
    assert_eq!(answer.peer.stats().remote, remote);
    answer.peer.close(CloseReason::Kicked);
    eventually("the close_notify at the right address", async || {
        client.dtls_is_closed().await
    })
    .await;
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn after_a_stall_old_media_is_dropped_and_the_session_goes_on() {
    let runtime = one_thread();
    let (shards, log) = (shards_on(runtime.handle(), |_| {}), Arc::new(Log::default()));
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let shard = shards.pick();
    let answer = shard.answer(offer, recorder(&log)).await.expect("an answer");
    client.connect(&answer.sdp).await;
    client.send(0).await;
    log.until("a packet", |h| h.packets == 1).await;
    let (started, resumed) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        started.send(()).expect("heard");
        std::thread::sleep(Duration::from_millis(1200));
    });
    resumed.recv().expect("the loop stands still");
    for _ in 0..10 {
        client.send(0).await;
    }
    tokio::time::sleep(Duration::from_millis(1000)).await;
    for _ in 0..5 {
        client.send(0).await;
    }
    log.until("the news of the stall", |h| !h.stalls.is_empty()).await;
    log.until("the fresh packets", |h| h.packets == 6).await;
    assert!(log.with(|h| h.stalls[0] > Duration::from_secs(1)));
    assert_eq!(counter(&shards, "weft_rtc_dropped_stale_total"), 10);
    assert!(log.with(|h| h.closed.is_empty()));
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
    runtime.shutdown_background();
}

#[actix_rt::test]
async fn a_stall_in_the_middle_of_a_turn_is_one_too() {
    let (shards, log) = (shards(), Arc::new(Log::default()));
    let client = Client::new(None).await;
    let offer = client.offer().await;
    let make = napping(&log, Duration::from_millis(1200));
    let answer = shards.pick().answer(offer, make).await.expect("an answer");
    client.connect(&answer.sdp).await;
    client.send(0).await;
    log.until("a packet", |h| h.packets == 1).await;
    // In the second one the thread stands still; what follows waits in the kernel.
    client.send(0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..10 {
        client.send(0).await;
    }
    tokio::time::sleep(Duration::from_millis(1000)).await;
    for _ in 0..5 {
        client.send(0).await;
    }
    log.until("the news of the stall", |h| !h.stalls.is_empty()).await;
    log.until("the fresh packets", |h| h.packets == 7).await;
    assert_eq!(counter(&shards, "weft_rtc_dropped_stale_total"), 10);
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_receiver_that_panics_ends_its_own_session_only() {
    let shards = shards();
    let (bad, good) = (Arc::new(Log::default()), Arc::new(Log::default()));
    let (a, b) = (Client::new(None).await, Client::new(None).await);
    for (client, make) in [(&a, failing(&bad)), (&b, recorder(&good))] {
        let offer = client.offer().await;
        let answer = shards.pick().answer(offer, make).await.expect("an answer");
        client.connect(&answer.sdp).await;
    }
    a.send(0).await;
    bad.until("the end", |h| h.closed == [CloseReason::Internal])
        .await;
    b.send(0).await;
    good.until("a packet", |h| h.packets == 1).await;
    eventually("its place is free", async || shards.peers() == 1).await;
    a.pc.close().await.expect("closed");
    b.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn a_session_that_cannot_be_begun_is_refused_and_its_thread_goes_on() {
    let shards = shards();
    let (client, log) = (Client::new(None).await, Arc::new(Log::default()));
    let offer = client.offer().await;
    let shard = shards.pick();
    let refused = shard
        .answer(offer.clone(), Box::new(|_, _| panic!("on purpose")))
        .await;
    assert!(matches!(
        refused,
        Err(weft_rtc::Error::Refused(CloseReason::Internal))
    ));
    // The place is given back on the shard's thread, a moment after the answer.
    eventually("the place is free", async || shards.peers() == 0).await;
    let answer = shard.answer(offer, recorder(&log)).await.expect("an answer");
    client.connect(&answer.sdp).await;
    client.send(0).await;
    log.until("a packet", |h| h.packets == 1).await;
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}

#[actix_rt::test]
async fn peers_are_told_when_their_runtime_is_stopped_under_them() {
    let runtime = one_thread();
    let shards = shards_on(runtime.handle(), |_| {});
    let (client, log) = (Client::new(None).await, Arc::new(Log::default()));
    let offer = client.offer().await;
    let shard = shards.pick();
    let answer = shard
        .answer(offer.clone(), recorder(&log))
        .await
        .expect("an answer");
    client.connect(&answer.sdp).await;
    runtime.shutdown_background();
    log.until("the end", |h| h.closed == [CloseReason::Shutdown])
        .await;
    eventually("the close_notify", async || client.dtls_is_closed().await).await;
    let refused = shard.answer(offer, recorder(&log)).await;
    assert!(matches!(refused, Err(weft_rtc::Error::Stopped)));
    client.pc.close().await.expect("closed");
    shards.stop(CloseReason::Shutdown).await;
}
