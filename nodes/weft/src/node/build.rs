//! Builds a node: ports first, then the bus, then the parts that stand on both.
//! Running and ending it is in `run`.

use super::elsewhere::Elsewhere;
use super::gateway::{self, Inside};
use super::http::{self, Face, WebServer};
use super::join::join;
use super::late::Late;
use super::service::Service;
use super::settings::Settings;
use super::state::{Parts, State};
use super::tls::{self, Ports, Tls};
use super::view::View;
use super::watch::{HlsPorts, Watch};
use super::{Addresses, EgressPart, Node, Role, StartError, advertise, bus, name, page};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;
use weft_auth::Gate;
use weft_bus::nats::Ends;
use weft_bus::{Bus, BusState, Members, Registry};
use weft_config::{Base, Config, Encryption, IpRule, Layers, ListenAddress, Live, TrustedProxies};
use weft_control::{Control, Identity};
use weft_egress::{Egress, EgressConfig, Hls, StillRoutes, Whep, WhepConfig};
use weft_gateway::Gateway;
use weft_hooks::Hooks;
use weft_ingest::{Ingest, IngestConfig};
use weft_limits::Shares;
use weft_rtc::{RtcConfig, Shards};
use weft_rtsp_server::{Server, ServerConfig, TlsListener, UdpAddresses};
use weft_tls::Acceptor;

/// Threads of the port that publishers and people who watch use; the others carry a few requests a second.
const WEBRTC_WORKERS: usize = 2;

impl Node {
    /// Binds every port of the role and connects to the bus; nothing is served until [`Node::run`]. Needs a running actix
    /// system on a multi-threaded Tokio runtime. A NATS server that does not answer yet is waited for while running.
    ///
    /// # Errors
    /// When a port cannot be had, the bus refuses this node, or the configuration does not fit the role.
    pub async fn build(config: Config, role: Role) -> Result<Self, StartError> {
        Box::pin(Self::assemble(config, None, role)).await
    }

