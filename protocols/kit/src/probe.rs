//! `Probe`: a test of settings, rung by rung, without saving anything.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How one rung of the ladder went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RungState {
    Ok,
    Failed,
}

/// One step on the way to the far side, such as name resolution, TCP, TLS, sign-in, the first value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// A short name, for instance `TCP`.
    pub name: String,
    pub state: RungState,
    /// What was found, or what is wrong and what to do, in a sentence.
    pub words: String,
    pub took: Duration,
}

/// Collects rungs while a test climbs.
#[derive(Debug)]
pub struct Probe {
    rungs: Vec<Rung>,
    since: Instant,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            rungs: Vec::new(),
            since: Instant::now(),
        }
    }
}

impl Probe {
    /// This rung holds; the next one's time starts now.
    pub fn ok(&mut self, name: &str, words: impl Into<String>) {
        self.push(name, RungState::Ok, words.into());
    }

    /// This rung breaks; the ladder ends here.
    pub fn failed(&mut self, name: &str, words: impl Into<String>) {
        self.push(name, RungState::Failed, words.into());
    }

    #[must_use]
    pub fn rungs(self) -> Vec<Rung> {
        self.rungs
    }

    fn push(&mut self, name: &str, state: RungState, words: String) {
        let now = Instant::now();
        self.rungs.push(Rung {
            name: name.to_owned(),
            state,
            words,
            took: now - self.since,
        });
        self.since = now;
    }
}
