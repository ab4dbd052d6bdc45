//! What can be wrong with a configuration, said so that the reader knows where to look and what to write instead.
//! Printing and exit codes are left to the program.

use crate::schema::read::Wrong;
use crate::tree::At;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A configuration could not be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file itself cannot be read.
    #[error("cannot read {}: {source}{}", path.display(), hint(source))]
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
    /// The variable of the environment or the flag that says it, where it is one.
    pub from: Option<String>,
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
            from: None,
            key: key.to_owned(),
            text: text.into(),
        }
    }

    /// The same, with where it stands.
    pub(crate) fn at(self, at: &At) -> Self {
        let (line, from) = match at {
            At::Line(line) => (Some(*line), None),
            At::Variable(name) => (None, Some(name.clone())),
            At::Flag(name) => (None, Some((*name).to_owned())),
            At::Nowhere | At::Api => (None, None),
        };
        Self { line, from, ..self }
    }

    /// The same, with where its key, or the nearest block or list around it, was written.
    pub(crate) fn found_in(self, places: &BTreeMap<String, At>) -> Self {
        let mut place = self.key.as_str();
        loop {
            if let Some(at) = places.get(place) {
                let at = at.clone();
                return self.at(&at);
            }
            let Some((around, _)) = place.rsplit_once('.') else {
                return self;
            };
            place = around;
        }
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::of(&wrong.place, wrong.text).at(&wrong.at)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(from) = &self.from {
            write!(f, "{from}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Docker makes a directory of a file that is to be mounted and is not there.
fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::IsADirectory => {
            "; name a file (a container mounts a directory where the host has no such file)"
        }
        _ => "",
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n  ")
}
