//! The keys that tokens are signed with: a JSON Web Key Set (RFC 7517), fetched in the background, hourly, when a token
//! names a key that is not in it, and after failures; the last good ones hold meanwhile. What a token says is read elsewhere.

use crate::client::{Clients, words};
use crate::verdict::{Counters, count};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use weft_config::{AuthMethod, Config, Live};

/// How often keys are fetched when all is well.
const EVERY: Duration = Duration::from_secs(3600);
/// How often at most when tokens name keys that are not known.
pub(crate) const AGAIN: Duration = Duration::from_secs(10);
/// Between attempts after a failure: twice as long each time, up to this.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a judgement waits for keys that are on their way.
const WAIT: Duration = Duration::from_secs(3);
/// The largest set, in bytes and in keys.
const MAX_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 64;

/// One key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: DecodingKey,
}

/// What is known now.
#[derive(Debug, Clone, Default)]
struct Known {
    /// URL and fingerprint that it is of.
    source: (String, String),
    /// `None`: never fetched.
    keys: Option<Arc<Vec<Key>>>,
    /// When it was tried last.
    tried: Option<Instant>,
}

/// The keys, kept fresh as long as this lives.
pub(crate) struct KeySet {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
    again: Duration,
}

impl Drop for KeySet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeySet {
    /// Begins to fetch, when and as long as the configuration says that tokens judge.
    /// `again`: how long after a fetch a token's unknown key is no reason for another; [`AGAIN`] but in tests.
    pub(crate) fn new(live: Live, counters: Arc<Counters>, again: Duration) -> Self {
        let (sender, known) = watch::channel(Known::default());
        let wanted = Arc::<Notify>::default();
        let task = tokio::spawn(follow(live, sender, Arc::clone(&wanted), counters, again));
        Self {
            known,
            wanted,
            task,
            again,
        }
    }

    /// The keys of a source; where none were ever there, waits a moment for them. `None`: still none.
    pub(crate) async fn of(&self, source: (&str, &str)) -> Option<Arc<Vec<Key>>> {
        let fits = |known: &Known| known.source.0 == source.0 && known.source.1 == source.1;
        let mut known = self.known.clone();
        let there = known.wait_for(|known| fits(known) && known.tried.is_some());
        let there = timeout(WAIT, there).await.ok()?.ok()?;
        there.keys.clone()
    }

    /// Fetches them again, unless that was done a moment ago, and waits a moment for the outcome; `None`: nothing new.
    pub(crate) async fn again(&self) -> Option<Arc<Vec<Key>>> {
        let mut known = self.known.clone();
        let tried = known.borrow_and_update().tried;
        if tried.is_some_and(|at| at.elapsed() < self.again) {
            return None;
        }
        self.refresh();
        let newer = known.wait_for(|known| known.tried > tried);
        let newer = timeout(WAIT, newer).await.ok()?.ok()?;
        newer.keys.clone()
    }

    /// Fetches them again soon.
    pub(crate) fn refresh(&self) {
        self.wanted.notify_one();
    }
}

async fn follow(
    mut live: Live,
    known: watch::Sender<Known>,
    wanted: Arc<Notify>,
    counters: Arc<Counters>,
    again: Duration,
) {
    let clients = Clients::default();
    let mut failures = 0;
    loop {
        let config = live.now();
        let jwt = &config.auth.jwt;
        let source = (jwt.jwks.clone(), jwt.jwks_fingerprint.clone());
        let used = config.auth.method == AuthMethod::Jwt;
        let mut next = None;
        if used {
            count(&counters.jwks_fetched);
            let fetched = timeout(PATIENCE, fetch(&clients, &source)).await;
            let fetched = fetched.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
            failures = if fetched.is_ok() { 0 } else { failures + 1 };
            next = Some(match &fetched {
                Ok(_) => EVERY,
                Err(_) => (RETRY.0 * 2u32.saturating_pow(failures - 1)).min(RETRY.1),
            });
            match &fetched {
                Ok(keys) => tracing::debug!(keys = keys.len(), "keys of tokens fetched"),
                Err(error) => {
                    count(&counters.jwks_failed);
                    // Each failure: they come seldom by themselves.
                    let there = {
                        let known = known.borrow();
                        known.keys.is_some() && known.source == source
                    };
                    let now = if there {
                        "the last ones hold"
                    } else {
                        "no token can be judged"
                    };
                    tracing::warn!(error, now, "keys of tokens cannot be fetched from authJWTJWKS");
                }
            }
            known.send_modify(|known| {
                if known.source != source {
                    known.keys = None;
                    known.source = source.clone();
                }
                if let Ok(keys) = fetched {
                    known.keys = Some(Arc::new(keys));
                }
                known.tried = Some(Instant::now());
            });
        }
        let next = next.map(|pause| Instant::now() + pause);
        loop {
            tokio::select! {
                () = until(next) => break,
                () = wanted.notified(), if used => {
                    // Several may have seen the same moment.
                    if known.borrow().tried.is_none_or(|at| at.elapsed() >= again) {
                        break;
                    }
                }
                now = changed(&mut live) => {
                    let uses = now.auth.method == AuthMethod::Jwt;
                    let jwt = &now.auth.jwt;
                    if uses != used || jwt.jwks != source.0 || jwt.jwks_fingerprint != source.1 {
                        failures = 0;
                        break;
                    }
                }
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn changed(live: &mut Live) -> Arc<Config> {
    match live.changed().await {
        Some(config) => config,
        // It stays as it is.
        None => std::future::pending().await,
    }
}

/// Fetches a set; keys that cannot verify a token are left out.
async fn fetch(clients: &Clients, source: &(String, String)) -> Result<Vec<Key>, String> {
    let client = clients.get(&source.1).map_err(words)?;
    let mut response = client.get(&source.0).send().await.map_err(words)?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
    }
    read(&body)
}

/// Reads a set.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(|e| format!("it is no JSON Web Key Set: {e}"))?;
    let keys = set.keys.into_iter().filter_map(|value| key(&value));
    let keys: Vec<_> = keys.take(MAX_KEYS).collect();
    if keys.is_empty() {
        return Err("it has no key for signatures that is known here".to_owned());
    }
    Ok(keys)
}

fn key(value: &serde_json::Value) -> Option<Key> {
    let jwk = Jwk::deserialize(value).ok()?;
    if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    let named = match jwk.common.key_algorithm {
        Some(algorithm) => Some(algorithm.to_string().parse().ok()?),
        None => None,
    };
    let family = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa,
        AlgorithmParameters::OctetKey(_) => AlgorithmFamily::Hmac,
        AlgorithmParameters::OctetKeyPair(_) => AlgorithmFamily::Ed,
        AlgorithmParameters::EllipticCurve(curve) => {
            // The curve decides (RFC 7518 section 3.4).
            let algorithm = match curve.curve {
                EllipticCurve::P256 => Algorithm::ES256,
                EllipticCurve::P384 => Algorithm::ES384,
                _ => return None,
            };
            return (named.is_none() || named == Some(algorithm)).then(|| Key {
                id: jwk.common.key_id,
                algorithms: vec![algorithm],
                key,
            });
        }
        _ => return None,
    };
    let mut algorithms = family.algorithms().to_vec();
    if let Some(named) = named {
        // A key is for one algorithm where it says so: a token cannot choose another.
        algorithms.retain(|algorithm| *algorithm == named);
    }
    (!algorithms.is_empty()).then_some(Key {
        id: jwk.common.key_id,
        algorithms,
        key,
    })
}
