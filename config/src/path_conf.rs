//! What a path of the configuration says about its streams, and which path a stream comes under.
//! Doing what it says is the business of ingest, egress and hooks.

use crate::IpRule;
use crate::schema::show::without_password;
use regex::Regex;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use weft_wire::StreamName;

/// A regular expression that is compared by its text.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it; what it matches in time is linear in the text.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        Regex::new(text).map(Self)
    }

    /// True when the text holds a match.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The groups of the first match, `$G1` and on; `None` where there is none.
    #[must_use]
    pub fn groups(&self, text: &str) -> Option<Vec<String>> {
        let found = self.0.captures(text)?;
        let groups = found.iter().skip(1);
        Some(
            groups
                .map(|g| g.map_or_else(String::new, |g| g.as_str().to_owned()))
                .collect(),
        )
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// `source`: where a path's media comes from.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// Whoever publishes.
    #[default]
    Publisher,
    /// `rtsp://`: this is pulled. `$G1` and on are the groups of the path's expression.
    Pull(String),
    /// `redirect`: readers are sent to `sourceRedirect`.
    Redirect(String),
}

impl fmt::Debug for Source {
    /// Without the passwords of URLs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publisher => f.write_str("Publisher"),
            Self::Pull(url) => write!(f, "Pull({:?})", without_password(url)),
            Self::Redirect(url) => write!(f, "Redirect({:?})", without_password(url)),
        }
    }
}

/// A command line: words as a shell splits them, run without one; `$NAME` is replaced from the hook's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// As written.
    pub line: String,
    /// Start it again, 5 s after it has ended, as long as its occasion lasts.
    pub restart: bool,
}

/// `runOnDemand`: what happens when somebody wants to read a stream that nobody publishes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnDemand {
    /// They are told that there is no such stream (after `fabric.describeTimeout`).
    #[default]
    Nothing,
    /// `true`: they wait for a publisher, for `runOnDemandStartTimeout`.
    Wait,
    /// A command is run that publishes it; they wait as long.
    Run(Command),
}

/// A path's hooks: MediaMTX's commands; empty: none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathHooks {
    /// `runOnInit`: when the node is ready; for paths with a name of their own.
    pub init: Option<Command>,
    /// `runOnUnDemand`: when the demand is over.
    pub un_demand: Option<Command>,
    /// `runOnAvailable` (`runOnReady`), `runOnOnline`: while a publisher's media flows.
    pub available: Vec<Command>,
    /// `runOnUnavailable` (`runOnNotReady`), `runOnOffline`: when it has ended.
    pub unavailable: Vec<Command>,
    /// `runOnRead`: while somebody reads, for each reader.
    pub read: Option<Command>,
    /// `runOnUnread`: when a reader has left.
    pub unread: Option<Command>,
}

/// A webhook, `onEvent`: a URL that is told what happens, by POST with JSON. Ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http://` or `https://`.
    pub url: String,
    /// `onEventSecret`: signs the body (HMAC-SHA-256); empty: unsigned.
    pub secret: crate::Secret,
}

impl fmt::Debug for Webhook {
    /// Without passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({:?})", without_password(&self.url))
    }
}

/// A path: what holds for the streams that come under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathConf {
    /// As in the file: a name, `~` and an expression, or `all_others`.
    pub name: String,
    /// The expression, where it is one.
    pub pattern: Option<Pattern>,
    /// `source`.
    pub source: Source,
    /// `sourceFingerprint`: SHA-256 of the certificate of a source by TLS in hex; none is pulled yet.
    pub source_fingerprint: String,
    /// `rtspTransport` of a pulled source: `tcp` or `udp`; else as it goes.
    pub source_transport: Option<String>,
    /// `sourceOnDemand`: pulled only while somebody reads.
    pub source_on_demand: bool,
    /// `sourceOnDemandStartTimeout`: how long the first reader waits.
    pub source_on_demand_start_timeout: Duration,
    /// `sourceOnDemandCloseAfter`: how long it is pulled after the last reader.
    pub source_on_demand_close_after: Duration,
    /// `maxReaders` of a stream on one node; 0: no limit.
    pub max_readers: usize,
    /// `overridePublisher`: an authorised newcomer takes the name over.
    pub override_publisher: bool,
    /// `runOnDemand`.
    pub on_demand: OnDemand,
    /// `runOnDemandStartTimeout`.
    pub on_demand_start_timeout: Duration,
    /// `runOnDemandCloseAfter`.
    pub on_demand_close_after: Duration,
    /// The other hooks.
    pub hooks: PathHooks,
    /// `onEvent`; `None`: as the whole configuration says.
    pub on_event: Option<Webhook>,
    /// `readIPs`; empty: from everywhere.
    pub read_ips: Vec<IpRule>,
    /// `publishIPs`; empty: from everywhere.
    pub publish_ips: Vec<IpRule>,
}

