//! The files of compose/ by themselves: each is read in its own format, and names only files and settings that are there.
//! Also what the tests of this folder share.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use weft_testkit::tools;

/// The text of a file of the work tree.
pub(super) fn text(path: &str) -> Result<String> {
    std::fs::read_to_string(tools::root().join(path)).with_context(|| path.to_owned())
}

/// A YAML file of the work tree, anchors and merges resolved.
pub(super) fn yaml(path: &str) -> Result<Value> {
    serde_saphyr::from_str(&text(path)?).with_context(|| path.to_owned())
}

/// Runs `weft` with this environment and nothing else that it would look at.
pub(super) fn weft(arguments: &[&str], environment: &[(String, String)]) -> Result<Output> {
    let output = Command::new(tools::weft()?)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir(tools::scratch("deploy")?)
        .output()?;
    Ok(output)
}

/// What `weft` says when it ends well.
pub(super) fn says(arguments: &[&str], environment: &[(String, String)]) -> Result<String> {
    let output = weft(arguments, environment)?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "weft {arguments:?}: {}{}",
        told(&output.stdout),
        told(&output.stderr)
    );
    Ok(told(&output.stdout))
}

/// What `weft check` says above the configuration, beside the file's name.
pub(super) fn notices(told: &str) -> Vec<&str> {
    let above = told.lines().take_while(|line| line.starts_with('#'));
    above.filter(|line| !line.ends_with(".yml")).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_file_is_of_a_kind_that_is_read_here() -> Result<()> {
    let mut files = Vec::new();
    walk(&tools::root().join("compose"), &mut files)?;
    let mut seen = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match path.extension().and_then(|e| e.to_str()).unwrap_or("") {
            "yml" => {
                let value: Value = serde_saphyr::from_str(&text).with_context(|| name.clone())?;
                ensure!(value.is_object(), "{name} is no mapping");
                seen.push("yml");
            }
            "json" => {
                serde_json::from_str::<Value>(&text).with_context(|| name.clone())?;
                seen.push("json");
            }
            // Read by other modules: nats-server and weft, units, HAProxy, the image.
            "service" | "logrotate" => seen.push("systemd"),
            "cfg" => seen.push("haproxy"),
            "conf" if path.parent().is_some_and(|p| p.ends_with("sysctl")) => {
                for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
                    let (key, value) = line.split_once(" = ").with_context(|| line.to_owned())?;
                    let there = Path::new("/proc/sys").join(key.replace('.', "/"));
                    // Some belong to the host's own network and are not seen from inside a namespace.
                    ensure!(
                        there.exists() || key.starts_with("net.core."),
                        "{key} is no setting of this kernel"
                    );
                    value.parse::<u64>().with_context(|| line.to_owned())?;
                }
                seen.push("sysctl");
            }
            "conf" => seen.push("nats"),
            "" if name == "Dockerfile" => seen.push("dockerfile"),
            "dockerignore" => {}
            _ => anyhow::bail!("no test reads {}", path.display()),
        }
    }
    for kind in [
        "yml",
        "json",
        "systemd",
        "haproxy",
        "sysctl",
        "nats",
        "dockerfile",
    ] {
        ensure!(seen.contains(&kind), "nothing of kind {kind}");
    }
    Ok(())
}

