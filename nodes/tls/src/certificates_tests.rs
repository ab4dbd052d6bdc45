//! Certificates from files: what is refused and in which words, and what is replaced while sessions are open.
//! Handshakes by real clients are tested with the whole program.

use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

const KEYS: Keys = Keys {
    certificate: "rtspServerCert",
    key: "rtspServerKey",
};

/// A folder of its own that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.0.join("a.crt"),
            key: self.0.join("a.key"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A pair that expires at the end of this year.
fn pair(year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 12, 31);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write(files: &TlsFiles, pair: &(String, String)) {
    std::fs::write(&files.certificate, &pair.0).unwrap();
    std::fs::write(&files.key, &pair.1).unwrap();
}

fn load(files: &TlsFiles) -> Result<Certificates, Error> {
    Certificates::load(files, KEYS, Arc::default())
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_pair_is_read_with_its_expiry() {
    let folder = Folder::new("expiry");
    write(&folder.files(), &pair(2040));
    let certificates = load(&folder.files()).unwrap();
    // 2040-12-31T00:00:00Z.
    assert_eq!(seconds(certificates.expires()), 2_240_524_800);
    let mut told = 0;
    certificates.counters().each(&mut |name, _, value| {
        if name == "weft_tls_certificate_expiry_timestamp_seconds" {
            told = value;
        }
    });
    assert_eq!(told, 2_240_524_800);
}

#[test]
fn what_cannot_be_used_is_told_with_key_and_file() {
    let folder = Folder::new("errors");
    let files = folder.files();
    let said = || load(&files).unwrap_err().to_string();

    let error = said();
    assert!(
        error.starts_with("rtspServerCert: cannot read ") && error.contains("a.crt"),
        "{error}"
    );

    let (first, second) = (pair(2040), pair(2041));
    write(&files, &(first.0.clone(), second.1.clone()));
    let error = said();
    assert!(
        error.starts_with("rtspServerCert, rtspServerKey: the key ") && error.contains("a.key"),
        "{error}"
    );

    write(&files, &("nothing\n".to_owned(), first.1.clone()));
    let error = said();
    assert!(error.contains("a.crt holds no certificate"), "{error}");

    write(&files, &(first.0.clone(), first.0.clone()));
    let error = said();
    assert!(
        error.starts_with("rtspServerKey: ") && error.contains("holds no unencrypted private key"),
        "{error}"
    );

    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    write(&files, &(garbage.to_owned(), first.1));
    let error = said();
    assert!(error.contains("a.crt holds no X.509 certificate"), "{error}");
}

#[test]
fn where_nobody_has_named_files_and_none_are_there_the_way_to_make_them_is_told() {
    let error = load(&weft_config::FaceTls::default().files)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("openssl req -x509") && error.contains("-keyout server.key -out server.crt"),
        "{error}"
    );
}

#[test]
fn a_changed_pair_is_taken_and_a_broken_one_is_told_once_and_not_taken() {
    let folder = Folder::new("reload");
    let files = folder.files();
    write(&files, &pair(2040));
    let certificates = load(&files).unwrap();
    let counters = certificates.counters();
    let mut follower = Follower {
        seen: Seen::of(&files),
        complaint: String::new(),
        warned: None,
    };
    let before = certificates.expires();

    let newer = pair(2041);
    // Half of a change, as it may be seen between two writes.
    std::fs::write(&files.certificate, &newer.0).unwrap();
    follower.look(&certificates, &files);
    follower.look(&certificates, &files);
    assert_eq!(certificates.expires(), before);
    assert_eq!(counters.refused.load(Relaxed), 1);

    std::fs::write(&files.key, &newer.1).unwrap();
    follower.look(&certificates, &files);
    assert!(certificates.expires() > before);
    assert_eq!(counters.reloaded.load(Relaxed), 1);

    // The configuration names other files.
    let elsewhere = TlsFiles {
        certificate: folder.0.join("b.crt"),
        key: folder.0.join("b.key"),
    };
    write(&elsewhere, &pair(2042));
    follower.look(&certificates, &elsewhere);
    assert_eq!(counters.reloaded.load(Relaxed), 2);

    // A touch is no change.
    write(
        &elsewhere,
        &(
            std::fs::read_to_string(&elsewhere.certificate).unwrap(),
            std::fs::read_to_string(&elsewhere.key).unwrap(),
        ),
    );
    follower.look(&certificates, &elsewhere);
    assert_eq!(counters.reloaded.load(Relaxed), 2);
    std::fs::remove_file(&elsewhere.key).unwrap();
    follower.look(&certificates, &elsewhere);
    assert_eq!(counters.refused.load(Relaxed), 2);
}

#[test]
fn a_near_expiry_is_told_once_a_day() {
    let folder = Folder::new("soon");
    let files = folder.files();
    write(&files, &pair(2020));
    let certificates = load(&files).unwrap();
    let mut follower = Follower {
        seen: Seen::of(&files),
        complaint: String::new(),
        warned: None,
    };
    follower.look(&certificates, &files);
    let told = follower.warned;
    assert!(told.is_some());
    follower.look(&certificates, &files);
    assert_eq!(follower.warned, told);
}
