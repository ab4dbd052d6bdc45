//! Where a newcomer is to read: here, or at a less full node among those seen, or nowhere (design §8).
//! How a node is chosen among the others is the bus's rule; what a client is answered is the RTSP server's.

use crate::hub::TRY_AGAIN;
use weft_bus::Members;
use weft_rtsp_server::{DescribeRequest, Refusal};
use weft_wire::{Guest, NodeName};

/// From this fullness on a newcomer is handed to a less full node, if there is one below it
const SOFT: f64 = 0.8;
/// that is less full by so much.
const LESS: f64 = 0.1;

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

/// Ok: here. `room` is what the egress itself knows; the node's record may know more (bits per second, draining).
pub(crate) fn place(members: &Members, room: Room, request: &DescribeRequest) -> Result<(), Refusal> {
    let own = members.own();
    let fullness = own.fullness(Guest::Reader);
    let room = match room {
        Room::Left if own.draining => Room::Draining,
        Room::Left if fullness >= 1.0 => Room::Full,
        room => room,
    };
    if room == Room::Left && fullness < SOFT {
        return Ok(());
    }
    // A node that is only filling up hands on to nodes that will keep what they get: two of them never play ball.
    let fits = |other: f64| room != Room::Left || (other < SOFT && other + LESS <= fullness);
    match (elsewhere(members), room) {
        (Some((address, other)), _) if fits(other) => Err(Refusal::Moved(url(&address, request))),
        (_, Room::Left) => Ok(()),
        (_, Room::Full) => Err(Refusal::Full),
        (_, Room::Draining) => Err(Refusal::Unavailable(TRY_AGAIN)),
    }
}

/// The RTSP address and fullness of another node that takes readers.
fn elsewhere(members: &Members) -> Option<(String, f64)> {
    let mut unfit: Vec<NodeName> = Vec::new();
    // Each round but the last puts at least one node aside.
    loop {
        let chosen = members.choose(Guest::Reader, &unfit);
        if chosen.is_empty() {
            return None;
        }
        for (name, record) in chosen {
            if !record.addresses.rtsp.is_empty() {
                return Some((record.addresses.rtsp.clone(), record.fullness(Guest::Reader)));
            }
            unfit.push(name);
        }
    }
}

/// The same stream at another address: no track, the query kept. Names need no escaping.
fn url(address: &str, request: &DescribeRequest) -> String {
    let (stream, authority) = (request.stream.as_str(), authority(address));
    match &request.query {
        Some(query) => format!("rtsp://{authority}/{stream}?{query}"),
        None => format!("rtsp://{authority}/{stream}"),
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
