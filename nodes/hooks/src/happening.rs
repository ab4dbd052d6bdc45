//! What may happen to a stream or a connection, as hooks are told it.
//! What is done about it is decided by the configuration.

use std::net::SocketAddr;
use weft_wire::{CloseReason, SessionId, StreamName};

/// Something has happened. Types are MediaMTX's words: `webRTCSession`, `rtspSession`, `rtspSource`, `rtspConn`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the fields are what they say
pub enum Happening {
    /// A client has connected (RTSP).
    Connected {
        kind: &'static str,
        id: SessionId,
        peer: SocketAddr,
    },
    /// It is gone.
    Disconnected { id: SessionId },
    /// A stream's media flows: a publisher has claimed the name on this node.
    Available {
        stream: StreamName,
        source_type: &'static str,
        source: SessionId,
        query: String,
        principal: String,
    },
    /// Nothing has come from the publisher for some seconds.
    Stalled { stream: StreamName, source: SessionId },
    /// Media flows again.
    Resumed { stream: StreamName, source: SessionId },
    /// That publisher's stream has ended or was taken over.
    Unavailable {
        stream: StreamName,
        source: SessionId,
        reason: CloseReason,
    },
    /// A reader plays.
    Read {
        stream: StreamName,
        reader_type: &'static str,
        reader: SessionId,
        query: String,
        principal: String,
    },
    /// It has left.
    Unread {
        stream: StreamName,
        reader: SessionId,
        reason: CloseReason,
    },
}

impl Happening {
    /// True for what ends something that began before.
    pub(crate) fn is_end(&self) -> bool {
        match self {
            Self::Connected { .. }
            | Self::Available { .. }
            | Self::Stalled { .. }
            | Self::Resumed { .. }
            | Self::Read { .. } => false,
            Self::Disconnected { .. } | Self::Unavailable { .. } | Self::Unread { .. } => true,
        }
    }
}
