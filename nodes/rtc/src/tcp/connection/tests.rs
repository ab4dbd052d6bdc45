//! A connection whose client takes nothing: media is dropped, the rest waits for it, and it ends when that is too much.
//! The other way round, a shard that takes nothing makes the client wait.

use super::*;
use crate::tcp::frame;
use std::io::{Read, Write};
use std::sync::atomic::Ordering::Relaxed;
use weft_limits::{Bounds, Door};

struct Pair {
    ours: Arc<Connection>,
    theirs: std::net::TcpStream,
    counters: Arc<Counters>,
}

fn pair() -> Pair {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let theirs = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (stream, from) = listener.accept().expect("accepted");
    stream.set_nonblocking(true).expect("set");
    let socket = socket2::SockRef::from(&stream);
    socket.set_send_buffer_size(64 * 1024).expect("set");
    let bounds = Bounds {
        total: 1,
        per_address: 0,
    };
    let arrival = Arrival {
        stream,
        from,
        to: from.ip(),
        bytes: Vec::new(),
        guest: Door::default().enter(from.ip(), bounds).expect("room"),
    };
    let counters = Arc::new(Counters::default());
    Pair {
        ours: Arc::new(Connection::new(arrival, counters.clone()).expect("ours")),
        theirs,
        counters,
    }
}

const MEDIA: [u8; 1000] = [0x80; 1000];
const CHECK: [u8; 40] = [1; 40];

#[actix_rt::test]
async fn media_is_dropped_for_a_client_that_takes_nothing_and_checks_are_not() {
    let Pair {
        ours,
        mut theirs,
        counters,
    } = pair();
    let task = actix_rt::spawn(ours.clone().run(|_| {}));
    for _ in 0..100 {
        for _ in 0..100 {
            ours.send(&MEDIA);
        }
        tokio::task::yield_now().await;
    }
    let dropped = counters.tcp_media_dropped.load(Relaxed);
    assert!(dropped > 1000, "{dropped}");
    assert!(ours.inner().output.len() <= MEDIA_MOST + MEDIA.len());
    ours.send(&CHECK);
    let sent = counters.sent.load(Relaxed);
    assert_eq!(dropped + sent, 10_001);
    ours.leave();
    // What was taken arrives whole, in order, the check last; then the end.
    let read = actix_rt::task::spawn_blocking(move || {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).expect("read");
        all
    });
    let all = read.await.expect("read");
    let (mut rest, mut packets) = (&*all, Vec::new());
    while let Some(packet) = frame::first(rest).expect("frames") {
        rest = &rest[frame::HEADER + packet.len()..];
        packets.push(packet);
    }
    let (last, media) = packets.split_last().expect("some");
    assert_eq!((packets.len() as u64, *last), (sent, CHECK.as_slice()));
    assert!(rest.is_empty() && media.iter().all(|packet| **packet == MEDIA));
    task.await.expect("over");
    assert!(ours.has_ended());
}

#[actix_rt::test]
async fn a_client_that_does_not_even_take_checks_is_gone() {
    let Pair {
        ours,
        theirs: _silent,
        counters,
    } = pair();
    let task = actix_rt::spawn(ours.clone().run(|_| {}));
    for _ in 0..20_000 {
        ours.send(&MEDIA);
        ours.send(&CHECK);
        tokio::task::yield_now().await;
    }
    // Ends by itself.
    task.await.expect("over");
    assert!(ours.has_ended());
    assert_eq!(counters.tcp_stuck.load(Relaxed), 1);
    assert!(ours.inner().output.len() <= MEDIA_MOST + CONTROL_ROOM + MEDIA.len());
}

#[actix_rt::test]
async fn nothing_is_read_beyond_what_the_shard_takes() {
    let Pair { ours, mut theirs, .. } = pair();
    let task = actix_rt::spawn(ours.clone().run(|_| {}));
    let sending = actix_rt::task::spawn_blocking(move || {
        theirs.write_all(&[7; 8 << 20]).expect("sent");
    });
    while ours.inner().input.len() < INPUT_MOST {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut taken = 0;
    while taken < 8 << 20 {
        let input = ours.take_input();
        assert!(input.len() <= 2 * INPUT_MOST, "{}", input.len());
        taken += input.len();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    sending.await.expect("sent");
    task.await.expect("it hears of the end");
    assert!(ours.has_ended());
}

#[actix_rt::test]
async fn what_is_read_while_the_shard_looks_follows_what_it_gives_back() {
    let Pair { ours, .. } = pair();
    ours.inner().input.extend_from_slice(b"abc");
    let mut taken = ours.take_input();
    // On another thread its task reads on, up to the end.
    ours.inner().input.extend_from_slice(b"def");
    ours.inner().state = State::Ended;
    assert!(!ours.put_back(taken.split_off(2)), "there is more to look at");
    let taken = ours.take_input();
    assert_eq!(&taken[..], b"cdef");
    assert!(ours.put_back(taken), "and now there is not");
}
