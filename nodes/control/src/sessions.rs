//! Publishers, readers and RTSP connections of all nodes with MediaMTX's fields (its deprecated ones included) and the node.
//! Queries come without secrets already: who reports leaves them out.

use crate::fabric::{Connection, Session};
use crate::rfc3339;
use schemars::JsonSchema;
use serde::Serialize;
use weft_wire::{PublisherReport, SessionDetail, StreamName};

/// What all sessions have, from either side of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Common {
    /// UUID.
    id: String,
    /// RFC 3339.
    created: String,
    /// `ip:port`; empty for a publisher whose media has not come yet.
    remote_addr: String,
    /// `publish`, `read`, or `idle` before PLAY.
    state: &'static str,
    /// The stream.
    path: String,
    /// What followed `?` in its URL; secrets are redacted.
    query: String,
    /// As whom it was let in; empty where nobody need be anybody.
    user: String,
    user_agent: String,
    /// The node that has it. Ours.
    node: String,
    #[serde(flatten)]
    flow: Flow,
}

/// Counts of packets and bytes, by today's names and by the former ones.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Flow {
    inbound_bytes: u64,
    #[serde(rename = "inboundRTPPackets")]
    inbound_rtp_packets: u64,
    #[serde(rename = "inboundRTPPacketsLost")]
    inbound_rtp_packets_lost: u64,
    /// Seconds.
    #[serde(rename = "inboundRTPPacketsJitter")]
    inbound_rtp_packets_jitter: f64,
    #[serde(rename = "inboundRTCPPackets")]
    inbound_rtcp_packets: u64,
    outbound_bytes: u64,
    #[serde(rename = "outboundRTPPackets")]
    outbound_rtp_packets: u64,
    #[serde(rename = "outboundRTCPPackets")]
    outbound_rtcp_packets: u64,
    #[schemars(extend("deprecated" = true))]
    bytes_received: u64,
    #[schemars(extend("deprecated" = true))]
    bytes_sent: u64,
    #[schemars(extend("deprecated" = true))]
    rtp_packets_received: u64,
    #[schemars(extend("deprecated" = true))]
    rtp_packets_sent: u64,
    #[schemars(extend("deprecated" = true))]
    rtp_packets_lost: u64,
    #[schemars(extend("deprecated" = true))]
    rtp_packets_jitter: f64,
    #[schemars(extend("deprecated" = true))]
    rtcp_packets_received: u64,
    #[schemars(extend("deprecated" = true))]
    rtcp_packets_sent: u64,
}

/// A publisher or reader over WebRTC.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "WebRTCSession")]
pub(crate) struct WebRtcSession {
    #[serde(flatten)]
    common: Common,
    /// ICE and DTLS are done.
    peer_connection_established: bool,
    /// As `host/udp/192.0.2.1/8189`; empty before there is one.
    local_candidate: String,
    /// The same of the peer.
    remote_candidate: String,
    outbound_frames_discarded: u64,
}

/// A reader over RTSP.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RTSPSession")]
pub(crate) struct RtspSession {
    #[serde(flatten)]
    common: Common,
    /// `TCP`, `UDP`, or null where it is not known.
    transport: Option<String>,
    /// `AVP`, or null where the transport is not known.
    profile: Option<&'static str>,
    /// Its connections' ids.
    conns: Vec<String>,
    #[serde(rename = "inboundRTPPacketsInError")]
    inbound_rtp_packets_in_error: u64,
    #[serde(rename = "inboundRTCPPacketsInError")]
    inbound_rtcp_packets_in_error: u64,
    /// By its own receiver reports.
    #[serde(rename = "outboundRTPPacketsReportedLost")]
    outbound_rtp_packets_reported_lost: u64,
    /// Kept from it because it was too slow.
    #[serde(rename = "outboundRTPPacketsDiscarded")]
    outbound_rtp_packets_discarded: u64,
    #[schemars(extend("deprecated" = true))]
    rtp_packets_in_error: u64,
    #[schemars(extend("deprecated" = true))]
    rtcp_packets_in_error: u64,
}

/// An RTSP connection.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RTSPConn")]
pub(crate) struct RtspConn {
    /// UUID.
    id: String,
    /// RFC 3339.
    created: String,
    /// `ip:port`.
    remote_addr: String,
    /// The session on it, or null.
    session: Option<String>,
    /// `none`: there are no tunnels yet.
    tunnel: &'static str,
    /// The node that has it. Ours.
    node: String,
    inbound_bytes: u64,
    outbound_bytes: u64,
    #[schemars(extend("deprecated" = true))]
    bytes_received: u64,
    #[schemars(extend("deprecated" = true))]
    bytes_sent: u64,
}

/// What differs between the sides of a stream.
struct Side<'a> {
    created: i64,
    remote: &'a str,
    state: &'static str,
    path: &'a StreamName,
    /// Bytes, packets, packets lost.
    inbound: (u64, u64, u64),
    /// Bytes, packets.
    outbound: (u64, u64),
    detail: &'a SessionDetail,
}

