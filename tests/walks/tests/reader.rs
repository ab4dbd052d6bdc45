//! A reader of a hub that judges what it gets: one session at a time, epochs that never fall, pictures that follow from
//! one another, a clock that only rises. It keeps the first thing that was wrong.

use crate::camera::{MARK, VIDEO, micros_since};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use weft_egress::Egress;
use weft_rtsp_server::{DescribeRequest, Joined, PlayHandler, PlayReader, ReaderEvent, ReaderSpec, Refusal};
use weft_wire::{Epoch, SessionId, StreamName};

/// The latest epoch of each session: what its pictures are judged by.
pub(crate) type Claims = Arc<Mutex<HashMap<SessionId, Epoch>>>;

/// A newcomer begins with the last key unit and all since, however old.
const BURST: Duration = Duration::from_millis(10);

/// What a reader has got.
#[derive(Debug)]
pub(crate) struct Got {
    /// The walk's beginning, from which pictures are stamped.
    began: Instant,
    joined: Instant,
    /// Session, number and RTP time of the last picture.
    last: Option<(u32, u64, u32)>,
    epoch: Epoch,
    ssrc: Option<u32>,
    pub(crate) pictures: u64,
    pub(crate) sessions: u64,
    pub(crate) last_at: Option<Instant>,
    /// The oldest picture it was given, the burst at its beginning apart, in µs.
    pub(crate) oldest: i64,
    pub(crate) closed: bool,
    pub(crate) wrong: Option<String>,
}

pub(crate) struct Reader {
    got: Arc<Mutex<Got>>,
    task: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Joins; a refusal is the egress's right.
    pub(crate) async fn join(
        egress: &Egress,
        stream: StreamName,
        claims: Claims,
        began: Instant,
    ) -> Result<Self, Refusal> {
        let peer = "127.0.0.1:5000".parse().unwrap();
        let request = DescribeRequest {
            stream,
            query: None,
            peer,
            user_agent: None,
        };
        let source = egress.describe(request).await?;
        let spec = ReaderSpec {
            id: uuid::Uuid::new_v4(),
            peer,
            transport: "TCP",
            tracks: vec![VIDEO],
        };
        let Joined { reader, .. } = source.join(spec).await?;
        let got = Arc::new(Mutex::new(Got::new(began)));
        let task = tokio::spawn(read(reader, got.clone(), claims));
        Ok(Self { got, task })
    }

    pub(crate) fn got(&self) -> MutexGuard<'_, Got> {
        lock(&self.got)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(mut reader: Box<dyn PlayReader>, got: Arc<Mutex<Got>>, claims: Claims) {
    loop {
        match reader.next().await {
            ReaderEvent::Block(block) => {
                let mut got = lock(&got);
                if let Err(wrong) = got.take(&block.bytes, block.key, &claims) {
                    got.wrong.get_or_insert(wrong);
                }
            }
            ReaderEvent::Report(..) => {}
            ReaderEvent::Closed(_) => {
                lock(&got).closed = true;
                return;
            }
        }
    }
}

impl Got {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            joined: Instant::now(),
            last: None,
            epoch: Epoch::default(),
            ssrc: None,
            pictures: 0,
            sessions: 0,
            last_at: None,
            oldest: 0,
            closed: false,
            wrong: None,
        }
    }

    fn take(&mut self, bytes: &[u8], key: bool, claims: &Claims) -> Result<(), String> {
        let at = bytes.windows(4).position(|window| window == MARK);
        let at = at.ok_or("a packet without a mark")?;
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let (time, ssrc, session) = (word(8), word(12), word(at + 4));
        let number = u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        let mut id = [0; 16];
        id[..4].copy_from_slice(&session.to_be_bytes());
        let made = i64::from_be_bytes(bytes[at + 16..at + 24].try_into().unwrap());
        let epoch = lock(claims).get(&SessionId(id)).copied();
        let epoch = epoch.ok_or_else(|| format!("session {session} has never claimed the name"))?;
        let now = (session, number, time);
        let age = micros_since(self.began) - made;
        if self.joined.elapsed() > BURST {
            self.oldest = self.oldest.max(age);
        }
        let last = self.last.replace(now);
        self.pictures += 1;
        self.last_at = Some(Instant::now());
        if *self.ssrc.get_or_insert(ssrc) != ssrc {
            return Err(format!("another SSRC at {now:?}"));
        }
        let Some(last) = last else {
            self.epoch = epoch;
            self.sessions = 1;
            return if key {
                Ok(())
            } else {
                Err(format!("begins without a key unit: {now:?}"))
            };
        };
        if last.0 != session {
            self.sessions += 1;
            if !key {
                return Err(format!("a session begins without a key unit: {last:?} {now:?}"));
            }
            if epoch <= self.epoch {
                return Err(format!(
                    "the epoch fell from {} to {epoch}: {last:?} {now:?}",
                    self.epoch
                ));
            }
        } else if number <= last.1 || (!key && number != last.1 + 1) {
            return Err(format!("a picture that does not follow: {last:?} {now:?}"));
        }
        // A session that claims its name anew goes on under a higher epoch.
        self.epoch = self.epoch.max(epoch);
        if time.wrapping_sub(last.2).cast_signed() <= 0 {
            return Err(format!("RTP time goes back: {last:?} {now:?}"));
        }
        Ok(())
    }
}
