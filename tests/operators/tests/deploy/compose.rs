//! The compose files: each service of ours is started in thought by `weft check` with its own command line and environment, and
//! each port, mount and variable in them is one that the program has. No container is run.

use super::files::{notices, says, text, yaml};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use weft_testkit::tools;

const FILES: [&str; 3] = [
    "compose/compose.yml",
    "compose/compose.standalone.yml",
    "compose/compose.cluster.yml",
];

/// Keys of a service that are used here; others would not be looked at by any test.
const KEYS: [&str; 11] = [
    "build",
    "image",
    "command",
    "environment",
    "ports",
    "volumes",
    "restart",
    "stop_grace_period",
    "ulimits",
    "depends_on",
    "healthcheck",
];

/// `${NAME:-value}` as it is when NAME is not set.
pub(super) fn substituted(text: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, after) = after.split_once('}').context("an open ${")?;
        let (_, default) = inside
            .split_once(":-")
            .with_context(|| format!("{inside} has no default"))?;
        out.push_str(before);
        out.push_str(default);
        rest = after;
    }
    Ok(out + rest)
}

fn strings(value: &Value) -> Result<Vec<String>> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |v: &Value| substituted(v.as_str().context("no string")?);
    list.iter().map(one).collect()
}

/// A service of ours.
pub(super) struct Service {
    pub(super) name: String,
    /// What follows `weft`.
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) ports: Vec<String>,
}

/// The services of a compose file that run our image.
pub(super) fn ours(file: &str) -> Result<Vec<Service>> {
    let file = yaml(file)?;
    let services = file["services"].as_object().context("no services")?;
    let mut found = Vec::new();
    for (name, service) in services {
        if service["image"] != "weft" {
            continue;
        }
        let environment = service["environment"].as_object().context("no environment")?;
        let environment = environment
            .iter()
            .map(|(key, value)| Ok((key.clone(), substituted(value.as_str().context("quote it")?)?)))
            .collect::<Result<_>>()?;
        found.push(Service {
            name: name.clone(),
            command: strings(&service["command"])?,
            environment,
            ports: strings(&service["ports"])?,
        });
    }
    Ok(found)
}

/// The port that a line such as `webrtcAddress: :8889` of the effective configuration has.
fn listens(yaml: &str, key: &str) -> Option<u16> {
    let line = yaml
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{key}:")))?;
    line.trim()
        .trim_matches(['"', '\''])
        .rsplit(':')
        .next()?
        .parse()
        .ok()
}

#[test]
fn each_service_of_ours_has_a_command_line_and_environment_that_the_program_takes() -> Result<()> {
    let config = tools::root().join("compose/mediamtx.yml").canonicalize()?;
    let mut checked = 0;
    for file in FILES {
        for service in ours(file)? {
            let what = format!("{file}: {}", service.name);
            let role = service.command.first().map_or("standalone", String::as_str);
            let mut arguments = vec!["check", "--config"];
            let config = config.to_string_lossy();
            arguments.push(&config);
            arguments.extend(service.command.iter().skip(1).map(String::as_str));
            let environment: Vec<_> = service.environment.clone().into_iter().collect();
            let told = says(&arguments, &environment).with_context(|| what.clone())?;
            let has = |part: &str| told.contains(part);
            ensure!(notices(&told).is_empty(), "{what}: {told}");
            // The environment has arrived.
            ensure!(!service.environment.is_empty(), "{what}");
            if role != "standalone" {
                ensure!(has("nats-1:4222") || has("nats:4222"), "{what}: {told}");
                ensure!(has(&format!("user: {role}")), "{what}: {told}");
            }
            let hosts = told.split("webrtcAdditionalHosts:").nth(1).context("no hosts")?;
            ensure!(
                hosts.trim_start().starts_with("- \"127.0.0.1\""),
                "{what}: {told}"
            );
            // What is published is what is listened on, under the same number: clients are told it.
            for port in &service.ports {
                let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                let (outside, inside) = number.split_once(':').context("no mapping")?;
                ensure!(outside == inside, "{what}: {port}");
                let keys: &[&str] = match (protocol, role) {
                    ("tcp", "ingest") => &["webrtcAddress"],
                    ("udp", "ingest") => &["webrtcLocalUDPAddress"],
                    ("tcp", "egress") => &["webrtcAddress", "rtspAddress", "hlsAddress"],
                    ("udp", "egress") => &["webrtcLocalUDPAddress", "rtpAddress", "rtcpAddress"],
                    ("tcp", _) => &["webrtcAddress", "rtspAddress", "hlsAddress"],
                    _ => &["webrtcLocalUDPAddress"],
                };
                let inside = inside.parse()?;
                ensure!(
                    keys.iter().any(|key| listens(&told, key) == Some(inside)),
                    "{what}: nothing of {keys:?} listens on {port}"
                );
            }
            checked += 1;
        }
    }
    ensure!(checked == 7, "{checked} services");
    Ok(())
}

