//! Environment variables above the file: which they are, what they may say, and what somebody is told who mistypes one.
//! That flags stand above them is tested with the command line.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use weft_config::{Base, Config, LogLevel, Password, Secret, Source};
use weft_wire::StreamName;

fn with(variables: &[(&str, &str)], file: &str) -> Result<Config, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let base = Base {
        environment: variables.iter().map(own).collect(),
        ..Base::default()
    };
    let layers = base.parse(file, "weft.yml");
    layers
        .and_then(|layers| layers.config())
        .map_err(|error| error.to_string())
}

fn source(config: &Config, stream: &str) -> Source {
    let found = config.paths.find(&StreamName::new(stream).unwrap()).unwrap();
    found.conf.source.clone()
}

#[test]
fn plain_keys_lists_and_blocks_are_replaced() {
    let config = with(
        &[
            ("MTX_LOGLEVEL", "debug"),
            ("MTX_API", "no"),
            ("MTX_WEBRTCADDITIONALHOSTS", "a.example, 192.0.2.1"),
            ("WEFT_FABRIC_NATS_SERVERS", "nats://a:1,nats://u:p@b:2"),
            ("WEFT_FABRIC_LIMITS_READERS", "7"),
            ("MTX_PATHDEFAULTS_MAXREADERS", "3"),
            ("HOME", "/"),
        ],
        "logLevel: error\nfabric: {limits: {publishers: 9}}\n",
    )
    .unwrap();
    assert_eq!(config.log_level, LogLevel::Debug);
    assert!(!config.api);
    assert_eq!(config.webrtc_additional_hosts, ["a.example", "192.0.2.1"]);
    assert_eq!(config.fabric.nats.servers, ["nats://a:1", "nats://b:2"]);
    assert_eq!(
        (
            config.fabric.nats.user.as_str(),
            config.fabric.nats.password.expose()
        ),
        ("u", "p")
    );
    assert_eq!(
        (config.fabric.limits.readers, config.fabric.limits.publishers),
        (7, 9)
    );
    assert_eq!(config.path_defaults.max_readers, 3);
}

#[test]
fn ours_stand_above_mediamtx_s_and_old_names_work_too() {
    let both = [("WEFT_LOGLEVEL", "warn"), ("MTX_LOGLEVEL", "debug")];
    assert_eq!(with(&both, "").unwrap().log_level, LogLevel::Warn);
    let file = "webrtcAddress: :1\nlisten: :1\n";
    let old = with(&[("MTX_LISTEN", ":7")], file).unwrap();
    assert_eq!(old.webrtc_address.port, 7);
    let new = with(&[("MTX_WEBRTCADDRESS", ":8")], file).unwrap();
    assert_eq!(new.webrtc_address.port, 8);
}

#[test]
fn users_are_changed_by_their_number_and_added_after_the_last() {
    let users = |variables: &[(&str, &str)], file: &str| with(variables, file).unwrap().auth.users;
    let first = users(
        &[
            ("MTX_AUTHINTERNALUSERS_0_USER", "admin"),
            ("MTX_AUTHINTERNALUSERS_0_PASS", "x"),
        ],
        "",
    );
    assert_eq!(first.len(), 2, "the other default user stays");
    assert_eq!(first[0].name, Some(Password::Plain(Secret::new("admin"))));
    assert_eq!(first[0].permissions.len(), 3);
    let more = users(
        &[
            ("MTX_AUTHINTERNALUSERS_1_USER", "b"),
            ("MTX_AUTHINTERNALUSERS_1_IPS", "10.0.0.0/8,::1"),
            ("MTX_AUTHINTERNALUSERS_1_PERMISSIONS_0_ACTION", "read"),
            ("MTX_AUTHINTERNALUSERS_1_PERMISSIONS_0_PATH", "cam"),
        ],
        "authInternalUsers: [{user: a, permissions: [publish]}]\n",
    );
    assert_eq!(
        (more.len(), more[1].ips.len(), more[1].permissions.len()),
        (2, 2, 1)
    );
    assert!(more[1].permissions[0].path.contains("cam") && !more[1].permissions[0].path.contains("x"));
    assert!(users(&[("MTX_AUTHINTERNALUSERS", "")], "").is_empty());
    let gap = with(&[("MTX_AUTHINTERNALUSERS_5_USER", "x")], "").unwrap_err();
    assert!(
        gap.contains("MTX_AUTHINTERNALUSERS_5_USER: entry 5 of a list that has 2"),
        "{gap}"
    );
    let many: Vec<(String, String)> = (0..12)
        .map(|n| (format!("WEFT_AUTHINTERNALUSERS_{n}_USER"), format!("u{n}")))
        .collect();
    let many: Vec<_> = many
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(users(&many, "").len(), 12);
}

