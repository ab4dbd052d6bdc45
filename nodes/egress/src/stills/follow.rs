//! Follows one stream by its key units: finds the owner, subscribes to that class alone, asks for the newest one and wishes for
//! more, as long as somebody asks for pictures. The units between them are neither asked for nor sent.

use super::{Inner, Kept, Missing, State, Still};
use crate::counters::add;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;
use weft_bus::{BusState, Delivery, MediaFilter, RequestError, Subscription};
use weft_wire::{
    AccessUnit, Epoch, KeyframeRequest, MediaKind, SessionId, TrackInfo, UnitBatch, UnitSeq, UnitsFrom,
    UnitsRequest,
};

/// A picture is kept so long after it was asked for last.
pub(super) const KEEP: Duration = Duration::from_secs(12);
/// The owner forgets wishes after 10 s, and a hub of this node may take this one's back.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Without a key unit for so long the newest one is asked for: it may have been missed, or the stream been paused.
const SILENCE: Duration = Duration::from_secs(6);
/// How long an answer is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// So often in a row nobody may own the stream before it counts as gone: a publisher that moves is between two nodes.
const GONE_AFTER: u32 = 2;

/// Runs as long as the stream is asked for and there.
pub(super) async fn run(stills: Arc<Inner>, kept: Arc<Kept>) {
    let follow = Follow {
        stills: &stills,
        kept: &kept,
        tracks: Vec::new(),
        session: None,
        epoch: Epoch::default(),
        next: UnitSeq(0),
        key_at: Instant::now(),
        absent: 0,
    };
    let why = match follow.run().await {
        Ok(()) => Missing::NotYet,
        Err(why) => why,
    };
    debug!(stream = %kept.stream, %why, "still pictures are kept no more");
    stills.let_go(&kept);
    kept.state.send_replace(State::Over(why));
}

struct Follow<'a> {
    stills: &'a Inner,
    kept: &'a Kept,
    tracks: Vec<TrackInfo>,
    session: Option<SessionId>,
    epoch: Epoch,
    /// Older units of the session are passed over.
    next: UnitSeq,
    key_at: Instant,
    /// How often in a row nobody owned the stream.
    absent: u32,
}

