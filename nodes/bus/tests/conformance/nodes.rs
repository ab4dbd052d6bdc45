//! Cases about questions between nodes and words to publishers: they reach who is meant and nobody else, in order, and
//! one that is not there, or does not answer, costs the asker no more than its patience.

use crate::fixture::Fixture;
use futures::future::{BoxFuture, join_all};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use weft_bus::{Bus, NodeReply, NodeRequest, NodeService, PublisherEvents, RequestError};
use weft_wire::{
    CloseReason, CloseReply, CloseRequest, DrainReply, DrainRequest, NodeName, NodeReport, OfferReply,
    OfferRequest, PublisherEvent, PublisherWord, ReportRequest, ResourceMethod, ResourceReply,
    ResourceRequest, SessionId, SessionSecret, StreamName,
};

const PATIENCE: Duration = Duration::from_secs(2);

/// Answers with what tells one node from another, and keeps what it was asked.
#[derive(Default)]
pub(crate) struct Clerk {
    number: u32,
    asked: Mutex<Vec<NodeRequest>>,
}

impl Clerk {
    pub(crate) fn new(number: u32) -> Arc<Self> {
        Arc::new(Self {
            number,
            ..Self::default()
        })
    }

    pub(crate) fn asked(&self) -> Vec<NodeRequest> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn reply(number: u32, request: &NodeRequest) -> NodeReply {
    match request {
        NodeRequest::Offer(offer) => NodeReply::Offer(OfferReply {
            status: 201,
            body: offer.offer.clone(),
            session: Some(session(number as u8)),
            secret: None,
        }),
        NodeRequest::Resource(resource) => NodeReply::Resource(ResourceReply {
            status: 200,
            content_type: String::new(),
            etag: String::new(),
            body: resource.body.clone(),
            session: None,
            stream: None,
            said: Some(PublisherWord::Closed(CloseReason::Kicked)),
        }),
        NodeRequest::Close(_) => NodeReply::Close(CloseReply { found: number == 1 }),
        NodeRequest::Report(_) => NodeReply::Report(NodeReport {
            next: Some(number),
            ..NodeReport::default()
        }),
        NodeRequest::Demand(_) => NodeReply::Demand(weft_wire::DemandReply { taken: true }),
        NodeRequest::Drain(_) => NodeReply::Drain(DrainReply {
            publishers: number,
            readers: 0,
        }),
    }
}

impl NodeService for Clerk {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        let reply = reply(self.number, &request);
        self.asked.lock().unwrap().push(request);
        Box::pin(std::future::ready(reply))
    }
}

pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

pub(crate) fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

fn offer(bytes: usize) -> NodeRequest {
    NodeRequest::Offer(OfferRequest {
        node: node("asker"),
        stream: StreamName::new("exam.1/cam").unwrap(),
        principal: String::new(),
        client: "192.0.2.1:5000".into(),
        query: "a=b".into(),
        user_agent: String::new(),
        offer: "v".repeat(bytes),
        moves: None,
    })
}

pub(crate) fn report() -> NodeRequest {
    NodeRequest::Report(ReportRequest::default())
}

fn one_of_each() -> [NodeRequest; 5] {
    [
        offer(2000),
        NodeRequest::Resource(ResourceRequest {
            node: node("asker"),
            secret: SessionSecret([7; 16]),
            method: ResourceMethod::Events,
            body: "b".into(),
        }),
        NodeRequest::Close(CloseRequest {
            node: node("asker"),
            session: session(3),
            reason: CloseReason::Kicked,
        }),
        report(),
        NodeRequest::Drain(DrainRequest {
            node: node("asker"),
            timeout_ms: 5000,
        }),
    ]
}

pub(crate) async fn a_question_reaches_the_node_and_only_it(on: Fixture) {
    // Names of which one begins the other, and with what subjects give a meaning to.
    let (one, two) = (Clerk::new(1), Clerk::new(2));
    let _one = on.publisher.serve(node("n.1"), one.clone()).await.unwrap();
    let _two = on.reader.serve(node("n.1.x"), two.clone()).await.unwrap();
    for request in one_of_each() {
        for asker in [&on.reader, &on.publisher] {
            let answer = asker.ask(node("n.1"), request.clone(), PATIENCE).await.unwrap();
            assert_eq!(answer, reply(1, &request));
        }
    }
    let doubled: Vec<_> = one_of_each().into_iter().flat_map(|r| [r.clone(), r]).collect();
    assert_eq!(one.asked(), doubled);
    assert_eq!(two.asked(), []);
    let answer = on.publisher.ask(node("n.1.x"), report(), PATIENCE).await.unwrap();
    assert_eq!(answer, reply(2, &report()));
}

