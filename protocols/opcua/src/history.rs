//! `History`: what is missing of the points, asked of the server's own history page by page (OPC UA Part 11, 6.4). Pure but
//! for the clock: it says what to ask, and is told the answer.
//!
//! A gap lies strictly between the last value that was there and the first that is there again, in the source's time. So
//! nothing comes twice. It is asked for in pages, one at a time, no faster than `values_per_s`; the next page only once the
//! readings of the last one are durable. A server is never trusted to end: a list that brings nothing new, or has too many
//! pages, is given up, and what lies outside of a gap is left out. Nor is one trusted to be there: what it does not answer for
//! good is asked for again, less and less often, until it is older than `max_age`.

mod answers;
mod desk;
mod gaps;
mod marks;
mod page;
mod past;
mod tally;
mod verdict;

use std::collections::{BTreeSet, HashMap};

use fieldgate_model::Timestamp;
use tokio::time::Instant;

pub(crate) use self::{
    gaps::Gap,
    marks::{Marks, Series},
    past::{Past, last_before},
};
use self::{
    gaps::{Gaps, Place},
    tally::Tally,
};
use crate::{
    connection::{HistoryPage, HistoryRequest, Limits, Observed},
    node_id::NodeId,
    select::Item,
    settings::{Fill, HistoryRule},
    status::Status,
};

/// Values of one answer, of all its nodes together: some 150 kB of numbers.
const VALUES_A_CALL: usize = 4_000;
/// Nodes of one call, so that each has a page worth asking for.
const NODES_A_CALL: usize = 100;

/// Why a gap is left that was there before others.
const TOO_MANY: &str = "too many wait for the server's history";

/// What a source does about what it missed.
pub(crate) struct History {
    rule: HistoryRule,
    endpoint: String,
    /// Nodes of one call: as many as the server takes, or fewer while it fails.
    per_call: usize,
    most_per_call: usize,
    per_read: usize,
    most_per_read: usize,
    values_a_call: usize,
    /// Calls in a row that failed, and that did not.
    failures: u32,
    successes: u32,
    gaps: Gaps,
    /// Which points have history; those before `asked` are known.
    able: Vec<bool>,
    asked: usize,
    /// How many behind those are being asked.
    asking: usize,
    group: Option<Group>,
    /// Lists that are not read on.
    release: Vec<(NodeId, Vec<u8>)>,
    /// Moments of values that were told of a gap without an end, by point.
    told: HashMap<usize, BTreeSet<Timestamp>>,
    /// How many those are of all points.
    told_count: usize,
    resting_until: Instant,
    /// How often the server did not say which points have history.
    unsaid: u32,
    tally: Tally,
    /// Something is to be written down that was not.
    changed: bool,
}

/// What to ask the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Ask {
    /// Whether these points have history.
    Access(Vec<NodeId>),
    Page(HistoryRequest),
    /// Nothing: these lists are not read on.
    Release(Vec<(NodeId, Vec<u8>)>),
}

/// What it answered.
pub(crate) enum Answered {
    Access(Result<Vec<bool>, Status>),
    Page(Result<Vec<Result<HistoryPage, Status>>, Status>),
    Released,
}

/// What comes of an answer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Filled {
    /// Missed values with their points, in rounds.
    pub values: Vec<(usize, Observed)>,
    /// Values that have no time.
    pub timeless: u64,
    /// Values that changed too little.
    pub held_back: u64,
}

/// Lists that are read together.
struct Group {
    start: Timestamp,
    end: Option<Timestamp>,
    most: u32,
    lists: Vec<List>,
}

/// One node's list.
struct List {
    place: Place,
    node: NodeId,
    mark: Vec<u8>,
    reached: Option<Timestamp>,
    stuck: u32,
    /// The value before, for what changed too little.
    last: Option<Observed>,
}

// === impl History ===