#[test]
fn paths_are_added_and_changed_also_those_with_underscores() {
    let config = with(
        &[
            ("MTX_PATHS_CAM_SOURCE", "rtsp://host/a"),
            ("MTX_PATHS_EXAM_1_SOURCE", "rtsp://host/b"),
            ("MTX_PATHS_ALL_OTHERS_MAXREADERS", "5"),
        ],
        "paths: {Exam_1: {}, all_others: {}}\n",
    )
    .unwrap();
    assert_eq!(source(&config, "cam"), Source::Pull("rtsp://host/a".to_owned()));
    assert_eq!(
        source(&config, "Exam_1"),
        Source::Pull("rtsp://host/b".to_owned())
    );
    assert_eq!(config.paths.get("all_others").unwrap().max_readers, 5);
    let beside = with(&[("MTX_PATHS_CAM_MAXREADERS", "1")], "").unwrap();
    assert!(beside.paths.get("all_others").is_some() && beside.paths.get("cam").is_some());
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_and_a_wrong_value_with_its_variable() {
    let text = with(&[("MTX_LOGLEVL", "debug"), ("WEFT_READTIMEOUT", "10")], "").unwrap_err();
    assert!(
        text.contains("MTX_LOGLEVL: no such key; did you mean MTX_LOGLEVEL?"),
        "{text}"
    );
    assert!(
        text.contains("WEFT_READTIMEOUT: readTimeout: '10' is not a duration"),
        "{text}"
    );
    let key = with(&[("MTX_CONFKEY", "hidden")], "").unwrap_err();
    assert!(
        key.contains("MTX_CONFKEY: files that are encrypted are not read") && !key.contains("hidden"),
        "{key}"
    );
    let block = with(&[("WEFT_FABRIC", "x")], "").unwrap_err();
    assert!(block.contains("WEFT_FABRIC: 'fabric' is a block"), "{block}");
    let clash = with(&[("MTX_APIADDRESS", ":8889")], "").unwrap_err();
    assert!(
        clash.contains("MTX_APIADDRESS: apiAddress: TCP port 8889 is taken"),
        "{clash}"
    );
}

#[test]
fn names_of_other_purposes_are_passed_over() {
    for (name, value) in [
        ("WEFT_LOG", "debug"),
        ("WEFT_FULL", "1"),
        ("WEFT_SEED", "7"),
        ("WEFT_NODE", "a"),
        ("WEFT_WEBRTC_PORT", "8889"),
        ("WEFT_PUBLIC_HOST", "192.0.2.7"),
        ("WEFT_INGEST_PASSWORD", "x"),
        ("MTX_PATH", "cam"),
        ("MTX_QUERY", ""),
        ("WEFT_SERVICE_HOST", "10.0.0.1"),
        ("WEFT_SERVICE_PORT_RTSP", "8554"),
        ("WEFT_PORT", "tcp://10.0.0.1:8554"),
        ("WEFT_INGEST_PORT_8889_TCP_ADDR", "10.0.0.1"),
        ("MEDIAMTX_HOST", "localhost"),
    ] {
        assert_eq!(with(&[(name, value)], "").unwrap(), Config::default(), "{name}");
    }
}
