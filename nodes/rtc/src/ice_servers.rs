//! The ICE servers that clients are told of, and the login of a TURN server that knows only a secret (coturn's
//! `use-auth-secret`): made for each client, good for a day. Which servers there are is the configuration's to say.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use std::time::{Duration, SystemTime};

/// The username that asks for it; MediaMTX's word.
const SECRET: &str = "AUTH_SECRET";
/// How long a login is good for; MediaMTX's time.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// An ICE server named to clients (RFC 9725 §4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:` or `turn:` URL.
    pub url: String,
    /// User name and credential of a TURN server.
    pub credential: Option<(String, String)>,
}

impl IceServer {
    /// What one client is told of the configured servers (`webrtcICEServers2`), with a login of its own where they want
    /// one. Those with `clientOnly` are no exception: the node itself asks none.
    #[must_use]
    pub fn told(configured: &[weft_config::IceServer], now: SystemTime) -> Vec<Self> {
        configured.iter().map(|server| told(server, now)).collect()
    }

    /// The value of its `Link` header (RFC 9725 §4.6).
    #[must_use]
    pub fn link(&self) -> String {
        let mut link = format!("<{}>; rel=\"ice-server\"", self.url);
        if let Some((user, credential)) = &self.credential {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            link += &format!(
                "; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
                quote(user),
                quote(credential)
            );
        }
        link
    }
}

fn told(server: &weft_config::IceServer, now: SystemTime) -> IceServer {
    let (user, password) = (&server.username, server.password.expose());
    let credential = match user.as_str() {
        "" => None,
        SECRET => Some(login(password, now)),
        user => Some((user.to_owned(), password.to_owned())),
    };
    IceServer {
        url: server.url.clone(),
        credential,
    }
}

/// User and password by the secret: the time it ends with something of its own, and that signed by SHA-1, as the server
/// checks it (draft-uberti-behave-turn-rest-00 section 2.2).
fn login(secret: &str, now: SystemTime) -> (String, String) {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let user = format!("{}:{:016x}", (since + LIFE).as_secs(), rand::random::<u64>());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let password = BASE64_STANDARD.encode(hmac::sign(&key, user.as_bytes()));
    (user, password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_config::Secret;

    fn server(username: &str) -> weft_config::IceServer {
        weft_config::IceServer {
            url: "turn:turn.example:3478".to_owned(),
            username: username.to_owned(),
            password: Secret::new("s3cret"),
        }
    }

    #[test]
    fn a_login_is_passed_on_and_none_is_none() {
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(told(&server(""), now).credential, None);
        let login = ("u".to_owned(), "s3cret".to_owned());
        assert_eq!(told(&server("u"), now).credential, Some(login));
    }

    #[test]
    fn of_a_secret_each_client_gets_a_login_of_its_own_for_a_day() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (user, password) = told(&server(SECRET), now).credential.expect("a login");
        assert!(user.starts_with("1086400:"), "{user}");
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"s3cret");
        let signature = BASE64_STANDARD.decode(&password).expect("base64");
        hmac::verify(&key, user.as_bytes(), &signature).expect("signed");
        assert_ne!(told(&server(SECRET), now).credential.expect("a login").0, user);
    }
}
