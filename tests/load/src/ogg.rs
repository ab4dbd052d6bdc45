//! Opus packets out of an Ogg file (RFC 3533, RFC 7845). Checksums are not checked: the file is our own.

use anyhow::{Result, ensure};

/// The audio packets, without the two header packets.
///
/// # Errors
/// When the bytes are no Ogg file.
pub(crate) fn packets(mut file: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut packets = vec![Vec::new()];
    while !file.is_empty() {
        ensure!(
            file.starts_with(b"OggS") && file.len() >= 27,
            "not an Ogg file: remove it, it will be made again"
        );
        let segments = usize::from(file[26]);
        ensure!(file.len() >= 27 + segments, "an Ogg page without its table");
        let (table, mut data) = file[27..].split_at(segments);
        for length in table {
            ensure!(data.len() >= usize::from(*length), "an Ogg page cut short");
            let (segment, rest) = data.split_at(usize::from(*length));
            data = rest;
            if let Some(packet) = packets.last_mut() {
                packet.extend_from_slice(segment);
            }
            // A segment of 255 bytes goes on in the next.
            if *length < 255 {
                packets.push(Vec::new());
            }
        }
        file = data;
    }
    packets.pop();
    Ok(packets.split_off(packets.len().min(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_put_together_from_segments_and_headers_are_left_out() {
        let mut page = b"OggS".to_vec();
        page.extend([0; 22]);
        page.extend([5, 1, 1, 2, 255, 3]);
        page.extend([9, 9, 1, 2]);
        page.extend([5; 258]);
        assert_eq!(packets(&page).unwrap(), [vec![1, 2], vec![5; 258]]);
        assert!(packets(b"RIFF").is_err());
        assert!(packets(&page[..60]).is_err());
    }
}
