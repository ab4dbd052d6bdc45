//! What nodes ask each other: the questions, their answers, and the trait of who answers them on a node.
//! The messages are `weft-wire`'s; what is done about them is decided by ingest, egress and the program.

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use weft_wire::{
    CloseReply, CloseRequest, DemandReply, DemandRequest, DrainReply, DrainRequest, Error, Message,
    NodeReport, NodeVerb, OfferReply, OfferRequest, PublisherEvent, ReportRequest, ResourceReply,
    ResourceRequest,
};

/// A question to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeRequest {
    /// Take this publisher.
    Offer(OfferRequest),
    /// A request to one of your sessions' URLs.
    Resource(ResourceRequest),
    /// Close a session.
    Close(CloseRequest),
    /// What is on you.
    Report(ReportRequest),
    /// Drain.
    Drain(DrainRequest),
    /// Have a stream published that somebody wants to read.
    Demand(DemandRequest),
}

impl NodeRequest {
    /// Its verb.
    #[must_use]
    pub fn verb(&self) -> NodeVerb {
        match self {
            Self::Offer(_) => NodeVerb::Offer,
            Self::Resource(_) => NodeVerb::Resource,
            Self::Close(_) => NodeVerb::Close,
            Self::Report(_) => NodeVerb::Report,
            Self::Drain(_) => NodeVerb::Drain,
            Self::Demand(_) => NodeVerb::Demand,
        }
    }

    /// Its bytes; the verb travels in the subject.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Offer(request) => request.encode(),
            Self::Resource(request) => request.encode(),
            Self::Close(request) => request.encode(),
            Self::Report(request) => request.encode(),
            Self::Drain(request) => request.encode(),
            Self::Demand(request) => request.encode(),
        }
    }

    /// Reads a question of this verb.
    pub(crate) fn decode(verb: NodeVerb, bytes: &[u8]) -> Result<Self, Error> {
        Ok(match verb {
            NodeVerb::Offer => Self::Offer(Message::decode(bytes)?),
            NodeVerb::Resource => Self::Resource(Message::decode(bytes)?),
            NodeVerb::Close => Self::Close(Message::decode(bytes)?),
            NodeVerb::Report => Self::Report(Message::decode(bytes)?),
            NodeVerb::Drain => Self::Drain(Message::decode(bytes)?),
            NodeVerb::Demand => Self::Demand(Message::decode(bytes)?),
        })
    }
}

/// The answer to a question of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeReply {
    /// Of [`NodeRequest::Offer`].
    Offer(OfferReply),
    /// Of [`NodeRequest::Resource`].
    Resource(ResourceReply),
    /// Of [`NodeRequest::Close`].
    Close(CloseReply),
    /// Of [`NodeRequest::Report`].
    Report(NodeReport),
    /// Of [`NodeRequest::Drain`].
    Drain(DrainReply),
    /// Of [`NodeRequest::Demand`].
    Demand(DemandReply),
}

impl NodeReply {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Offer(reply) => reply.encode(),
            Self::Resource(reply) => reply.encode(),
            Self::Close(reply) => reply.encode(),
            Self::Report(reply) => reply.encode(),
            Self::Drain(reply) => reply.encode(),
            Self::Demand(reply) => reply.encode(),
        }
    }

    /// Reads the answer to a question of this verb.
    pub(crate) fn decode(verb: NodeVerb, bytes: &[u8]) -> Result<Self, Error> {
        Ok(match verb {
            NodeVerb::Offer => Self::Offer(Message::decode(bytes)?),
            NodeVerb::Resource => Self::Resource(Message::decode(bytes)?),
            NodeVerb::Close => Self::Close(Message::decode(bytes)?),
            NodeVerb::Report => Self::Report(Message::decode(bytes)?),
            NodeVerb::Drain => Self::Drain(Message::decode(bytes)?),
            NodeVerb::Demand => Self::Demand(Message::decode(bytes)?),
        })
    }
}

/// Answers for a node. Each question is answered on a task of its own; at most 64 at once (overflow: the newest is not
/// answered, counted, and its asker's patience ends). An answer that takes longer than 10 s is given up. What is being
/// answered when the [`Serving`] goes is answered still.
pub trait NodeService: Send + Sync + 'static {
    /// Answers; a question that this node's role knows nothing of is answered as "no" in its own terms (503, not found,
    /// nothing there).
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply>;
}

/// What is said to one publisher, as its node says it; the queue holds 16 (overflow: the newest is dropped, counted).
#[derive(Debug)]
pub struct PublisherEvents {
    pub(crate) receiver: mpsc::Receiver<PublisherEvent>,
    pub(crate) _guard: crate::subscription::Guard,
}

impl PublisherEvents {
    /// Words held for one that does not come.
    pub(crate) const QUEUE: usize = 16;

    /// The next word; `None` when the bus is gone for good. Cancel-safe.
    pub async fn recv(&mut self) -> Option<PublisherEvent> {
        self.receiver.recv().await
    }
}

/// While it lives, a node's service is asked.
#[derive(Debug)]
pub struct Serving {
    pub(crate) _guard: crate::subscription::Guard,
}
