//! `Points` and their history: what to ask for, what was missed as readings, and how far each point is.

use fieldgate_model::{DropReason, Reading};

use super::{
    now,
    points::{Points, reading},
};
use crate::{
    connection::Observed,
    history::{Answered, Ask, Gap, History, Marks, Series},
};

/// What is known of the history when a session ends.
pub(super) struct LeftHistory {
    /// By the index of the item.
    pub gaps: Vec<(usize, Vec<Gap>)>,
    /// The last values are not known.
    pub is_forgotten: bool,
}

// === impl Points ===

impl Points<'_> {
    pub(super) fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    pub(super) fn ask_history(&mut self) -> Option<Ask> {
        self.history.as_mut()?.ask(&self.items, now())
    }

    /// Missed values as readings, as far as the answer has some.
    pub(super) fn missed(&mut self, answered: Answered) -> Vec<Reading> {
        let Some(history) = &mut self.history else {
            return Vec::new();
        };
        let filled = history.answered(answered, &self.items);
        self.announcer.tell_of_history(history.words());
        self.count(DropReason::Undecodable, filled.timeless);
        self.count(DropReason::Deadband, filled.held_back);
        self.tell();
        let seen = now();
        let missed = |(point, value): (usize, Observed)| Reading {
            at: value.at.unwrap_or(seen),
            backfilled: true,
            ..reading(&self.items[point], value, seen)
        };
        filled.values.into_iter().map(missed).collect()
    }

    /// How far each point is, when that is to be written down.
    pub(super) fn marks_if_changed(&mut self) -> Option<Marks> {
        if !self.history.as_ref()?.is_changed() {
            return None;
        }
        let marks = self.marks()?;
        self.history.as_mut()?.is_taken_down();
        Some(marks)
    }

    /// They are not on the disk, as far as anybody knows.
    pub(super) fn marks_are_not_written(&mut self) {
        if let Some(history) = &mut self.history {
            history.was_not_written();
        }
    }

    /// How far each point with history is; `None` while it is not known which have.
    pub(super) fn marks(&self) -> Option<Marks> {
        let history = self.history.as_ref()?;
        history.is_known().then(|| self.marks_of(history)).flatten()
    }

    /// As [`Self::marks`], when it is not known yet which points have history, but that something is missing.
    pub(super) fn marks_of_a_new_session(&self) -> Option<Marks> {
        let history = self.history.as_ref()?;
        history.has_gaps().then(|| self.marks_of(history)).flatten()
    }

    fn marks_of(&self, history: &History) -> Option<Marks> {
        if self.forgotten {
            return None;
        }
        let mut marks = Marks::of(history.endpoint());
        for (point, (item, last)) in self.items.iter().zip(&self.last).enumerate() {
            if let Some(gaps) = history.gaps_of(point)
                && last.is_some()
            {
                let series = Series { last: *last, gaps };
                marks.points.insert(item.point.clone(), series);
            }
        }
        Some(marks)
    }

    /// What the next attempt has to know of what is missing.
    pub(super) fn leave_history(&self) -> LeftHistory {
        let gaps = match &self.history {
            Some(history) => history.gaps(),
            None => Vec::new(),
        };
        LeftHistory {
            gaps,
            is_forgotten: self.forgotten,
        }
    }
}
