//! Where a newcomer is to read: here, or at a less full node among those seen, or nowhere (design §8).
//! How a node is chosen among the others is the bus's rule; what a client is answered is the RTSP server's.

use crate::hub::TRY_AGAIN;
use weft_bus::{Better, Members};
use weft_rtsp_server::{DescribeRequest, Refusal};
use weft_wire::{Guest, NodeName, NodeRecord};

/// What this node says of its own room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There are places left.
    Left,
    /// Every place is taken.
    Full,
    /// Nobody new is taken.
    Draining,
}

/// What the newcomer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Rtsp,
    Whep,
    Hls,
}

impl Speaks {
    fn address(self, node: &NodeRecord) -> &str {
        match self {
            Self::Rtsp => &node.addresses.rtsp,
            Self::Whep => &node.addresses.webrtc,
            Self::Hls => &node.addresses.hls,
        }
    }
}

/// Ok: here. `room` is what the egress itself knows; the node's record may know more (bits per second, draining).
pub(crate) fn place(
    members: &Members,
    room: Room,
    request: &DescribeRequest,
    speaks: Speaks,
) -> Result<(), Refusal> {
    let mut unfit: Vec<NodeName> = Vec::new();
    // Each round but the last puts at least one node aside.
    loop {
        let (candidates, must) = match members.better(Guest::Reader, &unfit) {
            Better::Offer { candidates, must } => (candidates, must || room != Room::Left),
            Better::Stay if room == Room::Left => return Ok(()),
            Better::Stay => (members.choose(Guest::Reader, &unfit), true),
        };
        let there = |(_, node): &&(NodeName, NodeRecord)| !speaks.address(node).is_empty();
        if let Some((_, node)) = candidates.iter().find(there) {
            return Err(Refusal::Moved(url(speaks, speaks.address(node), request)));
        }
        if candidates.is_empty() {
            return match room {
                _ if !must => Ok(()),
                Room::Draining => Err(Refusal::Unavailable(TRY_AGAIN)),
                _ if members.own().draining => Err(Refusal::Unavailable(TRY_AGAIN)),
                Room::Left | Room::Full => Err(Refusal::Full),
            };
        }
        unfit.extend(candidates.into_iter().map(|(name, _)| name));
    }
}

/// The same stream at another address: no track, the query kept. Names need no escaping.
fn url(speaks: Speaks, address: &str, request: &DescribeRequest) -> String {
    let (stream, authority) = (request.stream.as_str(), authority(address));
    let url = match speaks {
        Speaks::Rtsp => format!("rtsp://{authority}/{stream}"),
        Speaks::Whep => format!("http://{authority}/{stream}/whep"),
        Speaks::Hls => format!("http://{authority}/{stream}/index.m3u8"),
    };
    match &request.query {
        Some(query) => format!("{url}?{query}"),
        None => url,
    }
}

/// `host:port` as URLs write it: an IPv6 address in brackets (RFC 3986 §3.2.2).
fn authority(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
