//! What one client address may have of a node: publishers and readers in one count, and a part of the places for publishers
//! whose media has not come yet.

use super::{Answer, Fabric, OFFER, SDP, call, node};
use crate::counters::get;
use crate::testing::{Source, feed, made};
use crate::{Ingest, IngestConfig};
use std::cell::RefCell;
use std::net::IpAddr;
use tokio::time::{pause, sleep};
use weft_bus::NodeRequest;
use weft_config::{Config, Live};
use weft_rtc::MediaReceiver;

const OURS: &str = "192.0.2.7";
const OTHER: &str = "192.0.2.8";

thread_local! {
    /// The receivers of all that were answered: without its own a session ends.
    static HELD: RefCell<Vec<Box<dyn MediaReceiver>>> = const { RefCell::new(Vec::new()) };
}

/// Every client comes through this proxy, which is at [`OURS`].
fn config(of_address: usize, waiting: usize) -> IngestConfig {
    let mut config = Config::default();
    config.fabric.limits.sessions_per_address = of_address;
    config.fabric.limits.pending_publishers = waiting;
    config.trusted_proxies.webrtc = vec![OURS.parse().unwrap()];
    IngestConfig {
        settings: Live::fixed(config),
        ..IngestConfig::default()
    }
}

async fn post(ingest: &Ingest, stream: &str, client: &str) -> Answer {
    let forwarded = ("X-Forwarded-For", client);
    let url = format!("/{stream}/whip");
    let answer = call(ingest, "POST", &url, &[SDP, forwarded], OFFER).await;
    if answer.status == 201 {
        HELD.with_borrow_mut(|held| held.push(made().1));
    }
    answer
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("Location").unwrap()
}

fn refused(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.header("Retry-After"), Some("2"));
    assert_eq!(answer.error(), words);
}

const SESSIONS: &str = "this address has as many sessions as it may (fabric.limits.sessionsPerAddress)";
const WAITING: &str = "this address has as many publishers without media yet as it may (half of fabric.limits.pendingPublishers)";

#[actix::test]
async fn publishers_and_readers_of_one_address_are_one_count_and_what_ends_is_given_back() {
    pause();
    let config = config(2, 100);
    let shares = config.shares.clone();
    let node = node(config);
    let client: IpAddr = OTHER.parse().unwrap();
    let reader = shares.take(client, 2).unwrap();
    let first = post(&node, "cam/1", OTHER).await;
    refused(&post(&node, "cam/2", OTHER).await, SESSIONS);
    assert!(shares.take(client, 2).is_none(), "nor may it read");
    assert_eq!(get(&node.counters().refused_address), 1);
    assert_eq!(get(&node.counters().refused_full), 0);
    assert_eq!(post(&node, "cam/3", "192.0.2.9").await.status, 201);
    // The publisher goes, and another may come.
    let left = call(&node, "DELETE", location(&first), &[], "").await;
    assert_eq!(left.status, 200);
    let second = post(&node, "cam/2", OTHER).await;
    assert_eq!(second.status, 201);
    refused(&post(&node, "cam/4", OTHER).await, SESSIONS);
    // The reader goes.
    drop(reader);
    assert_eq!(post(&node, "cam/4", OTHER).await.status, 201);
    // All whose media never comes are gone after a while, with what they had.
    sleep(super::ms(15_000)).await;
    assert_eq!((node.publishers(), shares.addresses()), (0, 0));
}

#[actix::test]
async fn an_offer_that_is_not_answered_takes_nothing_of_its_address() {
    let config = config(1, 100);
    let shares = config.shares.clone();
    let node = node(config);
    node.drain().await;
    assert_eq!(post(&node, "cam/1", OTHER).await.status, 503);
    assert_eq!(shares.addresses(), 0);
}

#[actix::test]
async fn one_address_has_half_of_the_places_without_media_and_one_whose_media_came_needs_none() {
    pause();
    let node = node(config(0, 10));
    for n in 0..5 {
        assert_eq!(post(&node, &format!("cam/{n}"), OTHER).await.status, 201);
    }
    refused(&post(&node, "cam/5", OTHER).await, WAITING);
    assert_eq!(post(&node, "cam/6", "192.0.2.9").await.status, 201);
    HELD.with_borrow_mut(|held| feed(&mut *held[0], Source::video().unit(true, 500)));
    sleep(super::ms(50)).await;
    assert_eq!(post(&node, "cam/5", OTHER).await.status, 201);
    refused(&post(&node, "cam/7", OTHER).await, WAITING);
    assert_eq!(get(&node.counters().refused_address), 2);
}

#[actix::test]
async fn where_few_may_wait_one_address_may_have_four_of_them() {
    let node = node(config(0, 6));
    for n in 0..4 {
        assert_eq!(post(&node, &format!("cam/{n}"), OTHER).await.status, 201);
    }
    refused(&post(&node, "cam/4", OTHER).await, WAITING);
    // All together are bounded as before.
    for n in 5..7 {
        assert_eq!(post(&node, &format!("cam/{n}"), "192.0.2.9").await.status, 201);
    }
    assert_eq!(post(&node, "cam/8", "192.0.2.10").await.status, 503);
}

#[actix::test]
async fn a_publisher_that_is_passed_on_counts_by_its_own_address_on_the_node_that_takes_it() {
    let fabric = Fabric::new();
    let a = fabric.node("a", 10, config(1, 100)).await;
    let b = fabric.node("b", 0, config(1, 100)).await;
    let first = post(&a.ingest, "cam/1", OTHER).await;
    assert!(location(&first).starts_with("/cam/1/whip/b."));
    // The proxy's own address is nobody's.
    let another = post(&a.ingest, "cam/2", "192.0.2.9").await;
    assert!(location(&another).starts_with("/cam/2/whip/b."));
    let asked = b.asked.lock().unwrap().clone();
    let clients: Vec<_> = asked
        .iter()
        .filter_map(|request| match request {
            NodeRequest::Offer(offer) => Some(offer.client.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(clients, ["192.0.2.8:0", "192.0.2.9:0"]);
    refused(&post(&a.ingest, "cam/3", OTHER).await, SESSIONS);
    assert_eq!(get(&a.ingest.counters().refused_address), 1);
    assert_eq!(get(&b.ingest.counters().refused_address), 1);
    // That address's affair: the node is asked for others as before.
    assert_eq!(post(&a.ingest, "cam/4", "192.0.2.10").await.status, 201);
}
