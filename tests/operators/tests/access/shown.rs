//! What clients show: logins and tokens as headers and in URLs, digests, and an offer that a node answers.
//! The words are MediaMTX's and the RFCs'; nothing here comes from the product.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::{Digest as _, Md5};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use weft_testkit::http::{self, Response};
use weft_testkit::rtsp::Dialogue;

/// An offer of H.264 and Opus, shortened. No media comes of it.
const OFFER: &str = concat!(
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n",
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n",
    "a=rtcp-fb:102 nack pli\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
    "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n",
    "a=setup:actpass\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n",
);

/// Something to show.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Nothing,
    Login(&'static str, &'static str),
    Token(String),
}

impl Shown {
    /// The header that shows it.
    pub(super) fn header(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Login(user, password) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::Token(token) => Some(format!("Bearer {token}")),
        }
    }

    /// The query that shows it.
    pub(super) fn query(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Login(user, password) => format!("?user={user}&pass={password}"),
            Self::Token(token) => format!("?jwt={token}"),
        }
    }
}

/// A request over HTTP.
pub(super) async fn ask(method: &str, address: &str, path: &str, shown: &Shown) -> Result<Response> {
    let header = shown.header();
    let mut headers: Vec<_> = header
        .iter()
        .map(|value| ("Authorization", value.as_str()))
        .collect();
    let body = if method == "POST" { OFFER } else { "" };
    if !body.is_empty() {
        headers.push(("Content-Type", "application/sdp"));
    }
    http::request(method, address, path, &headers, body.as_bytes()).await
}

/// DESCRIBE with a header.
pub(super) async fn describe(address: &str, path: &str, header: Option<&str>) -> Result<Response> {
    let url = format!("rtsp://{address}/{path}");
    let headers: Vec<_> = header.iter().map(|value| ("Authorization", *value)).collect();
    Dialogue::open(address)
        .await?
        .ask("DESCRIBE", &url, &headers)
        .await
}

/// DESCRIBE, and again with the digest that its challenge asks for.
pub(super) async fn describe_by_digest(
    address: &str,
    path: &str,
    user: &str,
    password: &str,
) -> Result<Response> {
    let url = format!("rtsp://{address}/{path}");
    let mut dialogue = Dialogue::open(address).await?;
    let asked = dialogue.ask("DESCRIBE", &url, &[]).await?;
    let mut challenges = asked
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let challenge = challenges.find(|(_, value)| value.starts_with("Digest "));
    let (_, challenge) = challenge.with_context(|| format!("no digest asked for: {:?}", asked.headers))?;
    let nonce = challenge
        .split("nonce=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let nonce = nonce.context("no nonce")?;
    let md5 = |text: String| -> String {
        Md5::digest(text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let (secret, what) = (
        md5(format!("{user}:ipcam:{password}")),
        md5(format!("DESCRIBE:{url}")),
    );
    let response = md5(format!("{secret}:{nonce}:{what}"));
    let header = format!(
        "Digest username=\"{user}\", realm=\"ipcam\", nonce=\"{nonce}\", uri=\"{url}\", response=\"{response}\""
    );
    dialogue
        .ask("DESCRIBE", &url, &[("Authorization", &header)])
        .await
}

/// Somebody who makes tokens.
pub(super) struct Issuer(Ed25519KeyPair);

impl Issuer {
    pub(super) fn new() -> Result<Self> {
        let failed = |_| anyhow::anyhow!("no key");
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref());
        Ok(Self(key.map_err(|_| anyhow::anyhow!("no key"))?))
    }

    /// Its public keys.
    pub(super) fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]}).to_string()
    }

    /// A token of these permissions that is valid for so many seconds.
    pub(super) fn token(&self, permissions: Value, seconds: i64) -> Result<Shown> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({"alg": "EdDSA", "kid": "1"});
        let claims =
            json!({"sub": "s1", "exp": i64::try_from(now)? + seconds, "mediamtx_permissions": permissions});
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        Ok(Shown::Token(format!("{message}.{signature}")))
    }
}
