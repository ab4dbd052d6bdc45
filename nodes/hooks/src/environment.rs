//! What a command is told: MediaMTX's variables (`MTX_PATH`, `MTX_QUERY`, ...) and our own.
//! Names of streams hold nothing a shell would take amiss; a query is escaped, whatever it holds.

use std::collections::BTreeMap;
use weft_config::Found;
use weft_wire::{SessionId, StreamName};

/// Variables of one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment(BTreeMap<String, String>);

/// What a command is run about.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The stream.
    pub stream: StreamName,
    /// What followed `?` in the URL of whoever is the cause; may be empty.
    pub query: String,
    /// The stream's path.
    pub found: Found,
}

impl Environment {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// What a command about a stream is told.
    pub(crate) fn of(self, occasion: &Occasion) -> Self {
        let mut all = self
            .with("MTX_PATH", occasion.stream.as_str())
            .with("MTX_QUERY", escaped(&occasion.query));
        for (number, group) in occasion.found.groups.iter().enumerate() {
            all = all.with(&format!("G{}", number + 1), group.as_str());
        }
        all
    }

    /// The stream that the command is about, where it is about one.
    pub(crate) fn stream(&self) -> Option<&str> {
        self.0.get("MTX_PATH").map(String::as_str)
    }

    /// `MTX_<WHO>_TYPE` and `MTX_<WHO>_ID`.
    pub(crate) fn who(self, who: &str, kind: &str, id: SessionId) -> Self {
        self.with(&format!("MTX_{who}_TYPE"), kind)
            .with(&format!("MTX_{who}_ID"), id.to_string())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// The value that `$NAME` in a command line stands for: of these, else of this process; a name of ours that does not
    /// apply is empty. `None`: it is no name that we know, and may be a shell's.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let ours = |name: &str| {
            name.starts_with("MTX_")
                || name.starts_with("WEFT_")
                || name == "RTSP_PORT"
                || (name.strip_prefix('G'))
                    .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        match self.0.get(name) {
            Some(value) => Some(value.clone()),
            None if ours(name) => Some(String::new()),
            None => std::env::var(name).ok(),
        }
    }
}

/// Percent-encoded but for what RFC 3986 §2.3 calls unreserved.
fn escaped(query: &str) -> String {
    let mut escaped = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_config::{PathConf, Paths, Pattern};

    #[test]
    fn a_command_is_told_the_stream_its_groups_and_an_escaped_query() {
        let paths = Paths::new(vec![PathConf {
            pattern: Some(Pattern::new("^cam/(.+)-(.+)$").unwrap()),
            ..PathConf::named("~^cam/(.+)-(.+)$")
        }]);
        let stream = StreamName::new("cam/a-b").unwrap();
        let occasion = Occasion {
            found: paths.find(&stream).unwrap(),
            stream,
            query: "a=1&b=$(reboot);`x` é".to_owned(),
        };
        let told = Environment::default().with("RTSP_PORT", "8554").of(&occasion);
        for (name, value) in [
            ("MTX_PATH", "cam/a-b"),
            ("MTX_QUERY", "a%3D1%26b%3D%24%28reboot%29%3B%60x%60%20%C3%A9"),
            ("G1", "a"),
            ("G2", "b"),
            ("RTSP_PORT", "8554"),
            ("G3", ""),
            ("MTX_READER_ID", ""),
        ] {
            assert_eq!(told.value(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(told.value("i"), None);
        assert_eq!(told.value("G"), None);
        assert!(told.value("PATH").is_some());
    }
}
