//! Environment variables that replace keys: `MTX_LOGLEVEL`, `WEFT_FABRIC_NATS_SERVERS`, `MTX_PATHS_CAM_SOURCE`,
//! `MTX_AUTHINTERNALUSERS_0_USER`. What their values must be is checked as it is for the file.

use super::{At, Block, Node, Raw};
use crate::nearest::nearest;
use crate::schema::global::GLOBAL;
use crate::schema::path::PATH;
use crate::schema::read::{Wrong, node_of_text};
use crate::schema::{Key, Kind, places};

/// The later wins.
const PREFIXES: [&str; 2] = ["MTX_", "WEFT_"];

/// Names that begin like ours and mean something else: the log filter, what hooks are told, logins of compose/nats.conf,
/// what tests are told.
const OTHERS: [&str; 22] = [
    "WEFT_LOG",
    "WEFT_FULL",
    "WEFT_SEED",
    "WEFT_CHROMIUM",
    "WEFT_NATS_SERVER",
    "WEFT_NATS_NAME",
    "WEFT_PUBLIC_HOST",
    "WEFT_NODE",
    "WEFT_WEBRTC_PORT",
    "WEFT_INGEST_PASSWORD",
    "WEFT_EGRESS_PASSWORD",
    "WEFT_STANDALONE_PASSWORD",
    "MTX_PATH",
    "MTX_QUERY",
    "MTX_SOURCE_TYPE",
    "MTX_SOURCE_ID",
    "MTX_READER_TYPE",
    "MTX_READER_ID",
    "MTX_CONN_TYPE",
    "MTX_CONN_ID",
    "MTX_SEGMENT_PATH",
    "MTX_SEGMENT_DURATION",
];

/// Puts what the environment says in place of what the file says.
pub(crate) fn apply(root: &mut Block, variables: &[(String, String)]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for prefix in PREFIXES {
        let mut ours: Vec<_> = variables
            .iter()
            .filter_map(|(name, value)| Some((name, name.strip_prefix(prefix)?, value)))
            .filter(|(name, _, value)| !is_anothers(name, value))
            .collect();
        // Entry 2 of a list comes before entry 10.
        ours.sort_by_key(|(_, rest, _)| {
            rest.split('_')
                .map(|word| (word.parse::<usize>().unwrap_or(usize::MAX), word.to_owned()))
                .collect::<Vec<_>>()
        });
        for (name, rest, value) in ours {
            let words: Vec<&str> = rest.split('_').collect();
            let at = At::Variable(name.clone());
            let text = match set_root(root, &words, value, &at) {
                Ok(()) => continue,
                Err(Unset::Unknown) if rest == "CONFKEY" => {
                    "files that are encrypted are not read; keep secrets in variables".to_owned()
                }
                Err(Unset::Unknown) => match near(prefix, name) {
                    Some(near) => format!("no such key; did you mean {near}?"),
                    None => "no such key".to_owned(),
                },
                Err(Unset::Wrong(text)) => text,
            };
            wrong.push(Wrong {
                at,
                place: String::new(),
                text,
                unknown: false,
            });
        }
    }
    wrong
}

