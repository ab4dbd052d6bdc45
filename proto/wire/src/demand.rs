//! "Somebody wants to read this stream": the question by which a node that serves readers has one that takes publishers run
//! a command or pull a source. Which node is asked, and what it does, is decided by egress and ingest.

use crate::positional::positional;
use crate::{Message, NodeName, StreamName};

positional! {
    /// "Have this stream published." Said again every 2 s while somebody waits for the stream or reads it, and once when
    /// nobody does any more.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DemandRequest {
        /// The node that asks.
        pub node: NodeName,
        /// The stream's name.
        pub stream: StreamName,
        /// What followed `?` in its first reader's URL, without secrets.
        pub query: String,
        /// True: nobody at this node wants it any more.
        pub over: bool,
    }
}

positional! {
    /// Whether something is done about it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DemandReply {
        /// False: the node takes no publishers, its configuration has nothing to do for this stream, or it does too much
        /// already.
        pub taken: bool,
    }
}

impl Message for DemandRequest {}
impl Message for DemandReply {}
