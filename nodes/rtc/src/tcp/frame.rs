//! Packets on a TCP connection (RFC 4571 §2): the length in 16 bits, then the packet.
//! What a packet is comes out as on UDP, in the demultiplexer.

/// Bytes before each packet.
pub(crate) const HEADER: usize = 2;
/// Longest packet taken. Real ones fit an Ethernet frame; whoever announces more speaks something else.
pub(crate) const LONGEST: usize = 4096;

/// The announced packet is longer than any that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The first packet in `bytes`; `None` while it is not there yet. It ends at `HEADER + packet.len()`.
///
/// # Errors
/// [`TooLong`], as soon as the length is there.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<&[u8]>, TooLong> {
    let Some((length, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > LONGEST {
        return Err(TooLong);
    }
    Ok(rest.get(..length))
}

/// What goes before a packet; `None` for one that cannot be framed.
pub(crate) fn header(packet: &[u8]) -> Option<[u8; HEADER]> {
    u16::try_from(packet.len()).ok().map(u16::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in_however_the_stream_is_cut() {
        let packets: [&[u8]; 4] = [b"one", b"", &[7; LONGEST], b"four"];
        let mut stream = Vec::new();
        for packet in packets {
            stream.extend(header(packet).expect("short"));
            stream.extend(packet);
        }
        for step in [1, 2, 3, 1000, stream.len()] {
            let (mut seen, mut buffer) = (Vec::new(), Vec::new());
            for piece in stream.chunks(step) {
                buffer.extend(piece);
                while let Some(packet) = first(&buffer).expect("none too long") {
                    seen.push(packet.to_vec());
                    let end = HEADER + packet.len();
                    buffer.drain(..end);
                }
            }
            assert!(buffer.is_empty() && seen == packets, "step {step}");
        }
    }

    #[test]
    fn a_length_that_no_packet_has_is_refused_before_anything_is_read() {
        assert_eq!(first(&[0x10, 0x01]), Err(TooLong));
        assert_eq!(first(b"GET / HTTP/1.1"), Err(TooLong));
        assert_eq!(first(&[0x10]), Ok(None));
        assert_eq!(header(&[0; 65_536]), None);
    }
}
