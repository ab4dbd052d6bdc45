//! RTP header extensions in their one-byte and two-byte forms (RFC 8285 §4.2, §4.3), and the one we read ourselves:
//! abs-capture-time. Which id means which extension is agreed in SDP, elsewhere.

/// One header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The id agreed on in SDP.
    pub id: u8,
    /// Its bytes.
    pub data: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
enum Form {
    OneByte,
    TwoByte,
}

/// The extensions of one packet; ends at the first that does not fit.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    form: Form,
    rest: &'a [u8],
}

impl<'a> Extensions<'a> {
    pub(crate) fn none() -> Self {
        Self::new(0, &[])
    }

    pub(crate) fn new(profile: u16, rest: &'a [u8]) -> Self {
        match profile {
            0xbede => Self {
                form: Form::OneByte,
                rest,
            },
            // The low four bits are "appbits" (RFC 8285 §4.3).
            0x1000..=0x100f => Self {
                form: Form::TwoByte,
                rest,
            },
            _ => Self {
                form: Form::OneByte,
                rest: &[],
            },
        }
    }

    /// The first extension with this id.
    #[must_use]
    pub fn find(mut self, id: u8) -> Option<&'a [u8]> {
        self.find_map(|e| (e.id == id).then_some(e.data))
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                // One byte of padding, in both forms.
                self.rest = rest;
                continue;
            }
            let (id, len, rest) = match self.form {
                // Id 15 is reserved: stop reading (RFC 8285 §4.2).
                Form::OneByte if first >> 4 == 15 => (0, usize::MAX, rest),
                Form::OneByte => (first >> 4, usize::from(first & 0x0f) + 1, rest),
                Form::TwoByte => {
                    let (&len, rest) = rest.split_first().unwrap_or((&0xff, &[]));
                    (first, usize::from(len), rest)
                }
            };
            let Some((data, rest)) = rest.split_at_checked(len) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            return Some(Extension { id, data });
        }
    }
}

/// `http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsCaptureTime {
    /// When the packet's first frame was captured, NTP 64 bits of the capturer's clock.
    pub capture: u64,
    /// The capturer's clock minus the sender's, signed 32.32 fixed point seconds, where given.
    pub offset: Option<i64>,
}

impl AbsCaptureTime {
    /// Reads the extension's 8 or 16 bytes; `None` for any other length.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (capture, rest) = data.split_first_chunk::<8>()?;
        let offset = match rest.len() {
            0 => None,
            _ => Some(i64::from_be_bytes(rest.try_into().ok()?)),
        };
        Some(Self {
            capture: u64::from_be_bytes(*capture),
            offset,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(profile: u16, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Extensions::new(profile, bytes)
            .map(|e| (e.id, e.data.to_vec()))
            .collect()
    }

    #[test]
    fn both_forms_are_read_and_padding_is_skipped() {
        assert_eq!(
            all(0xbede, &[0x10, 1, 0, 0x21, 2, 3, 0]),
            [(1, vec![1]), (2, vec![2, 3])]
        );
        assert_eq!(
            all(0x1003, &[7, 0, 0, 9, 2, 4, 5]),
            [(7, vec![]), (9, vec![4, 5])]
        );
        assert_eq!(all(0xabac, &[0x10, 1]), []);
    }

    #[test]
    fn an_extension_that_does_not_fit_ends_the_list() {
        assert_eq!(all(0xbede, &[0x10, 1, 0x2f, 2]), [(1, vec![1])]);
        assert_eq!(all(0xbede, &[0xf0, 1, 0x10, 1]), []);
        assert_eq!(all(0x1000, &[1, 5, 0]), []);
        assert_eq!(all(0x1000, &[1]), []);
    }

    #[test]
    fn abs_capture_time_has_eight_or_sixteen_bytes() {
        let mut bytes = 5_u64.to_be_bytes().to_vec();
        assert_eq!(
            AbsCaptureTime::parse(&bytes),
            Some(AbsCaptureTime {
                capture: 5,
                offset: None
            })
        );
        bytes.extend_from_slice(&(-2_i64).to_be_bytes());
        assert_eq!(AbsCaptureTime::parse(&bytes).unwrap().offset, Some(-2));
        assert_eq!(AbsCaptureTime::parse(&bytes[..12]), None);
        assert_eq!(AbsCaptureTime::parse(&[]), None);
    }
}