impl History {
    /// `None` when nothing is to be filled.
    pub(crate) fn new(
        rule: HistoryRule,
        endpoint: &str,
        limits: &Limits,
        points: usize,
    ) -> Option<Self> {
        (rule.fill != Fill::Never).then(|| Self {
            rule,
            endpoint: endpoint.to_owned(),
            per_call: limits.per_history.clamp(1, NODES_A_CALL),
            most_per_call: limits.per_history.clamp(1, NODES_A_CALL),
            // Two attributes are read of each node.
            per_read: (limits.per_read / 2).max(1),
            most_per_read: (limits.per_read / 2).max(1),
            values_a_call: VALUES_A_CALL,
            failures: 0,
            successes: 0,
            gaps: Gaps::default(),
            able: vec![true; points],
            asked: 0,
            asking: 0,
            group: None,
            told: HashMap::new(),
            told_count: 0,
            release: Vec::new(),
            resting_until: Instant::now(),
            unsaid: 0,
            tally: Tally::default(),
            changed: false,
        })
    }

    /// One point more; whether it has history is not known yet.
    pub(crate) fn push(&mut self) {
        self.able.push(true);
    }

    /// What was missing before.
    pub(crate) fn restore(&mut self, point: usize, gaps: Vec<Gap>) {
        self.gaps.restore(point, gaps, Instant::now());
    }

    /// Something may be missing of the point since its last value.
    pub(crate) fn open(&mut self, point: usize, after: Timestamp) {
        if self.able[point] {
            let dropped = self.gaps.open(point, after, Instant::now());
            self.tally.left(dropped, TOO_MANY);
            self.changed = true;
        }
    }

    /// The server lost values of the point between these two, because its queue was too short.
    pub(crate) fn overflowed(&mut self, point: usize, after: Timestamp, before: Timestamp) {
        // What is open already ends with the second one, and has them.
        if !self.able[point] || self.gaps.is_open(point) {
            return;
        }
        let gap = Gap {
            after,
            before: Some(before),
        };
        if !self.gaps.missed(point, gap, Instant::now()) {
            self.tally.left(1, "they come too often");
        }
    }

    /// A value came; what was open of its point ends there. False when it was read from history already.
    pub(crate) fn live(&mut self, point: usize, at: Timestamp) -> bool {
        if !self.able[point] {
            return true;
        }
        self.changed = true;
        self.gaps.live(point, at, Instant::now());
        let Some(told) = self.told.get_mut(&point) else {
            return true;
        };
        let count = told.len();
        let known = told.remove(&at);
        told.retain(|other| *other > at);
        self.told_count -= count - told.len();
        if told.is_empty() {
            self.told.remove(&point);
        }
        !known
    }

    /// What is missing of a point; `None` when it has no history, so that nothing has to be remembered.
    pub(crate) fn gaps_of(&self, point: usize) -> Option<Vec<Gap>> {
        self.able[point].then(|| self.gaps.of(point))
    }

    /// What is missing, by point.
    pub(crate) fn gaps(&self) -> Vec<(usize, Vec<Gap>)> {
        let points = self.gaps.points();
        points.map(|point| (point, self.gaps.of(point))).collect()
    }

    pub(crate) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// The server whose history it is.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether it is known which points have history.
    pub(crate) fn is_known(&self) -> bool {
        self.asked >= self.able.len()
    }

    /// Whether something is to be written down.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Everything counts as written down, until [`Self::was_not_written`] says otherwise.
    pub(crate) fn is_taken_down(&mut self) {
        self.changed = false;
    }

    /// What was to be written down is not on the disk, as far as anybody knows.
    pub(crate) fn was_not_written(&mut self) {
        self.changed = true;
    }

    /// What there is to tell people; `None` when nothing was missed.
    pub(crate) fn words(&self) -> Option<String> {
        self.tally.words(!self.gaps.is_empty())
    }

