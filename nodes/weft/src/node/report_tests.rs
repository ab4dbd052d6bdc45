//! Pages of a report: everything comes exactly once, in order, and no page is too large for the bus.

use super::*;
use weft_wire::{Epoch, Incarnation, Message, NodeName, OwnerInfo, SessionId, StreamName, StreamState};

const LONG: &str = "[2001:db8:1234:5678:1234:5678:1234:5678]:65535";

/// As large as a detail gets, for every third.
fn detail(i: usize) -> SessionDetail {
    let long = "x".repeat(if i.is_multiple_of(3) { 300 } else { 10 });
    SessionDetail {
        query: long.clone(),
        user: long.clone(),
        user_agent: long,
        transport: "UDP".into(),
        connection: Some(SessionId([8; 16])),
        local: LONG.into(),
        jitter_us: u64::MAX,
        rtcp_received: u64::MAX,
        rtcp_sent: u64::MAX,
        reported_lost: u64::MAX,
        discarded: u64::MAX,
        kind: "rtspSource".into(),
        pictures: u64::MAX,
    }
}

fn publisher(i: usize) -> PublisherReport {
    PublisherReport {
        stream: StreamName::new(format!("cam/{i}")).unwrap(),
        info: OwnerInfo {
            node: NodeName::new("ingest-1").unwrap(),
            incarnation: Incarnation(1),
            session: SessionId([7; 16]),
            epoch: Epoch::default(),
            state: StreamState::Live,
            since: 1,
            tracks: vec![],
            inbound_bytes: 1,
            inbound_packets: 1,
            packets_lost: 0,
            units_in_error: 0,
            units: 1,
            media_age_ms: 1,
            remote: LONG.into(),
        },
        created: 1_763_825_399_000_000,
        detail: detail(i),
    }
}

fn hub(i: usize, readers: usize) -> HubReport {
    let reader = ReaderReport {
        session: SessionId([9; 16]),
        kind: "rtspSession".into(),
        remote: LONG.into(),
        since: 1_763_825_399_000_000,
        packets: u64::MAX,
        bytes: u64::MAX,
        detail: detail(i),
    };
    HubReport {
        stream: StreamName::new(format!("cam/{i}")).unwrap(),
        epoch: Epoch::default(),
        ready: true,
        bytes_sent: 5,
        readers: vec![reader; readers],
    }
}

/// All pages put together, and how many there were.
fn read(whole: &Whole) -> (Whole, usize) {
    let (mut read, mut pages, mut from) = (Whole::default(), 0, Some(0));
    while let Some(at) = from {
        let page = page(whole.clone(), at);
        let size = page.encode().len();
        assert!(size <= PAGE_BYTES, "{size} bytes in a page");
        let entries = page.publishers.len()
            + page.hubs.len()
            + page.idle.len()
            + page.connections.len()
            + page.muxers.len();
        assert!(entries <= PAGE_ENTRIES);
        read.publishers.extend(page.publishers);
        read.hubs.extend(page.hubs);
        read.idle.extend(page.idle);
        read.connections.extend(page.connections);
        read.muxers.extend(page.muxers);
        pages += 1;
        from = page.next;
    }
    (read, pages)
}

fn streams(publishers: Vec<PublisherReport>, hubs: Vec<HubReport>) -> Whole {
    Whole {
        publishers,
        hubs,
        ..Whole::default()
    }
}

#[test]
fn pages_together_are_everything_once_and_in_order() {
    let idle = |i: usize| IdleReport {
        stream: StreamName::new(format!("cam/{i}")).unwrap(),
        reader: hub(i, 1).readers.remove(0),
    };
    let connection = |i: usize| ConnectionReport {
        id: SessionId([9; 16]),
        created: i64::MAX,
        remote: LONG.into(),
        tls: i.is_multiple_of(2),
        session: Some(SessionId([7; 16])),
        bytes_received: i as u64,
        bytes_sent: u64::MAX,
    };
    let muxer = |i: usize| MuxerReport {
        stream: StreamName::new(format!("cam/{i}")).unwrap(),
        id: SessionId([9; 16]),
        created: i64::MAX,
        last_request: i64::MAX,
        bytes_sent: i as u64,
        discarded: u64::MAX,
    };
    let whole = Whole {
        publishers: (0..650).map(publisher).collect(),
        hubs: (0..700).map(|i| hub(i, i % 40)).collect(),
        idle: (0..400).map(idle).collect(),
        connections: (0..500).map(connection).collect(),
        muxers: (0..350).map(muxer).collect(),
    };
    let (read, pages) = read(&whole);
    assert_eq!(read, whole);
    assert!((8..40).contains(&pages), "{pages} pages");
}

#[test]
fn a_hub_with_too_many_readers_for_a_page_has_several_entries() {
    let (read, pages) = read(&streams(vec![], vec![hub(1, 10_000), hub(2, 1)]));
    assert_eq!(read.hubs.iter().map(|h| h.readers.len()).sum::<usize>(), 10_001);
    assert_eq!(read.hubs.iter().map(|h| h.bytes_sent).sum::<u64>(), 10);
    assert!(read.hubs[..5].iter().all(|h| h.stream.as_str() == "cam/1"));
    assert!((5..8).contains(&pages), "{pages} pages");
}

#[test]
fn an_empty_node_and_a_place_beyond_the_end_are_one_empty_page() {
    let empty = page(Whole::default(), 0);
    assert_eq!(
        (empty.publishers.len(), empty.hubs.len(), empty.next),
        (0, 0, None)
    );
    let beyond = page(streams(vec![publisher(1)], vec![hub(1, 1)]), u32::MAX);
    assert_eq!(
        (beyond.publishers.len(), beyond.hubs.len(), beyond.next),
        (0, 0, None)
    );
}
