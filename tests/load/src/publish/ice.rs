//! The ICE of a publisher: it controls, has one socket and asks each candidate until one answers (RFC 8445 with one component).
//! Answers are matched by their transaction; whom they come from is no matter between one's own machines.

use super::offer::Credentials;
use anyhow::Result;
use rtc::crypto::RTCCrypto;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc::stun::xoraddr::XorMappedAddress;
use std::net::SocketAddr;

/// Of a host candidate (RFC 8445 section 5.1.2.1).
const PRIORITY: u32 = 0x6eff_ffff;

/// Number of a check.
pub(super) type Transaction = [u8; 12];

/// A check for the server; `nominate` makes the pair the one that is used.
pub(super) fn check(
    ours: &Credentials,
    theirs: &Credentials,
    nominate: bool,
    crypto: &dyn RTCCrypto,
) -> Result<(Transaction, Vec<u8>)> {
    let mut message = Message::new();
    message.set_type(BINDING_REQUEST);
    let transaction = TransactionId(rand::random());
    transaction.add_to(&mut message)?;
    message.write_header();
    let user = format!("{}:{}", theirs.fragment, ours.fragment);
    message.add(ATTR_USERNAME, user.as_bytes());
    message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
    message.add(ATTR_ICE_CONTROLLING, &[0x40; 8]);
    if nominate {
        message.add(ATTR_USE_CANDIDATE, &[]);
    }
    sign(&mut message, theirs, crypto)?;
    Ok((transaction.0, message.raw))
}

/// The answer to a check of the server's.
pub(super) fn answer(
    request: Transaction,
    from: SocketAddr,
    ours: &Credentials,
    crypto: &dyn RTCCrypto,
) -> Result<Vec<u8>> {
    let mut message = Message::new();
    message.set_type(BINDING_SUCCESS);
    TransactionId(request).add_to(&mut message)?;
    message.write_header();
    let mapped = XorMappedAddress {
        ip: from.ip(),
        port: from.port(),
    };
    mapped.add_to(&mut message)?;
    sign(&mut message, ours, crypto)?;
    Ok(message.raw)
}

fn sign(message: &mut Message, credentials: &Credentials, crypto: &dyn RTCCrypto) -> Result<()> {
    MessageIntegrity::new_short_term_integrity_with_provider(credentials.password.clone(), crypto)
        .add_to(message)?;
    FINGERPRINT.add_to(message)?;
    Ok(())
}

/// What a datagram of ICE is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A check of the server's.
    Request(Transaction),
    /// The answer to one of ours.
    Success(Transaction),
}

/// Reads the head of a STUN message (RFC 8489 section 5).
pub(super) fn heard(datagram: &[u8]) -> Option<Heard> {
    let transaction = datagram.get(8..20)?.try_into().ok()?;
    match datagram.get(..8)? {
        [0, 1, _, _, 0x21, 0x12, 0xa4, 0x42] => Some(Heard::Request(transaction)),
        [1, 1, _, _, 0x21, 0x12, 0xa4, 0x42] => Some(Heard::Success(transaction)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_signed_with_the_other_sides_password() {
        let (ours, theirs) = (Credentials::random(), Credentials::random());
        let provider = rtc::crypto::default_provider().unwrap();
        let (transaction, bytes) = check(&ours, &theirs, true, provider.crypto()).unwrap();
        assert_eq!(heard(&bytes), Some(Heard::Request(transaction)));
        let mut message = Message::new();
        message.unmarshal_binary(&bytes).unwrap();
        assert!(message.contains(ATTR_USE_CANDIDATE));
        MessageIntegrity::check(&mut message, theirs.password.as_bytes(), provider.crypto()).unwrap();
        let back = answer(transaction, ([127, 0, 0, 1], 9).into(), &ours, provider.crypto()).unwrap();
        assert_eq!(heard(&back), Some(Heard::Success(transaction)));
        assert_eq!(heard(&[0x80, 1]), None);
    }
}
