//! The units: read as systemd reads them, their command lines held against the program, and shown to `systemd-analyze` where
//! there is one. Nothing is started by systemd here.

use super::files::{says, text, weft};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use weft_testkit::tools;

const UNITS: [(&str, &str); 2] = [
    ("compose/systemd/weft.service", ""),
    ("compose/systemd/weft@.service", "egress"),
];

/// Section, key, value of each line.
fn lines(text: &str) -> Result<Vec<(String, String, String)>> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .with_context(|| format!("not understood: {line}"))?;
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    Ok(found)
}

#[test]
fn units_start_the_program_as_it_can_be_started_and_take_its_rights() -> Result<()> {
    for (path, instance) in UNITS {
        let lines = lines(&text(path)?)?;
        let value = |key: &str| -> Result<&str> {
            let found = lines
                .iter()
                .find(|(section, name, _)| section == "Service" && name == key);
            found
                .map(|(_, _, value)| value.as_str())
                .with_context(|| format!("{path}: no {key}"))
        };
        let start = value("ExecStart")?.replace("%i", instance);
        let mut words = start.split_whitespace();
        ensure!(words.next() == Some("/usr/local/bin/weft"), "{start}");
        let mut arguments: Vec<&str> = words.collect();
        if !instance.is_empty() {
            ensure!(arguments.remove(0) == instance, "{start}");
            says(&[instance, "--help"], &[])?;
        }
        ensure!(arguments.len() == 2 && arguments[0] == "--config", "{start}");
        let file = tools::root().join("config/weft.yml").canonicalize()?;
        says(&["check", "--config", &file.to_string_lossy()], &[])?;
        ensure!(value("TimeoutStopSec")?.parse::<u64>()? >= 10);
        ensure!(value("KillSignal")? == "SIGTERM" && value("Type")? == "exec");
        ensure!(value("LimitNOFILE")?.parse::<u64>()? >= 10_000);
        ensure!(value("ExecReload")?.contains("-HUP $MAINPID"));
        for (key, expected) in [
            ("DynamicUser", "yes"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("CapabilityBoundingSet", ""),
        ] {
            ensure!(value(key)? == expected, "{path}: {key}");
        }
    }
    let rotate = text("compose/systemd/weft.logrotate")?;
    ensure!(
        rotate.contains("--signal=HUP weft.service")
            && rotate.matches('{').count() == rotate.matches('}').count()
    );
    Ok(())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_where_it_is_there() -> Result<()> {
    let Ok(there) = Command::new("systemd-analyze").arg("--version").output() else {
        weft_testkit::figure("no systemd-analyze here: the units were only read");
        return Ok(());
    };
    ensure!(there.status.success());
    let folder = tools::scratch("deploy/units")?;
    let program = tools::weft()?.canonicalize()?;
    for (path, instance) in UNITS {
        let name = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .replace('@', &format!("@{instance}"));
        let text = text(path)?.replace("/usr/local/bin/weft", &program.to_string_lossy());
        std::fs::write(folder.join(&name), text)?;
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(folder.join(&name))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        // What other units of this host are like is not asked.
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("weft")).collect();
        ensure!(ours.is_empty(), "{path}: {ours:#?}");
    }
    Ok(())
}

#[test]
fn a_unit_without_a_configuration_says_so_and_ends() -> Result<()> {
    let output = weft(&["--config", "/etc/weft/nowhere.yml"], &[])?;
    ensure!(output.status.code() == Some(64), "{output:?}");
    ensure!(String::from_utf8_lossy(&output.stderr).contains("/etc/weft/nowhere.yml"));
    Ok(())
}
