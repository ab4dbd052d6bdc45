//! Asks the owners of streams over NATS: one inbox per question, several answers, and the server's word that nobody is
//! there. Which of several owners counts is decided here; what the answer means is the asker's business.

use super::feed::Reassembly;
use super::link::{Link, message};
use crate::{Counters, RequestError, UnitsAnswer};
use async_nats::{Message as NatsMessage, StatusCode, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;
use tokio::time::timeout;
use weft_wire::{
    Epoch, KeyframeRequest, Kick, Message, OwnerInfo, OwnerRequest, SessionId, StreamName, StreamVerb,
    Subject, UnitBatch, UnitsReply, UnitsRequest,
};

/// How long an answer, or the next message of one, may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after the first answer another owner is listened for: two own a name only while one of them falls.
const SECOND_OWNER: Duration = Duration::from_millis(50);

/// A question on its way, and its inbox.
struct Question<'a> {
    link: &'a Link,
    answers: Subscriber,
}

impl<'a> Question<'a> {
    async fn ask(
        link: &'a Link,
        stream: StreamName,
        verb: StreamVerb,
        payload: Bytes,
    ) -> Result<Self, RequestError> {
        if !link.is_up() {
            return Err(link.away().into());
        }
        let inbox = link.client.new_inbox();
        let answers = link.subscribe(inbox.clone()).await?;
        let subject = Subject::Stream(stream, verb).to_string();
        link.send(message(subject, Some(inbox), payload)).await?;
        Ok(Self { link, answers })
    }

    async fn answer(&mut self, patience: Duration) -> Result<NatsMessage, RequestError> {
        match timeout(patience, self.answers.next()).await {
            Ok(Some(answer)) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                Err(RequestError::NoOwner)
            }
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.link.away().into()),
            Err(_) => Err(RequestError::Timeout),
        }
    }

    async fn first_answer(&mut self) -> Result<NatsMessage, RequestError> {
        let answer = self.answer(PATIENCE).await;
        if matches!(answer, Err(RequestError::Timeout)) {
            Counters::one(&self.link.counters.timeouts);
        }
        answer
    }
}

/// Asks each owner to send key units.
pub(super) async fn keyframe(
    link: &Link,
    stream: StreamName,
    request: KeyframeRequest,
) -> Result<(), RequestError> {
    let mut question = Question::ask(link, stream, StreamVerb::Keyframe, request.encode()).await?;
    question.first_answer().await.map(drop)
}

/// Asks each owner to end.
pub(super) async fn kick(link: &Link, stream: StreamName, kick: Kick) -> Result<(), RequestError> {
    let mut question = Question::ask(link, stream, StreamVerb::Kick, kick.encode()).await?;
    question.first_answer().await.map(drop)
}

/// Asks who owns the stream; the highest epoch counts.
pub(super) async fn owner(
    link: &Link,
    stream: StreamName,
    request: OwnerRequest,
) -> Result<OwnerInfo, RequestError> {
    let mut question = Question::ask(link, stream, StreamVerb::Owner, request.encode()).await?;
    let mut best: Option<OwnerInfo> = None;
    let first = question.first_answer().await?;
    let mut read = |answer: &NatsMessage| match OwnerInfo::decode(&answer.payload) {
        Ok(info) if best.as_ref().is_none_or(|best| best.epoch < info.epoch) => best = Some(info),
        Ok(_) => {}
        Err(_) => Counters::one(&link.counters.malformed),
    };
    read(&first);
    let others = async {
        while let Ok(answer) = question.answer(PATIENCE).await {
            read(&answer);
        }
    };
    // It is the time that ends the listening.
    let _elapsed = timeout(SECOND_OWNER, others).await;
    best.ok_or(RequestError::Timeout)
}

/// Asks for units of the past. Of two owners' answers the one of the higher epoch counts.
pub(super) async fn units(
    link: &Link,
    stream: StreamName,
    request: UnitsRequest,
) -> Result<UnitsAnswer, RequestError> {
    Counters::one(&link.counters.units_asked);
    let mut question = Question::ask(link, stream, StreamVerb::Units, request.encode()).await?;
    let mut reassembly = Reassembly::new(link.counters.clone());
    let mut batches: Vec<UnitBatch> = Vec::new();
    let mut highest: Option<(SessionId, Epoch)> = None;
    loop {
        let answer = question.first_answer().await?;
        match UnitsReply::decode(&answer.payload) {
            Ok(UnitsReply::Units(batch, parts)) => {
                if highest.is_none_or(|(_, epoch)| epoch < batch.epoch) {
                    highest = Some((batch.session, batch.epoch));
                }
                batches.extend(reassembly.batch(batch, &parts));
            }
            // An end of an owner that another one outranks is not the end.
            Ok(UnitsReply::End(end)) if highest.is_some_and(|(_, epoch)| epoch > end.epoch) => {}
            Ok(UnitsReply::End(end)) => {
                batches.retain(|b| b.session == end.session);
                return Ok(UnitsAnswer { batches, end });
            }
            Err(_) => Counters::one(&link.counters.malformed),
        }
    }
}
