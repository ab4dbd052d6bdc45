//! Questions that take a while: equal ones asked at once become one, and its answer may be kept for a moment.
//! What is asked of whom, and what is worth keeping, is said by whoever asks.

use crate::compare::Hash;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use ring::hmac;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Makes keys of secrets: by them equal questions are found, and nothing secret is kept.
#[derive(Debug)]
pub(crate) struct Keys(hmac::Key);

impl Keys {
    /// With a key of this process's own, so that what is kept fits no table of common passwords.
    pub(crate) fn new() -> Self {
        let key: [u8; 32] = rand::random();
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The key of a question, all its parts in order.
    pub(crate) fn of(&self, parts: &[&str]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = Hash::default();
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}

/// How an answer was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It was asked for.
    Asked,
    /// Somebody was asking the same.
    Joined,
    /// It was still known.
    Known,
}

/// Questions open and answers kept.
pub(crate) struct Answers<V>(Arc<Mutex<State<V>>>, Bounds);

#[derive(Clone, Copy)]
struct Bounds {
    open: usize,
    kept: usize,
    /// How long an answer is kept at most.
    keep: Duration,
}

struct State<V> {
    open: HashMap<Hash, Shared<BoxFuture<'static, Option<V>>>>,
    kept: HashMap<Hash, (V, Instant)>,
    /// In the order they go.
    order: VecDeque<(Instant, Hash)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole in itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Clone + Send + Sync + 'static> Answers<V> {
    /// At most `open` questions at once and `kept` answers, each for `keep`.
    pub(crate) fn new(open: usize, kept: usize, keep: Duration) -> Self {
        let state = State {
            open: HashMap::new(),
            kept: HashMap::new(),
            order: VecDeque::new(),
        };
        Self(Arc::new(Mutex::new(state)), Bounds { open, kept, keep })
    }

    /// The answer that is known, the one that somebody waits for already, or the one that `ask` gives. `ask` goes on in a
    /// task of its own when this is dropped. `None`: too many questions are open, or it panicked.
    pub(crate) async fn get<F>(
        &self,
        runtime: &Handle,
        key: Hash,
        worth_keeping: fn(&V) -> bool,
        ask: impl FnOnce() -> F,
    ) -> Option<(V, How)>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (waiting, how, task) = {
            let mut state = lock(&self.0);
            state.forget(Instant::now(), usize::MAX);
            if let Some((answer, _)) = state.kept.get(&key) {
                return Some((answer.clone(), How::Known));
            }
            match state.open.get(&key) {
                Some(open) => (open.clone(), How::Joined, None),
                // overflow: refused; the caller counts it.
                None if state.open.len() >= self.1.open => return None,
                None => {
                    let (answered, answer) = oneshot::channel();
                    let open = answer.map(Result::ok).boxed().shared();
                    state.open.insert(key, open.clone());
                    let done = Done {
                        state: Arc::clone(&self.0),
                        key,
                        bounds: self.1,
                    };
                    (open, How::Asked, Some((answered, done)))
                }
            }
        };
        if let Some((answered, done)) = task {
            let asked = ask();
            runtime.spawn(async move {
                // Goes before `answered` does: whoever is told by that that there is no answer may ask again at once.
                let done = done;
                let answer = asked.await;
                done.keep(&answer, worth_keeping);
                drop(done);
                // Nobody may be left to hear it.
                answered.send(answer).ok();
            });
        }
        Some((waiting.await?, how))
    }
}

impl<V> State<V> {
    /// Lets go what is old, and the oldest beyond a number.
    fn forget(&mut self, now: Instant, most: usize) {
        while let Some((until, key)) = self.order.front().copied() {
            if until > now && self.order.len() <= most {
                break;
            }
            self.order.pop_front();
            if self.kept.get(&key).is_some_and(|kept| kept.1 <= until) {
                self.kept.remove(&key);
            }
        }
    }
}

