//! Prometheus' text format: families with one head each, samples with labels.
//! What is written is decided in `metrics`.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use weft_histogram::Histogram;

/// The text under construction.
#[derive(Default)]
pub(crate) struct Text {
    pub(crate) out: String,
    /// Families written so far: each may have its head once.
    families: BTreeSet<String>,
}

impl Text {
    /// Begins a family; false when it was there before.
    pub(crate) fn family(&mut self, name: &str, help: &str, kind: &str) -> bool {
        let new = self.families.insert(name.to_owned());
        if new {
            _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        new
    }

    /// A histogram of seconds, with its family.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        if !self.family(name, help, "histogram") {
            return;
        }
        let mut count = 0;
        for (bound, so_many) in histogram.cumulative() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.sample(&format!("{name}_bucket"), &[("le", &bound)], so_many);
            count = so_many;
        }
        self.sample(&format!("{name}_sum"), &[], histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), &[], count);
    }

    /// A sample whose labels are made.
    pub(crate) fn sample_of(&mut self, name: &str, labels: &[(&str, String)], value: impl Display) {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.sample(name, &labels, value);
    }

    /// A sample.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escape = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", escape(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        _ = writeln!(self.out, "{name}{labels} {value}");
    }
}
