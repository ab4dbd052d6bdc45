//! Streams made up: a handler that knows a few names, sources whose units the test pushes, readers with a small queue.
//! The queue overflows as a hub's does: it empties and goes on at the next key unit.

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weft_rtp::{DEFAULT_MTU, PacketBlock, Packetiser};
use weft_rtsp_server::{
    Addresses, DescribeRequest, Handle, Joined, PlayHandler, PlayReader, PlaySource, ReaderEvent, ReaderSpec,
    Refusal, RtpLine, Server, ServerConfig, TrackStart, UdpAddresses,
};
use weft_wire::{CaptureTime, ClockRate, CloseReason, Codec, StreamName, TrackId, TrackInfo};

pub const VIDEO: TrackId = TrackId(0);
pub const AUDIO: TrackId = TrackId(1);
pub const VIDEO_SSRC: u32 = 0x1111_2222;
pub const AUDIO_SSRC: u32 = 0x3333_4444;
/// RTP time of the first video and audio unit.
pub const VIDEO_START: u32 = 4_294_960_000;
pub const AUDIO_START: u32 = 777;
pub const CAPTURE_START: CaptureTime = CaptureTime(1_700_000_000_000_000);
/// Constrained baseline, 640x480, with VUI; and its PPS.
pub const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x03, 0xc5, 0x68, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c,
    0x03, 0xc5, 0x8b, 0x92,
];
pub const PPS: &[u8] = &[0x68, 0xcb, 0x8c, 0xb2];
const QUEUE: usize = 64;

/// A stream whose units the test makes.
pub struct Stream {
    tracks: Vec<TrackInfo>,
    readers: Mutex<Vec<Weak<Queue>>>,
    /// Units since the last key unit, for readers that join.
    gop: Mutex<Vec<Arc<PacketBlock>>>,
    packetisers: Mutex<(Packetiser, Packetiser)>,
    video_units: AtomicU64,
    audio_units: AtomicU64,
    pub described: AtomicU64,
    pub joined: Mutex<Vec<ReaderSpec>>,
}

/// One reader's queue.
#[derive(Default)]
pub struct Queue {
    events: Mutex<VecDeque<ReaderEvent>>,
    ready: Notify,
    paused: AtomicBool,
    awaits_key: AtomicBool,
    pub skipped: AtomicU64,
    pub packets: AtomicU64,
    pub bytes: AtomicU64,
}

fn track(id: TrackId, codec: Codec) -> TrackInfo {
    let video = codec == Codec::H264;
    TrackInfo {
        id,
        codec,
        clock_rate: if video { ClockRate::VIDEO } else { ClockRate::OPUS },
        channels: if video { 0 } else { 2 },
        parameter_sets: if video {
            vec![Bytes::from_static(SPS), Bytes::from_static(PPS)]
        } else {
            vec![]
        },
        width: 0,
        height: 0,
    }
}

impl Stream {
    pub fn new(audio: bool) -> Arc<Self> {
        let mut tracks = vec![track(VIDEO, Codec::H264)];
        tracks.extend(audio.then(|| track(AUDIO, Codec::Opus)));
        Arc::new(Self {
            tracks,
            readers: Mutex::default(),
            gop: Mutex::default(),
            packetisers: Mutex::new((
                Packetiser::h264(VIDEO, 96, VIDEO_SSRC, DEFAULT_MTU),
                Packetiser::opus(AUDIO, 97, AUDIO_SSRC),
            )),
            video_units: AtomicU64::new(0),
            audio_units: AtomicU64::new(0),
            described: AtomicU64::new(0),
            joined: Mutex::default(),
        })
    }

    /// The next picture, 40 ms after the last; its slice NAL unit is `size` bytes.
    pub fn picture(&self, key: bool, size: usize) -> Arc<PacketBlock> {
        let n = self.video_units.fetch_add(1, SeqCst);
        let mut slice = vec![n as u8; size];
        slice[0] = if key { 0x65 } else { 0x41 };
        // first_mb_in_slice = 0, and no emulated start code whatever n is.
        slice[1] = 0x88;
        slice[2..].fill(0x80 | n as u8);
        let mut data = Vec::new();
        let sets: &[&[u8]] = if key { &[SPS, PPS] } else { &[] };
        for nal in sets.iter().copied().chain([&slice[..]]) {
            data.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            data.extend_from_slice(nal);
        }
        let rtp_time = VIDEO_START.wrapping_add(n as u32 * 3600);
        let block = Arc::new(self.packetisers.lock().unwrap().0.packetise(&data, key, rtp_time));
        self.push(Arc::clone(&block));
        block
    }

