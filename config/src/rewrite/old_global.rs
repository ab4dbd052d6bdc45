//! Old names of the keys above paths.
//! Those of a path's keys are in `old_path`.

use super::{Told, inverted};
use crate::schema::find;
use crate::schema::path::PATH;
use crate::tree::{At, Block, Node, Raw};

/// Old names and what they are called now.
const RENAMED: [(&str, &str); 14] = [
    ("listen", "webrtcAddress"),
    ("listenTLS", "webrtcTLSAddress"),
    ("rtspReadTimeout", "readTimeout"),
    ("rtspWriteTimeout", "writeTimeout"),
    ("readBufferCount", "writeQueueSize"),
    ("authMethods", "rtspAuthMethods"),
    ("protocols", "rtspTransports"),
    ("encryption", "rtspEncryption"),
    ("rtspUDPReadBufferSize", "udpReadBufferSize"),
    ("webrtcICEUDPMuxAddress", "webrtcLocalUDPAddress"),
    ("webrtcICETCPMuxAddress", "webrtcLocalTCPAddress"),
    ("webrtcICEHostNAT1To1IPs", "webrtcAdditionalHosts"),
    ("moqHTTPS2Address", "moqHTTP2Address"),
    ("moqHTTPS3Address", "moqHTTP3Address"),
];

/// `yes` of the first is `no` of the second.
const SWITCHED: [(&str, &str); 4] = [
    ("rtspDisable", "rtsp"),
    ("rtmpDisable", "rtmp"),
    ("hlsDisable", "hls"),
    ("webrtcDisable", "webrtc"),
];

/// One value that became a list.
const LISTED: [(&str, &str); 6] = [
    ("apiAllowOrigin", "apiAllowOrigins"),
    ("metricsAllowOrigin", "metricsAllowOrigins"),
    ("pprofAllowOrigin", "pprofAllowOrigins"),
    ("playbackAllowOrigin", "playbackAllowOrigins"),
    ("hlsAllowOrigin", "hlsAllowOrigins"),
    ("webrtcAllowOrigin", "webrtcAllowOrigins"),
];

/// Keys of a path that older documents write above all paths.
const OF_ALL_PATHS: [&str; 12] = [
    "readIPs",
    "publishIPs",
    "runOnDemand",
    "runOnDemandRestart",
    "runOnDemandStartTimeout",
    "runOnDemandCloseAfter",
    "record",
    "recordPath",
    "recordFormat",
    "recordPartDuration",
    "recordSegmentDuration",
    "recordDeleteAfter",
];

/// The faces that have certificates of their own.
const FACES: [&str; 4] = ["rtsp", "webrtc", "api", "metrics"];

/// Rewrites the keys above paths; `pathDefaults` among them gets those that are meant for all paths.
pub(crate) fn global(root: &mut Block, told: &mut Told) {
    for (old, new) in RENAMED {
        told.renamed(root, old, new);
    }
    for (old, new) in SWITCHED {
        if let Some(entry) = root.take(old) {
            told.note(format!(
                "{old}: an old name; write '{new}', which means the opposite"
            ));
            told.put(root, old, new, inverted(entry.node));
        }
    }
    for (old, new) in LISTED {
        if let Some(entry) = root.take(old) {
            told.note(format!("{old}: an old name; write '{new}', which is a list"));
            told.put(root, old, new, listed(entry.node));
        }
    }
    for old in OF_ALL_PATHS {
        if let Some(entry) = root.take(old) {
            told.note(format!(
                "{old}: stands above the paths and so means all; write it in 'pathDefaults'"
            ));
            debug_assert!(find(PATH, old).is_some());
            match root.block("pathDefaults", &At::Nowhere) {
                Some(defaults) => told.put(defaults, old, old, entry.node),
                None => told.say(&entry.at, old, "'pathDefaults' is no block".to_owned()),
            }
        }
    }
    certificates(root, told);
    connections(root, told);
    authentication(root, told);
    callback(root, told);
    ice_servers(root, told);
    servers(root);
}

fn listed(node: Node) -> Node {
    Node {
        at: node.at.clone(),
        raw: Raw::List(vec![node]),
    }
}

/// `serverCert` and `serverKey` are those of each face that names none.
fn certificates(root: &mut Block, told: &mut Told) {
    for (old, suffix) in [("serverCert", "ServerCert"), ("serverKey", "ServerKey")] {
        let Some(entry) = root.take(old) else { continue };
        told.note(format!(
            "{old}: an old name; taken for every port that has TLS (rtsp{suffix}, webrtc{suffix}, api{suffix}, \
             metrics{suffix})"
        ));
        for face in FACES {
            let new = format!("{face}{suffix}");
            if root.get(&new).is_none() {
                root.put(&new, entry.node.clone());
            }
        }
    }
}

