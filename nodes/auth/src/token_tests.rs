//! Tokens of every kind of key against a real server of keys: right, wrong, expired, forged, and keys that change.
//! The RSA tokens are ready made (by OpenSSL, for ever valid): ring makes no RSA keys. The others are signed here.

use super::*;
use crate::keys::AGAIN;
use crate::testing::HttpServer;
use crate::{Credentials, Denied, Gate};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weft_config::{AuthMethod, Config, Live};

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Something that signs.
enum Signer {
    Es(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair, &'static str),
    Hs(&'static [u8], &'static str),
}

impl Signer {
    fn es(kid: &'static str) -> Self {
        let (random, of) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(of, &random).unwrap();
        Self::Es(EcdsaKeyPair::from_pkcs8(of, key.as_ref(), &random).unwrap(), kid)
    }

    fn ed(kid: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap(), kid)
    }

    fn jwk(&self) -> Value {
        match self {
            Self::Es(key, kid) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": base64(x), "y": base64(y)})
            }
            Self::Ed(key, kid) => {
                json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": base64(key.public_key())})
            }
            Self::Hs(key, kid) => json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": base64(key)}),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let (alg, kid) = match self {
            Self::Es(_, kid) => ("ES256", kid),
            Self::Ed(_, kid) => ("EdDSA", kid),
            Self::Hs(_, kid) => ("HS256", kid),
        };
        self.sign_with(&json!({"typ": "JWT", "alg": alg, "kid": kid}), claims)
    }

    fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = match self {
            Self::Es(key, _) => base64(key.sign(&SystemRandom::new(), message.as_bytes()).unwrap()),
            Self::Ed(key, _) => base64(key.sign(message.as_bytes())),
            Self::Hs(key, _) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
                base64(ring::hmac::sign(&key, message.as_bytes()))
            }
        };
        format!("{message}.{signature}")
    }
}

fn claims(permissions: Value) -> Value {
    json!({"sub": "s123", "exp": now() + 600, "mediamtx_permissions": permissions})
}

fn publish(path: &str) -> Value {
    json!([{"action": "publish", "path": path}])
}

fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.auth.method = AuthMethod::Jwt;
    config.auth.jwt.jwks = url.to_owned();
    config.fabric.limits.failed_logins = 0;
    config
}

async fn server(keys: Vec<Value>) -> HttpServer {
    let set = json!({ "keys": keys }).to_string();
    HttpServer::start(move |_| (200, set.clone(), Duration::ZERO)).await
}

fn request(action: Action, path: &str, token: &str) -> Request {
    Request {
        action,
        path: path.to_owned(),
        protocol: Protocol::WebRtc,
        session: None,
        ip: "192.0.2.1".parse().unwrap(),
        query: String::new(),
        user_agent: String::new(),
        credentials: Credentials::from_http(Some(&format!("Bearer {token}")), ""),
    }
}

/// As whom, or why not: judged without the pause that follows.
async fn judged(config: &Config, keys: &KeySet, request: Request) -> Result<String, No> {
    judge(&config.auth.jwt, &request, keys)
        .await
        .map(|grant| grant.principal)
}

fn key_set(config: &Config) -> KeySet {
    crate::crypto::install();
    KeySet::new(Live::fixed(config.clone()), Arc::default(), AGAIN)
}

#[tokio::test]
async fn a_token_of_every_kind_of_key_opens_what_it_says_and_nothing_else() {
    let rsa: Value = serde_json::from_str(include_str!("../testdata/rsa.json")).unwrap();
    let signers = [
        Signer::es("e1"),
        Signer::ed("e2"),
        Signer::Hs(b"a secret of 32 bytes, as it were", "h1"),
    ];
    let mut set: Vec<_> = signers.iter().map(Signer::jwk).collect();
    set.push(rsa["jwk"].clone());
    set.push(json!({"kty": "RSA", "use": "enc", "kid": "enc", "n": "AQAB", "e": "AQAB"}));
    set.push(json!({"kty": "strange"}));
    let server = server(set).await;
    let config = config(&server.url());
    let keys = key_set(&config);
    let mut tokens: Vec<_> = signers
        .iter()
        .map(|s| s.sign(&claims(publish("exam/7"))))
        .collect();
    tokens.extend(["RS256", "PS256"].map(|alg| rsa[alg].as_str().unwrap().to_owned()));
    for (n, token) in tokens.iter().enumerate() {
        let ask = |action, path| judged(&config, &keys, request(action, path, token));
        assert!(ask(Action::Publish, "exam/7").await.is_ok(), "token {n}");
        for (action, path) in [
            (Action::Publish, "exam/8"),
            (Action::Read, "exam/7"),
            (Action::Publish, ""),
        ] {
            let no = ask(action, path).await.unwrap_err();
            assert_eq!(
                no,
                No::Login("the token does not allow it"),
                "token {n}, {action:?} {path}"
            );
        }
        // One letter of the signature's middle.
        let mut forged = token.clone().into_bytes();
        let at = forged.len() - 20;
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let no = judged(&config, &keys, request(Action::Publish, "exam/7", &forged)).await;
        assert_eq!(
            no.unwrap_err(),
            No::Login("the token's signature is wrong"),
            "token {n}"
        );
    }
    assert_eq!(server.times(), 1);
}

