//! Argon2 passwords: verified on few threads of their own, equal questions once, with answers known for a minute.
//! What is kept is a hash under a key of this process; never a password.

use crate::answers::{Answers, Keys};
use argon2::password_hash::{PasswordHash, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Threads that may be busy with it: each run costs tens of milliseconds and as many MiB.
const THREADS: usize = 2;
/// Runs that may wait for a thread.
const OPEN: usize = 64;
/// How long one may take, waiting included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer is known: a password that was changed has another question.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const KNOWN: usize = 1024;

/// Verifies by Argon2.
pub(crate) struct Argon {
    keys: Keys,
    answers: Answers<Option<bool>>,
    threads: Arc<Semaphore>,
    runtime: Handle,
}

impl Argon {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            keys: Keys::new(),
            answers: Answers::new(OPEN, KNOWN, KNOWN_FOR),
            threads: Arc::new(Semaphore::new(THREADS)),
            runtime,
        }
    }

    /// Whether a text is the one of a PHC string; `None`: there is no telling now, too many are asked about.
    pub(crate) async fn verify(&self, phc: &str, given: &str) -> Option<bool> {
        let key = self.keys.of(&[phc, given]);
        let run = || {
            let (threads, phc, given) = (Arc::clone(&self.threads), phc.to_owned(), given.to_owned());
            async move {
                // overflow: the last to come are refused, by `OPEN` and by the time.
                let thread = tokio::time::timeout(PATIENCE, threads.acquire_owned())
                    .await
                    .ok()?
                    .ok()?;
                let run = tokio::task::spawn_blocking(move || {
                    let _busy = thread;
                    verify(&phc, &given)
                });
                run.await.ok()
            }
        };
        let answer = self.answers.get(&self.runtime, key, Option::is_some, run).await;
        answer.and_then(|(answer, _)| answer)
    }
}

/// The same here and now, tens of milliseconds long. A PHC string that is none matches nothing.
pub(crate) fn verify(phc: &str, given: &str) -> bool {
    let Ok(hash) = PasswordHash::new(phc) else {
        return false;
    };
    // The string's own parameters hold; these are only where it starts from.
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    argon.verify_password(given.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHasher, SaltString};

    fn hashed(text: &str) -> String {
        let salt = SaltString::encode_b64(b"salty salt").unwrap();
        let cheap = Params::new(64, 1, 1, None).unwrap();
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
        argon.hash_password(text.as_bytes(), &salt).unwrap().to_string()
    }

    #[tokio::test]
    async fn right_is_right_and_wrong_is_wrong_again_and_again() {
        let argon = Argon::new(Handle::current());
        let phc = hashed("secret");
        for _ in 0..2 {
            assert_eq!(argon.verify(&phc, "secret").await, Some(true));
            assert_eq!(argon.verify(&phc, "Secret").await, Some(false));
            assert_eq!(argon.verify("$argon2id$nonsense", "x").await, Some(false));
        }
    }

    #[tokio::test]
    async fn more_than_may_wait_are_told_so() {
        let argon = Argon::new(Handle::current());
        let phc = hashed("secret");
        let all = (0..OPEN + 10).map(|n| {
            let (argon, phc) = (&argon, &phc);
            async move { argon.verify(phc, &format!("secret{n}")).await }
        });
        let answers = futures::future::join_all(all).await;
        assert_eq!(answers.iter().filter(|a| a.is_none()).count(), 10);
        assert_eq!(argon.verify(&phc, "secret").await, Some(true));
    }
}
