//! Comparing what a client shows with what is kept, in a time that does not tell how much of it was right.
//! Argon2, which takes a while, is run by `argon`.

use crate::DigestAnswer;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::{Digest as _, Md5};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use weft_config::Password;

/// 32 bytes that stand for something secret.
pub(crate) type Hash = [u8; 32];

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// True for equal texts; the time taken tells nothing of what they have in common.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    sha256(a).ct_eq(&sha256(b)).into()
}

/// What comparing gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared<'a> {
    /// It is the same.
    Same,
    /// It is not.
    Other,
    /// Argon2 must tell, by this PHC string.
    Argon2(&'a str),
}

/// Whether a text is what is kept.
pub(crate) fn compare<'a>(kept: &'a Password, given: &str) -> Compared<'a> {
    let same = match kept {
        Password::None => true,
        Password::Plain(text) => equal(text.expose().as_bytes(), given.as_bytes()),
        Password::Sha256(text) => {
            let hash = sha256(given.as_bytes());
            let decoded = STANDARD.decode(text.expose());
            let decoded = decoded.or_else(|_| STANDARD_NO_PAD.decode(text.expose()));
            // What is no Base64 matches nothing; the configuration's reading has said so.
            decoded.is_ok_and(|kept| equal(&kept, &hash))
        }
        Password::Argon2(text) => return Compared::Argon2(text.expose()),
    };
    if same { Compared::Same } else { Compared::Other }
}

/// Lower-case hex of the MD5 of parts joined by `:`.
fn md5(parts: [&str; 3]) -> String {
    let hash = Md5::digest(parts.join(":"));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// True when a digest was made from this password (RFC 7616 section 3.4 without qop, as in RFC 2069).
pub(crate) fn digest_fits(answer: &DigestAnswer, password: &str) -> bool {
    let secret = md5([&answer.username, &answer.realm, password]);
    let request = Md5::digest(format!("{}:{}", answer.method, answer.uri));
    let request: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = md5([&secret, &answer.nonce, &request]);
    equal(
        expected.as_bytes(),
        answer.response.to_ascii_lowercase().as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_config::Secret;

    #[test]
    fn texts_are_compared_as_they_are_kept() {
        let plain = Password::Plain(Secret::new("secret"));
        assert_eq!(compare(&plain, "secret"), Compared::Same);
        assert_eq!(compare(&plain, "secret "), Compared::Other);
        assert_eq!(compare(&plain, ""), Compared::Other);
        assert_eq!(compare(&Password::None, "anything"), Compared::Same);
        // printf secret | openssl dgst -binary -sha256 | openssl base64
        let hashed = Password::Sha256(Secret::new("K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols="));
        assert_eq!(compare(&hashed, "secret"), Compared::Same);
        assert_eq!(compare(&hashed, "Secret"), Compared::Other);
        let nonsense = Password::Sha256(Secret::new("%%"));
        assert_eq!(compare(&nonsense, ""), Compared::Other);
    }

    #[test]
    fn a_digest_is_that_of_rfc_2069() {
        // The example of RFC 2069 section 2.4, with the response of its erratum 749.
        let answer = DigestAnswer {
            username: "Mufasa".into(),
            realm: "testrealm@host.com".into(),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".into(),
            uri: "/dir/index.html".into(),
            response: "1949323746fe6a43ef61f9606e7febea".into(),
            method: "GET".into(),
        };
        assert!(digest_fits(&answer, "CircleOfLife"));
        assert!(!digest_fits(&answer, "circleOfLife"));
        let other = DigestAnswer {
            method: "HEAD".into(),
            ..answer
        };
        assert!(!digest_fits(&other, "CircleOfLife"));
    }
}