pub(crate) async fn that_there_is_no_such_node_is_known_at_once(on: Fixture) {
    let serving = on.publisher.serve(node("n"), Clerk::new(1)).await.unwrap();
    on.reader.ask(node("n"), report(), PATIENCE).await.unwrap();
    drop(serving);
    on.publisher.flush().await;
    for name in ["n", "never"] {
        let start = Instant::now();
        let answer = on.reader.ask(node(name), report(), Duration::from_secs(20)).await;
        assert!(matches!(answer, Err(RequestError::NoOwner)), "{answer:?}");
        assert!(
            start.elapsed() < Duration::from_millis(300),
            "{:?}",
            start.elapsed()
        );
    }
}

/// Begins to answer each question and ends when it is let.
struct Slow {
    begun: AtomicUsize,
    go: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            go: Arc::new(Semaphore::new(0)),
        })
    }

    async fn begun(&self, count: usize) {
        let all = async {
            while self.begun.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), all).await.expect("asked");
    }
}

impl NodeService for Slow {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let go = self.go.clone();
        Box::pin(async move {
            go.acquire().await.unwrap().forget();
            reply(9, &request)
        })
    }
}

pub(crate) async fn a_service_that_hangs_costs_the_askers_patience_and_holds_up_no_other_question(
    on: Fixture,
) {
    let slow = Slow::new();
    let _slow = on.publisher.serve(node("slow"), slow.clone()).await.unwrap();
    let _quick = on.publisher.serve(node("quick"), Clerk::new(1)).await.unwrap();
    let patience = Duration::from_millis(250);
    let start = Instant::now();
    let (hung, quick) = tokio::join!(
        on.reader.ask(node("slow"), report(), patience),
        on.reader.ask(node("quick"), report(), patience),
    );
    let took = start.elapsed();
    assert!(matches!(hung, Err(RequestError::Timeout)), "{hung:?}");
    assert!(quick.is_ok(), "{quick:?}");
    assert!((patience..patience * 3).contains(&took), "{took:?}");
    // The second question to the hanging service is begun although the first one hangs.
    let second = on.reader.ask(node("slow"), report(), PATIENCE);
    let second = async {
        tokio::join!(second, async {
            slow.begun(2).await;
            slow.go.add_permits(2)
        })
        .0
    };
    assert_eq!(second.await.unwrap(), reply(9, &report()));
}

/// Panics at the first question.
struct Clumsy(AtomicUsize);

impl NodeService for Clumsy {
    fn answer(&self, request: NodeRequest) -> BoxFuture<'static, NodeReply> {
        assert!(
            self.0.fetch_add(1, Ordering::SeqCst) > 0,
            "a fault of the test's own"
        );
        Box::pin(std::future::ready(reply(1, &request)))
    }
}

pub(crate) async fn a_service_that_panics_answers_the_next_question(on: Fixture) {
    let clumsy = Arc::new(Clumsy(AtomicUsize::new(0)));
    let _serving = on.publisher.serve(node("n"), clumsy).await.unwrap();
    let first = on
        .reader
        .ask(node("n"), report(), Duration::from_millis(200))
        .await;
    assert!(matches!(first, Err(RequestError::Timeout)), "{first:?}");
    on.reader.ask(node("n"), report(), PATIENCE).await.unwrap();
}

