//! STUN (RFC 8489) as far as the door needs it: whose check this is, and whether it really is theirs.
//! Everything ICE does with a check is the core's business; what fails here never reaches it.

use rtc::crypto::RTCCrypto;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::Message;

/// Transaction id.
pub(crate) type Transaction = [u8; 12];

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const USERNAME: u16 = 0x0006;
const USE_CANDIDATE: u16 = 0x0025;

/// What a STUN datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A connectivity check.
    Request,
    /// The answer to one of ours.
    Success,
    /// Error responses and indications.
    Other,
}

/// The header of a binding message, if `datagram` has one.
pub(crate) fn header(datagram: &[u8]) -> Option<(Class, Transaction)> {
    let header: &[u8; HEADER] = datagram.first_chunk()?;
    if header[4..8] != COOKIE {
        return None;
    }
    let class = match [header[0], header[1]] {
        [0x00, 0x01] => Class::Request,
        [0x01, 0x01] => Class::Success,
        _ => Class::Other,
    };
    let mut transaction = Transaction::default();
    transaction.copy_from_slice(&header[8..]);
    Some((class, transaction))
}

/// The attributes in order; stops at the first that does not fit.
fn attributes(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = tail.get(..len)?;
        rest = tail.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The user fragment of ours that a check is for: the part of USERNAME before the colon (RFC 8445 §7.2.2).
pub(crate) fn our_ufrag(datagram: &[u8]) -> Option<&str> {
    let (_, username) = attributes(datagram).find(|(kind, _)| *kind == USERNAME)?;
    std::str::from_utf8(username)
        .ok()?
        .split_once(':')
        .map(|(ours, _)| ours)
}

/// True when the check nominates its pair (RFC 8445 §7.1.2).
pub(crate) fn nominates(datagram: &[u8]) -> bool {
    attributes(datagram).any(|(kind, _)| kind == USE_CANDIDATE)
}

/// True when MESSAGE-INTEGRITY was made with `password`.
pub(crate) fn is_authentic(datagram: &[u8], password: &str, crypto: &dyn RTCCrypto) -> bool {
    let mut message = Message {
        raw: datagram.to_vec(),
        ..Message::default()
    };
    message.decode().is_ok() && MessageIntegrity::check(&mut message, password.as_bytes(), crypto).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::stun::attributes::ATTR_USERNAME;
    use rtc::stun::message::{BINDING_REQUEST, TransactionId};
    use rtc::stun::textattrs::TextAttribute;

    fn check(password: &str) -> Vec<u8> {
        let provider = rtc::crypto::default_provider().expect("a provider");
        let mut m = Message::new();
        m.build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId([7; 12])),
            Box::new(TextAttribute::new(ATTR_USERNAME, "ours:theirs".into())),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                password.into(),
                provider.crypto(),
            )),
        ])
        .expect("built");
        m.raw
    }

    #[test]
    fn a_check_is_known_by_its_user_and_proved_by_its_password() {
        let provider = rtc::crypto::default_provider().expect("a provider");
        let datagram = check("secret");
        assert_eq!(header(&datagram), Some((Class::Request, [7; 12])));
        assert_eq!(our_ufrag(&datagram), Some("ours"));
        assert!(!nominates(&datagram));
        assert!(is_authentic(&datagram, "secret", provider.crypto()));
        assert!(!is_authentic(&datagram, "other", provider.crypto()));
    }

    #[test]
    fn truncated_checks_are_nothing_and_never_panic() {
        let provider = rtc::crypto::default_provider().expect("a provider");
        let datagram = check("secret");
        for end in 0..datagram.len() {
            let cut = &datagram[..end];
            assert!(!is_authentic(cut, "secret", provider.crypto()));
            let _ufrag = our_ufrag(cut);
            assert_eq!(header(cut).is_some(), end >= HEADER);
        }
    }
}
