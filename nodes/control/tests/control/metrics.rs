//! What a node shows on its metrics' port, as a Prometheus server reads it.
//! Which metrics a real node has is in `docs/metrics.md`, which is made from one.

use super::world::World;
use weft_wire::{NodeRole, StreamState};

#[actix_rt::test]
async fn metrics_are_prometheus_text_with_one_head_per_family() {
    let world = World::new(&[
        ("a", NodeRole::Standalone),
        ("b", NodeRole::Ingest),
        ("c", NodeRole::Egress),
    ])
    .await;
    *world.fake("a").problems.lock().unwrap() = vec!["the bus is away".to_owned()];
    world.fake("a").record.lock().unwrap().load.readers = 3;
    world.publish("a", "demo", 7, StreamState::Live).await;
    world.publish("b", "elsewhere", 8, StreamState::Live).await;
    world.open("a", "demo", &[0x11], 77);
    world.open("a", "held", &[], 5);
    let text = world.metrics("a").await;
    assert!(
        !text.contains("elsewhere"),
        "another node's streams are in its own metrics"
    );
    for line in [
        "paths{name=\"demo\",state=\"ready\"} 1",
        "paths_bytes_received{name=\"demo\",state=\"ready\"} 1234",
        "paths_outbound_bytes{name=\"held\",state=\"ready\"} 5",
        "paths_readers{name=\"demo\",readerType=\"rtspSession\",state=\"ready\"} 1",
        "rtsp_sessions_outbound_rtp_packets{id=\"r1\",path=\"demo\",remoteAddr=\"127.0.0.1:9\",state=\"read\"} 3",
        "webrtc_sessions 0",
        "weft_ready 0",
        "weft_fabric_nodes{role=\"ingest\"} 1",
        "weft_fabric_readers 3",
        "weft_fabric_view_age_seconds 0",
        "weft_node_fullness 0.3",
        "weft_control_rounds_total 0",
        "weft_info{node=\"a\",role=\"standalone\",version=\"v9\"} 1",
        "weft_things_total 4",
        "# TYPE weft_things_total counter",
        "# TYPE weft_waits_seconds histogram",
        "weft_waits_seconds_bucket{le=\"0.0001\"} 1",
        "weft_waits_seconds_bucket{le=\"0.0005\"} 1",
        "weft_waits_seconds_bucket{le=\"0.001\"} 2",
        "weft_waits_seconds_bucket{le=\"2.5\"} 2",
        "weft_waits_seconds_bucket{le=\"+Inf\"} 3",
        "weft_waits_seconds_sum 9.0008",
        "weft_waits_seconds_count 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in:\n{text}");
    }
    let mut heads: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
    let all = heads.len();
    heads.dedup();
    heads.sort_unstable();
    heads.dedup();
    assert_eq!(heads.len(), all);
    assert!(text.contains("process_resident_memory_bytes "));
}
