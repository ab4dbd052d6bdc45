//! From RTP packets to kept and published units: order, loss, repair, restart.
//! Packets are made by the packetiser of `weft-rtp`; time is the test's own.

use super::{Outlet, Receiver};
use crate::counters::get;
use crate::live::{Live, lock};
use crate::messages::Event;
use crate::testing::{PPS, SPS, Source, audio, live, video};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use weft_rtc::{Feedback, MediaReceiver, NegotiatedTrack, ReceivedRtp, SenderReport};
use weft_wire::{AccessUnit, CaptureSource, CloseReason, TrackId, UnitFlags, nal_units};

struct Bench {
    live: Arc<Live>,
    receiver: Receiver,
    events: Arc<Mutex<Vec<Event>>>,
    now: Instant,
}

impl Bench {
    fn new(tracks: &[NegotiatedTrack]) -> Self {
        let live = live();
        let events = Arc::new(Mutex::new(Vec::new()));
        let outlet = Arc::new(Mutex::new(Outlet::new(Arc::clone(&live))));
        let told = Arc::clone(&events);
        let tell = Box::new(move |event| {
            lock(&told).push(event);
            true
        });
        Self {
            receiver: Receiver::new(Arc::clone(&live), tracks, outlet, tell),
            live,
            events,
            now: Instant::now(),
        }
    }

    fn wait(&mut self, ms: u64) -> Feedback {
        let until = self.now + Duration::from_millis(ms);
        let mut feedback = Feedback::default();
        // As the shard does: each deadline is kept.
        while let Some(next) = self
            .receiver
            .poll(self.now, &mut feedback)
            .filter(|d| *d <= until)
        {
            self.now = next.max(self.now + Duration::from_millis(1));
        }
        self.now = until;
        self.receiver.poll(self.now, &mut feedback);
        feedback
    }

    fn feed(&mut self, packets: impl IntoIterator<Item = ReceivedRtp>) {
        for packet in packets {
            let mut feedback = Feedback::default();
            self.receiver.rtp(self.now, packet, &mut feedback);
        }
    }

    fn units(&self) -> Vec<AccessUnit> {
        self.live.cache().all()
    }

    fn count(&self, kind: fn(&Event) -> bool) -> usize {
        lock(&self.events).iter().filter(|e| kind(e)).count()
    }
}

fn is_key_needed(event: &Event) -> bool {
    matches!(event, Event::KeyNeeded)
}

#[test]
fn pictures_and_sounds_become_units_without_holes_and_the_first_key_claims() {
    let mut bench = Bench::new(&[video(), audio(1)]);
    let (mut camera, mut microphone) = (Source::video(), Source::audio(1));
    bench.feed(microphone.unit(false, 80));
    assert!(
        bench.units().is_empty(),
        "sound before the first picture is left out"
    );
    for n in 0..60 {
        bench.feed(camera.unit(n % 30 == 0, 3_000));
        bench.feed(microphone.unit(false, 80));
        bench.wait(33);
    }
    let units = bench.units();
    assert_eq!(units.len(), 120);
    assert!(units.iter().enumerate().all(|(i, u)| u.seq.0 == i as u64));
    assert_eq!((units[0].gop.0, units[59].gop.0, units[60].gop.0), (1, 1, 2));
    let nals: Vec<&[u8]> = nal_units(&units[60].data).collect();
    assert_eq!((nals.len(), nals[0], nals[1]), (3, SPS, PPS));
    assert_eq!(nals[2].len(), 3_001);
    assert_eq!(units[62].pts.ticks_since(units[60].pts), 3_000);
    assert_eq!(units[63].pts.ticks_since(units[61].pts), 960);
    assert!(units.iter().all(|u| u.pts == u.dts));
    assert_eq!(bench.count(|e| matches!(e, Event::Claimable)), 1);
    assert_eq!(bench.count(|e| matches!(e, Event::Key)), 2);
    assert_eq!(bench.count(is_key_needed), 0);
    let tracks = bench.live.status().tracks.clone();
    assert_eq!((tracks[0].width, tracks[0].height), (1280, 720));
    assert_eq!(tracks[0].parameter_sets, [SPS, PPS]);
    assert_eq!((tracks[0].id, tracks[1].id), (TrackId(0), TrackId(1)));
    assert_eq!(get(&bench.live.node.units_early), 1);
}

#[test]
fn a_lost_packet_is_asked_for_within_ten_milliseconds_and_nothing_is_lost_when_it_comes() {
    let mut bench = Bench::new(&[video()]);
    let mut camera = Source::video();
    bench.feed(camera.unit(true, 5_000));
    let mut packets = camera.unit(false, 5_000);
    let missing = packets.remove(2);
    let seq = missing.seq;
    bench.feed(packets);
    let feedback = bench.wait(10);
    assert_eq!(feedback.nack, [(0, vec![seq])]);
    bench.feed(camera.unit(false, 5_000));
    assert_eq!(bench.units().len(), 1, "what follows waits for it");
    bench.wait(40);
    bench.feed([missing]);
    assert_eq!(bench.units().len(), 3);
    assert_eq!(get(&bench.live.counters.units_in_error), 0);
    assert_eq!(bench.count(is_key_needed), 0);
}

