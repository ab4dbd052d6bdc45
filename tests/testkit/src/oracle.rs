//! The independent reader: `retina` reads RTSP and each access unit is written down with its fingerprint, then compared
//! with the source. It shares no code with the product.

use crate::units::{Fingerprint, SourceUnit, fingerprint, length_prefixed};
use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use retina::client::{
    Credentials, Demuxed, Described, PacketItem, PlayOptions, Session, SessionOptions, SetupOptions,
    TeardownPolicy, Transport,
};
use retina::codec::CodecItem;
use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// How RTP comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// On UDP ports of its own.
    Udp,
}

/// One access unit as the reader got it.
#[derive(Debug, Clone, Copy)]
pub struct ReadUnit {
    /// When it was complete here.
    pub arrival: Instant,
    /// RTP time, unwrapped, in 1/90000 s.
    pub rtp: i64,
    /// Whether decoding can begin here.
    pub key: bool,
    /// RTP packets missing before it.
    pub loss: u16,
    /// What is in it.
    pub fingerprint: Fingerprint,
}

/// A session that has been described and set up, not yet playing.
pub struct Ready(Session<Described>);

/// A playing session.
pub struct Reader {
    units: Pin<Box<Demuxed>>,
    /// When PLAY was sent.
    pub played: Instant,
}

/// DESCRIBE and SETUP of the video track.
pub async fn open(url: &str, over: Over) -> Result<Ready> {
    open_leaving(url, over, true).await
}

/// As `open`; whether the reader says TEARDOWN when it is dropped.
pub async fn open_leaving(url: &str, over: Over, farewell: bool) -> Result<Ready> {
    let teardown = if farewell {
        TeardownPolicy::Auto
    } else {
        TeardownPolicy::Never
    };
    Ok(Ready(set_up(url, over, "video", teardown).await?))
}