/// `maxConnections` bounds publishers, readers and RTSP connections of a node, each of them.
fn connections(root: &mut Block, told: &mut Told) {
    let Some(entry) = root.take("maxConnections") else {
        return;
    };
    told.note(
        "maxConnections: no key of MediaMTX; taken for fabric.limits.publishers, readers and rtspConnections"
            .to_owned(),
    );
    let limits = root
        .block("fabric", &entry.at)
        .and_then(|fabric| fabric.block("limits", &entry.at));
    let Some(limits) = limits else {
        told.say(
            &entry.at,
            "maxConnections",
            "'fabric.limits' is no block".to_owned(),
        );
        return;
    };
    for new in ["publishers", "readers", "rtspConnections"] {
        if limits.get(new).is_none() {
            limits.put(new, entry.node.clone());
        }
    }
}

/// `authentication: {method, internalUsers}`.
fn authentication(root: &mut Block, told: &mut Told) {
    let Some(entry) = root.take("authentication") else {
        return;
    };
    told.note("authentication: an old form; write 'authMethod' and 'authInternalUsers'".to_owned());
    let Raw::Block(mut block) = entry.node.raw else {
        if entry.node.raw != Raw::Null {
            told.say(&entry.at, "authentication", "expected a block of keys".to_owned());
        }
        return;
    };
    for (old, new) in [("method", "authMethod"), ("internalUsers", "authInternalUsers")] {
        if let Some(inner) = block.take(old) {
            told.put(root, &format!("authentication.{old}"), new, inner.node);
        }
    }
    for entry in block.0 {
        told.wrong.push(crate::schema::read::Wrong {
            at: entry.at,
            place: format!("authentication.{}", entry.key),
            text: "unknown key; there are 'method' and 'internalUsers'".to_owned(),
            unknown: true,
        });
    }
}

/// `externalAuthenticationURL` is the callback's address, and that there is one.
fn callback(root: &mut Block, told: &mut Told) {
    let old = "externalAuthenticationURL";
    let Some(entry) = root.take(old) else { return };
    told.note(format!(
        "{old}: an old name; write 'authMethod: http' and 'authHTTPAddress'"
    ));
    if entry.node.raw != Raw::Null {
        told.put(root, old, "authMethod", Node::text("http", &entry.at));
        told.put(root, old, "authHTTPAddress", entry.node);
    }
}

/// `webrtcICEServers`: `stun:host:port`, or `turn:user:password:host:port`.
fn ice_servers(root: &mut Block, told: &mut Told) {
    let old = "webrtcICEServers";
    let Some(entry) = root.take(old) else { return };
    told.note(format!("{old}: an old name; write 'webrtcICEServers2'"));
    let Raw::List(items) = entry.node.raw else {
        if entry.node.raw != Raw::Null {
            told.say(&entry.at, old, "expected a list".to_owned());
        }
        return;
    };
    let servers = items.into_iter().map(|item| {
        let Raw::Text(text) = &item.raw else { return item };
        let parts: Vec<&str> = text.split(':').collect();
        let mut server = Block::default();
        let at = item.at.clone();
        match parts[..] {
            [scheme, user, password, host, port] => {
                server.put("url", Node::text(format!("{scheme}:{host}:{port}"), &at));
                server.put("username", Node::text(user, &at));
                server.put("password", Node::text(password, &at));
            }
            _ => server.put("url", Node::text(text.as_str(), &at)),
        }
        let raw = Raw::Block(server);
        Node { at, raw }
    });
    let raw = Raw::List(servers.collect());
    let at = entry.node.at;
    told.put(root, old, "webrtcICEServers2", Node { at, raw });
}

/// `nats://user:password@host` gives its login to the keys of their own, so that no URL holds a secret; not worth a notice.
fn servers(root: &mut Block) {
    let written = |root: &Block| {
        let Raw::Block(fabric) = &root.get("fabric")?.node.raw else {
            return None;
        };
        let Raw::Block(nats) = &fabric.get("nats")?.node.raw else {
            return None;
        };
        nats.get("servers").map(|entry| entry.node.clone())
    };
    let Some(Node {
        at,
        raw: Raw::List(items),
    }) = written(root)
    else {
        return;
    };
    let nats = root
        .block("fabric", &at)
        .and_then(|fabric| fabric.block("nats", &at));
    let Some(nats) = nats else { return };
    let mut bare = Vec::new();
    for item in items {
        let split = match &item.raw {
            Raw::Text(text) => text.split_once("://").and_then(|(scheme, rest)| {
                let (login, host) = rest.rsplit_once('@')?;
                Some((scheme.to_owned(), login.to_owned(), host.to_owned()))
            }),
            _ => None,
        };
        let Some((scheme, login, host)) = split else {
            bare.push(item);
            continue;
        };
        // As NATS clients have it: one word alone is a token, and letters that a URL cannot hold are escaped.
        match login.split_once(':') {
            Some((user, password)) => {
                nats.put("user", Node::text(weft_wire::percent_decoded(user), &item.at));
                nats.put(
                    "password",
                    Node::text(weft_wire::percent_decoded(password), &item.at),
                );
            }
            None => nats.put("token", Node::text(weft_wire::percent_decoded(&login), &item.at)),
        }
        bare.push(Node::text(format!("{scheme}://{host}"), &item.at));
    }
    nats.put(
        "servers",
        Node {
            at,
            raw: Raw::List(bare),
        },
    );
}
