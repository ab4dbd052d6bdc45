//! Old names of routes: they work, say what they are called today in a header, and are logged once an hour each.
//! What they do is done by the routes of today.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The header that names the route of today.
const NOTICE: &str = "weft-notice";

/// How often a route's use is logged.
const AGAIN: Duration = Duration::from_secs(3_600);

/// An old name.
pub(crate) struct OldName {
    old: &'static str,
    /// The header's words.
    today: &'static str,
    told: Mutex<Option<Instant>>,
}

impl OldName {
    pub(crate) const fn new(old: &'static str, today: &'static str) -> Self {
        Self {
            old,
            today,
            told: Mutex::new(None),
        }
    }

    /// The answer with its notice.
    pub(crate) fn on(&self, mut response: HttpResponse) -> HttpResponse {
        if self.is_due(Instant::now()) {
            tracing::info!(
                route = self.old,
                today = self.today,
                "an old route was asked; it works"
            );
        }
        let words = HeaderValue::from_static(self.today);
        response
            .headers_mut()
            .insert(HeaderName::from_static(NOTICE), words);
        response
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|last| now.saturating_duration_since(last) >= AGAIN);
        if due {
            *told = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_due_once_an_hour() {
        let name = OldName::new("GET /old", "GET /new");
        let now = Instant::now();
        assert!(name.is_due(now) && !name.is_due(now + AGAIN / 2));
        assert!(name.is_due(now + AGAIN) && !name.is_due(now + AGAIN));
    }
}
