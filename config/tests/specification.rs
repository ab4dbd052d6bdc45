//! Every YAML block of the integration guide that Weft must take over, word for word: that it loads, and that it means what it says.
//! That running nodes do it is tested with them.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::net::IpAddr;
use std::time::Duration;
use weft_config::{
    Action, Config, Encryption, ListenAddress, LogDestination, LogLevel, OnDemand, Password, PathConf,
};
use weft_wire::StreamName;

const DEVELOPMENT: &str = "# mediamtx.yml
listen: :8889
listenTLS: :8443
rtspAddress: :8554
rtmpAddress: :1935
hlsAddress: :8888
webrtcAddress: :8889

# 路径配置
paths:
  # 测试路径
  test:
    runOnDemand: true
    runOnDemandStartTimeout: 10s
    runOnDemandCloseAfter: 10s
    
  # 动态路径（学生流）
  ~^.*:
    runOnDemand: true
    runOnDemandStartTimeout: 10s
    runOnDemandCloseAfter: 10s
";

const COMPOSE: &str = "# Docker部署配置
version: '3.8'
services:
  mediamtx:
    image: aler9/mediamtx:latest
    ports:
      - \"8889:8889\"  # WebRTC/HTTP API
      - \"8554:8554\"  # RTSP
      - \"8888:8888\"  # HLS
    volumes:
      - ./mediamtx.yml:/mediamtx.yml
    restart: unless-stopped
";

const RESOURCES: &str = "# 性能调优配置
rtspReadTimeout: 10s
rtspWriteTimeout: 10s
runOnDemandStartTimeout: 10s
runOnDemandCloseAfter: 10s

# 限制并发连接
maxConnections: 100
";

const LOG: &str = "# 启用详细日志
logLevel: debug
logDestinations: [file]
logFile: mediamtx.log
";

const ACCESS: &str = "# 启用认证
authentication:
  method: internal
  internalUsers:
    - user: student
      pass: password123
      permissions: [publish]
";

const NETWORK: &str = "# 限制访问IP
readIPs: [127.0.0.1, 192.168.1.0/24]
publishIPs: [127.0.0.1, 192.168.1.0/24]

# HTTPS配置
serverCert: /path/to/cert.pem
serverKey: /path/to/key.pem
";

fn read(text: &str) -> Config {
    Config::parse(text, "mediamtx.yml").unwrap()
}

fn path(config: &Config, stream: &str) -> PathConf {
    let found = config.paths.find(&StreamName::new(stream).unwrap()).unwrap();
    PathConf::clone(&found.conf)
}

#[test]
fn the_development_file_gives_its_ports_and_two_paths_that_wait_for_a_publisher() {
    let config = read(DEVELOPMENT);
    assert_eq!(config.webrtc_address, ListenAddress::port(8889));
    assert_eq!(config.webrtc_tls.encryption, Encryption::Optional);
    assert_eq!(config.webrtc_tls.address, Some(ListenAddress::port(8443)));
    assert_eq!(config.rtsp_address, ListenAddress::port(8554));
    assert_eq!(config.hls_address, ListenAddress::port(8888));
    for (stream, name) in [("test", "test"), ("exam_123_student_456_1693875600000", "~^.*")] {
        let path = path(&config, stream);
        assert_eq!((path.name.as_str(), &path.on_demand), (name, &OnDemand::Wait));
        assert_eq!(path.start_timeout(), Duration::from_secs(10));
        assert_eq!(path.on_demand_close_after, Duration::from_secs(10));
    }
    // The address that is said twice deserves no word, and a port that is the default of what is not served one.
    assert_eq!(
        config.notices(),
        [
            "listen: an old name; write 'webrtcAddress'",
            "listenTLS: an old name; write 'webrtcTLSAddress'",
            "rtmpAddress: of what is not served yet (RTMP); written with the values that they have anyway, without effect",
        ]
    );
}

#[test]
fn the_compose_file_is_recognised_for_what_it_is() {
    let error = Config::parse(COMPOSE, "compose.yml").unwrap_err().to_string();
    assert!(
        error.starts_with("compose.yml: services: this is a Docker Compose file, not a configuration"),
        "{error}"
    );
}

