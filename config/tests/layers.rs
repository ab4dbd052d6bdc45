//! Changes by the API above a file: what they make of the configuration, what is kept of them, and how they are refused.
//! Who keeps them, and how other nodes hear of them, is tested with the nodes.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_config::{Base, Change, EditError, Layers, Scope, Verb};

const FILE: &str = "apiAddress: 127.0.0.1:7\npathDefaults: {maxReaders: 4}\npaths:\n  cam: {overridePublisher: no}\n  all_others:\n";

fn base(text: &str) -> Layers {
    Base::default().parse(text, "weft.yml").unwrap()
}

fn cam() -> Scope {
    Scope::Path("cam".to_owned())
}

/// Makes a change that is right.
fn made(layers: &Layers, scope: &Scope, verb: Verb, body: Value) -> Layers {
    let (after, change) = layers.edit(scope, verb, &body).unwrap();
    // What is kept is JSON, and gives the same again above the same file.
    let kept: Option<Change> = serde_json::from_value(serde_json::to_value(&change).unwrap()).unwrap();
    let mut changes = layers.changes().clone();
    match kept {
        Some(change) => changes.insert(scope.clone(), change),
        None => changes.remove(scope),
    };
    let again = layers.with(changes);
    assert_eq!(again.config().unwrap(), after.config().unwrap());
    assert_eq!(again.changes(), after.changes());
    after
}

fn refused(layers: &Layers, scope: &Scope, verb: Verb, body: Value) -> EditError {
    layers.edit(scope, verb, &body).map(|_| ()).unwrap_err()
}

