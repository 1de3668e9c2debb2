//! `Gaps`: what is missing of each point, in the source's time. Pure.

use std::{collections::BTreeMap, time::Duration};

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::settings::Fill;

/// The most gaps of one point that wait to be filled. More come only of a queue on the server that is always too short, or of
/// many lost connections while its historian is away.
const MOST_OF_A_POINT: usize = 16;
/// The most gaps of all points together, besides the first of each point.
const MOST_OF_ALL: usize = 100_000;
/// A gap whose end is not known is asked for after this: until then the end has most often come by itself.
const SETTLE: Duration = Duration::from_secs(5);
/// How far the ends of gaps may lie apart that are asked for together, where their length is not known.
const APART_NANOS: i64 = 60_000_000_000;

/// What lies strictly between two moments is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    /// The last value that was there.
    pub after: Timestamp,
    /// The first value that is there again; `None` while none is.
    pub before: Option<Timestamp>,
}

/// A gap that waits to be filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waiting {
    pub id: u64,
    pub gap: Gap,
    /// How often it was asked for in vain.
    pub attempts: u32,
    /// What the server sent of it, in values and pages.
    pub taken: u64,
    /// Not asked for sooner.
    pub due: Instant,
}

/// A gap by its point and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub point: usize,
    pub id: u64,
}

/// All gaps, by point.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    points: BTreeMap<usize, Vec<Waiting>>,
    /// How many there are of all points.
    count: usize,
    ids: u64,
    /// None is due before this.
    not_before: Option<Instant>,
}

// === impl Gap ===

impl Gap {
    /// Whether a value of that moment is missing.
    pub(crate) fn misses(&self, at: Timestamp) -> bool {
        at > self.after && self.before.is_none_or(|before| at < before)
    }

    fn is_empty(&self) -> bool {
        self.before.is_some_and(|before| before <= self.after)
    }

    /// What is left of it once everything up to that moment was told, in this order.
    pub(crate) fn told(&mut self, at: Timestamp, fill: Fill) {
        match fill {
            Fill::NewestFirst => self.before = Some(self.before.map_or(at, |end| end.min(at))),
            Fill::OldestFirst | Fill::Never => self.after = self.after.max(at),
        }
    }

    /// About as long, and at about the same time.
    fn is_like(&self, other: &Self) -> bool {
        let near = |a: Timestamp, b: Timestamp, most: i64| {
            a.nanos().saturating_sub(b.nanos()).saturating_abs() <= most
        };
        match (self.before, other.before) {
            (None, None) => near(self.after, other.after, APART_NANOS),
            (Some(mine), Some(its)) => {
                let most = mine.nanos().saturating_sub(self.after.nanos()) / 10;
                near(self.after, other.after, most) && near(mine, its, most)
            }
            _ => false,
        }
    }
}

// === impl Gaps ===

impl Gaps {
    /// What was missing when it was written down.
    pub(crate) fn restore(&mut self, point: usize, gaps: Vec<Gap>, now: Instant) {
        for gap in gaps {
            self.add(point, gap, now + settle(&gap));
        }
    }

    /// Something may be missing since this value; the next one will tell. What is open already stays as it is. Where there is
    /// no room the oldest gap of the point makes some, for the server keeps the newer ones longer; how many go.
    pub(crate) fn open(&mut self, point: usize, after: Timestamp, now: Instant) -> usize {
        if self.is_open(point) {
            return 0;
        }
        let dropped = match self.has_room(point) {
            true => 0,
            false => self.drop_oldest(point),
        };
        let gap = Gap {
            after,
            before: None,
        };
        self.add(point, gap, now + SETTLE);
        dropped
    }

    /// Each point may have one, and more as long as all have not too many.
    fn has_room(&self, point: usize) -> bool {
        match self.points.get(&point).map_or(0, Vec::len) {
            0 => true,
            of_point => of_point < MOST_OF_A_POINT && self.count - self.points.len() < MOST_OF_ALL,
        }
    }

    fn drop_oldest(&mut self, point: usize) -> usize {
        let of_point = self.points.get(&point);
        let oldest = of_point.and_then(|of| of.iter().min_by_key(|one| one.gap.after));
        match oldest.map(|oldest| oldest.id) {
            Some(id) => self.retain(point, |one| one.id != id),
            None => 0,
        }
    }

    /// Keeps those of a point that are wanted; how many go.
    fn retain(&mut self, point: usize, is_wanted: impl FnMut(&Waiting) -> bool) -> usize {
        let Some(of_point) = self.points.get_mut(&point) else {
            return 0;
        };
        let before = of_point.len();
        of_point.retain(is_wanted);
        let gone = before - of_point.len();
        if of_point.is_empty() {
            self.points.remove(&point);
        }
        self.count -= gone;
        gone
    }