    /// When there is something to ask; `None` when there is nothing.
    pub(crate) fn due(&self) -> Option<Instant> {
        if !self.release.is_empty() {
            return Some(Instant::now());
        }
        let due = match (self.asked < self.able.len(), &self.group) {
            (true, _) | (_, Some(_)) => self.resting_until,
            _ => self.gaps.due()?,
        };
        Some(due.max(self.resting_until))
    }

    /// What to ask now; `now_there` is about the time at the source.
    pub(crate) fn ask(&mut self, items: &[Item], now_there: Timestamp) -> Option<Ask> {
        if !self.release.is_empty() {
            return Some(Ask::Release(std::mem::take(&mut self.release)));
        }
        if self.asked < self.able.len() {
            let until = self.able.len().min(self.asked + self.per_read);
            self.asking = until - self.asked;
            let nodes = items[self.asked..until].iter();
            // A point without a node takes its place, and is told apart when the answer comes.
            let node = |item: &Item| item.node.clone().unwrap_or(NodeId::numeric(0, 0));
            return Some(Ask::Access(nodes.map(node).collect()));
        }
        let max_age = i64::try_from(self.rule.max_age.0.as_nanos()).unwrap_or(i64::MAX);
        let oldest = Timestamp::from_nanos(now_there.nanos().saturating_sub(max_age));
        let old = self.gaps.outdate(oldest);
        if old > 0 {
            self.tally.left(old, "they are older than `max_age`");
        }
        if self.group.is_none() {
            self.group = self.next_group(items);
        }
        let group = self.group.as_ref()?;
        let nodes = group.lists.iter();
        Some(Ask::Page(HistoryRequest {
            start: group.start,
            end: group.end,
            most: group.most,
            nodes: nodes
                .map(|list| (list.node.clone(), list.mark.clone()))
                .collect(),
        }))
    }

    fn next_group(&mut self, items: &[Item]) -> Option<Group> {
        let fill = self.rule.fill;
        let chosen = self.gaps.group(self.per_call, fill, Instant::now());
        let is_there = |(place, _): &(Place, Gap)| {
            let item = items.get(place.point);
            item.is_some_and(|item| item.node.is_some())
        };
        let (chosen, without_node): (Vec<_>, Vec<_>) = chosen.into_iter().partition(is_there);
        for (place, _) in without_node {
            self.gaps.forget(place.point);
        }
        let after = chosen.iter().map(|(_, gap)| gap.after).min()?;
        let ends: Option<Vec<Timestamp>> = chosen.iter().map(|(_, gap)| gap.before).collect();
        let before = ends.and_then(|ends| ends.into_iter().max());
        let (start, end) = match fill {
            // What has no end is read from a day ahead of any clock that is nearly right, and of what is known to have been
            // where the gateway's own is not.
            Fill::NewestFirst => {
                let known = chosen.iter().map(|(_, gap)| gap.after).max();
                let ahead = || ahead(known.unwrap_or(after));
                (before.unwrap_or_else(ahead), Some(after))
            }
            Fill::OldestFirst | Fill::Never => (after, before),
        };
        let list = |(place, gap): (Place, Gap)| {
            self.tally.begun(&gap);
            Some(List {
                place,
                node: items.get(place.point)?.node.clone()?,
                mark: Vec::new(),
                reached: None,
                stuck: 0,
                last: None,
            })
        };
        let lists: Vec<List> = chosen.into_iter().filter_map(list).collect();
        let most = u32::try_from(self.values_a_call / lists.len().max(1)).unwrap_or(1);
        (!lists.is_empty()).then_some(Group {
            start,
            end,
            most: most.max(2),
            lists,
        })
    }
}

fn ahead(of: Timestamp) -> Timestamp {
    let day = 86_400 * 1_000_000_000;
    let now = crate::publish::now().max(of);
    Timestamp::from_nanos(now.nanos().saturating_add(day))
}

#[cfg(test)]
mod tests;
