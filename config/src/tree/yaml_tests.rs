//! What is read from YAML, and what is refused.
//! What keys mean is tested elsewhere.

use super::*;

/// The tree in one line, with lines where asked.
fn shown(node: &Node, lines: bool) -> String {
    let text = match &node.raw {
        Raw::Null => "null".to_owned(),
        Raw::Text(text) => text.clone(),
        Raw::Switch(_) | Raw::Number(_) => unreachable!("YAML has texts alone"),
        Raw::List(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(item, lines)).collect();
            format!("[{}]", items.join(","))
        }
        Raw::Block(block) => {
            let keys = block.0.iter();
            let keys: Vec<String> = keys
                .map(|entry| format!("{}:{}", entry.key, shown(&entry.node, lines)))
                .collect();
            format!("{{{}}}", keys.join(","))
        }
    };
    match node.at {
        At::Line(line) if lines => format!("{text}@{line}"),
        _ => text,
    }
}

fn read(text: &str) -> String {
    let node = Node {
        at: At::Nowhere,
        raw: Raw::Block(parse(text).unwrap()),
    };
    shown(&node, false)
}

#[test]
fn scalars_stay_as_they_are_written_and_know_their_lines() {
    assert_eq!(
        read("a: no\nb: '7'\nc: ~\nd:\ne: \"\"\n~^.*: null\n"),
        "{a:no,b:7,c:null,d:null,e:,~^.*:null}"
    );
    let block = parse("# head\na:\n  - x\n  - {k: v}\n").unwrap();
    assert_eq!(shown(&block.get("a").unwrap().node, true), "[x@3,{k:v@4}@4]@3");
    assert_eq!(block.get("a").unwrap().at, At::Line(2));
}

#[test]
fn aliases_and_merge_keys_are_followed_and_what_is_written_wins() {
    assert_eq!(
        read("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, k: 3}\nd: {k: 4, <<: [*x]}\n"),
        "{a:{k:1,l:2},b:{k:1,l:2},c:{k:3,l:2},d:{k:4,l:2}}"
    );
}

#[test]
fn nothing_and_comments_are_an_empty_block() {
    for text in ["", "# a\n\n", "---\n", "~\n", "{}\n"] {
        assert_eq!(read(text), "{}", "{text:?}");
    }
}

#[test]
fn files_of_windows_are_read() {
    assert_eq!(
        read("\u{feff}a: no\r\nb:\r\n  - x\r\n  - 'y'\r\n"),
        "{a:no,b:[x,y]}"
    );
}

#[test]
fn what_is_no_block_of_keys_is_refused_with_its_line() {
    for (text, part) in [
        ("- a\n", "line 1: expected keys"),
        ("a: 1\na: 2\n", "line 2: a: written twice"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document"),
        ("a: 1\n[x, y]: 2\n", "line 2: a key must be one word"),
        ("a: [1\n", "line "),
        ("a: &x [*x]\n", "line 1: an alias"),
    ] {
        let problem = parse(text).map(|_| ()).unwrap_err().to_string();
        assert!(problem.starts_with(part), "{text:?}: {problem}");
    }
}

#[test]
fn aliases_that_multiply_and_endless_depth_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let row = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb += &format!("a{n}: &a{n} [{row}]\n");
    }
    assert!(
        parse(&bomb)
            .map(|_| ())
            .unwrap_err()
            .to_string()
            .contains("too large")
    );
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(parse(&deep).is_err());
}