pub(crate) async fn of_seventy_questions_at_once_six_are_left_and_counted(on: Fixture) {
    let slow = Slow::new();
    let _serving = on.publisher.serve(node("n"), slow.clone()).await.unwrap();
    let overflow = || on.publisher.counters().node_overflow.load(Ordering::SeqCst);
    let patience = Duration::from_secs(3);
    let asked = join_all((0..70).map(|_| on.reader.ask(node("n"), report(), patience)));
    let let_go = async {
        slow.begun(64).await;
        let left = async {
            while overflow() < 6 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(2), left).await.expect("six are left");
        slow.go.add_permits(64);
    };
    let (answers, ()) = tokio::join!(asked, let_go);
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 64);
    let timeouts = answers.iter().filter(|a| matches!(a, Err(RequestError::Timeout)));
    assert_eq!(timeouts.count(), 6);
    assert_eq!((overflow(), slow.begun.load(Ordering::SeqCst)), (6, 64));
    // The places are free again.
    slow.go.add_permits(1);
    on.reader.ask(node("n"), report(), PATIENCE).await.unwrap();
    // An answer is counted a moment after it was sent.
    let counted = async {
        while counted(&on) != (71, 65, 6) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        timeout(PATIENCE, counted).await.is_ok(),
        "asked, answered, unanswered: {:?}",
        self::counted(&on)
    );
}

/// Asked, answered and left without answer, on both nodes together.
fn counted(on: &Fixture) -> (u64, u64, u64) {
    let (asker, answerer) = (on.reader.counters(), on.publisher.counters());
    (
        asker.node_asked.load(Ordering::SeqCst),
        answerer.node_answered.load(Ordering::SeqCst),
        asker.node_unanswered.load(Ordering::SeqCst),
    )
}

pub(crate) async fn offers_of_100_kib_pass_both_ways(on: Fixture) {
    let clerk = Clerk::new(1);
    let _serving = on.publisher.serve(node("n"), clerk.clone()).await.unwrap();
    let request = offer(100 * 1024);
    let answer = on.reader.ask(node("n"), request.clone(), PATIENCE).await.unwrap();
    assert_eq!(answer, reply(1, &request));
    assert_eq!(clerk.asked(), [request]);
}

pub(crate) fn word(session: SessionId, number: usize) -> PublisherEvent {
    PublisherEvent {
        session,
        word: PublisherWord::Move(format!("/exam/whip?moves=n.{number}")),
    }
}

pub(crate) async fn next(events: &mut PublisherEvents) -> PublisherEvent {
    timeout(PATIENCE, events.recv())
        .await
        .expect("a word in time")
        .unwrap()
}

pub(crate) async fn a_word_reaches_who_listens_to_that_publisher_in_order(on: Fixture) {
    let (mine, other) = (session(1), session(2));
    let mut here = on.publisher.hear(mine).await.unwrap();
    let mut there = on.reader.hear(mine).await.unwrap();
    let mut another = on.reader.hear(other).await.unwrap();
    for number in 0..10 {
        on.publisher.tell(word(mine, number));
    }
    let closed = PublisherEvent {
        session: mine,
        word: PublisherWord::Closed(CloseReason::TakenOver),
    };
    on.publisher.tell(closed.clone());
    for events in [&mut here, &mut there] {
        for number in 0..10 {
            assert_eq!(next(events).await, word(mine, number));
        }
        assert_eq!(next(events).await, closed);
    }
    on.publisher.tell(word(other, 99));
    assert_eq!(
        next(&mut another).await,
        word(other, 99),
        "nothing of the other came before"
    );
    drop(there);
    on.publisher.tell(word(mine, 11));
    assert_eq!(
        next(&mut here).await,
        word(mine, 11),
        "who leaves takes nothing from who stays"
    );
}

pub(crate) async fn words_that_nobody_takes_are_dropped_from_the_newest(on: Fixture) {
    let mut events = on.reader.hear(session(1)).await.unwrap();
    let heard = |bus: &Arc<dyn Bus>| {
        let counters = bus.counters();
        counters.events_heard.load(Ordering::SeqCst) + counters.events_dropped.load(Ordering::SeqCst)
    };
    for number in 0..40 {
        on.publisher.tell(word(session(1), number));
    }
    let all = async {
        while heard(&on.reader) < 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("all of them came");
    for number in 0..16 {
        assert_eq!(next(&mut events).await, word(session(1), number));
    }
    on.publisher.tell(word(session(1), 40));
    assert_eq!(next(&mut events).await, word(session(1), 40));
}

pub(crate) async fn telling_nobody_is_no_error(on: Fixture) {
    on.publisher.tell(word(session(1), 0));
    on.publisher.flush().await;
    let mut late = on.reader.hear(session(1)).await.unwrap();
    on.publisher.tell(word(session(1), 1));
    assert_eq!(
        next(&mut late).await,
        word(session(1), 1),
        "what was said before is not heard"
    );
}