impl Follow<'_> {
    /// Ok: nobody asks for it any more.
    async fn run(mut self) -> Result<(), Missing> {
        let bus = &self.stills.bus;
        let stream = &self.kept.stream;
        match timeout(ANSWER_LIMIT, bus.owner(stream.clone())).await {
            Ok(Ok(owner)) => self.tracks = owner.tracks,
            Ok(Err(RequestError::NoOwner)) => return Err(Missing::NotFound),
            _ => return Err(Missing::Unavailable),
        }
        let subscription = bus.subscribe(stream.clone(), MediaFilter::Keys).await;
        let mut subscription = subscription.map_err(|_| Missing::Unavailable)?;
        let age = self.newest().await?;
        // What the owner has may be from long ago, when nobody wished for key units.
        self.wish(age > self.stills.interval).await?;
        self.serve(&mut subscription).await
    }

    async fn serve(&mut self, subscription: &mut Subscription) -> Result<(), Missing> {
        let mut bus = self.stills.bus.state();
        let mut renew_at = Instant::now() + RENEW_EVERY;
        loop {
            let until = (self.kept.last_asked() + KEEP).min(renew_at);
            tokio::select! {
                biased;
                () = self.kept.dismissed.notified() => return Err(Missing::TooMany),
                Ok(()) = bus.changed() => {
                    if matches!(*bus.borrow_and_update(), BusState::Connected(_)) {
                        self.newest().await?;
                    }
                }
                delivery = subscription.recv() => match delivery {
                    Some(Delivery::Units(batch)) => self.take(batch).await?,
                    Some(Delivery::Ended(end)) if Some(end.session) == self.session => return Err(Missing::NotFound),
                    Some(Delivery::Ended(_)) => {}
                    None => return Err(Missing::Unavailable),
                },
                () = sleep_until(until) => {}
            }
            let now = Instant::now();
            if now >= self.kept.last_asked() + KEEP {
                return Ok(());
            }
            if now >= renew_at {
                renew_at = now + RENEW_EVERY;
                let silent = now.duration_since(self.key_at) >= SILENCE;
                self.wish(silent).await?;
                if silent {
                    self.newest().await?;
                }
            }
        }
    }

    /// Asks for the newest key unit, and how old it is; who has no answer goes on with what comes.
    async fn newest(&mut self) -> Result<Duration, Missing> {
        let request = UnitsRequest {
            from: UnitsFrom::NewestGop,
            until: None,
            session: None,
            key_only: true,
        };
        let asked = self.stills.bus.units(self.kept.stream.clone(), request);
        let Ok(Ok(answer)) = timeout(ANSWER_LIMIT, asked).await else {
            return Ok(Duration::MAX);
        };
        let end = answer.end;
        let age = Duration::from_millis(end.key_age_ms.into());
        if end.epoch < self.epoch {
            return Ok(age);
        }
        if !end.tracks.is_empty() {
            self.tracks = end.tracks;
        }
        if self
            .tracks
            .iter()
            .all(|track| track.codec.kind() != MediaKind::Video)
            && !self.tracks.is_empty()
        {
            return Err(Missing::NoVideo);
        }
        self.change(end.session, end.epoch);
        for batch in answer
            .batches
            .into_iter()
            .filter(|batch| batch.session == end.session)
        {
            batch.units.into_iter().for_each(|unit| self.show(unit));
        }
        Ok(age)
    }

    /// Units as they come.
    async fn take(&mut self, batch: UnitBatch) -> Result<(), Missing> {
        let stranger = self.session != Some(batch.session);
        // Of two sessions the one of the higher epoch counts; a loser may not have heard of it yet.
        if batch.epoch < self.epoch || (stranger && self.session.is_some() && batch.epoch == self.epoch) {
            return Ok(());
        }
        if stranger {
            self.change(batch.session, batch.epoch);
            // For its tracks.
            self.newest().await?;
        }
        if self.session == Some(batch.session) {
            self.epoch = self.epoch.max(batch.epoch);
            batch.units.into_iter().for_each(|unit| self.show(unit));
        }
        Ok(())
    }

    fn change(&mut self, session: SessionId, epoch: Epoch) {
        if self.session != Some(session) {
            self.session = Some(session);
            self.next = UnitSeq(0);
        }
        self.epoch = epoch;
    }

    /// Makes a key unit of the first video track the stream's picture, where it is newer than what is there.
    fn show(&mut self, unit: AccessUnit) {
        let mut video = (self.tracks.iter()).filter(|track| track.codec.kind() == MediaKind::Video);
        let Some(track) = video.next().filter(|track| track.id == unit.track) else {
            return;
        };
        let Some(session) = self.session.filter(|_| unit.is_key() && unit.seq >= self.next) else {
            return;
        };
        self.next = unit.seq.next();
        self.key_at = Instant::now();
        add(&self.stills.counters.units, 1);
        let still = Still {
            session,
            epoch: self.epoch,
            seq: unit.seq,
            track: track.clone(),
            capture: unit.capture,
            source: unit.capture_source,
            // A copy: the message that it came in may be larger.
            data: unit.data.to_vec().into(),
        };
        self.kept.state.send_replace(State::Picture(Arc::new(still)));
    }

    /// Tells the owner that key units are wanted, at once or now and then.
    async fn wish(&mut self, now: bool) -> Result<(), Missing> {
        let interval = self.stills.interval;
        if interval.is_zero() && !now {
            return Ok(());
        }
        let request = KeyframeRequest {
            node: self.stills.node.clone(),
            now,
            interval_ms: u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
        };
        let told = self.stills.bus.keyframe(self.kept.stream.clone(), request);
        match timeout(ANSWER_LIMIT, told).await {
            Ok(Err(RequestError::NoOwner)) => {
                self.absent += 1;
                if self.absent >= GONE_AFTER {
                    return Err(Missing::NotFound);
                }
            }
            Ok(Ok(())) => self.absent = 0,
            _ => {}
        }
        Ok(())
    }
}
