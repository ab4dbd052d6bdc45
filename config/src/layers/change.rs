//! A change by the API: what it is about, what it asks for, how it is kept, why it may be refused.
//! Applying it is `layers`' business.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// What a change is about; its text (`global`, `pathdefaults`, `paths/cam/1`) is the key it is kept under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The keys above paths.
    Global,
    /// What paths take that do not say otherwise.
    PathDefaults,
    /// The path of this name in the file, as it stands there: `cam/1`, `~^cam`, `all_others`.
    Path(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::PathDefaults => f.write_str("pathdefaults"),
            Self::Path(name) => write!(f, "paths/{name}"),
        }
    }
}

/// Not the text of a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no part of a configuration")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "global" => Ok(Self::Global),
            "pathdefaults" => Ok(Self::PathDefaults),
            _ => match text.strip_prefix("paths/") {
                Some(name) if !name.is_empty() => Ok(Self::Path(name.to_owned())),
                _ => Err(ScopeError(text.to_owned())),
            },
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The keys of the body replace those that are there; the others stay.
    Patch,
    /// A path that is not there yet.
    Add,
    /// A path, there or not: all that it said is gone.
    Replace,
    /// A path goes. The body is of no meaning.
    Delete,
}

/// What is kept of all changes of one scope, as JSON: `{"patch":{...}}`, `{"whole":{...}}` or `"deleted"`. Holds secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Keys that stand above those of the file.
    Patch(Map<String, Value>),
    /// A path that stands in place of the file's, or is not there.
    Whole(Map<String, Value>),
    /// The file's path is not to be.
    Deleted,
}

impl fmt::Debug for Change {
    /// The keys alone: passwords are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patch(keys) => write!(f, "Patch({:?})", keys.keys().collect::<Vec<_>>()),
            Self::Whole(keys) => write!(f, "Whole({:?})", keys.keys().collect::<Vec<_>>()),
            Self::Deleted => f.write_str("Deleted"),
        }
    }
}

/// A change that is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// 404.
    #[error("path not found")]
    NotFound,
    /// 400.
    #[error("path already exists")]
    Exists,
    /// 400: a key that there is not, a value that it cannot have, a key that is a node's own; as a sentence, MediaMTX's where
    /// clients look for it (`json: unknown field "x"`).
    #[error("{0}")]
    Refused(String),
}
