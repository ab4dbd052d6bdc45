//! What a server tells its publisher: server-sent events (WHATWG HTML §9.2) `move` and `closed` on the channel that the 201
//! named, read as lines. What is done about it is the follower's business.

use super::whip::{self, WhipError};
use futures::StreamExt;
use std::time::Duration;
use tokio::sync::mpsc;
use url::Url;

/// A channel on which not even a comment came for this long is dead; the server speaks every 10 s.
const SILENCE: Duration = Duration::from_secs(25);

/// Words kept for a follower that is busy.
const QUEUE: usize = 16;

/// Bytes of a line, and of an event's data; more is no event of ours.
const LONGEST: usize = 8 * 1024;

/// A word of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Go to this URL.
    Move(Url),
    /// The session is closed, and why (`taken-over`, `shutdown` and so on).
    Closed(String),
}

/// An open events channel. Dropping it closes it.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Word>,
}

impl Events {
    /// Opens the channel at `url`, within `limit`.
    ///
    /// # Errors
    /// When the server cannot be reached, or has no such session (404), or it has ended (410).
    pub async fn open(url: Url, limit: Duration) -> Result<Self, WhipError> {
        // overflow: the reading waits, and with it the server's connection
        let (words, receiver) = mpsc::channel(QUEUE);
        let (opened, answer) = tokio::sync::oneshot::channel();
        tokio::spawn(whip::on_own_thread(move || read(url, limit, opened, words)));
        answer
            .await
            .unwrap_or_else(|_| Err(WhipError::Unreachable("the request's thread ended".to_owned())))?;
        Ok(Self { receiver })
    }

    /// The next word; `None` when the channel has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<Word> {
        self.receiver.recv().await
    }
}

type Opened = tokio::sync::oneshot::Sender<Result<(), WhipError>>;

async fn read(url: Url, limit: Duration, opened: Opened, words: mpsc::Sender<Word>) -> Result<(), WhipError> {
    let request = whip::client(limit).get(url.as_str()).no_decompress();
    let mut response = match whip::expect(request.send().await, 200).await {
        Ok(response) => response,
        Err(error) => {
            opened.send(Err(error)).ok();
            return Ok(());
        }
    };
    if opened.send(Ok(())).is_err() {
        return Ok(());
    }
    let mut lines = Lines::default();
    loop {
        let chunk = tokio::select! {
            () = words.closed() => return Ok(()),
            chunk = tokio::time::timeout(SILENCE, response.next()) => chunk,
        };
        let Ok(Some(Ok(chunk))) = chunk else {
            return Ok(());
        };
        for (name, data) in lines.push(&chunk) {
            let Some(word) = word(&url, &name, &data) else {
                continue;
            };
            if words.send(word).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// An event as a word; what we do not know is none.
fn word(base: &Url, name: &str, data: &str) -> Option<Word> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    match name {
        "move" => base.join(data["url"].as_str()?).ok().map(Word::Move),
        "closed" => Some(Word::Closed(data["reason"].as_str()?.to_owned())),
        _ => None,
    }
}

/// Bytes to events: a name and data each.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    name: String,
    data: String,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<(String, String)> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.rest);
                    events.extend(self.line(String::from_utf8_lossy(&line).trim_end_matches('\r')));
                }
                _ if self.rest.len() < LONGEST => self.rest.push(*byte),
                _ => {}
            }
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<(String, String)> {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then_some((name, data));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" if self.data.len() + value.len() <= LONGEST => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Comments have no field name.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(chunks: &[&str]) -> Vec<Word> {
        let base = Url::parse("http://a:1/cam/whip/n.s/events").unwrap();
        let mut lines = Lines::default();
        let events = chunks
            .iter()
            .flat_map(|c| lines.push(c.as_bytes()))
            .collect::<Vec<_>>();
        events.iter().filter_map(|(n, d)| word(&base, n, d)).collect()
    }

    #[test]
    fn words_are_read_however_the_bytes_are_cut() {
        let text = ":\n\nevent: move\ndata: {\"url\":\"/cam/whip?moves=n.s\"}\n\n:\n\nevent: closed\r\ndata: \
                    {\"reason\":\"taken-over\"}\r\n\r\n";
        let moved = Word::Move(Url::parse("http://a:1/cam/whip?moves=n.s").unwrap());
        let expected = vec![moved, Word::Closed("taken-over".into())];
        assert_eq!(words(&[text]), expected);
        for cut in 1..text.len() {
            assert_eq!(words(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_absolute_url_leads_to_another_node() {
        let text = "event: move\ndata: {\"url\":\"http://b:2/cam/whip?moves=n.s\"}\n\n";
        assert_eq!(
            words(&[text]),
            [Word::Move(Url::parse("http://b:2/cam/whip?moves=n.s").unwrap())]
        );
    }

    #[test]
    fn what_is_not_known_or_too_long_is_no_word() {
        let long = "x".repeat(100_000);
        for text in [
            "event: later\ndata: {}\n\n".to_owned(),
            "event: move\ndata: {}\n\n".to_owned(),
            "event: move\ndata: no json\n\n".to_owned(),
            format!("event: closed\ndata: {{\"reason\":\"{long}\"}}\n\n"),
            "data\n\n\n".to_owned(),
        ] {
            assert_eq!(words(&[&text]), [], "{}", &text[..20.min(text.len())]);
        }
    }
}
