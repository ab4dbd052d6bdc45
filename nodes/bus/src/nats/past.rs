//! Asks for units of the past over NATS, and sees to it that the answer is whole: a server drops messages for a connection
//! that it has much in store for, silently. What the units are for is the hub's business.

use super::feed::Reassembly;
use super::link::Link;
use super::request::{Question, subject};
use crate::{Counters, RequestError, UnitsAnswer};
use std::time::Duration;
use tokio::time::sleep;
use weft_wire::{
    Epoch, Message, SessionId, StreamName, StreamVerb, UnitBatch, UnitSeq, UnitsEnd, UnitsFrom, UnitsReply,
    UnitsRequest,
};

/// How often what is missing of one answer is asked for; each time it gets less.
const ROUNDS: usize = 8;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(10);
/// The first message of an answer may take this long,
const FIRST: Duration = Duration::from_secs(1);
/// and once it flows each further one this long: more likely than late, it was dropped.
const FURTHER: Duration = Duration::from_millis(300);

/// What came of an answer; without its end if that did not come.
struct Partial {
    batches: Vec<UnitBatch>,
    end: Option<UnitsEnd>,
}

/// Asks for units of the past; of two owners the one of the higher epoch counts.
pub(super) async fn units(
    link: &Link,
    stream: StreamName,
    request: UnitsRequest,
) -> Result<UnitsAnswer, RequestError> {
    let mut answer = ask(link, stream.clone(), &request).await?;
    for _ in 0..ROUNDS {
        let Some(rest) = missing(&request, &answer) else {
            break;
        };
        Counters::one(&link.counters.holes_in_answers);
        // What was too much a moment ago may be too much still.
        sleep(BETWEEN_ROUNDS).await;
        let more = match ask(link, stream.clone(), &rest).await {
            Ok(more) => more,
            Err(RequestError::Timeout) => continue,
            Err(_) => break,
        };
        let same = |session| rest.session.is_none_or(|asked| asked == session);
        let filling = more.batches.into_iter().filter(|batch| same(batch.session));
        answer.batches.extend(filling);
        answer.batches.sort_by_key(|batch| batch.units[0].seq);
        let Some(mut end) = more.end.filter(|end| same(end.session)) else {
            continue;
        };
        let no_more = end.gone && rest.from != UnitsFrom::Live;
        // What was asked for beyond the newest unit is not gone, it is yet to come.
        end.gone &= rest.from != UnitsFrom::Seq(end.next) && rest.from != UnitsFrom::Live;
        answer.end = answer.end.or(Some(end));
        // No longer kept: the hub sees what is missing and decides.
        if no_more {
            break;
        }
    }
    let end = answer.end.ok_or(RequestError::Timeout)?;
    Ok(UnitsAnswer {
        batches: answer.batches,
        end,
    })
}

/// One question and its answer as it comes. No batch of it is empty, all are of one session.
async fn ask(link: &Link, stream: StreamName, request: &UnitsRequest) -> Result<Partial, RequestError> {
    Counters::one(&link.counters.units_asked);
    let mut question = Question::ask(link, subject(stream, StreamVerb::Units), request.encode()).await?;
    let mut reassembly = Reassembly::new(link.counters.clone());
    let mut batches: Vec<UnitBatch> = Vec::new();
    let mut highest: Option<(SessionId, Epoch)> = None;
    let mut patience = FIRST;
    let end = loop {
        let answer = match question.next_answer(patience).await {
            Ok(answer) => answer,
            Err(RequestError::Timeout) if highest.is_some() => break None,
            Err(error) => return Err(error),
        };
        patience = FURTHER;
        match UnitsReply::decode(&answer.payload) {
            Ok(UnitsReply::Units(batch, parts)) => {
                if highest.is_none_or(|(_, epoch)| epoch < batch.epoch) {
                    highest = Some((batch.session, batch.epoch));
                }
                batches.extend(reassembly.batch(batch, &parts));
            }
            // An end of an owner that another one outranks is not the end.
            Ok(UnitsReply::End(end)) if highest.is_some_and(|(_, epoch)| epoch > end.epoch) => {}
            Ok(UnitsReply::End(end)) => break Some(end),
            Err(_) => Counters::one(&link.counters.malformed),
        }
    };
    let session = end
        .as_ref()
        .map(|end| end.session)
        .or(highest.map(|(session, _)| session));
    batches.retain(|batch| Some(batch.session) == session);
    Ok(Partial { batches, end })
}

