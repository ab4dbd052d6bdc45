//! Names of streams from the query of a request: `{examId}_{participantId}_{milliseconds}`, or one of the caller's choice.
//! Who may publish under them is judged by whoever takes the stream.

use crate::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use weft_wire::{NameError, NodeName, StreamName};

/// Gives each name its milliseconds: the time of day, never the same twice in this process.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    fn next(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.after(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    /// `now`, or the next that has not been given yet.
    fn after(&self, now: u64) -> u64 {
        let next = |last: u64| now.max(last.saturating_add(1));
        let step = |last| Some(next(last));
        let (Ok(last) | Err(last)) = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        next(last)
    }
}

/// The stream that a publisher's query means: `stream`, else a new name of `examId` and `participantId`.
pub(crate) fn published(query: &str, clock: &Clock) -> Result<StreamName, Error> {
    if let Some(stream) = value(query, "stream") {
        return named(&stream);
    }
    let exam = id(query, "examId")?;
    let participant = id(query, "participantId")?;
    // Only its length can be wrong now, and that is mostly the longer one's fault.
    let parameter = match exam.len() > participant.len() {
        true => "examId",
        false => "participantId",
    };
    StreamName::new(format!("{exam}_{participant}_{}", clock.next()))
        .map_err(|why| Error::Parameter { parameter, why })
}

/// The stream that a reader's query means: `stream`.
pub(crate) fn read(query: &str) -> Result<StreamName, Error> {
    named(&value(query, "stream").ok_or(Error::Missing("stream"))?)
}

fn named(stream: &str) -> Result<StreamName, Error> {
    let parameter = "stream";
    StreamName::new(stream).map_err(|why| Error::Parameter { parameter, why })
}

/// A part of a name: a name itself, in one segment, so that it cannot lead into another folder of names.
fn id(query: &str, parameter: &'static str) -> Result<String, Error> {
    let id = value(query, parameter).ok_or(Error::Missing(parameter))?;
    match NodeName::new(&id) {
        // Within a longer name these are letters like others.
        Ok(_) | Err(NameError::Segment(_)) => Ok(id),
        Err(why) => Err(Error::Parameter { parameter, why }),
    }
}

/// The first value of a parameter, decoded.
fn value(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_gets_a_name_of_its_exam_itself_and_the_time() {
        let clock = Clock::default();
        let name = published("examId=exam_123&participantId=student_456", &clock).unwrap();
        let ms = name.as_str().strip_prefix("exam_123_student_456_").unwrap();
        assert!(ms.parse::<u64>().unwrap() > 1_693_875_600_000, "{name}");
        assert_eq!(
            published("examId=a&stream=x%2Fy", &clock).unwrap().as_str(),
            "x/y"
        );
        assert_eq!(read("stream=cam").unwrap().as_str(), "cam");
    }

    #[test]
    fn two_names_of_one_millisecond_differ_and_a_clock_that_is_set_back_gives_none_twice() {
        let clock = Clock::default();
        let given: Vec<_> = [7, 7, 7, 3, 20].into_iter().map(|now| clock.after(now)).collect();
        assert_eq!(given, [7, 8, 9, 10, 20]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (query, part) in [
            ("", "'examId' is missing"),
            ("participantId=1", "'examId' is missing"),
            ("examId=1", "'participantId' is missing"),
            ("examId=&participantId=1", "'examId': name is empty"),
            (
                "examId=a%20b&participantId=1",
                "'examId': name 'a b' contains ' '",
            ),
            ("examId=1&participantId=2023-09-05T01:00", "'participantId': name"),
            (
                "examId=1&participantId=..%2Fx",
                "'participantId': name '../x' contains '/'",
            ),
            ("stream=%2Fa", "'stream': name '/a' can't begin"),
        ] {
            let error = published(query, &Clock::default()).unwrap_err();
            assert!(error.to_string().contains(part), "{query}: {error}");
            assert_eq!(error.status().as_u16(), 400);
        }
        let long = format!("examId={}&participantId=1", "e".repeat(190));
        let error = published(&long, &Clock::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("query parameter 'examId': name is too long"),
            "{error}"
        );
        assert!(
            read("examId=1")
                .unwrap_err()
                .to_string()
                .contains("'stream' is missing")
        );
    }

    #[test]
    fn dots_are_letters_within_a_name() {
        let name = published("examId=..&participantId=.", &Clock::default()).unwrap();
        assert!(name.as_str().starts_with(".._._"), "{name}");
    }
}