    /// The next 20 ms of sound.
    pub fn sound(&self) -> Arc<PacketBlock> {
        let n = self.audio_units.fetch_add(1, SeqCst);
        let rtp_time = AUDIO_START.wrapping_add(n as u32 * 960);
        let block = self
            .packetisers
            .lock()
            .unwrap()
            .1
            .packetise(&[0xfc, 0xff, n as u8], false, rtp_time);
        let block = Arc::new(block);
        self.push(Arc::clone(&block));
        block
    }

    fn push(&self, block: Arc<PacketBlock>) {
        let mut gop = self.gop.lock().unwrap();
        if block.key {
            gop.clear();
        }
        gop.push(Arc::clone(&block));
        self.each(|queue| queue.push(ReaderEvent::Block(Arc::clone(&block))));
    }

    /// Says the same to every reader.
    pub fn tell(&self, event: &ReaderEvent) {
        self.each(|queue| queue.push(event.clone()));
    }

    fn each(&self, f: impl Fn(&Queue)) {
        self.readers.lock().unwrap().retain(|weak| {
            weak.upgrade().is_some_and(|queue| {
                f(&queue);
                true
            })
        });
    }

    pub fn queue(&self, index: usize) -> Arc<Queue> {
        self.readers.lock().unwrap()[index]
            .upgrade()
            .expect("the reader has left")
    }

    pub fn readers(&self) -> usize {
        self.each(|_| {});
        self.readers.lock().unwrap().len()
    }

    fn start(&self, id: TrackId) -> TrackStart {
        let gop = self.gop.lock().unwrap();
        let first = gop.iter().find(|b| b.track == id).map(|b| b.rtp_time);
        let (ssrc, line) = if id == VIDEO {
            (VIDEO_SSRC, VIDEO_START)
        } else {
            (AUDIO_SSRC, AUDIO_START)
        };
        TrackStart {
            track: id,
            ssrc,
            rtp_time: first.unwrap_or(line),
            line: RtpLine {
                rtp_time: line,
                capture: CAPTURE_START,
            },
        }
    }
}

impl Queue {
    fn push(&self, event: ReaderEvent) {
        let mut events = self.events.lock().unwrap();
        if let ReaderEvent::Block(block) = &event {
            if self.paused.load(SeqCst) {
                return;
            }
            if block.key {
                self.awaits_key.store(false, SeqCst);
            }
            if events.len() >= QUEUE {
                events.clear();
                self.awaits_key.store(true, SeqCst);
            }
            if self.awaits_key.load(SeqCst) {
                self.skipped.fetch_add(1, SeqCst);
                return;
            }
        }
        events.push_back(event);
        drop(events);
        self.ready.notify_one();
    }

    /// It was told to go on, and no key unit has come yet.
    pub fn resumed(&self) -> bool {
        !self.paused.load(SeqCst) && self.awaits_key.load(SeqCst)
    }

    fn take(&self) -> Option<ReaderEvent> {
        self.events.lock().unwrap().pop_front()
    }
}

struct Source(Arc<Stream>);

impl PlaySource for Source {
    fn tracks(&self) -> Vec<TrackInfo> {
        self.0.tracks.clone()
    }

    fn join(&self, spec: ReaderSpec) -> BoxFuture<'_, Result<Joined, Refusal>> {
        let queue = Arc::new(Queue::default());
        let starts = spec.tracks.iter().map(|t| self.0.start(*t)).collect();
        for block in self.0.gop.lock().unwrap().iter() {
            queue.push(ReaderEvent::Block(Arc::clone(block)));
        }
        self.0.readers.lock().unwrap().push(Arc::downgrade(&queue));
        self.0.joined.lock().unwrap().push(spec);
        let reader = Box::new(Reader(queue));
        async move {
            Ok(Joined {
                starts,
                reader: reader as Box<dyn PlayReader>,
            })
        }
        .boxed()
    }
}

struct Reader(Arc<Queue>);

impl PlayReader for Reader {
    fn try_next(&mut self) -> Option<ReaderEvent> {
        self.0.take()
    }

    fn ready(&self) -> &Notify {
        &self.0.ready
    }

