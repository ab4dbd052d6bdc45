//! A local HTTP server that answers as it is told: order per stream, tries, signatures, and one that hangs.
//! On the real clock, with short pauses.

use super::*;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_wire::{NodeName, SessionId};

const QUICK: Pace = Pace {
    pauses: [
        Duration::ZERO,
        Duration::from_millis(20),
        Duration::from_millis(20),
        Duration::from_millis(20),
        Duration::from_millis(20),
    ],
    limit: Duration::from_millis(500),
};

/// A request: its head and body.
type Heard = Arc<Mutex<Vec<(String, serde_json::Value)>>>;

/// Answers the nth request with what `answer` says; `None`: never.
async fn server(answer: impl Fn(usize, &str) -> Option<u16> + Send + Sync + 'static) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:secret@{}/hook", listener.local_addr().unwrap());
    let heard = Heard::default();
    let (shared, answer) = (Arc::clone(&heard), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (heard, answer) = (Arc::clone(&shared), Arc::clone(&answer));
            tokio::spawn(async move {
                while let Some((head, body)) = request(&mut stream).await {
                    let path = body["path"].as_str().unwrap_or_default().to_owned();
                    let number = {
                        let mut heard = heard.lock().unwrap();
                        heard.push((head, body));
                        heard.len()
                    };
                    let Some(status) = answer(number, &path) else {
                        return std::future::pending().await;
                    };
                    let text =
                        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nLocation: /other\r\n\r\n");
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, heard)
}

async fn request(stream: &mut TcpStream) -> Option<(String, serde_json::Value)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)?
                .lines()
                .next()?
                .parse::<usize>()
                .ok()?;
            if bytes.len() >= end + 4 + length {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                return Some((head, serde_json::from_slice(&bytes[end + 4..][..length]).ok()?));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn webhooks(pace: Pace) -> (Webhooks, Arc<Counters>) {
    let counters = Arc::<Counters>::default();
    (Webhooks::new(Arc::clone(&counters), pace), counters)
}

fn hook(url: &str, secret: &str) -> Webhook {
    Webhook {
        url: url.to_owned(),
        secret: Secret::new(secret),
    }
}

/// An event of a stream, told apart by its session.
fn event(path: &str, number: u8) -> Event {
    Event::new(
        "read",
        &NodeName::new("n").unwrap(),
        "rtspSession",
        SessionId([number; 16]),
    )
    .path(path)
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(10), "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn sessions(heard: &Heard, path: &str) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let of_path = heard.iter().filter(|(_, body)| body["path"] == path);
    of_path
        .map(|(_, body)| body["session"].as_str().unwrap()[..2].to_owned())
        .collect()
}

#[tokio::test]
async fn events_of_a_stream_come_in_order_signed_and_are_tried_again() {
    // The first try of the first two is refused; a redirect is a refusal too.
    let (url, heard) = server(|number, _| {
        Some(match number {
            1 => 500,
            2 => 302,
            _ => 204,
        })
    })
    .await;
    let (webhooks, counters) = webhooks(QUICK);
    for number in 1..=20 {
        webhooks.tell(&hook(&url, "s3cret"), &event("a", number));
    }
    until("all told", || counters.delivered.load(Relaxed) == 20).await;
    let expected: Vec<String> = [1, 1]
        .into_iter()
        .chain(1..=20)
        .map(|n: u8| format!("{n:02x}"))
        .collect();
    assert_eq!(sessions(&heard, "a"), expected);
    assert_eq!(counters.tries_failed.load(Relaxed), 2);
    let (head, body) = heard.lock().unwrap()[5].clone();
    let line = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("weft-signature:"))
        .unwrap();
    let signed = line.split_once(": ").unwrap().1;
    let seconds: u64 = signed[2..].split(',').next().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now - seconds <= 10, "{signed}");
    // Parsed and written again it is the same object, not the same bytes: the signature is checked over what was sent.
    assert_eq!(body["event"], "read");
    assert!(signed.contains(",v1=") && signed.len() > 64);
}

#[tokio::test]
async fn a_stream_that_is_refused_for_good_delays_no_other_and_is_given_up_after_five_tries() {
    let (url, heard) = server(|_, path| Some(if path == "bad" { 503 } else { 200 })).await;
    let (webhooks, counters) = webhooks(QUICK);
    webhooks.tell(&hook(&url, ""), &event("bad", 1));
    webhooks.tell(&hook(&url, ""), &event("bad", 2));
    webhooks.tell(&hook(&url, ""), &event("good", 3));
    until("given up", || counters.given_up.load(Relaxed) == 2).await;
    assert_eq!(counters.delivered.load(Relaxed), 1);
    assert_eq!(
        sessions(&heard, "bad"),
        ["01"; 5].into_iter().chain(["02"; 5]).collect::<Vec<_>>()
    );
    assert!(
        !heard.lock().unwrap()[0]
            .0
            .to_lowercase()
            .contains("weft-signature")
    );
}

#[tokio::test]
async fn a_url_that_hangs_disturbs_no_other_its_queue_is_bounded_and_the_end_of_the_node_waits_two_seconds() {
    let (slow, _) = server(|_, _| None).await;
    let (quick, _) = server(|_, _| Some(200)).await;
    let (webhooks, counters) = webhooks(Pace {
        limit: Duration::from_secs(30),
        ..QUICK
    });
    let begin = Instant::now();
    for number in 0..1500_u32 {
        webhooks.tell(&hook(&slow, ""), &event(&number.to_string(), 1));
    }
    webhooks.tell(&hook(&quick, ""), &event("a", 1));
    until("the other is told", || counters.delivered.load(Relaxed) == 1).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(counters.webhooks_dropped.load(Relaxed), 1500 - QUEUE as u64);
    let begin = Instant::now();
    webhooks.shutdown().await;
    assert!(
        begin.elapsed() < Duration::from_millis(2_300),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn what_is_shown_of_a_url_is_its_host() {
    for (url, shown) in [
        (
            "https://user:pass@hooks.example:8443/a?token=x",
            "hooks.example:8443",
        ),
        ("http://h", "h"),
        ("http://h?x@y", "h"),
    ] {
        assert_eq!(host(url), shown);
    }
}
