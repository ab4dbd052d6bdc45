//! `{session URL}/events`: what a publisher is told while it publishes, as server-sent events (WHATWG HTML §9.2): `move`
//! with a URL to go to, `closed` with a reason, after which there is none. Whose words they are is decided elsewhere.

use super::endpoint::MOVES;
use super::{State, access, finish};
use crate::channels::Channel;
use crate::error::Error;
use crate::events::{Followed, Words};
use crate::remote::Target;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::stream::unfold;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use weft_http::{query, reply};
use weft_wire::PublisherWord;

/// A comment this often keeps proxies from closing the channel, and finds out that the client has left.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The link relation of RFC 9725's extension for server-sent events.
const REL: &str = "urn:ietf:params:whip:ext:core:server-sent-events";

/// The `Link` value that names a session's events channel.
pub(super) fn link(url: &str) -> String {
    format!("<{url}>; rel=\"{REL}\"; events=\"move,closed\"")
}

/// `GET`: the channel.
pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    finish(open(&request, &state).await)
}

async fn open(request: &HttpRequest, state: &State) -> Result<HttpResponse, Error> {
    let target = Target::parse(request.match_info().query("secret"), &state.node)?;
    access::may_pass_on(request, state, &target)?;
    let words = match Words::follow(state, &target).await? {
        Followed::Words(words) => words,
        Followed::Not(answer) => return Ok(reply::passed(answer)),
    };
    let channel = state.channels.open(target.secret)?;
    let stream = Stream {
        words,
        channel,
        query: query::without(request.query_string(), MOVES),
        speak_at: Instant::now(),
    };
    let body = unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // Proxies that collect answers would keep the words back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

/// One client's channel.
struct Stream {
    words: Words,
    channel: Channel,
    /// The client's own query, for the URL it is sent to: what it showed here it needs there.
    query: String,
    speak_at: Instant,
}

impl Stream {
    /// What goes out next; `None` at the end. A comment comes at once, so that the client sees the channel open.
    async fn next(&mut self) -> Option<Bytes> {
        let word = tokio::select! {
            biased;
            word = self.words.next() => word?,
            () = self.channel.ended() => return None,
            () = sleep_until(self.speak_at) => {
                self.speak_at = Instant::now() + KEEP_ALIVE;
                return Some(Bytes::from_static(b":\n\n"));
            }
        };
        Some(event(&word, &self.query))
    }
}

/// A word as an event; JSON has no line breaks of its own.
fn event(word: &PublisherWord, query: &str) -> Bytes {
    let (name, data) = match word {
        PublisherWord::Move(url) => ("move", serde_json::json!({ "url": query::joined(url, query) })),
        PublisherWord::Closed(reason) => ("closed", serde_json::json!({ "reason": reason.token() })),
    };
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
