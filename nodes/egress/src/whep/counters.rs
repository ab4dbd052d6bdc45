//! The counters of the WHEP face, with the metric names they are shown under: offers that were refused, by reason.
//! Requests without the right to read are counted by the gate, readers sent to another node by the hubs.

use super::error::Error;
use actix_web::http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident => $name:literal,)+) => {
        /// Counters of a node's face.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[doc = $help])+ pub(super) $field: AtomicU64,)+
        }

        impl Counters {
            /// Each counter: metric name, help, value.
            pub(super) fn each(&self, visit: &mut dyn FnMut(&'static str, &'static str, u64)) {
                $(visit($name, concat!($($help),+).trim_start(), self.$field.load(Relaxed));)+
            }
        }
    };
}

counters! {
    /// Readers' offers that were answered (WHEP).
    answered => "weft_whep_offers_answered_total",
    /// Readers' offers refused: malformed, or for a path that does not take readers.
    refused_offer => "weft_whep_refused_offer_total",
    /// Readers' offers refused: nobody publishes the stream.
    refused_no_stream => "weft_whep_refused_no_stream_total",
    /// Readers' offers refused: the stream has no codec that the reader takes.
    refused_codec => "weft_whep_refused_codec_total",
    /// Readers' offers refused: the node is full.
    refused_full => "weft_whep_refused_full_total",
    /// Readers' offers refused: their client's address has as many publishers and readers as it may.
    refused_address => "weft_whep_refused_address_total",
    /// Readers' offers refused: the stream cannot be had now, or too many readers are not connected yet.
    refused_unavailable => "weft_whep_refused_unavailable_total",
    /// Readers' offers refused by a fault of the node.
    refused_internal => "weft_whep_refused_internal_total",
}

impl Counters {
    /// Counts an offer that was refused for this.
    pub(super) fn refused(&self, error: &Error) {
        let counter = match error {
            Error::Denied(_) | Error::Moved(_) => return,
            Error::NoStream(_) => &self.refused_no_stream,
            Error::NotAcceptable(_) => &self.refused_codec,
            Error::Full => &self.refused_full,
            Error::OfAddress | Error::TooOften(_) => &self.refused_address,
            Error::Unavailable(_) => &self.refused_unavailable,
            error if error.status() == StatusCode::INTERNAL_SERVER_ERROR => &self.refused_internal,
            _ => &self.refused_offer,
        };
        counter.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use weft_auth::Denied;
    use weft_wire::StreamName;

    #[test]
    fn each_refusal_is_counted_once_under_its_reason_and_what_others_count_not_here() {
        let counters = Counters::default();
        for error in [
            Error::Refused("bad".to_owned()),
            Error::NoStream(StreamName::new("cam").unwrap()),
            Error::NotAcceptable("VP8".to_owned()),
            Error::Full,
            Error::OfAddress,
            Error::Unavailable(Duration::ZERO),
            Error::Internal("fault".to_owned()),
            Error::Moved("http://b/cam/whep".to_owned()),
            Error::Denied(Denied::NoCredentials),
        ] {
            counters.refused(&error);
        }
        let mut refused = 0;
        counters.each(&mut |name, _, value| {
            assert_eq!(value, u64::from(name.contains("_refused_")), "{name}");
            refused += value;
        });
        assert_eq!(refused, 7);
    }
}
