//! Descriptions of streams that do not exist yet, of nodes that drain, and what a node reports of itself.
//! Where a newcomer is sent is tested beside `placement`.

use crate::camera::*;
use crate::gate::Gate;
use crate::viewer::*;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members, NodesView, SeenNode};
use weft_egress::{Egress, EgressConfig, HubState};
use weft_rtsp_server::{PlayHandler, Refusal};
use weft_wire::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn memory() -> Arc<dyn Bus> {
    Arc::new(MemoryBus::new())
}

/// An egress whose descriptions wait for ten seconds.
fn patient(bus: &Arc<dyn Bus>) -> Egress {
    let config = EgressConfig {
        describe_timeout: ms(10_000),
        ..EgressConfig::default()
    };
    let members = Members::alone(NodeName::new("egress").unwrap());
    Egress::start(config, bus.clone(), members)
}

#[tokio::test(start_paused = true)]
async fn a_description_waits_for_its_publisher_and_is_answered_as_soon_as_there_is_media() {
    let bus = memory();
    let egress = patient(&bus);
    let waiting = tokio::spawn({
        let egress = egress.clone();
        async move { Viewer::try_join(&egress, &[0, 1]).await }
    });
    sleep(ms(7_300)).await;
    assert_eq!(egress.hubs()[0].state, HubState::Opening);
    assert!(egress.report().is_empty(), "not open yet");
    let began = Instant::now();
    let camera = Camera::start(&bus, Setup::default()).await;
    let mut viewer = waiting.await.unwrap().unwrap();
    assert!(began.elapsed() < ms(300), "{:?}", began.elapsed());
    viewer.watch(1000).await;
    viewer.assert_sound();
    assert_eq!(viewer.numbers(VIDEO)[0], 0, "from the first picture on");
    assert!(viewer.numbers(VIDEO).len() as u64 + 1 >= camera.pictures());
}

