//! Which file is taken, and what stands above it.
//! What the flags themselves look like is tested with the command line.

use super::*;
use std::ffi::OsString;

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-flags-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn nothing() -> impl Iterator<Item = (OsString, OsString)> {
    std::iter::empty()
}

#[test]
fn without_a_name_the_first_file_that_is_there_is_taken() {
    let dir = Folder::new("found");
    let paths = ["a.yml", "b.yml"].map(|name| dir.0.join(name).display().to_string());
    let places = paths.each_ref().map(String::as_str);
    let taken = |flags: &Flags| flags.base_in(Faces::Both, &places, nothing()).file;
    assert_eq!(taken(&Flags::default()), None);
    std::fs::write(&paths[1], "logLevel: debug\n").unwrap();
    assert_eq!(taken(&Flags::default()), Some(PathBuf::from(&paths[1])));
    std::fs::write(&paths[0], "").unwrap();
    assert_eq!(taken(&Flags::default()), Some(PathBuf::from(&paths[0])));
    let mut named = Flags::default();
    named.take(Some("c.yml".into()), &[]).unwrap();
    assert_eq!(taken(&named), Some(PathBuf::from("c.yml")));
}

#[test]
fn flags_stand_above_the_environment_and_that_above_the_file() {
    let dir = Folder::new("above");
    let file = dir.0.join("x.yml");
    std::fs::write(&file, "rtspAddress: :1\napiAddress: :2\nmetricsAddress: :3\n").unwrap();
    let flags = Flags {
        config: Some(file),
        rtsp: Some(ListenAddress::port(7)),
        ..Flags::default()
    };
    let environment = [
        ("MTX_RTSPADDRESS", ":5"),
        ("WEFT_APIADDRESS", ":6"),
        ("HOME", "/"),
    ];
    let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let base = flags.base_in(Faces::Both, &[], environment.into_iter());
    let config = base.read().unwrap().config().unwrap();
    assert_eq!(config.rtsp_address, ListenAddress::port(7));
    assert_eq!(config.api_address, ListenAddress::port(6));
    assert_eq!(config.metrics_address, ListenAddress::port(3));
}

#[test]
fn a_word_that_is_no_command_and_two_files_are_refused_with_a_sentence() {
    let text = Flags::default()
        .take(
            Some("ingress".into()),
            &["ingest".to_owned(), "egress".to_owned()],
        )
        .unwrap_err();
    assert_eq!(
        text,
        "'ingress' is neither a command (ingest, egress) nor a configuration file that is there"
    );
    let mut flags = Flags {
        config: Some("a.yml".into()),
        ..Flags::default()
    };
    assert!(
        flags
            .take(Some("b.yml".into()), &[])
            .unwrap_err()
            .contains("b.yml and, by --config, a.yml")
    );
    flags.take(Some("a.yml".into()), &[]).unwrap();
}
