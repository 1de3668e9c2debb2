//! What was missed, read from the server's history beside the stream; and how far each point is, written down.

use std::{io, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture, ready},
};
use tokio::time::{Instant, timeout};

use super::{Kept, MAX_UNDURABLE, Part, Publishing, now};
use crate::history::{Answered, Ask, Marks};

/// How often it is looked whether something is to be written down.
pub(super) const NOTE: Duration = Duration::from_secs(1);
/// How often it is written down, when nothing hurries: flash memory wears.
const CALM: Duration = Duration::from_secs(30);
/// How often at most, when so much was handed over that asking the queue for it would take long.
const BUSY: Duration = Duration::from_secs(5);
const MANY_READINGS: usize = 100_000;
/// How long a session's begin and end may wait for what is on its way to the disk, and for the file.
const PATIENCE: Duration = Duration::from_secs(1);
const FILE_PATIENCE: Duration = Duration::from_millis(500);

/// When something is written down.
pub(super) struct Saver {
    pub saving: OptionFuture<BoxFuture<'static, io::Result<()>>>,
    pub is_saving: bool,
    /// Something was, at some time.
    pub is_written: bool,
    /// A snapshot waits for what comes before it to be durable.
    is_waiting: bool,
    hurries: bool,
    last: Option<Instant>,
    readings: usize,
}

// === impl Saver ===

impl Default for Saver {
    fn default() -> Self {
        Self {
            saving: None.into(),
            is_saving: false,
            is_written: false,
            is_waiting: false,
            hurries: false,
            last: None,
            readings: 0,
        }
    }
}

impl Saver {
    /// A gap has opened: a crash must not forget it.
    pub(super) fn hurry(&mut self) {
        self.hurries = true;
    }

    pub(super) fn count(&mut self, readings: usize) {
        self.readings += readings;
    }

    fn is_due(&self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| {
            let since = now.duration_since(last);
            let busy = self.readings >= MANY_READINGS && since >= BUSY;
            self.hurries || busy || since >= CALM
        });
        due && !self.is_saving && !self.is_waiting
    }

    /// Everything in it is durable.
    pub(super) fn save(&mut self, marks: Marks, ctx: &SourceCtx) {
        self.is_waiting = false;
        self.saving = Some(marks.keep(ctx)).into();
        self.is_saving = true;
    }
}

// === impl Publishing ===

impl<'a> Publishing<'a> {
    /// Something of the past is written down already, and what changes has to be.
    pub(crate) fn noting(mut self, is_written: bool) -> Self {
        self.saver.is_written = is_written;
        self
    }

    /// When there is something to ask; present values go first.
    pub(super) fn history_due(&self) -> Option<Instant> {
        let calm = !self.missed_under_way && self.undurable.len() < MAX_UNDURABLE / 2;
        self.points.history().filter(|_| calm)?.due()
    }

    pub(super) fn ask_history(&mut self) -> Option<BoxFuture<'a, Answered>> {
        let connection = self.connection;
        Some(match self.points.ask_history()? {
            Ask::Access(nodes) => connection.have_history(nodes).map(Answered::Access).boxed(),
            Ask::Page(request) => connection.history(request).map(Answered::Page).boxed(),
            Ask::Release(nodes) => connection
                .forget_history(nodes)
                .map(|_| Answered::Released)
                .boxed(),
        })
    }

    pub(super) async fn take_history(&mut self, answered: Answered) -> Result<(), SourceError> {
        let readings = self.points.missed(answered);
        if !readings.is_empty() {
            self.saver.count(readings.len());
            self.missed_under_way = true;
            let part = Part::Missed(self.session.clone());
            self.hand_over(part, readings).await?;
        }
        Ok(())
    }

    /// Takes a snapshot when one is due; it is written once everything before it is durable.
    pub(super) fn note(&mut self) {
        let now = Instant::now();
        if !self.saver.is_due(now) {
            return;
        }
        let Some(marks) = self.points.marks_if_changed() else {
            return;
        };
        if marks.points.is_empty() && !self.saver.is_written {
            // A server without history; nothing has to be taken back either.
            return;
        }
        (self.saver.last, self.saver.readings) = (Some(now), 0);
        self.saver.hurries = false;
        self.note_behind_all(marks);
    }

    /// It is written once everything that was handed over is durable.
    fn note_behind_all(&mut self, marks: Marks) {
        self.saver.is_waiting = true;
        self.undurable.push_back(Box::pin(ready(Kept {
            part: Part::Marks(self.session.clone(), Box::new(marks)),
            earliest: None,
            durable: Ok(()),
        })));
    }

    /// What became of writing down; `None` when nobody waited for it any longer.
    pub(super) fn saved(&mut self, saved: Option<io::Result<()>>) {
        (self.saver.saving, self.saver.is_saving) = (None.into(), false);
        match saved {
            Some(Ok(())) => self.saver.is_written = true,
            Some(Err(error)) => {
                tracing::warn!(source = %self.ctx.id, %error, "how far the points are cannot be written down; it is tried again");
                self.points.marks_are_not_written();
            }
            None => self.points.marks_are_not_written(),
        }
    }

    /// Before the first values of a session: from here on something may be missing, which a crash must not forget.
    pub(super) async fn note_what_is_open(&mut self) {
        if self.saver.is_written
            && let Some(marks) = self.points.marks_of_a_new_session()
        {
            if !self.undurable.is_empty() {
                // They claim what the session before handed over, which may not be accepted yet.
                self.note_behind_all(marks);
                return;
            }
            let saved = timeout(FILE_PATIENCE, marks.keep(self.ctx)).await;
            self.saved(saved.ok());
        }
    }

    /// At the end of a session, once everything is durable; if that takes too long, the queue will tell.
    pub(super) async fn note_at_the_end(&mut self) {
        let all = async {
            while let Some(kept) = self.undurable.next().await {
                if kept.durable.is_err() {
                    return false;
                }
            }
            true
        };
        let durable = timeout(PATIENCE, all).await.unwrap_or(false);
        if durable
            && !self.handing
            && let Some(marks) = self.points.marks()
            && (self.saver.is_written || !marks.points.is_empty())
        {
            let saved = timeout(FILE_PATIENCE, marks.keep(self.ctx)).await;
            self.saved(saved.ok());
        }
    }
}

impl Marks {
    /// As of now, by the gateway's clock.
    pub(super) fn of(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            saved: now(),
            points: std::collections::HashMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
