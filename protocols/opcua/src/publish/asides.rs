//! `Asides`: what the publish loop does while it listens: silent points are asked, last values sent again, open conditions told,
//! history read, and how far it is written down.

use fieldgate_kit::SourceError;
use futures::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::{Beats, MAX_UNDURABLE, Publishing, ROLL_CALL, backfill, turns::Answered as Asked};
use crate::{connection::Called, history::Answered, status::Status};

/// The calls that are under way beside the Publish requests, at most one of each kind, and the clocks.
pub(super) struct Asides<'a> {
    turns: Interval,
    notes: Interval,
    pub beats: Beats,
    asking: UnderWay<'a, Asked>,
    refreshing: UnderWay<'a, Result<(), Status>>,
    history: UnderWay<'a, Answered>,
}

/// Something of that is due, or was answered.
pub(super) enum Aside {
    /// It is the silent points' turn.
    Turn,
    Asked(Asked),
    /// The open conditions are told, or not.
    Refreshed(Result<(), Status>),
    /// Last values may be due.
    Beat,
    HistoryDue,
    Missed(Answered),
    Note,
}

/// What may be done now.
pub(super) struct May {
    /// What is not durable yet is not repeated on top of it.
    repeat: bool,
    /// When history may be asked for, if there is something to ask.
    ask_history: Option<Instant>,
}

/// A call that is under way, or none.
struct UnderWay<'a, T>(Option<BoxFuture<'a, T>>);

// === impl UnderWay ===

impl<T> UnderWay<'_, T> {
    fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Its answer, once; never, where there is none. Nothing is lost when this is dropped while it waits.
    async fn answer(&mut self) -> T {
        let Some(call) = &mut self.0 else {
            return std::future::pending().await;
        };
        let answer = call.await;
        self.0 = None;
        answer
    }
}

// === impl Asides ===

impl<'a> Asides<'a> {
    pub(super) fn new(beats: Beats, refreshing: Option<Called<'a, ()>>) -> Self {
        let every = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        Self {
            turns: every(ROLL_CALL),
            notes: every(backfill::NOTE),
            beats,
            asking: UnderWay(None),
            refreshing: UnderWay(refreshing),
            history: UnderWay(None),
        }
    }

    /// What comes next. Nothing is lost when this is dropped while it waits.
    pub(super) async fn next(&mut self, may: May) -> Aside {
        let history_due = may.ask_history.filter(|_| self.history.is_idle());
        tokio::select! {
            _ = self.turns.tick(), if self.asking.is_idle() => Aside::Turn,
            asked = self.asking.answer() => Aside::Asked(asked),
            refreshed = self.refreshing.answer() => Aside::Refreshed(refreshed),
            () = self.beats.tick(), if may.repeat => Aside::Beat,
            () = until(history_due) => Aside::HistoryDue,
            missed = self.history.answer() => Aside::Missed(missed),
            _ = self.notes.tick() => Aside::Note,
        }
    }
}

/// That moment; never, where there is none.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

// === impl Publishing ===

impl<'a> Publishing<'a> {
    pub(super) fn may(&self) -> May {
        May {
            repeat: self.undurable.len() < MAX_UNDURABLE,
            ask_history: self.history_due(),
        }
    }

    pub(super) async fn turn_to(
        &mut self,
        aside: Aside,
        asides: &mut Asides<'a>,
    ) -> Result<(), SourceError> {
        match aside {
            Aside::Turn => {
                asides.asking.0 = self.ask_silent();
                if asides.refreshing.is_idle() && self.points.take_refresh_required() {
                    asides.refreshing.0 = self.refresh();
                }
            }
            Aside::Asked(answers) => self.answered(answers).await?,
            Aside::Refreshed(Ok(())) => self.points.take_refresh(),
            Aside::Refreshed(Err(why)) => self.points.refuse_refresh(&why),
            Aside::Beat => {
                let again = self.points.due();
                self.send_again(again).await?;
            }
            Aside::HistoryDue => asides.history.0 = self.ask_history(),
            Aside::Missed(answered) => self.take_history(answered).await?,
            Aside::Note => self.note(),
        }
        Ok(())
    }

    /// Asks the server to tell the open conditions; `None` when no events are watched. Theirs is the last subscription.
    pub(super) fn refresh(&mut self) -> Option<Called<'a, ()>> {
        let subscription = self.feeds.last()?.id;
        let watched = self.points.ask_for_conditions();
        watched.then(|| self.connection.refresh_conditions(subscription))
    }
}
