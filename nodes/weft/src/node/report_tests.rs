//! Pages of a report: everything comes exactly once, in order, and no page is too large for the bus.

use super::*;
use weft_wire::{
    Epoch, Incarnation, Message, NodeName, OwnerInfo, ReaderReport, SessionId, StreamName, StreamState,
};

const LONG: &str = "[2001:db8:1234:5678:1234:5678:1234:5678]:65535";

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
fn read(publishers: &[PublisherReport], hubs: &[HubReport]) -> (Vec<String>, Vec<HubReport>, usize) {
    let (mut seen, mut read, mut pages, mut from) = (Vec::new(), Vec::new(), 0, Some(0));
    while let Some(at) = from {
        let page = page(publishers.to_vec(), hubs.to_vec(), at);
        let size = page.encode().len();
        assert!(size <= PAGE_BYTES, "{size} bytes in a page");
        assert!(page.publishers.len() + page.hubs.len() <= PAGE_ENTRIES);
        seen.extend(page.publishers.iter().map(|p| p.stream.to_string()));
        read.extend(page.hubs);
        pages += 1;
        from = page.next;
    }
    (seen, read, pages)
}

#[test]
fn pages_together_are_everything_once_and_in_order() {
    let publishers: Vec<_> = (0..650).map(publisher).collect();
    let hubs: Vec<_> = (0..700).map(|i| hub(i, i % 40)).collect();
    let (seen, read, pages) = read(&publishers, &hubs);
    assert!(seen.iter().eq(publishers.iter().map(|p| p.stream.as_str())));
    assert_eq!(read, hubs);
    assert!((5..20).contains(&pages), "{pages} pages");
}

#[test]
fn a_hub_with_too_many_readers_for_a_page_has_several_entries() {
    let (_, read, pages) = read(&[], &[hub(1, 10_000), hub(2, 1)]);
    assert_eq!(read.iter().map(|h| h.readers.len()).sum::<usize>(), 10_001);
    assert_eq!(read.iter().map(|h| h.bytes_sent).sum::<u64>(), 10);
    assert!(read[..4].iter().all(|h| h.stream.as_str() == "cam/1"));
    assert_eq!((read.len(), pages), (5, 3));
}

#[test]
fn an_empty_node_and_a_place_beyond_the_end_are_one_empty_page() {
    let empty = page(vec![], vec![], 0);
    assert_eq!(
        (empty.publishers.len(), empty.hubs.len(), empty.next),
        (0, 0, None)
    );
    let beyond = page(vec![publisher(1)], vec![hub(1, 1)], u32::MAX);
    assert_eq!(
        (beyond.publishers.len(), beyond.hubs.len(), beyond.next),
        (0, 0, None)
    );
}
