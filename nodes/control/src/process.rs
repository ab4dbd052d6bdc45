//! What the operating system says of this process, with the names that every Prometheus client library uses.
//! Read from `/proc`; where there is none, nothing is shown.

use std::fs;

/// Ticks per second in `/proc/self/stat`: Linux shows user space 100 on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes per page in `/proc/self/statm`.
const PAGE: u64 = 4_096;

/// A gauge or counter of the process: name, help, type, value.
pub(crate) type Figure = (&'static str, &'static str, &'static str, f64);

/// The soft limit in a line of `/proc/self/limits`.
fn descriptors(line: &str) -> Option<f64> {
    let limit = line.strip_prefix("Max open files")?.split_whitespace().next()?;
    match limit {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

/// A field of `/proc/self/stat` by its number in proc(5). The second one is the program's name in brackets and may hold
/// spaces; fields are counted behind it.
fn stat_field(number: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let behind = stat.rsplit(')').next()?;
    behind.split_whitespace().nth(number - 3)?.parse().ok()
}

/// From ticks since the system started.
fn started(ticks: Option<f64>) -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(boot.trim().parse::<f64>().ok()? + ticks? / TICKS_PER_SECOND)
}

/// CPU time that this process has used, user and system, in ms; 0 where it is not known.
#[must_use]
pub fn cpu_ms() -> u64 {
    match (stat_field(14), stat_field(15)) {
        (Some(user), Some(system)) => ((user + system) * 1000.0 / TICKS_PER_SECOND) as u64,
        _ => 0,
    }
}

/// All there is.
pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    if let (Some(user), Some(system)) = (stat_field(14), stat_field(15)) {
        figures.push((
            "process_cpu_seconds_total",
            "CPU time used, user and system.",
            "counter",
            (user + system) / TICKS_PER_SECOND,
        ));
    }
    if let Some(threads) = stat_field(20) {
        figures.push(("process_threads", "Threads of the process.", "gauge", threads));
    }
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    if let Some(pages) = statm
        .split_whitespace()
        .nth(1)
        .and_then(|p| p.parse::<u64>().ok())
    {
        figures.push((
            "process_resident_memory_bytes",
            "Memory in use that is not swapped out.",
            "gauge",
            (pages * PAGE) as f64,
        ));
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // Reading the directory holds one open itself.
        let open = entries.count().saturating_sub(1) as f64;
        figures.push(("process_open_fds", "Open file descriptors.", "gauge", open));
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = limits.lines().find_map(descriptors) {
        figures.push((
            "process_max_fds",
            "File descriptors that may be open at once.",
            "gauge",
            most,
        ));
    }
    if let Some(started) = started(stat_field(22)) {
        figures.push((
            "process_start_time_seconds",
            "When the process started, seconds since 1970.",
            "gauge",
            started,
        ));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_threads_memory_and_files() {
        let figures = figures();
        for name in [
            "process_threads",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let figure = figures.iter().find(|f| f.0 == name).unwrap();
            assert!(figure.3 >= 1.0, "{name}");
        }
        assert!(figures.iter().any(|f| f.0 == "process_cpu_seconds_total"));
        let started = figures
            .iter()
            .find(|f| f.0 == "process_start_time_seconds")
            .unwrap()
            .3;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!((now - started).abs() < 24.0 * 3600.0, "{started} of {now}");
    }
}
