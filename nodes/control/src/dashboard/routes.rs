//! `GET /v3/live`: the dashboard's events. A `snapshot` of all nodes and streams first, then a `change` each second.
//! Who may listen has been decided by the guard; what is told is in `board`.

use super::live::{Heard, Listener};
use super::pattern::Pattern;
use crate::error::Error;
use crate::routes::Control;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures::stream::{Stream, unfold};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Who listens shows again that it may after this.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// The query of both kinds of events.
#[derive(Debug, Deserialize)]
pub(crate) struct LiveQuery {
    #[serde(rename = "match")]
    pattern: Option<String>,
}

impl LiveQuery {
    /// The pattern, where one is given.
    pub(super) fn pattern(&self) -> Result<Option<Pattern>, Error> {
        let read = |text: &String| {
            let too_long = || Error::BadRequest("match is longer than any name".to_owned());
            Pattern::new(text).ok_or_else(too_long)
        };
        self.pattern.as_ref().map(read).transpose()
    }
}

/// An answer that goes on.
pub(super) fn answer(events: impl Stream<Item = Result<Bytes, Infallible>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // Proxies that collect answers would keep the events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events)
}

/// One who looks.
struct Looker {
    listener: Listener,
    pattern: Option<Pattern>,
    until: Instant,
}

impl Looker {
    async fn next(&mut self) -> Option<Bytes> {
        let heard = tokio::select! {
            heard = self.listener.next() => heard?,
            () = sleep_until(self.until) => return None,
        };
        Some(match (heard, &self.pattern) {
            (Heard::Whole(tick), None) => tick.whole(),
            (Heard::Change(tick), None) => tick.change(),
            (Heard::Whole(tick), Some(pattern)) => tick.everything(|name| pattern.matches(name)),
            (Heard::Change(tick), Some(pattern)) => tick.changes(|name| pattern.matches(name)),
        })
    }
}

/// `GET /v3/live`.
pub(crate) async fn live(
    control: web::Data<Control>,
    query: web::Query<LiveQuery>,
) -> Result<HttpResponse, Error> {
    let looker = Looker {
        pattern: query.pattern()?,
        listener: control.live.listen(&control)?,
        until: Instant::now() + LONGEST,
    };
    Ok(answer(unfold(looker, |mut looker| async move {
        let event = looker.next().await?;
        Some((Ok(event), looker))
    })))
}
