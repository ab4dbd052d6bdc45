//! `weft-load` against a real node: nothing is lost, every figure is there, faults are told with their mend. How fast anything
//! is, is not asserted: other tests run beside this one.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use weft_testkit::node::{Node, Plan, Role};

fn weft_load(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft-load"));
    command.args(arguments).stdin(Stdio::null());
    command.output().context("starting weft-load")
}

async fn start() -> Result<(Node, String, String)> {
    let mut node = Plan::new(Role::Standalone).start().await?;
    let pid = format!("weft={}", node.process().pid());
    let (whip, rtsp) = (node.whip("{name}")?, node.rtsp("{name}")?);
    Ok((node, pid, format!("{whip} {rtsp}")))
}

/// Five streams for 10 s, with two readers of each and 5 joiners.
#[tokio::test]
async fn nothing_is_lost_and_every_figure_is_printed() -> Result<()> {
    let (mut node, pid, addresses) = start().await?;
    let (whip, rtsp) = addresses.split_once(' ').context("two addresses")?;
    let scratch = weft_testkit::tools::scratch("test-logs")?;
    let (json, plot) = (scratch.join("load.json"), scratch.join("load.svg"));
    let (json_name, plot_name) = (json.to_string_lossy(), plot.to_string_lossy());
    let output = weft_load(&[
        "--whip",
        whip,
        "--rtsp",
        rtsp,
        "--pid",
        &pid,
        "--publishers",
        "5",
        "--readers",
        "2",
        "--joins",
        "5",
        "--duration",
        "10",
        "--ramp",
        "1",
        "--settle",
        "1",
        "--json",
        &json_name,
        "--plot",
        &plot_name,
    ])?;
    let table = String::from_utf8(output.stdout)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}\n{}", node.process().last_lines());
    assert_eq!(said, "", "no progress without a terminal");

    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let step = &report["steps"][0];
    for nothing in [
        "units_lost",
        "units_damaged",
        "units_repeated",
        "packets_lost",
        "packets_unsent",
        "publishers_dropped",
        "readers_dropped",
        "joins_failed",
        "unknown_sessions",
    ] {
        assert_eq!(step[nothing], 0, "{nothing}\n{table}");
    }
    // Two readers saw every picture of the 10 s, and those before and after.
    let published = step["published"].as_u64().unwrap_or_default();
    assert!(
        step["units_read"].as_u64() >= Some(2 * published) && published > 1000,
        "{table}"
    );
    assert!(
        step["latency_ms"]["count"].as_u64() >= Some(2 * published - 100),
        "{table}"
    );
    assert_eq!(step["first_picture_ms"]["count"], 10, "{table}");
    assert_eq!(step["join_ms"]["count"], 5, "{table}");
    for figure in [
        "cpu_percent",
        "cpu_percent_per_stream",
        "cpu_percent_per_reader",
        "rss_kib_per_publisher",
    ] {
        assert!(step[figure].is_f64(), "{figure}");
    }
    assert_eq!(step["processes"][0]["name"], "weft");
    assert!(step["processes"][0]["cpu_seconds"].as_f64() > Some(0.0));
    assert!(step["ticks"].as_array().is_some_and(|ticks| ticks.len() > 10));

    for figure in [
        "publishers x readers of each",
        "pictures sent / packets sent",
        "pictures read / lost / damaged / repeated",
        "packets lost / asked again / unsent",
        "sessions dropped: publishers / readers",
        "latency ms p50/p95/p99/p99.9/max",
        "first picture ms p50/p95/p99/p99.9/max",
        "join ms p50/p95/p99/p99.9/max",
        "CPU of the server, % of a core",
        "memory KiB for each publisher",
        "memory KiB for each reader",
        "weft: CPU s / %",
        "weft: memory KiB start / end / per minute",
        "weft: threads / waits a s / preemptions a s",
        "weft-load: CPU s / %",
    ] {
        let line = table.lines().find(|line| line.starts_with(figure));
        let value = line.with_context(|| format!("no {figure} in\n{table}"))?[figure.len()..].trim();
        assert!(
            value
                .trim_start_matches('-')
                .starts_with(|first: char| first.is_ascii_digit()),
            "{figure}: {value}"
        );
    }
    assert!(std::fs::read_to_string(&plot)?.starts_with("<svg"));
    for number in 0..5 {
        assert!(
            !node.has(&format!("load{number}")).await,
            "load{number} was ended"
        );
    }
    Ok(())
}