/// Takes a question off the open ones, however it ends.
struct Done<V> {
    state: Arc<Mutex<State<V>>>,
    key: Hash,
    bounds: Bounds,
}

impl<V: Clone> Done<V> {
    fn keep(&self, answer: &V, worth_keeping: fn(&V) -> bool) {
        if !worth_keeping(answer) || self.bounds.kept == 0 {
            return;
        }
        let now = Instant::now();
        let until = now + self.bounds.keep;
        let mut state = lock(&self.state);
        // overflow: the oldest goes, and is asked for again.
        state.forget(now, self.bounds.kept - 1);
        state.kept.insert(self.key, (answer.clone(), until));
        state.order.push_back((until, self.key));
    }
}

impl<V> Drop for Done<V> {
    fn drop(&mut self) {
        lock(&self.state).open.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    fn key(n: u8) -> Hash {
        [n; 32]
    }

    #[tokio::test(start_paused = true)]
    async fn equal_questions_become_one_and_its_answer_is_kept_for_a_while() {
        let answers = Answers::<u32>::new(8, 8, Duration::from_secs(5));
        let asked = Arc::new(AtomicUsize::new(0));
        let runtime = Handle::current();
        let ask = |n: u8| {
            let asked = Arc::clone(&asked);
            answers.get(
                &runtime,
                key(n),
                |_| true,
                move || async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    asked.fetch_add(1, Relaxed) as u32
                },
            )
        };
        let both = tokio::join!(ask(1), ask(1));
        assert_eq!(both, (Some((0, How::Asked)), Some((0, How::Joined))));
        assert_eq!(ask(1).await, Some((0, How::Known)));
        assert_eq!(ask(2).await, Some((1, How::Asked)));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(ask(1).await, Some((2, How::Asked)));
    }

    #[tokio::test(start_paused = true)]
    async fn questions_and_answers_are_bounded_and_what_is_not_worth_keeping_is_not_kept() {
        let answers = Answers::<bool>::new(1, 2, Duration::from_secs(60));
        let runtime = Handle::current();
        let slow = async || tokio::time::sleep(Duration::from_secs(1)).await;
        let first = answers.get(
            &runtime,
            key(0),
            |_| true,
            || async move {
                slow().await;
                true
            },
        );
        let second = async {
            tokio::task::yield_now().await;
            answers.get(&runtime, key(1), |_| true, || async { true }).await
        };
        assert_eq!(tokio::join!(first, second), (Some((true, How::Asked)), None));
        for n in 1..4 {
            assert!(
                answers
                    .get(&runtime, key(n), |_| true, || async { true })
                    .await
                    .is_some()
            );
        }
        let how = |n| answers.get(&runtime, key(n), |kept| *kept, || async { false });
        assert_eq!(how(3).await, Some((true, How::Known)));
        assert_eq!(how(0).await, Some((false, How::Asked)));
        assert_eq!(how(0).await, Some((false, How::Asked)));
        assert_eq!(lock(&answers.0).kept.len(), 2);
    }

    #[tokio::test]
    async fn a_question_that_panics_is_answered_by_none_and_may_be_asked_again() {
        let answers = Answers::<bool>::new(1, 1, Duration::from_secs(1));
        let runtime = Handle::current();
        let broken = answers.get(&runtime, key(0), |_| true, || async { panic!("on purpose") });
        assert_eq!(broken.await, None);
        let good = answers.get(&runtime, key(0), |_| true, || async { true });
        assert_eq!(good.await, Some((true, How::Asked)));
    }

    #[test]
    fn keys_differ_where_parts_do() {
        let keys = Keys::new();
        assert_eq!(keys.of(&["a", "b"]), keys.of(&["a", "b"]));
        assert_ne!(keys.of(&["ab", ""]), keys.of(&["a", "b"]));
        assert_ne!(keys.of(&["a"]), Keys::new().of(&["a"]));
    }
}
