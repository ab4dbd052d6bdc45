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
use weft_auth::Gate;
use weft_bus::{Bus, Publication, SeenNode};
use weft_config::Live;
use weft_wire::{
    ConnectionReport, Epoch, IdleReport, NodeAddresses, NodeRole, PublisherReport, SessionDetail, StreamState,
};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md")
}

/// The fabric that the page describes.
async fn fabric() -> (World, Publication) {
    let mut world = World::new(&[("egress-1", NodeRole::Egress), ("ingest-1", NodeRole::Ingest)]).await;
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
        hls: String::new(),
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
    let (mut secure, mut idle) = {
        let hubs = world.fake("egress-1").hubs.lock().unwrap();
        (hubs[0].readers[0].clone(), hubs[0].readers[0].clone())
    };
    (secure.session, secure.kind) = (session(0x22), "rtspsSession".to_owned());
    idle.session = session(0x23);
    idle.detail.connection = Some(session(0xc2));
    world.fake("egress-1").hubs.lock().unwrap()[0].readers[0]
        .detail
        .user = "worker-3".to_owned();
    let reports = [secure, idle].map(|reader| IdleReport {
        stream: stream("exam/18"),
        reader,
    });
    *world.fake("egress-1").idle.lock().unwrap() = reports.to_vec();
    let connection = |number, tls, of: Option<u8>| ConnectionReport {
        id: session(number),
        created: super::world::SINCE,
        remote: "192.0.2.9:50001".to_owned(),
        tls,
        session: of.map(session),
        bytes_received: 1_024,
        bytes_sent: 80_000,
    };
    *world.fake("egress-1").connections.lock().unwrap() = vec![
        connection(0xc0, false, Some(0x21)),
        connection(0xc1, true, Some(0x22)),
    ];
    world.mux("egress-1", "exam/17", 60, 80, 64_000);
    let live = Live::default();
    let place = world.places.get_mut("egress-1").unwrap();
    place.control = place.control.clone().guarded(live.clone(), Gate::new(live));
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
    let file = weft_control::document();
    let mut there = BTreeSet::new();
    for (path, methods) in file["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            there.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    // The file is a page of its own, and settings are a table of their own.
    there.remove("GET /v3/openapi.json");
    let settings: BTreeSet<String> = there
        .iter()
        .filter(|route| route.contains(" /v3/config/"))
        .cloned()
        .collect();
    let in_table: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|route| route.contains(" /v3/config/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_table, settings, "the table of settings");
    there.retain(|route| !settings.contains(route));
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

#[test]
fn the_openapi_file_is_the_one_that_is_served() {
    let path = page().with_file_name("openapi.json");
    let made = serde_json::to_string_pretty(&weft_control::document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "UPDATE_GOLDEN=1 cargo test -p weft-control --test control reference";
    assert!(made == kept, "docs/openapi.json is stale; run {command}");
}

/// The file by the rules of its format, as far as a reader of it would stumble.
#[test]
fn every_operation_has_a_name_of_its_own_and_says_all_its_answers() {
    let file = weft_control::document();
    let mut names = BTreeSet::new();
    for (path, methods) in file["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("200"), "{method} {path}");
            if !path.starts_with("/v3/node/") || path.ends_with("drain") {
                assert!(answers.contains_key("401"), "{method} {path}");
            }
            let declared = operation["parameters"].as_array().unwrap();
            let in_path = declared.iter().filter(|p| p["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{path}");
            assert!(declared.iter().all(|p| p["schema"].is_object()), "{path}");
        }
    }
    let text = file.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(file.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}
