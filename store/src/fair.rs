//! Whom a full lane that refuses waits for: a consumer that lags holds others back for a while, then only itself.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::types::Seq;

/// Where one consumer stands, as far as fairness goes.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub name: String,
    pub through: Seq,
    pub need: Need,
}

/// What a consumer has to do with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// No route leads to it.
    Nothing,
    /// All of its routes are empty: what is held back is what it waits for.
    More,
    /// Something is pending for it.
    Stored,
}

/// Who was waited for, and in vain. Kept in memory: after a restart everybody is waited for once more.
#[derive(Debug, Default)]
pub(crate) struct Fairness {
    held_since: Option<Instant>,
    laggards: BTreeSet<String>,
}

// === impl Fairness ===

impl Fairness {
    /// The lane holds appends back from now on, or no longer.
    pub fn hold(&mut self, held_back: bool, now: Instant) {
        if held_back {
            self.held_since.get_or_insert(now);
        } else {
            self.held_since = None;
        }
    }

    /// When waiting has to be looked at again.
    pub fn due(&self, patience: Duration) -> Option<Instant> {
        Some(self.held_since? + patience)
    }

    /// It was looked at: the next time is as long again.
    pub fn looked(&mut self, now: Instant) {
        if let Some(since) = &mut self.held_since {
            *since = now;
        }
    }

    /// Whether the oldest records, up to `last`, may go although some have not passed them: when nobody needs them, or only
    /// consumers that lag while another has everything. One lags once another waited for it through `patience`, and until
    /// it has everything itself.
    pub fn may_go(
        &mut self,
        last: Seq,
        standings: &[Standing],
        patience: Duration,
        now: Instant,
    ) -> bool {
        let starving = || {
            standings
                .iter()
                .filter(|standing| standing.need == Need::More)
        };
        for standing in starving() {
            self.laggards.remove(&standing.name);
        }
        let waited = self.due(patience).is_some_and(|due| due <= now);
        let mut in_the_way = standings
            .iter()
            .filter(|standing| standing.through < last && standing.need == Need::Stored)
            .peekable();
        if in_the_way.peek().is_none() {
            return true;
        }
        if starving().next().is_none() {
            return false;
        }
        if waited {
            self.laggards
                .extend(in_the_way.map(|standing| standing.name.clone()));
            return true;
        }
        in_the_way.all(|standing| self.laggards.contains(&standing.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn standing(name: &str, through: u64, need: Need) -> Standing {
        Standing {
            name: name.to_owned(),
            through: Seq(through),
            need,
        }
    }

    /// Whether the records up to 10 may go, so many seconds after the lane became full.
    fn ask(fairness: &mut Fairness, start: Instant, after_s: u64, standings: &[Standing]) -> bool {
        let now = start + Duration::from_secs(after_s);
        fairness.may_go(Seq(10), standings, PATIENCE, now)
    }

    #[test]
    fn a_lone_consumer_and_consumers_that_all_lag_are_waited_for() {
        let (mut fairness, start) = (Fairness::default(), Instant::now());
        fairness.hold(true, start);
        assert!(!ask(
            &mut fairness,
            start,
            99,
            &[standing("a", 3, Need::Stored)]
        ));
        let both = [
            standing("a", 3, Need::Stored),
            standing("b", 50, Need::Stored),
        ];
        assert!(!ask(&mut fairness, start, 99, &both), "b has more to get");
    }

    #[test]
    fn one_that_lags_holds_another_back_for_a_while_and_not_again_before_it_has_caught_up() {
        let (mut fairness, start) = (Fairness::default(), Instant::now());
        let now = [
            standing("slow", 3, Need::Stored),
            standing("fast", 99, Need::More),
        ];
        fairness.hold(true, start);
        assert!(!ask(&mut fairness, start, 29, &now));
        assert!(ask(&mut fairness, start, 30, &now));
        fairness.hold(false, start);
        assert!(ask(&mut fairness, start, 31, &now), "it lags still");
        let caught_up = [
            standing("slow", 99, Need::More),
            standing("fast", 99, Need::More),
        ];
        assert!(ask(&mut fairness, start, 40, &caught_up), "nobody needs it");
        assert!(!ask(&mut fairness, start, 41, &now), "waited for again");
    }

    #[test]
    fn who_needs_nothing_of_it_is_not_in_the_way_whatever_its_cursor() {
        let (mut fairness, start) = (Fairness::default(), Instant::now());
        fairness.hold(true, start);
        let others = [
            standing("b", 0, Need::More),
            standing("c", 0, Need::Nothing),
        ];
        assert!(ask(&mut fairness, start, 0, &others));
        let all = [&others[..], &[standing("a", 3, Need::Stored)]].concat();
        assert!(!ask(&mut fairness, start, 29, &all));
        assert!(ask(&mut fairness, start, 30, &all));
    }
}