#[test]
fn the_resources_block_sets_times_path_defaults_and_limits_and_everybody_publishes() {
    let text = RESOURCES.replace("10s", "7s");
    let config = read(&text);
    let seven = Duration::from_secs(7);
    assert_eq!((config.read_timeout, config.write_timeout), (seven, seven));
    let path = path(&config, "anything");
    assert_eq!(
        (path.on_demand_start_timeout, path.on_demand_close_after),
        (seven, seven)
    );
    assert_eq!(path.on_demand, OnDemand::Nothing);
    let limits = config.fabric.limits;
    assert_eq!(
        (limits.publishers, limits.readers, limits.rtsp_connections),
        (100, 100, 100)
    );
    assert_eq!(config.notices().len(), 5, "{:?}", config.notices());
    read(RESOURCES);
}

#[test]
fn the_log_block_sets_level_and_file() {
    let config = read(LOG);
    assert_eq!(config.log_level, LogLevel::Debug);
    assert_eq!(config.log.destinations, [LogDestination::File]);
    assert_eq!(config.log.file.to_str(), Some("mediamtx.log"));
    assert_eq!(config.notices(), Vec::<String>::new());
}

#[test]
fn the_access_block_lets_one_student_publish_and_nobody_else_do_anything() {
    let config = read(ACCESS);
    let [student] = config.auth.users.as_slice() else {
        panic!("{:?}", config.auth.users);
    };
    let plain = |kept: &Password| match kept {
        Password::Plain(secret) => secret.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(plain(student.name.as_ref().unwrap()), "student");
    assert_eq!(plain(&student.password), "password123");
    let [permission] = student.permissions.as_slice() else {
        panic!("{:?}", student.permissions);
    };
    assert_eq!(permission.action, Action::Publish);
    assert!(permission.path.contains("any/stream"));
    let left = "authInternalUsers: nobody has the permission to: read, api, metrics; ";
    assert!(
        config.notices().iter().any(|notice| notice.starts_with(left)),
        "{:?}",
        config.notices()
    );
    assert!(
        !Config::default()
            .notices()
            .iter()
            .any(|notice| notice.contains("nobody"))
    );
}

#[test]
fn the_network_block_bounds_all_paths_and_names_each_ports_certificate() {
    let config = read(NETWORK);
    let unused = "rtspServerCert: a certificate is given and no port speaks TLS; ";
    let told = |config: &Config| config.notices().iter().any(|notice| notice.starts_with(unused));
    assert!(told(&config) && !told(&read(&format!("{NETWORK}listenTLS: :8443\n"))));
    let path = path(&config, "test");
    for rules in [&path.read_ips, &path.publish_ips] {
        let allowed = |ip: &str| {
            rules
                .iter()
                .any(|rule| rule.contains(ip.parse::<IpAddr>().unwrap()))
        };
        assert!(
            allowed("127.0.0.1") && allowed("192.168.1.77") && !allowed("192.168.2.1") && !allowed("::1")
        );
    }
    for tls in [
        &config.rtsp_tls,
        &config.webrtc_tls,
        &config.api_tls,
        &config.metrics_tls,
    ] {
        assert_eq!(tls.files.certificate.to_str(), Some("/path/to/cert.pem"));
        assert_eq!(tls.files.key.to_str(), Some("/path/to/key.pem"));
        assert_eq!(tls.encryption, Encryption::No);
    }
    let defaults = Config::default();
    assert_eq!(config.auth, defaults.auth);
}

#[test]
fn all_blocks_in_one_file_mean_all_of_it() {
    let config = read(&[DEVELOPMENT, RESOURCES, LOG, ACCESS, NETWORK].concat());
    assert_eq!(config.webrtc_tls.files.key.to_str(), Some("/path/to/key.pem"));
    assert_eq!(config.auth.users.len(), 1);
    assert_eq!(path(&config, "test").read_ips.len(), 2);
    assert_eq!(path(&config, "test").on_demand, OnDemand::Wait);
}
