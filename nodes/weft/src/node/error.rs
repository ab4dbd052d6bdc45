//! Why a node cannot start or go on, in sentences that name the key or flag to change.
//! What goes wrong in a single session is that session's business.

use std::io;
use std::net::SocketAddr;

/// A node could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port cannot be had.
    #[error("{}", bind_sentence(protocol, *address, key, flag, source))]
    Bind {
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// The configuration key that names it.
        key: &'static str,
        /// The flag that replaces the key.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The role needs NATS and no server is named.
    #[error(
        "weft {0} meets the other nodes on NATS; name a server: --nats nats://host:4222, or fabric.nats.servers"
    )]
    NoNats(&'static str),
    /// A file of the configuration cannot be read.
    #[error("{key}: cannot read {path}: {source}")]
    File {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another live run has this node's name, or the table of nodes refused it.
    #[error(transparent)]
    Lease(#[from] weft_bus::LeaseError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] weft_config::Error),
    /// The bus refused this node.
    #[error(transparent)]
    Bus(#[from] weft_bus::Error),
    /// A port's certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] weft_tls::Error),
    /// The WebRTC side cannot start.
    #[error(transparent)]
    Rtc(weft_rtc::Error),
    /// The RTSP side cannot start.
    #[error(transparent)]
    Rtsp(weft_rtsp_server::Error),
}

fn bind_sentence(protocol: &str, address: SocketAddr, key: &str, flag: &str, source: &io::Error) -> String {
    let port = address.port();
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{protocol} port {port} ({key}) is in use; end the program that has it, or choose another port with {flag} :PORT or {key}"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "{protocol} port {port} ({key}) needs rights this process does not have; choose one above 1023 with {flag} :PORT or {key}"
        ),
        _ => format!(
            "cannot listen on {protocol} {address} ({key}): {source}; change it with {flag} ADDRESS or {key}"
        ),
    }
}

impl From<weft_rtc::Error> for StartError {
    fn from(error: weft_rtc::Error) -> Self {
        match error {
            weft_rtc::Error::Bind {
                protocol,
                address,
                source,
            } => Self::Bind {
                protocol,
                address,
                key: if protocol == "TCP" {
                    "webrtcLocalTCPAddress"
                } else {
                    "webrtcLocalUDPAddress"
                },
                flag: if protocol == "TCP" { "--ice-tcp" } else { "--ice" },
                source,
            },
            other => Self::Rtc(other),
        }
    }
}

impl From<weft_rtsp_server::Error> for StartError {
    fn from(error: weft_rtsp_server::Error) -> Self {
        let weft_rtsp_server::Error::Bind {
            purpose,
            address,
            source,
        } = error
        else {
            return Self::Rtsp(error);
        };
        let (protocol, key, flag) = match purpose {
            "RTSPS" => ("TCP", "rtspsAddress", "--config"),
            "RTP" => ("UDP", "rtpAddress", "--rtp"),
            "RTCP" => ("UDP", "rtcpAddress", "--rtcp"),
            _ => ("TCP", "rtspAddress", "--rtsp"),
        };
        Self::Bind {
            protocol,
            address,
            key,
            flag,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_the_key_and_the_flag_to_change() {
        let error = StartError::from(weft_rtc::Error::Bind {
            protocol: "UDP",
            address: "0.0.0.0:8189".parse().unwrap(),
            source: io::Error::from(io::ErrorKind::AddrInUse),
        });
        assert_eq!(
            error.to_string(),
            "UDP port 8189 (webrtcLocalUDPAddress) is in use; end the program that has it, or choose another port with \
             --ice :PORT or webrtcLocalUDPAddress"
        );
    }
}
