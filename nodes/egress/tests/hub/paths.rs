//! What the configuration's paths say to readers: names that none means, redirects, waiting on demand, limits of one path.
//! Who may read is decided before the hubs are asked.

use crate::camera::*;
use crate::viewer::*;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use weft_bus::memory::MemoryBus;
use weft_bus::{Bus, Members};
use weft_config::{Config, Live, OnDemand, PathConf, Paths, Pattern, Source};
use weft_egress::{Egress, EgressConfig};
use weft_rtsp_server::{PlayHandler, Refusal};
use weft_wire::*;

fn egress_of(bus: &Arc<dyn Bus>, path: PathConf) -> Egress {
    let config = EgressConfig {
        settings: Live::fixed(Config {
            paths: Paths::new(vec![path]),
            ..Config::default()
        }),
        ..EgressConfig::default()
    };
    let members = Members::alone(NodeName::new("egress").unwrap());
    Egress::start(config, bus.clone(), members)
}

fn memory() -> Arc<dyn Bus> {
    Arc::new(MemoryBus::new())
}

fn refused(words: &str) -> Option<Refusal> {
    Some(Refusal::Refused(words.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_path_means_is_refused_though_somebody_publishes_it() {
    let bus = memory();
    let egress = egress_of(&bus, PathConf::named("other"));
    let _camera = Camera::start(&bus, Setup::default()).await;
    let words = format!("path '{}' is not configured", name());
    assert_eq!(egress.describe(request()).await.err(), refused(&words));
    assert_eq!(egress.hub_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_redirect_are_sent_there() {
    let path = PathConf {
        pattern: Some(Pattern::new("^(.)").unwrap()),
        source: Source::Redirect("rtsp://else.where/$G1/live".to_owned()),
        ..PathConf::named("~^(.)")
    };
    let egress = egress_of(&memory(), path);
    let url = format!("rtsp://else.where/{}/live", &name().as_str()[..1]);
    assert_eq!(egress.describe(request()).await.err(), Some(Refusal::Moved(url)));
}

#[tokio::test(start_paused = true)]
async fn on_demand_a_description_waits_for_its_publisher_and_in_vain_as_long_as_the_path_says() {
    let bus = memory();
    let path = PathConf {
        on_demand: OnDemand::Wait,
        on_demand_start_timeout: Duration::from_secs(6),
        ..PathConf::named("all_others")
    };
    let egress = egress_of(&bus, path);
    assert_eq!(egress.patience(&name()), Duration::from_secs(6));
    let began = Instant::now();
    let words = format!("source of path '{}' has timed out", name());
    assert_eq!(egress.describe(request()).await.err(), refused(&words));
    assert_eq!(began.elapsed(), Duration::from_secs(6));
    let came = async {
        sleep(Duration::from_secs(5)).await;
        Camera::start(&bus, Setup::default()).await
    };
    let (joined, _camera) = tokio::join!(Viewer::try_join(&egress, &[0, 1]), came);
    joined.expect("there is a publisher");
}

#[tokio::test(start_paused = true)]
async fn a_path_takes_as_many_readers_as_it_says() {
    let bus = memory();
    let path = PathConf {
        max_readers: 2,
        ..PathConf::named("all_others")
    };
    let egress = egress_of(&bus, path);
    let _camera = Camera::start(&bus, Setup::default()).await;
    let full = refused("maximum reader count reached");
    // Described while there was a place: the limit counts those who play.
    let early = egress.describe(request()).await.unwrap();
    let first = Viewer::join(&egress, &[0, 1]).await;
    let _second = Viewer::join(&egress, &[0, 1]).await;
    assert_eq!(egress.describe(request()).await.err(), full);
    assert_eq!(early.join(spec(&[0, 1])).await.err(), full);
    drop(first);
    sleep(Duration::from_millis(10)).await;
    Viewer::join(&egress, &[0, 1]).await;
}

/// Notes what it is asked.
#[derive(Default)]
struct Ingest(std::sync::Mutex<Vec<(Instant, bool)>>);

impl weft_bus::NodeService for Ingest {
    fn answer(
        &self,
        request: weft_bus::NodeRequest,
    ) -> futures::future::BoxFuture<'static, weft_bus::NodeReply> {
        let weft_bus::NodeRequest::Demand(request) = request else {
            panic!("asked for something else: {request:?}");
        };
        assert_eq!(request.query, "a=1", "without secrets");
        self.0.lock().unwrap().push((Instant::now(), request.over));
        Box::pin(async { weft_bus::NodeReply::Demand(DemandReply { taken: true }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_demand_is_asked_for_every_two_seconds_and_given_back_once_nobody_waits() {
    let bus = memory();
    let path = PathConf {
        on_demand: OnDemand::Run(weft_config::Command {
            line: "publish".to_owned(),
            restart: false,
        }),
        on_demand_start_timeout: Duration::from_secs(9),
        ..PathConf::named("all_others")
    };
    let egress = egress_of(&bus, path);
    let ingest = Arc::<Ingest>::default();
    // Alone it is in charge of everything itself.
    let node = NodeName::new("egress").unwrap();
    let _serving = bus.serve(node, ingest.clone()).await.unwrap();
    let asked = weft_rtsp_server::DescribeRequest {
        query: Some("a=1&jwt=secret".to_owned()),
        ..request()
    };
    let began = Instant::now();
    assert!(egress.describe(asked).await.is_err());
    sleep(Duration::from_secs(20)).await;
    let said = ingest.0.lock().unwrap().clone();
    let times: Vec<u64> = said.iter().map(|(at, _)| (*at - began).as_secs()).collect();
    assert_eq!(times, [0, 2, 4, 6, 8, 9], "{said:?}");
    let over: Vec<bool> = said.iter().map(|(_, over)| *over).collect();
    assert_eq!(over, [false, false, false, false, false, true]);
}