fn sentence(layers: &Layers, scope: &Scope, body: Value) -> String {
    match refused(layers, scope, Verb::Patch, body) {
        EditError::Refused(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_patch_of_the_global_keys_holds_and_leaves_the_others() {
    let layers = made(
        &base(FILE),
        &Scope::Global,
        Verb::Patch,
        json!({"readTimeout": "7s", "rtmp": false}),
    );
    let layers = made(
        &layers,
        &Scope::Global,
        Verb::Patch,
        json!({"logLevel": "debug", "fabric": {"limits": {"readers": 9}}}),
    );
    let layers = made(
        &layers,
        &Scope::Global,
        Verb::Patch,
        json!({"fabric": {"limits": {"publishers": 8}}}),
    );
    let config = layers.config().unwrap();
    assert_eq!(config.read_timeout.as_secs(), 7);
    assert_eq!(
        (config.fabric.limits.readers, config.fabric.limits.publishers),
        (9, 8)
    );
    let shown = layers.global();
    assert_eq!(shown["readTimeout"], "7s");
    assert_eq!(shown["rtmp"], false);
    assert_eq!(shown["logLevel"], "debug");
    assert_eq!(shown["apiAddress"], "127.0.0.1:7");
}

#[test]
fn paths_are_added_patched_replaced_and_deleted_as_mediamtx_does() {
    let cam2 = Scope::Path("cam2".to_owned());
    let layers = base(FILE);
    assert_eq!(refused(&layers, &cam(), Verb::Add, json!({})), EditError::Exists);
    assert_eq!(
        refused(&layers, &cam2, Verb::Patch, json!({})),
        EditError::NotFound
    );
    assert_eq!(
        refused(&layers, &cam2, Verb::Delete, Value::Null),
        EditError::NotFound
    );
    let layers = made(
        &layers,
        &cam2,
        Verb::Add,
        json!({"runOnDemand": true, "name": "cam2"}),
    );
    assert_eq!(layers.path("cam2").unwrap()["runOnDemand"], "true");
    assert_eq!(layers.path("cam2").unwrap()["maxReaders"], 4);
    let layers = made(&layers, &cam2, Verb::Patch, json!({"maxReaders": 1}));
    assert_eq!(layers.path("cam2").unwrap()["runOnDemand"], "true");
    let layers = made(&layers, &cam2, Verb::Replace, json!({"runOnReady": "x"}));
    let shown = layers.path("cam2").unwrap();
    assert_eq!(
        (&shown["runOnDemand"], &shown["runOnAvailable"]),
        (&json!(""), &json!("x"))
    );
    let names: Vec<_> = layers.paths().iter().map(|path| path["name"].clone()).collect();
    assert_eq!(names, ["all_others", "cam", "cam2"]);
    let layers = made(&layers, &cam2, Verb::Delete, Value::Null);
    assert!(layers.path("cam2").is_none());
    assert!(
        layers.changes().is_empty(),
        "nothing is kept of what is in no file"
    );
}

#[test]
fn a_path_of_the_file_is_patched_deleted_and_added_again_and_the_file_is_not_touched() {
    let layers = made(&base(FILE), &cam(), Verb::Patch, json!({"maxReaders": 2}));
    assert_eq!(layers.path("cam").unwrap()["overridePublisher"], false);
    let layers = made(&layers, &cam(), Verb::Delete, Value::Null);
    assert_eq!(layers.changes()[&cam()], Change::Deleted);
    assert_eq!(layers.path("cam"), None);
    let layers = made(&layers, &cam(), Verb::Add, json!({}));
    assert_eq!(layers.path("cam").unwrap()["overridePublisher"], true);
    let gone = made(
        &base(FILE),
        &Scope::Path("all_others".into()),
        Verb::Delete,
        Value::Null,
    );
    let stream = weft_wire::StreamName::new("x").unwrap();
    assert_eq!(gone.config().unwrap().paths.find(&stream), None);
    let reread = base("paths: {}\n").with(layers.changes().clone());
    assert!(reread.path("cam").is_some() && reread.path("all_others").is_some());
}

#[test]
fn path_defaults_reach_every_path_that_does_not_say_otherwise() {
    let layers = made(
        &base(FILE),
        &Scope::PathDefaults,
        Verb::Patch,
        json!({"overridePublisher": false}),
    );
    let paths = layers.config().unwrap().paths;
    assert!(
        paths
            .iter()
            .all(|path| !path.override_publisher && path.max_readers == 4)
    );
    assert_eq!(layers.path_defaults()["overridePublisher"], false);
}

#[test]
fn what_is_no_key_or_has_the_wrong_type_is_refused_and_named() {
    let layers = base(FILE);
    for scope in [Scope::Global, Scope::PathDefaults, cam()] {
        assert_eq!(
            sentence(&layers, &scope, json!({"nothing": 1})),
            "json: unknown field \"nothing\""
        );
    }
    for body in [
        json!({"paths": {}}),
        json!({"pathDefaults": {}}),
        json!({"fabric": {"x": 1}}),
    ] {
        assert!(sentence(&layers, &Scope::Global, body).starts_with("json: unknown field "));
    }
    for (body, part) in [
        (json!({"readTimeout": 10}), "readTimeout: expected a duration"),
        (
            json!({"metricsAllowOrigins": "*"}),
            "metricsAllowOrigins: expected a list",
        ),
        (json!({"readTimeout": "0s"}), "readTimeout: 0 would end"),
        (
            json!({"fabric": {"limits": {"readers": "5"}}}),
            "fabric.limits.readers: expected a number, not a text",
        ),
        (
            json!({"fabric": {"limits": {"readers": -1}}}),
            "-1 is not a whole number",
        ),
        (json!([]), "expected an object"),
    ] {
        let text = sentence(&layers, &Scope::Global, body);
        assert!(text.contains(part), "{text}");
    }
    for (body, part) in [
        (
            json!({"source": "rtmp://a/b"}),
            "'rtmp' sources are not pulled yet",
        ),
        (json!({"maxReaders": "1"}), "maxReaders: expected a number"),
        (
            json!({"sourceOnDemand": true}),
            "paths.cam.sourceOnDemand: of no use",
        ),
        (
            json!({"runOnReady": "a", "runOnAvailable": "b"}),
            "both mean the same",
        ),
    ] {
        let text = sentence(&layers, &cam(), body);
        assert!(text.contains(part), "{text}");
    }
    let name = Scope::Path("a b".to_owned());
    assert!(matches!(
        refused(&layers, &name, Verb::Add, json!({})),
        EditError::Refused(_)
    ));
    assert!(matches!(
        refused(&layers, &Scope::Path("~(".into()), Verb::Add, json!({})),
        EditError::Refused(_)
    ));
    assert!(matches!(
        refused(&layers, &Scope::Global, Verb::Delete, json!({})),
        EditError::Refused(_)
    ));
}

#[test]
fn what_is_a_node_s_own_is_refused_unless_it_is_so_already() {
    let layers = base(FILE);
    for body in [
        json!({"apiAddress": ":1"}),
        json!({"logDestinations": ["stdout"]}),
        json!({"rtspServerKey": "x"}),
        json!({"fabric": {"nats": {"servers": ["nats://a"]}}}),
        json!({"fabric": {"nodeName": "x"}}),
    ] {
        let text = sentence(&layers, &Scope::Global, body);
        assert!(text.contains("each node has its own"), "{text}");
    }
    let (after, change) = layers
        .edit(
            &Scope::Global,
            Verb::Patch,
            &json!({"apiAddress": "127.0.0.1:7", "logLevel": "warn"}),
        )
        .unwrap();
    assert_eq!(after.global()["logLevel"], "warn");
    let Some(Change::Patch(kept)) = change else {
        panic!("{change:?}")
    };
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["logLevel"]);
}

#[test]
fn a_client_may_send_back_all_that_it_was_shown_and_no_secret_is_lost_or_seen() {
    let layers = base(
        "authInternalUsers:\n  - {user: a, pass: hidden1, permissions: [api]}\n  - {user: b, pass: hidden2}\n\
         onEvent: http://h/\nonEventSecret: hidden3\nfabric: {nats: {user: u, password: hidden4}}\n\
         webrtcICEServers2: [{url: 'turn:h:1', username: x, password: hidden5}]\n\
         paths: {p: {source: 'rtsp://u:hidden6@h/x'}}\n",
    );
    let before = layers.config().unwrap();
    let shown = [layers.global(), layers.path_defaults(), layers.path("p").unwrap()];
    let text = format!("{shown:?}{}{layers:?}{before:?}", layers.to_yaml());
    assert!(!text.contains("hidden"), "{text}");
    assert_eq!(shown[0]["authInternalUsers"][0]["pass"], "<redacted>");
    assert_eq!(shown[2]["source"], "rtsp://u:<redacted>@h/x");
    let [global, defaults, path] = shown;
    let layers = made(&layers, &Scope::Global, Verb::Patch, global);
    let layers = made(&layers, &Scope::PathDefaults, Verb::Patch, defaults);
    let layers = made(&layers, &Scope::Path("p".into()), Verb::Replace, path);
    assert_eq!(layers.config().unwrap(), before);
    assert!(!format!("{:?}", layers.changes()).contains("hidden"));
    let users = json!({"authInternalUsers": [{"user": "new", "pass": "<redacted>"}]});
    let text = sentence(&layers, &Scope::Global, users);
    assert!(
        text.contains("authInternalUsers.0.pass: '<redacted>' is what is shown"),
        "{text}"
    );
    let turned = json!({"authInternalUsers": [{"user": "b", "pass": "<redacted>"}, {"user": "a", "pass": "<redacted>"}]});
    let layers = made(&layers, &Scope::Global, Verb::Patch, turned);
    let users = layers.config().unwrap().auth.users;
    assert_eq!(
        (&users[0].password, &users[1].password),
        (&before.auth.users[1].password, &before.auth.users[0].password)
    );
}

#[test]
fn every_field_of_mediamtx_is_shown_with_its_type() {
    let layers = base("");
    let global = layers.global();
    for (key, value) in [
        ("writeQueueSize", json!(512)),
        ("udpMaxPayloadSize", json!(1452)),
        ("hlsSegmentMaxSize", json!("50M")),
        ("hlsMuxerCloseAfter", json!("1m0s")),
        ("hlsPartDuration", json!("200ms")),
        ("rtspTransports", json!(["udp", "multicast", "tcp"])),
        ("rtspEncryption", json!("no")),
        ("apiAllowOrigins", json!(["*"])),
        ("authHTTPExclude", json!([])),
        ("srt", json!(true)),
        ("moqServerKey", json!("auto.key")),
    ] {
        assert_eq!(global[key], value, "{key}");
    }
    assert_eq!(
        global["authInternalUsers"][1],
        json!({"user": "any", "pass": "", "ips": ["127.0.0.1", "::1"], "permissions": [
            {"action": "api", "path": ""}, {"action": "metrics", "path": ""}, {"action": "pprof", "path": ""}]})
    );
    let path = layers.path("all_others").unwrap();
    for (key, value) in [
        ("name", json!("all_others")),
        ("source", json!("publisher")),
        ("recordDeleteAfter", json!("1d")),
        ("recordSegmentDuration", json!("1h0m0s")),
        ("rtspUDPSourcePortRange", json!([32768, 60999])),
        ("rpiCameraFPS", json!(30)),
        ("rpiCameraAWBGains", json!([0, 0])),
        ("forward", json!([])),
    ] {
        assert_eq!(path[key], value, "{key}");
    }
    for old in ["runOnReady", "publishUser", "fallback", "readIPs"] {
        assert!(path.get(old).is_none(), "{old} is shown only where it is written");
    }
    let bounded = base("readIPs: [10.0.0.0/8]\n").path("all_others").unwrap();
    assert_eq!(bounded["readIPs"], json!(["10.0.0.0/8"]));
}

#[test]
fn scopes_are_kept_under_their_texts() {
    for text in ["global", "pathdefaults", "paths/cam/1", "paths/~^a/b"] {
        assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
    }
    assert!("paths/".parse::<Scope>().is_err() && "other".parse::<Scope>().is_err());
}

#[test]
fn what_another_version_kept_does_not_take_a_node_down_with_it() {
    let strange: BTreeMap<Scope, Change> = BTreeMap::from([(
        Scope::Global,
        serde_json::from_value(json!({"patch": {"keyOfTomorrow": 1}})).unwrap(),
    )]);
    assert_eq!(
        base(FILE).with(strange).config().unwrap(),
        base(FILE).config().unwrap()
    );
    let path = Scope::Path("cam".to_owned());
    let strange = BTreeMap::from([(
        path,
        serde_json::from_value(json!({"patch": {"keyOfTomorrow": 1}})).unwrap(),
    )]);
    assert_eq!(base(FILE).with(strange).path("cam"), base(FILE).path("cam"));
    let wrong = BTreeMap::from([(
        Scope::Global,
        serde_json::from_value(json!({"patch": {"readTimeout": 5}})).unwrap(),
    )]);
    assert!(base(FILE).with(wrong).config().is_err());
}
