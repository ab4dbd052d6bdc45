//! Every row of the specification with the test that covers it. A line of a fixture without a row, a row without its line and a
//! row without its test are failures.

use super::weft::{folder, text};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// Fixture, line of it, test in this folder (`module::name`).
type Row = (&'static str, &'static str, &'static str);

const DEVELOPMENT: &str = "development.yml";
const COMPOSE: &str = "docker-compose.yml";
const TUNING: &str = "tuning.yml";
const LOGGING: &str = "logging.yml";
const USERS: &str = "users.yml";
const NETWORK: &str = "network.yml";
const ENVIRONMENT: &str = "environment";
const BACKEND: &str = "backend.http";
const MANAGEMENT: &str = "management.http";
const WATCH: &str = "watch.sh";
const DEBUG: &str = "debug.sh";
const HEALTH: &str = "health.ts";
const FACTS: &str = "facts";
const TROUBLES: &str = "troubles";

const PORTS: &str = "configuration::the_development_file_opens_its_ports_and_says_what_is_not_served";
const WAITS: &str = "configuration::readers_of_a_path_that_runs_on_demand_wait_for_its_publisher";
const GIVES_UP: &str = "configuration::readers_wait_as_long_as_the_file_says_and_no_longer";
const MANY: &str = "configuration::the_hundred_and_first_connection_is_refused";
const TIMES: &str = "configuration::the_old_names_of_time_limits_mean_what_they_meant";
const LOG: &str = "configuration::a_detailed_log_goes_to_the_file";
const DEPLOYED: &str = "compose::the_mount_is_a_file_that_weft_finds_and_the_ports_are_those_it_opens";
const MAY: &str = "users::the_student_may_publish_with_the_password_and_not_otherwise";
const FROM: &str = "network::only_listed_addresses_may_read_and_publish";
const HTTPS: &str = "network::the_certificate_makes_the_tls_port_speak_https";
const GATEWAY: &str = "exams::the_gateway_stands_before_a_server_that_the_variables_name";
const WINS: &str = "exams::a_url_stands_above_host_and_port_and_health_says_who_does_not_answer";
const EXAM: &str = "exams::an_exam_from_its_offer_to_its_end";
const WHEP: &str = "exams::readers_over_webrtc_need_a_stream_and_an_offer_that_receives";
const WELL: &str = "exams::health_is_200_with_a_running_node";
const LIST: &str = "api::the_management_urls_answer_on_the_webrtc_port";
const CURL: &str = "api::the_commands_that_watch_streams_work_as_written";
const FETCH: &str = "api::the_health_check_of_the_backend_sees_a_running_server_and_a_stopped_one";
const LOOK: &str = "api::the_commands_that_look_for_faults_work_as_written";
const PAGE: &str = "api::the_webrtc_port_and_metrics_show_what_goes_on";
const PROFILE: &str = "video::an_offer_of_42e01f_is_answered_with_it";
const GOP: &str = "video::a_reader_begins_at_once_with_a_keyframe";

const ROWS: &[Row] = &[
    (DEVELOPMENT, "listen: :8889", PORTS),
    (DEVELOPMENT, "listenTLS: :8443", HTTPS),
    (DEVELOPMENT, "rtspAddress: :8554", PORTS),
    (DEVELOPMENT, "rtmpAddress: :1935", PORTS),
    (DEVELOPMENT, "hlsAddress: :8888", PORTS),
    (DEVELOPMENT, "webrtcAddress: :8889", PORTS),
    (DEVELOPMENT, "paths:", WAITS),
    (DEVELOPMENT, "test:", WAITS),
    (DEVELOPMENT, "~^.*:", WAITS),
    (DEVELOPMENT, "runOnDemand: true", WAITS),
    (DEVELOPMENT, "runOnDemandStartTimeout: 10s", GIVES_UP),
    (DEVELOPMENT, "runOnDemandCloseAfter: 10s", GIVES_UP),
    (COMPOSE, "version: '3.8'", DEPLOYED),
    (COMPOSE, "services:", DEPLOYED),
    (COMPOSE, "mediamtx:", DEPLOYED),
    (COMPOSE, "image: aler9/mediamtx:latest", DEPLOYED),
    (COMPOSE, "ports:", DEPLOYED),
    (COMPOSE, "- \"8889:8889\"", DEPLOYED),
    (COMPOSE, "- \"8554:8554\"", DEPLOYED),
    (COMPOSE, "- \"8888:8888\"", DEPLOYED),
    (COMPOSE, "volumes:", DEPLOYED),
    (COMPOSE, "- ./mediamtx.yml:/mediamtx.yml", DEPLOYED),
    (COMPOSE, "restart: unless-stopped", DEPLOYED),
    (TUNING, "rtspReadTimeout: 10s", TIMES),
    (TUNING, "rtspWriteTimeout: 10s", TIMES),
    (TUNING, "runOnDemandStartTimeout: 10s", TIMES),
    (TUNING, "runOnDemandCloseAfter: 10s", TIMES),
    (TUNING, "maxConnections: 100", MANY),
    (LOGGING, "logLevel: debug", LOG),
    (LOGGING, "logDestinations: [file]", LOG),
    (LOGGING, "logFile: mediamtx.log", LOG),
    (USERS, "authentication:", MAY),
    (USERS, "method: internal", MAY),
    (USERS, "internalUsers:", MAY),
    (USERS, "- user: student", MAY),
    (USERS, "pass: password123", MAY),
    (USERS, "permissions: [publish]", MAY),
    (NETWORK, "readIPs: [127.0.0.1, 192.168.1.0/24]", FROM),
    (NETWORK, "publishIPs: [127.0.0.1, 192.168.1.0/24]", FROM),
    (NETWORK, "serverCert: /path/to/cert.pem", HTTPS),
    (NETWORK, "serverKey: /path/to/key.pem", HTTPS),
    (ENVIRONMENT, "MEDIAMTX_HOST=localhost", GATEWAY),
    (ENVIRONMENT, "MEDIAMTX_WHIP_PORT=8889", GATEWAY),
    (ENVIRONMENT, "MEDIAMTX_RTSP_PORT=8554", GATEWAY),
    (
        ENVIRONMENT,
        "MEDIAMTX_WHIP_URL=http://localhost:8889/test/whip",
        WINS,
    ),
    (
        ENVIRONMENT,
        "MEDIAMTX_WHEP_URL=http://localhost:8889/test/whep",
        WINS,
    ),
    (BACKEND, "POST /api/webrtc/whip", EXAM),
    (BACKEND, "POST /api/webrtc/whep", WHEP),
    (BACKEND, "GET /api/webrtc/health", WELL),
    (MANAGEMENT, "GET http://localhost:8889/v3/paths/list", LIST),
    (
        MANAGEMENT,
        "GET http://localhost:8889/v3/paths/get/{path_name}",
        LIST,
    ),
    (
        MANAGEMENT,
        "DELETE http://localhost:8889/v3/paths/delete/{path_name}",
        LIST,
    ),
    (
        WATCH,
        "curl -s http://localhost:8889/v3/paths/list | jq '.items[] | select(.ready==true)'",
        CURL,
    ),
    (
        WATCH,
        "curl -s http://localhost:8889/v3/paths/get/test | jq '.bytesReceived'",
        CURL,
    ),
    (DEBUG, "netstat -tlnp | grep :8889", LOOK),
    (DEBUG, "netstat -tlnp | grep :8554", LOOK),
    (DEBUG, "ffplay rtsp://localhost:8554/test", LOOK),
    (DEBUG, "ps aux | grep mediamtx", LOOK),
    (
        HEALTH,
        "const checkMediaMTXHealth = async (): Promise<boolean> => {",
        FETCH,
    ),
    (HEALTH, "try {", FETCH),
    (
        HEALTH,
        "const response = await fetch('http://localhost:8889/v3/config/get');",
        FETCH,
    ),
    (HEALTH, "return response.ok;", FETCH),
    (HEALTH, "} catch {", FETCH),
    (HEALTH, "return false;", FETCH),
    (HEALTH, "}", FETCH),
    (HEALTH, "};", FETCH),
    (
        FACTS,
        "browser publishes by WHIP, an AI service reads by RTSP, what is between converts",
        EXAM,
    ),
    (FACTS, "WHEP is how browsers watch", WHEP),
    (
        FACTS,
        "a stream is called {examId}_{participantId}_{timestamp}, such as exam_123_student_456_1693875600000",
        EXAM,
    ),
    (
        FACTS,
        "rtsp://localhost:8554/exam_123_student_456_1693875600000",
        EXAM,
    ),
    (
        FACTS,
        "life: an exam begins, its WHIP offer makes the stream",
        EXAM,
    ),
    (FACTS, "life: while it is published it is read by RTSP", EXAM),
    (FACTS, "life: a reader consumes it to the end", EXAM),
    (
        FACTS,
        "life: the exam ends, publishing stops, the stream is cleaned up",
        EXAM,
    ),
    (FACTS, "H.264 with profile-level-id 42e01f", PROFILE),
    (
        FACTS,
        "1920x1080 at 30 frames a second, 8 Mbit/s at most, adapted to the network",
        PROFILE,
    ),
    (FACTS, "keyframes are kept so that a reader begins at once", GOP),
    (FACTS, "low latency", GOP),
    (FACTS, "http://localhost:8889 shows the state of streams", PAGE),
    (
        FACTS,
        "chrome://webrtc-internals, VLC and ffplay are the tools to look with",
        LOOK,
    ),
    (
        FACTS,
        "WSL2: the ports 8889 and 8554 are reached from the other side",
        PORTS,
    ),
    (
        FACTS,
        "processor, memory, bandwidth and streams can be watched",
        PAGE,
    ),
    (
        TROUBLES,
        "publishing fails | WHIP answers 403 or 500 | look at the server's state and configuration",
        "troubles::a_publisher_that_is_refused_reads_why",
    ),
    (
        TROUBLES,
        "a stream breaks off | the RTSP connection is closed | look at the network, restart the server",
        "troubles::readers_are_held_while_their_publisher_is_away",
    ),
    (
        TROUBLES,
        "latency is high | the picture stutters | smaller groups of pictures, low latency",
        GOP,
    ),
    (
        TROUBLES,
        "a port is taken | the service does not start | another port, look at the firewall",
        "troubles::a_port_that_is_taken_is_named_with_its_key_and_the_mend",
    ),
];

/// The lines of the fixtures, comments left out.
fn lines() -> Result<BTreeSet<(String, String)>> {
    let mut lines = BTreeSet::new();
    for entry in std::fs::read_dir(folder())? {
        let name = entry?
            .file_name()
            .into_string()
            .ok()
            .context("a name in letters")?;
        for line in text(&name)?.lines() {
            let line = line.split("  #").next().unwrap_or_default().trim();
            if !line.is_empty() && !line.starts_with('#') {
                lines.insert((name.clone(), line.to_owned()));
            }
        }
    }
    Ok(lines)
}

#[test]
fn every_line_of_the_specification_has_a_row_and_every_row_a_test() -> Result<()> {
    let lines = lines()?;
    let mut rows = BTreeMap::new();
    for (fixture, line, test) in ROWS {
        let before = rows.insert(((*fixture).to_owned(), (*line).to_owned()), *test);
        ensure!(before.is_none(), "two rows for {fixture}: {line}");
    }
    for (fixture, line) in &lines {
        let covered = rows.contains_key(&(fixture.clone(), line.clone()));
        ensure!(covered, "no test covers this line of {fixture}: {line}");
    }
    let sources = weft_testkit::tools::script("operators/tests/spec");
    for ((fixture, line), test) in rows {
        ensure!(
            lines.contains(&(fixture.clone(), line.clone())),
            "{fixture} has no line '{line}'"
        );
        let (module, name) = test.split_once("::").context("module::name")?;
        let source = std::fs::read_to_string(sources.join(format!("{module}.rs")))?;
        let runs = source.contains(&format!("fn {name}()"));
        ensure!(runs, "{test} is no test, but covers {fixture}: {line}");
    }
    Ok(())
}
