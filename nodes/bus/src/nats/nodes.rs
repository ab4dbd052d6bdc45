//! Questions between nodes and words to publishers over NATS, all on the control connection: none waits behind media.
//! What a node answers is its service's business.

use super::link::{Link, message};
use super::request::Question;
use crate::desk::Desk;
use crate::subscription::Guard;
use crate::throttle::Throttle;
use crate::{Counters, Error, NodeReply, NodeRequest, NodeService, PublisherEvents, RequestError, Serving};
use async_nats::{Message as NatsMessage, Subscriber};
use futures::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use weft_wire::{Message, NodeName, PublisherEvent, SessionId, Subject};

/// An answer too large is told this often at most.
const LOG_PERIOD: Duration = Duration::from_secs(30);

pub(super) async fn serve(
    link: Arc<Link>,
    node: NodeName,
    service: Arc<dyn NodeService>,
) -> Result<Serving, Error> {
    let questions = link.subscribe(Subject::AllNode(node).to_string()).await?;
    link.round_trip().await;
    let desk = Desk::open(service, link.counters.clone());
    let task = tokio::spawn(take_questions(questions, desk, link));
    Ok(Serving {
        _guard: Guard::new(move || task.abort()),
    })
}

async fn take_questions(mut questions: Subscriber, desk: Desk, link: Arc<Link>) {
    let say_large = Arc::new(Mutex::new(Throttle::new(LOG_PERIOD)));
    while let Some(question) = questions.next().await {
        let Some((request, inbox)) = read(&question) else {
            Counters::one(&link.counters.malformed);
            continue;
        };
        let verb = request.verb();
        let (link, say_large) = (link.clone(), say_large.clone());
        desk.take(request, async move |reply| {
            let (payload, most) = (reply.encode(), link.client.max_payload());
            if payload.len() > most {
                if say_large.lock().unwrap_or_else(PoisonError::into_inner).allow() {
                    tracing::warn!(
                        question = verb.token(),
                        bytes = payload.len(),
                        max_payload = most,
                        "an answer to another node is larger than what NATS takes; not answered"
                    );
                }
                return false;
            }
            link.answer(message(inbox, None, payload)).await.is_ok()
        });
    }
}

fn read(question: &NatsMessage) -> Option<(NodeRequest, String)> {
    let verb = Subject::node_verb(&question.subject)?;
    let request = NodeRequest::decode(verb, &question.payload).ok()?;
    Some((request, question.reply.as_ref()?.to_string()))
}

pub(super) async fn ask(
    link: &Link,
    node: NodeName,
    request: NodeRequest,
    patience: Duration,
) -> Result<NodeReply, RequestError> {
    Counters::one(&link.counters.node_asked);
    let until = Instant::now() + patience;
    let verb = request.verb();
    let subject = Subject::Node(node, verb).to_string();
    let answer = async {
        let mut question = Question::ask(link, subject, request.encode()).await?;
        loop {
            let answer = question.next_answer(patience).await?;
            match NodeReply::decode(verb, &answer.payload) {
                Ok(reply) => return Ok(reply),
                Err(_) => Counters::one(&link.counters.malformed),
            }
        }
    };
    let answer = timeout_at(until, answer).await.unwrap_or_else(|_| {
        Counters::one(&link.counters.timeouts);
        Err(RequestError::Timeout)
    });
    if answer.is_err() {
        Counters::one(&link.counters.node_unanswered);
    }
    answer
}

pub(super) fn tell(link: &Link, event: &PublisherEvent) {
    let subject = Subject::Publisher(event.session).to_string();
    // overflow: DROPS the word; who holds the events channel asks again every so often.
    let told = link.feed(&mut link.client.clone(), message(subject, None, event.encode()));
    Counters::one(match told {
        Ok(()) => &link.counters.events_told,
        Err(_) => &link.counters.events_dropped,
    });
}

pub(super) async fn hear(link: Arc<Link>, session: SessionId) -> Result<PublisherEvents, Error> {
    let mut words = link.subscribe(Subject::Publisher(session).to_string()).await?;
    link.round_trip().await;
    let (queue, receiver) = mpsc::channel(PublisherEvents::QUEUE);
    let task = tokio::spawn(async move {
        while let Some(word) = words.next().await {
            let counter = match PublisherEvent::decode(&word.payload) {
                // overflow: DROPS the newest.
                Ok(event) if event.session == session => match queue.try_send(event) {
                    Ok(()) => &link.counters.events_heard,
                    Err(_) => &link.counters.events_dropped,
                },
                _ => &link.counters.malformed,
            };
            Counters::one(counter);
        }
    });
    Ok(PublisherEvents {
        receiver,
        _guard: Guard::new(move || task.abort()),
    })
}
