//! A UDP relay that stands for a bad network: seeded loss, reordering and delay both ways, or silence. It reads nothing of
//! what it carries.

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Datagrams that an uneven path holds up at most.
const QUEUE: usize = 4096;
/// How often an uneven path becomes another.
const REDRAW: Duration = Duration::from_millis(100);

/// What happens to a datagram on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// The share that is lost, 0 to 1.
    pub loss: f64,
    /// The share that is held back by 5 to 30 ms, so that later ones overtake it, 0 to 1.
    pub reorder: f64,
    /// What every datagram takes.
    pub delay: Duration,
    /// What the path takes beyond that at most: between nothing and this, drawn anew every 100 ms. Nothing overtakes, as in a
    /// queue.
    pub jitter: Duration,
}

impl Weather {
    /// Everything passes at once.
    pub const FAIR: Weather = Weather {
        loss: 0.0,
        reorder: 0.0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
    };
    /// Nothing passes: the network is gone.
    pub const GONE: Weather = Weather {
        loss: 1.0,
        reorder: 0.0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
    };
}

/// A running relay; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    weather: Mutex<Weather>,
    dice: Mutex<StdRng>,
    passed: AtomicU64,
    lost: AtomicU64,
    ways: Mutex<Vec<Arc<UdpSocket>>>,
    sample: Mutex<Vec<u8>>,
}

/// A lock that outlives a panic of another test thread.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// Listens on a free port of 127.0.0.1 and passes on to `target`, with one socket towards it for each source.
    pub async fn start(target: SocketAddr, seed: u64) -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::new(Weather::FAIR, seed));
        let mut task = JoinSet::new();
        task.spawn(inward(socket, target, shared.clone()));
        Ok(Relay {
            address,
            target,
            shared,
            _task: task,
        })
    }

    /// Where the clients send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather from now on, both ways.
    pub fn set(&self, weather: Weather) {
        *self
            .shared
            .weather
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = weather;
    }

    /// Sends a datagram to the target as if it came from the last source seen; nothing if there was none.
    pub async fn inject(&self, datagram: &[u8]) {
        let way = held(&self.shared.ways).last().cloned();
        if let Some(way) = way {
            drop(way.send_to(datagram, self.target).await);
        }
    }

    /// The last datagram of at least 100 bytes that went to the target.
    pub fn sample(&self) -> Vec<u8> {
        held(&self.shared.sample).clone()
    }

    /// Datagrams passed on and lost so far.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.shared.passed.load(Ordering::Relaxed),
            self.shared.lost.load(Ordering::Relaxed),
        )
    }
}

impl Shared {
    fn new(weather: Weather, seed: u64) -> Self {
        Shared {
            weather: Mutex::new(weather),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            passed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            ways: Mutex::default(),
            sample: Mutex::default(),
        }
    }

    /// What the path takes more just now.
    fn unevenness(&self) -> Duration {
        let jitter = held(&self.weather).jitter;
        jitter.mul_f64(held(&self.dice).random())
    }

    fn jitters(&self) -> bool {
        held(&self.weather).jitter > Duration::ZERO
    }

    /// How long this datagram takes; `None` if it is lost.
    fn fate(&self) -> Option<Duration> {
        let weather = *self
            .weather
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut dice = self.dice.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if dice.random_bool(weather.loss) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.passed.fetch_add(1, Ordering::Relaxed);
        let held = if dice.random_bool(weather.reorder) {
            dice.random_range(5..=30)
        } else {
            0
        };
        Some(weather.delay + Duration::from_millis(held))
    }
}

async fn inward(socket: Arc<UdpSocket>, target: SocketAddr, shared: Arc<Shared>) {
    let mut sources: HashMap<SocketAddr, Way> = HashMap::new();
    let mut backward = JoinSet::new();
    let mut buffer = vec![0; 65536];
    // An error here is an ICMP answer to an earlier datagram; the next receive goes on.
    loop {
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Entry::Vacant(vacant) = sources.entry(source) {
            let Ok(way) = UdpSocket::bind("127.0.0.1:0").await else {
                continue;
            };
            let way = Arc::new(way);
            held(&shared.ways).push(way.clone());
            let back = Way::new(socket.clone(), source, shared.clone());
            backward.spawn(outward(way.clone(), back));
            vacant.insert(Way::new(way, target, shared.clone()));
        }
        if length >= 100 {
            held(&shared.sample).clone_from(&buffer[..length].to_vec());
        }
        if let Some(way) = sources.get_mut(&source) {
            way.pass(&buffer[..length]).await;
        }
    }
}

