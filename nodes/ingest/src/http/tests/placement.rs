//! Where a publisher goes that a full, draining or much fuller node cannot or would rather not take.
//! All nodes are asked over the memory bus and answer by the same code.

use super::moves::{Camera, exclusive};
use super::{Answer, Fabric, Node, OFFER, SDP, call, ms, name, published, record};
use crate::IngestConfig;
use crate::testing::{lock, made};
use tokio::time::{Instant, pause};
use weft_bus::NodeRequest;
use weft_wire::{Message, OfferRequest, StreamName};

async fn post(node: &Node) -> Answer {
    call(&node.ingest, "POST", "/cam/1/whip", &[SDP], OFFER).await
}

/// The node in a session's URL.
fn taken_by(answer: &Answer) -> &str {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let location = answer.header("Location").unwrap();
    let session = location.strip_prefix("/cam/1/whip/").unwrap();
    session.split_once('.').unwrap().0
}

fn offer(node: &str) -> OfferRequest {
    OfferRequest {
        node: name(node),
        stream: StreamName::new("cam/1").unwrap(),
        principal: "camera".to_owned(),
        client: "192.0.2.7:4000".to_owned(),
        query: String::new(),
        user_agent: "x".to_owned(),
        offer: OFFER.to_owned(),
        moves: None,
    }
}

#[actix::test]
async fn a_full_node_hands_a_publisher_over_and_the_client_notices_nothing() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    let signed = ("Authorization", "Bearer s3cret");
    let agent = ("User-Agent", "Camera/1");
    let url = "/cam/1/whip?user=u&pass=s3cret&jwt=s3cret";
    let answer = call(&a.ingest, "POST", url, &[SDP, signed, agent], OFFER).await;
    assert_eq!(taken_by(&answer), "b");
    assert_eq!(answer.body, "v=0\r\n");
    let session = b.ingest.sessions().await.remove(0);
    assert_eq!(answer.header("ID"), Some(session.id.to_string().as_str()));
    assert_eq!(
        (answer.header("ETag"), answer.header("Server")),
        (Some("*"), Some("weft"))
    );
    let location = answer.header("Location").unwrap();
    assert!(location.ends_with("?user=u&pass=s3cret&jwt=s3cret"));
    let events = location.replacen('?', "/events?", 1);
    assert!(
        answer
            .header("Link")
            .unwrap()
            .starts_with(&format!("<{events}>; rel="))
    );
    assert_eq!((a.ingest.publishers(), b.ingest.publishers()), (0, 1));
    // What went over the bus: who, from where, what; no credential.
    let asked = b.asked.lock().unwrap().clone();
    let [NodeRequest::Offer(request)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!((request.node.as_str(), request.stream.as_str()), ("a", "cam/1"));
    assert_eq!(
        (request.client.as_str(), request.user_agent.as_str()),
        ("192.0.2.7:4000", "Camera/1")
    );
    assert_eq!(request.offer, OFFER);
    let bytes = String::from_utf8_lossy(&request.encode()).into_owned();
    assert!(!bytes.contains("s3cret"));
    // The session is steered through the first node as through its own.
    let (peer, _receiver) = made();
    assert_eq!(call(&a.ingest, "DELETE", location, &[], "").await.status, 200);
    assert_eq!(lock(&peer.closed).len(), 1);
}

#[actix::test]
async fn a_draining_node_takes_nobody_and_hands_over_to_the_less_full() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let b = fabric.node("b", 6, IngestConfig::default()).await;
    let c = fabric.node("c", 2, IngestConfig::default()).await;
    a.record.lock().unwrap().draining = true;
    assert_eq!(taken_by(&post(&a).await), "c");
    assert_eq!((b.offers(), c.offers()), (0, 1));
    // Said to the role before anybody's view shows it.
    let d = fabric.node("d", 0, IngestConfig::default()).await;
    d.ingest.drain().await;
    assert_ne!(taken_by(&post(&d).await), "d");
}

#[actix::test]
async fn from_four_fifths_on_a_newcomer_goes_to_a_node_a_tenth_less_full_and_else_stays() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 8, IngestConfig::default()).await;
    let b = fabric.node("b", 7, IngestConfig::default()).await;
    fabric.show("b", record(8));
    assert_eq!(taken_by(&post(&a).await), "a");
    assert_eq!(b.offers(), 0);
    fabric.show("b", record(3));
    assert_eq!(taken_by(&post(&a).await), "b");
    a.record.lock().unwrap().load.publishers = 7;
    fabric.show("b", record(0));
    assert_eq!(taken_by(&post(&a).await), "a");
    // The others look emptier than they are: who is only rather full keeps its guest.
    a.record.lock().unwrap().load.publishers = 9;
    b.record.lock().unwrap().load.publishers = 10;
    assert_eq!(taken_by(&post(&a).await), "a");
    assert_eq!(b.offers(), 2, "it was asked, and had no place");
}

#[actix::test]
async fn when_nobody_has_room_the_client_is_told_how_many_were_asked() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let mut others = Vec::new();
    for node in ["b", "c"] {
        others.push(fabric.node(node, 10, IngestConfig::default()).await);
    }
    let answer = post(&a).await;
    assert_eq!((answer.status, answer.header("Retry-After")), (503, Some("2")));
    assert_eq!(
        answer.error(),
        "this node is full; there is no other node to take it, try again"
    );
    // Their leases are from before they filled up.
    fabric.show("b", record(1));
    fabric.show("c", record(1));
    let answer = post(&a).await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.error(),
        "this node is full; 2 other nodes were asked and none took it, try again"
    );
    assert!(others.iter().all(|node| node.offers() == 1));
    let counters = a.ingest.counters();
    assert_eq!(crate::counters::get(&counters.refused_full), 2);
    assert_eq!(crate::counters::get(&counters.offers_not_taken), 2);
}

