//! What it costs to write units to a reader over RTSP, interleaved, on the loopback: its queue, the copy, the socket.
//! The stream is made up and the reader passes over what it gets; what comes before the queue is the hub's.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::{BoxFuture, FutureExt};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weft_allocations::{each, tell};
use weft_rtp::{PacketBlock, Packetiser};
use weft_rtsp_server::{
    DescribeRequest, Joined, PlayHandler, PlayReader, PlaySource, ReaderEvent, ReaderSpec, Refusal, RtpLine,
    Server, ServerConfig, TrackStart,
};
use weft_wire::{CaptureTime, ClockRate, Codec, TrackId, TrackInfo};

const UNIT: usize = 8_000;
const MTU: usize = 1_200;
/// Units that wait when the connection comes to write: one where it keeps up, more where it is behind.
const AT_ONCE: [usize; 2] = [1, 16];
const COUNTED: u32 = 1_000;

/// The one stream, and the queue of its one reader.
#[derive(Clone, Default)]
struct Made(Arc<(Mutex<VecDeque<ReaderEvent>>, Notify)>);

impl Made {
    fn put(&self, block: &Arc<PacketBlock>, units: usize) {
        let mut queue = self.0.0.lock().unwrap();
        queue.extend((0..units).map(|_| ReaderEvent::Block(Arc::clone(block))));
        drop(queue);
        self.0.1.notify_one();
    }
}

impl PlayHandler for Made {
    fn describe(&self, _: DescribeRequest) -> BoxFuture<'_, Result<Arc<dyn PlaySource>, Refusal>> {
        let source: Arc<dyn PlaySource> = Arc::new(self.clone());
        async { Ok(source) }.boxed()
    }
}

impl PlaySource for Made {
    fn tracks(&self) -> Vec<TrackInfo> {
        let sets: [&'static [u8]; 2] = [&[0x67, 66, 0xc0, 30, 0xd9, 0], &[0x68, 0xce, 1]];
        vec![TrackInfo {
            id: TrackId(0),
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            channels: 0,
            parameter_sets: sets.map(Bytes::from_static).into(),
            width: 0,
            height: 0,
        }]
    }

    fn join(&self, _: ReaderSpec) -> BoxFuture<'_, Result<Joined, Refusal>> {
        let line = RtpLine {
            rtp_time: 0,
            capture: CaptureTime(1_700_000_000_000_000),
        };
        let start = TrackStart {
            track: TrackId(0),
            ssrc: 1,
            rtp_time: 0,
            line,
        };
        let reader: Box<dyn PlayReader> = Box::new(self.clone());
        async move {
            Ok(Joined {
                starts: vec![start],
                reader,
            })
        }
        .boxed()
    }
}

impl PlayReader for Made {
    fn try_next(&mut self) -> Option<ReaderEvent> {
        self.0.0.lock().unwrap().pop_front()
    }

    fn ready(&self) -> &Notify {
        &self.0.1
    }

    fn set_paused(&mut self, _: bool) {}

    fn sent(&self, _: u64, _: u64) {}
}

/// Asks for the stream; what comes before the first packet of a picture is taken.
async fn play(server: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let (url, mut session) = (format!("rtsp://{server}/bench"), String::new());
    let set_up = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    for (n, method, path, headers) in [
        (1, "DESCRIBE", "", ""),
        (2, "SETUP", "/trackID=0", set_up),
        (3, "PLAY", "", ""),
    ] {
        let request = format!("{method} {url}{path} RTSP/1.0\r\nCSeq: {n}\r\n{session}{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("RTSP/1.0 200"), "{head}");
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("Content-Length: ").map_or(0, |length| length.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if let Some(id) = field("Session: ").and_then(|id| id.split(';').next()) {
            session = format!("Session: {id}\r\n");
        }
    }
    // The first sender report (RFC 2326 §10.12).
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.unwrap();
    let length = usize::from(u16::from_be_bytes([frame[2], frame[3]]));
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    stream
}

/// Takes so many bytes and forgets them.
async fn take(stream: &TcpStream, buffer: &mut [u8], mut bytes: usize) {
    while bytes > 0 {
        stream.readable().await.unwrap();
        match stream.try_read(buffer) {
            Ok(0) => panic!("closed"),
            Ok(read) => bytes -= read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn begin(runtime: &Runtime, made: &Made) -> (TcpStream, CancellationToken) {
    let stop = CancellationToken::new();
    let stream = runtime.block_on(async {
        let config = ServerConfig {
            rtsp_address: "127.0.0.1:0".parse().ok(),
            udp: None,
            ..ServerConfig::default()
        };
        let server = Server::bind(config, Arc::new(made.clone())).unwrap();
        let address = server.addresses().rtsp.unwrap();
        tokio::spawn(server.run(stop.clone()));
        play(address).await
    });
    (stream, stop)
}

fn write(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let made = Made::default();
    let (stream, stop) = begin(&runtime, &made);
    let mut slice = vec![0x55; UNIT];
    slice[..2].copy_from_slice(&[0x41, 0x88]);
    let data = [&(UNIT as u32).to_be_bytes()[..], &slice].concat();
    let block = Packetiser::h264(TrackId(0), 96, 1, MTU).packetise(&data, false, 1);
    let block = Arc::new(block);
    let mut buffer = vec![0; 256 * 1024];

    let mut group = c.benchmark_group("RTSP over TCP");
    for units in AT_ONCE {
        let bytes = units * block.bytes.len();
        let mut pass = || {
            made.put(&block, units);
            runtime.block_on(take(&stream, &mut buffer, bytes));
        };
        let name = format!("write, {units} of 8 KB at once");
        let cost = each(COUNTED, &mut pass) / units as f64;
        tell(&format!("RTSP over TCP/{name}, a unit ({bytes} bytes)"), cost);
        group.throughput(Throughput::ElementsAndBytes {
            elements: units as u64,
            bytes: bytes as u64,
        });
        group.bench_function(&name, |b| b.iter(&mut pass));
    }
    group.finish();
    stop.cancel();
}

criterion_group!(benches, write);
criterion_main!(benches);
