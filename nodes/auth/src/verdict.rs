//! What a way of judging found, in more detail than the client is told, and how it is counted and logged.
//! How a face answers is `Denied`'s business.

use crate::{Denied, Request};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;
use weft_config::Action;

/// One log line per kind and action in this time.
const PERIOD: Duration = Duration::from_secs(10);
/// Characters of a client's words that a log line shows.
const SHOWN: usize = 120;

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum No {
    /// Nothing is shown, and something must be.
    Nothing,
    /// What is shown is not right: a failed login.
    Login(&'static str),
    /// The path is not for this address, whatever is shown.
    Address,
    /// Too many failures.
    TooMany(Duration),
    /// There is no telling now.
    Unavailable(&'static str),
}

impl No {
    /// What the client is told.
    pub(crate) fn denied(&self) -> Denied {
        match self {
            Self::Nothing => Denied::NoCredentials,
            Self::Login(_) | Self::Address => Denied::Wrong,
            Self::TooMany(wait) => Denied::TooMany(*wait),
            Self::Unavailable(why) => Denied::Unavailable((*why).to_owned()),
        }
    }

    fn why(&self) -> &'static str {
        match self {
            Self::Nothing => "no credentials",
            Self::Login(why) | Self::Unavailable(why) => why,
            Self::Address => "the path is not for this address",
            Self::TooMany(_) => "too many failed logins",
        }
    }

    /// Which of the log's lines it comes under.
    fn kind(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Login(_) => 1,
            Self::Address => 2,
            Self::TooMany(_) => 3,
            Self::Unavailable(_) => 4,
        }
    }
}

macro_rules! counters {
    ($($name:ident: $metric:literal, $help:literal;)*) => {
        /// Counters of the gate; they only rise.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(#[doc = $help] pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            /// Each counter: metric name, help, value.
            pub(crate) fn visit(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(visit($metric, $help, self.$name.load(Relaxed));)*
            }
        }
    };
}

counters! {
    allowed: "weft_auth_allowed_total", "Requests that were allowed.";
    nothing: "weft_auth_denied_no_credentials_total", "Requests refused because they showed no credentials.";
    login: "weft_auth_denied_wrong_total", "Requests refused because what they showed was wrong, expired or not enough.";
    address: "weft_auth_denied_address_total", "Requests refused because the path is not for their address.";
    too_many: "weft_auth_denied_too_many_total", "Requests refused because their address had failed too often.";
    unavailable: "weft_auth_denied_unavailable_total", "Requests refused because callback or keys gave no answer.";
    pauses_skipped: "weft_auth_pauses_skipped_total", "Wrong logins answered at once because too many pauses ran.";
    callback_asked: "weft_auth_callback_requests_total", "Questions to the authentication server.";
    callback_spared: "weft_auth_callback_spared_total", "Questions that a known answer, or another's question, answered.";
    callback_failed: "weft_auth_callback_failures_total", "Questions without an answer: time, connection, or too many open.";
    jwks_fetched: "weft_auth_jwks_fetches_total", "Fetches of the keys of tokens.";
    jwks_failed: "weft_auth_jwks_failures_total", "Fetches of the keys of tokens that failed.";
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Actions there are: a scraper that is refused must not hide a publisher that is.
const ACTIONS: usize = 6;

/// When each kind of line was written last about each action, and how many it stands for.
#[derive(Debug, Default)]
pub(crate) struct Log([Mutex<(Option<Instant>, u64)>; 5 * ACTIONS]);

impl Log {
    /// Counts and logs a refusal: one line per kind, action and period, without anything that was shown.
    pub(crate) fn note(&self, counters: &Counters, request: &Request, no: &No) {
        let counter = match no {
            No::Nothing => &counters.nothing,
            No::Login(_) => &counters.login,
            No::Address => &counters.address,
            No::TooMany(_) => &counters.too_many,
            No::Unavailable(_) => &counters.unavailable,
        };
        count(counter);
        let Some(more) = self.pass(row(no, request.action)) else {
            return;
        };
        let (action, protocol, ip, why) = (
            request.action.as_str(),
            request.protocol.as_str(),
            request.ip,
            no.why(),
        );
        // As a value, which the log quotes: it is a client's word.
        let path: String = request.path.chars().take(SHOWN).collect();
        match no {
            // The usual beginning of a login.
            No::Nothing => tracing::debug!(action, path, protocol, %ip, why, more, "not allowed"),
            No::Unavailable(_) => tracing::warn!(action, path, protocol, %ip, why, more, "not allowed"),
            _ => tracing::info!(action, path, protocol, %ip, why, more, "not allowed"),
        }
    }

    fn pass(&self, row: usize) -> Option<u64> {
        let mut state = self.0.get(row)?.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.0.is_some_and(|last| now < last + PERIOD) {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

/// Which entry of the log's table it is.
fn row(no: &No, action: Action) -> usize {
    no.kind() * ACTIONS + action as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_action_has_a_line_of_its_own() {
        let kinds = [
            No::Nothing,
            No::Login(""),
            No::Address,
            No::TooMany(PERIOD),
            No::Unavailable(""),
        ];
        let actions = [
            Action::Publish,
            Action::Read,
            Action::Playback,
            Action::Api,
            Action::Metrics,
            Action::Pprof,
        ];
        let rows = kinds.iter().flat_map(|no| actions.map(|action| row(no, action)));
        let rows: Vec<usize> = rows.collect();
        assert_eq!(rows, (0..5 * ACTIONS).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn one_line_per_kind_and_period_tells_of_the_others() {
        let log = Log::default();
        assert_eq!((log.pass(0), log.pass(1)), (Some(0), Some(0)));
        assert_eq!((log.pass(0), log.pass(0), log.pass(1)), (None, None, None));
        tokio::time::advance(PERIOD).await;
        assert_eq!((log.pass(0), log.pass(1)), (Some(2), Some(1)));
    }
}