async fn outward(from: Arc<UdpSocket>, mut way: Way) {
    let mut buffer = vec![0; 65536];
    loop {
        let Ok((length, _)) = from.recv_from(&mut buffer).await else {
            continue;
        };
        way.pass(&buffer[..length]).await;
    }
}

/// One direction between one source and the target.
struct Way {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    /// What an uneven path holds up, in order.
    queue: mpsc::Sender<(Instant, Vec<u8>)>,
    _task: JoinSet<()>,
    /// When the last of the queue leaves.
    free: Instant,
    uneven: Duration,
    drawn: Option<Instant>,
}

impl Way {
    fn new(socket: Arc<UdpSocket>, to: SocketAddr, shared: Arc<Shared>) -> Self {
        let (queue, mut held_up) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
        let (mut task, out) = (JoinSet::new(), socket.clone());
        task.spawn(async move {
            while let Some((due, datagram)) = held_up.recv().await {
                tokio::time::sleep_until(due).await;
                drop(out.send_to(&datagram, to).await);
            }
        });
        Way {
            shared,
            socket,
            to,
            queue,
            _task: task,
            free: Instant::now(),
            uneven: Duration::ZERO,
            drawn: None,
        }
    }

    async fn pass(&mut self, datagram: &[u8]) {
        let Some(time) = self.shared.fate() else { return };
        let now = Instant::now();
        if self.shared.jitters() || self.free > now {
            if self.drawn.is_none_or(|at| now - at >= REDRAW) {
                self.uneven = self.shared.unevenness();
                self.drawn = Some(now);
            }
            let due = (now + time + self.uneven).max(self.free);
            self.free = due;
            // overflow: lost, as in any router; seconds of media fit.
            self.queue.try_send((due, datagram.to_vec())).ok();
        } else if time.is_zero() {
            drop(self.socket.send_to(datagram, self.to).await);
        } else {
            let (socket, to, datagram) = (self.socket.clone(), self.to, datagram.to_vec());
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                drop(socket.send_to(&datagram, to).await);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fair_weather_passes_both_ways_and_gone_passes_nothing() -> Result<()> {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let relay = Relay::start(server.local_addr()?, 1).await?;
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        let mut buffer = [0; 16];
        client.send_to(b"there", relay.address()).await?;
        let (length, via) = server.recv_from(&mut buffer).await?;
        assert_eq!(&buffer[..length], b"there");
        server.send_to(b"back", via).await?;
        let (length, from) = client.recv_from(&mut buffer).await?;
        assert_eq!((&buffer[..length], from), (&b"back"[..], relay.address()));
        relay.set(Weather::GONE);
        client.send_to(b"lost", relay.address()).await?;
        crate::until("the loss is counted", Duration::from_secs(5), || {
            std::future::ready((relay.counts() == (2, 1)).then_some(()))
        })
        .await
    }

    #[tokio::test]
    async fn an_uneven_path_delays_and_never_reorders() -> Result<()> {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let relay = Relay::start(server.local_addr()?, 1).await?;
        relay.set(Weather {
            jitter: Duration::from_millis(200),
            ..Weather::FAIR
        });
        let client = UdpSocket::bind("127.0.0.1:0").await?;
        let sending = async {
            for n in 0..100_u8 {
                client.send_to(&[n], relay.address()).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            anyhow::Ok(Instant::now())
        };
        let receiving = async {
            let mut buffer = [0; 16];
            for n in 0..100_u8 {
                let (length, _) = server.recv_from(&mut buffer).await?;
                assert_eq!(buffer[..length], [n]);
            }
            anyhow::Ok(Instant::now())
        };
        let (sent, received) = tokio::try_join!(sending, receiving)?;
        assert!(received > sent);
        Ok(())
    }

    #[test]
    fn a_seed_fixes_what_is_lost() {
        let losses = |seed| {
            let bad = Weather {
                loss: 0.03,
                reorder: 0.1,
                delay: Duration::ZERO,
                jitter: Duration::ZERO,
            };
            let shared = Shared::new(bad, seed);
            (0..1000).map(|_| shared.fate()).collect::<Vec<_>>()
        };
        assert_eq!(losses(7), losses(7));
        let lost = losses(7).iter().filter(|fate| fate.is_none()).count();
        assert!((15..50).contains(&lost), "{lost}");
    }
}
