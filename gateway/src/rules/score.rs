//! `Score`: how often a rule fired, why it did not, what became of its last command, and until when it rests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use fieldgate_model::{Answer, Outcome, PointId, Timestamp};

/// Why a reading gave no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missed {
    /// It fired not long ago.
    Resting,
    /// Its last command has no answer yet.
    UnderWay,
    /// Too many commands of rules wait.
    Full,
    /// A number is wanted, and the value is none.
    NotANumber,
    /// An event is wanted, or one of its fields is.
    NoField,
    /// The quality is bad, so nothing can be told.
    BadQuality,
}

/// Shared by all who have to do with one rule; it outlives changes of its settings.
#[derive(Debug, Default)]
pub struct Score(Mutex<Marks>);

#[derive(Debug, Default)]
struct Marks {
    rests: Option<Rest>,
    is_under_way: bool,
    told: Told,
}

/// Until when it rests, by both clocks: what counts, and what is shown.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    shown: Timestamp,
}

/// What can be told of a rule, since the start of the gateway.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Commands that it gave.
    pub fired: u64,
    /// When it fired last, and what made it.
    pub last: Option<(Timestamp, PointId)>,
    /// What became of the last command that ended.
    pub ended: Option<Ended>,
    /// How its commands ended, by the outcome's word.
    pub outcomes: BTreeMap<&'static str, u64>,
    pub missed: BTreeMap<Missed, u64>,
    /// None when it does not rest.
    pub rests_until: Option<Timestamp>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub outcome: Outcome,
    pub words: String,
}

/// One firing of a rule. Until it is dropped the rule does not fire again.
#[derive(Debug)]
pub struct Turn {
    score: Arc<Score>,
    at: Timestamp,
}

// === impl Missed ===

impl Missed {
    /// The word in metrics and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::UnderWay => "under_way",
            Self::Full => "full",
            Self::NotANumber => "not_a_number",
            Self::NoField => "no_field",
            Self::BadQuality => "bad_quality",
        }
    }
}

// === impl Score ===

impl Score {
    /// Takes a turn, and rests for `pause` from `now` on, which is `shown` to people.
    ///
    /// # Errors
    /// When it rests, or its last command is under way.
    pub fn begin(
        self: &Arc<Self>,
        pause: Duration,
        now: Instant,
        shown: Timestamp,
    ) -> Result<Turn, Missed> {
        let mut marks = self.marks();
        if marks.rests.is_some_and(|rest| now < rest.until) {
            return Err(Missed::Resting);
        }
        if marks.is_under_way {
            return Err(Missed::UnderWay);
        }
        marks.is_under_way = true;
        let nanos = i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX);
        // A pause that leaves the clock's range is one for ever, which a century stands for.
        let century = Duration::from_secs(100 * 365 * 86_400);
        marks.rests = now.checked_add(pause.min(century)).map(|until| Rest {
            until,
            shown: Timestamp::from_nanos(shown.nanos().saturating_add(nanos)),
        });
        Ok(Turn {
            score: Arc::clone(self),
            at: shown,
        })
    }

    /// Counts a reading that gave no command.
    pub fn missed(&self, why: Missed) {
        *self.marks().told.missed.entry(why).or_default() += 1;
    }

    /// As of `now`.
    #[must_use]
    pub fn told(&self, now: Instant) -> Told {
        let marks = self.marks();
        let rests = marks.rests.filter(|rest| now < rest.until);
        Told {
            rests_until: rests.map(|rest| rest.shown),
            ..marks.told.clone()
        }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().expect("nothing panics while holding it")
    }
}

// === impl Turn ===

impl Turn {
    /// The command is on its way, because of this point.
    pub fn fired(&self, point: &PointId) {
        let mut marks = self.score.marks();
        marks.told.fired += 1;
        marks.told.last = Some((self.at, point.clone()));
    }

    /// What became of it; true when that is not what became of the one before.
    #[must_use]
    pub fn ended(self, answer: &Answer) -> bool {
        let mut marks = self.score.marks();
        let told = &mut marks.told;
        *told.outcomes.entry(answer.outcome.as_str()).or_default() += 1;
        let ended = Ended {
            outcome: answer.outcome,
            words: answer.words.clone(),
        };
        told.ended.replace(ended.clone()) != Some(ended)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.score.marks().is_under_way = false;
    }
}
