//! `Usage`: what a process uses of the machine, as /proc tells (proc(5)).

use std::{fs, time::Duration};

/// What a process uses at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Files, sockets and the like that it has open.
    pub descriptors: usize,
    pub threads: usize,
    pub resident_bytes: u64,
    /// User and system time since its start.
    pub cpu: Duration,
}

/// Linux gives times in hundredths of a second, whatever its own tick is.
const TICK_MS: u64 = 10;

// === impl Usage ===

impl Usage {
    /// # Panics
    /// When there is no such process.
    #[track_caller]
    #[must_use]
    pub fn of(process: u32) -> Self {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let status = read("status");
        let count = |folder: &str| {
            let path = format!("/proc/{process}/{folder}");
            let entries = fs::read_dir(&path);
            entries
                .unwrap_or_else(|error| panic!("{path}: {error}"))
                .count()
        };
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            resident_bytes: number(&status, "VmRSS:") * 1024,
            cpu: cpu(&read("stat")),
        }
    }
}

fn number(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no {key} in {status}"))
}

/// The 14th and 15th word; the second one is the program's name, in brackets.
fn cpu(stat: &str) -> Duration {
    let (_, words) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks = words.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * TICK_MS)
}
