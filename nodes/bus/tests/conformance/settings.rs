//! Cases about the table of settings: compare-and-set, what each node sees, what stays while the table is away.
//! Each is seen from two nodes. What only a server can do to the table comes last.

use crate::fixture::connected;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use weft_bus::faulty::{Faults, Faulty};
use weft_bus::memory::MemoryBus;
use weft_bus::nats::{NatsBus, NatsConfig};
use weft_bus::testing::NatsServer;
use weft_bus::{Bus, PutError, Revision, Scope, SettingsStore, SettingsView};
use weft_wire::NodeName;

const SOON: Duration = Duration::from_secs(10);

/// Two nodes' ends of the table of settings.
pub(crate) struct Tables {
    a: Arc<dyn SettingsStore>,
    b: Arc<dyn SettingsStore>,
    /// The second node's; over NATS each end has its own.
    buses: Vec<Arc<dyn Bus>>,
    server: Option<NatsServer>,
}

impl Tables {
    pub(crate) async fn memory() -> Self {
        let bus = Arc::new(MemoryBus::new());
        Self {
            a: bus.clone(),
            b: bus.clone(),
            buses: vec![bus],
            server: None,
        }
    }

    pub(crate) async fn nats() -> Self {
        let server = NatsServer::start().await.unwrap();
        let (bus_a, a) = end(&server, "a").await;
        let (bus_b, b) = end(&server, "b").await;
        Self {
            a,
            b,
            buses: vec![bus_a, bus_b],
            server: Some(server),
        }
    }
}

async fn end(server: &NatsServer, name: &str) -> (Arc<dyn Bus>, Arc<dyn SettingsStore>) {
    let mut config = NatsConfig::new(vec![server.url()], "standalone", NodeName::new(name).unwrap());
    config.marker_life = Duration::from_secs(60);
    let ends = NatsBus::connect_with_settings(config).await.unwrap();
    connected(&ends.bus, 1).await;
    (ends.bus, ends.settings)
}

fn path(name: &str) -> Scope {
    Scope::Path(name.to_owned())
}

async fn put(
    table: &Arc<dyn SettingsStore>,
    scope: Scope,
    value: &str,
    over: Option<Revision>,
) -> Result<Revision, PutError> {
    table.put(scope, value.into(), over).await
}

/// Waits until the view is as it should be.
async fn sees(table: &Arc<dyn SettingsStore>, what: &str, should: impl Fn(&SettingsView) -> bool) {
    let mut view = table.view();
    let seen = timeout(SOON, view.wait_for(|view| should(view))).await;
    if seen.is_err() {
        panic!("not seen within {SOON:?}: {what}; {:?}", table.view().borrow());
    }
}

/// The texts in a view, by scope.
fn texts(view: &SettingsView) -> Vec<(String, String)> {
    let one = |(scope, setting): (&Scope, &weft_bus::Setting)| (scope.to_string(), setting.value.to_string());
    view.settings.iter().map(one).collect()
}

pub(crate) async fn an_empty_table_is_known_to_be_empty(on: Tables) {
    for table in [&on.a, &on.b] {
        sees(table, "listed", |view| view.listed && view.settings.is_empty()).await;
        assert_eq!(table.get(Scope::Global).await.unwrap(), None);
    }
}

