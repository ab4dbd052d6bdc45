//! Handshakes in memory: one that is honest, one that stalls, and more than there may be.
//! Clients verify nothing here.

use super::*;
use crate::Keys;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;
use weft_config::TlsFiles;

fn acceptor(name: &str) -> (Acceptor, TlsConnector) {
    let path = std::env::temp_dir().join(format!("weft-handshakes-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let files = TlsFiles {
        certificate: path.join("a.crt"),
        key: path.join("a.key"),
    };
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let keys = Keys {
        certificate: "apiServerCert",
        key: "apiServerKey",
    };
    let certificates = Certificates::load(&files, keys, Arc::default()).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (
        Acceptor::new(&certificates, &["http/1.1"]),
        TlsConnector::from(Arc::new(client)),
    )
}

#[tokio::test]
async fn an_honest_client_is_served() {
    let (acceptor, connector) = acceptor("honest");
    let (near, far) = duplex(4096);
    let name = ServerName::try_from("localhost").unwrap();
    let limit = Duration::from_secs(5);
    let (server, client) = tokio::join!(acceptor.accept(near, limit), connector.connect(name, far));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    client.write_all(b"word").await.unwrap();
    client.flush().await.unwrap();
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"word");
    assert_eq!(acceptor.counters.handshakes.load(Relaxed), 1);
    assert_eq!(acceptor.counters.pending.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_stalls_is_given_up_in_time_and_one_that_speaks_no_tls_at_once() {
    let (acceptor, _) = acceptor("stalls");
    let (near, _far) = duplex(4096);
    let limit = Duration::from_secs(3);
    let before = tokio::time::Instant::now();
    let stalled = acceptor.accept(near, limit).await;
    assert!(matches!(stalled, Err(HandshakeError::TimedOut)));
    assert_eq!(before.elapsed(), limit);

    let (near, mut far) = duplex(4096);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(matches!(
        acceptor.accept(near, limit).await,
        Err(HandshakeError::Failed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_the_oldest_is_given_up() {
    let (acceptor, connector) = acceptor("many");
    let limit = Duration::from_secs(10);
    let mut silent = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..=MOST {
        let (near, far) = duplex(64);
        silent.push(far);
        let acceptor = acceptor.clone();
        tasks.spawn(async move { acceptor.accept(near, limit).await.err() });
        tokio::task::yield_now().await;
    }
    let first = tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(first, Some(HandshakeError::Dropped)), "{first:?}");
    assert_eq!(acceptor.counters.pending.load(Relaxed), MOST as u64);

    let (near, far) = duplex(4096);
    let name = ServerName::try_from("localhost").unwrap();
    let (served, _) = tokio::join!(acceptor.accept(near, limit), connector.connect(name, far));
    served.unwrap();
    assert_eq!(acceptor.counters.dropped.load(Relaxed), 2);
}