#[test]
fn a_host_has_each_port_once_and_every_mount_is_there() -> Result<()> {
    for path in FILES {
        let file = yaml(path)?;
        let volumes: Vec<&String> = file["volumes"]
            .as_object()
            .into_iter()
            .flat_map(|v| v.keys())
            .collect();
        let mut taken = Vec::new();
        for (name, service) in file["services"].as_object().context("no services")? {
            let service = service.as_object().with_context(|| format!("{path}: {name}"))?;
            for key in service.keys() {
                ensure!(
                    KEYS.contains(&key.as_str()),
                    "{path}: {name}.{key} is looked at by no test"
                );
            }
            for port in strings(service.get("ports").unwrap_or(&Value::Null))? {
                let udp = port.ends_with("/udp");
                let number = port.trim_end_matches("/udp");
                let outside = number.rsplit_once(':').map_or("", |(outside, _)| outside);
                let outside = outside.rsplit(':').next().unwrap_or_default().to_owned();
                ensure!(!taken.contains(&(outside.clone(), udp)), "{path}: {port} twice");
                taken.push((outside, udp));
            }
            for mount in strings(service.get("volumes").unwrap_or(&Value::Null))? {
                let from = mount.split(':').next().unwrap_or_default();
                let there = match from.strip_prefix("./") {
                    Some(file) => tools::root().join("compose").join(file).exists(),
                    None => volumes.iter().any(|v| *v == from),
                };
                ensure!(there, "{path}: {name} mounts {from}");
            }
            for other in strings(service.get("depends_on").unwrap_or(&Value::Null))? {
                ensure!(
                    file["services"].get(&other).is_some(),
                    "{path}: {name} needs {other}"
                );
            }
            if let Some(build) = service.get("build") {
                ensure!(build["dockerfile"] == "compose/Dockerfile" && build["context"] == "..");
            }
            if let Some(grace) = service.get("stop_grace_period") {
                let seconds = grace
                    .as_str()
                    .and_then(|g| g.strip_suffix('s'))
                    .context("no seconds")?;
                ensure!(
                    seconds.parse::<u64>()? >= 10,
                    "shorter than a drain with its close"
                );
            }
        }
        ensure!(taken.len() >= 3);
    }
    Ok(())
}

#[test]
fn the_specifications_own_container_and_configuration_fit() -> Result<()> {
    // Its mount, and ports that are among ours.
    let service = &yaml("compose/compose.standalone.yml")?["services"]["mediamtx"];
    ensure!(strings(&service["volumes"])? == ["./mediamtx.yml:/mediamtx.yml:ro"]);
    let ports = strings(&service["ports"])?;
    for port in ["8889:8889", "8554:8554"] {
        ensure!(ports.iter().any(|p| p == port), "{port}");
    }
    // No password of ours is known to the world without being said to be.
    for file in FILES {
        for line in text(file)?.lines().filter(|line| line.contains("PASSWORD:")) {
            ensure!(line.contains(":-change-me"), "{file}: {line}");
        }
    }
    Ok(())
}
