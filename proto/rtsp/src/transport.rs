//! The `Transport` header (RFC 2326 §12.39): what a client offers, what is chosen of it, how the answer is written.
//! `destination` is never read: packets go to the RTSP peer's own address and nowhere else.

use std::fmt;

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lower {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// Datagrams to two ports.
    Udp,
}

/// One element of a client's `Transport` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportOffer {
    /// TCP or UDP.
    pub lower: Lower,
    /// `multicast` was asked for.
    pub multicast: bool,
    /// `mode` names something other than play.
    pub record: bool,
    /// Channels for RTP and RTCP.
    pub interleaved: Option<(u8, u8)>,
    /// Ports for RTP and RTCP.
    pub client_port: Option<(u16, u16)>,
}

/// Which transports are open to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Interleaved.
    pub tcp: bool,
    /// Datagrams.
    pub udp: bool,
}

/// The server's RTP and RTCP ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerPorts {
    /// RTP.
    pub rtp: u16,
    /// RTCP.
    pub rtcp: u16,
}

/// The transport of a track, agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Interleaved on these channels.
    Tcp {
        /// Channel of RTP.
        rtp: u8,
        /// Channel of RTCP.
        rtcp: u8,
    },
    /// Datagrams to these ports of the peer.
    Udp {
        /// The client's port for RTP.
        rtp: u16,
        /// The client's port for RTCP.
        rtcp: u16,
    },
}

impl Chosen {
    /// TCP or UDP.
    #[must_use]
    pub fn lower(self) -> Lower {
        match self {
            Self::Tcp { .. } => Lower::Tcp,
            Self::Udp { .. } => Lower::Udp,
        }
    }

    /// The value of `Transport` in the answer to SETUP.
    #[must_use]
    pub fn reply(self, server: Option<ServerPorts>, ssrc: Option<u32>) -> String {
        let mut out = match self {
            Self::Tcp { rtp, rtcp } => format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"),
            Self::Udp { rtp, rtcp } => format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}"),
        };
        if let (Self::Udp { .. }, Some(ports)) = (self, server) {
            out += &format!(";server_port={}-{}", ports.rtp, ports.rtcp);
        }
        if let Some(ssrc) = ssrc {
            out += &format!(";ssrc={ssrc:08X}");
        }
        out
    }
}

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// The offers in a `Transport` header, in the client's order; those of other profiles or with broken numbers are left out.
#[must_use]
pub fn parse_transports(header: &str) -> Vec<TransportOffer> {
    split_unquoted(header, b',').filter_map(parse_offer).collect()
}

/// The first offer that is open and usable; channels of a TCP offer that names none, or names one that `taken` holds, are
/// the lowest free pair.
#[must_use]
pub fn choose(offers: &[TransportOffer], allowed: Allowed, taken: &[Chosen]) -> Option<Chosen> {
    offers
        .iter()
        .filter(|o| !o.multicast && !o.record)
        .find_map(|o| match o.lower {
            Lower::Tcp if allowed.tcp => {
                let free = |pair: &(u8, u8)| {
                    pair.0 != pair.1 && !taken.iter().any(|t| t.uses(pair.0) || t.uses(pair.1))
                };
                let lowest = || (0..=127).map(|n| (2 * n, 2 * n + 1)).find(free);
                let (rtp, rtcp) = o.interleaved.filter(free).or_else(lowest)?;
                Some(Chosen::Tcp { rtp, rtcp })
            }
            Lower::Udp if allowed.udp => o.client_port.map(|(rtp, rtcp)| Chosen::Udp { rtp, rtcp }),
            _ => None,
        })
}

impl Chosen {
    fn uses(self, channel: u8) -> bool {
        matches!(self, Self::Tcp { rtp, rtcp } if rtp == channel || rtcp == channel)
    }
}

fn parse_offer(text: &str) -> Option<TransportOffer> {
    let mut parts = split_unquoted(text, b';').map(str::trim);
    let lower = match parts.next()?.to_ascii_uppercase().as_str() {
        "RTP/AVP/TCP" => Lower::Tcp,
        "RTP/AVP" | "RTP/AVP/UDP" => Lower::Udp,
        _ => return None,
    };
    let mut offer = TransportOffer {
        lower,
        multicast: false,
        record: false,
        interleaved: None,
        client_port: None,
    };
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "multicast" => offer.multicast = true,
            "interleaved" => offer.interleaved = Some(pair(value, 1_u8, u8::checked_add)?),
            "client_port" => {
                let ports = pair(value, 1_u16, u16::checked_add)?;
                if ports.0 == 0 || ports.1 == 0 {
                    return None;
                }
                offer.client_port = Some(ports);
            }
            "mode" => offer.record = !value.trim_matches('"').eq_ignore_ascii_case("play"),
            _ => {}
        }
    }
    Some(offer)
}

