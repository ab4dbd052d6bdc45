//! Answers the questions that come to a stream's owner over NATS, one after the other, on the connection that carries its
//! media: so an answer and the live units after it keep their order. What the answers say is the owner's business.

use super::link::{Link, message};
use super::publish::Publisher;
use crate::packing::Packing;
use crate::{Counters, StreamOwner};
use async_nats::{Message as Question, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use weft_wire::{KeyframeRequest, Kick, Message, StreamVerb, Subject, UnitsRequest};

/// Units of the past are packed into messages of about this size: a long answer must not fill the queue that live media
/// goes through.
const ANSWER_BYTES: usize = 256 * 1024;
/// Long answers go out at 1 Gbit/s: a server drops for an asker from half of its `max_pending` on.
const BURST_BYTES: usize = 1024 * 1024;
const BETWEEN_BURSTS: Duration = Duration::from_millis(8);

/// Answers until the subscription ends.
pub(super) async fn answer(
    mut questions: Subscriber,
    owner: Arc<dyn StreamOwner>,
    publisher: Arc<Publisher>,
    link: Arc<Link>,
) {
    while let Some(question) = questions.next().await {
        let Some(verb) = Subject::stream_verb(&question.subject) else {
            Counters::one(&link.counters.malformed);
            continue;
        };
        let answered = match verb {
            StreamVerb::Units => units(&question, owner.as_ref(), &publisher, &link).await,
            StreamVerb::Keyframe => match KeyframeRequest::decode(&question.payload) {
                Ok(request) => {
                    owner.keyframe(request);
                    reply(&question, &link, Bytes::new()).await
                }
                Err(_) => None,
            },
            StreamVerb::Owner => reply(&question, &link, owner.owner().encode()).await,
            StreamVerb::Kick => match Kick::decode(&question.payload) {
                Ok(kick) => {
                    owner.kick(kick);
                    reply(&question, &link, Bytes::new()).await
                }
                Err(_) => None,
            },
        };
        if answered.is_none() {
            Counters::one(&link.counters.malformed);
        }
    }
}

/// `None` when the question could not be read.
async fn units(
    question: &Question,
    owner: &dyn StreamOwner,
    publisher: &Publisher,
    link: &Link,
) -> Option<()> {
    let request = UnitsRequest::decode(&question.payload).ok()?;
    let inbox = question.reply.as_ref()?.to_string();
    // First wanted, then asked: a unit made meanwhile is in the answer, or published, or both.
    publisher.wake(&link.counters, request.key_only);
    let answer = owner.units(&request);
    Counters::one(&link.counters.units_answered);
    let packing = Packing::new(link.client.max_payload(), ANSWER_BYTES);
    let mut messages: Vec<Bytes> = Vec::new();
    for batch in answer.batches.iter().filter(|b| !b.units.is_empty()) {
        packing.messages(batch, |payload| {
            messages.push(payload);
            true
        });
    }
    messages.push(answer.end.encode());
    let mut burst = 0;
    for payload in messages {
        burst += payload.len();
        if burst > BURST_BYTES {
            burst = payload.len();
            sleep(BETWEEN_BURSTS).await;
        }
        // The rest of an answer that cannot be sent is of no use: the asker asks again.
        if link.answer(message(inbox.clone(), None, payload)).await.is_err() {
            break;
        }
    }
    Some(())
}

async fn reply(question: &Question, link: &Link, payload: Bytes) -> Option<()> {
    if let Some(inbox) = &question.reply {
        // A reply that cannot be sent shows as a timeout at the asker.
        drop(link.answer(message(inbox.to_string(), None, payload)).await);
    }
    Some(())
}