    /// The same with a configuration that changes while the node runs: its own layer is read again when its file changes, and
    /// above it stands what was set for the whole fabric.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn build_from(base: Base, layers: Layers, role: Role) -> Result<Self, StartError> {
        let config = layers.config()?;
        Box::pin(Self::assemble(config, Some((base, layers)), role)).await
    }

    async fn assemble(
        mut config: Config,
        own: Option<(Base, Layers)>,
        role: Role,
    ) -> Result<Self, StartError> {
        let started = SystemTime::now();
        let node = name::of_node(config.fabric.node_name.clone());
        let (takes_publishers, serves_readers) = (role.takes_publishers(), role.serves_readers());

        let mut tls = Tls::default();
        let mut bind = |wanted: bool, face, address, key, flag| {
            wanted
                .then(|| tls.ports(&config, face, address, key, flag))
                .transpose()
        };
        let webrtc = bind(
            true,
            tls::WEBRTC,
            config.webrtc_address,
            "webrtcAddress",
            "--webrtc",
        )?;
        let hls = bind(
            serves_readers && config.hls_enabled,
            tls::HLS,
            config.hls_address,
            "hlsAddress",
            "--hls",
        )?;
        let api = bind(config.api, tls::API, config.api_address, "apiAddress", "--api")?;
        let metrics = bind(
            config.metrics,
            tls::METRICS,
            config.metrics_address,
            "metricsAddress",
            "--metrics",
        )?;
        let rtsps = if serves_readers {
            tls.acceptor(&config, tls::RTSP, &[])?
        } else {
            None
        };
        let settings = watch::Sender::new(Arc::new(config.clone()));
        let shards = Shards::start(rtc(&config, &Live::new(settings.subscribe())))?;

        let Ends {
            bus,
            registry,
            leases,
            settings: store,
        } = bus::connect(&config.fabric, role, &node).await?;
        let changes = own.map(|(base, layers)| Settings::new(base, layers, store, settings.clone()));
        if let Some(changes) = &changes {
            changes.first(*bus.state().borrow() != BusState::Away).await;
            // From here on nothing is built by the file alone.
            config = Config::clone(&settings.borrow());
        }
        let mut common = Common {
            settings: Live::new(settings.subscribe()),
            gate: Gate::new(Live::new(settings.subscribe())),
            hooks: Hooks::none(),
            http: Arc::default(),
            shares: Shares::default(),
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
            .then(|| Server::bind(rtsp(&config, &common, rtsps), Arc::new(late.clone())))
            .transpose()?;
        let readers = rtsp.as_ref().map(Server::addresses);
        let addresses = Addresses {
            webrtc: webrtc.as_ref().and_then(Ports::address),
            webrtc_tls: webrtc.as_ref().and_then(Ports::secure_address),
            ice: shards.addresses().first().copied(),
            ice_tcp: shards.tcp_address(),
            rtsp: readers.and_then(|a| a.rtsp),
            rtsps: readers.and_then(|a| a.rtsps),
            rtp: readers.and_then(|a| a.rtp),
            rtcp: readers.and_then(|a| a.rtcp),
            hls: hls.as_ref().and_then(Ports::address),
            hls_tls: hls.as_ref().and_then(Ports::secure_address),
            api: api.as_ref().and_then(Ports::address),
            api_tls: api.as_ref().and_then(Ports::secure_address),
            metrics: metrics.as_ref().and_then(Ports::address),
            metrics_tls: metrics.as_ref().and_then(Ports::secure_address),
        };
        let port = |address: Option<SocketAddr>| address.map_or(0, |address| address.port());
        common.hooks.reachable_at(weft_hooks::Ports {
            rtsp: port(addresses.rtsp),
            webrtc: port(addresses.webrtc),
        });

        let advertised = advertise::addresses(&config, &addresses).await;
        let state = State::new(&config, role, started, advertised, common.settings.clone());
        let (members, keeper) = join(&*bus, leases, node.clone(), state.describe()).await?;
        let egress = rtsp.map(|server| {
            let egress = Egress::start(readers_settings(&config, &common), bus.clone(), members.clone());
            late.set(egress.clone());
            EgressPart { egress, server }
        });
        let whep = egress.as_ref().map(|part| {
            let settings = WhepConfig {
                gate: common.gate.clone(),
                shares: common.shares.clone(),
                settings: common.settings.clone(),
            };
            Whep::new(part.egress.clone(), shards.clone(), settings)
        });
        let identity = weft_ingest::Identity {
            name: node.clone(),
            incarnation: name::incarnation(started),
            started: Instant::now(),
        };
        let ingest = takes_publishers.then(|| ingest(&common, &bus, &registry, &members, &shards, identity));

        let identity = Identity {
            name: node,
            role: role.as_str(),
            version: env!("CARGO_PKG_VERSION"),
            started,
        };
        let player = egress
            .as_ref()
            .map(|part| Hls::new(part.egress.clone(), common.settings.clone(), common.gate.clone()));
        let view = Arc::new(View {
            identity: identity.clone(),
            bus: bus.clone(),
            shards: shards.clone(),
            ingest: ingest.clone(),
            egress: egress.as_ref().map(|p| (p.egress.clone(), p.server.handle())),
            hls: player.clone(),
            whep: whep.clone(),
            state: state.clone(),
            http: common.http.clone(),
            tls: tls.counters.clone(),
            hooks: common.hooks.clone(),
            gate: common.gate.clone(),
        });
        let gateway = Gateway::new(Arc::new(Inside {
            view: view.clone(),
            members: members.clone(),
            settings: common.settings.clone(),
            readers: gateway::readers(&addresses),
        }));
        let service = Arc::new(Service(state.clone()));
        let mut control = Control::new(view, service, bus.clone(), registry, members.clone())
            .guarded(common.settings.clone(), common.gate.clone());
        if let Some(changes) = &changes {
            control = control.configured(Arc::new(changes.clone()));
        }
        let mut web = Vec::new();
        if let Some(ports) = webrtc {
            let (control, serve_api) = (control.clone(), config.api);
            let faces = Faces {
                ingest: ingest.clone(),
                whep: whep.clone(),
                stills: egress
                    .as_ref()
                    .map(|p| StillRoutes::new(&p.egress, common.gate.clone())),
                elsewhere: Elsewhere::new(members.clone(), common.settings.clone()),
                watch: Watch {
                    gate: common.gate.clone(),
                    settings: common.settings.clone(),
                    hls: HlsPorts::of(&addresses),
                },
            };
            let face = common.face("webrtcAddress", |p| &p.webrtc, |c| &c.allow_origins.webrtc);
            web.extend(serve(ports, WEBRTC_WORKERS, &face, move || {
                // `api: no` means no API, here neither.
                let v3 = serve_api.then(|| control.v3());
                let exams = gateway.routes(faces.routes());
                let own = faces.routes();
                let watch = faces.watch.clone();
                move |service: &mut actix_web::web::ServiceConfig| {
                    if let Some(v3) = v3 {
                        service.configure(v3);
                        service.configure(page::routes);
                    }
                    service
                        .configure(weft_pages::assets)
                        .configure(exams)
                        .configure(own)
                        .configure(|service| watch.configure(service))
                        .default_service(actix_web::web::to(weft_control::not_found));
                }
            })?);
        }
        if let (Some(ports), Some(hls)) = (hls, player.clone()) {
            let face = common.face("hlsAddress", |p| &p.hls, |c| &c.allow_origins.hls);
            web.extend(serve(ports, WEBRTC_WORKERS, &face, move || {
                let own = hls.routes();
                move |service: &mut actix_web::web::ServiceConfig| {
                    service
                        .configure(own)
                        .default_service(actix_web::web::to(weft_control::not_found));
                }
            })?);
        }
        if let Some(ports) = api {
            let (control, face) = (
                control.clone(),
                common.face("apiAddress", |p| &p.api, |c| &c.allow_origins.api),
            );
            web.extend(serve(ports, 1, &face, move || control.api())?);
        }
        if let Some(ports) = metrics {
            let face = common.face("metricsAddress", |p| &p.metrics, |c| &c.allow_origins.metrics);
            web.extend(serve(ports, 1, &face, move || control.metrics())?);
        }
        let parts = Parts {
            ingest: ingest.clone(),
            egress: egress.as_ref().map(|p| p.egress.clone()),
            whep,
            hls: player,
            rtsp: egress.as_ref().map(|p| p.server.handle()),
            hooks: common.hooks.clone(),
        };
        state.open(parts);
        Ok(Self {
            config,
            identity,
            addresses,
            bus,
            members,
            keeper: Some(keeper),
            shards,
            ingest,
            egress,
            web,
            state,
            hooks: common.hooks,
            settings,
            changes,
            tls,
        })
    }
}

