//! What the configuration is meant to be: paths and users of ten streams, written as the file is, changed by file or by API.
//! What follows from a change is the tests' to know.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Streams; the first half have their paths in the file, the others by the API.
pub(super) const STREAMS: usize = 10;

/// True where a stream's path is the file's.
pub(super) fn of_file(stream: usize) -> bool {
    stream < STREAMS / 2
}

/// A user's password.
pub(super) fn password(user: &str) -> String {
    format!("pw-{user}")
}

/// The file's part that changes.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// Paths of the file: name and lines below it.
    pub(super) paths: BTreeMap<String, Vec<String>>,
    /// Users by name with password, action and path.
    pub(super) users: BTreeMap<String, (String, &'static str, String)>,
    pub(super) level: &'static str,
    /// Lines of no meaning.
    pub(super) comments: usize,
}

impl Model {
    /// Ten publishers and ten readers with a user each.
    pub(super) fn new() -> Self {
        let users = (0..STREAMS).flat_map(|n| {
            let user = |who: &str, action| {
                let name = format!("{who}{n}");
                let password = password(&name);
                (name, (password, action, format!("s{n}")))
            };
            [user("p", "publish"), user("r", "read")]
        });
        Self {
            paths: (0..STREAMS / 2).map(|n| (format!("s{n}"), Vec::new())).collect(),
            users: users.collect(),
            level: "info",
            comments: 0,
        }
    }

    /// The keys above `fabric`.
    pub(super) fn yaml(&self) -> String {
        let mut yaml = format!("logLevel: {}\nauthInternalUsers:\n", self.level);
        // Writing to a string does not fail.
        for _ in 0..self.comments {
            yaml.push_str("# a word to whoever reads this\n");
        }
        for (name, (password, action, path)) in &self.users {
            _ = writeln!(
                yaml,
                "- {{user: {name}, pass: {password}, permissions: [{{action: {action}, path: {path}}}]}}"
            );
        }
        yaml.push_str("- {user: any, ips: ['127.0.0.1'], permissions: [{action: api}, {action: metrics}]}\n");
        yaml.push_str("paths:\n");
        for (name, lines) in &self.paths {
            _ = writeln!(yaml, "  {name}:");
            if lines.is_empty() {
                yaml.push_str("    source: publisher\n");
            }
            for line in lines {
                _ = writeln!(yaml, "    {line}");
            }
        }
        yaml
    }

    /// The users as the API takes them.
    pub(super) fn users_json(&self) -> serde_json::Value {
        let mut users: Vec<_> = self
            .users
            .iter()
            .map(|(name, (password, action, path))| {
                serde_json::json!({
                    "user": name, "pass": password, "ips": [],
                    "permissions": [{"action": action, "path": path}],
                })
            })
            .collect();
        users.push(serde_json::json!({
            "user": "any", "pass": "", "ips": ["127.0.0.1"],
            "permissions": [{"action": "api", "path": ""}, {"action": "metrics", "path": ""}],
        }));
        serde_json::json!({ "authInternalUsers": users })
    }
}
