//! Silence: how long the subscriptions may say nothing, and what is done when they do.

use std::time::Duration;

use fieldgate_kit::SourceError;
use tokio::time::Instant;

use super::{Feed, Publishing, lost};

/// A timer that comes so late tells of ourselves, not of the server.
const STANDSTILL: Duration = Duration::from_secs(1);

impl Publishing<'_> {
    pub(super) fn deadline(&self) -> Instant {
        let deadlines = self.feeds.iter().map(Feed::deadline);
        deadlines.min().unwrap_or_else(Instant::now)
    }

    /// The first of the deadlines has passed.
    pub(super) async fn silence(&mut self) -> Result<(), SourceError> {
        let now = Instant::now();
        if now.duration_since(self.deadline()) > STANDSTILL {
            // It is we who stood still, frozen or starved: what the server sent meanwhile is still to be read.
            self.listen_anew();
            return Ok(());
        }
        let silent: Vec<usize> = (0..self.feeds.len())
            .filter(|feed| self.feeds[*feed].deadline() <= now)
            .collect();
        let Some(first) = silent.first().map(|feed| &self.feeds[*feed]) else {
            return Ok(());
        };
        let seconds = first.silence.as_secs();
        if self.neighbours_talk(&silent, now) {
            for feed in silent {
                let why = format!("it sent nothing for {seconds} s, while others did");
                self.make_anew(feed, &why).await?;
            }
            return Ok(());
        }
        if silent.iter().any(|feed| self.feeds[*feed].is_untested()) {
            self.spoiled = true;
            return Err(lost(
                "the server handed it over to this session and then said nothing of it; it is made anew",
            ));
        }
        Err(lost(&format!(
            "it sent nothing for {seconds} s, not even a keep-alive; is it overloaded or stopped?"
        )))
    }

    /// Nobody listened until now, so that nobody can have been silent.
    pub(super) fn listen_anew(&mut self) {
        let now = Instant::now();
        for feed in &mut self.feeds {
            feed.heard(now);
        }
    }
}
