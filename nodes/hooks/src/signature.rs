//! Proof that an event comes from whoever knows the secret: HMAC-SHA-256 (RFC 2104) over its time and body.
//! A receiver computes the same, and refuses what is older than it likes.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use weft_config::Secret;

/// The header it travels in.
pub(crate) const HEADER: &str = "Weft-Signature";

/// `t=<seconds since 1970>,v1=<hex>`: of `<t>.<body>`; `None` without a secret.
pub(crate) fn of(secret: &Secret, seconds: u64, body: &[u8]) -> Option<String> {
    if secret.is_empty() {
        return None;
    }
    // A key of HMAC may have any length, so there is always one.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("t={seconds},v1={hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_computes() {
        // printf '1700000000.{"id":"x"}' | openssl dgst -sha256 -hmac s3cret
        let signed = of(&Secret::new("s3cret"), 1_700_000_000, br#"{"id":"x"}"#);
        let hex = "2382c1d0968a5e57238c68de957f44d87e83d3049a5588ec251442ca372b8aec";
        assert_eq!(signed.unwrap(), format!("t=1700000000,v1={hex}"));
        assert_eq!(of(&Secret::default(), 1, b"x"), None);
    }
}
