//! Metrics as operators use them: every metric and label that a rule or a panel names is shown by a real node, and the filters
//! of the old server show what they name. What each metric means is on the generated page.

use super::files::{text, yaml};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use weft_testkit::http;
use weft_testkit::node::{Plan, Role};

/// Words of PromQL that are no metrics.
const WORDS: [&str; 8] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
];

/// The metrics that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let bytes = expression.as_bytes();
    let (mut found, mut at, mut listed) = (BTreeSet::new(), 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => {
                let end = if bytes[at] == b'{' { b'}' } else { b']' };
                at += bytes[at..].iter().position(|b| *b == end).unwrap_or(0);
            }
            b'"' => at += 1 + bytes[at + 1..].iter().position(|b| *b == b'"').unwrap_or(0),
            b')' => listed = false,
            b if b.is_ascii_alphabetic() || b == b'_' => {
                let word: String = expression[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == ':')
                    .collect();
                at += word.len();
                let rest = expression[at..].trim_start();
                let next = rest.chars().next();
                let aggregates = ["by ", "by(", "without ", "without("]
                    .iter()
                    .any(|w| rest.starts_with(w));
                if WORDS.contains(&word.as_str()) {
                    listed = next == Some('(');
                } else if next != Some('(') && !listed && !aggregates {
                    found.insert(word);
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[test]
fn expressions_are_taken_apart() {
    let of = |text: &str| named(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(of(r#"topk(10, sum by (name, state) (paths{name!=""}))"#), "paths");
    assert_eq!(
        of("rate(a_total[5m]) / rate(b_total[5m]) > 0.05 and on (x) c"),
        "a_total b_total c"
    );
    assert_eq!(of(r#"up{job="weft"} == 0"#), "up");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_rules_and_dashboard_is_shown_by_a_node() -> Result<()> {
    let mut expressions = Vec::new();
    let rules = yaml("compose/prometheus/weft.rules.yml")?;
    for group in rules["groups"].as_array().context("no groups")? {
        for rule in group["rules"].as_array().context("no rules")? {
            let name = rule["alert"].as_str().context("a rule without a name")?;
            ensure!(rule["labels"]["severity"].is_string(), "{name}: how bad?");
            ensure!(rule["annotations"]["summary"].is_string(), "{name}: what is it?");
            expressions.push(rule["expr"].as_str().context("no expr")?.to_owned());
        }
    }
    let rules = expressions.len();
    let dashboard: Value = serde_json::from_str(&text("compose/grafana/dashboards/weft.json")?)?;
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        ensure!(ids.insert(panel["id"].as_u64().context("no id")?), "{panel}");
        ensure!(panel["datasource"]["uid"] == "prometheus");
        for target in panel["targets"].as_array().context("no targets")? {
            expressions.push(target["expr"].as_str().context("no expr")?.to_owned());
        }
    }
    ensure!(
        rules >= 8 && expressions.len() >= rules + 25,
        "{rules} of {}",
        expressions.len()
    );
    let sources = yaml("compose/grafana/provisioning/datasources/prometheus.yml")?;
    ensure!(sources["datasources"][0]["uid"] == "prometheus");
    let node = Plan::new(Role::Standalone).start().await?;
    let shown = http::get(node.address("metrics")?, "/metrics").await?.text();
    for expression in expressions {
        let names = named(&expression);
        ensure!(!names.is_empty(), "{expression}");
        for name in names.iter().filter(|name| *name != "up") {
            ensure!(
                shown.contains(&format!("# TYPE {name} ")),
                "{name} of {expression}"
            );
        }
    }
    Ok(())
}

#[test]
fn prometheus_asks_every_node_of_the_compose_file() -> Result<()> {
    let config = yaml("compose/prometheus/prometheus.yml")?;
    let job = &config["scrape_configs"][0];
    ensure!(job["job_name"] == "weft" && job["metrics_path"] == "/metrics");
    let mut targets = BTreeSet::new();
    for group in job["static_configs"].as_array().context("no targets")? {
        for target in group["targets"].as_array().context("no targets")? {
            let target = target.as_str().context("no address")?;
            targets.insert(
                target
                    .strip_suffix(":9998")
                    .context("not the metrics' port")?
                    .to_owned(),
            );
        }
    }
    let nodes = super::compose::ours("compose/compose.cluster.yml")?;
    let nodes: BTreeSet<String> = nodes.into_iter().map(|service| service.name).collect();
    ensure!(targets == nodes, "{targets:?}, {nodes:?}");
    for file in config["rule_files"].as_array().context("no rules")? {
        text(&format!(
            "compose/prometheus/{}",
            file.as_str().context("no name")?
        ))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_show_what_they_name_and_a_user_may_be_asked_for() -> Result<()> {
    let node = Plan::new(Role::Standalone)
        .with("authInternalUsers:")
        .with("  - { user: any, permissions: [{ action: publish }, { action: read }] }")
        .with("  - { user: prometheus, pass: only-for-tests, permissions: [{ action: metrics }] }")
        .start()
        .await?;
    let address = node.address("metrics")?;
    let ask = async |place: &str, login: &str| {
        let headers = [("Authorization", login)];
        http::request(
            "GET",
            address,
            place,
            if login.is_empty() { &[] } else { &headers },
            b"",
        )
        .await
    };
    let refused = ask("/metrics", "").await?;
    ensure!(refused.status == 401, "{} {}", refused.status, refused.text());
    ensure!(refused.header("WWW-Authenticate") == Some("Basic realm=\"mediamtx\""));
    // prometheus:only-for-tests
    let login = "Basic cHJvbWV0aGV1czpvbmx5LWZvci10ZXN0cw==";
    for (place, there, not_there) in [
        ("/metrics", "weft_ready 1", "nothing at all"),
        ("/metrics?type=paths", "paths 0", "weft_ready"),
        ("/metrics?type=node", "process_open_fds", "paths"),
        (
            "/metrics?type=rtsp_sessions",
            "rtsp_sessions 0",
            "webrtc_sessions",
        ),
        ("/metrics?path=nothing", "# TYPE paths gauge", "paths 0"),
    ] {
        let answer = ask(place, login).await?;
        let shown = answer.text();
        ensure!(answer.status == 200, "{place}: {} {shown}", answer.status);
        ensure!(
            shown.lines().any(|line| line.starts_with(there)),
            "{place}: no {there} in\n{shown}"
        );
        ensure!(
            !shown.lines().any(|line| line.starts_with(not_there)),
            "{place}: {not_there} in\n{shown}"
        );
    }
    Ok(())
}
