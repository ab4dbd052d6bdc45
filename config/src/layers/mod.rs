//! The configuration in layers: the file with environment and command line, and above them what was set by the API.
//! Pure: keeping the upper layer, telling other nodes of it and reading the file again are the program's business.

mod change;
mod edit;
mod effective;
mod sheet;

pub use change::{Change, EditError, Scope, Verb};
pub(crate) use effective::Effective;

use crate::schema::global::GLOBAL;
use crate::schema::path::PATH;
use crate::schema::show::redact;
use crate::{Config, Error, Faces, Problem, typed};
use serde_json::{Map, Value};
use sheet::Sheet;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

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
        let read = Sheet::read(text, &self.environment, &self.flags);
        let (sheet, wrong) = read.map_err(|problem| Error::Syntax {
            origin: origin.to_owned(),
            problem,
        })?;
        let layers = Layers {
            origin: origin.to_owned(),
            sheet: Arc::new(sheet),
            faces: self.faces,
            changes: BTreeMap::new(),
        };
        let mut problems: Vec<Problem> = wrong.into_iter().map(Problem::from).collect();
        problems.extend(layers.typed().1);
        if problems.is_empty() {
            return Ok(layers);
        }
        Err(Error::Invalid {
            origin: origin.to_owned(),
            problems,
        })
    }
}

impl fmt::Debug for Base {
    /// Without values: passwords are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("file", &self.file)
            .field("faces", &self.faces)
            .finish_non_exhaustive()
    }
}

/// A node's own layer and what was set above it.
#[derive(Clone)]
pub struct Layers {
    origin: String,
    sheet: Arc<Sheet>,
    faces: Faces,
    changes: BTreeMap<Scope, Change>,
}

impl Layers {
    /// What both layers together mean.
    ///
    /// # Errors
    /// Everything that is wrong with them together.
    pub fn config(&self) -> Result<Config, Error> {
        let (config, problems) = self.typed();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Error::Invalid {
                origin: self.origin.clone(),
                problems,
            }),
        }
    }

    fn typed(&self) -> (Option<Config>, Vec<Problem>) {
        let (config, problems) = typed::config(&self.effective(), self.faces);
        let problems = problems
            .into_iter()
            .map(|problem| problem.found_in(&self.sheet.places));
        (config, problems.collect())
    }

    fn effective(&self) -> Effective {
        Effective::of(&self.sheet, &self.changes)
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
        let is_in_file = matches!(scope, Scope::Path(name) if self.sheet.paths.contains_key(name));
        let kept = self.changes.get(scope);
        let change = edit::edited(&self.effective(), is_in_file, kept, scope, verb, body)?;
        let mut changes = self.changes.clone();
        match &change {
            Some(change) => changes.insert(scope.clone(), change.clone()),
            None => changes.remove(scope),
        };
        let layers = self.with(changes);
        let (_, problems) = layers.typed();
        if problems.is_empty() {
            return Ok((layers, change));
        }
        let all: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.key, problem.text))
            .collect();
        Err(EditError::Refused(all.join("; ")))
    }

    /// All keys above paths, `GET /v3/config/global/get`: MediaMTX's names and types, secrets redacted; `fabric` is ours.
    #[must_use]
    pub fn global(&self) -> Value {
        let mut all = self.effective().global;
        redact(GLOBAL, &mut all);
        Value::Object(all)
    }

    /// `GET /v3/config/pathdefaults/get`.
    #[must_use]
    pub fn path_defaults(&self) -> Value {
        shown_path("", self.effective().path_defaults)
    }

    /// One path with what it takes from the defaults, `GET /v3/config/paths/get/{name}`.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<Value> {
        let path = self.effective().paths.remove(name)?;
        Some(shown_path(name, path))
    }

    /// All paths, sorted by name, `GET /v3/config/paths/list`.
    #[must_use]
    pub fn paths(&self) -> Vec<Value> {
        let paths = self.effective().paths.into_iter();
        paths.map(|(name, path)| shown_path(&name, path)).collect()
    }

    /// All of it as YAML, secrets redacted: every key that has an effect, and those without one that are written.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(&self.effective().shown()).expect("plain values always have a YAML form")
    }
}

fn shown_path(name: &str, mut keys: Map<String, Value>) -> Value {
    redact(PATH, &mut keys);
    keys.insert("name".to_owned(), name.into());
    Value::Object(keys)
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