/// True for a name of another purpose, among them those that Kubernetes gives to each container for a service of our name.
fn is_anothers(name: &str, value: &str) -> bool {
    let url = ["tcp://", "udp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    OTHERS.contains(&name)
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT") && url
        || name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP"))
}

/// Why a variable sets nothing.
enum Unset {
    /// There is no such key.
    Unknown,
    /// There is, but not so.
    Wrong(String),
}

fn set_root(root: &mut Block, words: &[&str], value: &str, at: &At) -> Result<(), Unset> {
    let no_block = |key: &str| Unset::Wrong(format!("'{key}' of the file is no block"));
    match words {
        ["PATHDEFAULTS", rest @ ..] => {
            let block = root.block("pathDefaults", at);
            set(
                block.ok_or_else(|| no_block("pathDefaults"))?,
                PATH,
                rest,
                value,
                at,
            )
        }
        ["PATHS", rest @ ..] => {
            let paths = root.block("paths", at).ok_or_else(|| no_block("paths"))?;
            // A name may have underscores, as `all_others` has; keys have none.
            for length in 1..rest.len() {
                let (name, key) = rest.split_at(length);
                if PATH.iter().all(|known| !known.name.eq_ignore_ascii_case(key[0])) {
                    continue;
                }
                let written = name.join("_");
                let name = paths
                    .0
                    .iter()
                    .find(|path| path.key.eq_ignore_ascii_case(&written));
                let name = name.map_or_else(|| written.to_ascii_lowercase(), |path| path.key.clone());
                let path = paths.block(&name, at);
                return set(path.ok_or_else(|| no_block(&name))?, PATH, key, value, at);
            }
            Err(Unset::Unknown)
        }
        _ => set(root, GLOBAL, words, value, at),
    }
}

fn set(block: &mut Block, keys: &[Key], words: &[&str], value: &str, at: &At) -> Result<(), Unset> {
    let (first, rest) = words.split_first().ok_or(Unset::Unknown)?;
    let key = keys.iter().find(|key| key.name.to_ascii_uppercase() == *first);
    let key = key.ok_or(Unset::Unknown)?;
    match (&key.kind, rest) {
        (Kind::Block(_), []) => Err(Unset::Wrong(format!(
            "'{}' is a block; add the key within it",
            key.name
        ))),
        (Kind::Block(inner), rest) => {
            let block = block.block(key.name, at);
            let block =
                block.ok_or_else(|| Unset::Wrong(format!("'{}' of the file is no block", key.name)))?;
            set(block, inner, rest, value, at)
        }
        (_, []) => {
            block.put(key.name, node_of_text(&key.kind, value, at));
            Ok(())
        }
        (Kind::List(inner), [index, rest @ ..]) => {
            let index: usize = index.parse().map_err(|_| Unset::Unknown)?;
            let written = block.take(key.name).map(|entry| entry.node);
            let mut items = match written.map(|node| node.raw) {
                Some(Raw::List(items)) => items,
                None | Some(Raw::Null) => match Node::of_json(&key.default_value(), at).raw {
                    Raw::List(items) => items,
                    _ => Vec::new(),
                },
                Some(_) => return Err(Unset::Wrong(format!("'{}' of the file is no list", key.name))),
            };
            let done = set_item(&mut items, inner, index, rest, value, at);
            let raw = Raw::List(items);
            block.put(key.name, Node { at: at.clone(), raw });
            done
        }
        _ => Err(Unset::Unknown),
    }
}

fn set_item(
    items: &mut Vec<Node>,
    kind: &Kind,
    index: usize,
    rest: &[&str],
    value: &str,
    at: &At,
) -> Result<(), Unset> {
    if index > items.len() {
        return Err(Unset::Wrong(format!(
            "entry {index} of a list that has {}; they are numbered from 0 without a gap",
            items.len()
        )));
    }
    if index == items.len() {
        let raw = Raw::Block(Block::default());
        items.push(Node { at: at.clone(), raw });
    }
    let item = &mut items[index];
    let Kind::Record(keys) = kind else {
        if !rest.is_empty() {
            return Err(Unset::Unknown);
        }
        *item = node_of_text(kind, value, at);
        return Ok(());
    };
    if rest.is_empty() {
        *item = Node::text(value, at);
        return Ok(());
    }
    match &mut item.raw {
        Raw::Block(block) => set(block, keys, rest, value, at),
        _ => Err(Unset::Wrong("that entry of the file is no block".to_owned())),
    }
}

/// The variable that was meant.
fn near(prefix: &str, name: &str) -> Option<String> {
    let global = places(GLOBAL, "");
    let defaults = places(PATH, "pathDefaults");
    let names = global.iter().chain(&defaults);
    let names: Vec<String> = names
        .map(|place| place.replace('.', "_").to_ascii_uppercase())
        .collect();
    let written = name.strip_prefix(prefix).unwrap_or(name);
    nearest(written, names.iter().map(String::as_str), []).map(|near| format!("{prefix}{near}"))
}
