//! One log line a second about refused offers, however many there are.
//! How many of which kind is counted elsewhere.

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
    /// Notes a refused offer.
    pub(super) fn log(&self, path: &str, error: &Error) {
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
        tracing::info!(path, %error, status = error.status().as_u16(), more = quiet, "offer refused");
    }
}
