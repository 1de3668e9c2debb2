//! `Kept`: readings on their way to the disk, and what follows once they are there, or are refused.

use fieldgate_kit::{NotAccepted, SourceError};
use fieldgate_model::{Reading, Timestamp};

use super::{Birth, Feed, Publishing};
use crate::{history::Marks, resume};

/// Values of one message of repeated ones.
const MAX_REPEATED: usize = 4_000;

/// Readings that are durable, or not.
pub(crate) struct Kept {
    pub(super) part: Part,
    /// The earliest of them by the source's time.
    pub(super) earliest: Option<Timestamp>,
    pub(super) durable: Result<(), NotAccepted>,
}

// === impl Kept ===

impl Kept {
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.is_ok()
    }

    /// The earliest of the readings by the source's time; `None` where the gaps say it better, or there is none.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }
}

/// What they are.
pub(crate) enum Part {
    /// Of a message: its subscription, its number.
    Message(Birth, u32),
    /// Last values, once more.
    Again,
    /// Missed ones, which this session asked for.
    Missed(Birth),
    /// None: what this session is to write down once all before is durable. It claims all that was handed over until then,
    /// so that no other session may, which begins because something of that was not accepted.
    Marks(Birth, Box<Marks>),
}

// === impl Publishing ===

impl Publishing<'_> {
    pub(super) fn kept(&mut self, kept: Kept) -> Result<(), SourceError> {
        let earliest = kept.earliest;
        match (kept.durable, kept.part) {
            (Ok(()), Part::Message(of, sequence)) => {
                if let Some(feed) = self.feed(&of) {
                    feed.kept(sequence);
                }
            }
            (Ok(()), Part::Missed(session)) if session == self.session => {
                self.missed_under_way = false;
            }
            (Ok(()), Part::Marks(session, marks)) if session == self.session => {
                self.saver.save(*marks, self.ctx);
            }
            (Ok(()), Part::Again | Part::Missed(_) | Part::Marks(..)) => {}
            (Err(why), part) => {
                if let Part::Message(of, sequence) = part
                    && let Some(feed) = self.feed(&of)
                {
                    feed.refused(sequence);
                }
                self.refused_since = resume::earliest(self.refused_since, earliest);
                self.points.forget();
                return Err(SourceError::Lost(format!("the readings were {why}")));
            }
        }
        Ok(())
    }

    /// The subscription that is meant; `None` when another one stands in its place, whatever its number is.
    fn feed(&mut self, of: &Birth) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.birth == *of)
    }

    pub(super) async fn hand_over(
        &mut self,
        part: Part,
        readings: Vec<Reading>,
    ) -> Result<(), SourceError> {
        if readings.is_empty() {
            if let Part::Message(of, sequence) = part
                && let Some(feed) = self.feed(&of)
            {
                feed.kept(sequence);
            }
            return Ok(());
        }
        let earliest = earliest(&part, &readings);
        self.handing = true;
        // Shutdown ends the wait for room; what was not handed over is not acknowledged either.
        let durable = tokio::select! {
            () = self.ctx.shutdown.cancelled() => return Ok(()),
            durable = self.ctx.readings.send_durable(readings) => durable?,
        };
        if let Part::Message(of, sequence) = &part
            && let Some(feed) = self.feed(of)
        {
            feed.settle(*sequence);
        }
        self.undurable.push_back(Box::pin(async move {
            let durable = durable.await;
            Kept {
                part,
                earliest,
                durable,
            }
        }));
        self.handing = false;
        Ok(())
    }

    /// Last values go the same way as new ones, in messages of the same size.
    pub(super) async fn send_again(
        &mut self,
        mut readings: Vec<Reading>,
    ) -> Result<(), SourceError> {
        while !readings.is_empty() {
            let rest = readings.split_off(readings.len().min(MAX_REPEATED));
            self.hand_over(Part::Again, readings).await?;
            readings = rest;
        }
        Ok(())
    }
}

/// The earliest of the readings by the source's time.
fn earliest(part: &Part, readings: &[Reading]) -> Option<Timestamp> {
    if let Part::Missed(_) = part {
        // They are still in the gaps as they were written down last.
        return None;
    }
    let own = readings.iter().filter(|reading| reading.at != reading.seen);
    own.map(|reading| reading.at).min()
}
