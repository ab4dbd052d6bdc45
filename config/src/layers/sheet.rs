//! What a file says with environment and command line above it: the keys that are written, each value of its kind.
//! What keys mean that are not written, and what all mean together, is decided above.

use super::Flag;
use crate::Problem;
use crate::rewrite::{self, Told};
use crate::schema::global::GLOBAL;
use crate::schema::path::PATH;
use crate::schema::read::{Reader, Wrong, node_of_text};
use crate::schema::{find, places};
use crate::tree::{At, Block, Raw, environment, yaml};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The keys that are written.
#[derive(Clone, Default)]
pub(crate) struct Sheet {
    /// Those above paths.
    pub(crate) global: Map<String, Value>,
    /// `pathDefaults`.
    pub(crate) path_defaults: Map<String, Value>,
    /// `paths`.
    pub(crate) paths: BTreeMap<String, Map<String, Value>>,
    /// Where each stands, by its place.
    pub(crate) places: BTreeMap<String, At>,
    /// One line about each old name.
    pub(crate) notices: Vec<String>,
}

impl Sheet {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no YAML, or none of ours.
    pub(crate) fn read(
        text: &str,
        environment: &[(String, String)],
        flags: &[Flag],
    ) -> Result<(Self, Vec<Wrong>), Problem> {
        let mut root = yaml::parse(text)?;
        if let Some(problem) = another_programs(&root) {
            return Err(problem);
        }
        // Without paths of its own a file takes every stream, as the file does that MediaMTX comes with.
        let has_paths = match root.get("paths").map(|entry| &entry.node.raw) {
            None | Some(Raw::Null) => false,
            Some(Raw::Block(Block(paths))) => !paths.is_empty(),
            Some(_) => true,
        };
        let mut wrong = environment::apply(&mut root, environment);
        put_flags(&mut root, flags);
        let mut told = Told::default();
        rewrite::global(&mut root, &mut told);
        let mut reader = Reader {
            elsewhere: all_places(),
            ..Reader::default()
        };
        let mut sheet = Self::default();
        if let Some(mut defaults) = block(&mut reader, &mut root, "pathDefaults") {
            rewrite::path(&mut defaults, &mut told);
            sheet.path_defaults = reader.block(PATH, &defaults, "pathDefaults");
        }
        for entry in block(&mut reader, &mut root, "paths").unwrap_or_default().0 {
            let place = format!("paths.{}", entry.key);
            let mut path = match entry.node.raw {
                Raw::Null => Block::default(),
                Raw::Block(path) => path,
                _ => {
                    reader.say(
                        &entry.at,
                        &place,
                        "expected keys with values in a block of their own",
                    );
                    continue;
                }
            };
            rewrite::path(&mut path, &mut told);
            let values = reader.block(PATH, &path, &place);
            reader.places.insert(place, entry.at);
            sheet.paths.insert(entry.key, values);
        }
        if !has_paths {
            sheet.paths.entry("all_others".to_owned()).or_default();
        }
        sheet.global = reader.block(GLOBAL, &root, "");
        wrong.extend(told.wrong);
        wrong.extend(reader.wrong);
        wrong.sort_by_key(|wrong| match wrong.at {
            At::Line(line) => (1, line),
            _ => (u64::from(wrong.at.rank()), 0),
        });
        sheet.places = reader.places;
        sheet.notices = told.notices;
        Ok((sheet, wrong))
    }
}

/// The block of a key, taken out; `None` where it is not written, or is none, which is then said.
fn block(reader: &mut Reader, root: &mut Block, key: &str) -> Option<Block> {
    let entry = root.take(key)?;
    match entry.node.raw {
        Raw::Null => None,
        Raw::Block(block) => Some(block),
        _ => {
            reader.say(
                &entry.at,
                key,
                "expected keys with values in a block of their own",
            );
            None
        }
    }
}

/// What somebody may have meant who wrote a key at the wrong place.
fn all_places() -> Vec<String> {
    let mut all = places(GLOBAL, "");
    all.extend(places(PATH, "pathDefaults"));
    all.extend(["paths".to_owned(), "pathDefaults".to_owned()]);
    all
}

fn put_flags(root: &mut Block, flags: &[Flag]) {
    for flag in flags {
        let at = At::Flag(flag.name);
        let mut words: Vec<&str> = flag.key.split('.').collect();
        let last = words.pop().unwrap_or_default();
        let mut keys = GLOBAL;
        let mut block = Some(&mut *root);
        for word in words {
            if let Some(crate::schema::Kind::Block(inner)) = find(keys, word).map(|key| &key.kind) {
                keys = inner;
            }
            block = block.and_then(|block| block.block(word, &at));
        }
        if let (Some(block), Some(key)) = (block, find(keys, last)) {
            block.put(last, node_of_text(&key.kind, &flag.value, &at));
        }
    }
}

/// A sentence for a file that was meant for another program.
fn another_programs(root: &Block) -> Option<Problem> {
    let Raw::Block(services) = &root.get("services")?.node.raw else {
        return None;
    };
    let of_compose = services.0.iter().any(|service| match &service.node.raw {
        Raw::Block(keys) => ["image", "build", "command", "ports"]
            .iter()
            .any(|key| keys.get(key).is_some()),
        _ => false,
    });
    let text = "this is a Docker Compose file, not a configuration; pass the file that it mounts at /mediamtx.yml, \
                and see compose/ for one that runs Weft";
    of_compose.then(|| Problem::of("services", text))
}
