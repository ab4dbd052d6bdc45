//! The command line: subcommands, the flags that replace keys of the configuration, exit codes.
//! What the commands do is in `command`.

use crate::check::{self, Finding, Weight};
use crate::command;
use crate::node::Role;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use url::Url;
use weft_config::{Config, Error, Faces, ListenAddress};
use weft_wire::StreamName;

/// Exit code for a command line or configuration that cannot be used (EX_USAGE of sysexits.h).
const EX_USAGE: u8 = 64;

/// An actor-based media fabric: publish WebRTC on any ingest node, read RTSP from any egress node.
#[derive(Debug, Parser)]
#[command(name = "weft", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ingest and egress in one process; needs nothing else (the default).
    Standalone,
    /// Takes publishers; meets the other nodes on NATS.
    Ingest,
    /// Serves readers; meets the other nodes on NATS.
    Egress,
    /// Standalone with a built-in publisher on the stream "demo".
    Demo,
    /// Publishes a clip to running nodes, follows them when they drain, and comes back when one is lost.
    Publish(Publish),
    /// Says what is wrong with a configuration, or prints the effective one; or looks at a NATS server's settings.
    Check(Look),
}

/// What else `check` looks at.
#[derive(Debug, Clone, Default, Args)]
struct Look {
    /// A NATS server's configuration file: says what live media wants otherwise.
    #[arg(long, value_name = "FILE")]
    nats_conf: Option<PathBuf>,
    /// A NATS server's monitoring port, such as http://localhost:8222: the same as far as it shows.
    #[arg(long, value_name = "URL")]
    nats_monitor: Option<String>,
}

/// What `weft publish` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Publish {
    /// Nodes' HTTP addresses, such as http://127.0.0.1:8889, or whole WHIP URLs; the next one is tried where one fails.
    #[arg(long, value_name = "URL,...", value_delimiter = ',', required = true)]
    pub(crate) to: Vec<String>,
    /// The stream's name.
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub(crate) stream: String,
    /// Shown to the node as a bearer token.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// A clip of ours (tests/fixtures/make-clip) instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub(crate) clip: Option<PathBuf>,
}

impl Publish {
    /// The WHIP URLs.
    ///
    /// # Errors
    /// A sentence about what can never work, however often it is tried.
    pub(crate) fn urls(&self) -> Result<Vec<String>, String> {
        let stream = StreamName::new(&self.stream).map_err(|error| format!("--stream: {error}"))?;
        self.to.iter().map(|to| whip_url(to, &stream)).collect()
    }
}

fn whip_url(to: &str, stream: &StreamName) -> Result<String, String> {
    let scheme = if to.contains("://") { "" } else { "http://" };
    let url = match to.contains("/whip") {
        true => format!("{scheme}{to}"),
        false => format!("{scheme}{}/{stream}/whip", to.trim_end_matches('/')),
    };
    // The parser takes `http:///a` for `http://a`.
    let named = |rest: &str| !rest.starts_with(['/', '?', '#']);
    if url.strip_prefix("http://").is_some_and(named) && Url::parse(&url).is_ok() {
        return Ok(url);
    }
    // What stands behind may be a credential.
    let shown = to.split('?').next().unwrap_or_default();
    Err(format!(
        "--to: '{shown}' is no address of a node; write it as 'http://host:8889' or as a whole WHIP URL (no TLS)"
    ))
}

/// Flags stand above the configuration file; they are taken before a subcommand and after it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    /// YAML file with MediaMTX's key names; config/weft.yml lists all.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Servers of one NATS cluster, separated by commas (fabric.nats.servers).
    #[arg(long, global = true, value_name = "URL,...")]
    nats: Option<String>,
    /// This node's name, unique in the fabric (fabric.nodeName).
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
    /// HTTP for WebRTC publishers (webrtcAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    webrtc: Option<ListenAddress>,
    /// UDP for WebRTC media (webrtcLocalUDPAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    ice: Option<ListenAddress>,
    /// RTSP (rtspAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtsp: Option<ListenAddress>,
    /// RTP over UDP (rtpAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtp: Option<ListenAddress>,
    /// RTCP over UDP (rtcpAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    rtcp: Option<ListenAddress>,
    /// Control API (apiAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    api: Option<ListenAddress>,
    /// Metrics (metricsAddress).
    #[arg(long, global = true, value_name = "ADDRESS")]
    metrics: Option<ListenAddress>,
}