    /// Whether something may be missing of which nobody knows the end.
    pub(crate) fn is_open(&self, point: usize) -> bool {
        let of_point = self.points.get(&point);
        of_point.is_some_and(|of| of.iter().any(|one| one.gap.before.is_none()))
    }

    /// Something is missing between two values. False when it is too often so, and is left missing.
    pub(crate) fn missed(&mut self, point: usize, gap: Gap, now: Instant) -> bool {
        if !self.has_room(point) {
            return false;
        }
        self.add(point, gap, now);
        true
    }

    fn add(&mut self, point: usize, gap: Gap, due: Instant) {
        if gap.is_empty() {
            return;
        }
        (self.ids, self.count) = (self.ids + 1, self.count + 1);
        self.may_be_due(due);
        let waiting = Waiting {
            id: self.ids,
            gap,
            attempts: 0,
            taken: 0,
            due,
        };
        self.points.entry(point).or_default().push(waiting);
    }

    /// A value came: what was open ends there, or was none.
    pub(crate) fn live(&mut self, point: usize, at: Timestamp, now: Instant) {
        let Some(of_point) = self.points.get_mut(&point) else {
            return;
        };
        let Some(open) = of_point.iter_mut().find(|one| one.gap.before.is_none()) else {
            return;
        };
        (open.gap.before, open.due) = (Some(at), now);
        self.may_be_due(now);
        self.retain(point, |one| !one.gap.is_empty());
    }

    /// What is missing of a point.
    pub(crate) fn of(&self, point: usize) -> Vec<Gap> {
        let of_point = self.points.get(&point);
        of_point.map_or_else(Vec::new, |of| of.iter().map(|one| one.gap).collect())
    }

    pub(crate) fn get(&mut self, place: Place) -> Option<&mut Waiting> {
        let of_point = self.points.get_mut(&place.point)?;
        of_point.iter_mut().find(|one| one.id == place.id)
    }

    /// It is filled, or given up.
    pub(crate) fn close(&mut self, place: Place) {
        self.retain(place.point, |one| one.id != place.id);
    }

    /// The point has no history; how many gaps that ends.
    pub(crate) fn forget(&mut self, point: usize) -> usize {
        self.retain(point, |_| false)
    }

    /// The server has none; how many gaps that ends.
    pub(crate) fn clear(&mut self) -> usize {
        self.points.clear();
        std::mem::take(&mut self.count)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The points that have gaps.
    pub(crate) fn points(&self) -> impl Iterator<Item = usize> {
        self.points.keys().copied()
    }

    /// When the next one can be asked for, at the earliest.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.is_empty())
    }

    fn may_be_due(&mut self, at: Instant) {
        self.not_before = Some(self.not_before.map_or(at, |before| before.min(at)));
    }

    /// Leaves missing what is older; how many gaps that ends.
    pub(crate) fn outdate(&mut self, oldest: Timestamp) -> usize {
        let before = self.count;
        for of_point in self.points.values_mut() {
            for one in &mut *of_point {
                one.gap.after = one.gap.after.max(oldest);
            }
            of_point.retain(|one| !one.gap.is_empty());
        }
        self.points.retain(|_, of_point| !of_point.is_empty());
        self.count = self.points.values().map(Vec::len).sum();
        before - self.count
    }

    /// Gaps to be asked for together, at most so many, each of another point: the oldest or the newest and what is like it.
    pub(crate) fn group(&mut self, most: usize, fill: Fill, now: Instant) -> Vec<(Place, Gap)> {
        let due = self.points.iter().flat_map(|(point, of_point)| {
            let due = of_point.iter().filter(|one| one.due <= now);
            due.map(|one| (*point, one))
        });
        let first = match fill {
            Fill::NewestFirst => {
                due.max_by_key(|(_, one)| (one.gap.before.is_none(), one.gap.before))
            }
            Fill::OldestFirst | Fill::Never => due.min_by_key(|(_, one)| one.gap.after),
        };
        let Some((_, first)) = first else {
            let all = self.points.values().flatten();
            self.not_before = all.map(|one| one.due).min();
            return Vec::new();
        };
        let first = first.gap;
        let like = |(point, of_point): (&usize, &Vec<Waiting>)| {
            let like = of_point
                .iter()
                .find(|one| one.due <= now && first.is_like(&one.gap))?;
            let place = Place {
                point: *point,
                id: like.id,
            };
            Some((place, like.gap))
        };
        self.points.iter().filter_map(like).take(most).collect()
    }
}

fn settle(gap: &Gap) -> Duration {
    match gap.before {
        None => SETTLE,
        Some(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