/// As `open` and `play`, waiting up to `limit` for the stream to be there.
pub async fn open_when_there(url: &str, over: Over, limit: Duration) -> Result<Reader> {
    let end = Instant::now() + limit;
    loop {
        match open(url, over).await {
            Ok(ready) => return ready.play().await,
            Err(error) if Instant::now() > end => return Err(error.context(format!("no {url} in {limit:?}"))),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl Ready {
    /// PLAY.
    pub async fn play(self) -> Result<Reader> {
        let played = Instant::now();
        let session = self.0.play(PlayOptions::default()).await.context("PLAY")?;
        Ok(Reader {
            units: Box::pin(session.demuxed()?),
            played,
        })
    }
}

impl Reader {
    /// The next access unit; `None` when the server has ended the session.
    pub async fn next(&mut self) -> Result<Option<ReadUnit>> {
        Ok(self.next_with_data().await?.map(|(unit, _)| unit))
    }

    /// As `next`, with the unit's NAL units, each behind its length of 4 bytes.
    pub async fn next_with_data(&mut self) -> Result<Option<(ReadUnit, Vec<u8>)>> {
        while let Some(item) = self.units.next().await {
            let CodecItem::VideoFrame(frame) = item? else {
                continue;
            };
            let unit = ReadUnit {
                arrival: Instant::now(),
                rtp: frame.timestamp().timestamp(),
                key: frame.is_random_access_point(),
                loss: frame.loss(),
                fingerprint: fingerprint(length_prefixed(frame.data())),
            };
            return Ok(Some((unit, frame.into_data())));
        }
        Ok(None)
    }

    /// All units that come within `time`; fails if the session ends before.
    pub async fn read_for(&mut self, time: Duration) -> Result<Vec<ReadUnit>> {
        let mut units = Vec::new();
        let end = tokio::time::Instant::now() + time;
        while let Ok(next) = tokio::time::timeout_at(end, self.next()).await {
            units.push(next?.with_context(|| format!("the session ended after {} units", units.len()))?);
        }
        Ok(units)
    }

    /// The next `count` units, which must come within `limit`.
    pub async fn read_units(&mut self, count: usize, limit: Duration) -> Result<Vec<ReadUnit>> {
        let mut units = Vec::new();
        let end = tokio::time::Instant::now() + limit;
        while units.len() < count {
            let next = tokio::time::timeout_at(end, self.next()).await;
            let next = next.with_context(|| format!("{} of {count} units in {limit:?}", units.len()))?;
            units.push(next?.with_context(|| format!("the session ended after {} units", units.len()))?);
        }
        Ok(units)
    }
}

/// Counts the RTP packets of the audio track that come within `time`, and fails if their sequence has a hole.
pub async fn count_audio(url: &str, over: Over, time: Duration) -> Result<usize> {
    let session = set_up(url, over, "audio", TeardownPolicy::Auto).await?;
    let mut session = Box::pin(session.play(PlayOptions::default()).await?);
    let mut count = 0;
    let end = tokio::time::Instant::now() + time;
    while let Ok(next) = tokio::time::timeout_at(end, session.next()).await {
        if let PacketItem::Rtp(packet) = next.context("the session ended")?? {
            ensure!(packet.loss() == 0, "{} audio packets missing", packet.loss());
            count += 1;
        }
    }
    Ok(count)
}

async fn set_up(url: &str, over: Over, media: &str, teardown: TeardownPolicy) -> Result<Session<Described>> {
    let mut url = url::Url::parse(url)?;
    // The client takes the user apart from the URL.
    let login = (!url.username().is_empty()).then(|| Credentials {
        username: url.username().to_owned(),
        password: url.password().unwrap_or_default().to_owned(),
    });
    if login.is_some() {
        url.set_username("")
            .and(url.set_password(None))
            .ok()
            .context("a URL without its user")?;
    }
    let options = SessionOptions::default()
        .user_agent("weft-testkit".into())
        .creds(login)
        .teardown(teardown);
    let mut session = Session::describe(url, options).await.context("DESCRIBE")?;
    let track = session
        .streams()
        .iter()
        .position(|stream| stream.media() == media);
    let track = track.with_context(|| format!("no {media} in {}", String::from_utf8_lossy(session.sdp())))?;
    let transport = match over {
        Over::Tcp => Transport::Tcp(Default::default()),
        Over::Udp => Transport::Udp(Default::default()),
    };
    session
        .setup(track, SetupOptions::default().transport(transport))
        .await
        .context("SETUP")?;
    Ok(session)
}

/// What became of the source's units, from the first to the last that the reader got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Units delivered.
    pub delivered: usize,
    /// Units of the source between the first and the last delivered that did not come.
    pub missing: usize,
}

/// Follows the read units through the source, which may repeat. Fails on a unit the source does not have (damaged), on one
/// that comes twice or out of order, on times that do not rise, and on a first unit that is no key unit.
pub fn follow(source: &[SourceUnit], read: &[ReadUnit]) -> Result<Delivery> {
    let first = read.first().context("nothing was read")?;
    ensure!(first.key, "the first unit is no key unit");
    let place: HashMap<Fingerprint, usize> = source
        .iter()
        .enumerate()
        .map(|(index, unit)| (unit.fingerprint, index))
        .collect();
    let mut delivery = Delivery {
        delivered: 1,
        missing: 0,
    };
    let mut last = *place
        .get(&first.fingerprint)
        .context("the first unit is not from the source")?;
    for (number, pair) in read.windows(2).enumerate() {
        let unit = pair[1];
        let Some(&index) = place.get(&unit.fingerprint) else {
            bail!(
                "unit {} of {} is damaged: not one of the source; {} RTP packets missing before it, {} ms after the one before",
                number + 1,
                read.len(),
                unit.loss,
                (unit.arrival - pair[0].arrival).as_millis()
            );
        };
        let step = (index + source.len() - last) % source.len();
        ensure!(
            step != 0 && step < source.len() / 2,
            "unit {} is the source's {index} after its {last}",
            number + 1
        );
        ensure!(
            unit.rtp > pair[0].rtp,
            "time went from {} to {} at unit {}",
            pair[0].rtp,
            unit.rtp,
            number + 1
        );
        ensure!(
            unit.key == source[index].key,
            "unit {} has a wrong key mark",
            number + 1
        );
        delivery.delivered += 1;
        delivery.missing += step - 1;
        last = index;
    }
    Ok(delivery)
}

/// `follow`, and nothing may be missing.
pub fn exact(source: &[SourceUnit], read: &[ReadUnit]) -> Result<()> {
    let delivery = follow(source, read)?;
    ensure!(delivery.missing == 0, "{delivery:?}");
    if let Some(lossy) = read.iter().skip(1).find(|unit| unit.loss > 0) {
        bail!("{} RTP packets missing before a unit", lossy.loss);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(count: u64) -> Vec<SourceUnit> {
        (0..count)
            .map(|n| SourceUnit {
                fingerprint: n,
                key: n % 5 == 0,
            })
            .collect()
    }

    fn read(order: &[u64]) -> Vec<ReadUnit> {
        let unit = |(index, n): (usize, &u64)| ReadUnit {
            arrival: Instant::now(),
            rtp: index as i64,
            key: n % 5 == 0,
            loss: 0,
            fingerprint: *n,
        };
        order.iter().enumerate().map(unit).collect()
    }

    #[test]
    fn a_whole_run_that_wraps_around_the_source_is_exact() {
        exact(&source(20), &read(&[15, 16, 17, 18, 19, 0, 1])).unwrap();
    }

    #[test]
    fn a_hole_is_counted_and_is_not_exact() {
        let delivery = follow(&source(20), &read(&[5, 6, 9])).unwrap();
        assert_eq!(
            delivery,
            Delivery {
                delivered: 3,
                missing: 2
            }
        );
        assert!(exact(&source(20), &read(&[5, 6, 9])).is_err());
    }

    #[test]
    fn a_damaged_a_doubled_and_a_late_unit_are_refused() {
        for order in [&[5, 6, 99][..], &[5, 6, 6], &[5, 7, 6], &[6, 7]] {
            assert!(follow(&source(20), &read(order)).is_err(), "{order:?}");
        }
    }
}
