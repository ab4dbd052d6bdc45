//! The command line: flags, files, and what is refused.
//! Which file is found without one is tested with the flags.

use super::*;

fn flags(args: &[&str]) -> Flags {
    let cli = Cli::try_parse_from(args).unwrap();
    assert!(matches!(cli.command, Some(Command::Ingest(_))), "{cli:?}");
    cli.flags
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn flags_replace_keys_of_the_configuration() {
    let config = flags(&[
        "weft",
        "ingest",
        "--nats",
        "nats://a:1,nats://u:p@b:2",
        "--webrtc",
        ":1",
        "--ice",
        ":2",
        "--name",
        "n1",
    ])
    .configuration(Faces::Publishers)
    .unwrap();
    assert_eq!(config.fabric.nats.servers, ["nats://a:1", "nats://b:2"]);
    assert_eq!(config.fabric.nats.user, "u");
    assert_eq!(config.webrtc_address, ListenAddress::port(1));
    assert_eq!(config.webrtc_local_udp_address, ListenAddress::port(2));
    assert_eq!(config.fabric.node_name.unwrap().as_str(), "n1");
}

#[test]
fn a_flag_before_the_subcommand_means_what_it_means_after_it() {
    let config = flags(&[
        "weft",
        "--nats",
        "nats://a:1",
        "--webrtc",
        ":1",
        "ingest",
        "--ice",
        ":2",
    ])
    .configuration(Faces::Publishers)
    .unwrap();
    assert_eq!(config.fabric.nats.servers, ["nats://a:1"]);
    assert_eq!(config.webrtc_address, ListenAddress::port(1));
    assert_eq!(config.webrtc_local_udp_address, ListenAddress::port(2));
}

#[test]
fn nodes_to_publish_to_are_given_as_addresses_or_whole_urls() {
    let line = [
        "weft",
        "publish",
        "--to",
        "http://a:1/,b:2,http://c:3/x/whip?q=1,d:4/y/whip",
        "--stream",
        "cam/1",
    ];
    let Some(Command::Publish(publish)) = Cli::try_parse_from(line).unwrap().command else {
        panic!("another command");
    };
    let urls = [
        "http://a:1/cam/1/whip",
        "http://b:2/cam/1/whip",
        "http://c:3/x/whip?q=1",
        "http://d:4/y/whip",
    ];
    assert_eq!(publish.urls().unwrap(), urls);
    assert!(Cli::try_parse_from(["weft", "publish"]).is_err());
}

#[test]
fn flags_are_checked_like_the_file() {
    for (bad, part) in [
        (
            &["weft", "ingest", "--nats", "here"][..],
            "--nats: fabric.nats.servers: 'here' is no server",
        ),
        (&["weft", "ingest", "--name", "a b"], "--name: fabric.nodeName: "),
        (
            &["weft", "ingest", "--webrtc", ":9997"],
            "apiAddress: TCP port 9997 is taken by webrtcAddress",
        ),
    ] {
        let error = flags(bad)
            .configuration(Faces::Publishers)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("configuration: ") && error.contains(part),
            "{error}"
        );
    }
    assert!(Cli::try_parse_from(["weft", "ingest", "--rtsp", "8554"]).is_err());
}

#[test]
fn a_file_stands_alone_or_beside_a_command() {
    let file = |args: &[&str]| {
        let mut cli = Cli::try_parse_from(args).unwrap();
        cli.take_file().map(|()| cli.flags.config)
    };
    let there = Some(PathBuf::from("mediamtx.yml"));
    for line in [
        &["weft", "mediamtx.yml"][..],
        &["weft", "--config", "mediamtx.yml"],
        &["weft", "ingest", "mediamtx.yml"],
        &["weft", "check", "mediamtx.yml", "--nats-conf", "n.conf"],
        &["weft", "check", "--config", "mediamtx.yml"],
        &["weft", "demo", "mediamtx.yml", "--config", "mediamtx.yml"],
    ] {
        assert_eq!(file(line), Ok(there.clone()), "{line:?}");
    }
    assert_eq!(file(&["weft", "egress"]), Ok(None));
    assert_eq!(file(&["weft"]), Ok(None));
    assert!(file(&["weft", "a.yml", "--config", "b.yml"]).is_err());
    let mistyped = file(&["weft", "ingress"]).unwrap_err();
    assert!(
        mistyped.starts_with("'ingress' is neither a command (standalone, ingest, "),
        "{mistyped}"
    );
}
