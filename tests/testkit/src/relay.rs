//! A UDP relay that stands for a bad network: seeded loss, reordering and delay both ways, or silence. It reads nothing of
//! what it carries.

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What happens to a datagram on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// The share that is lost, 0 to 1.
    pub loss: f64,
    /// The share that is held back by 5 to 30 ms, so that later ones overtake it, 0 to 1.
    pub reorder: f64,
    /// What every datagram takes.
    pub delay: Duration,
}

impl Weather {
    /// Everything passes at once.
    pub const FAIR: Weather = Weather {
        loss: 0.0,
        reorder: 0.0,
        delay: Duration::ZERO,
    };
    /// Nothing passes: the network is gone.
    pub const GONE: Weather = Weather {
        loss: 1.0,
        reorder: 0.0,
        delay: Duration::ZERO,
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
    let mut sources: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut backward = JoinSet::new();
    let mut buffer = vec![0; 65536];
    // An error here is an ICMP answer to an earlier datagram; the next receive goes on.
    loop {
        let Ok((length, source)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let way = match sources.get(&source) {
            Some(way) => way.clone(),
            None => {
                let Ok(way) = UdpSocket::bind("127.0.0.1:0").await else {
                    continue;
                };
                let way = Arc::new(way);
                backward.spawn(outward(way.clone(), socket.clone(), source, shared.clone()));
                held(&shared.ways).push(way.clone());
                sources.insert(source, way.clone());
                way
            }
        };
        if length >= 100 {
            held(&shared.sample).clone_from(&buffer[..length].to_vec());
        }
        pass(&shared, way, target, &buffer[..length]).await;
    }
}

async fn outward(way: Arc<UdpSocket>, socket: Arc<UdpSocket>, source: SocketAddr, shared: Arc<Shared>) {
    let mut buffer = vec![0; 65536];
    loop {
        let Ok((length, _)) = way.recv_from(&mut buffer).await else {
            continue;
        };
        pass(&shared, socket.clone(), source, &buffer[..length]).await;
    }
}

async fn pass(shared: &Shared, socket: Arc<UdpSocket>, to: SocketAddr, datagram: &[u8]) {
    match shared.fate() {
        None => {}
        Some(Duration::ZERO) => drop(socket.send_to(datagram, to).await),
        Some(time) => {
            let datagram = datagram.to_vec();
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

    #[test]
    fn a_seed_fixes_what_is_lost() {
        let losses = |seed| {
            let bad = Weather {
                loss: 0.03,
                reorder: 0.1,
                delay: Duration::ZERO,
            };
            let shared = Shared::new(bad, seed);
            (0..1000).map(|_| shared.fate()).collect::<Vec<_>>()
        };
        assert_eq!(losses(7), losses(7));
        let lost = losses(7).iter().filter(|fate| fate.is_none()).count();
        assert!((15..50).contains(&lost), "{lost}");
    }
}
