//! What publishers are told while they publish: the words said to a session, followed where it lives or over the bus.
//! How many channels may be open is `channels`'s rule, the words' form on HTTP the handlers'.

use crate::http::State;
use crate::remote::Target;
use futures::FutureExt;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;
use weft_bus::{PublisherEvents, RequestError};
use weft_wire::{NodeName, PublisherWord, ResourceMethod, ResourceReply};

/// A session of another node is asked about this often, in case a word to it was lost.
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// A node that is not there is asked again after this: its connection may just be new.
const ASKED_AGAIN: Duration = Duration::from_secs(1);
/// So many questions in a row without an answer, and its session is taken for gone with it.
const GONE_AFTER: u32 = 2;

/// The words said to one session, each once and in order; after `Closed` there is none.
pub(crate) struct Words {
    source: Source,
    last: Option<PublisherWord>,
}

enum Source {
    Here(watch::Receiver<Option<PublisherWord>>),
    There(Box<There>),
}

/// A session of another node.
struct There {
    state: State,
    node: NodeName,
    secret: Uuid,
    events: PublisherEvents,
    ask_at: Instant,
    /// Questions in a row that nobody answered.
    unanswered: u32,
}

/// What can be followed, or why nothing can.
pub(crate) enum Followed {
    Words(Words),
    /// The session has ended or never was; to be passed back.
    Not(ResourceReply),
}

impl Words {
    /// Follows a session. What was said to it last is the first word.
    ///
    /// # Errors
    /// As [`State::resource`]; [`crate::Error::Unavailable`] when the bus does not let its words be heard.
    pub(crate) async fn follow(state: &State, target: &Target) -> Result<Followed, crate::Error> {
        let Some(node) = &target.node else {
            let source = match state.find(target.secret).await {
                Ok(entry) => Source::Here(entry.live.words()),
                Err(error) => return Err(error),
            };
            return Ok(Followed::Words(Self { source, last: None }));
        };
        let asked = || state.resource(target, ResourceMethod::Events, String::new());
        let first = asked().await?;
        let Some(session) = first.session.filter(|_| first.status == 200) else {
            return Ok(Followed::Not(first));
        };
        let heard = state.fabric.bus.hear(session).await;
        let events = heard.map_err(|error| crate::Error::Unavailable(error.to_string()))?;
        let there = There {
            state: state.clone(),
            node: node.clone(),
            secret: target.secret,
            events,
            // At once: between the first answer and now something may have been said that nobody heard.
            ask_at: Instant::now(),
            unanswered: 0,
        };
        Ok(Followed::Words(Self {
            source: Source::There(Box::new(there)),
            last: None,
        }))
    }

    /// The next word; `None` when there will be none: the session has ended, or its node is gone. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<PublisherWord> {
        loop {
            if matches!(self.last, Some(PublisherWord::Closed(_))) {
                return None;
            }
            let word = match &mut self.source {
                Source::Here(words) => {
                    let said = words.borrow_and_update().clone();
                    if said == self.last {
                        // Fails when the session is gone without a last word.
                        words.changed().await.ok()?;
                        continue;
                    }
                    said
                }
                Source::There(there) => there.next().await?,
            };
            // Asked and heard, a word may come twice.
            if word.is_some() && word != self.last {
                self.last.clone_from(&word);
                return word;
            }
        }
    }
}

impl There {
    /// What was heard or answered; the inner `None`: nothing was said yet. `None` when the session is gone.
    async fn next(&mut self) -> Option<Option<PublisherWord>> {
        tokio::select! {
            biased;
            heard = self.events.recv() => heard.map(|event| Some(event.word)),
            () = sleep_until(self.ask_at) => self.ask().await,
        }
    }

    async fn ask(&mut self) -> Option<Option<PublisherWord>> {
        let method = ResourceMethod::Events;
        let asked = self
            .state
            .ask(self.node.clone(), self.secret, method, String::new());
        let answer = asked.await;
        // What was heard while the answer came is older than it.
        if let Some(heard) = self.events.recv().now_or_never() {
            self.ask_at = Instant::now();
            return heard.map(|event| Some(event.word));
        }
        let pause = match answer {
            Ok(reply) => {
                self.unanswered = 0;
                self.ask_at = Instant::now() + ASKED_EVERY;
                return match (reply.status, reply.said) {
                    (200, said) => Some(said),
                    (410, said @ Some(_)) => Some(said),
                    _ => None,
                };
            }
            Err(RequestError::NoOwner) => {
                self.unanswered += 1;
                ASKED_AGAIN
            }
            Err(RequestError::Timeout) => {
                self.unanswered += 1;
                ASKED_EVERY
            }
            // Our own bus is away: that says nothing about the session.
            Err(_) => ASKED_EVERY,
        };
        self.ask_at = Instant::now() + pause;
        (self.unanswered < GONE_AFTER).then_some(None)
    }
}
