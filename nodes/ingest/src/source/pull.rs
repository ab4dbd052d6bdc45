//! Keeps one source coming: connects, hands its packets to a session like any publisher's, and connects anew after a pause
//! when it ends. Only one node does so for a stream, because only one session holds its name, and a pull replaces nobody.

use super::camera::{Address, Camera, shown};
use super::tickets::{Order, Tickets};
use crate::claim;
use crate::error::Error;
use crate::live::Client;
use crate::messages::Publish;
use crate::ownership::Fabric;
use crate::sessions::Sessions;
use crate::steer::Peer;
use actix::Addr;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use weft_bus::BusState;
use weft_rtc::{Feedback, MediaReceiver, PeerAddresses};
use weft_wire::{CloseReason, StreamName};

/// Pauses before it is tried again: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// After somebody has ended it by hand, or while another session has the name.
const PAUSE_LONG: Duration = Duration::from_secs(5);
/// Media for so long is a success: the next pause is the first again.
const WELL: Duration = Duration::from_secs(10);
/// The source's time to answer all of its requests.
const ANSWER: Duration = Duration::from_secs(10);
/// Cut off from the bus for so long, this node must believe that another one pulls by now.
const CUT_OFF: Duration = Duration::from_secs(4);

/// What a pull needs.
pub(crate) struct Pull {
    pub(crate) stream: StreamName,
    pub(crate) address: Address,
    pub(crate) fabric: Fabric,
    pub(crate) sessions: Addr<Sessions>,
    pub(crate) tickets: Arc<Tickets>,
}

/// Why a source is not coming any more.
enum Ended {
    /// It is not wanted any more.
    Over,
    /// The session was closed, or could not begin.
    Closed(CloseReason),
    /// Another session has the name.
    Held,
    /// It, or the way to it, failed.
    Failed(String),
}

