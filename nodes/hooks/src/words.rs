//! A command line taken apart as a POSIX shell takes words apart (quotes, backslashes), and `$NAME` replaced in each word.
//! No shell is involved: whatever a value holds, it stays inside its word.

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("a quote is not closed")]
    Quote,
    #[error("it ends with a backslash")]
    Backslash,
    #[error("it is empty")]
    Empty,
}

/// The words of a line.
pub(crate) fn split(line: &str) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\\' => {
                let next = chars.next().ok_or(Error::Backslash)?;
                // A line that goes on.
                if next != '\n' {
                    word.get_or_insert_default().push(next);
                }
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(Error::Quote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(Error::Quote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(Error::Quote)? {
                            '\n' => {}
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.is_empty() {
        Err(Error::Empty)
    } else {
        Ok(words)
    }
}

/// A word with `$NAME` and `${NAME}` replaced where `value` knows the name; others stay as they are.
pub(crate) fn expand(word: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, length) = name(&rest[1..]);
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => {
                expanded.push_str(&value);
                rest = &rest[1 + length..];
            }
            None => {
                expanded.push('$');
                rest = &rest[1..];
            }
        }
    }
    expanded + rest
}

/// The name at the beginning of what follows a `$`, and the bytes it takes with its braces; empty where there is none.
fn name(text: &str) -> (&str, usize) {
    let end_of = |text: &str| {
        let stranger = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        text.find(stranger).unwrap_or(text.len())
    };
    match text.strip_prefix('{') {
        Some(inner) => {
            let end = end_of(inner);
            let closed = inner[end..].starts_with('}');
            if closed { (&inner[..end], end + 2) } else { ("", 0) }
        }
        None => {
            let end = end_of(text);
            (&text[..end], end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (line, words) in [
            ("ffmpeg -i  x", &["ffmpeg", "-i", "x"][..]),
            (r#"a 'b c' "d e" f\ g"#, &["a", "b c", "d e", "f g"]),
            (r#"a'b'"c"d"#, &["abcd"]),
            (r#""q\"\\\n" '\'"#, &["q\"\\\\n", "\\"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a \\\n b", &["a", "b"]),
            (
                r#"sh -c 'for i in 1 2; do echo "$i"; done'"#,
                &["sh", "-c", "for i in 1 2; do echo \"$i\"; done"],
            ),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert_eq!(split("a 'b"), Err(Error::Quote));
        assert_eq!(split("a \"b\\"), Err(Error::Quote));
        assert_eq!(split("a \\"), Err(Error::Backslash));
        assert_eq!(split("  "), Err(Error::Empty));
    }

    #[test]
    fn names_are_replaced_inside_their_word_and_unknown_ones_stay() {
        let value = |name: &str| (name == "G1").then(|| "a b; $G1 'c".to_owned());
        for (word, expanded) in [
            ("$G1", "a b; $G1 'c"),
            ("x${G1}y", "xa b; $G1 'cy"),
            ("$G12 $i ${G1 $ $$ ${} $-", "$G12 $i ${G1 $ $$ ${} $-"),
            ("é$G1é", "éa b; $G1 'cé"),
        ] {
            assert_eq!(expand(word, &value), expanded);
        }
    }
}
