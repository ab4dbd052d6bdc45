//! The command line: subcommands, the flags that replace keys of the configuration, exit codes.
//! What the commands do is in `command`.

mod flags;

use crate::check::{self, Finding, Weight};
use crate::health;
use crate::node::Role;
use crate::{command, gateway};
use clap::{Args, CommandFactory, Parser, Subcommand};
pub(crate) use flags::Flags;
use std::path::PathBuf;
use std::process::ExitCode;
use url::Url;
use weft_config::{Faces, ListenAddress};
use weft_gateway::Settings;
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
    named: Named,
    #[command(flatten)]
    flags: Flags,
}

impl Cli {
    /// Takes the file that stands before a command or after it over to the flags.
    ///
    /// # Errors
    /// A sentence about a second file, or about what was meant for a command.
    fn take_file(&mut self) -> Result<(), String> {
        let own = match &mut self.command {
            Some(
                Command::Standalone(named)
                | Command::Ingest(named)
                | Command::Egress(named)
                | Command::Demo(named)
                | Command::Check(Look { named, .. }),
            ) => named.file.take(),
            Some(Command::Publish(_) | Command::Health(_) | Command::Gateway(_)) | None => None,
        };
        let command = Self::command();
        let commands: Vec<String> = command
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        self.flags.take(self.named.file.take(), &commands)?;
        self.flags.take(own, &commands)
    }
}

/// The configuration file, as it is named without `--config`.
#[derive(Debug, Clone, Default, Args)]
struct Named {
    /// The configuration; without one ./weft.yml, ./mediamtx.yml and /mediamtx.yml are looked for.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ingest and egress in one process; needs nothing else (the default).
    Standalone(Named),
    /// Takes publishers; meets the other nodes on NATS.
    Ingest(Named),
    /// Serves readers; meets the other nodes on NATS.
    Egress(Named),
    /// Standalone with a built-in publisher on the stream "demo".
    Demo(Named),
    /// Publishes a clip to running nodes, follows them when they drain, and comes back when one is lost.
    Publish(Publish),
    /// Asks a running node whether it wants new work; exit code 0 when it does.
    Health(Health),
    /// The exam gateway in front of another server, which MEDIAMTX_HOST, MEDIAMTX_WHIP_PORT, MEDIAMTX_RTSP_PORT,
    /// MEDIAMTX_WHIP_URL and MEDIAMTX_WHEP_URL name. Nodes have it on their WebRTC port.
    Gateway(Exams),
    /// Says what is wrong with a configuration, or prints the effective one; or looks at a NATS server's settings.
    Check(Look),
}

/// Whom `health` asks.
#[derive(Debug, Clone, Default, Args)]
struct Health {
    /// Without one: this host's node, at the control API's address of the configuration.
    #[arg(value_name = "URL")]
    url: Option<String>,
}

/// What else `check` looks at.
#[derive(Debug, Clone, Default, Args)]
struct Look {
    #[command(flatten)]
    named: Named,
    /// A NATS server's configuration file: says what live media wants otherwise.
    #[arg(long, value_name = "FILE")]
    nats_conf: Option<PathBuf>,
    /// A NATS server's monitoring port, such as http://localhost:8222: the same as far as it shows.
    #[arg(long, value_name = "URL")]
    nats_monitor: Option<String>,
}

/// What `weft gateway` is told.
#[derive(Debug, Clone, Args)]
struct Exams {
    /// Where /api/webrtc/whip, whep and health are served.
    #[arg(long, value_name = "ADDRESS", default_value = ":8080")]
    listen: ListenAddress,
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

/// Reads the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if let Err(why) = cli.take_file() {
        return unusable(&why);
    }
    let (role, demo) = match cli.command {
        Some(Command::Publish(publish)) => {
            return match publish.urls() {
                Ok(urls) => command::publish(&publish, urls),
                Err(why) => unusable(&why),
            };
        }
        Some(Command::Health(health)) => return ask_health(&cli.flags, health.url),
        Some(Command::Gateway(exams)) => {
            return match Settings::from_env(|name| std::env::var(name).ok()) {
                Ok(settings) => gateway::run(exams.listen, settings),
                Err(error) => unusable(&error),
            };
        }
        Some(Command::Check(look)) => return check(&cli.flags, &look),
        None | Some(Command::Standalone(_)) => (Role::Standalone, false),
        Some(Command::Demo(_)) => (Role::Standalone, true),
        Some(Command::Ingest(_)) => (Role::Ingest, false),
        Some(Command::Egress(_)) => (Role::Egress, false),
    };
    let served = cli
        .flags
        .layers(role.faces())
        .and_then(|(base, layers)| command::serve(base, layers, role, demo));
    served.unwrap_or_else(|error| unusable(&error))
}

fn ask_health(flags: &Flags, url: Option<String>) -> ExitCode {
    let url = match url {
        Some(url) => Ok(url),
        None => match flags.configuration(Faces::Both) {
            Ok(config) => health::own_url(&config),
            Err(error) => return unusable(&error),
        },
    };
    match url {
        Ok(url) => health::ask(&url),
        Err(why) => unusable(&why),
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
    let verdicts: Vec<bool> = servers.iter().map(|(name, found)| said(name, found)).collect();
    // Who asks about a server alone has not asked about a file that happens to be there.
    let good = if servers.is_empty() || flags.config.is_some() {
        configuration(flags)
    } else {
        true
    };
    if good && !verdicts.contains(&false) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the effective configuration and what deserves a word about it; false when there is none.
fn configuration(flags: &Flags) -> bool {
    let read = flags.layers(Faces::Both);
    match read.and_then(|(base, layers)| Ok((layers.config()?, base, layers))) {
        Ok((config, base, layers)) => {
            let file = base.file.map_or_else(
                || "the defaults; no file is named, and none of those looked for is there".to_owned(),
                |file| file.display().to_string(),
            );
            let notices = config.notices().into_iter().map(|notice| format!("# {notice}\n"));
            command::say(&format!(
                "# {file}\n{}{}",
                notices.collect::<String>(),
                layers.to_yaml()
            ));
            true
        }
        Err(error) => {
            unusable(&error);
            false
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
#[path = "cli/tests.rs"]
mod tests;
