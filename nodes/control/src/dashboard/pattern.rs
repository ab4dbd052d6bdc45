//! Patterns of names as people type them: `*` stands for any text, `?` for one character, everything else for itself.
//! What is done with the names that match is decided by whoever has the pattern.

/// Characters of a pattern; what a name may have.
const LONGEST: usize = 200;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    /// `None`: it is longer than any name.
    pub(crate) fn new(text: &str) -> Option<Self> {
        (text.len() <= LONGEST).then(|| Self(text.bytes().collect()))
    }

    /// Whether a name is one of those. Takes the product of both lengths at most.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (&self.0, name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // The last star, and how much of the name it stands for so far.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(b'?') => (p, n) = (p + 1, n + 1),
                Some(byte) if *byte == name[n] => (p, n) = (p + 1, n + 1),
                _ => match star {
                    Some((at, stands_for)) => {
                        star = Some((at, stands_for + 1));
                        (p, n) = (at + 1, stands_for + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_a_question_mark_one_character_and_the_rest_itself() {
        for (pattern, name, matches) in [
            ("exam_123_*", "exam_123_alice", true),
            ("exam_123_*", "exam_123_", true),
            ("exam_123_*", "exam_124_alice", false),
            ("*", "a/b", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*_screen", "exam_1_screen", true),
            ("*_screen", "exam_1_screens", false),
            ("a*b*c", "a_b_b_c", true),
            ("a*b*c", "a_c_b", false),
            ("a.c", "abc", false),
            ("exam", "exam", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(name),
                matches,
                "{pattern} {name}"
            );
        }
        assert!(Pattern::new(&"*".repeat(201)).is_none());
    }

    #[test]
    fn a_hostile_pattern_has_an_answer_at_once() {
        // By trying every way to share the name out among the stars this would not end.
        let hostile = Pattern::new(&("*a".repeat(99) + "b")).unwrap();
        assert!(!hostile.matches(&"a".repeat(200)));
        assert!(Pattern::new(&"*a".repeat(100)).unwrap().matches(&"a".repeat(200)));
    }
}