impl Pull {
    /// Goes on until `over`. Runs on the thread that the media is to be received on.
    pub(crate) async fn run(self, over: CancellationToken) {
        let mut pause = PAUSE;
        loop {
            let begin = Instant::now();
            let ended = tokio::select! {
                // First: it ends its session itself.
                biased;
                ended = self.once(&over) => ended,
                () = over.cancelled() => Ended::Over,
            };
            if begin.elapsed() >= WELL {
                pause = PAUSE;
            }
            let (stream, host) = (&self.stream, self.address.host());
            let wait = match ended {
                Ended::Over => {
                    tracing::info!(%stream, host, "source let go");
                    return;
                }
                Ended::Held => PAUSE_LONG,
                Ended::Closed(reason) => {
                    tracing::info!(%stream, host, reason = reason.token(), "source closed; it is pulled again");
                    PAUSE_LONG
                }
                Ended::Failed(why) => {
                    tracing::warn!(%stream, host, why, again_in = ?pause, "source not pulled");
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    wait
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = over.cancelled() => return,
            }
        }
    }

    async fn once(&self, over: &CancellationToken) -> Ended {
        let bus = &*self.fabric.bus;
        if *bus.state().borrow() == BusState::Away {
            return Ended::Failed("the bus is away".to_owned());
        }
        match claim::owner_is_well(bus, &self.stream, None, false).await {
            Ok(false) => {}
            Ok(true) => return Ended::Held,
            Err(error) => return Ended::Failed(error.to_string()),
        }
        let camera = match timeout(ANSWER, Camera::open(&self.address)).await {
            Ok(Ok(camera)) => camera,
            Ok(Err(why)) => return Ended::Failed(why),
            Err(_) => return Ended::Failed("it did not answer in time".to_owned()),
        };
        if !camera.skipped.is_empty() {
            let skipped = camera.skipped.join(", ");
            tracing::info!(stream = %self.stream, skipped, "tracks of the source that cannot be carried");
        }
        let peer = Arc::new(Source(watch::Sender::new(None)));
        let receiver = match self.enter(&camera, &peer).await {
            Ok(receiver) => receiver,
            Err(ended) => return ended,
        };
        self.receive(camera, receiver, &peer, over).await
    }

    /// Begins a session like a publisher's; the receiver of its media is on this thread.
    async fn enter(&self, camera: &Camera, peer: &Arc<Source>) -> Result<Box<dyn MediaReceiver>, Ended> {
        let (ticket, ordered) = self.tickets.draw();
        let publish = Publish {
            stream: self.stream.clone(),
            offer: ticket.clone(),
            client: Client {
                user_agent: "rtspSource".to_owned(),
                ..Client::default()
            },
            reached_at: None,
            moves: None,
        };
        let published = self.sessions.send(publish);
        let made = async {
            let Order { make, reply } = ordered.await.ok()?;
            let made = make(&camera.tracks, Arc::clone(peer) as Arc<dyn Peer>);
            // Whoever asked waits for it.
            reply
                .send(made.as_ref().map(|_| ()).map_err(|reason| *reason))
                .ok();
            made.ok()
        };
        let published = async {
            let published = published.await;
            // A refusal leaves it where it is, and whoever waits for it waits no longer then.
            self.tickets.tear(&ticket);
            published
        };
        let (published, made) = tokio::join!(published, made);
        match (published, made) {
            (Ok(Ok(published)), Some(receiver)) => {
                published.live.set_source_type("rtspSource");
                Ok(receiver)
            }
            (Ok(Err(Error::Conflict(_))), _) => Err(Ended::Held),
            (Ok(Err(error)), _) => Err(Ended::Failed(error.to_string())),
            (Ok(Ok(_)), None) => Err(Ended::Failed("its session could not begin".to_owned())),
            (Err(_), _) => Err(Ended::Closed(CloseReason::Shutdown)),
        }
    }

    async fn receive(
        &self,
        camera: Camera,
        mut receiver: Box<dyn MediaReceiver>,
        peer: &Source,
        over: &CancellationToken,
    ) -> Ended {
        let mut closed = peer.0.subscribe();
        let ended = tokio::select! {
            ended = self.flow(camera, &mut *receiver) => ended,
            reason = closed.wait_for(Option::is_some) => {
                Ended::Closed(reason.ok().and_then(|reason| *reason).unwrap_or(CloseReason::Internal))
            }
            () = over.cancelled() => Ended::Over,
            () = self.cut_off() => Ended::Failed("cut off from the bus: another node may pull it by now".to_owned()),
        };
        receiver.closed(match ended {
            Ended::Over => CloseReason::PeerLeft,
            Ended::Closed(reason) => reason,
            Ended::Held | Ended::Failed(_) => CloseReason::PeerLost,
        });
        ended
    }

    /// Hands over what comes until it ends.
    async fn flow(&self, camera: Camera, receiver: &mut dyn MediaReceiver) -> Ended {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let found = timeout(ANSWER, tokio::net::lookup_host(self.address.host())).await;
        let remote = found.ok().and_then(Result::ok).and_then(|mut found| found.next());
        let addresses = PeerAddresses {
            transport: weft_rtc::Transport::Udp,
            local: nowhere,
            remote: remote.unwrap_or(nowhere),
        };
        receiver.connected(Instant::now(), addresses);
        let mut packets = match timeout(ANSWER, camera.play(&self.address)).await {
            Ok(Ok(packets)) => packets,
            Ok(Err(why)) => return Ended::Failed(why),
            Err(_) => return Ended::Failed("it did not begin in time".to_owned()),
        };
        let mut feedback = Feedback::default();
        loop {
            let due = receiver.poll(Instant::now(), &mut feedback);
            // It takes no feedback: what is missing stays missing, and the next key frame comes when it comes.
            feedback = Feedback::default();
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                item = packets.next() => match item {
                    Some(Ok(item)) => packets.pass(item, receiver, &mut feedback),
                    Some(Err(error)) => return Ended::Failed(shown(&error, &self.address)),
                    None => return Ended::Failed("it has ended".to_owned()),
                },
                () = due => {}
            }
        }
    }

    /// Ends once the bus has been away for too long.
    async fn cut_off(&self) {
        let mut state = self.fabric.bus.state();
        loop {
            // Fails only with the bus, which the node outlives.
            if state.wait_for(|state| *state == BusState::Away).await.is_err() {
                return std::future::pending().await;
            }
            let back = state.wait_for(|state| *state != BusState::Away);
            if timeout(CUT_OFF, back).await.is_err() {
                return;
            }
        }
    }
}

/// The source as its session steers it.
#[derive(Debug)]
struct Source(watch::Sender<Option<CloseReason>>);

impl Peer for Source {
    fn keyframe(&self, _: usize) {}

    fn close(&self, reason: CloseReason) {
        self.0.send_if_modified(|closed| closed.replace(reason).is_none());
    }

    fn patch(&self, _: String) -> BoxFuture<'static, Result<Option<String>, Error>> {
        async { Ok(None) }.boxed()
    }
}
