//! Asks the owners of streams over NATS: one inbox per question, several answers, and the server's word that nobody is
//! there. Units of the past are asked for in `past`, nodes in `nodes`; what an answer means is the asker's business.

use super::link::{Link, message};
use crate::{Counters, RequestError};
use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;
use tokio::time::timeout;
use weft_wire::{KeyframeRequest, Kick, Message, OwnerInfo, OwnerRequest, StreamName, StreamVerb, Subject};

/// How long an answer, or the next message of one, may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after the first answer another owner is listened for: two own a name only while one of them falls.
const SECOND_OWNER: Duration = Duration::from_millis(50);

pub(super) fn subject(stream: StreamName, verb: StreamVerb) -> String {
    Subject::Stream(stream, verb).to_string()
}

/// A question on its way, and its inbox.
pub(super) struct Question<'a> {
    link: &'a Link,
    answers: Subscriber,
}

impl<'a> Question<'a> {
    pub(super) async fn ask(link: &'a Link, subject: String, payload: Bytes) -> Result<Self, RequestError> {
        if !link.is_up() {
            return Err(link.away().into());
        }
        let inbox = link.client.new_inbox();
        let answers = link.subscribe(inbox.clone()).await?;
        link.send(message(subject, Some(inbox), payload)).await?;
        Ok(Self { link, answers })
    }

    /// The next message of an answer.
    pub(super) async fn next_answer(&mut self, patience: Duration) -> Result<NatsMessage, RequestError> {
        match timeout(patience, self.answers.next()).await {
            Ok(Some(answer)) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                Err(RequestError::NoOwner)
            }
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.link.away().into()),
            Err(_) => {
                Counters::one(&self.link.counters.timeouts);
                Err(RequestError::Timeout)
            }
        }
    }
}

/// Asks each owner to send key units.
pub(super) async fn keyframe(
    link: &Link,
    stream: StreamName,
    request: KeyframeRequest,
) -> Result<(), RequestError> {
    let mut question = Question::ask(link, subject(stream, StreamVerb::Keyframe), request.encode()).await?;
    question.next_answer(PATIENCE).await.map(drop)
}

/// Asks each owner to end.
pub(super) async fn kick(link: &Link, stream: StreamName, kick: Kick) -> Result<(), RequestError> {
    let mut question = Question::ask(link, subject(stream, StreamVerb::Kick), kick.encode()).await?;
    question.next_answer(PATIENCE).await.map(drop)
}

/// Asks who owns the stream; the highest epoch counts.
pub(super) async fn owner(
    link: &Link,
    stream: StreamName,
    request: OwnerRequest,
) -> Result<OwnerInfo, RequestError> {
    let mut question = Question::ask(link, subject(stream, StreamVerb::Owner), request.encode()).await?;
    let mut best: Option<OwnerInfo> = None;
    let first = question.next_answer(PATIENCE).await?;
    let mut read = |answer: &NatsMessage| match OwnerInfo::decode(&answer.payload) {
        Ok(info) if best.as_ref().is_none_or(|best| best.epoch < info.epoch) => best = Some(info),
        Ok(_) => {}
        Err(_) => Counters::one(&link.counters.malformed),
    };
    read(&first);
    let others = async {
        while let Ok(answer) = question.next_answer(PATIENCE).await {
            read(&answer);
        }
    };
    // It is the time that ends the listening.
    let _elapsed = timeout(SECOND_OWNER, others).await;
    best.ok_or(RequestError::Timeout)
}