impl<'a> Side<'a> {
    fn of(session: &Session<'a>) -> Self {
        match *session {
            Session::Publisher(
                _,
                PublisherReport {
                    stream,
                    info,
                    created,
                    detail,
                },
            ) => Self {
                created: *created,
                remote: &info.remote,
                state: "publish",
                path: stream,
                inbound: (info.inbound_bytes, info.inbound_packets, info.packets_lost),
                outbound: (0, 0),
                detail,
            },
            Session::Reader(_, stream, reader) | Session::Idle(_, stream, reader) => Self {
                created: reader.since,
                remote: &reader.remote,
                state: match session {
                    // One over WebRTC has no state before it reads.
                    Session::Idle(..) if reader.kind != "webRTCSession" => "idle",
                    _ => "read",
                },
                path: stream,
                inbound: (0, 0, 0),
                outbound: (reader.bytes, reader.packets),
                detail: &reader.detail,
            },
        }
    }
}

impl Common {
    fn of(session: &Session<'_>, side: &Side<'_>) -> Self {
        let detail = side.detail;
        Self {
            id: session.id().to_string(),
            created: rfc3339::from_micros(side.created),
            remote_addr: side.remote.to_owned(),
            state: side.state,
            path: side.path.to_string(),
            query: detail.query.clone(),
            user: detail.user.clone(),
            user_agent: detail.user_agent.clone(),
            node: session.node().to_string(),
            flow: Flow::of(side),
        }
    }
}

impl Flow {
    fn of(side: &Side<'_>) -> Self {
        let ((in_bytes, in_packets, lost), (out_bytes, out_packets)) = (side.inbound, side.outbound);
        let detail = side.detail;
        // A jitter of more than 2^53 µs would be 285 years.
        let jitter = detail.jitter_us as f64 / 1e6;
        Self {
            inbound_bytes: in_bytes,
            inbound_rtp_packets: in_packets,
            inbound_rtp_packets_lost: lost,
            inbound_rtp_packets_jitter: jitter,
            inbound_rtcp_packets: detail.rtcp_received,
            outbound_bytes: out_bytes,
            outbound_rtp_packets: out_packets,
            outbound_rtcp_packets: detail.rtcp_sent,
            bytes_received: in_bytes,
            bytes_sent: out_bytes,
            rtp_packets_received: in_packets,
            rtp_packets_sent: out_packets,
            rtp_packets_lost: lost,
            rtp_packets_jitter: jitter,
            rtcp_packets_received: detail.rtcp_received,
            rtcp_packets_sent: detail.rtcp_sent,
        }
    }
}

impl WebRtcSession {
    pub(crate) fn new(session: &Session<'_>) -> Self {
        let side = Side::of(session);
        let detail = side.detail;
        Self {
            common: Common::of(session, &side),
            // The peer's address is known once ICE and DTLS are done.
            peer_connection_established: !side.remote.is_empty(),
            local_candidate: candidate("host", detail, &detail.local),
            // A publisher's own candidates are behind names that nobody can look up, or behind a router: what arrives is
            // peer-reflexive (RFC 8445 §7.3.1.3).
            remote_candidate: candidate("prflx", detail, side.remote),
            outbound_frames_discarded: detail.discarded,
        }
    }
}

impl RtspSession {
    pub(crate) fn new(session: &Session<'_>) -> Self {
        let side = Side::of(session);
        let detail = side.detail;
        let transport = Some(&detail.transport).filter(|word| !word.is_empty());
        Self {
            common: Common::of(session, &side),
            profile: transport.map(|_| "AVP"),
            transport: transport.cloned(),
            conns: detail.connection.iter().map(ToString::to_string).collect(),
            inbound_rtp_packets_in_error: 0,
            inbound_rtcp_packets_in_error: 0,
            outbound_rtp_packets_reported_lost: detail.reported_lost,
            outbound_rtp_packets_discarded: detail.discarded,
            rtp_packets_in_error: 0,
            rtcp_packets_in_error: 0,
        }
    }
}

impl RtspConn {
    pub(crate) fn new(connection: &Connection<'_>) -> Self {
        let Connection { node, report } = connection;
        Self {
            id: report.id.to_string(),
            created: rfc3339::from_micros(report.created),
            remote_addr: report.remote.clone(),
            session: report.session.map(|session| session.to_string()),
            tunnel: "none",
            node: node.to_string(),
            inbound_bytes: report.bytes_received,
            outbound_bytes: report.bytes_sent,
            bytes_received: report.bytes_received,
            bytes_sent: report.bytes_sent,
        }
    }
}

/// `ip:port` in MediaMTX's form. A node that does not say by which transport takes UDP only.
fn candidate(kind: &str, detail: &SessionDetail, address: &str) -> String {
    let tcp = detail.transport.eq_ignore_ascii_case("tcp");
    let transport = if tcp { "tcp" } else { "udp" };
    match address.rsplit_once(':') {
        Some((ip, port)) => format!("{kind}/{transport}/{}/{port}", ip.trim_matches(['[', ']'])),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_written_with_its_transport_and_an_ipv6_address_without_brackets() {
        let by = |transport: &str| SessionDetail {
            transport: transport.to_owned(),
            ..SessionDetail::default()
        };
        for (transport, address, written) in [
            ("TCP", "192.0.2.1:8189", "host/tcp/192.0.2.1/8189"),
            ("UDP", "[2001:db8::1]:8189", "host/udp/2001:db8::1/8189"),
            ("", "192.0.2.1:8189", "host/udp/192.0.2.1/8189"),
            ("TCP", "", ""),
        ] {
            assert_eq!(candidate("host", &by(transport), address), written);
        }
    }
}
