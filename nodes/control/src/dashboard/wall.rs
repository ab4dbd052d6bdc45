//! `GET /v3/wall`: the proctors' events. Of the streams that match, those are told of which whoever asks may read, by the
//! same gate that its pictures come through; the right to use the API is not needed, and nothing else of the fabric is told.

use super::board::{Tick, changed, event};
use super::lines::Line;
use super::live::{Heard, Listener};
use super::pattern::Pattern;
use super::routes::{LONGEST, LiveQuery, answer};
use crate::error::Error;
use crate::guard::{Door, asked};
use crate::routes::Control;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::stream::{StreamExt, iter, unfold};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};
use weft_auth::{Action, Credentials, Denied, Gate, Protocol, Request};

/// Streams of a wall: the first ones by name.
// overflow: the others are left out, and counted in the answer.
const STREAMS: usize = 500;

/// Judgements that run at once for one wall.
const AT_ONCE: usize = 8;

/// What a wall is told of a stream.
const FIELDS: [&str; 5] = ["name", "state", "since", "width", "height"];

/// `GET /v3/wall`.
pub(crate) async fn wall(
    request: HttpRequest,
    control: web::Data<Control>,
    query: web::Query<LiveQuery>,
) -> Result<HttpResponse, Error> {
    let pattern = query.pattern()?;
    let pattern =
        pattern.ok_or_else(|| Error::BadRequest("match is missing, such as ?match=exam_*".to_owned()))?;
    let door = request.app_data::<Door>().copied().unwrap_or(Door::Api);
    let config = control.settings.now();
    let mut looker = Looker {
        listener: control.live.listen(&control)?,
        pattern,
        gate: control.gate.clone(),
        request: Request {
            protocol: Protocol::WebRtc,
            ..asked(&request, door, &config, Action::Read)
        },
        judged: BTreeMap::new(),
        proven: false,
        shown: BTreeMap::new(),
        until: Instant::now() + LONGEST,
    };
    // What is wrong with the first second is told by the status.
    let first = looker.next().await.map_err(Error::Denied)?;
    let first =
        first.ok_or_else(|| Error::Unavailable("the configuration has changed just now".to_owned()))?;
    Ok(answer(unfold(
        (Some(first), looker),
        |(first, mut looker)| async move {
            let event = match first {
                Some(first) => first,
                None => looker.next().await.ok().flatten()?,
            };
            Some((Ok(event), (None, looker)))
        },
    )))
}

/// One wall.
struct Looker {
    listener: Listener,
    pattern: Pattern,
    gate: Gate,
    /// Who looks, to be asked with a stream's name.
    request: Request,
    /// Whether it may see a stream.
    judged: BTreeMap<String, bool>,
    /// What it shows has opened something that is not for everybody.
    proven: bool,
    /// What it has been told.
    shown: BTreeMap<String, Line>,
    until: Instant,
}

impl Looker {
    /// The next event; `Ok(None)`: there is no more.
    async fn next(&mut self) -> Result<Option<Bytes>, Denied> {
        let heard = tokio::select! {
            heard = self.listener.next() => heard,
            () = sleep_until(self.until) => None,
        };
        let (tick, whole) = match heard {
            Some(Heard::Whole(tick)) => (tick, true),
            Some(Heard::Change(tick)) => (tick, false),
            None => return Ok(None),
        };
        self.judge(&tick).await?;
        Ok(Some(self.told(&tick, whole)))
    }

    /// The names of this wall, and how many are left out.
    fn names<'a>(&self, tick: &'a Tick) -> (Vec<&'a String>, usize) {
        let mut names: Vec<&String> = tick
            .streams
            .keys()
            .filter(|name| self.pattern.matches(name))
            .collect();
        let more = names.len().saturating_sub(STREAMS);
        names.truncate(STREAMS);
        (names, more)
    }

    /// Judges names that were not there before.
    async fn judge(&mut self, tick: &Tick) -> Result<(), Denied> {
        let (names, _) = self.names(tick);
        let present: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
        self.judged.retain(|name, _| present.contains(name.as_str()));
        let new: Vec<String> = names
            .into_iter()
            .filter(|name| !self.judged.contains_key(*name))
            .cloned()
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let (gate, request) = (&self.gate, &self.request);
        let judge = |name: String| async move {
            let may = gate.peek(&of(request, &name)).await.is_ok();
            (name, may)
        };
        let judged: Vec<(String, bool)> = iter(new).map(judge).buffer_unordered(AT_ONCE).collect().await;
        self.judged.extend(judged);
        self.is_no_guess().await
    }

    /// Whether what is shown may go on being used. A peek counts as no failed login, so that a proctor need not read every
    /// stream that matches; but a login that opens nothing beyond what everybody may see is treated as a failed one, or
    /// passwords could be tried here.
    async fn is_no_guess(&mut self) -> Result<(), Denied> {
        let shows_nothing = self.request.credentials.is_empty();
        let seen: Vec<&String> = self
            .judged
            .iter()
            .filter(|(_, may)| **may)
            .map(|(name, _)| name)
            .collect();
        if !shows_nothing && !self.proven {
            let everybody = Request {
                credentials: Credentials::default(),
                query: String::new(),
                ..self.request.clone()
            };
            for name in &seen {
                if self.gate.peek(&of(&everybody, name)).await.is_err() {
                    self.proven = true;
                    break;
                }
            }
        }
        let refused = self.judged.iter().find(|(_, may)| !**may).map(|(name, _)| name);
        let suspect = if shows_nothing {
            seen.is_empty()
        } else {
            !self.proven
        };
        let (true, Some(name)) = (suspect, refused) else {
            return Ok(());
        };
        match self.gate.check(of(&self.request, name)).await {
            Ok(_) => Ok(()),
            // What is for everybody is shown to it as well.
            Err(Denied::Wrong) if !seen.is_empty() => Ok(()),
            Err(denied) => Err(denied),
        }
    }

    /// What is told of this second.
    fn told(&mut self, tick: &Arc<Tick>, whole: bool) -> Bytes {
        let (names, more) = self.names(tick);
        let may = names
            .into_iter()
            .filter(|name| self.judged.get(*name) == Some(&true));
        let mut now = BTreeMap::new();
        for name in may {
            let Some(line) = tick.streams.get(name) else {
                continue;
            };
            let told = line.iter().filter(|(field, _)| FIELDS.contains(&field.as_str()));
            let told: Line = told
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect();
            now.insert(name.clone(), told);
        }
        let before = if whole {
            BTreeMap::new()
        } else {
            std::mem::take(&mut self.shown)
        };
        let streams: Vec<Line> = now
            .iter()
            .filter_map(|(name, line)| match before.get(name) {
                None => Some(line.clone()),
                Some(before) => changed(before, line),
            })
            .collect();
        let gone: Vec<&String> = before.keys().filter(|name| !now.contains_key(*name)).collect();
        let data = json!({"streams": streams, "goneStreams": gone, "more": more});
        let made = event(if whole { "snapshot" } else { "change" }, &data);
        self.shown = now;
        made
    }
}

/// The question about one stream.
fn of(request: &Request, name: &str) -> Request {
    Request {
        path: name.to_owned(),
        ..request.clone()
    }
}