/// What of the WebRTC port depends on the role.
#[derive(Clone)]
struct Faces {
    ingest: Option<Ingest>,
    whep: Option<Whep>,
    stills: Option<StillRoutes>,
    elsewhere: Elsewhere,
    watch: Watch,
}

impl Faces {
    /// The routes of publishers and readers: the node's own, or the way to a node that has them.
    fn routes(&self) -> impl FnOnce(&mut actix_web::web::ServiceConfig) + use<> {
        let whip = self.ingest.as_ref().map(Ingest::routes);
        let whep = self.whep.as_ref().map(Whep::routes);
        let stills = self.stills.clone();
        let elsewhere = self.elsewhere.clone();
        move |service| {
            match whip {
                Some(whip) => service.configure(whip),
                None => service.configure(|service| elsewhere.publishers(service)),
            };
            match whep {
                Some(whep) => service.configure(whep),
                None => service.configure(|service| elsewhere.readers(service)),
            };
            if let Some(stills) = stills {
                service.configure(|service| stills.configure(service));
            }
        }
    }
}

/// What every part holds.
struct Common {
    settings: Live,
    gate: Gate,
    hooks: Hooks,
    http: Arc<http::Counters>,
    shares: Shares,
}

impl Common {
    fn face(
        &self,
        key: &'static str,
        proxies: fn(&TrustedProxies) -> &[IpRule],
        origins: fn(&Config) -> &[String],
    ) -> Face {
        Face::new(key, self.settings.clone(), self.http.clone(), proxies, origins)
    }
}