pub(crate) async fn what_is_written_is_seen_by_all(on: Tables) {
    let global = put(&on.a, Scope::Global, r#"{"a":1}"#, None).await.unwrap();
    let name = "~^exam/(.+)$";
    put(&on.b, path(name), "{}", None).await.unwrap();
    let all = [
        ("global".to_owned(), r#"{"a":1}"#.to_owned()),
        (format!("paths/{name}"), "{}".to_owned()),
    ];
    for table in [&on.a, &on.b] {
        sees(table, "both", |view| texts(view) == all).await;
        let got = table.get(Scope::Global).await.unwrap().unwrap();
        assert_eq!((got.revision, &*got.value), (global, r#"{"a":1}"#));
    }
}

pub(crate) async fn a_setting_is_replaced_only_by_who_knows_its_revision(on: Tables) {
    let first = put(&on.a, path("x"), "1", None).await.unwrap();
    assert!(matches!(
        put(&on.b, path("x"), "2", None).await,
        Err(PutError::Changed)
    ));
    let second = put(&on.b, path("x"), "2", Some(first)).await.unwrap();
    assert!(second.number > first.number);
    let elsewhere = Revision {
        generation: 1,
        ..second
    };
    for wrong in [first, elsewhere] {
        let late = put(&on.a, path("x"), "3", Some(wrong)).await;
        assert!(matches!(late, Err(PutError::Changed)), "{late:?}");
        let late = on.a.delete(path("x"), wrong).await;
        assert!(matches!(late, Err(PutError::Changed)), "{late:?}");
    }
    sees(&on.a, "the second", |view| {
        texts(view) == [("paths/x".to_owned(), "2".to_owned())]
    })
    .await;
}

pub(crate) async fn what_is_removed_is_gone_for_all_and_may_come_again(on: Tables) {
    let mut last = 0;
    for round in 0..3 {
        let at = put(&on.a, path("x"), &round.to_string(), None).await.unwrap();
        assert!(at.number > last, "revisions rise across removals");
        last = at.number;
        sees(&on.b, "it", |view| view.settings.contains_key(&path("x"))).await;
        on.b.delete(path("x"), at).await.unwrap();
        sees(&on.a, "its removal", |view| view.settings.is_empty()).await;
        assert_eq!(on.a.get(path("x")).await.unwrap(), None);
        let again = on.a.delete(path("x"), at).await;
        assert!(matches!(again, Err(PutError::Changed)), "{again:?}");
        let over = put(&on.a, path("x"), "late", Some(at)).await;
        assert!(matches!(over, Err(PutError::Changed)), "{over:?}");
    }
}

pub(crate) async fn of_many_writers_at_once_each_change_is_kept(on: Tables) {
    put(&on.a, Scope::Global, "0", None).await.unwrap();
    let add = |table: Arc<dyn SettingsStore>| async move {
        loop {
            let now = table.get(Scope::Global).await.unwrap().unwrap();
            let next = now.value.parse::<u32>().unwrap() + 1;
            match put(&table, Scope::Global, &next.to_string(), Some(now.revision)).await {
                Ok(_) => return,
                Err(PutError::Changed) => {}
                Err(other) => panic!("{other}"),
            }
        }
    };
    let tables = (0..8).map(|i| if i % 2 == 0 { &on.a } else { &on.b });
    futures::future::join_all(tables.map(|table| add(table.clone()))).await;
    sees(&on.b, "eight", |view| {
        texts(view) == [("global".to_owned(), "8".to_owned())]
    })
    .await;
}

pub(crate) async fn what_is_too_large_is_refused_in_words(on: Tables) {
    for (scope, value) in [
        (path(&"x".repeat(300)), "{}".to_owned()),
        (path(""), "{}".to_owned()),
        (Scope::Global, "x".repeat(300 * 1024)),
    ] {
        let refused = put(&on.a, scope, &value, None).await;
        assert!(matches!(refused, Err(PutError::TooLarge(_))), "{refused:?}");
    }
    put(&on.a, Scope::Global, &"x".repeat(200 * 1024), None)
        .await
        .unwrap();
    sees(&on.b, "the large one", |view| {
        view.settings.contains_key(&Scope::Global)
    })
    .await;
}

pub(crate) async fn what_was_known_stays_while_the_table_is_away(on: Tables) {
    let at = put(&on.a, path("x"), "1", None).await.unwrap();
    let faulty = Faulty::wrap(on.buses[on.buses.len() - 1].clone(), Faults::default());
    let b = faulty.settings(on.b.clone());
    sees(&b, "it", |view| view.settings.contains_key(&path("x"))).await;
    faulty.cut(true);
    assert!(matches!(
        put(&b, path("y"), "1", None).await,
        Err(PutError::Bus(_))
    ));
    assert!(b.get(path("x")).await.is_err());
    put(&on.a, path("x"), "2", Some(at)).await.unwrap();
    sees(&on.a, "the change", |view| {
        &*view.settings[&path("x")].value == "2"
    })
    .await;
    assert_eq!(&*b.view().borrow().settings[&path("x")].value, "1");
    faulty.cut(false);
    sees(&b, "the change", |view| &*view.settings[&path("x")].value == "2").await;
}

pub(crate) async fn settings_survive_the_server_and_every_node(mut on: Tables) {
    put(&on.a, path("x"), "1", None).await.unwrap();
    sees(&on.b, "it", |view| view.settings.contains_key(&path("x"))).await;
    let server = on.server.as_mut().unwrap();
    server.kill();
    let refused = put(&on.a, path("y"), "1", None).await;
    assert!(matches!(refused, Err(PutError::Bus(_))), "{refused:?}");
    assert!(
        on.b.view().borrow().settings.contains_key(&path("x")),
        "it stays known"
    );
    drop((on.a, on.b, on.buses));
    server.restart().await.unwrap();
    let (_bus, again) = end(server, "c").await;
    sees(&again, "it", |view| {
        texts(view) == [("paths/x".to_owned(), "1".to_owned())]
    })
    .await;
}

pub(crate) async fn a_server_that_comes_back_empty_gets_the_settings_again(mut on: Tables) {
    for name in ["x", "y", "z"] {
        let at = put(&on.a, path(name), name, None).await.unwrap();
        if name == "z" {
            on.a.delete(path(name), at).await.unwrap();
        }
    }
    let two = |view: &SettingsView| view.settings.len() == 2;
    sees(&on.b, "two", two).await;
    let old = on.b.view().borrow().settings[&path("x")].revision;
    let mut never_fewer = on.b.view();
    let watching =
        tokio::spawn(async move { never_fewer.wait_for(|view| view.settings.len() < 2).await.is_ok() });
    let server = on.server.as_mut().unwrap();
    server.wipe().unwrap();
    server.restart().await.unwrap();
    sees(&on.b, "them again", |view| {
        two(view)
            && view
                .settings
                .values()
                .all(|s| s.revision.generation != old.generation)
    })
    .await;
    assert!(!watching.is_finished(), "at no moment was one missing");
    watching.abort();
    let (_bus, third) = end(server, "c").await;
    sees(&third, "two", two).await;
}