    fn set_paused(&mut self, paused: bool) {
        self.0.events.lock().unwrap().clear();
        self.0.paused.store(paused, SeqCst);
        self.0.awaits_key.store(!paused, SeqCst);
    }

    fn sent(&self, packets: u64, bytes: u64) {
        self.0.packets.fetch_add(packets, SeqCst);
        self.0.bytes.fetch_add(bytes, SeqCst);
    }
}

/// Knows `demo` (both tracks), `video` (one track), and a name for every refusal.
struct Handler {
    demo: Arc<Stream>,
    video: Arc<Stream>,
    requests: Arc<Mutex<Vec<DescribeRequest>>>,
    searches: Arc<AtomicU64>,
    patience: Duration,
}

/// A search under way.
struct Search(Arc<AtomicU64>);

impl Search {
    fn begin(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl PlayHandler for Handler {
    fn describe(&self, request: DescribeRequest) -> BoxFuture<'_, Result<Arc<dyn PlaySource>, Refusal>> {
        self.requests.lock().unwrap().push(request.clone());
        let found = |stream: &Arc<Stream>| {
            stream.described.fetch_add(1, SeqCst);
            Ok(Arc::new(Source(Arc::clone(stream))) as Arc<dyn PlaySource>)
        };
        let answer = match request.stream.as_str() {
            "demo" => found(&self.demo),
            "video" => found(&self.video),
            "moved" => Err(Refusal::Moved("rtsp://other:8554/moved".into())),
            "full" => Err(Refusal::Full),
            "later" => Err(Refusal::Unavailable(Duration::from_secs(3))),
            "never" => {
                let search = Search::begin(&self.searches);
                return async {
                    let _search = search;
                    std::future::pending().await
                }
                .boxed();
            }
            // Found after 0.3 s, or when all patience is nearly over.
            "slow" => {
                let wait = self.patience.max(Duration::from_millis(300));
                let (search, answer) = (Search::begin(&self.searches), found(&self.demo));
                return async move {
                    let _search = search;
                    tokio::time::sleep(wait).await;
                    answer
                }
                .boxed();
            }
            _ => Err(Refusal::NotFound),
        };
        async { answer }.boxed()
    }

    fn patience(&self, _stream: &StreamName) -> Duration {
        self.patience
    }
}

/// A running server with its streams; ends with the test.
pub struct Running {
    pub demo: Arc<Stream>,
    pub video: Arc<Stream>,
    pub requests: Arc<Mutex<Vec<DescribeRequest>>>,
    /// Searches for streams under way.
    pub searches: Arc<AtomicU64>,
    pub handle: Handle,
    pub stop: CancellationToken,
    pub task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn addresses(&self) -> Addresses {
        self.handle.addresses()
    }

    pub fn counter(&self, wanted: &str) -> u64 {
        let mut value = None;
        self.handle.counters().each(&mut |name, _, v| {
            if name == wanted {
                value = Some(v);
            }
        });
        value.expect(wanted)
    }

    /// Yields until `f` holds; the test's own time limit ends what never does.
    pub async fn until(&self, f: impl Fn() -> bool) {
        while !f() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn config() -> ServerConfig {
    let any = "127.0.0.1:0".parse().unwrap();
    ServerConfig {
        rtsp_address: Some(any),
        udp: Some(UdpAddresses { rtp: any, rtcp: any }),
        ..ServerConfig::default()
    }
}

pub fn start() -> Running {
    start_with(config())
}

pub fn start_with(config: ServerConfig) -> Running {
    start_patient(config, Duration::ZERO)
}

/// A server whose handler may take longer.
pub fn start_patient(config: ServerConfig, patience: Duration) -> Running {
    let (demo, video, requests) = (Stream::new(true), Stream::new(false), Arc::default());
    let handler = Handler {
        demo: Arc::clone(&demo),
        video: Arc::clone(&video),
        requests: Arc::clone(&requests),
        searches: Arc::default(),
        patience,
    };
    let searches = Arc::clone(&handler.searches);
    let server = Server::bind(config, Arc::new(handler)).unwrap();
    let (handle, stop) = (server.handle(), CancellationToken::new());
    Running {
        demo,
        video,
        requests,
        searches,
        handle,
        task: tokio::spawn(server.run(stop.clone())),
        stop,
    }
}

/// The end of a stream, as a hub says it.
pub fn ended() -> ReaderEvent {
    ReaderEvent::Closed(CloseReason::StreamEnded)
}
