//! The shipped permissions: each role can do its work, and nothing of another's.
//! What is refused is tried with a bare client, since ours would not try.

use crate::fixture::connected;
use crate::source::{Source, from, name, read};
use crate::{join, record};
use async_nats::{Client, ConnectOptions};
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use weft_bus::nats::{Credentials, NatsBus, NatsConfig};
use weft_bus::testing::{NatsServer, NatsServerOptions, ROLE_PASSWORD};
use weft_bus::{Bus, Claim, MediaFilter, Registry};
use weft_wire::{Kick, MediaClass, NodeName, UnitsFrom};

async fn server() -> NatsServer {
    let options = NatsServerOptions {
        roles: true,
        ..NatsServerOptions::default()
    };
    NatsServer::start_with(options).await.unwrap()
}

fn config(server: &NatsServer, role: &str) -> NatsConfig {
    NatsConfig {
        credentials: Credentials::User {
            user: role.into(),
            password: ROLE_PASSWORD.into(),
        },
        ..NatsConfig::new(vec![server.url()], role, NodeName::new(role).unwrap())
    }
}

async fn node(server: &NatsServer, role: &str) -> (Arc<dyn Bus>, Arc<dyn Registry>) {
    join(config(server, role)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_the_user_of_another_role_is_told_so() {
    let server = server().await;
    let config = NatsConfig {
        credentials: config(&server, "egress").credentials,
        ..config(&server, "ingest")
    };
    let Err(error) = NatsBus::connect(config).await else {
        panic!("taken for one of its role");
    };
    let error = error.to_string();
    assert!(
        error.contains("fabric.nats.user is the one for this node's role"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_shipped_permissions_each_role_does_its_work() {
    let server = server().await;
    // The egress node comes first: it finds no table of names and makes it.
    let (egress, reader) = node(&server, "egress").await;
    assert_eq!(reader.list().await.unwrap(), []);
    let (ingest, registry) = node(&server, "ingest").await;
    let epoch = registry
        .claim(name("s"), record("ingest"), Claim::Vacant)
        .await
        .unwrap();
    assert_eq!(reader.lookup(name("s")).await.unwrap().unwrap().epoch, epoch);
    assert_eq!(reader.list().await.unwrap().len(), 1);
    assert!(registry.steady().await.is_ok() && reader.steady().await.is_ok());

    let mut source = Source::start(&ingest, "s").await;
    source.key();
    for _ in 0..199 {
        source.send(MediaClass::Delta, 8_000);
    }
    let mut live = egress.subscribe(name("s"), MediaFilter::All).await.unwrap();
    let past = egress.units(name("s"), from(UnitsFrom::NewestGop)).await.unwrap();
    assert_eq!(
        past.batches.iter().map(|batch| batch.units.len()).sum::<usize>(),
        200,
        "all of the answer"
    );
    source.key();
    assert_eq!(read(&mut live, 1).await.len(), 1);

    egress.owner(name("s")).await.unwrap();
    ingest.owner(name("s")).await.unwrap();
    let kick = Kick {
        node: NodeName::new("egress").unwrap(),
        reason: weft_wire::CloseReason::Kicked,
    };
    egress.kick(name("s"), kick).await.unwrap();
    assert!(registry.remove(name("s"), epoch).await.unwrap());

    // Both on one node.
    let (both, names) = node(&server, "standalone").await;
    names
        .claim(name("t"), record("standalone"), Claim::Vacant)
        .await
        .unwrap();
    let mut source = Source::start(&both, "t").await;
    let mut live = both.subscribe(name("t"), MediaFilter::All).await.unwrap();
    both.units(name("t"), from(UnitsFrom::Live)).await.unwrap();
    source.key();
    assert_eq!(read(&mut live, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_shipped_permissions_leases_and_questions_between_nodes_work_for_each_role() {
    use weft_bus::{NodeReply, NodeRequest, NodeService};
    use weft_wire::{NodeReport, ReportRequest};

    struct Nothing;
    impl NodeService for Nothing {
        fn answer(&self, _: NodeRequest) -> futures::future::BoxFuture<'static, NodeReply> {
            let report = NodeReport {
                next: None,
                ..NodeReport::default()
            };
            Box::pin(std::future::ready(NodeReply::Report(report)))
        }
    }

    let server = server().await;
    let mut nodes = Vec::new();
    for role in ["ingest", "egress", "standalone"] {
        let (bus, _, leases) = NatsBus::connect(config(&server, role)).await.unwrap();
        connected(&bus, 1).await;
        let own = NodeName::new(role).unwrap();
        leases
            .keep(own.clone(), weft_bus::Members::alone(own.clone()).own())
            .await
            .unwrap();
        let serving = bus.serve(own.clone(), Arc::new(Nothing)).await.unwrap();
        nodes.push((own, bus, leases, serving));
    }
    for (asker, bus, leases, _) in &nodes {
        let mut view = leases.view();
        let all = timeout(
            Duration::from_secs(5),
            view.wait_for(|view| view.nodes.len() == 3),
        );
        all.await.expect("each sees all").unwrap();
        for (asked, ..) in &nodes {
            let report = NodeRequest::Report(ReportRequest::default());
            let answer = bus.ask(asked.clone(), report, Duration::from_secs(2)).await;
            assert!(
                matches!(answer, Ok(NodeReply::Report(_))),
                "{asker} asks {asked}: {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_shipped_permissions_each_role_sets_and_sees_what_is_set() {
    use weft_bus::Scope;
    let server = server().await;
    let mut tables = Vec::new();
    // The first makes the bucket.
    for role in ["egress", "ingest", "standalone"] {
        let ends = NatsBus::connect_with_settings(config(&server, role))
            .await
            .unwrap();
        connected(&ends.bus, 1).await;
        let scope = Scope::Path(role.to_owned());
        let at = ends.settings.put(scope.clone(), "1".into(), None).await.unwrap();
        let at = ends
            .settings
            .put(scope.clone(), "2".into(), Some(at))
            .await
            .unwrap();
        assert_eq!(
            ends.settings.get(scope.clone()).await.unwrap().unwrap().revision,
            at
        );
        ends.settings.delete(scope.clone(), at).await.unwrap();
        ends.settings.put(scope, "3".into(), None).await.unwrap();
        tables.push((role, ends));
    }
    for (role, ends) in &tables {
        let mut view = ends.settings.view();
        let all = view
            .wait_for(|view| view.settings.len() == 3 && view.settings.values().all(|s| &*s.value == "3"));
        timeout(Duration::from_secs(5), all)
            .await
            .unwrap_or_else(|_| panic!("{role} sees all"))
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_role_may_end_the_bucket_of_settings_or_hear_it_but_by_its_own_inbox() {
    let server = server().await;
    for role in ["egress", "ingest", "standalone"] {
        let (client, mut refusals) = bare(&server, role).await;
        for subject in [
            "$JS.API.STREAM.DELETE.KV_weft_config",
            "$JS.API.STREAM.PURGE.KV_weft_config",
            "$JS.API.STREAM.UPDATE.KV_weft_config",
            "$JS.API.CONSUMER.DELETE.KV_weft_config.x",
        ] {
            client.publish(subject, "".into()).await.unwrap();
            refused(&mut refusals, subject).await;
        }
        drop(client.subscribe("$KV.weft_config.>").await.unwrap());
        refused(&mut refusals, "$KV.weft_config.>").await;
    }
}

/// A bare client of a role and what the server refuses it.
async fn bare(server: &NatsServer, role: &str) -> (Client, mpsc::Receiver<String>) {
    let (said, refusals) = mpsc::channel(64);
    let client = ConnectOptions::new()
        .user_and_password(role.into(), ROLE_PASSWORD.into())
        .event_callback(move |event| {
            let said = said.clone();
            // overflow: the newest refusal is not heard; the tests below cause a handful.
            async move { drop(said.try_send(event.to_string())) }
        })
        .connect(server.url())
        .await
        .unwrap();
    (client, refusals)
}

async fn refused(refusals: &mut mpsc::Receiver<String>, subject: &str) {
    loop {
        let said = timeout(Duration::from_secs(3), refusals.recv()).await;
        let said = said
            .unwrap_or_else(|_| panic!("{subject} is not refused"))
            .unwrap();
        let said = said.to_lowercase();
        if said.contains("permissions violation") && said.contains(&subject.to_lowercase()) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_egress_credential_cannot_publish_media_claim_names_or_answer_for_streams() {
    let server = server().await;
    let (client, mut refusals) = bare(&server, "egress").await;
    for subject in [
        "weft.media.s.0.k",
        "$KV.weft_streams.s",
        "weft.event.publisher.x",
        "_INBOX_weft.ingest.n.media.x",
    ] {
        client.publish(subject, "x".into()).await.unwrap();
        refused(&mut refusals, subject).await;
    }
    for subject in ["weft.stream.s.owner", "_INBOX_weft.ingest.>", "$KV.>", ">"] {
        drop(client.subscribe(subject).await.unwrap());
        refused(&mut refusals, subject).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_credential_cannot_read_media_or_hear_others_answers() {
    let server = server().await;
    let (client, mut refusals) = bare(&server, "ingest").await;
    for subject in ["weft.media.>", "weft.media.s.0.k", "_INBOX_weft.egress.>", ">"] {
        drop(client.subscribe(subject).await.unwrap());
        refused(&mut refusals, subject).await;
    }
    // What it is for is not refused.
    let mut own = client.subscribe("_INBOX_weft.ingest.n.x").await.unwrap();
    client
        .publish("_INBOX_weft.ingest.n.x", "x".into())
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_secs(3), own.next())
            .await
            .unwrap()
            .is_some()
    );
}
