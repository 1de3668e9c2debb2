//! `Ladder`: what is done about silence, step by step, and how soon; all that is decided about the pace stands here.
//!
//! | who should be heard | how long silence may last | the next steps | again |
//! |---|---|---|---|
//! | several whose pace is known | 5 mean gaps of all together, 20 s to 5 min | 10, 12 and 12 s later | after 30 s, doubled up to 15 min |
//! | one whose pace is known | 8 of its gaps, 1 to 10 min: it may also have left | the same | the same |
//! | who came within the last minute, while nobody's pace could be learnt: a radio may hang a second after its start | 20 s, 30 s when it is one alone | the same | as below |
//! | nobody: only passers-by were heard, or those who stayed are connected or left | 2 min | the same | as below |
//! | nobody, since nothing was heard ever | 30 s | the same | as below |
//!
//! **Below**: an empty room is as silent as a radio that hangs, and nothing can tell them apart. So the whole ladder is climbed once,
//! which brings a radio back in less than a minute, and then once in six hours; in between only the first step is taken, which costs
//! nothing, at the pauses above. There are two more rules. Somebody who was heard before a step and again within half a minute after
//! it shows that there is somebody and that the step helped: then it is as after the start, for a radio that hangs again and again.
//! And where nobody should be heard but connections are open, only the first step is taken: the radio works, and the others would
//! break them.

use std::time::{Duration, Instant};

/// How far it went.
#[derive(Debug)]
pub(super) struct Ladder {
    rung: usize,
    round: u32,
    /// Not before.
    next: Instant,
    /// When the last step was taken, until something is heard.
    acted: Option<Instant>,
    /// When the last step was taken, and the last one that was not the first of the ladder.
    taken: Option<Instant>,
    harsh: Option<Instant>,
}

/// What is done, from the gentle to the harsh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Discovery is restarted.
    Discovery,
    /// The adapter is switched off and on.
    Power,
    /// Another adapter takes over.
    Other,
    /// The radio is opened anew.
    Reopen,
}

/// Who should be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Devices that stay.
    Somebody,
    /// Nobody that we know of.
    Nobody,
}

const STEPS: [Step; 4] = [Step::Discovery, Step::Power, Step::Other, Step::Reopen];
/// What a step may take before the next one.
const RUNGS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(12),
    Duration::from_secs(12),
    Duration::from_secs(15),
];
const ROUND: Duration = Duration::from_secs(30);
const ROUND_MOST: Duration = Duration::from_secs(900);
/// Between two times that the whole ladder is climbed where nobody should be heard.
const WHOLE: Duration = Duration::from_secs(6 * 3600);
/// Whoever is back so soon after a step was brought back by it.
const HELPED: Duration = Duration::from_secs(30);
/// After so long without a step, what happened before counts no more.
const FORGIVE: Duration = Duration::from_secs(600);

// === impl Ladder ===

impl Ladder {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rung: 0,
            round: 0,
            next: now,
            acted: None,
            taken: None,
            harsh: None,
        }
    }

    /// When the last step was taken, unless something was heard since.
    pub(super) fn acted(&self) -> Option<Instant> {
        self.acted
    }

    /// Whether it is time for another step.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// The next step. `others`: there is another adapter. `connections`: some are open on this one.
    pub(super) fn climb(
        &mut self,
        now: Instant,
        expected: Expected,
        others: bool,
        connections: bool,
    ) -> Step {
        let whole = match expected {
            Expected::Somebody => true,
            Expected::Nobody if connections => false,
            // One that was begun is finished.
            Expected::Nobody => self.rung > 1 || self.may_be_harsh(now),
        };
        let mut rung = if whole { self.rung } else { 0 };
        if STEPS[rung] == Step::Other && !others {
            rung += 1;
        }
        if rung > 0 {
            self.harsh = Some(now);
        }
        let last = !whole || rung == STEPS.len() - 1;
        let pause = match last {
            true => (ROUND.saturating_mul(2u32.saturating_pow(self.round))).min(ROUND_MOST),
            false => RUNGS[rung],
        };
        self.acted = Some(now);
        self.taken = Some(now);
        self.next = now + pause;
        self.rung = if last { 0 } else { rung + 1 };
        self.round = self.round.saturating_add(u32::from(last));
        STEPS[rung]
    }

    fn may_be_harsh(&self, now: Instant) -> bool {
        self.harsh
            .is_none_or(|harsh| now.duration_since(harsh) >= WHOLE)
    }

    /// Somebody was heard who had been heard `before`: whether a step brought him back.
    pub(super) fn met_again(&mut self, now: Instant, before: Instant) -> bool {
        let helped = |step: Instant| before < step && now.duration_since(step) <= HELPED;
        if self.harsh.is_some_and(helped) {
            self.harsh = None;
        }
        self.taken.is_some_and(helped)
    }

    /// Something is heard, `last` at last: whether a step was taken before, whose time is over.
    pub(super) fn is_over(&mut self, now: Instant, last: Option<Instant>) -> bool {
        let over = self
            .acted
            .is_some_and(|acted| last.is_some_and(|last| last > acted));
        if over {
            self.rung = 0;
            self.acted = None;
            self.next = now;
        }
        if self.round > 0 && now.duration_since(self.next) > FORGIVE {
            self.round = 0;
        }
        over
    }
}
