//! Signatures of tokens (RFC 7518) verified by ring, which TLS uses too: it makes a provider of its own unnecessary to
//! build, and has no open advisory. Nothing is signed here.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::hmac;
use ring::signature as ring_signature;
use ring::signature::{RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// Makes ring the one that `jsonwebtoken` verifies with; said again it changes nothing.
pub(crate) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Ring {
                algorithm: *algorithm,
                key: key.clone(),
            }))
        },
        // Keys are read from their JSON form without it.
        key_utils: KeyUtils::new_unimplemented(),
    };
    PROVIDER.install_default().ok();
}

struct Ring {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Ring {
    fn bytes(&self) -> Result<&[u8]> {
        self.key.try_get_as_bytes()
    }

    fn mac(&self, of: hmac::Algorithm, message: &[u8], signature: &[u8]) -> Option<()> {
        let key = hmac::Key::new(of, self.bytes().ok()?);
        hmac::verify(&key, message, signature).ok()
    }

    fn curve(&self, of: &'static dyn VerificationAlgorithm, message: &[u8], signature: &[u8]) -> Option<()> {
        let key = UnparsedPublicKey::new(of, self.bytes().ok()?);
        key.verify(message, signature).ok()
    }

    fn rsa(&self, of: &'static RsaParameters, message: &[u8], signature: &[u8]) -> Option<()> {
        let DecodingKeyKind::RsaModulusExponent { n, e } = self.key.kind() else {
            return None;
        };
        // Some issuers write the sign byte of DER, which RFC 7518 section 6.3.1 forbids and ring does not take.
        let plain = |number: &'_ [u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number.get(zeros..).unwrap_or_default().to_vec()
        };
        let key = RsaPublicKeyComponents {
            n: plain(n),
            e: plain(e),
        };
        key.verify(of, message, signature).ok()
    }
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let (m, s) = (message, signature.as_slice());
        let verified = match self.algorithm {
            Algorithm::HS256 => self.mac(hmac::HMAC_SHA256, m, s),
            Algorithm::HS384 => self.mac(hmac::HMAC_SHA384, m, s),
            Algorithm::HS512 => self.mac(hmac::HMAC_SHA512, m, s),
            Algorithm::ES256 => self.curve(&ring_signature::ECDSA_P256_SHA256_FIXED, m, s),
            Algorithm::ES384 => self.curve(&ring_signature::ECDSA_P384_SHA384_FIXED, m, s),
            Algorithm::EdDSA => self.curve(&ring_signature::ED25519, m, s),
            Algorithm::RS256 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256, m, s),
            Algorithm::RS384 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384, m, s),
            Algorithm::RS512 => self.rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512, m, s),
            Algorithm::PS256 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA256, m, s),
            Algorithm::PS384 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA384, m, s),
            Algorithm::PS512 => self.rsa(&ring_signature::RSA_PSS_2048_8192_SHA512, m, s),
            // None that is known today.
            _ => None,
        };
        verified.ok_or_else(Error::new)
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
