//! Follows a bucket: lists what stands in it, then hears each change, and notices when anything was missed.
//! What the entries mean is the business of who reads them; beginning anew after a miss is `keep_up`'s.

use super::bucket::{Bucket, Found, STEP};
use super::link::Health;
use crate::throttle::Throttle;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::{HeaderMap, Message as NatsMessage, StatusCode, jetstream};
use bytes::Bytes;
use futures::StreamExt;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(250);
/// A consumer that nobody listens to any more is ended by the server after this long.
const ABANDONED: Duration = Duration::from_secs(10);
const LOG_PERIOD: Duration = Duration::from_secs(30);

/// Why a bucket is listed anew.
type Why = String;

/// One entry of a bucket.
pub(super) struct News {
    pub(super) key: String,
    pub(super) revision: u64,
    /// µs since 1970 by the server's clock.
    pub(super) written: i64,
    pub(super) what: What,
}

/// What an entry says.
pub(super) enum What {
    Put(Bytes),
    /// Removed by somebody.
    Removed,
    /// Expired, says the server.
    Expired,
}

/// Who reads a bucket.
pub(super) trait Reader: Send {
    /// The bucket was found; of another generation than before, its revisions count anew.
    fn begins(&mut self, found: &Found);
    /// Everything that stands in it now.
    fn listed(&mut self, list: Vec<News>);
    /// A change since.
    fn news(&mut self, news: News);
    /// It is in reach, and everything it has said so far was read. Called after each word of the server.
    fn in_reach(&mut self);
}

/// Follows for ever: across reconnects, changes of leader, servers that come back without their store. The server says
/// each `heartbeat` that there is no news: that is news too.
pub(super) async fn keep_up(bucket: Arc<Bucket>, heartbeat: Duration, mut reader: impl Reader) {
    let mut say = Throttle::new(LOG_PERIOD);
    loop {
        let mut health = bucket.link.health();
        // The sender lives as long as the link.
        if health
            .wait_for(|health| matches!(health, Health::Up(_)))
            .await
            .is_err()
        {
            return;
        }
        health.mark_unchanged();
        let why = tokio::select! {
            why = follow(&bucket, heartbeat, &mut reader) => match why {
                Ok(never) => match never {},
                Err(why) => why,
            },
            _ = health.changed() => "the connection changed".to_owned(),
        };
        if say.allow() {
            tracing::debug!(bucket = bucket.name(), %why, "a bucket is listed anew");
        }
        sleep(RETRY).await;
    }
}

async fn follow(bucket: &Bucket, heartbeat: Duration, reader: &mut impl Reader) -> Result<Infallible, Why> {
    let found = bucket.find().await.map_err(|e| e.to_string())?;
    reader.begins(&found);
    let prefix = found.store.prefix.clone();
    let inbox = bucket.link.client.new_inbox();
    let mut words = bucket
        .link
        .subscribe(inbox.clone())
        .await
        .map_err(|e| e.to_string())?;
    let consumer = found.store.stream.create_consumer(push::Config {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        filter_subject: format!("{prefix}>"),
        idle_heartbeat: heartbeat,
        inactive_threshold: ABANDONED,
        memory_storage: true,
        num_replicas: 1,
        ..push::Config::default()
    });
    let consumer = match consumer.await {
        Ok(consumer) => consumer,
        Err(e) => {
            bucket.forget().await;
            return Err(e.to_string());
        }
    };
    let patience = (heartbeat * 3).max(STEP);
    let mut last = 0;
    // While it is `Some` the server is still telling what stands there.
    let mut list = Some(Vec::new());
    if consumer.cached_info().num_pending == 0 {
        reader.listed(list.take().unwrap_or_default());
        reader.in_reach();
    }
    loop {
        let message = match timeout(patience, words.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return Err("the subscription ended".into()),
            Err(_) => return Err("the server says nothing any more".into()),
        };
        let mut over = false;
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            if header(&message, "Nats-Last-Consumer").and_then(|n| n.parse().ok()) != Some(last) {
                return Err("news was lost".into());
            }
        } else {
            let message = jetstream::Message {
                message,
                context: bucket.context.clone(),
            };
            let info = message.info().map_err(|e| e.to_string())?;
            if info.consumer_sequence != last + 1 {
                return Err("news was lost".into());
            }
            last = info.consumer_sequence;
            let written = i64::try_from(info.published.unix_timestamp_nanos() / 1000).unwrap_or_default();
            let (revision, pending) = (info.stream_sequence, info.pending);
            over = pending == 0;
            match (read(&message, &prefix, revision, written), &mut list) {
                (Some(news), Some(list)) => list.push(news),
                (Some(news), None) => reader.news(news),
                (None, _) => {}
            }
        }
        if over && let Some(list) = list.take() {
            reader.listed(list);
        }
        if list.is_none() {
            reader.in_reach();
        }
    }
}

fn read(message: &NatsMessage, prefix: &str, revision: u64, written: i64) -> Option<News> {
    let key = message.subject.strip_prefix(prefix)?.to_owned();
    let what = if header(message, "Nats-Marker-Reason").is_some() {
        What::Expired
    } else if header(message, "KV-Operation").is_some() {
        What::Removed
    } else {
        What::Put(message.payload.clone())
    };
    Some(News {
        key,
        revision,
        written,
        what,
    })
}

fn header<'a>(message: &'a NatsMessage, name: &str) -> Option<&'a str> {
    let headers: &HeaderMap = message.headers.as_ref()?;
    headers.get(name).map(async_nats::HeaderValue::as_str)
}
