//! Where the rows are asked: a stream that is published and read, on one node or on a fabric where the asked node has neither.
//! What is asked is in the tables.

use super::row::Row;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinHandle;
use weft_bus::testing::NatsServer;
use weft_testkit::fixture::{self, MINUTE};
use weft_testkit::node::{Node, Plan, Role};
use weft_testkit::oracle::{self, Over};
use weft_testkit::process::Process;
use weft_testkit::rtsp::Dialogue;
use weft_testkit::{http, publish, until};

/// The stream.
pub(super) const STREAM: &str = "exam/17";

/// Longest wait for what should come at once.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

/// How long nodes share one view of the fabric, and a little.
const FRESH: Duration = Duration::from_millis(250);

/// A path of the configuration that nobody publishes.
const PATHS: &str = "paths: {hall: {}, all_others: {}}";

/// Servers that clients are told of, and the node itself does not ask.
const ICE_SERVERS: &str = "webrtcICEServers2: [{url: 'stun:stun.example:3478', clientOnly: yes}, \
    {url: 'turn:turn.example:3478', username: student, password: hush, clientOnly: yes}]";
/// As `Link` says them.
pub(super) const ICE_LINKS: [&str; 2] = [
    "<stun:stun.example:3478>; rel=\"ice-server\"",
    "<turn:turn.example:3478>; rel=\"ice-server\"; username=\"student\"; credential=\"hush\"; credential-type=\"password\"",
];

/// Nodes with a publisher, a reader, a muxer, and somebody who has set up and does not play.
pub(super) struct Place {
    pub(super) nodes: Vec<Node>,
    /// Who is asked, by what it is.
    pub(super) faces: Vec<(&'static str, String)>,
    pub(super) names: Vec<(&'static str, String)>,
    _nats: Option<NatsServer>,
    _publisher: Process,
    reader: JoinHandle<()>,
    _idle: Dialogue,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Place {
    /// One node; its API's port and the one of WebRTC are asked.
    pub(super) async fn alone() -> Result<Self> {
        let plan = Plan::new(Role::Standalone).with(PATHS).with(ICE_SERVERS);
        let node = plan.start().await?;
        let faces = vec![
            ("the API's port", node.address("api")?.to_owned()),
            ("the port of WebRTC", node.address("webrtc")?.to_owned()),
        ];
        Self::filled(vec![node], faces, None).await
    }

    /// Two ingest nodes and an egress node over NATS: none of those asked has the publisher and the reader.
    pub(super) async fn fabric() -> Result<Self> {
        let nats = NatsServer::start().await?;
        let plan = |role| Plan::new(role).with(PATHS).with(ICE_SERVERS).nats(&nats.url());
        let ingest = plan(Role::Ingest).start().await?;
        let egress = plan(Role::Egress).start().await?;
        let other = plan(Role::Ingest).start().await?;
        let faces = vec![
            ("the reader's node", egress.address("api")?.to_owned()),
            ("a node with neither", other.address("api")?.to_owned()),
        ];
        Self::filled(vec![ingest, egress, other], faces, Some(nats)).await
    }

    async fn filled(
        nodes: Vec<Node>,
        faces: Vec<(&'static str, String)>,
        nats: Option<NatsServer>,
    ) -> Result<Self> {
        let clip = fixture::clip(MINUTE)?;
        let (ingest, egress) = (&nodes[0], &nodes[1 % nodes.len()]);
        let publisher = publish::ffmpeg_copy(&format!("{}?quality=hd", ingest.whip(STREAM)?), &clip)?;
        egress.wait_for(STREAM, LIMIT).await?;
        let mut reader = oracle::open_when_there(&egress.rtsp(STREAM)?, Over::Tcp, LIMIT).await?;
        let playlist = format!("/{STREAM}/index.m3u8");
        let hls = egress.address("hls")?.to_owned();
        // It goes on reading, so that it is no slow one; one request opens a muxer that stays for a minute.
        let reader = tokio::spawn(async move {
            let watched = http::get(&hls, &playlist);
            drop(tokio::join!(watched, reader.read_for(Duration::from_secs(600))));
        });
        let idle = set_up(egress).await?;
        let mut place = Self {
            names: Vec::new(),
            nodes,
            faces,
            _nats: nats,
            _publisher: publisher,
            reader,
            _idle: idle,
        };
        place.names = until("all sessions in the lists", LIMIT, || async {
            place.known().await.ok()
        })
        .await?;
        Ok(place)
    }

    /// The ids that rows ask for; an error while one is missing.
    async fn known(&self) -> Result<Vec<(&'static str, String)>> {
        let id = async |list: &str, wanted: fn(&Value) -> bool| {
            let (_, address) = self.faces.first().context("a face")?;
            let answer = http::get(address, &format!("/v3/{list}/list")).await?.json()?;
            let items = answer["items"].as_array().context("items")?;
            let item = items.iter().find(|item| wanted(item)).context("not there yet")?;
            anyhow::Ok(item["id"].as_str().context("an id")?.to_owned())
        };
        let (_, address) = self.faces.first().context("a face")?;
        let muxers = http::get(address, "/v3/hlsmuxers/list").await?.json()?;
        ensure!(muxers["itemCount"] == 1, "no muxer yet");
        let media =
            |s: &Value| s["inboundBytes"].as_u64() > Some(0) && s["inboundRTCPPackets"].as_u64() > Some(0);
        let reads = |s: &Value| s["state"] == "read" && s["outboundRTCPPackets"].as_u64() > Some(0);
        Ok(vec![
            ("stream", STREAM.to_owned()),
            ("publisher", id("webrtcsessions", media).await?),
            ("reader", id("rtspsessions", reads).await?),
            ("idle", id("rtspsessions", |s| s["state"] == "idle").await?),
            ("conn", id("rtspconns", |c| !c["session"].is_null()).await?),
            ("nobody", "99999999-9999-4999-9999-999999999999".to_owned()),
        ])
    }

    /// Asks every row at every face.
    pub(super) async fn ask_all(&self, rows: &[Row]) -> Result<()> {
        for (at, address) in &self.faces {
            for row in rows {
                row.ask(at, address, &self.names).await?;
            }
        }
        Ok(())
    }

    /// Asks each row once, of one face after the other: for orders.
    pub(super) async fn ask_in_turn(&self, rows: &[Row]) -> Result<()> {
        for (row, (at, address)) in rows.iter().zip(self.faces.iter().cycle()) {
            // What another node was told a moment ago is seen once the round that is shared is over.
            tokio::time::sleep(FRESH).await;
            row.ask(at, address, &self.names).await?;
        }
        Ok(())
    }
}

/// Somebody who has set up a track and does not play.
async fn set_up(node: &Node) -> Result<Dialogue> {
    let mut idle = Dialogue::open(node.address("rtsp")?).await?;
    let url = node.rtsp(STREAM)?;
    let tcp = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");
    let answer = idle.ask("DESCRIBE", &url, &[("User-Agent", "Idler/1")]).await?;
    anyhow::ensure!(answer.status == 200, "DESCRIBE: {}", answer.status);
    let answer = idle.ask("SETUP", &format!("{url}/trackID=0"), &[tcp]).await?;
    anyhow::ensure!(answer.status == 200, "SETUP: {}", answer.status);
    Ok(idle)
}
