//! Refused offers: each counted by its kind, and one log line a second about them, however many there are.
//! Whether an offer is refused is decided elsewhere.

use crate::counters::{Counters, add};
use crate::error::Error;
use crate::live::lock;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two lines.
const SPACING: Duration = Duration::from_secs(1);
/// Characters of a path that a log line shows.
const PATH_SHOWN: usize = 120;

/// When a line was written last, and what has been kept quiet since.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<(Option<Instant>, u64)>);

impl Refusals {
    /// Notes a refused offer to a path.
    pub(crate) fn note(&self, counters: &Counters, path: &str, error: &Error) {
        let counter = match error {
            Error::Conflict(_) | Error::Elsewhere { status: 409, .. } => &counters.refused_conflict,
            Error::Full(_) | Error::Draining | Error::NoRoom { .. } => &counters.refused_full,
            Error::OfAddress(_) | Error::Elsewhere { status: 429, .. } => &counters.refused_address,
            Error::Unavailable(_) | Error::Internal(_) => &counters.refused_unavailable,
            _ => &counters.refused_offer,
        };
        add(counter, 1);
        self.log(path, error);
    }

    fn log(&self, path: &str, error: &Error) {
        let now = Instant::now();
        let quiet = {
            let (last, quiet) = &mut *lock(&self.0);
            if last.is_some_and(|last| now.duration_since(last) < SPACING) {
                *quiet += 1;
                return;
            }
            *last = Some(now);
            std::mem::take(quiet)
        };
        let path: String = path.chars().take(PATH_SHOWN).collect();
        // As a value, which the log quotes: a client's name or another node's words may hold line breaks.
        let (error, status) = (error.to_string(), error.status().as_u16());
        tracing::info!(path, error, status, more = quiet, "offer refused");
    }
}
