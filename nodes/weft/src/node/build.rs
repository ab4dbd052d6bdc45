//! Builds a node: ports first, then the bus, then the parts that stand on both.
//! Running and ending it is in `run`.

use super::http::{self, Port};
use super::join::join;
use super::late::Late;
use super::service::Service;
use super::state::{Parts, State};
use super::view::View;
use super::{Addresses, EgressPart, IngestPart, Node, Role, StartError, advertise, bus, name};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_auth::Gate;
use weft_bus::{Bus, Members, Registry};
use weft_config::{Config, Live};
use weft_control::{Control, Identity};
use weft_egress::{Egress, EgressConfig};
use weft_hooks::Hooks;
use weft_ingest::{Ingest, IngestConfig};
use weft_rtc::{RtcConfig, Shards};
use weft_rtsp_server::{Server, ServerConfig, UdpAddresses};

impl Node {
    /// Binds every port of the role and connects to the bus; nothing is served until [`Node::run`]. Needs a running actix
    /// system on a multi-threaded Tokio runtime. A NATS server that does not answer yet is waited for while running.
    ///
    /// # Errors
    /// When a port cannot be had, the bus refuses this node, or the configuration does not fit the role.
    pub async fn build(config: Config, role: Role) -> Result<Self, StartError> {
        let started = SystemTime::now();
        let node = name::of_node(config.fabric.node_name.clone());
        let (takes_publishers, serves_readers) = (role != Role::Egress, role != Role::Ingest);

        let bind =
            |wanted: bool, address, key, flag| wanted.then(|| Port::bind(address, key, flag)).transpose();
        let webrtc = bind(
            takes_publishers,
            config.webrtc_address,
            "webrtcAddress",
            "--webrtc",
        )?;
        let api = bind(config.api, config.api_address, "apiAddress", "--api")?;
        let metrics = bind(
            config.metrics,
            config.metrics_address,
            "metricsAddress",
            "--metrics",
        )?;
        let shards = takes_publishers
            .then(|| Shards::start(rtc(&config)))
            .transpose()?;

        let settings = watch::Sender::new(Arc::new(config.clone()));
        let mut common = Common {
            settings: Live::new(settings.subscribe()),
            gate: Gate::new(Live::new(settings.subscribe())),
            hooks: Hooks::none(),
        };
        let late = Late::default();
        let rtsp_port = config.rtsp_address.port;
        common.hooks = Hooks::start(
            common.settings.clone(),
            weft_hooks::Identity {
                node: node.clone(),
                rtsp_port: if serves_readers { rtsp_port } else { 0 },
            },
        );
        let rtsp = serves_readers
            .then(|| Server::bind(rtsp(&config, &common), Arc::new(late.clone())))
            .transpose()?;
        let readers = rtsp.as_ref().map(Server::addresses);
        let addresses = Addresses {
            webrtc: webrtc.as_ref().map(|p| p.address),
            ice: shards.as_ref().and_then(|s| s.addresses().first().copied()),
            rtsp: readers.map(|a| a.rtsp),
            rtp: readers.and_then(|a| a.rtp),
            rtcp: readers.and_then(|a| a.rtcp),
            api: api.as_ref().map(|p| p.address),
            metrics: metrics.as_ref().map(|p| p.address),
        };

        let (bus, registry, leases) = bus::connect(&config.fabric.nats, role, &node).await?;
        let advertised = advertise::addresses(&config, &addresses).await;
        let state = State::new(&config, role, started, advertised);
        let (members, keeper) = join(&*bus, leases, node.clone(), state.describe()).await?;
        let egress = rtsp.map(|server| {
            let egress = Egress::start(readers_settings(&config, &common), bus.clone(), members.clone());
            late.set(egress.clone());
            EgressPart { egress, server }
        });
        let identity = weft_ingest::Identity {
            name: node.clone(),
            incarnation: name::incarnation(started),
            started: Instant::now(),
        };
        let ingest =
            shards.map(|shards| ingest(&config, &common, &bus, &registry, &members, shards, identity));

        let identity = Identity {
            name: node,
            role: role.as_str(),
            version: env!("CARGO_PKG_VERSION"),
            started,
        };
        let view = View {
            identity: identity.clone(),
            bus: bus.clone(),
            ingest: ingest.as_ref().map(|p| (p.shards.clone(), p.ingest.clone())),
            egress: egress.as_ref().map(|p| (p.egress.clone(), p.server.handle())),
            state: state.clone(),
        };
        let service = Arc::new(Service(state.clone()));
        let control = Control::new(Arc::new(view), service, bus.clone(), registry, members.clone())
            .guarded(common.settings.clone(), common.gate.clone());
        let mut web = Vec::new();
        if let (Some(port), Some(part)) = (webrtc, &ingest) {
            let (control, ingest, serve_api) = (control.clone(), part.ingest.clone(), config.api);
            web.push(http::serve(port, true, config.read_timeout, move || {
                // `api: no` means no API, here neither.
                let (v3, whip) = (serve_api.then(|| control.v3()), ingest.routes());
                move |service: &mut actix_web::web::ServiceConfig| {
                    if let Some(v3) = v3 {
                        service.configure(v3);
                    }
                    service
                        .configure(whip)
                        .default_service(actix_web::web::to(weft_control::not_found));
                }
            })?);
        }
        if let Some(port) = api {
            let control = control.clone();
            web.push(http::serve(port, false, config.read_timeout, move || {
                control.api()
            })?);
        }
        if let Some(port) = metrics {
            web.push(http::serve(port, false, config.read_timeout, move || {
                control.metrics()
            })?);
        }
        let parts = Parts {
            ingest: ingest.as_ref().map(|p| p.ingest.clone()),
            egress: egress.as_ref().map(|p| p.egress.clone()),
            rtsp: egress.as_ref().map(|p| p.server.handle()),
        };
        state.open(parts);
        Ok(Self {
            config,
            identity,
            addresses,
            bus,
            members,
            keeper: Some(keeper),
            ingest,
            egress,
            web,
            state,
            hooks: common.hooks,
            settings,
        })
    }
}