#[tokio::test(start_paused = true)]
async fn a_description_waits_no_longer_than_its_own_time_and_leaves_nothing_behind() {
    let bus = memory();
    let egress = patient(&bus);
    let began = Instant::now();
    let first = egress.describe(request());
    let second = async {
        sleep(ms(4_000)).await;
        let refused = egress.describe(request()).await.err();
        (refused, began.elapsed())
    };
    let first = async { (first.await.err(), began.elapsed()) };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first, (Some(Refusal::NotFound), ms(10_000)));
    assert_eq!(second, (Some(Refusal::NotFound), ms(14_000)));
    sleep(ms(10)).await;
    assert!(egress.hubs().is_empty());
    // One that gives up itself leaves nothing behind either.
    assert!(timeout(ms(500), egress.describe(request())).await.is_err());
    sleep(ms(10)).await;
    assert!(egress.hubs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_said_goodbye_is_waited_for_too() {
    let bus = memory();
    let egress = patient(&bus);
    for pause in [1_000, 5_000] {
        let camera = Camera::start(&bus, Setup::default()).await;
        sleep(ms(100)).await;
        let _viewer = Viewer::join(&egress, &[0, 1]).await;
        camera.end(CloseReason::PeerLeft).await;
        sleep(ms(50)).await;
        assert_eq!(egress.hubs()[0].state, HubState::Leaving);
        // Back while its hub still holds the readers, or after that.
        let back = async {
            sleep(ms(pause)).await;
            let setup = Setup {
                revision: 2 + pause,
                session: 2,
                ..Setup::default()
            };
            let camera = Camera::start(&bus, setup).await;
            sleep(ms(3_000)).await;
            camera.end(CloseReason::Kicked).await;
            sleep(ms(100)).await;
        };
        let join = async {
            let mut viewer = Viewer::join(&egress, &[0, 1]).await;
            viewer.watch(1_000).await;
            assert!(viewer.units(VIDEO).len() > 20, "{pause}");
        };
        tokio::join!(back, join);
        sleep(ms(6_000)).await;
        assert!(egress.hubs().is_empty(), "{pause}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_costs_a_question_every_two_seconds_however_many_wait() {
    let gate = Gate::around(memory());
    let bus: Arc<dyn Bus> = gate.clone();
    let egress = patient(&bus);
    let waiting: Vec<_> = (0..2_000)
        .map(|_| {
            let egress = egress.clone();
            tokio::spawn(async move { egress.describe(request()).await.err() })
        })
        .collect();
    let mut refused = [0, 0];
    for waiting in waiting {
        match waiting.await.unwrap().unwrap() {
            Refusal::NotFound => refused[0] += 1,
            Refusal::Unavailable(_) => refused[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, [1_024, 976], "waited, refused at once");
    let asked = gate.owner_asked.load(Relaxed);
    assert!((4..=6).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_still_opening_ends_at_once_when_told_to() {
    let gate = Gate::around(memory());
    gate.shut(true);
    let bus: Arc<dyn Bus> = gate;
    let egress = egress(&bus);
    let waiting = tokio::spawn({
        let egress = egress.clone();
        async move { egress.describe(request()).await.err() }
    });
    sleep(ms(100)).await;
    assert_eq!(egress.hubs().len(), 1);
    let began = Instant::now();
    egress.shutdown(CloseReason::Shutdown).await;
    assert_eq!(began.elapsed(), ms(0));
    assert!(matches!(waiting.await.unwrap(), Some(Refusal::Unavailable(_))));
    assert!(egress.hubs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_draining_egress_keeps_its_readers_and_takes_no_others() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut viewer = Viewer::join(&egress, &[0, 1]).await;
    let described = egress.describe(request()).await.unwrap();
    egress.drain();
    let refused = egress.describe(request()).await.err();
    assert!(matches!(refused, Some(Refusal::Unavailable(_))), "{refused:?}");
    // Whoever holds a description already was promised the stream.
    assert!(described.join(spec(&[0])).await.is_ok());
    viewer.watch(20_000).await;
    assert!(run(&viewer.numbers(VIDEO)) && viewer.closed().is_none());
    egress.shutdown(CloseReason::Shutdown).await;
    assert_eq!(viewer.drain().closed().unwrap().1, CloseReason::Shutdown);
    assert_eq!(egress.readers(), 1, "the test still holds its end");
    drop(viewer);
    assert_eq!(egress.readers(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_report_names_each_reader_and_one_can_be_closed_by_its_name() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let egress = egress(&bus);
    let mut first = Viewer::join(&egress, &[0, 1]).await;
    let mut second = Viewer::join(&egress, &[0]).await;
    first.watch(500).await;
    first.reader.sent(7, 7_000);
    let report = egress.report();
    assert_eq!(report.len(), 1);
    let hub = &report[0];
    assert_eq!(
        (hub.stream.as_str(), hub.ready, hub.bytes_sent),
        ("exam/1", true, 7_000)
    );
    assert_eq!(hub.epoch.revision, 1);
    assert_eq!(hub.readers.len(), 2);
    let reader = &hub.readers[0];
    assert_eq!(
        (reader.packets, reader.bytes, reader.kind.as_str()),
        (7, 7_000, "rtspSession")
    );
    assert_eq!(reader.remote, "127.0.0.1:5000");
    assert!(reader.since > 1_600_000_000_000_000);
    assert!(egress.close_reader(reader.session, CloseReason::Kicked));
    assert!(
        !egress.close_reader(reader.session, CloseReason::Kicked),
        "it was closed before"
    );
    assert!(!egress.close_reader(SessionId([0; 16]), CloseReason::Kicked));
    assert_eq!(first.drain().closed().unwrap().1, CloseReason::Kicked);
    drop(first);
    second.watch(500).await;
    assert!(second.closed().is_none());
    let left = &egress.report()[0];
    assert_eq!((left.readers.len(), left.bytes_sent), (1, 7_000));
}

#[tokio::test(start_paused = true)]
async fn key_units_are_asked_for_once_however_many_readers_wait() {
    let bus = memory();
    let setup = Setup {
        gop: 1_000,
        obeys: false,
        ..Setup::default()
    };
    let camera = Camera::start(&bus, setup).await;
    sleep(ms(11_000)).await;
    let egress = egress(&bus);
    let viewers = futures::future::join_all((0..50).map(|_| Viewer::join(&egress, &[0, 1]))).await;
    sleep(ms(2_000)).await;
    let urgent = camera.wishes().iter().filter(|w| w.now).count();
    assert!((4..=8).contains(&urgent), "{urgent} in some 3 s");
    drop(viewers);
    sleep(ms(100)).await;
    let asked = camera.wishes().len();
    sleep(ms(20_000)).await;
    assert_eq!(camera.wishes().len(), asked, "nobody reads, nobody asks");
}

#[tokio::test(start_paused = true)]
async fn a_full_egress_moves_newcomers_even_to_a_stream_that_is_open_here() {
    let bus = memory();
    let _camera = Camera::start(&bus, Setup::default()).await;
    sleep(ms(100)).await;
    let own = Members::alone(NodeName::new("egress").unwrap()).own();
    let mut record = own.clone();
    record.role = NodeRole::Egress;
    record.addresses.rtsp = "[::1]:8554".into();
    let heard = Instant::now();
    let other = (NodeName::new("other").unwrap(), SeenNode { record, heard });
    let view = NodesView {
        nodes: [other].into(),
        as_of: Some(heard),
    };
    let (_keep, view) = tokio::sync::watch::channel(Arc::new(view));
    let describe = Arc::new(move || own.clone());
    let members = Members::seeing(NodeName::new("egress").unwrap(), describe, view);
    let config = EgressConfig {
        max_readers: 1,
        ..EgressConfig::default()
    };
    let egress = Egress::start(config, bus, members);
    let viewer = Viewer::join(&egress, &[0]).await;
    let mut asked = request();
    asked.query = Some("token=x".into());
    let moved = Refusal::Moved("rtsp://[::1]:8554/exam/1?token=x".into());
    assert_eq!(egress.describe(asked).await.err(), Some(moved));
    assert_eq!(egress.counters().readers_moved.load(Relaxed), 1);
    drop(viewer);
    assert!(
        Viewer::try_join(&egress, &[0]).await.is_ok(),
        "there is room again"
    );
}
