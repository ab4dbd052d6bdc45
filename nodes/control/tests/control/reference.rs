//! The reference page of the API: every request on it is asked and answers as it stands there, and every route is on it.
//! `UPDATE_GOLDEN=1 cargo test -p weft-control --test control reference` writes the answers anew.

use super::orders::Owner;
use super::world::{World, json as read, node, owner, record, session, stream};
use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use weft_bus::{Bus, Publication, SeenNode};
use weft_wire::{Epoch, NodeAddresses, NodeRole, PublisherReport, SessionDetail, StreamState};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md")
}

/// The fabric that the page describes.
async fn fabric() -> (World, Publication) {
    let world = World::new(&[("egress-1", NodeRole::Egress), ("ingest-1", NodeRole::Ingest)]).await;
    let epoch = Epoch {
        generation: 1_763_825_399_000_000,
        revision: 42,
    };
    let mut info = owner("ingest-1", session(7), StreamState::Live, epoch);
    info.remote = "192.0.2.7:50000".to_owned();
    let publisher = PublisherReport {
        stream: stream("exam/17"),
        info,
        created: super::world::SINCE,
        detail: SessionDetail {
            query: "quality=hd&token=<redacted>".to_owned(),
            user: "student17".to_owned(),
            user_agent: "Mozilla/5.0".to_owned(),
            local: "192.0.2.2:8189".to_owned(),
            jitter_us: 1_500,
            rtcp_received: 4,
            ..SessionDetail::default()
        },
    };
    world.fake("ingest-1").publishers.lock().unwrap().push(publisher);
    world.open("egress-1", "exam/17", &[0x21], 1_000);
    world.open("egress-1", "exam/18", &[], 0);
    let addresses = |webrtc: &str, rtsp: &str| NodeAddresses {
        webrtc: webrtc.to_owned(),
        rtsp: rtsp.to_owned(),
        api: "192.0.2.1:9997".to_owned(),
        ice: String::new(),
    };
    world.fake("egress-1").record.lock().unwrap().addresses = addresses("", "192.0.2.1:8554");
    world.view.send_modify(|view| {
        let nodes = &mut Arc::make_mut(view).nodes;
        // Heard of just now, whenever that is asked.
        let soon = tokio::time::Instant::now() + Duration::from_secs(3_600);
        let ingest = nodes.get_mut(&node("ingest-1")).unwrap();
        ingest.heard = soon;
        ingest.record.addresses = addresses("192.0.2.2:8889", "");
        ingest.record.load.bits_per_second = 2_000_000;
    });
    let owner = Owner::of("ingest-1", session(7), StreamState::Live, epoch);
    let publication = world.bus.publish(stream("exam/17"), owner).await.unwrap();
    (world, publication)
}

/// A request of the page: `POST /v3/...`, with what is said of its sender behind it.
async fn ask(world: &World, request: &str) -> (u16, Value) {
    let (method, rest) = request.split_once(' ').unwrap();
    let (uri, sender) = rest.split_once(' ').unwrap_or((rest, ""));
    let peer = if sender == "from another host" {
        "192.0.2.9:5"
    } else {
        "127.0.0.1:5"
    };
    let mut call = TestRequest::default()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(uri)
        .insert_header(("Host", "localhost:9997"))
        .peer_addr(peer.parse().unwrap());
    match sender {
        "" | "from another host" => {}
        "by a page of another site" => call = call.insert_header(("Origin", "https://elsewhere.example")),
        other => panic!("who is '{other}'?"),
    }
    let (status, body) = read(world.call("egress-1", call).await).await;
    (status.as_u16(), body)
}

/// The page in parts: what stands between code fences, and in them.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```").collect()
}

/// `curl -s [-X METHOD] http://localhost:9997/...` as a request.
fn request(curl: &str) -> String {
    let words: Vec<&str> = curl.split_whitespace().collect();
    let method = words
        .iter()
        .position(|w| *w == "-X")
        .map_or("GET", |at| words[at + 1]);
    let uri = words
        .last()
        .unwrap()
        .strip_prefix("http://localhost:9997")
        .unwrap();
    format!("{method} {uri}")
}