impl PathConf {
    /// MediaMTX's defaults under this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let ten = Duration::from_secs(10);
        Self {
            name: name.to_owned(),
            pattern: None,
            source: Source::Publisher,
            source_fingerprint: String::new(),
            source_transport: None,
            source_on_demand: false,
            source_on_demand_start_timeout: ten,
            source_on_demand_close_after: ten,
            max_readers: 0,
            override_publisher: true,
            on_demand: OnDemand::Nothing,
            on_demand_start_timeout: ten,
            on_demand_close_after: ten,
            hooks: PathHooks::default(),
            on_event: None,
            read_ips: Vec::new(),
            publish_ips: Vec::new(),
        }
    }

    /// True for a path that means one stream, which is listed even when it is idle.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.pattern.is_none() && !matches!(self.name.as_str(), "all" | "all_others")
    }

    /// True when something pulls or runs for readers, or they wait for a publisher.
    #[must_use]
    pub fn is_on_demand(&self) -> bool {
        self.on_demand != OnDemand::Nothing
            || (matches!(self.source, Source::Pull(_)) && self.source_on_demand)
    }

    /// How long a reader of it may wait for its first media; zero: not at all.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        match (&self.source, &self.on_demand) {
            (Source::Pull(_), _) => self.source_on_demand_start_timeout,
            (_, OnDemand::Nothing) => Duration::ZERO,
            _ => self.on_demand_start_timeout,
        }
    }
}

/// The path that a stream comes under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub conf: Arc<PathConf>,
    /// `$G1` and on.
    pub groups: Vec<String>,
}

impl Found {
    /// A URL of the path with `$G1` and on replaced by the groups, `$MTX_PATH` by the stream's name and `$MTX_QUERY` by what
    /// its first reader's URL had after `?`.
    #[must_use]
    pub fn expand(&self, url: &str, stream: &StreamName, query: &str) -> String {
        let mut text = url.to_owned();
        // `$G12` is not `$G1` and a 2.
        for (number, group) in self.groups.iter().enumerate().rev() {
            text = text.replace(&format!("$G{}", number + 1), group);
        }
        text.replace("$MTX_PATH", stream.as_str())
            .replace("$MTX_QUERY", query)
    }
}

/// All paths of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths(Vec<Arc<PathConf>>);

impl Paths {
    /// The paths; a name that comes twice means the last.
    #[must_use]
    pub fn new(confs: Vec<PathConf>) -> Self {
        let by_name: std::collections::BTreeMap<String, Arc<PathConf>> = confs
            .into_iter()
            .map(|conf| (conf.name.clone(), Arc::new(conf)))
            .collect();
        let mut confs: Vec<_> = by_name.into_values().collect();
        // MediaMTX's order: exact names, then expressions by their text, then the rest.
        confs.sort_by_key(|conf| (!conf.is_static(), conf.pattern.is_none()));
        Self(confs)
    }

    /// The path of a stream: the one of its very name, else the first expression (by text) that matches, else `all_others`.
    #[must_use]
    pub fn find(&self, stream: &StreamName) -> Option<Found> {
        let name = stream.as_str();
        let exact = self.0.iter().find(|conf| conf.is_static() && conf.name == name);
        if let Some(conf) = exact {
            return Some(Found {
                conf: Arc::clone(conf),
                groups: Vec::new(),
            });
        }
        self.0.iter().filter(|conf| !conf.is_static()).find_map(|conf| {
            let groups = match &conf.pattern {
                Some(pattern) => pattern.groups(name)?,
                None => Vec::new(),
            };
            Some(Found {
                conf: Arc::clone(conf),
                groups,
            })
        })
    }

    /// The path of this name in the file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<PathConf>> {
        self.0.iter().find(|conf| conf.name == name)
    }

    /// All of them, in the order they are looked through.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PathConf>> {
        self.0.iter()
    }
}

impl Default for Paths {
    /// `all_others` alone.
    fn default() -> Self {
        Self::new(vec![PathConf::named("all_others")])
    }
}

/// Whether a port speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Never.
    #[default]
    No,
    /// On a port of its own, beside the plain one.
    Optional,
    /// On a port of its own, and there is no plain one.
    Strict,
}

/// A certificate for TLS: two PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, its chain after it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> PathConf {
        PathConf {
            pattern: name.strip_prefix('~').map(|text| Pattern::new(text).unwrap()),
            ..PathConf::named(name)
        }
    }

    #[test]
    fn a_stream_comes_under_its_name_then_the_first_expression_then_the_rest() {
        let paths = Paths::new(
            ["all_others", "~^b(.)", "~^a", "ab", "~^(a)(b)?"]
                .map(named)
                .to_vec(),
        );
        let find = |name: &str| {
            let found = paths.find(&StreamName::new(name).unwrap()).unwrap();
            (found.conf.name.clone(), found.groups)
        };
        assert_eq!(find("ab"), ("ab".to_owned(), vec![]));
        assert_eq!(
            find("abc"),
            ("~^(a)(b)?".to_owned(), vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(find("bc"), ("~^b(.)".to_owned(), vec!["c".to_owned()]));
        assert_eq!(find("x"), ("all_others".to_owned(), vec![]));
        assert_eq!(Paths::new(vec![]).find(&StreamName::new("x").unwrap()), None);
    }

    #[test]
    fn a_url_of_a_path_has_its_groups_and_the_name_replaced() {
        let name = StreamName::new("a/b/c/d/e/f/g/h/i/j").unwrap();
        let expression = "~^(.)/(.)/(.)/(.)/(.)/(.)/(.)/(.)/(.)/(.)$";
        let found = Paths::new(vec![named(expression)]).find(&name).unwrap();
        let url = found.expand("rtsp://h/$G1/$G10?n=$MTX_PATH&$MTX_QUERY", &name, "q=1");
        assert_eq!(url, "rtsp://h/a/j?n=a/b/c/d/e/f/g/h/i/j&q=1");
    }
}
