//! Old names become new ones before anything is read: MediaMTX's own, and those of documents older than it.
//! Each that is found gives one line of notice; what the new keys mean is decided elsewhere.

mod old_global;
mod old_path;

use crate::schema::read::Wrong;
use crate::tree::{At, Block, Node, Raw};

pub(crate) use old_global::global;
pub(crate) use old_path::path;

/// What rewriting has to tell.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// One line about each old name.
    pub(crate) notices: Vec<String>,
    /// Old and new names that contradict each other.
    pub(crate) wrong: Vec<Wrong>,
}

impl Told {
    /// Notes an old name once, however often it comes.
    pub(crate) fn note(&mut self, text: String) {
        if !self.notices.contains(&text) {
            self.notices.push(text);
        }
    }

    fn say(&mut self, at: &At, place: &str, text: String) {
        self.wrong.push(Wrong {
            at: at.clone(),
            place: place.to_owned(),
            text,
            unknown: false,
        });
    }

    /// Puts what `old` said at `new`. Who writes later (environment, command line) is heard; who writes both at once must say the
    /// same twice.
    fn put(&mut self, block: &mut Block, old: &str, new: &str, node: Node) {
        if node.raw == Raw::Null {
            return;
        }
        match block.get(new) {
            Some(there) if there.at.rank() > node.at.rank() || there.node.says(&node) => {}
            Some(there) if there.at.rank() == node.at.rank() => {
                let text = format!("'{new}' says otherwise, and both mean the same; keep '{new}'");
                self.say(&node.at.clone(), old, text);
            }
            _ => block.put(new, node),
        }
    }

    /// `old` is another name of `new` in the same block.
    fn renamed(&mut self, block: &mut Block, old: &str, new: &str) {
        if let Some(entry) = block.take(old) {
            self.note(format!("{old}: an old name; write '{new}'"));
            self.put(block, old, new, entry.node);
        }
    }
}

/// `no` of a switch that is `yes`.
fn inverted(node: Node) -> Node {
    let raw = match node.raw {
        Raw::Switch(on) => Raw::Switch(!on),
        Raw::Text(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Raw::Text("no".to_owned()),
            "no" | "false" | "off" => Raw::Text("yes".to_owned()),
            _ => Raw::Text(text),
        },
        other => other,
    };
    Node { at: node.at, raw }
}
