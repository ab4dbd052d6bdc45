//! What can be wrong with a configuration, said so that the reader knows where to look and what to write instead.
//! Printing and exit codes are left to the program.

use crate::nearest::nearest;
use std::fmt;
use std::path::PathBuf;

/// A configuration could not be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file itself cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML, or a key or value is not one of ours.
    #[error("{origin}: {problem}")]
    Syntax {
        /// The file's name.
        origin: String,
        /// Where and what.
        problem: Problem,
    },
    /// Each value is well formed, but they cannot be used so; all that was found.
    #[error("{origin}: {}", list(problems))]
    Invalid {
        /// The file's name.
        origin: String,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based line, where known.
    pub line: Option<u64>,
    /// The key with its place (`fabric.nats.servers`), empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong and what to do about it.
    pub text: String,
}

impl Problem {
    /// A problem with a key's value.
    pub(crate) fn of(key: &str, text: impl Into<String>) -> Self {
        Self {
            line: None,
            key: key.to_owned(),
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n  ")
}

/// Says what the YAML reader found in our words.
pub(crate) fn explain(error: &serde_saphyr::Error, text: &str, all_keys: &[String]) -> Problem {
    let error = error.without_snippet();
    let line = error.location().map(|l| l.line()).filter(|l| *l > 0);
    let place = line.map(|line| place(text, line)).unwrap_or_default();
    if let serde_saphyr::Error::SerdeUnknownField { field, expected, .. } = error {
        let parent = place.rsplit_once('.').map_or("", |(parent, _)| parent);
        let here = expected.iter().map(|key| match parent {
            "" => (*key).to_owned(),
            parent => format!("{parent}.{key}"),
        });
        let here: Vec<String> = here.collect();
        let near = nearest(field, here.iter().map(String::as_str))
            .or_else(|| nearest(field, all_keys.iter().map(String::as_str)));
        let text = match near {
            Some(near) => format!("unknown key; did you mean '{near}'?"),
            None => "unknown key; config/weft.yml lists every key there is".to_owned(),
        };
        let key = if parent.is_empty() {
            field.clone()
        } else {
            format!("{parent}.{field}")
        };
        return Problem { line, key, text };
    }
    // The reader adds the place to its sentences; ours is in front already.
    let rendered = error.to_string();
    let sentence = match rendered.split(" at line ").next().unwrap_or(&rendered) {
        "expected sequence start" => "expected a list; write it as '[a, b]', a single value as '[a]'",
        "expected string scalar" => "expected one value, not a list or a block",
        other => other,
    }
    .to_owned();
    Problem {
        line,
        key: place,
        text: sentence,
    }
}

/// The dotted key at a line, found by indentation; empty when the line holds none.
fn place(text: &str, line: u64) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let mut parts = Vec::new();
    let mut indent = usize::MAX;
    while let Some(current) = lines.get(at) {
        let bare = current.trim_start();
        let width = current.len() - bare.len();
        let item = bare.starts_with('-');
        let key = bare.split_once(':').map_or("", |(key, _)| key);
        let named = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if named && !item && width < indent {
            parts.push(key.to_owned());
            indent = width;
        }
        if indent == 0 || at == 0 {
            break;
        }
        at -= 1;
    }
    parts.reverse();
    parts.join(".")
}
