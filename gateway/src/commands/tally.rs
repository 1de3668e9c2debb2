//! `Tally`: how many commands came from where, and how they ended, since the start of the gateway.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use fieldgate_kit::command::{Lost, WhyNot};
use fieldgate_model::Outcome;

/// Counts by the way that commands came.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<Way, Counts>>);

/// The way by which a command came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Console,
    CommandLine,
    /// By its id.
    Destination(String),
    Rule,
}

/// What became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that came, repetitions included.
    pub received: u64,
    /// How they ended, by the outcome's word; a repetition is not counted again.
    pub ended: BTreeMap<&'static str, u64>,
    /// Those that were refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Answers that were given again to a repetition.
    pub repeated: u64,
    /// Answers that the far side did not take.
    pub answers_lost: u64,
}

// === impl Way ===

impl Way {
    /// The words for labels.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::CommandLine => "command_line",
            Self::Destination(_) => "destination",
            Self::Rule => "rule",
        }
    }

    /// The destination; empty where it was none.
    #[must_use]
    pub fn destination(&self) -> &str {
        match self {
            Self::Destination(id) => id,
            Self::Console | Self::CommandLine | Self::Rule => "",
        }
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn received(&self, way: &Way) {
        self.count(way, |counts| counts.received += 1);
    }

    pub(super) fn ended(&self, way: &Way, outcome: Outcome, why: Option<WhyNot>) {
        self.count(way, |counts| {
            *counts.ended.entry(outcome.as_str()).or_default() += 1;
            if let Some(why) = why {
                *counts.refused.entry(why.as_str()).or_default() += 1;
            }
        });
    }

    pub(super) fn repeated(&self, way: &Way) {
        self.count(way, |counts| counts.repeated += 1);
    }

    pub(super) fn lost(&self, way: &Way, lost: Lost) {
        let why = match lost {
            Lost::Answer => return self.count(way, |counts| counts.answers_lost += 1),
            Lost::Command => WhyNot::TooMany,
            Lost::CommandOfLink => WhyNot::LinkEnded,
        };
        self.received(way);
        self.ended(way, Outcome::Refused, Some(why));
    }

    /// Of one way; zero where none came.
    #[must_use]
    pub fn of(&self, way: &Way) -> Counts {
        self.lock().get(way).cloned().unwrap_or_default()
    }

    /// Of each way by which one came.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Way, Counts> {
        self.lock().clone()
    }

    /// There are as many ways as destinations that were configured since the start, and three.
    fn count(&self, way: &Way, count: impl FnOnce(&mut Counts)) {
        count(self.lock().entry(way.clone()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Way, Counts>> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_what_ended_and_what_was_repeated() {
        let (tally, way) = (Tally::default(), Way::Destination("broker".into()));
        for _ in 0..3 {
            tally.received(&way);
        }
        tally.ended(&way, Outcome::Done, None);
        tally.ended(&way, Outcome::Refused, Some(WhyNot::NotAllowed));
        tally.repeated(&way);
        tally.lost(&way, Lost::Command);
        tally.lost(&way, Lost::CommandOfLink);
        tally.lost(&way, Lost::Answer);
        let counts = tally.of(&way);
        let ended: u64 = counts.ended.values().sum();
        assert_eq!(counts.received, ended + counts.repeated);
        assert_eq!(
            counts.refused,
            BTreeMap::from([("link_ended", 1), ("not_allowed", 1), ("too_many", 1)])
        );
        assert_eq!(counts.answers_lost, 1);
        assert_eq!(tally.of(&Way::Console), Counts::default());
        assert_eq!(tally.all().len(), 1);
    }
}