#[tokio::test]
async fn a_token_must_be_in_time_for_us_and_signed_as_its_key_is() {
    let (signer, stranger) = (Signer::es("k"), Signer::es("k"));
    let server = server(vec![signer.jwk()]).await;
    let mut config = config(&server.url());
    config.auth.jwt.issuer = "school".to_owned();
    config.auth.jwt.audience = "weft".to_owned();
    let keys = key_set(&config);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims(publish("a"));
        claims["iss"] = json!("school");
        claims["aud"] = json!(["weft", "others"]);
        change(&mut claims);
        claims
    };
    let good = with(&|_| {});
    let x = signer.jwk()["x"].as_str().unwrap().to_owned();
    let hs = |key: &str| {
        // The public key as a secret: what a verifier that lets tokens choose falls for.
        let message = format!(
            "{}.{}",
            base64(r#"{"alg":"HS256","kid":"k"}"#),
            base64(good.to_string())
        );
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
        format!("{message}.{}", base64(ring::hmac::sign(&key, message.as_bytes())))
    };
    let none = format!(
        "{}.{}.",
        base64(r#"{"alg":"none","kid":"k"}"#),
        base64(good.to_string())
    );
    for (token, expected) in [
        (signer.sign(&good), "s123"),
        (
            signer.sign(&with(&|c| c["exp"] = json!(now() - 60))),
            "the token has expired",
        ),
        (
            signer.sign(&with(&|c| c["nbf"] = json!(now() + 60))),
            "the token is not valid yet",
        ),
        (
            signer.sign(&with(&|c| c["iss"] = json!("pub"))),
            "the token is of another issuer",
        ),
        (
            signer.sign(&with(&|c| c["aud"] = json!("others"))),
            "the token is for another audience",
        ),
        (
            signer.sign(&with(&|c| drop(c.as_object_mut().unwrap().remove("exp")))),
            "the token lacks exp, iss or aud",
        ),
        (
            signer.sign(&with(&|c| drop(c.as_object_mut().unwrap().remove("aud")))),
            "the token lacks exp, iss or aud",
        ),
        (
            signer.sign(&with(&|c| drop(c.as_object_mut().unwrap().remove("sub")))),
            "",
        ),
        (stranger.sign(&good), "the token's signature is wrong"),
        (hs(&x), "the token's algorithm is not its key's"),
        (none, "the token cannot be read"),
        (
            signer.sign_with(&json!({"alg": "ES256", "kid": "other"}), &good),
            "the token's key is not known",
        ),
        (signer.sign_with(&json!({"alg": "ES256"}), &good), "s123"),
        ("a.b.c".to_owned(), "the token cannot be read"),
        ("x".repeat(MAX_TOKEN + 1), "what is shown is no token"),
    ] {
        let found = judged(&config, &keys, request(Action::Publish, "a", &token)).await;
        let found = match found {
            Ok(principal) => principal,
            Err(No::Login(why)) => why.to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{token}");
    }
}

#[test]
fn permissions_are_a_list_or_a_string_that_holds_one() {
    let list = json!([
        {"action": "publish", "path": "a"}, {"action": "read", "path": "~^b"}, {"action": "api"},
        {"action": "steal"}, {"path": "x"}, {"action": "read", "path": "~("}, 7,
    ]);
    for claim in [list.clone(), json!(list.to_string())] {
        let claims = json!({ "mine": claim });
        let found = permissions(claims.as_object().unwrap(), "mine");
        assert_eq!(found.len(), 3);
        assert!(permits(&found, Action::Publish, "a") && !permits(&found, Action::Publish, "ab"));
        assert!(permits(&found, Action::Read, "bc") && !permits(&found, Action::Read, "a"));
        assert!(permits(&found, Action::Api, ""));
    }
    for claim in [
        json!(null),
        json!("nonsense"),
        json!({"action": "publish"}),
        json!(3),
    ] {
        let claims = json!({ "mine": claim });
        assert!(permissions(claims.as_object().unwrap(), "mine").is_empty());
    }
}

#[tokio::test]
async fn a_token_may_stand_where_mediamtx_looks_for_it() {
    let signer = Signer::ed("k");
    let server = server(vec![signer.jwk()]).await;
    let mut config = config(&server.url());
    let token = signer.sign(&claims(publish("a")));
    let shows = |authorization: Option<&str>, query: &str, protocol| Request {
        credentials: Credentials::from_http(authorization, query),
        protocol,
        ..request(Action::Publish, "a", "")
    };
    let (jwt, in_token, password) = (
        format!("jwt={token}"),
        format!("token={token}"),
        format!("Bearer any:{token}"),
    );
    for in_query in [true, false] {
        config.auth.jwt.in_http_query = in_query;
        config.auth.jwt.exclude = vec![Permission {
            action: Action::Metrics,
            path: PathMatch::Any,
        }];
        let keys = key_set(&config);
        for query in [&jwt, &in_token] {
            let over_http = judged(&config, &keys, shows(None, query, Protocol::WebRtc)).await;
            assert_eq!(over_http.is_ok(), in_query);
            assert!(
                judged(&config, &keys, shows(None, query, Protocol::Rtsp))
                    .await
                    .is_ok()
            );
        }
        assert!(
            judged(&config, &keys, shows(Some(&password), "", Protocol::Rtsp))
                .await
                .is_ok()
        );
        assert_eq!(
            judged(&config, &keys, shows(None, "", Protocol::Rtsp)).await,
            Err(No::Nothing)
        );
        // What needs none by the configuration.
        let metrics = Request {
            action: Action::Metrics,
            ..shows(None, "", Protocol::Http)
        };
        assert!(judged(&config, &keys, metrics).await.is_ok());
    }
}

#[tokio::test]
async fn without_keys_there_is_no_judgement_and_the_last_good_ones_hold() {
    let signer = Signer::ed("k");
    let set = json!({"keys": [signer.jwk()]}).to_string();
    let status = Arc::new(AtomicU16::new(500));
    let says = Arc::clone(&status);
    let server = HttpServer::start(move |_| (says.load(Relaxed), set.clone(), Duration::ZERO)).await;
    let config = config(&server.url());
    let gate = Gate::new(Live::fixed(config.clone()));
    let token = signer.sign(&claims(publish("a")));
    let ask = || gate.check(request(Action::Publish, "a", &token));
    assert!(matches!(ask().await, Err(Denied::Unavailable(_))));
    status.store(200, Relaxed);
    // The next attempt comes a second after the first.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !matches!(ask().await, Ok(grant) if grant.principal == "s123") {
        assert!(tokio::time::Instant::now() < deadline, "no keys came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    status.store(500, Relaxed);
    gate.refresh_keys();
    assert!(ask().await.is_ok());
}

#[tokio::test]
async fn keys_are_fetched_again_for_one_that_is_not_known_and_not_too_often() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let set = Arc::new(Mutex::new(json!({"keys": [old.jwk()]}).to_string()));
    let says = Arc::clone(&set);
    let server = HttpServer::start(move |_| (200, says.lock().unwrap().clone(), Duration::ZERO)).await;
    let config = config(&server.url());
    crate::crypto::install();
    let set_of = |again| KeySet::new(Live::fixed(config.clone()), Arc::default(), again);
    let (seldom, often) = (set_of(Duration::from_secs(3600)), set_of(Duration::ZERO));
    let ask = |keys, signer: &Signer| {
        let token = signer.sign(&claims(publish("a")));
        let config = &config;
        async move { judged(config, keys, request(Action::Publish, "a", &token)).await }
    };
    let unknown = Err(No::Login("the token's key is not known"));
    for keys in [&seldom, &often] {
        assert!(ask(keys, &old).await.is_ok());
    }
    assert_eq!(server.times(), 2);
    *set.lock().unwrap() = json!({"keys": [new.jwk()]}).to_string();
    assert_eq!(ask(&seldom, &new).await, unknown);
    assert_eq!(server.times(), 2);
    assert!(ask(&often, &new).await.is_ok());
    assert_eq!(ask(&often, &old).await, unknown);
    assert!(ask(&seldom, &old).await.is_ok());
    assert_eq!(server.times(), 4);
}

#[tokio::test]
async fn a_right_token_waits_for_nobody_behind_its_address_who_shows_an_old_one() {
    let signer = Signer::es("k");
    let server = server(vec![signer.jwk()]).await;
    let mut config = config(&server.url());
    config.fabric.limits.failed_logins = 3;
    let gate = Gate::new(Live::fixed(config));
    let right = signer.sign(&claims(publish("a")));
    let mut old = claims(publish("a"));
    old["exp"] = json!(now() - 60);
    let old = signer.sign(&old);
    let tries = (0..3).map(|_| gate.check(request(Action::Publish, "a", &old)));
    let tries = futures::future::join_all(tries).await;
    assert!(tries.iter().all(|no| *no == Err(Denied::Wrong)), "{tries:?}");
    let grant = gate.check(request(Action::Publish, "a", &right)).await;
    assert_eq!(grant.unwrap().principal, "s123");
    let again = gate.check(request(Action::Publish, "a", &old)).await;
    assert!(matches!(again, Err(Denied::TooMany(_))), "{again:?}");
}
