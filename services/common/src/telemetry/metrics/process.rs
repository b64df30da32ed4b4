//! What the system says of this process.

use std::{fs, sync::OnceLock};

use rustix::{param, time::ClockId};

use super::{Family, Point, count};
use crate::clock;

/// Memory, processor time, open files, version and start. What cannot be read is left out.
pub(super) fn families() -> Vec<Family> {
    let mut families = vec![
        Family::gauge(
            "paraply_build_info",
            "1, with the version of the program.",
            vec![Point::of("version", env!("CARGO_PKG_VERSION"), 1.0)],
        ),
        Family::gauge(
            "paraply_process_start_time_seconds",
            "When metrics of this process began, in seconds since 1970.",
            Point::alone(count(started_unix_nanos()) / 1e9),
        ),
        Family::counter(
            "paraply_process_cpu_seconds_total",
            "Processor time, of the program and of the system for it.",
            Point::alone(cpu_seconds()),
        ),
    ];
    if let Some(bytes) = resident_bytes() {
        let help = "Memory that the process has, its part of shared libraries included.";
        families.push(Family::gauge("paraply_process_resident_memory_bytes", help, Point::alone(count(bytes))));
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let help = "Files, sockets and pipes that the process has open.";
        // One is what is counted with.
        let open = (files.count() as u64).saturating_sub(1);
        families.push(Family::gauge("paraply_process_open_fds", help, Point::alone(count(open))));
    }
    families
}

/// When counters began at 0: the first reading, which services make as they start.
pub(super) fn started_unix_nanos() -> u64 {
    static STARTED: OnceLock<u64> = OnceLock::new();
    *STARTED.get_or_init(clock::unix_nanos)
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds below 2⁵³ are 104 days, and exact enough beyond")]
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn resident_bytes() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_plausible() {
        assert!((1 << 20..1 << 34).contains(&resident_bytes().unwrap()));
        let before = cpu_seconds();
        while cpu_seconds() == before {}
        assert!(families().len() == 5);
    }
}