impl Flags {
    /// The configuration file, or the defaults, with the flags on top.
    pub(crate) fn configuration(&self, faces: Faces) -> Result<Config, Error> {
        let mut config = match &self.config {
            Some(path) => Config::load(path, faces)?,
            None => Config::default(),
        };
        for (flag, key) in [
            (self.webrtc, &mut config.webrtc_address),
            (self.ice, &mut config.webrtc_local_udp_address),
            (self.rtsp, &mut config.rtsp_address),
            (self.rtp, &mut config.rtp_address),
            (self.rtcp, &mut config.rtcp_address),
            (self.api, &mut config.api_address),
            (self.metrics, &mut config.metrics_address),
        ] {
            *key = flag.unwrap_or(*key);
        }
        if let Some(list) = &self.nats {
            config.set_nats_servers(list);
        }
        if let Some(name) = &self.name {
            config.set_node_name(name)?;
        }
        config.revalidate("command line", faces)?;
        Ok(config)
    }
}

/// Reads the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let (role, demo) = match cli.command {
        Some(Command::Publish(publish)) => {
            return match publish.urls() {
                Ok(urls) => command::publish(&publish, urls),
                Err(why) => unusable(&why),
            };
        }
        Some(Command::Check(look)) => return check(&cli.flags, &look),
        None | Some(Command::Standalone) => (Role::Standalone, false),
        Some(Command::Demo) => (Role::Standalone, true),
        Some(Command::Ingest) => (Role::Ingest, false),
        Some(Command::Egress) => (Role::Egress, false),
    };
    match cli.flags.configuration(role.faces()) {
        Ok(config) => command::serve(config, role, demo),
        Err(error) => unusable(&error),
    }
}

fn check(flags: &Flags, look: &Look) -> ExitCode {
    let file = look
        .nats_conf
        .as_deref()
        .map(|file| (file.display().to_string(), check::nats_conf(file)));
    let port = look
        .nats_monitor
        .as_deref()
        .map(|url| (url.to_owned(), check::with_monitor(url)));
    let servers: Vec<_> = file.into_iter().chain(port).collect();
    if !servers.is_empty() {
        let verdicts: Vec<bool> = servers.iter().map(|(name, found)| said(name, found)).collect();
        return if verdicts.contains(&false) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    match flags.configuration(Faces::Both) {
        Ok(config) => {
            let notices = config.notices().into_iter().map(|notice| format!("# {notice}\n"));
            command::say(&(notices.collect::<String>() + &config.to_yaml()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            unusable(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints what was found of a server; false when something is wrong.
fn said(server: &str, found: &Result<Vec<Finding>, String>) -> bool {
    let (text, good) = match found {
        Err(why) => (format!("{why}\n"), false),
        Ok(findings) => {
            let wrong = findings.iter().any(|finding| finding.weight == Weight::Wrong);
            let lines = findings.iter().map(|finding| {
                let weight = match finding.weight {
                    Weight::Wrong => "wrong",
                    Weight::Note => "note ",
                };
                format!("  {weight}: {}\n", finding.text)
            });
            let verdict = if wrong {
                "not fit for live media"
            } else {
                "fit for live media"
            };
            (
                format!("{server}: {verdict}\n{}", lines.collect::<String>()),
                !wrong,
            )
        }
    };
    command::say(&text);
    good
}

#[allow(clippy::print_stderr)] // there is no log yet
fn unusable(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("weft: {error}");
    ExitCode::from(EX_USAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn flags(args: &[&str]) -> Flags {
        let cli = Cli::try_parse_from(args).unwrap();
        assert!(matches!(cli.command, Some(Command::Ingest)), "{cli:?}");
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
            (&["weft", "ingest", "--nats", "here"][..], "'here' is no server"),
            (&["weft", "ingest", "--name", "a b"], "fabric.nodeName"),
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
                error.starts_with("command line: ") && error.contains(part),
                "{error}"
            );
        }
        assert!(Cli::try_parse_from(["weft", "ingest", "--rtsp", "8554"]).is_err());
    }
}
