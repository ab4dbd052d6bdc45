//! What a node tells another of all that is on it: publishers, streams open for readers, sessions, connections.
//! How it is cut into pages is the node's business, how it is shown the control face's.

use crate::positional::positional;
use crate::{Epoch, Message, OwnerInfo, SessionId, StreamName};

positional! {
    /// "What is on you?" Answered in pages.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct ReportRequest {
        /// How many entries, in the order of the report, have been seen already.
        pub from: u32,
        /// Only what has happened to this stream is asked for, and nothing of what is there.
        pub events_of: Option<StreamName> = None,
    }
}

positional! {
    /// What lists show of a session beside its counts of RTP. Nothing in it is a secret.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct SessionDetail {
        /// What followed `?` in its URL, without secrets.
        pub query: String,
        /// As whom it was let in; empty where nobody need be anybody.
        pub user: String,
        /// Its `User-Agent`.
        pub user_agent: String,
        /// `TCP` or `UDP`; empty: not known.
        pub transport: String,
        /// The RTSP connection that it came by.
        pub connection: Option<SessionId>,
        /// Our end of its media, `ip:port`; empty before there is one.
        pub local: String,
        /// Interarrival jitter, in µs (RFC 3550 §6.4.1).
        pub jitter_us: u64,
        /// RTCP packets received from it.
        pub rtcp_received: u64,
        /// RTCP packets sent to it.
        pub rtcp_sent: u64,
        /// Packets that never reached it, by its own receiver reports (RFC 3550 §6.4.1).
        pub reported_lost: u64,
        /// What was kept from it because it was too slow.
        pub discarded: u64,
        /// What lists call it; empty: what it always was.
        pub kind: String,
        /// Pictures of video received whole.
        pub pictures: u64 = 0,
    }
}

positional! {
    /// A publisher in a report.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PublisherReport {
        /// The stream's name.
        pub stream: StreamName,
        /// What its session says of itself.
        pub info: OwnerInfo,
        /// When the session began, µs UTC.
        pub created: i64,
        /// The rest.
        pub detail: SessionDetail = SessionDetail::default(),
    }
}

positional! {
    /// A reader in a report.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ReaderReport {
        /// Its session.
        pub session: SessionId,
        /// What it speaks, by the word of lists such as `rtspSession`.
        pub kind: String,
        /// Its address, `ip:port`.
        pub remote: String,
        /// When it joined, µs UTC.
        pub since: i64,
        /// RTP packets sent to it.
        pub packets: u64,
        /// Bytes of RTP sent to it.
        pub bytes: u64,
        /// The rest.
        pub detail: SessionDetail = SessionDetail::default(),
    }
}

positional! {
    /// A stream open for readers, in a report.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct HubReport {
        /// The stream's name.
        pub stream: StreamName,
        /// The epoch that reaches its readers.
        pub epoch: Epoch,
        /// True while media flows.
        pub ready: bool,
        /// Bytes sent to readers, those that left included.
        pub bytes_sent: u64,
        /// Its readers.
        pub readers: Vec<ReaderReport>,
    }
}

positional! {
    /// A session that is set up and does not read: before PLAY, or while it joins.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IdleReport {
        /// The stream's name.
        pub stream: StreamName,
        /// Who would read it.
        pub reader: ReaderReport,
    }
}

positional! {
    /// An open RTSP connection, with a session or without.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ConnectionReport {
        /// Its id.
        pub id: SessionId,
        /// When it was accepted, µs UTC.
        pub created: i64,
        /// The client, `ip:port`.
        pub remote: String,
        /// True for one with TLS.
        pub tls: bool,
        /// The session on it.
        pub session: Option<SessionId>,
        /// Bytes read from it.
        pub bytes_received: u64,
        /// Bytes written to it.
        pub bytes_sent: u64,
    }
}

positional! {
    /// A stream that is made into HLS.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MuxerReport {
        /// The stream's name.
        pub stream: StreamName,
        /// Its id, which is that of the reader that takes the stream's units for it.
        pub id: SessionId,
        /// When it was opened, µs UTC.
        pub created: i64,
        /// When it was last asked for something, µs UTC.
        pub last_request: i64,
        /// Bytes of playlists and media that it has answered with.
        pub bytes_sent: u64,
        /// Access units kept from it because it was too slow.
        pub discarded: u64,
    }
}

positional! {
    /// Something that has happened to a stream on a node.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct StreamEvent {
        /// When, µs UTC by the node's clock.
        pub at: i64,
        /// What, as one token: `live`, `stalled`, `resumed`, `closed`, `reader-joined`, `reader-left`; others may come.
        pub what: String,
        /// Whose session it is about.
        pub session: SessionId,
        /// What that session speaks, by the word of lists; empty: not known.
        pub kind: String,
        /// Why, as one token; empty where there is nothing to say.
        pub reason: String,
    }
}

positional! {
    /// A page of what is on a node.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct NodeReport {
        /// Publishers.
        pub publishers: Vec<PublisherReport>,
        /// Streams open for readers.
        pub hubs: Vec<HubReport>,
        /// Where the next page begins; `None`: this was the last.
        pub next: Option<u32>,
        /// Sessions that do not read yet.
        pub idle: Vec<IdleReport> = Vec::new(),
        /// RTSP connections.
        pub connections: Vec<ConnectionReport> = Vec::new(),
        /// CPU time that the process has used, in ms; 0: not known.
        pub cpu_ms: u64 = 0,
        /// What has happened to the stream that was asked for, oldest first.
        pub events: Vec<StreamEvent> = Vec::new(),
        /// Streams that are made into HLS.
        pub muxers: Vec<MuxerReport> = Vec::new(),
    }
}

impl Message for ReportRequest {}
impl Message for NodeReport {}
