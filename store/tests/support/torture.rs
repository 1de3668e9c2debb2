//! How much a harness does: a little in the tests, a lot under `cargo xtask torture`, which also wants to see how far it is.

use std::time::{Duration, Instant};

/// Set by `cargo xtask torture`: how many cases to run.
const CASES: &str = "FIELDGATE_TORTURE";

/// How many cases to run: `in_tests`, unless the torture says otherwise.
pub fn cases(in_tests: usize) -> usize {
    asked_for().unwrap_or(in_tests)
}

/// Whether this is the torture: then everything is tried, not a sample.
pub fn is_torture() -> bool {
    asked_for().is_some()
}

fn asked_for() -> Option<usize> {
    let asked = std::env::var(CASES).ok()?;
    Some(
        asked
            .parse()
            .unwrap_or_else(|_| panic!("{CASES}={asked} is not a number")),
    )
}

/// Says on stderr how far a harness is, every five seconds.
pub struct Progress {
    what: &'static str,
    started: Instant,
    told: Instant,
}

impl Progress {
    pub fn new(what: &'static str) -> Progress {
        let now = Instant::now();
        Progress {
            what,
            started: now,
            told: now,
        }
    }

    pub fn at(&mut self, done: usize, of: usize) {
        if is_torture() && self.told.elapsed() > Duration::from_secs(5) {
            self.told = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            eprintln!("{}: {done} of {of} after {seconds} s", self.what);
        }
    }

    pub fn seconds(&self) -> f64 {
        (self.started.elapsed().as_secs_f64() * 10.0).round() / 10.0
    }
}

/// The harness's figures as one line of JSON on stdout.
pub fn figures(figures: &serde_json::Value) {
    println!("\n{figures}");
}

/// An `Err` that says what was expected and was not so.
#[macro_export]
macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}
