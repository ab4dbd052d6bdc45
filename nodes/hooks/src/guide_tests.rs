//! docs/guides/hooks.md: its configurations load and say what it seems to say, its event has the fields that events have,
//! its receiver knows our signatures.

use crate::event::Event;
use crate::signature;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use weft_config::{Config, OnDemand, Secret, Source};
use weft_wire::{CloseReason, NodeName, SessionId, StreamName};

const GUIDE: &str = include_str!("../../../docs/guides/hooks.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let parts = GUIDE.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn every_configuration_of_the_guide_loads_and_does_what_it_says() {
    let configs: Vec<Config> = blocks("yaml")
        .into_iter()
        .map(|text| Config::parse(text, "guide").unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect();
    let find = |config: &Config, name: &str| config.paths.find(&StreamName::new(name).unwrap()).unwrap();
    assert_eq!(configs.len(), 3);
    let found = find(&configs[0], "cam/1");
    assert_eq!(
        (found.conf.hooks.available.len(), found.groups),
        (1, vec!["1".to_owned()])
    );
    assert!(found.conf.hooks.read.is_some());
    assert!(matches!(
        find(&configs[1], "demo/x").conf.on_demand,
        OnDemand::Run(_)
    ));
    let pulled = find(&configs[1], "building/x").conf;
    assert!(pulled.source_on_demand && matches!(pulled.source, Source::Pull(_)));
    let hook = configs[2].on_event.as_ref().unwrap();
    assert_eq!(hook.url, "https://hooks.example/weft");
    assert!(!hook.secret.is_empty());
}

#[test]
fn the_event_of_the_guide_has_the_fields_that_events_have_and_the_table_names_them_all() {
    let shown: serde_json::Value = serde_json::from_str(blocks("json")[0]).unwrap();
    let node = NodeName::new("n").unwrap();
    let event = Event::new("read", &node, "rtspSession", SessionId([1; 16]));
    let read = event.clone().path("cam/1").who("worker", "a=1");
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let real = serde_json::from_str(&read.to_json()).unwrap();
    assert_eq!(keys(&shown), keys(&real));
    let all = read.peer("192.0.2.1:1".to_owned()).reason(CloseReason::PeerLeft);
    for key in keys(&serde_json::from_str(&all.to_json()).unwrap()) {
        assert!(
            GUIDE.contains(&format!("| `{key}` |")),
            "{key} is not in the table"
        );
    }
}

#[test]
fn the_receiver_of_the_guide_knows_our_signature_and_refuses_others() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signed = |seconds| signature::of(&Secret::new("s"), seconds, b"{}").unwrap();
    for (header, body, ours) in [
        (signed(now), "{}", "True"),
        (signed(now), "{ }", "False"),
        (signed(now - 1000), "{}", "False"),
    ] {
        let program = format!(
            "import hashlib, hmac, time\n{}\nprint(is_ours({header:?}, b{body:?}, b's'))",
            blocks("python")[0]
        );
        let said = Command::new("python3").args(["-c", &program]).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(text.trim(), ours, "{}", String::from_utf8_lossy(&said.stderr));
    }
}
