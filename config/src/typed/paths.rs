//! Paths: what each says, taken together with the path defaults.
//! Which path a stream comes under is `path_conf`'s business.

use super::webhook;
use crate::duration::Span;
use crate::layers::Effective;
use crate::{Command, IpRule, OnDemand, PathConf, PathHooks, Paths, Pattern, Problem, Secret, Source};
use serde::Deserialize;
use serde_json::{Map, Value};
use weft_wire::StreamName;

/// The keys of a path that Weft obeys; none is missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    source: String,
    source_fingerprint: String,
    source_on_demand: bool,
    source_on_demand_start_timeout: Span,
    source_on_demand_close_after: Span,
    max_readers: usize,
    override_publisher: bool,
    rtsp_transport: String,
    source_redirect: String,
    run_on_init: String,
    run_on_init_restart: bool,
    run_on_demand: String,
    run_on_demand_restart: bool,
    run_on_demand_start_timeout: Span,
    run_on_demand_close_after: Span,
    run_on_un_demand: String,
    run_on_available: String,
    run_on_available_restart: bool,
    run_on_unavailable: String,
    run_on_online: String,
    run_on_online_restart: bool,
    run_on_offline: String,
    run_on_read: String,
    run_on_read_restart: bool,
    run_on_unread: String,
    on_event: String,
    on_event_secret: Secret,
    #[serde(default, rename = "readIPs")]
    read_ips: Vec<IpRule>,
    #[serde(default, rename = "publishIPs")]
    publish_ips: Vec<IpRule>,
}

/// The path defaults and the paths; `None` when what was kept by another version cannot be read.
pub(super) fn paths(effective: &Effective, problems: &mut Vec<Problem>) -> Option<(PathConf, Paths)> {
    let mut seen = Vec::new();
    let defaults = path("", &effective.path_defaults, effective, &mut seen)?;
    let mut confs = Vec::new();
    let mut rest: Option<&str> = None;
    for (name, values) in &effective.paths {
        if matches!(name.as_str(), "all" | "all_others" | "~^.*$") {
            if let Some(other) = rest {
                let text = format!("means every other stream, as '{other}' does; keep one");
                seen.push(Problem::of(&format!("paths.{name}"), text));
            }
            rest = Some(name);
        }
        confs.push(path(name, values, effective, &mut seen)?);
    }
    // What stands in the defaults is wrong once, not for each path.
    for problem in seen {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    Some((defaults, Paths::new(confs)))
}

/// Says what is wrong with a key of a path: at the defaults where it stands there alone, else at the path.
struct Judge<'a> {
    name: &'a str,
    own: Option<&'a Map<String, Value>>,
    defaults: &'a Map<String, Value>,
    problems: &'a mut Vec<Problem>,
}

impl Judge<'_> {
    fn say(&mut self, key: &str, text: impl Into<String>) {
        let of_own = self.own.is_some_and(|own| own.contains_key(key));
        let place = if self.name.is_empty() || !of_own && self.defaults.contains_key(key) {
            format!("pathDefaults.{key}")
        } else {
            format!("paths.{}.{key}", self.name)
        };
        self.problems.push(Problem::of(&place, text));
    }
}

fn path(
    name: &str,
    values: &Map<String, Value>,
    effective: &Effective,
    problems: &mut Vec<Problem>,
) -> Option<PathConf> {
    let document: Document = match serde_json::from_value(Value::Object(values.clone())) {
        Ok(document) => document,
        Err(error) => {
            problems.push(Problem::of(&format!("paths.{name}"), error.to_string()));
            return None;
        }
    };
    let pattern = pattern(name, problems);
    let mut judge = Judge {
        name,
        own: effective.own.get(name),
        defaults: &effective.written_defaults,
        problems,
    };
    let conf = PathConf {
        name: name.to_owned(),
        source: source(&document, &mut judge),
        source_fingerprint: fingerprint(&document.source_fingerprint, "sourceFingerprint", &mut judge),
        source_transport: matches!(document.rtsp_transport.as_str(), "tcp" | "udp")
            .then(|| document.rtsp_transport.clone()),
        source_on_demand: document.source_on_demand,
        source_on_demand_start_timeout: document.source_on_demand_start_timeout.0,
        source_on_demand_close_after: document.source_on_demand_close_after.0,
        max_readers: document.max_readers,
        override_publisher: document.override_publisher,
        on_demand: match document.run_on_demand.as_str() {
            "" => OnDemand::Nothing,
            "true" => OnDemand::Wait,
            line => OnDemand::Run(Command {
                line: line.to_owned(),
                restart: document.run_on_demand_restart,
            }),
        },
        on_demand_start_timeout: document.run_on_demand_start_timeout.0,
        on_demand_close_after: document.run_on_demand_close_after.0,
        hooks: hooks(&document),
        on_event: webhook(
            &document.on_event,
            &document.on_event_secret,
            &format!("paths.{name}.onEvent"),
            judge.problems,
        ),
        read_ips: document.read_ips.clone(),
        publish_ips: document.publish_ips.clone(),
        pattern,
    };
    if !name.is_empty() {
        together(&conf, &document, &mut judge);
    }
    Some(conf)
}

