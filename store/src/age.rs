//! What is too old: whole generations expire, as far as the clock is believed.

use std::time::{Duration, Instant};

use crate::{counts::Gone, error::EngineError, manifest::GenerationInfo, thread::Owner};

/// How often a lane with a limit of age looks for what has passed it.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A generation is sealed when it holds this part of the limit, so that a trickle expires in good time too.
const PARTS: u32 = 16;

impl Owner {
    /// When to look again, after `now`; never in a lane whose records do not age.
    pub fn next_look(&self, now: Instant) -> Option<Instant> {
        let keeps = self.options.keep_delivered.bytes > 0;
        let part = self.options.max_age.map(|limit| limit / PARTS);
        let every = part.or(keeps.then_some(LOOK_EVERY))?;
        Some(now + every.min(LOOK_EVERY))
    }

    /// Seals what has been open for long, and lets go of what is older than its limit.
    pub fn look_at_ages(&mut self, now: Instant) {
        self.look_at = self.next_look(now);
        if let Some(limit) = self.options.max_age
            && let Err(error) = self.expire(limit)
        {
            tracing::warn!(%error, "what is too old could not be removed; it is tried again");
        }
        self.remove_delivered();
        if self.held_back {
            self.commit_gathered();
        }
    }

    fn expire(&mut self, limit: Duration) -> Result<(), EngineError> {
        let open = self.shelf.writer().filter(|open| !open.info.is_empty());
        let opened_at = open.map(|open| open.info.first_at);
        let age = opened_at.and_then(|at| self.tools.ages.age(at));
        if age.is_some_and(|age| age > limit / PARTS) {
            self.start_generation()?;
        }
        while self
            .shelf
            .generations
            .first()
            .is_some_and(|oldest| oldest.info.sealed && self.is_older(&oldest.info, limit))
        {
            let through = self.shelf.generations[0].info.last;
            self.drop_oldest(Gone::Expired)?;
            tracing::info!(dir = %self.shelf.dir.display(), through, "records older than the queue's limit went");
        }
        Ok(())
    }

    /// Whether all of a generation is older than `limit`, for certain.
    pub fn is_older(&self, info: &GenerationInfo, limit: Duration) -> bool {
        let age = self.tools.ages.age(info.last_at);
        age.is_some_and(|age| age > limit)
    }
}
