//! What was set for the whole fabric while it runs: one text per scope, written by compare-and-set, seen by every node.
//! What the texts say, and what follows from a change, is decided by their users.

use crate::Error;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use weft_wire::{MAX_ESCAPED_LEN, escape, unescape};

/// What a setting is about; the configuration's places.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The keys of the top level.
    Global,
    /// `pathDefaults`.
    PathDefaults,
    /// The path of this name, as in the file: an expression begins with `~`.
    Path(String),
}

impl Scope {
    /// Its key in a table: letters, digits, `_`, `-`, `/`, `=` and `.` only.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::PathDefaults => "pathdefaults".to_owned(),
            Self::Path(name) => format!("paths.{}", escape(name)),
        }
    }

    /// The inverse of [`Self::key`]; `None` for a key of something else.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        match key {
            "global" => Some(Self::Global),
            "pathdefaults" => Some(Self::PathDefaults),
            _ => {
                let escaped = key.strip_prefix("paths.")?;
                let name = unescape(escaped).filter(|name| !name.is_empty() && escape(name) == escaped)?;
                Some(Self::Path(name))
            }
        }
    }

    /// True where the key is one that a table takes: a path's name is not empty and at most 200 bytes escaped.
    #[must_use]
    pub fn fits(&self) -> bool {
        match self {
            Self::Global | Self::PathDefaults => true,
            Self::Path(name) => !name.is_empty() && escape(name).len() <= MAX_ESCAPED_LEN,
        }
    }
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

/// Which writing of a scope: compared for equality by a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revision {
    /// Of the table: one that was made anew has another.
    pub generation: u64,
    /// Within it; rises at each write.
    pub number: u64,
}

/// What stands in a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As it was written.
    pub value: Arc<str>,
    /// By which writing.
    pub revision: Revision,
}

/// All settings as seen from here. While the table is out of reach it stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsView {
    /// By scope.
    pub settings: BTreeMap<Scope, Setting>,
    /// True once the table has been read whole: before that, what is not here is not known.
    pub listed: bool,
}

/// A setting was not written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The scope was written by somebody else meanwhile: look again.
    #[error("the setting changed meanwhile")]
    Changed,
    /// The scope's key or the value is more than the table takes; says which.
    #[error("{0}")]
    TooLarge(String),
    /// The table failed.
    #[error(transparent)]
    Bus(#[from] Error),
}

/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 256 * 1024;

/// Whether a setting is within bounds.
pub(crate) fn bounded(scope: &Scope, value: &str) -> Result<(), PutError> {
    if !scope.fits() {
        return Err(PutError::TooLarge(format!(
            "the path's name is empty or longer than {MAX_ESCAPED_LEN} bytes escaped"
        )));
    }
    if value.len() > MAX_VALUE {
        return Err(PutError::TooLarge(format!(
            "the setting is longer than {} KiB",
            MAX_VALUE / 1024
        )));
    }
    Ok(())
}

/// The table of settings. All calls end within 2 s.
pub trait SettingsStore: Send + Sync + 'static {
    /// What stands in a scope now, asked of the table itself.
    fn get(&self, scope: Scope) -> BoxFuture<'_, Result<Option<Setting>, Error>>;

    /// Writes a scope that nothing stands in (`None`), or over exactly this writing of it.
    fn put(
        &self,
        scope: Scope,
        value: Arc<str>,
        over: Option<Revision>,
    ) -> BoxFuture<'_, Result<Revision, PutError>>;

    /// Removes exactly this writing of a scope.
    fn delete(&self, scope: Scope, over: Revision) -> BoxFuture<'_, Result<(), PutError>>;

    /// All settings now and at each change.
    fn view(&self) -> watch::Receiver<Arc<SettingsView>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_a_key_that_a_table_takes_and_leads_back() {
        let names = ["a", "a/b.c", "~^cam([0-9]+)$", "all_others", "ä ~", "*>"];
        let paths = names.map(|name| Scope::Path(name.to_owned()));
        for scope in paths.into_iter().chain([Scope::Global, Scope::PathDefaults]) {
            let key = scope.key();
            let taken = |c: char| c.is_ascii_alphanumeric() || "-/_=.".contains(c);
            assert!(key.chars().all(taken) && !key.ends_with('.'), "{key}");
            assert_eq!(Scope::from_key(&key), Some(scope));
        }
        for other in ["", "paths.", "paths", "paths.=4", "paths.=41", "x"] {
            assert_eq!(Scope::from_key(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_or_value_beyond_the_bounds_is_refused() {
        let path = |name: String| Scope::Path(name);
        assert!(bounded(&path("a".repeat(200)), "{}").is_ok());
        assert!(bounded(&path("a".repeat(201)), "{}").is_err());
        assert!(bounded(&path(".".repeat(70)), "{}").is_err());
        assert!(bounded(&path(String::new()), "{}").is_err());
        assert!(bounded(&Scope::Global, &"x".repeat(MAX_VALUE + 1)).is_err());
    }
}
