//! Stream and node names: valid by construction, with the one reversible escaping that subjects and KV keys both take.
//! Which names a configuration allows or who may use them is decided elsewhere.

use std::fmt;
use std::sync::Arc;

/// Longest escaped form of a name, in bytes: subjects and KV keys stay far below the server's limits.
pub const MAX_ESCAPED_LEN: usize = 200;

/// Why a text is no stream or node name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("name is empty")]
    Empty,
    /// Leading or trailing slash.
    #[error("name '{0}' can't begin or end with a slash")]
    Slash(String),
    /// A `.` or `..` segment, or an empty one (`//`).
    #[error("name '{0}' contains an empty, '.' or '..' segment")]
    Segment(String),
    /// A character outside the allowed set.
    #[error("name '{name}' contains {found:?}; allowed are letters, digits, '_', '-', '.', '~' and '/'")]
    Character {
        /// The name as given, cut to 80 characters.
        name: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The escaped form is longer than [`MAX_ESCAPED_LEN`].
    #[error("name is too long: {0} bytes escaped, {MAX_ESCAPED_LEN} at most")]
    TooLong(usize),
}

/// The path name of a stream, MediaMTX's rules: `[0-9A-Za-z_\-/.~]`, no leading or trailing `/`, no `.`, `..` or empty
/// segment, at most 200 bytes escaped. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// The name of a node: letters, digits, `_` and `-`, `.` allowed; the same bounds as a stream's name, without slashes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Arc<str>);

fn check(name: &str, slash: bool) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let short = || name.chars().take(80).collect::<String>();
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~') || (slash && c == '/');
    if let Some(found) = name.chars().find(|c| !allowed(*c)) {
        return Err(NameError::Character { name: short(), found });
    }
    if name.starts_with('/') || name.ends_with('/') {
        return Err(NameError::Slash(short()));
    }
    if name.split('/').any(|s| matches!(s, "" | "." | "..")) {
        return Err(NameError::Segment(short()));
    }
    let len = escaped_len(name);
    if len > MAX_ESCAPED_LEN {
        Err(NameError::TooLong(len))
    } else {
        Ok(())
    }
}

fn plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/')
}

fn escaped_len(name: &str) -> usize {
    name.bytes().map(|b| if plain(b) { 1 } else { 3 }).sum()
}

/// Any text in the form used in subjects and KV keys: every byte but letters, digits, `_`, `-` and `/` as `=XX`.
#[must_use]
pub fn escape(name: &str) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(escaped_len(name));
    for b in name.bytes() {
        if plain(b) {
            out.push(char::from(b));
        } else {
            // Infallible: a String takes any text.
            _ = write!(out, "={b:02X}");
        }
    }
    out
}

/// The inverse of [`escape`]; `None` where an escape is cut off, is no hex, or the whole is no UTF-8.
#[must_use]
pub fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'=' {
            let hex = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

macro_rules! name_type {
    ($name:ident, $slash:expr) => {
        impl $name {
            /// Checks a text and makes it a name.
            ///
            /// # Errors
            /// [`NameError`] says what is wrong with the text.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                check(name.as_ref(), $slash)?;
                Ok(Self(Arc::from(name.as_ref())))
            }

            /// The name as people write it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The form used in subjects and KV keys: every byte but letters, digits, `_`, `-` and `/` as `=XX`.
            #[must_use]
            pub fn escaped(&self) -> String {
                escape(&self.0)
            }

            /// The inverse of [`Self::escaped`]; `None` if the text is no escaped name.
            #[must_use]
            pub fn from_escaped(text: &str) -> Option<Self> {
                let name = unescape(text)?;
                (escape(&name) == text).then(|| Self::new(name).ok())?
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> {
                Self::new(s)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(StreamName, true);
name_type!(NodeName, false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mediamtx_takes_are_taken() {
        for ok in [
            "demo",
            "exam_123_student_456_1693875600000",
            "a/b/c",
            "cam.1",
            "~x",
            "A-b",
        ] {
            assert_eq!(StreamName::new(ok).unwrap().as_str(), ok);
        }
    }

    #[test]
    fn names_that_could_leave_their_subject_are_refused() {
        for bad in [
            "", "/a", "a/", "a//b", "a/../b", ".", "a b", "a*", "a>", "a:b", "a=b", "ä", "a\n",
        ] {
            assert!(StreamName::new(bad).is_err(), "{bad:?}");
        }
        assert!(NodeName::new("a/b").is_err());
        assert_eq!(
            StreamName::new(".".repeat(3) + &"x".repeat(300)),
            Err(NameError::TooLong(309))
        );
    }

    #[test]
    fn escaping_is_reversible_and_has_one_form() {
        let name = StreamName::new("a.b/c~d-e_f").unwrap();
        assert_eq!(name.escaped(), "a=2Eb/c=7Ed-e_f");
        assert_eq!(StreamName::from_escaped(&name.escaped()), Some(name));
        assert_eq!(
            StreamName::from_escaped("a=2eb"),
            None,
            "lower-case hex is another spelling"
        );
        assert_eq!(StreamName::from_escaped("a=2"), None);
        assert_eq!(StreamName::from_escaped("=61"), None);
    }
}
