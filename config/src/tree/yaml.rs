//! YAML as a tree, bounded in size and depth (YAML 1.2; its aliases and merge keys are followed).
//! Every plain scalar stays a text: `no` is a switch for one key and a word for another.

use super::{At, Block, Entry, Node, Raw};
use crate::Problem;
use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// More values than this, aliases followed, are no configuration.
const MOST_NODES: usize = 200_000;
/// Deeper than this neither.
const DEEPEST: usize = 32;

/// A list or block that is not over yet.
enum Open {
    List(Vec<Node>),
    Block(Block, Option<(String, u64)>),
}

struct Frame {
    open: Open,
    line: u64,
    anchor: usize,
    /// Values in it.
    size: usize,
}

/// Reads the first document of a text; nothing or comments alone are an empty block.
pub(crate) fn parse(text: &str) -> Result<Block, Problem> {
    let mut stack: Vec<Frame> = Vec::new();
    let mut anchors: HashMap<usize, (Node, usize)> = HashMap::new();
    let mut root: Option<Node> = None;
    let mut nodes = 0;
    let mut documents = 0;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Problem {
            line: Some(error.marker().line() as u64).filter(|line| *line > 0),
            ..Problem::of("", error.kind().to_string())
        })?;
        let line = span.start.line() as u64;
        let (node, size, anchor) = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(at(line, "a second document begins; write all keys in one"));
                }
                continue;
            }
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let raw = if null {
                    Raw::Null
                } else {
                    Raw::Text(text.into_owned())
                };
                (
                    Node {
                        at: At::Line(line),
                        raw,
                    },
                    1,
                    anchor,
                )
            }
            Event::Alias(anchor) => {
                let (node, size) = anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| at(line, "an alias to what it is part of"))?;
                (node, size, 0)
            }
            Event::SequenceStart(_, anchor, _) => {
                open(&mut stack, Open::List(Vec::new()), line, anchor)?;
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open(&mut stack, Open::Block(Block::default(), None), line, anchor)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = stack.pop() else { continue };
                let raw = match frame.open {
                    Open::List(items) => Raw::List(items),
                    Open::Block(block, _) => Raw::Block(block),
                };
                let node = Node {
                    at: At::Line(frame.line),
                    raw,
                };
                (node, frame.size + 1, frame.anchor)
            }
            _ => continue,
        };
        nodes += size;
        if nodes > MOST_NODES {
            return Err(at(line, "too large; aliases multiply what they stand for"));
        }
        if anchor != 0 {
            anchors.insert(anchor, (node.clone(), size));
        }
        match stack.last_mut() {
            None => root = Some(node),
            Some(frame) => {
                frame.size += size;
                add(&mut frame.open, node, line)?;
            }
        }
    }
    match root {
        None => Ok(Block::default()),
        Some(Node { raw: Raw::Null, .. }) => Ok(Block::default()),
        Some(Node {
            raw: Raw::Block(block),
            ..
        }) => Ok(block),
        Some(node) => Err(Problem {
            line: match node.at {
                At::Line(line) => Some(line),
                _ => None,
            },
            ..Problem::of("", "expected keys with values, such as 'logLevel: info'")
        }),
    }
}

fn at(line: u64, text: &str) -> Problem {
    Problem {
        line: Some(line),
        ..Problem::of("", text)
    }
}

fn open(stack: &mut Vec<Frame>, open: Open, line: u64, anchor: usize) -> Result<(), Problem> {
    if stack.len() >= DEEPEST {
        return Err(at(line, "blocks and lists within each other are too deep"));
    }
    stack.push(Frame {
        open,
        line,
        anchor,
        size: 0,
    });
    Ok(())
}

/// Adds a value that is complete to the list or block it stands in; in a block every second one is a key.
fn add(open: &mut Open, node: Node, line: u64) -> Result<(), Problem> {
    let (block, pending) = match open {
        Open::List(items) => {
            items.push(node);
            return Ok(());
        }
        Open::Block(block, pending) => (block, pending),
    };
    let Some((key, key_line)) = pending.take() else {
        *pending = match node.raw {
            Raw::Text(key) => Some((key, line)),
            _ => return Err(at(line, "a key must be one word")),
        };
        return Ok(());
    };
    if key == "<<" {
        let merged = match node.raw {
            Raw::Block(merged) => vec![merged],
            Raw::List(items) => items
                .into_iter()
                .filter_map(|item| match item.raw {
                    Raw::Block(merged) => Some(merged),
                    _ => None,
                })
                .collect(),
            _ => return Err(at(key_line, "'<<' takes a block, such as '<<: *name'")),
        };
        for entry in merged.into_iter().flat_map(|block| block.0) {
            if block.get(&entry.key).is_none() {
                block.0.push(Entry {
                    at: At::Nowhere,
                    ..entry
                });
            }
        }
        return Ok(());
    }
    match block.0.iter_mut().find(|entry| entry.key == key) {
        // What was merged in gives way to what is written.
        Some(entry) if entry.at == At::Nowhere => {
            entry.at = At::Line(key_line);
            entry.node = node;
        }
        Some(_) => {
            return Err(Problem {
                line: Some(key_line),
                ..Problem::of(&key, "written twice; keep one")
            });
        }
        None => block.0.push(Entry {
            key,
            at: At::Line(key_line),
            node,
        }),
    }
    Ok(())
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
