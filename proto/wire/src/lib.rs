//! The words of the fabric: names, numbers, instants, access units, messages and the subjects they travel on.
//! Pure data with one encoding (MessagePack arrays, fields only appended); who sends what to whom is the bus's business.

mod demand;
mod escapes;
mod ids;
mod message;
mod name;
mod node;
mod node_messages;
mod positional;
mod report;
mod subject;
mod time;
mod track;
mod unit;
mod units_reply;
mod wire_unit;

pub use demand::{DemandReply, DemandRequest};
pub use escapes::percent_decoded;
pub use ids::{Epoch, GopSeq, Incarnation, SessionId, TrackId, UnitSeq};
pub use message::{
    CloseReason, KeyframeRequest, Kick, Message, OwnerInfo, OwnerRequest, StreamEnded, StreamRecord,
    StreamState, UnitsEnd, UnitsFrom, UnitsRequest,
};
pub use name::{MAX_ESCAPED_LEN, NameError, NodeName, StreamName, escape, unescape};
pub use node::{Guest, NodeAddresses, NodeLimits, NodeLoad, NodeRecord, NodeRole};
pub use node_messages::{
    CloseReply, CloseRequest, DrainReply, DrainRequest, OfferReply, OfferRequest, PublisherEvent,
    PublisherWord, ResourceMethod, ResourceReply, ResourceRequest, SessionSecret,
};
pub use report::{
    ConnectionReport, HubReport, IdleReport, MuxerReport, NodeReport, PublisherReport, ReaderReport,
    ReportRequest, SessionDetail, StreamEvent,
};
pub use subject::{MediaClass, NodeVerb, StreamVerb, Subject};
pub use time::{CaptureSource, CaptureTime, ClockRate, MediaTime, SentTime};
pub use track::{Codec, MediaKind, TrackInfo};
pub use unit::{AccessUnit, UnitBatch, UnitFlags, nal_units};
pub use units_reply::UnitsReply;
pub use wire_unit::{
    MAX_PARTS, MAX_UNIT_BYTES, PART_BYTES, UnitPart, WIRE_VERSION, batch_bound, decode_batch, encode_batch,
    encode_part,
};

/// Why bytes from the bus could not be read as a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not the MessagePack this message is made of; drop them and count.
    #[error("malformed message: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// A field holds a value outside its bounds; drop the message and count.
    #[error("field `{field}` is out of bounds: {value}")]
    OutOfBounds {
        /// The field's name.
        field: &'static str,
        /// What stood there.
        value: u64,
    },
    /// The message says version 0 or was written by something that is not Weft.
    #[error("message version {0} is not one of ours")]
    Version(u64),
}
