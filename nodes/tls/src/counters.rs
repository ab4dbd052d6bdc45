//! What TLS counts, each with the name and help it has on `/metrics`.
//! Which port a handshake was on is not told apart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of all TLS ports of a node since its start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: AtomicU64,)+
            /// When each certificate in use expires, by the configuration key that names its file.
            expiries: Mutex<BTreeMap<&'static str, u64>>,
        }

        impl Counters {
            /// Calls `f` with metric name, help and value of each.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(f($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
                f(
                    "weft_tls_certificate_expiry_timestamp_seconds",
                    "When the first of the certificates in use expires, as Unix time; 0 where no port speaks TLS.",
                    self.first_expiry(),
                );
            }
        }
    };
}

counters! {
    /// TLS handshakes begun and not over yet.
    pending => "weft_tls_handshakes_pending",
    /// TLS handshakes completed.
    handshakes => "weft_tls_handshakes_total",
    /// TLS handshakes that failed: the client left, or spoke no TLS that is taken here.
    failed => "weft_tls_handshakes_failed_total",
    /// TLS handshakes given up because they took too long.
    timed_out => "weft_tls_handshakes_timed_out_total",
    /// TLS handshakes given up because too many newer ones were under way.
    dropped => "weft_tls_handshakes_dropped_total",
    /// Times a certificate was replaced because its files had changed.
    reloaded => "weft_tls_certificates_reloaded_total",
    /// Times changed certificate files could not be used; the certificate before is kept.
    refused => "weft_tls_certificates_refused_total",
}

impl Counters {
    pub(crate) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Notes when a certificate in use expires.
    pub(crate) fn expires(&self, key: &'static str, at: SystemTime) {
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        expiries.insert(key, at.as_secs());
    }

    fn first_expiry(&self) -> u64 {
        let expiries = self.expiries.lock().unwrap_or_else(PoisonError::into_inner);
        expiries.values().copied().min().unwrap_or_default()
    }
}