/// The bad network: losses are repaired on the publishers' side or show as damage, and the sessions hold.
#[tokio::test]
async fn with_loss_the_server_asks_again_and_gets_it_over_udp_too() -> Result<()> {
    let (mut node, pid, addresses) = start().await?;
    let (whip, rtsp) = addresses.split_once(' ').context("two addresses")?;
    let output = weft_load(&[
        "--whip",
        whip,
        "--rtsp",
        rtsp,
        "--pid",
        &pid,
        "--publishers",
        "2",
        "--readers",
        "1",
        "--transport",
        "udp",
        "--loss",
        "3",
        "--duration",
        "5",
        "--ramp",
        "0",
        "--settle",
        "1",
        "--json",
        "-",
    ])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}\n{}", node.process().last_lines());
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let step = &report["steps"][0];
    assert!(step["packets_asked_again"].as_u64() > Some(10), "{said}");
    assert!(step["units_read"].as_u64() > Some(100), "{said}");
    assert_eq!(
        (&step["publishers_dropped"], &step["readers_dropped"]),
        (&0.into(), &0.into()),
        "{said}"
    );
    assert!(said.contains("latency ms"), "the table is on standard error then");
    Ok(())
}

#[tokio::test]
async fn faults_name_the_thing_and_the_mend() -> Result<()> {
    // Bound and not listened to: nobody else gets it meanwhile.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let nobody = format!("http://{}/{{name}}/whip", taken.local_addr()?);
    let (node, _, addresses) = start().await?;
    let (whip, _) = addresses.split_once(' ').context("two addresses")?;
    let wrong_path = whip.replace("/whip", "/nothing");
    let api = format!("rtsp://{}/{{name}}", node.address("api")?);
    let faults: [(&[&str], &str); 5] = [
        (&["--whip", &nobody], "nobody listens"),
        (&["--whip", whip, "--readers", "1"], "need --rtsp"),
        (&["--whip", whip, "--pid", "weft=4000000"], "mend --pid"),
        (&["--whip", &wrong_path], "refused the offer with 4"),
        (
            &[
                "--whip",
                whip,
                "--rtsp",
                &api,
                "--readers",
                "1",
                "--ramp",
                "0",
                "--settle",
                "0",
            ],
            "not an RTSP server",
        ),
    ];
    for (arguments, told) in faults {
        let output = weft_load(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(told),
            "{arguments:?}: {said}"
        );
    }
    Ok(())
}

/// Each command of the page is taken by the program it is for.
#[test]
fn the_commands_of_the_guide_are_right() -> Result<()> {
    let root = weft_testkit::tools::root();
    let page = std::fs::read_to_string(root.join("docs/performance.md"))?.replace("\\\n", " ");
    // As a shell hands it on.
    let page = page.replace("$(pidof weft)", "1");
    let (mut loads, mut compares, mut benches) = (0, 0, 0);
    for line in page.lines() {
        let mut words = line.split_whitespace();
        let words: Vec<String> = match words.next() {
            Some("target/release/weft-load") => {
                loads += 1;
                [env!("CARGO_BIN_EXE_weft-load")]
                    .into_iter()
                    .chain(words)
                    .map(str::to_owned)
                    .collect()
            }
            Some("tests/load/compare") => {
                compares += 1;
                ["tests/load/compare"]
                    .into_iter()
                    .chain(words)
                    .map(str::to_owned)
                    .collect()
            }
            Some("cargo") if line.starts_with("cargo bench") => {
                benches += 1;
                let package = words.last().context("no package")?;
                ensure!(has_benches(&root, package)?, "{line}: no benches there");
                continue;
            }
            _ => continue,
        };
        let output = Command::new(&words[0])
            .args(&words[1..])
            .arg("--check")
            .current_dir(&root)
            .output()?;
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(
        loads >= 3 && compares >= 2 && benches >= 4,
        "{loads}, {compares} and {benches} commands found"
    );
    Ok(())
}

/// Whether a package of the workspace has benches.
fn has_benches(root: &std::path::Path, package: &str) -> Result<bool> {
    for folder in ["proto", "nodes"] {
        for entry in std::fs::read_dir(root.join(folder))? {
            let manifest = std::fs::read_to_string(entry?.path().join("Cargo.toml")).unwrap_or_default();
            if manifest.contains(&format!("name = \"{package}\"\n")) {
                return Ok(manifest.contains("[[bench]]"));
            }
        }
    }
    Ok(false)
}

#[test]
fn the_table_is_made_of_what_was_measured() -> Result<()> {
    let tests = weft_testkit::tools::root().join("tests/load");
    let output = Command::new("python3")
        .args(["-B", "-m", "unittest", "-q", "bench.check"])
        .current_dir(tests)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