/// What every part holds.
struct Common {
    settings: Live,
    gate: Gate,
    hooks: Hooks,
}

fn rtc(config: &Config) -> RtcConfig {
    let limits = &config.fabric.limits;
    // One family: the candidates of a host with both would be offered twice, and IPv4 is what clients reach.
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let address = config.webrtc_local_udp_address;
    RtcConfig {
        udp_address: SocketAddr::new(address.ip.unwrap_or(any), address.port),
        shards: config.fabric.webrtc_shards,
        additional_hosts: config.webrtc_additional_hosts.clone(),
        certificate_pem: config.fabric.dtls_certificate.clone(),
        max_pending: limits.pending_publishers,
        max_peers: limits.publishers,
        ..RtcConfig::default()
    }
}

fn ingest(
    config: &Config,
    common: &Common,
    bus: &Arc<dyn Bus>,
    registry: &Arc<dyn Registry>,
    members: &Members,
    shards: Shards,
    identity: weft_ingest::Identity,
) -> IngestPart {
    let limits = &config.fabric.limits;
    let settings = IngestConfig {
        override_publisher: config.fabric.override_publisher,
        max_publishers: limits.publishers,
        max_waiting: limits.pending_publishers,
        settings: common.settings.clone(),
        gate: common.gate.clone(),
        hooks: common.hooks.clone(),
        ..IngestConfig::default()
    };
    let ingest = Ingest::start(
        settings,
        bus.clone(),
        registry.clone(),
        members.clone(),
        shards.clone(),
        identity,
    );
    IngestPart { shards, ingest }
}

fn readers_settings(config: &Config, common: &Common) -> EgressConfig {
    let fabric = &config.fabric;
    EgressConfig {
        publisher_grace: fabric.publisher_grace,
        reader_linger: fabric.reader_linger,
        describe_timeout: fabric.describe_timeout,
        keyframe_interval: fabric.keyframe_interval,
        max_readers: fabric.limits.readers,
        settings: common.settings.clone(),
        hooks: common.hooks.clone(),
        ..EgressConfig::default()
    }
}

fn rtsp(config: &Config, common: &Common) -> ServerConfig {
    ServerConfig {
        rtsp_address: config.rtsp_address.to_socket_addr(),
        udp: Some(UdpAddresses {
            rtp: config.rtp_address.to_socket_addr(),
            rtcp: config.rtcp_address.to_socket_addr(),
        }),
        read_timeout: config.read_timeout,
        write_timeout: config.write_timeout,
        max_connections: config.fabric.limits.rtsp_connections,
        settings: common.settings.clone(),
        gate: common.gate.clone(),
        hooks: common.hooks.clone(),
        ..ServerConfig::default()
    }
}
