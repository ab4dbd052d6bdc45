//! What several nodes ask for at once, and what is begun for it.
//! Real publishers that commands start are in the system's tests.

use super::*;
use crate::IngestConfig;
use crate::testing::{identity, memory, stream};
use weft_bus::Members;
use weft_config::{Command, Config, Live, Paths};
use weft_hooks::{Hooks, Identity};

fn command(line: &str) -> OnDemand {
    OnDemand::Run(Command {
        line: line.to_owned(),
        restart: false,
    })
}

fn sources(path: PathConf) -> (Sources, Hooks) {
    let live = Live::fixed(Config {
        paths: Paths::new(vec![path]),
        ..Config::default()
    });
    let name = NodeName::new("here").unwrap();
    let node = Identity {
        node: name.clone(),
        rtsp_port: 0,
    };
    let hooks = Hooks::start(live.clone(), node);
    let config = IngestConfig {
        settings: live,
        hooks: hooks.clone(),
        ..IngestConfig::default()
    };
    let (bus, registry) = memory();
    let members = Members::alone(name);
    let fabric = Fabric::new(Arc::new(config), bus, registry, members);
    let tickets = Tickets::new(Arc::new(crate::testing::FakeAnswerer(Vec::new())));
    let counters = Arc::<Counters>::default();
    let (count, _) = tokio::sync::watch::channel(0);
    let (own, answerer, counted) = (fabric.clone(), tickets.clone(), Arc::clone(&counters));
    let arbiter = Arbiter::current();
    let sessions = <Sessions as actix::Actor>::start_in_arbiter(&arbiter, move |_| {
        Sessions::new(own, identity("here"), answerer, counted, count)
    });
    (Sources::new(fabric, sessions, tickets, counters, arbiter), hooks)
}

fn asked(by: &str) -> DemandRequest {
    DemandRequest {
        node: NodeName::new(by).unwrap(),
        stream: stream("test"),
        query: String::new(),
        over: false,
    }
}

fn value(hooks: &Hooks, wanted: &str) -> u64 {
    let mut found = 0;
    hooks.counters(&mut |name, _, value| {
        if name == wanted {
            found = value;
        }
    });
    found
}

#[actix::test]
async fn what_two_nodes_ask_for_at_once_is_begun_once_for_both() {
    let path = PathConf {
        on_demand: command("sleep 300"),
        ..PathConf::named("all_others")
    };
    let (sources, hooks) = sources(path);
    // Both have found nothing begun, and nobody who publishes.
    for by in ["one", "two"] {
        let settings = sources.0.fabric.config.settings.now();
        let found = settings.paths.find(&stream("test")).unwrap();
        assert!(sources.0.begin(asked(by), found, Instant::now()));
    }
    let begun = sources
        .0
        .counters
        .demands
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(begun, 1);
    let wanted = |sources: &Sources| match &lock(&sources.0.table)[&stream("test")].wanted {
        Wanted::By(nodes) => nodes.len(),
        _ => 0,
    };
    assert_eq!(wanted(&sources), 2);
    // One of them has no reader any more: the other's goes on.
    let over = DemandRequest {
        over: true,
        ..asked("one")
    };
    sources.demand(over).await;
    assert_eq!(wanted(&sources), 1);
    let began = Instant::now();
    while value(&hooks, "weft_hooks_commands_started_total") == 0 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(value(&hooks, "weft_hooks_commands_started_total"), 1);
    sources.end();
    // A demand that was on its way when the node ended begins nothing behind its back.
    let settings = sources.0.fabric.config.settings.now();
    let found = settings.paths.find(&stream("test")).unwrap();
    assert!(!sources.0.begin(asked("one"), found, Instant::now()));
    assert!(lock(&sources.0.table).is_empty());
    hooks.shutdown().await;
    assert_eq!(value(&hooks, "weft_hooks_commands_running"), 0);
}
