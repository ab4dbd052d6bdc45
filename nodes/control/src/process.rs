//! What the operating system says of this process, with the names that every Prometheus client library uses.
//! Read from `/proc`; where there is none, nothing is shown.

use std::fs;

/// Ticks per second in `/proc/self/stat`: Linux shows user space 100 on every architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes per page in `/proc/self/statm`.
const PAGE: u64 = 4_096;

/// A gauge or counter of the process: name, help, type, value.
pub(crate) type Figure = (&'static str, &'static str, &'static str, f64);

/// All there is.
pub(crate) fn figures() -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        // The second field is the program's name in brackets and may hold spaces; fields are counted behind it.
        let behind: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let field = |n: usize| behind.get(n - 3).and_then(|f| f.parse::<f64>().ok());
        if let (Some(user), Some(system)) = (field(14), field(15)) {
            figures.push((
                "process_cpu_seconds_total",
                "CPU time used, user and system.",
                "counter",
                (user + system) / TICKS_PER_SECOND,
            ));
        }
        if let Some(threads) = field(20) {
            figures.push(("process_threads", "Threads of the process.", "gauge", threads));
        }
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
        ] {
            let figure = figures.iter().find(|f| f.0 == name).unwrap();
            assert!(figure.3 >= 1.0, "{name}");
        }
        assert!(figures.iter().any(|f| f.0 == "process_cpu_seconds_total"));
    }
}
