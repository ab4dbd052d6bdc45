//! What the configuration's paths say to readers: whether a name is one, where its readers are sent, how long they wait for
//! media, how many there may be. Whether somebody may read it at all is decided before, by whoever knows the client.

use crate::egress::Inner;
use crate::whep::{WEBRTC, WEBRTC_SESSION};
use std::time::Duration;
use weft_config::{OnDemand, PathConf, Source};
use weft_hooks::{Happening, Hooks};
use weft_rtsp_server::{DescribeRequest, ReaderSpec, Refusal};
use weft_wire::{CloseReason, SessionId, StreamName};

/// MediaMTX's words for a name that no path matches.
fn not_configured(stream: &StreamName) -> Refusal {
    Refusal::Refused(format!("path '{stream}' is not configured"))
}

/// MediaMTX's words for a reader too many.
pub(crate) fn too_many_readers() -> Refusal {
    Refusal::Refused("maximum reader count reached".to_owned())
}

/// Hooks hear of a reader that plays.
pub(crate) fn came(hooks: &Hooks, stream: &StreamName, spec: &ReaderSpec) {
    hooks.happened(Happening::Read {
        stream: stream.clone(),
        reader_type: match spec.transport {
            WEBRTC => WEBRTC_SESSION,
            _ if spec.secure => "rtspsSession",
            _ => "rtspSession",
        },
        reader: SessionId(spec.id.into_bytes()),
        query: spec.query.clone(),
        principal: spec.principal.clone(),
    });
}

/// And of its end.
pub(crate) fn left(hooks: &Hooks, stream: &StreamName, spec: &ReaderSpec, reason: CloseReason) {
    hooks.happened(Happening::Unread {
        stream: stream.clone(),
        reader: SessionId(spec.id.into_bytes()),
        reason,
    });
}

/// True when a path with so many readers takes one more.
fn has_place(conf: &PathConf, readers: usize) -> bool {
    conf.max_readers == 0 || readers < conf.max_readers
}

impl Inner {
    /// Ok: the stream may be read here, as far as its path goes; `readers` are those it has.
    pub(crate) fn check_path(&self, request: &DescribeRequest, readers: usize) -> Result<(), Refusal> {
        let stream = &request.stream;
        let config = self.config.settings.now();
        let found = config.paths.find(stream).ok_or_else(|| not_configured(stream))?;
        match &found.conf.source {
            Source::Redirect(url) => Err(Refusal::Moved(found.expand(
                url,
                stream,
                request.query.as_deref().unwrap_or_default(),
            ))),
            Source::Publisher | Source::Pull(_) if has_place(&found.conf, readers) => Ok(()),
            Source::Publisher | Source::Pull(_) => Err(too_many_readers()),
        }
    }

    /// Whether a stream that has `readers` takes one more. A path that is no more stops nobody who was let in.
    pub(crate) fn takes_reader(&self, stream: &StreamName, readers: usize) -> bool {
        let found = self.config.settings.now().paths.find(stream);
        found.is_none_or(|found| has_place(&found.conf, readers))
    }

    /// Whether a node that takes publishers is told that somebody wants to read the stream.
    pub(crate) fn is_demanded(&self, stream: &StreamName) -> bool {
        let found = self.config.settings.now().paths.find(stream);
        found.is_some_and(|found| found.conf.is_on_demand() && found.conf.on_demand != OnDemand::Wait)
    }

    /// How long a description waits for the stream's publisher, and what it is told when none has come; `None`: it does not
    /// wait. On demand a wait in vain is a refusal (MediaMTX: 400), otherwise there just is no such stream.
    pub(crate) fn patience(&self, stream: &StreamName) -> Option<(Duration, Refusal)> {
        let found = self.config.settings.now().paths.find(stream);
        if let Some(found) = found.filter(|found| found.conf.is_on_demand()) {
            let words = format!("source of path '{stream}' has timed out");
            return Some((found.conf.start_timeout(), Refusal::Refused(words)));
        }
        let usual = self.config.describe_timeout;
        (!usual.is_zero()).then_some((usual, Refusal::NotFound))
    }
}
