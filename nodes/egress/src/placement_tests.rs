//! Who is kept, moved and refused, by what the node knows of itself and sees of the others.
//! That readers follow is shown by the interoperability tests.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_bus::{NodesView, SeenNode};
use weft_wire::{Incarnation, NodeAddresses, NodeLimits, NodeLoad, NodeRecord, NodeRole, StreamName};

/// A node of 100 places.
fn node(readers: u32, rtsp: &str) -> NodeRecord {
    NodeRecord {
        role: NodeRole::Egress,
        incarnation: Incarnation(1),
        version: String::new(),
        addresses: NodeAddresses {
            rtsp: rtsp.into(),
            ..NodeAddresses::default()
        },
        load: NodeLoad {
            readers,
            ..NodeLoad::default()
        },
        limits: NodeLimits {
            readers: 100,
            ..NodeLimits::default()
        },
        draining: false,
        started: 0,
    }
}

fn seeing(own: NodeRecord, others: Vec<NodeRecord>) -> Members {
    let named = |(i, record): (usize, NodeRecord)| {
        let name = NodeName::new(format!("n{i}")).unwrap();
        let heard = Instant::now();
        (name, SeenNode { record, heard })
    };
    let nodes: BTreeMap<_, _> = others.into_iter().enumerate().map(named).collect();
    let view = NodesView {
        nodes,
        as_of: Some(Instant::now()),
    };
    let own_name = NodeName::new("own").unwrap();
    Members::seeing(
        own_name,
        Arc::new(move || own.clone()),
        watch::channel(Arc::new(view)).1,
    )
}

fn asked(query: Option<&str>) -> DescribeRequest {
    DescribeRequest {
        stream: StreamName::new("exam/1").unwrap(),
        query: query.map(str::to_owned),
        peer: "127.0.0.1:5000".parse().unwrap(),
        user_agent: None,
        principal: String::new(),
    }
}

fn placed(own: NodeRecord, others: Vec<NodeRecord>, room: Room) -> Result<(), Refusal> {
    place(&seeing(own, others), room, &asked(None), Speaks::Rtsp)
}

fn moved() -> Result<(), Refusal> {
    Err(Refusal::Moved("rtsp://b:8554/exam/1".into()))
}

#[test]
fn a_full_node_moves_its_newcomers_and_refuses_them_where_nobody_else_takes_any() {
    let draining = NodeRecord {
        draining: true,
        ..node(0, "c:8554")
    };
    assert_eq!(placed(node(99, ""), vec![], Room::Left), Ok(()));
    assert_eq!(
        placed(node(100, ""), vec![node(99, "b:8554")], Room::Left),
        moved()
    );
    assert_eq!(
        placed(node(50, ""), vec![node(99, "b:8554")], Room::Full),
        moved()
    );
    let nobody = vec![node(100, "b:8554"), draining, node(0, "")];
    assert_eq!(placed(node(100, ""), nobody, Room::Left), Err(Refusal::Full));
    assert_eq!(placed(node(100, ""), vec![], Room::Left), Err(Refusal::Full));
}

#[test]
fn a_draining_node_moves_its_newcomers_or_tells_them_to_try_again() {
    let gone = Err(Refusal::Unavailable(TRY_AGAIN));
    assert_eq!(
        placed(node(0, ""), vec![node(99, "b:8554")], Room::Draining),
        moved()
    );
    assert_eq!(placed(node(0, ""), vec![], Room::Draining), gone);
    let own = NodeRecord {
        draining: true,
        ..node(0, "")
    };
    assert_eq!(placed(own.clone(), vec![node(99, "b:8554")], Room::Left), moved());
    assert_eq!(placed(own, vec![], Room::Left), gone);
}

#[test]
fn too_many_bits_are_full_too() {
    let mut own = node(1, "");
    own.limits.bits_per_second = 1_000;
    own.load.bits_per_second = 1_000;
    assert!(own.is_over_bits());
    assert_eq!(placed(own.clone(), vec![], Room::Left), Err(Refusal::Full));
    assert_eq!(placed(own, vec![node(0, "b:8554")], Room::Left), moved());
}

#[test]
fn a_node_that_fills_up_hands_on_only_to_one_that_will_keep_what_it_gets() {
    assert_eq!(placed(node(79, ""), vec![node(0, "b:8554")], Room::Left), Ok(()));
    assert_eq!(
        placed(node(80, ""), vec![node(70, "b:8554")], Room::Left),
        moved()
    );
    assert_eq!(placed(node(80, ""), vec![node(71, "b:8554")], Room::Left), Ok(()));
    assert_eq!(placed(node(95, ""), vec![node(80, "b:8554")], Room::Left), Ok(()));
}

#[test]
fn a_node_without_an_rtsp_address_is_passed_over() {
    let mut others: Vec<NodeRecord> = (0..20).map(|_| node(0, "")).collect();
    others.push(node(50, "b:8554"));
    for _ in 0..50 {
        assert_eq!(placed(node(100, ""), others.clone(), Room::Left), moved());
    }
}

#[test]
fn the_url_keeps_path_and_query_and_brackets_ipv6() {
    let at = |address: &str, query| {
        let members = seeing(node(100, ""), vec![node(0, address)]);
        match place(&members, Room::Left, &asked(query), Speaks::Rtsp) {
            Err(Refusal::Moved(url)) => url,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        at("10.0.0.7:8554", Some("token=a%20b&x")),
        "rtsp://10.0.0.7:8554/exam/1?token=a%20b&x"
    );
    assert_eq!(at("[2001:db8::7]:8554", None), "rtsp://[2001:db8::7]:8554/exam/1");
    assert_eq!(at("2001:db8::7:8554", None), "rtsp://[2001:db8::7]:8554/exam/1");
    assert_eq!(at("egress-2.example", None), "rtsp://egress-2.example/exam/1");
}
