//! The report as text: a figure a line, a step a column. The rows are those of the JSON, with their units.

use super::{Report, Step};
use crate::count::Quantiles;

/// The table.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for step in &report.steps {
        for (name, value) in figures(step) {
            match rows.iter_mut().find(|(row, _)| *row == name) {
                Some((_, values)) => values.push(value),
                None => rows.push((name, vec![value])),
            }
        }
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let column = rows
        .iter()
        .flat_map(|(_, values)| values)
        .map(String::len)
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (name, values) in rows {
        let mut line = format!("{name:width$}");
        for value in values {
            line.push_str(&format!("  {value:>column$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let reasons = report.steps.iter().flat_map(|step| &step.reasons);
    for reason in reasons {
        text.push_str(&format!("ended early: {reason}\n"));
    }
    text
}

fn figures(step: &Step) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    let mut row = |name: &str, value: String| figures.push((name.to_owned(), value));
    let times = |times: Option<Quantiles>| {
        times.map_or("-".to_owned(), |t| {
            format!(
                "{:.2} / {:.2} / {:.2} / {:.2} / {:.2}",
                t.p50, t.p95, t.p99, t.p999, t.max
            )
        })
    };
    row(
        "publishers x readers of each",
        format!("{} x {}", step.publishers, step.readers),
    );
    row("measured, s", format!("{:.1}", step.seconds));
    row(
        "pictures sent / packets sent",
        format!("{} / {}", step.published, step.packets),
    );
    row(
        "sent, Mbit/s",
        format!("{:.1}", step.bytes as f64 * 8e-6 / step.seconds.max(1e-9)),
    );
    row(
        "pictures read / lost / damaged / repeated",
        format!(
            "{} / {} / {} / {}",
            step.units_read, step.units_lost, step.units_damaged, step.units_repeated
        ),
    );
    row(
        "packets lost / asked again / unsent",
        format!(
            "{} / {} / {}",
            step.packets_lost, step.packets_asked_again, step.packets_unsent
        ),
    );
    row(
        "sessions dropped: publishers / readers",
        format!("{} / {}", step.publishers_dropped, step.readers_dropped),
    );
    row(
        "sessions unknown at their end / late pictures",
        format!("{} / {}", step.unknown_sessions, step.stalls),
    );
    row("latency ms p50/p95/p99/p99.9/max", times(step.latency_ms));
    row(
        "first picture ms p50/p95/p99/p99.9/max",
        times(step.first_picture_ms),
    );
    row("join ms p50/p95/p99/p99.9/max", times(step.join_ms));
    row("joins without a picture", step.joins_failed.to_string());
    row(
        "CPU of the server, % of a core",
        format!("{:.2}", step.cpu_percent),
    );
    row("  for each stream", format!("{:.3}", step.cpu_percent_per_stream));
    row("  for each reader", format!("{:.4}", step.cpu_percent_per_reader));
    row(
        "memory KiB for each publisher",
        format!("{:.0}", step.rss_kib_per_publisher),
    );
    row(
        "memory KiB for each reader",
        format!("{:.1}", step.rss_kib_per_reader),
    );
    for cost in step.processes.iter().chain([&step.own]) {
        let name = &cost.name;
        row(
            &format!("{name}: CPU s / %"),
            format!("{:.2} / {:.2}", cost.cpu_seconds, cost.cpu_percent),
        );
        row(
            &format!("{name}: memory KiB start / end / per minute"),
            format!(
                "{} / {} / {:+.0}",
                cost.rss_kib[2], cost.rss_kib[3], cost.rss_kib_per_minute
            ),
        );
        row(
            &format!("{name}: threads / waits a s / preemptions a s"),
            format!(
                "{} / {:.0} / {:.0}",
                cost.threads, cost.waits_per_second, cost.preemptions_per_second
            ),
        );
    }
    row(
        "weft-load: CPU % for each stream",
        format!("{:.3}", step.own_cpu_percent_per_stream),
    );
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example;

    #[test]
    fn every_figure_has_a_line_and_every_step_a_column() {
        let text = table(&example());
        let line = |name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name}"))
        };
        assert!(line("publishers x").contains("10 x 1") && line("publishers x").contains("30 x 1"));
        assert!(line("latency ms").contains("5.00"));
        assert_eq!(line("first picture ms").matches(" -").count(), 2);
        assert!(line("weft: CPU s").contains("0.10 / 5.00"));
        assert!(line("weft: memory KiB").contains("+3600"));
        assert!(line("weft-load: threads").contains('3'));
    }

    #[test]
    fn the_json_has_every_figure_by_its_name() {
        let json = serde_json::to_value(example()).unwrap();
        let step = &json["steps"][1];
        assert_eq!(step["publishers"], 30);
        for name in [
            "latency_ms",
            "join_ms",
            "cpu_percent_per_stream",
            "rss_kib_per_reader",
            "units_lost",
            "ticks",
        ] {
            assert!(!step[name].is_null(), "{name}");
        }
        assert!(json["machine"]["cores"].is_u64());
    }
}