#[test]
fn the_image_starts_the_program_as_nobody_and_asks_its_health() -> Result<()> {
    let text = text("compose/Dockerfile")?;
    // A line that ends in \ goes on in the next one.
    let joined = text.replace("\\\n", " ");
    let steps: Vec<(&str, &str)> = joined
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_once(' ')
                .with_context(|| format!("no instruction: {line}"))
        })
        .collect::<Result<_>>()?;
    const KNOWN: [&str; 11] = [
        "ARG",
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "VOLUME",
    ];
    for (step, _) in &steps {
        ensure!(KNOWN.contains(step), "{step} is no instruction");
    }
    let all = |name: &str| -> Vec<&str> { steps.iter().filter(|s| s.0 == name).map(|s| s.1).collect() };
    let one = |name: &str| -> Result<&str> {
        let found = all(name);
        ensure!(found.len() == 1, "{name}: {found:?}");
        Ok(found[0])
    };
    let stages = all("FROM");
    ensure!(stages.len() == 2 && stages[0].ends_with("AS build"), "{stages:?}");
    ensure!(one("RUN")? == "cargo build --release --locked -p weft");
    // What is copied is what the build makes, and what the entry point starts.
    let program = "/weft";
    ensure!(all("COPY").contains(&"--from=build /weft/target/release/weft /weft"));
    let command: Vec<String> = serde_json::from_str(one("ENTRYPOINT")?)?;
    ensure!(command == [program]);
    let user = one("USER")?
        .split(':')
        .next()
        .unwrap_or_default()
        .parse::<u32>()?;
    ensure!(user > 0, "root");
    ensure!(one("STOPSIGNAL")? == "SIGTERM");
    let health = one("HEALTHCHECK")?;
    let (_, health) = health.split_once("CMD ").context("a check without a command")?;
    let health: Vec<String> = serde_json::from_str(health)?;
    ensure!(health[0] == program);
    let usage = says(&[&health[1], "--help"], &[])?;
    ensure!(usage.contains("[URL]"), "{usage}");
    let defaults = says(&["check"], &[])?;
    for port in one("EXPOSE")?.split(' ') {
        let number = port.split('/').next().unwrap_or_default();
        ensure!(
            defaults.contains(&format!(":{number}")),
            "nothing listens on {port}:\n{defaults}"
        );
    }
    let ignored = super::files::text("compose/Dockerfile.dockerignore")?;
    ensure!(ignored.lines().any(|line| line == "target") && ignored.lines().any(|line| line == ".git"));
    Ok(())
}

#[test]
fn the_mounted_configuration_is_found_and_is_right() -> Result<()> {
    let file = tools::root().join("compose/mediamtx.yml").canonicalize()?;
    let told = says(&["check", "--config", &file.to_string_lossy()], &[])?;
    ensure!(
        told.contains("logStructured: true") && told.contains("172.28.0.0/24"),
        "{told}"
    );
    ensure!(notices(&told).is_empty(), "it has something to say: {told}");
    // Under its old name in the folder that the program is started in, as in the image.
    let folder = tools::scratch("deploy/mounted")?;
    std::fs::copy(file, folder.join("mediamtx.yml"))?;
    let output = Command::new(tools::weft()?)
        .arg("check")
        .env_clear()
        .current_dir(folder)
        .output()?;
    let found = String::from_utf8_lossy(&output.stdout);
    let body = |text: &str| {
        text.lines()
            .filter(|l| !l.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
    };
    ensure!(
        body(&found) == body(&told),
        "not the same without --config: {found}"
    );
    Ok(())
}

#[test]
fn haproxy_leads_to_nodes_that_are_there_and_asks_what_they_answer() -> Result<()> {
    let text = text("compose/haproxy/haproxy.cfg")?;
    let services = yaml("compose/compose.cluster.yml")?;
    let mut section = "";
    let (mut servers, mut binds, mut backends, mut used) = (0, Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().map(|l| l.split('#').next().unwrap_or_default()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (line.starts_with(' '), &words[..]) {
            (_, []) => {}
            (false, [kind @ ("global" | "defaults" | "frontend" | "backend"), name @ ..]) => {
                section = kind;
                if *kind == "backend" {
                    backends.push(name[0].to_owned());
                }
            }
            (true, ["server", name, address, ..]) => {
                ensure!(section == "backend", "{line}");
                let (host, port) = address.split_once(':').context("no port")?;
                ensure!(host == *name);
                let command = services["services"][host]["command"].to_string();
                ensure!(
                    command.contains(&format!(":{port}\"")),
                    "{host} does not listen on {port}: {command}"
                );
                servers += 1;
            }
            (true, ["bind", address, ..]) => binds.push(address.trim_start_matches(':').to_owned()),
            (true, ["default_backend", name] | ["use_backend", name, "if", ..]) => {
                used.push((*name).to_owned())
            }
            (true, ["http-check", "send", rest @ ..]) => {
                ensure!(rest.join(" ").contains("uri /v3/node/ready "), "{line}");
            }
            (
                true,
                [
                    "acl" | "maxconn" | "timeout" | "mode" | "option" | "balance" | "default-server"
                    | "http-request",
                    ..,
                ],
            ) => {}
            _ => anyhow::bail!("not understood: {line}"),
        }
    }
    used.sort();
    backends.sort();
    ensure!(
        servers == 8 && used == backends,
        "{servers} servers, {backends:?}, {used:?}"
    );
    let front = services["services"]["front"]["ports"].to_string();
    for port in binds {
        ensure!(
            front.contains(&format!("{port}:{port}")),
            "{port} is not published: {front}"
        );
    }
    Ok(())
}