/// Serves a face's routes on its ports.
fn serve<R, C>(ports: Ports, workers: usize, face: &Face, routes: R) -> Result<Vec<WebServer>, StartError>
where
    R: Fn() -> C + Clone + Send + 'static,
    C: FnOnce(&mut actix_web::web::ServiceConfig),
{
    let beside = ports.secure_address().map(|address| address.port());
    let mut servers = Vec::new();
    if let Some((port, acceptor)) = ports.secure {
        servers.push(http::serve(
            port,
            workers,
            face.secured(Some(acceptor)),
            routes.clone(),
        )?);
    }
    if let Some(port) = ports.plain {
        servers.push(http::serve(port, workers, face.clone().beside(beside), routes)?);
    }
    Ok(servers)
}

fn rtc(config: &Config, settings: &Live) -> RtcConfig {
    RtcConfig {
        udp_address: config.webrtc_local_udp_address.to_socket_addr(),
        tcp_address: config.webrtc_local_tcp_address.map(ListenAddress::to_socket_addr),
        ips_from_interfaces: config.webrtc_ips_from_interfaces,
        interfaces: config.webrtc_interfaces.clone(),
        handshake_timeout: config.webrtc_handshake_timeout,
        settings: settings.clone(),
        shards: config.fabric.webrtc_shards,
        additional_hosts: config.webrtc_additional_hosts.clone(),
        certificate_pem: config.fabric.dtls_certificate.clone(),
        // The limits are the sessions' business, which know them as they are now.
        max_pending: usize::MAX,
        max_peers: usize::MAX,
        ..RtcConfig::default()
    }
}

fn ingest(
    common: &Common,
    bus: &Arc<dyn Bus>,
    registry: &Arc<dyn Registry>,
    members: &Members,
    shards: &Shards,
    identity: weft_ingest::Identity,
) -> Ingest {
    let settings = IngestConfig {
        // Those of the settings count, as they are now.
        override_publisher: true,
        max_publishers: 0,
        max_waiting: usize::MAX,
        shares: common.shares.clone(),
        settings: common.settings.clone(),
        gate: common.gate.clone(),
        hooks: common.hooks.clone(),
        ..IngestConfig::default()
    };
    Ingest::start(
        settings,
        bus.clone(),
        registry.clone(),
        members.clone(),
        shards.clone(),
        identity,
    )
}

fn readers_settings(config: &Config, common: &Common) -> EgressConfig {
    let fabric = &config.fabric;
    EgressConfig {
        publisher_grace: fabric.publisher_grace,
        reader_linger: fabric.reader_linger,
        describe_timeout: fabric.describe_timeout,
        keyframe_interval: fabric.keyframe_interval,
        // That of the settings counts, as it is now.
        max_readers: 0,
        settings: common.settings.clone(),
        hooks: common.hooks.clone(),
        ..EgressConfig::default()
    }
}

fn rtsp(config: &Config, common: &Common, acceptor: Option<Acceptor>) -> ServerConfig {
    let address = config.rtsp_tls.address.unwrap_or(ListenAddress::port(8322));
    ServerConfig {
        rtsp_address: (config.rtsp_tls.encryption != Encryption::Strict)
            .then(|| config.rtsp_address.to_socket_addr()),
        tls: acceptor.map(|acceptor| TlsListener {
            address: address.to_socket_addr(),
            acceptor,
        }),
        udp: Some(UdpAddresses {
            rtp: config.rtp_address.to_socket_addr(),
            rtcp: config.rtcp_address.to_socket_addr(),
        }),
        // Those of the settings count, as they are now.
        read_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        // Those of the settings count, as they are now.
        max_connections: usize::MAX,
        shares: common.shares.clone(),
        settings: common.settings.clone(),
        gate: common.gate.clone(),
        hooks: common.hooks.clone(),
        ..ServerConfig::default()
    }
}