#[actix::test]
async fn a_limit_that_no_record_shows_hands_over_too() {
    let fabric = Fabric::new();
    let one = IngestConfig {
        max_publishers: 1,
        ..IngestConfig::default()
    };
    let a = fabric.node("a", 0, one).await;
    let b = fabric.node("b", 0, IngestConfig::default()).await;
    assert_eq!(taken_by(&post(&a).await), "a");
    let _first = made();
    assert_eq!(taken_by(&post(&a).await), "b");
    assert_eq!((a.ingest.publishers(), b.ingest.publishers()), (1, 1));
}

#[actix::test]
async fn three_nodes_are_asked_at_most_and_for_half_a_second_in_all() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let mut hanging = Vec::new();
    for node in ["b", "c", "d", "e", "f"] {
        hanging.push(fabric.hanging(node).await);
    }
    let asked = Instant::now();
    let answer = post(&a).await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.error().contains("3 other nodes were asked"),
        "{}",
        answer.error()
    );
    let took = asked.elapsed();
    assert!(took >= ms(450) && took <= ms(510), "{took:?}");
}

#[actix::test]
async fn one_that_hangs_leaves_time_for_the_next() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let b = fabric.node("b", 5, IngestConfig::default()).await;
    let _hanging = fabric.hanging("c").await;
    let asked = Instant::now();
    assert_eq!(taken_by(&post(&a).await), "b");
    assert!(asked.elapsed() <= ms(300), "{:?}", asked.elapsed());
    assert_eq!(b.offers(), 1);
    let asked = Instant::now();
    assert_eq!(taken_by(&post(&a).await), "b");
    assert!(
        asked.elapsed() <= ms(10),
        "who did not answer is not asked again at once"
    );
}

#[actix::test]
async fn an_offer_that_was_passed_on_is_never_passed_on_again() {
    let fabric = Fabric::new();
    let b = fabric.node("b", 10, IngestConfig::default()).await;
    let c = fabric.node("c", 0, IngestConfig::default()).await;
    let reply = b.ingest.offer(offer("a")).await;
    assert_eq!((reply.status, reply.session, reply.secret), (503, None, None));
    b.record.lock().unwrap().load.publishers = 0;
    b.record.lock().unwrap().draining = true;
    assert_eq!(b.ingest.offer(offer("a")).await.status, 503);
    // Much fuller than the other, but it was asked.
    b.record.lock().unwrap().draining = false;
    b.record.lock().unwrap().load.publishers = 9;
    let reply = b.ingest.offer(offer("a")).await;
    assert_eq!((reply.status, reply.body.as_str()), (201, "v=0\r\n"));
    assert_eq!(reply.session, Some(b.ingest.sessions().await[0].id));
    assert!(reply.secret.is_some());
    b.ingest.drain().await;
    assert_eq!(b.ingest.offer(offer("a")).await.status, 503);
    let mut bad = offer("a");
    bad.offer = "hello".to_owned();
    let reply = c.ingest.offer(bad).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.starts_with("bad SDP"), "{}", reply.body);
    assert_eq!(c.offers(), 0);
}

#[actix::test]
async fn what_is_wrong_with_an_offer_is_told_without_asking_anybody() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, exclusive()).await;
    let b = fabric.node("b", 0, exclusive()).await;
    let _camera = Camera::of(published(&b.ingest).await).await;
    a.record.lock().unwrap().load.publishers = 10;
    let url = "/cam/2/whip";
    assert_eq!(call(&a.ingest, "POST", url, &[SDP], "hello").await.status, 400);
    assert_eq!(
        call(&a.ingest, "POST", url, &[SDP], "v=0\r\ns=-\r\n")
            .await
            .status,
        406
    );
    let answer = post(&a).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.error(), "someone is already publishing to path 'cam/1'");
    assert_eq!(b.offers(), 0);
    // With room here it is the same.
    a.record.lock().unwrap().load.publishers = 0;
    assert_eq!(post(&a).await.status, 409);
}

#[actix::test]
async fn a_conflict_that_the_other_node_sees_is_passed_back() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, IngestConfig::default()).await;
    let b = fabric.node("b", 0, exclusive()).await;
    let c = fabric.node("c", 10, IngestConfig::default()).await;
    c.record.lock().unwrap().load.publishers = 0;
    let _camera = Camera::of(published(&c.ingest).await).await;
    let answer = post(&a).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.error(), "someone is already publishing to path 'cam/1'");
    assert_eq!((b.offers(), c.offers()), (1, 0));
    assert_eq!(crate::counters::get(&a.ingest.counters().refused_conflict), 1);
}

#[actix::test]
async fn a_node_reports_all_its_publishers() {
    pause();
    let fabric = Fabric::new();
    let a = fabric.node("a", 0, IngestConfig::default()).await;
    let live = Camera::of(published(&a.ingest).await).await;
    let waiting = call(&a.ingest, "POST", "/cam/2/whip", &[SDP], OFFER).await;
    let report = a.ingest.report().await;
    let streams: Vec<_> = report.iter().map(|p| p.stream.as_str()).collect();
    assert_eq!(streams, ["cam/1", "cam/2"]);
    assert_eq!(report[0].info.state, weft_wire::StreamState::Live);
    assert_eq!(report[1].info.state, weft_wire::StreamState::Waiting);
    assert_eq!(
        waiting.header("ID"),
        Some(report[1].info.session.to_string().as_str())
    );
    assert!(report[0].created > 0 && report[0].created <= report[1].created);
    assert_eq!(a.ingest.publishers(), 2);
    drop(live);
}