/// The expression of a name, where it is one; what is no name at all is said.
fn pattern(name: &str, problems: &mut Vec<Problem>) -> Option<Pattern> {
    let place = format!("paths.{name}");
    match name.strip_prefix('~') {
        Some(text) => Pattern::new(text)
            .map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().to_owned();
                problems.push(Problem::of(&place, format!("no regular expression: {reason}")));
            })
            .ok(),
        None if matches!(name, "" | "all" | "all_others") => None,
        None => {
            if let Err(error) = StreamName::new(name) {
                let text = format!("{error}; begin with '~' for a regular expression");
                problems.push(Problem::of(&place, text));
            }
            None
        }
    }
}

/// What is pulled may only be RTSP; the rest of MediaMTX's sources is known by name.
fn source(document: &Document, judge: &mut Judge<'_>) -> Source {
    let source = document.source.as_str();
    let redirect = document.source_redirect.as_str();
    if source != "redirect" && !redirect.is_empty() {
        judge.say("sourceRedirect", "of no use without 'source: redirect'");
    }
    match source {
        "publisher" => return Source::Publisher,
        "redirect" => {
            let valid = match redirect.strip_prefix('/') {
                Some(name) => StreamName::new(name).is_ok(),
                None => ["rtsp://", "rtsps://"]
                    .iter()
                    .any(|scheme| has_host(redirect, scheme)),
            };
            if !valid {
                let text = "no place to send readers to; write it as 'rtsp://host:8554/name' or '/name'";
                judge.say("sourceRedirect", text);
            }
            return Source::Redirect(redirect.to_owned());
        }
        _ => {}
    }
    if !has_host(source, "rtsp://") {
        let scheme = source.split("://").next().unwrap_or_default();
        judge.say(
            "source",
            match scheme {
                "rtsp" => "no URL with a host; write it as 'rtsp://host:554/name'".to_owned(),
                "rtsps" | "rtmp" | "rtmps" | "srt" | "http" | "https" | "udp" | "udp+mpegts"
                | "unix+mpegts" | "udp+rtp" | "unix+rtp" | "whep" | "wheps" | "moqt" | "rpiCamera"
                | "rtsp+http" | "rtsps+http" | "rtsp+ws" | "rtsps+ws" => format!(
                    "'{scheme}' sources are not pulled yet, rtsp:// is; let a command publish it \
                     (runOnInit, runOnDemand)"
                ),
                _ => "no source; write 'publisher', 'redirect' or 'rtsp://host:554/name'".to_owned(),
            },
        );
    }
    Source::Pull(source.to_owned())
}

fn has_host(url: &str, scheme: &str) -> bool {
    let rest = url.strip_prefix(scheme);
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| {
        let host = host.rsplit('@').next().unwrap_or_default();
        !host.is_empty() && !host.starts_with(':') && !url.contains(char::is_whitespace)
    })
}

/// SHA-256 in hex; MediaMTX takes it in any case, and people paste it with colons.
fn fingerprint(text: &str, key: &str, judge: &mut Judge<'_>) -> String {
    super::auth::fingerprint(text).unwrap_or_else(|why| {
        judge.say(key, why);
        String::new()
    })
}

fn hooks(document: &Document) -> PathHooks {
    let both = |a: Option<Command>, b: Option<Command>| a.into_iter().chain(b).collect();
    PathHooks {
        init: command(&document.run_on_init, document.run_on_init_restart),
        un_demand: command(&document.run_on_un_demand, false),
        available: both(
            command(&document.run_on_available, document.run_on_available_restart),
            command(&document.run_on_online, document.run_on_online_restart),
        ),
        unavailable: both(
            command(&document.run_on_unavailable, false),
            command(&document.run_on_offline, false),
        ),
        read: command(&document.run_on_read, document.run_on_read_restart),
        unread: command(&document.run_on_unread, false),
    }
}

/// A command line; empty: none.
pub(super) fn command(line: &str, restart: bool) -> Option<Command> {
    (!line.trim().is_empty()).then(|| Command {
        line: line.to_owned(),
        restart,
    })
}

/// What keys of one path must be together, as MediaMTX has it.
fn together(conf: &PathConf, document: &Document, judge: &mut Judge<'_>) {
    let pulled = matches!(conf.source, Source::Pull(_));
    if document.source_on_demand && !pulled {
        judge.say(
            "sourceOnDemand",
            "of no use where nothing is pulled; give 'source' a URL",
        );
    }
    if pulled && !document.source_on_demand && !conf.is_static() {
        judge.say(
            "sourceOnDemand",
            "a path of many names cannot be pulled before its name is known; write 'sourceOnDemand: yes'",
        );
    }
    if conf.hooks.init.is_some() && !conf.is_static() {
        judge.say(
            "runOnInit",
            "a path of many names does not begin with the node; give the command a path of its own",
        );
    }
    if conf.source != Source::Publisher {
        for (key, given) in [
            ("runOnDemand", conf.on_demand != OnDemand::Nothing),
            ("runOnUnDemand", conf.hooks.un_demand.is_some()),
        ] {
            if given {
                judge.say(key, "only for paths whose source is 'publisher'");
            }
        }
    }
}