#[test]
fn a_loss_that_stays_withholds_pictures_until_the_next_key_and_asks_for_it() {
    let mut bench = Bench::new(&[video(), audio(1)]);
    let (mut camera, mut microphone) = (Source::video(), Source::audio(1));
    bench.feed(camera.unit(true, 5_000));
    let mut packets = camera.unit(false, 5_000);
    packets.remove(1);
    bench.feed(packets);
    bench.wait(200);
    assert_eq!(bench.count(is_key_needed), 1);
    for _ in 0..5 {
        bench.feed(camera.unit(false, 5_000));
        bench.feed(microphone.unit(false, 80));
        bench.wait(33);
    }
    assert_eq!(bench.count(is_key_needed), 1, "half a second is not over");
    bench.feed(camera.unit(true, 5_000));
    let units = bench.units();
    assert!(units.windows(2).all(|w| w[1].seq == w[0].seq.next()));
    let pictures: Vec<_> = units.iter().filter(|u| u.track == TrackId(0)).collect();
    assert_eq!(pictures.len(), 2);
    assert!(pictures[1].is_key() && pictures[1].flags.contains(UnitFlags::DISCONTINUITY));
    assert_eq!(units.len() - pictures.len(), 5, "sound goes on");
    assert_eq!(get(&bench.live.counters.units_in_error), 1);
    assert_eq!(get(&bench.live.counters.units_withheld), 5);
    assert_eq!(get(&bench.live.counters.packets_lost), 1);
}

#[test]
fn without_video_the_stream_begins_with_its_first_sound() {
    let mut bench = Bench::new(&[audio(0)]);
    let mut microphone = Source::audio(0);
    bench.feed(microphone.unit(false, 80));
    assert_eq!(bench.units().len(), 1);
    assert_eq!(bench.units()[0].track, TrackId(1));
    assert_eq!(bench.count(|e| matches!(e, Event::Claimable)), 1);
}

#[test]
fn with_video_that_never_comes_the_stream_begins_after_two_seconds() {
    let mut bench = Bench::new(&[video(), audio(1)]);
    let mut microphone = Source::audio(1);
    for _ in 0..110 {
        bench.feed(microphone.unit(false, 80));
        bench.wait(20);
    }
    assert_eq!(bench.units().len(), 10);
    let mut camera = Source::video();
    bench.feed(camera.unit(false, 100));
    assert_eq!(bench.count(is_key_needed), 1, "a picture nobody can start with");
    bench.feed(camera.unit(true, 100));
    assert!(bench.units().last().unwrap().is_key());
}

#[test]
fn sender_reports_place_units_even_when_they_come_first() {
    let mut bench = Bench::new(&[video()]);
    let mut camera = Source::video();
    let ahead = bench.live.utc(bench.now).shifted(250_000);
    bench.receiver.sender_report(
        bench.now,
        SenderReport {
            track: 0,
            ntp: ahead.to_ntp(),
            rtp_timestamp: 1_000,
        },
    );
    bench.feed(camera.unit(true, 100));
    let unit = &bench.units()[0];
    assert_eq!(unit.capture_source, CaptureSource::SenderReport);
    assert!((unit.capture.0 - ahead.0).abs() <= 1);
    assert!((unit.capture_offset - 250_000).abs() <= 1);
}

#[test]
fn after_a_silence_readers_go_on_at_a_key_unit() {
    let mut bench = Bench::new(&[video()]);
    let mut camera = Source::video();
    bench.feed(camera.unit(true, 100));
    bench.feed(camera.unit(false, 100));
    bench.wait(5_000);
    bench.feed(camera.unit(false, 100));
    assert_eq!(bench.live.cache().next().0, 2);
    assert_eq!(bench.count(is_key_needed), 1);
    bench.feed(camera.unit(true, 100));
    assert_eq!(bench.live.cache().next().0, 3);
}

#[test]
fn a_loop_that_stood_still_delivers_nothing_stale_and_is_no_silence() {
    let mut bench = Bench::new(&[video()]);
    let mut camera = Source::video();
    bench.feed(camera.unit(true, 5_000));
    let mut held = camera.unit(false, 5_000);
    held.remove(0);
    bench.feed(held);
    let pause = Duration::from_secs(6);
    bench.now += pause;
    bench
        .receiver
        .loop_stalled(bench.now, pause, &mut Feedback::default());
    assert!(bench.live.media_age(bench.now) < Duration::from_millis(100));
    assert_eq!(bench.count(is_key_needed), 1);
    for _ in 0..100 {
        camera.unit(false, 5_000);
    }
    bench.feed(camera.unit(false, 5_000));
    assert!(bench.wait(50).nack.is_empty(), "what is gone is not asked for");
    bench.feed(camera.unit(true, 5_000));
    assert_eq!(bench.live.cache().next().0, 2);
    assert!(bench.units()[0].is_key());
}

#[test]
fn a_second_source_is_believed_only_once_the_first_is_silent() {
    let mut bench = Bench::new(&[video()]);
    let (mut camera, mut other) = (Source::video(), Source::video());
    let renamed = |packets: Vec<ReceivedRtp>| packets.into_iter().map(|p| ReceivedRtp { ssrc: 1_000, ..p });
    bench.feed(camera.unit(true, 100));
    bench.feed(renamed(other.unit(true, 100)));
    assert_eq!(bench.units().len(), 1);
    assert_eq!(get(&bench.live.node.packets_foreign), 1);
    bench.wait(1_500);
    bench.feed(renamed(other.unit(false, 100)));
    bench.feed(renamed(other.unit(true, 100)));
    let units = bench.units();
    assert_eq!(units.len(), 2);
    assert!(units[1].flags.contains(UnitFlags::DISCONTINUITY));
}

#[test]
fn the_end_is_told_once_whoever_brings_it() {
    let Bench {
        mut receiver,
        events,
        live,
        ..
    } = Bench::new(&[video()]);
    receiver.closed(CloseReason::PeerLeft);
    drop(receiver);
    let events = lock(&events);
    assert!(matches!(events[..], [Event::Ended(CloseReason::PeerLeft)]));
    assert_eq!(live.status().ended, Some(CloseReason::PeerLeft));
}
