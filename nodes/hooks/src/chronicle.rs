//! What has happened to the streams of this node of late, for whoever looks at one of them: a ring that forgets the oldest.
//! It holds names, kinds and reasons, and nothing that a client showed.

use crate::Happening;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use weft_wire::{SessionId, StreamEvent, StreamName};

/// Events of all streams together.
const KEPT: usize = 4096;
/// Events of one stream that are told: what fits into one message between nodes.
const TOLD: usize = 200;

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Chronicle(Mutex<VecDeque<(StreamName, StreamEvent)>>);

impl Chronicle {
    /// Keeps it, if it is about a stream.
    pub(crate) fn note(&self, happening: &Happening) {
        let Some((stream, what, session, kind, reason)) = words(happening) else {
            return;
        };
        let event = StreamEvent {
            at: now(),
            what: what.to_owned(),
            session,
            kind: kind.to_owned(),
            reason: reason.to_owned(),
        };
        let mut ring = self.lock();
        // overflow: the oldest of all streams is forgotten.
        if ring.len() >= KEPT {
            ring.pop_front();
        }
        ring.push_back((stream.clone(), event));
    }

    /// The last of a stream, oldest first.
    pub(crate) fn of(&self, stream: &StreamName) -> Vec<StreamEvent> {
        let ring = self.lock();
        let newest = ring.iter().rev().filter(|(name, _)| name == stream).take(TOLD);
        let mut events: Vec<StreamEvent> = newest.map(|(_, event)| event.clone()).collect();
        events.reverse();
        events
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(StreamName, StreamEvent)>> {
        // Each change is one pop or push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Words<'a> = (
    &'a StreamName,
    &'static str,
    SessionId,
    &'static str,
    &'static str,
);

fn words(happening: &Happening) -> Option<Words<'_>> {
    Some(match happening {
        Happening::Connected { .. } | Happening::Disconnected { .. } => return None,
        Happening::Available {
            stream,
            source_type,
            source,
            ..
        } => (stream, "live", *source, source_type, ""),
        Happening::Stalled { stream, source } => (stream, "stalled", *source, "", ""),
        Happening::Resumed { stream, source } => (stream, "resumed", *source, "", ""),
        Happening::Unavailable {
            stream,
            source,
            reason,
        } => (stream, "closed", *source, "", reason.token()),
        Happening::Read {
            stream,
            reader_type,
            reader,
            ..
        } => (stream, "reader-joined", *reader, reader_type, ""),
        Happening::Unread {
            stream,
            reader,
            reason,
        } => (stream, "reader-left", *reader, "", reason.token()),
    })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_wire::CloseReason;

    fn name(text: &str) -> StreamName {
        StreamName::new(text).unwrap()
    }

    fn live(stream: &str, number: u8) -> Happening {
        Happening::Available {
            stream: name(stream),
            source_type: "webRTCSession",
            source: SessionId([number; 16]),
            query: "jwt=hush".to_owned(),
            principal: "student".to_owned(),
        }
    }

    #[test]
    fn what_happens_to_a_stream_is_told_in_order_and_of_no_other_and_without_what_a_client_showed() {
        let chronicle = Chronicle::default();
        chronicle.note(&live("a", 1));
        chronicle.note(&live("b", 2));
        let (stream, source) = (name("a"), SessionId([1; 16]));
        chronicle.note(&Happening::Stalled {
            stream: stream.clone(),
            source,
        });
        chronicle.note(&Happening::Unavailable {
            stream: stream.clone(),
            source,
            reason: CloseReason::Kicked,
        });
        let events = chronicle.of(&stream);
        let whats: Vec<(&str, &str)> = events.iter().map(|e| (&*e.what, &*e.reason)).collect();
        assert_eq!(whats, [("live", ""), ("stalled", ""), ("closed", "kicked")]);
        assert!(events.iter().all(|e| e.session == source && e.at > 0));
        assert!(!format!("{events:?}").contains("hush"));
    }

    #[test]
    fn the_ring_is_bounded_and_the_oldest_goes_first() {
        let chronicle = Chronicle::default();
        chronicle.note(&live("first", 1));
        for _ in 0..KEPT {
            chronicle.note(&live("other", 2));
        }
        assert!(chronicle.of(&name("first")).is_empty());
        assert_eq!(chronicle.lock().len(), KEPT);
        assert_eq!(chronicle.of(&name("other")).len(), TOLD);
    }
}