/// `a-b`, or `a` for `a` and the one after it.
fn pair<T: std::str::FromStr + Copy>(text: &str, one: T, add: fn(T, T) -> Option<T>) -> Option<(T, T)> {
    match text.trim().split_once('-') {
        Some((a, b)) => Some((a.trim().parse().ok()?, b.trim().parse().ok()?)),
        None => {
            let a = text.trim().parse().ok()?;
            Some((a, add(a, one)?))
        }
    }
}

fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut quoted = false;
        let at = text.bytes().position(|b| {
            quoted ^= b == b'"';
            b == separator && !quoted
        });
        rest = at.map(|at| &text[at + 1..]);
        Some(&text[..at.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Allowed = Allowed { tcp: true, udp: true };
    const TCP: Allowed = Allowed {
        tcp: true,
        udp: false,
    };

    #[test]
    fn the_first_usable_offer_in_the_clients_order_is_chosen() {
        // GStreamer's list, in one header.
        let gst =
            "RTP/AVP;unicast;client_port=50000-50001,RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1";
        let offers = parse_transports(gst);
        assert_eq!(offers.len(), 3);
        assert_eq!(
            choose(&offers, BOTH, &[]),
            Some(Chosen::Udp {
                rtp: 50000,
                rtcp: 50001
            })
        );
        assert_eq!(choose(&offers, TCP, &[]), Some(Chosen::Tcp { rtp: 0, rtcp: 1 }));
        assert_eq!(choose(&parse_transports("RTP/AVP;multicast"), BOTH, &[]), None);
        assert_eq!(
            choose(&parse_transports("RTP/AVP;unicast"), BOTH, &[]),
            None,
            "no ports"
        );
    }

    #[test]
    fn channels_are_the_clients_unless_they_are_taken() {
        let offers = parse_transports("RTP/AVP/TCP;interleaved=4-5");
        assert_eq!(choose(&offers, TCP, &[]), Some(Chosen::Tcp { rtp: 4, rtcp: 5 }));
        let taken = [Chosen::Tcp { rtp: 4, rtcp: 5 }, Chosen::Tcp { rtp: 0, rtcp: 1 }];
        assert_eq!(
            choose(&offers, TCP, &taken),
            Some(Chosen::Tcp { rtp: 2, rtcp: 3 })
        );
        assert_eq!(
            choose(&parse_transports("rtp/avp/tcp;unicast"), TCP, &[]),
            Some(Chosen::Tcp { rtp: 0, rtcp: 1 })
        );
        assert_eq!(
            choose(&parse_transports("RTP/AVP/TCP;interleaved=7"), TCP, &[]),
            Some(Chosen::Tcp { rtp: 7, rtcp: 8 })
        );
    }

    #[test]
    fn a_destination_changes_nothing_and_record_is_not_play() {
        let plain = parse_transports("RTP/AVP;unicast;client_port=9000-9001;mode=\"PLAY\"");
        let spoofed =
            parse_transports("RTP/AVP;unicast;destination=10.0.0.1;client_port=9000-9001;mode=play");
        assert_eq!(plain, spoofed);
        let record = parse_transports("RTP/AVP;unicast;client_port=9000-9001;mode=record");
        assert_eq!(choose(&record, BOTH, &[]), None);
    }

    #[test]
    fn broken_offers_are_left_out() {
        for bad in [
            "",
            "RTP/SAVP;unicast;client_port=1000-1001",
            "RTP/AVP;client_port=x-y",
            "RTP/AVP;client_port=0-1",
            "RTP/AVP;client_port=65535",
            "RTP/AVP;client_port=70000-70001",
            "RTP/AVP/TCP;interleaved=256-257",
            "RTP/AVP/TCP;interleaved=255",
        ] {
            assert_eq!(parse_transports(bad), [], "{bad}");
        }
        assert_eq!(
            parse_transports("x\",\"y,RTP/AVP/TCP").len(),
            1,
            "a quoted comma splits nothing"
        );
    }

    #[test]
    fn the_answer_names_ports_and_ssrc_where_known() {
        let ports = ServerPorts {
            rtp: 8000,
            rtcp: 8001,
        };
        let udp = Chosen::Udp {
            rtp: 5000,
            rtcp: 5001,
        };
        assert_eq!(
            udp.reply(Some(ports), Some(0xabc)),
            "RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=00000ABC"
        );
        let tcp = Chosen::Tcp { rtp: 0, rtcp: 1 };
        assert_eq!(
            tcp.reply(Some(ports), None),
            "RTP/AVP/TCP;unicast;interleaved=0-1"
        );
    }
}
