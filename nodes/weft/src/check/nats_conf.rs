//! Reads the configuration language of nats-server as far as its top level goes: `key: value`, `key = value`, `key {block}`.
//! What is inside blocks and lists is skipped; what the values mean for media is said in `settings`.

use std::collections::BTreeMap;
use std::time::Duration;

/// Files that include each other in a ring end here.
const DEEPEST_INCLUDE: usize = 8;

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A word, number or string as written.
    Text(String),
    /// A block or list.
    Block,
}

impl Value {
    /// As the server reads booleans.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "enabled" | "enable" => Some(true),
                "false" | "no" | "off" | "disabled" | "disable" => Some(false),
                _ => None,
            },
            Self::Block => None,
        }
    }

    /// A number of bytes: `16777216`, `16MB`, `16MiB` (the same here) or `16M` (millions).
    pub(crate) fn bytes(&self) -> Option<u64> {
        let Self::Text(text) = self else { return None };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().ok()?;
        let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" => 1,
            "k" => 1_000,
            "kb" | "ki" | "kib" => 1 << 10,
            "m" => 1_000_000,
            "mb" | "mi" | "mib" => 1 << 20,
            "g" => 1_000_000_000,
            "gb" | "gi" | "gib" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(unit)
    }

    /// `2s`, `500ms`, `1m`, `1m30s`; a bare number is seconds.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let Self::Text(text) = self else { return None };
        let mut rest = text.as_str();
        let mut sum = Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let number: f64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "" | "s" => 1.0,
                "ms" => 1e-3,
                "us" => 1e-6,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            rest = &rest[letters..];
            sum = sum.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        }
        Some(sum)
    }
}

/// The top level of a configuration, keys in lower case; of a key named twice the last counts. `include` reads files.
///
/// # Errors
/// A sentence with the line, when the text is no such configuration.
pub(crate) fn parse(
    text: &str,
    include: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<BTreeMap<String, Value>, String> {
    let mut values = BTreeMap::new();
    read(text, include, 0, &mut values)?;
    Ok(values)
}

fn read(
    text: &str,
    include: &mut dyn FnMut(&str) -> Result<String, String>,
    depth: usize,
    values: &mut BTreeMap<String, Value>,
) -> Result<(), String> {
    let mut words = Words { rest: text, line: 1 };
    while let Some(key) = words.next(true)? {
        let Word::Text(key) = key else {
            return Err(format!("line {}: a key is expected", words.line));
        };
        let value = words.value(&key)?;
        if key == "include" {
            let Value::Text(name) = value else {
                return Err(format!("line {}: include wants the name of a file", words.line));
            };
            if depth == DEEPEST_INCLUDE {
                return Err(format!(
                    "line {}: files include each other without an end",
                    words.line
                ));
            }
            read(&include(&name)?, include, depth + 1, values)?;
        } else {
            values.insert(key.to_ascii_lowercase(), value);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Text(String),
    Open(char),
    Close(char),
}

struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl Words<'_> {
    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    /// The next word; as a key it ends at `:` and `=` too.
    fn next(&mut self, key: bool) -> Result<Option<Word>, String> {
        self.blank();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        Ok(Some(match first {
            '{' | '[' => {
                self.skip(1);
                Word::Open(first)
            }
            '}' | ']' => {
                self.skip(1);
                Word::Close(first)
            }
            '"' | '\'' => self.quoted(first)?,
            _ => {
                let ends =
                    |c: char| c.is_whitespace() || ",;{}[]#".contains(c) || key && matches!(c, ':' | '=');
                let length = self.rest.find(ends).unwrap_or(self.rest.len()).max(1);
                let word = self.rest[..length].to_owned();
                self.skip(length);
                Word::Text(word)
            }
        }))
    }

    fn quoted(&mut self, quote: char) -> Result<Word, String> {
        let line = self.line;
        let mut escaped = false;
        let end = self.rest[1..].find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped && quote == '"';
            ends
        });
        let end = end.ok_or_else(|| format!("line {line}: a quote is not closed"))?;
        let word = self.rest[1..=end].to_owned();
        self.skip(end + 2);
        Ok(Word::Text(word))
    }

    /// Blanks, separators and comments.
    fn blank(&mut self) {
        loop {
            let blanks = self.rest.len()
                - self
                    .rest
                    .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                    .len();
            self.skip(blanks);
            if !self.rest.starts_with('#') && !self.rest.starts_with("//") {
                return;
            }
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn value(&mut self, key: &str) -> Result<Value, String> {
        let line = self.line;
        self.blank();
        if self.rest.starts_with([':', '=']) {
            self.skip(1);
        }
        match self.next(false)? {
            Some(Word::Text(text)) => Ok(Value::Text(text)),
            Some(Word::Open(open)) => self.block(open, line).map(|()| Value::Block),
            Some(Word::Close(_)) | None => Err(format!("line {line}: '{key}' has no value")),
        }
    }

    /// Everything up to the end of a block or list.
    fn block(&mut self, open: char, line: usize) -> Result<(), String> {
        let mut open = vec![open];
        while !open.is_empty() {
            match self.next(false)? {
                Some(Word::Open(bracket)) => open.push(bracket),
                Some(Word::Close(_)) => drop(open.pop()),
                Some(Word::Text(_)) => {}
                None => return Err(format!("line {line}: a block is not closed")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    #[test]
    fn keys_and_values_are_read_in_each_way_of_writing_them() {
        let read = parse(
            "# comment\nport: 4222 // more\nHTTP = \"127.0.0.1:8222\"; debug false\njetstream { a: 1, b { c: [1, 2] } }\n\
             routes = [ nats://a:1 , nats-route://b:2 ]\nuser 'a\"b' include \"more.conf\"\nlast: x",
            &mut |name| {
                assert_eq!(name, "more.conf");
                Ok("port 1\nmore: {}".into())
            },
        )
        .unwrap();
        let expected = [
            ("port", text("1")),
            ("http", text("127.0.0.1:8222")),
            ("debug", text("false")),
            ("jetstream", Value::Block),
            ("routes", Value::Block),
            ("user", text("a\"b")),
            ("more", Value::Block),
            ("last", text("x")),
        ];
        assert_eq!(read, expected.map(|(key, value)| (key.to_owned(), value)).into());
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        let none = &mut |_: &str| -> Result<String, String> { Ok("include again".into()) };
        for (bad, line) in [
            ("a: 1\nb {\n c", "line 2"),
            ("}", "line 1"),
            ("\na: \"x", "line 2"),
            ("a:", "line 1"),
            ("include x", "line 1"),
        ] {
            let problem = parse(bad, none).unwrap_err();
            assert!(problem.starts_with(line), "{bad}: {problem}");
        }
    }

    #[test]
    fn sizes_and_times_mean_what_they_mean_to_the_server() {
        assert_eq!(text("16MB").bytes(), Some(16 << 20));
        assert_eq!(text("4M").bytes(), Some(4_000_000));
        assert_eq!(text("17").bytes(), Some(17));
        assert_eq!(text("many").bytes(), None);
        assert_eq!(text("1m30s").duration(), Some(Duration::from_secs(90)));
        assert_eq!(text("500ms").duration(), Some(Duration::from_millis(500)));
        assert_eq!(text("2").duration(), Some(Duration::from_secs(2)));
        assert_eq!(text("2 parsecs").duration(), None);
        let long = "9999999999999999999s";
        assert_eq!(
            text(&format!("{long}{long}")).duration(),
            None,
            "more than can be told"
        );
    }
}