/// The request for the first units that the answer should hold and does not. The sequence of a session has no holes.
fn missing(request: &UnitsRequest, answer: &Partial) -> Option<UnitsRequest> {
    let first = answer.batches.first().map(|batch| &batch.units[0]);
    if request.key_only {
        // Its numbers have holes; a key unit that is lost is followed by the next one.
        return answer.end.is_none().then(|| request.clone());
    }
    let session = match (&answer.end, answer.batches.first()) {
        (Some(end), _) => end.session,
        (None, Some(batch)) => batch.session,
        // Parts only, none of them whole.
        (None, None) => return Some(request.clone()),
    };
    let rest = |from, until: Option<u64>| {
        let until = until.map(UnitSeq);
        Some(UnitsRequest {
            from,
            until,
            session: Some(session),
            key_only: false,
        })
    };
    if request.from == UnitsFrom::Live || answer.end.as_ref().is_some_and(|end| end.gone) {
        return None;
    }
    let mut expected = match (request.from, first) {
        (UnitsFrom::Seq(seq), _) => seq.0,
        (_, None) => return None,
        (_, Some(first)) if !first.is_key() && first.seq.0 > 0 => {
            return rest(UnitsFrom::Gop(first.gop), Some(first.seq.0 - 1));
        }
        (_, Some(first)) => first.seq.0,
    };
    for unit in answer.batches.iter().flat_map(|batch| &batch.units) {
        if unit.seq.0 > expected {
            return rest(UnitsFrom::Seq(UnitSeq(expected)), Some(unit.seq.0 - 1));
        }
        // A unit that came twice, or out of its place, takes nothing back.
        expected = expected.max(unit.seq.next().0);
    }
    let wanted = request.until.map(|until| until.next().0);
    let until = match &answer.end {
        None => wanted,
        Some(end) => Some(wanted.map_or(end.next.0, |wanted| wanted.min(end.next.0))),
    };
    if until.is_some_and(|until| until <= expected) {
        // Only the end itself is missing, if anything is.
        let end_only = answer.end.is_none();
        return end_only.then(|| rest(UnitsFrom::Live, None)).flatten();
    }
    rest(UnitsFrom::Seq(UnitSeq(expected)), until.map(|until| until - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weft_wire::{
        AccessUnit, CaptureSource, CaptureTime, GopSeq, MediaTime, SentTime, TrackId, UnitFlags,
    };

    fn units(seqs: &[u64]) -> Vec<UnitBatch> {
        let unit = |seq: &u64| AccessUnit {
            track: TrackId(0),
            seq: UnitSeq(*seq),
            gop: GopSeq(0),
            pts: MediaTime(0),
            dts: MediaTime(0),
            capture: CaptureTime(0),
            capture_source: CaptureSource::Arrival,
            capture_offset: 0,
            sent: SentTime(0),
            flags: UnitFlags::KEY,
            data: Bytes::new(),
        };
        let batch = |seq: &u64| UnitBatch {
            session: SessionId::default(),
            epoch: Epoch::default(),
            units: vec![unit(seq)],
        };
        seqs.iter().map(batch).collect()
    }

    fn answer(seqs: &[u64], next: u64) -> Partial {
        let end = UnitsEnd {
            session: SessionId::default(),
            epoch: Epoch::default(),
            next: UnitSeq(next),
            gone: false,
            sent: SentTime(0),
            tracks: vec![],
            key_age_ms: 0,
        };
        Partial {
            batches: units(seqs),
            end: Some(end),
        }
    }

    fn wanted(from: u64, until: Option<u64>) -> UnitsRequest {
        UnitsRequest {
            from: UnitsFrom::Seq(UnitSeq(from)),
            until: until.map(UnitSeq),
            session: Some(SessionId::default()),
            key_only: false,
        }
    }

    #[test]
    fn what_is_missing_is_the_first_hole_or_the_rest() {
        let request = wanted(5, None);
        assert_eq!(missing(&request, &answer(&[5, 6, 7], 8)), None);
        assert_eq!(missing(&request, &answer(&[5, 8], 9)), Some(wanted(6, Some(7))));
        assert_eq!(missing(&request, &answer(&[5, 6], 9)), Some(wanted(7, Some(8))));
    }

    #[test]
    fn units_that_came_twice_or_out_of_place_make_no_hole() {
        let request = wanted(5, None);
        assert_eq!(missing(&request, &answer(&[5, 6, 5, 7], 8)), None);
        assert_eq!(missing(&request, &answer(&[5, 6, 7, 6], 8)), None);
    }

    #[test]
    fn the_last_number_there_is_ends_the_answer() {
        let last = u64::MAX;
        let request = wanted(last - 1, Some(last));
        assert_eq!(missing(&request, &answer(&[last - 1, last], last)), None);
        assert_eq!(missing(&wanted(last, Some(last)), &answer(&[], last)), None);
    }
}