#[actix_rt::test]
async fn every_example_of_the_page_answers_as_it_stands_there() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (world, _publication) = fabric().await;
    let (mut written, mut curl, mut asked) = (Vec::new(), None, 0);
    for block in blocks(&text) {
        if let Some(command) = block.strip_prefix("sh\n") {
            curl = Some(request(command));
            written.push(block.to_owned());
        } else if block.starts_with("json\n") {
            let request = curl.take().expect("an answer behind a request");
            let (status, body) = ask(&world, &request).await;
            assert_eq!(status, 200, "{request}: {body}");
            written.push(format!(
                "json\n{}\n",
                serde_json::to_string_pretty(&body).unwrap()
            ));
            asked += 1;
        } else {
            written.push(block.to_owned());
        }
    }
    assert!(asked > 15, "only {asked} examples were found");
    let written = written.join("```");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(page(), &written).unwrap();
    } else {
        let command = "UPDATE_GOLDEN=1 cargo test -p weft-control --test control reference";
        assert!(written == text, "docs/api.md is stale; run {command}");
    }
}

#[actix_rt::test]
async fn every_error_of_the_page_comes_with_its_status_and_words() {
    let text = std::fs::read_to_string(page()).unwrap();
    let (world, _publication) = fabric().await;
    // One that is in the view and never answers.
    world.view.send_modify(|view| {
        let seen = SeenNode {
            record: record(NodeRole::Ingest),
            heard: tokio::time::Instant::now(),
        };
        Arc::make_mut(view).nodes.insert(node("ingest-2"), seen);
    });
    let mut asked = 0;
    for line in text
        .lines()
        .filter(|l| l.starts_with("| 4") || l.starts_with("| 5"))
    {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (status, error, request) = (cells[1], cells[2].trim_matches('`'), cells[3].replace('`', ""));
        let (got, body) = ask(&world, &request).await;
        assert_eq!(got.to_string(), status, "{request}: {body}");
        let words = body["error"].as_str().or(body.as_str()).unwrap();
        assert_eq!(words, error, "{request}");
        asked += 1;
    }
    assert!(asked > 15, "only {asked} errors were found");
}

#[test]
fn every_route_is_on_the_page_with_an_example_and_nothing_else_is() {
    let text = std::fs::read_to_string(page()).unwrap();
    let routes = include_str!("../../src/routes.rs");
    let mut there = BTreeSet::new();
    let places = routes.split("at(").skip(1).filter_map(|rest| {
        let rest = rest
            .trim_start()
            .strip_prefix("&format!(")
            .unwrap_or(rest.trim_start());
        let (path, behind) = rest.strip_prefix('"')?.split_once('"')?;
        let behind = behind.split("at(").next()?;
        let method = match behind {
            behind if behind.contains("post()") => "POST",
            behind if behind.contains("delete()") => "DELETE",
            _ => "GET",
        };
        Some((method, path))
    });
    for (method, path) in places.filter(|(_, path)| !matches!(*path, "/metrics" | "/healthz")) {
        let path = path.replace("{{", "{").replace("}}", "}").replace(":.*", "");
        for word in ["rtspsessions", "webrtcsessions"] {
            there.insert(format!("{method} /v3{}", path.replace("{word}", word)));
        }
    }
    assert!(
        there.contains("POST /v3/rtspsessions/kick/{id}") && there.len() > 15,
        "{there:?}"
    );
    let sections: Vec<&str> = text.split("\n### `").skip(1).collect();
    let on_page: BTreeSet<String> = sections
        .iter()
        .map(|section| section.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(on_page, there);
    for section in sections {
        let (method, path) = section.split('`').next().unwrap().split_once(' ').unwrap();
        let example = section
            .split("```sh\n")
            .nth(1)
            .unwrap_or_else(|| panic!("{path} has no example"));
        let example = request(example.split("```").next().unwrap());
        let stem = path.split('{').next().unwrap();
        assert!(
            example.starts_with(&format!("{method} {stem}")),
            "{example} is no example of {path}"
        );
    }
}
