//! Who gets in and what each role may do: the shipped users and their permissions, nkeys, credentials files, TLS.
//! That the bus works at all is the conformance suite's business.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

#[path = "conformance/fixture.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod fixture;
#[path = "credentials/jwt.rs"]
mod jwt;
#[path = "credentials/roles.rs"]
mod roles;
#[path = "conformance/source.rs"]
#[allow(dead_code, reason = "shared with the suite, which uses the rest")]
mod source;

use fixture::connected;
use nkeys::KeyPair;
use source::{Source, from, name};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use weft_bus::nats::{Credentials, NatsBus, NatsConfig, Tls};
use weft_bus::testing::{NatsServer, NatsServerOptions};
use weft_bus::{Bus, Claim, Error, Registry};
use weft_wire::{Incarnation, NodeName, SessionId, StreamRecord, UnitsFrom};

async fn server(extra: &str) -> NatsServer {
    let options = NatsServerOptions {
        extra: extra.to_owned(),
        ..NatsServerOptions::default()
    };
    NatsServer::start_with(options).await.unwrap()
}

fn config(server: &NatsServer, node: &str) -> NatsConfig {
    NatsConfig::new(vec![server.url()], "standalone", NodeName::new(node).unwrap())
}

async fn join(config: NatsConfig) -> (Arc<dyn Bus>, Arc<dyn Registry>) {
    let (bus, registry, _) = NatsBus::connect(config).await.unwrap();
    connected(&bus, 1).await;
    (bus, registry)
}

fn record(node: &str) -> StreamRecord {
    StreamRecord {
        node: NodeName::new(node).unwrap(),
        incarnation: Incarnation(1),
        session: SessionId([1; 16]),
        since: 0,
    }
}

/// Names can be claimed and units asked for.
async fn works(config: NatsConfig) {
    let (bus, registry) = join(config).await;
    registry
        .claim(name("s"), record("n"), Claim::Vacant)
        .await
        .unwrap();
    let mut source = Source::start(&bus, "s").await;
    source.key();
    let answer = bus.units(name("s"), from(UnitsFrom::NewestGop)).await.unwrap();
    assert_eq!(
        answer
            .batches
            .iter()
            .map(|batch| batch.units.len())
            .sum::<usize>(),
        1
    );
}

async fn turned_away(config: NatsConfig) -> String {
    match NatsBus::connect(config).await {
        Err(Error::Refused(why)) => why,
        Err(other) => panic!("refused in other words: {other}"),
        Ok((bus, ..)) => panic!("let in, in state {:?}", *bus.state().borrow()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_the_right_nkey_gets_in_and_another_does_not() {
    let (ours, others) = (KeyPair::new_user(), KeyPair::new_user());
    let server = server(&format!(
        "authorization {{ users: [ {{ nkey: {} }} ] }}\n",
        ours.public_key()
    ))
    .await;
    let with = |key: &KeyPair| NatsConfig {
        credentials: Credentials::NkeySeed(key.seed().unwrap()),
        ..config(&server, "n")
    };
    works(with(&ours)).await;
    let why = turned_away(with(&others)).await;
    assert!(why.contains("nkey") || why.contains("credentials"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_the_right_token_gets_in_and_another_does_not() {
    let server = server("authorization { token: open }\n").await;
    let with = |token: &str| NatsConfig {
        credentials: Credentials::Token(token.into()),
        ..config(&server, "n")
    };
    works(with("open")).await;
    turned_away(with("shut")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_lets_a_node_into_its_account() {
    let realm = jwt::Realm::new();
    let server = server(&realm.server_configuration()).await;
    let file = std::env::temp_dir().join(format!("weft-{}-{}.creds", std::process::id(), server.port()));
    std::fs::write(&file, realm.credentials()).unwrap();
    let with = |credentials| NatsConfig {
        credentials,
        ..config(&server, "n")
    };
    works(with(Credentials::File(file.clone()))).await;
    turned_away(with(Credentials::None)).await;
    std::fs::remove_file(&file).unwrap();
    let why = turned_away(with(Credentials::File(file.clone()))).await;
    assert!(why.contains(&file.display().to_string()), "{why}");
}

/// A certificate of its own authority for 127.0.0.1, in a directory; the authority's file.
fn certificate(directory: &Path) -> std::path::PathBuf {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let signed = params.signed_by(&own, &issuer).unwrap();
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("cert.pem"), signed.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), own.serialize_pem()).unwrap();
    std::fs::write(directory.join("ca.pem"), root.pem()).unwrap();
    directory.join("ca.pem")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_server_is_believed_by_its_authority_only() {
    let directory = std::env::temp_dir().join(format!("weft-tls-{}", std::process::id()));
    let authority = certificate(&directory);
    let server = server(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}\n",
        directory.join("cert.pem"),
        directory.join("key.pem")
    ))
    .await;
    let mut trusting = config(&server, "n");
    trusting.servers = vec![server.url().replace("nats://", "tls://")];
    let mut doubting = trusting.clone();
    trusting.tls = Tls {
        authorities: Some(authority),
        ..Tls::default()
    };
    works(trusting).await;
    // Of an unknown authority: never connected, and the log says why.
    doubting.node = NodeName::new("m").unwrap();
    match NatsBus::connect(doubting).await {
        Ok((bus, ..)) => {
            let mut state = bus.state();
            let connected = state.wait_for(|state| matches!(state, weft_bus::BusState::Connected(_)));
            assert!(
                tokio::time::timeout(Duration::from_millis(500), connected)
                    .await
                    .is_err(),
                "a server of an unknown authority is not believed"
            );
        }
        Err(error) => assert!(error.to_string().contains("certificate"), "{error}"),
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
