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

/// A beginning is the last key unit and all since, however old: of a reader, and of a session that readers go on with.
const BURST: Duration = Duration::from_millis(10);

/// What readers of a walk are to get.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) claims: Claims,
    /// The walk's beginning, from which pictures are stamped.
    pub(crate) began: Instant,
    /// What is no beginning is live, or brought back soon: not older than this, in µs.
    pub(crate) oldest: i64,
}

/// What a reader has got.
#[derive(Debug)]
pub(crate) struct Got {
    bar: Bar,
    /// When its first picture came, or the first of the session it sees now.
    begun: Instant,
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
    pub(crate) async fn join(egress: &Egress, stream: StreamName, bar: Bar) -> Result<Self, Refusal> {
        let peer = "127.0.0.1:5000".parse().unwrap();
        let request = DescribeRequest {
            stream,
            query: None,
            peer,
            user_agent: None,
            principal: String::new(),
        };
        let source = egress.describe(request).await?;
        let spec = ReaderSpec {
            id: uuid::Uuid::new_v4(),
            peer,
            transport: "TCP",
            secure: false,
            tracks: vec![VIDEO],
            query: String::new(),
            user_agent: String::new(),
            principal: String::new(),
        };
        let Joined { reader, .. } = source.join(spec).await?;
        let got = Arc::new(Mutex::new(Got::new(bar)));
        let task = tokio::spawn(read(reader, got.clone()));
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

async fn read(mut reader: Box<dyn PlayReader>, got: Arc<Mutex<Got>>) {
    loop {
        match reader.next().await {
            ReaderEvent::Block(block) => {
                let mut got = lock(&got);
                if let Err(wrong) = got.take(&block.bytes, block.key) {
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
    pub(crate) fn new(bar: Bar) -> Self {
        Self {
            bar,
            begun: Instant::now(),
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

    fn take(&mut self, bytes: &[u8], key: bool) -> Result<(), String> {
        let at = bytes.windows(4).position(|window| window == MARK);
        let at = at.ok_or("a packet without a mark")?;
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let (time, ssrc, session) = (word(8), word(12), word(at + 4));
        let number = u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        let mut id = [0; 16];
        id[..4].copy_from_slice(&session.to_be_bytes());
        let made = i64::from_be_bytes(bytes[at + 16..at + 24].try_into().unwrap());
        let epoch = lock(&self.bar.claims).get(&SessionId(id)).copied();
        let epoch = epoch.ok_or_else(|| format!("session {session} has never claimed the name"))?;
        let now = (session, number, time);
        if self.last.is_none_or(|last| last.0 != session) {
            self.begun = Instant::now();
        }
        let age = micros_since(self.bar.began) - made;
        if self.begun.elapsed() > BURST {
            self.oldest = self.oldest.max(age);
            if age > self.bar.oldest {
                return Err(format!("{age} µs old: {now:?} after {:?}", self.last));
            }
        }
        self.pictures += 1;
        self.last_at = Some(Instant::now());
        let last = self.last.replace(now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::data;

    /// A picture as a reader gets it: the head of its RTP packet, and what it says.
    fn packet(time: u32, ssrc: u32, session: u32, number: u64, made: i64) -> Vec<u8> {
        let head = [[0; 4], [0; 4], time.to_be_bytes(), ssrc.to_be_bytes()].concat();
        [head, data(number == 0, session, number, made)].concat()
    }

    /// What the reader says of the last of some pictures: (RTP time, SSRC, session, number, key).
    fn verdict(pictures: &[(u32, u32, u32, u64, bool)]) -> Result<(), String> {
        let claims = Claims::default();
        for session in 1..4_u32 {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&session.to_be_bytes());
            let epoch = Epoch {
                generation: 1,
                revision: u64::from(session),
            };
            lock(&claims).insert(SessionId(id), epoch);
        }
        let began = Instant::now();
        let mut got = Got::new(Bar {
            claims,
            began,
            oldest: 1_000_000,
        });
        let mut last = Ok(());
        for (time, ssrc, session, number, key) in pictures {
            assert_eq!(last, Ok(()), "only the last one may be wrong");
            let made = micros_since(began);
            last = got.take(&packet(*time, *ssrc, *session, *number, made), *key);
        }
        last
    }

    #[test]
    fn a_reader_says_what_is_wrong_with_what_it_gets() {
        let first = (10, 7, 2, 0, true);
        assert_eq!(
            verdict(&[
                first,
                (20, 7, 2, 1, false),
                (30, 7, 2, 5, true),
                (40, 7, 3, 0, true)
            ]),
            Ok(())
        );
        for (wrong, why) in [
            ((20, 7, 2, 2, false), "does not follow"),
            ((20, 7, 2, 0, true), "does not follow"),
            ((20, 8, 2, 1, false), "another SSRC"),
            ((10, 7, 2, 1, false), "goes back"),
            ((20, 7, 1, 0, true), "the epoch fell"),
            ((20, 7, 3, 1, false), "begins without a key"),
            ((20, 7, 9, 0, true), "never claimed"),
        ] {
            let said = verdict(&[first, wrong]).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert!(
            verdict(&[(10, 7, 2, 0, false)])
                .unwrap_err()
                .contains("begins without")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_says_when_what_it_gets_is_old() {
        let claims = Claims::default();
        let mut id = [0; 16];
        id[3] = 1;
        lock(&claims).insert(SessionId(id), Epoch::default());
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        let mut got = Got::new(Bar {
            claims,
            began,
            oldest: 700_000,
        });
        assert_eq!(got.take(&packet(1, 7, 1, 0, 0), true), Ok(()), "the beginning");
        tokio::time::advance(Duration::from_secs(1)).await;
        let made = micros_since(began) - 700_000;
        assert_eq!(got.take(&packet(2, 7, 1, 1, made), false), Ok(()));
        let old = got.take(&packet(3, 7, 1, 2, made - 1), false);
        assert!(old.unwrap_err().contains("old"));
    }
}
