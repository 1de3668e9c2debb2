//! `Beats`: the clock by which last values are sent again; it follows what is wished for.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Beats every so often, or never.
pub(crate) struct Beats {
    every: Option<Duration>,
    beats: Option<Interval>,
}

// === impl Beats ===

impl Beats {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        let beats = every.map(|every| {
            let mut beats = interval(every);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beats
        });
        Self { every, beats }
    }

    /// What is read can have a shorter heartbeat by now, or none any more.
    pub(crate) fn keep_to(&mut self, every: Option<Duration>) {
        if self.every != every {
            *self = Self::new(every);
        }
    }

    /// The next one. Nothing is lost when this is dropped while it waits.
    pub(crate) async fn tick(&mut self) {
        match &mut self.beats {
            Some(beats) => {
                beats.tick().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_beats_as_is_wished_from_now_on() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let mut beats = Beats::new(None);
        for (every, expected) in [(seconds(60), 60), (seconds(1), 1), (seconds(1), 1)] {
            beats.keep_to(every);
            let began = Instant::now();
            // The first comes at once, when they are new.
            beats.tick().await;
            beats.tick().await;
            let took = began.elapsed().as_secs();
            assert!(
                (expected..=2 * expected).contains(&took),
                "{every:?}: {took}"
            );
        }
        beats.keep_to(None);
        let never = tokio::time::timeout(Duration::from_secs(3600), beats.tick());
        assert!(never.await.is_err());
    }
}
