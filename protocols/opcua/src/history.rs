//! `History`: what is missing of the points, asked of the server's own history page by page (OPC UA Part 11, 6.4). Pure but
//! for the clock: it says what to ask, and is told the answer.
//!
//! A gap lies strictly between the last value that was there and the first that is there again, in the source's time. So
//! nothing comes twice. It is asked for in pages, one at a time, no faster than `values_per_s`; the next page only once the
//! readings of the last one are durable. A server is never trusted to end: a list that brings nothing new, or has too many
//! pages, is given up, and what lies outside of a gap is left out.

mod gaps;
mod marks;
mod page;
mod past;
mod tally;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use fieldgate_model::Timestamp;
use tokio::time::Instant;

pub(crate) use self::{
    gaps::Gap,
    marks::{Marks, Series},
    past::Past,
};
use self::{
    gaps::{Gaps, Place},
    page::{Next, sift},
    tally::Tally,
};
use crate::{
    connection::{HistoryPage, HistoryRequest, Limits, Observed},
    gate::{Filtered, Gate},
    node_id::NodeId,
    select::Item,
    settings::{Fill, HistoryRule},
    status::Status,
};

/// Values of one answer, of all its nodes together: some 150 kB of numbers.
const VALUES_A_CALL: usize = 4_000;
/// Nodes of one call, so that each has a page worth asking for.
const NODES_A_CALL: usize = 100;
/// How often a gap is asked for in vain.
const MAX_ATTEMPTS: u32 = 5;
/// How long is waited after an answer that was none; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// Values and pages of one gap; behind that it is endless.
const MAX_TAKEN: u64 = 5_000_000;
/// Pages in a row that bring nothing new.
const MAX_STUCK: u32 = 3;
/// Moments of a gap without an end that are remembered, until their values would have come by themselves.
const MAX_TOLD: usize = 1_000;

/// Statuses by which a server says that it has no history at all.
const UNSUPPORTED: [&str; 4] = [
    "BadServiceUnsupported",
    "BadHistoryOperationUnsupported",
    "BadNotImplemented",
    "BadNotSupported",
];
/// Statuses by which it says that it was asked for too much at once.
const TOO_MUCH: [&str; 9] = [
    "BadTooManyOperations",
    "BadResponseTooLarge",
    "BadRequestTooLarge",
    "BadTcpMessageTooLarge",
    "BadEncodingLimitsExceeded",
    "BadDecodingError",
    "BadOutOfMemory",
    "BadNoContinuationPoints",
    "BadTimeout",
];
/// Statuses of a node that may be others the next time.
const PASSING: [&str; 4] = [
    "BadContinuationPointInvalid",
    "BadServerTooBusy",
    "BadResourceUnavailable",
    "BadInternalError",
];
/// Statuses by which it says that there is nothing in this span.
const NOTHING: [&str; 3] = ["BadNoData", "BadNoDataAvailable", "BadNoEntryExists"];

/// What a source does about what it missed.
pub(crate) struct History {
    rule: HistoryRule,
    endpoint: String,
    per_call: usize,
    per_read: usize,
    values_a_call: usize,
    gaps: Gaps,
    /// Which points have history; those before `asked` are known.
    able: Vec<bool>,
    asked: usize,
    group: Option<Group>,
    /// Lists that are not read on.
    release: Vec<(NodeId, Vec<u8>)>,
    /// Moments of values that were told of a gap without an end, by point.
    told: HashMap<usize, BTreeSet<Timestamp>>,
    resting_until: Instant,
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
    /// Missed values with their points, point by point.
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
            // Two attributes are read of each node.
            per_read: (limits.per_read / 2).max(1),
            values_a_call: VALUES_A_CALL,
            gaps: Gaps::default(),
            able: vec![true; points],
            asked: 0,
            group: None,
            told: HashMap::new(),
            release: Vec::new(),
            resting_until: Instant::now(),
            tally: Tally::default(),
            changed: false,
        })
    }

    /// What was missing before.
    pub(crate) fn restore(&mut self, point: usize, gaps: Vec<Gap>) {
        self.gaps.restore(point, gaps, Instant::now());
    }

    /// Something may be missing of the point since its last value.
    pub(crate) fn open(&mut self, point: usize, after: Timestamp) {
        if self.able[point] {
            self.gaps.open(point, after, Instant::now());
            self.changed = true;
        }
    }

    /// A value came that was not told before; the server says whether it lost values before it. False when it is one that
    /// was read from history already.
    pub(crate) fn live(
        &mut self,
        point: usize,
        last: Option<Timestamp>,
        at: Timestamp,
        overflow: bool,
    ) -> bool {
        if !self.able[point] {
            return true;
        }
        self.changed = true;
        let now = Instant::now();
        let was_open = self.gaps.live(point, at, now);
        if let (true, false, Some(after)) = (overflow, was_open, last) {
            let before = Some(at);
            if !self.gaps.missed(point, Gap { after, before }, now) {
                self.tally.left(1, "they come too often");
            }
        }
        let Some(told) = self.told.get_mut(&point) else {
            return true;
        };
        let known = told.remove(&at);
        told.retain(|other| *other > at);
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

    /// Whether something is to be written down; then it counts as written.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
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
        let after = chosen.iter().map(|(_, gap)| gap.after).min()?;
        let ends: Option<Vec<Timestamp>> = chosen.iter().map(|(_, gap)| gap.before).collect();
        let before = ends.and_then(|ends| ends.into_iter().max());
        let (start, end) = match fill {
            // What has no end is read from a day ahead of any clock that is nearly right.
            Fill::NewestFirst => (before.unwrap_or_else(ahead), Some(after)),
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

    /// Takes an answer.
    pub(crate) fn answered(&mut self, answered: Answered, items: &[Item]) -> Filled {
        let mut filled = Filled::default();
        match answered {
            Answered::Access(answer) => self.accessed(answer, items),
            Answered::Page(Err(why)) => self.failed(&why),
            Answered::Page(Ok(pages)) => filled = self.paged(pages, items),
            Answered::Released => {}
        }
        if self.gaps.is_empty() && self.tally.rest() {
            tracing::info!(
                words = self.words(),
                "what was missed was read from history"
            );
        }
        filled
    }

    fn accessed(&mut self, answer: Result<Vec<bool>, Status>, items: &[Item]) {
        let until = self.able.len().min(self.asked + self.per_read);
        let answers = match answer {
            Ok(answers) => answers,
            // Who does not say it has none.
            Err(why) => {
                tracing::debug!(%why, "the server does not say what history it keeps");
                Vec::new()
            }
        };
        for (at, point) in (self.asked..until).enumerate() {
            let able = answers.get(at).copied().unwrap_or(false) && items[point].node.is_some();
            self.able[point] = able;
            if !able {
                self.gaps.forget(point);
            }
        }
        self.asked = until;
        self.changed = true;
    }

    /// The call as a whole.
    fn failed(&mut self, why: &Status) {
        let group = self.group.take();
        let lists = group.map(|group| group.lists).unwrap_or_default();
        if UNSUPPORTED.iter().any(|name| why.is(name)) {
            tracing::info!(%why, "the server has no history of what was missed");
            self.able.fill(false);
            self.gaps.clear();
            return;
        }
        if TOO_MUCH.iter().any(|name| why.is(name)) {
            self.ask_for_less();
        }
        for list in lists {
            self.in_vain(&list, why);
            self.release.extend(list.left());
        }
    }

    fn ask_for_less(&mut self) {
        self.per_call = (self.per_call / 2).max(1);
        self.values_a_call = (self.values_a_call / 2).max(2);
    }

    fn in_vain(&mut self, list: &List, why: &Status) {
        let now = Instant::now();
        let Some(waiting) = self.gaps.get(list.place) else {
            return;
        };
        waiting.attempts += 1;
        waiting.due = now + PAUSE * 2_u32.pow(waiting.attempts.min(MAX_ATTEMPTS));
        if waiting.attempts >= MAX_ATTEMPTS {
            self.give_up(list.place, &why.to_string());
        }
    }

    fn give_up(&mut self, place: Place, why: &str) {
        self.gaps.close(place);
        self.tally.left(1, why);
        self.changed = true;
    }

    fn paged(&mut self, pages: Vec<Result<HistoryPage, Status>>, items: &[Item]) -> Filled {
        let mut filled = Filled::default();
        let Some(mut group) = self.group.take() else {
            return filled;
        };
        let lists = std::mem::take(&mut group.lists);
        let mut count = 0;
        for (mut list, page) in lists.into_iter().zip(pages) {
            let goes_on = match page {
                Ok(page) => {
                    count += page.values.len();
                    self.take_page(&mut list, page, group.most, &mut filled, items)
                }
                Err(why) => {
                    self.refused(&list, &why);
                    false
                }
            };
            match goes_on {
                true => group.lists.push(list),
                false => self.release.extend(list.left()),
            }
        }
        self.rest(count);
        if !group.lists.is_empty() {
            self.group = Some(group);
        }
        filled
    }

    /// No faster than is allowed.
    fn rest(&mut self, values: usize) {
        let values = u32::try_from(values).unwrap_or(u32::MAX);
        let pause = Duration::from_secs(1) / self.rule.values_per_s.max(1);
        self.resting_until = Instant::now() + pause.saturating_mul(values);
    }

    /// What a node says instead of a page.
    fn refused(&mut self, list: &List, why: &Status) {
        let is_one = |names: &[&str]| names.iter().any(|name| why.is(name));
        if is_one(&NOTHING) {
            self.gaps.close(list.place);
        } else if is_one(&TOO_MUCH) {
            self.ask_for_less();
            self.in_vain(list, why);
        } else if is_one(&PASSING) {
            self.in_vain(list, why);
        } else {
            let point = list.place.point;
            self.able[point] = false;
            self.gaps.forget(point);
            self.tally.refused(point, why);
        }
        self.changed = true;
    }

    /// True when the list goes on.
    fn take_page(
        &mut self,
        list: &mut List,
        page: HistoryPage,
        most: u32,
        filled: &mut Filled,
        items: &[Item],
    ) -> bool {
        let fill = self.rule.fill;
        let Some(waiting) = self.gaps.get(list.place) else {
            list.mark = page.mark;
            return false;
        };
        let (gap, mark, count) = (waiting.gap, page.mark.clone(), page.values.len() as u64);
        let sifted = sift(page, &gap, fill, most, list.reached);
        list.mark = mark;
        list.reached = sifted.reached;
        waiting.taken += count + 1;
        let endless = waiting.taken > MAX_TAKEN;
        filled.timeless += sifted.timeless;
        if sifted.next == Next::Stuck {
            list.stuck += 1;
        } else {
            list.stuck = 0;
            if let (true, Some(reached)) = (sifted.in_order, sifted.reached) {
                waiting.gap.told(reached, fill);
                waiting.attempts = 0;
            }
            self.hand_out(list, &gap, sifted.values, filled, items);
        }
        self.changed = true;
        match sifted.next {
            Next::Whole => self.gaps.close(list.place),
            _ if endless || list.stuck >= MAX_STUCK => {
                self.give_up(list.place, "the server's list has no end");
            }
            Next::More | Next::Stuck => return true,
            // It waits in the gaps, which know how far it is.
            Next::Again => {}
        }
        false
    }

    /// The values as the subscription would have told them.
    fn hand_out(
        &mut self,
        list: &mut List,
        gap: &Gap,
        values: Vec<Observed>,
        filled: &mut Filled,
        items: &[Item],
    ) {
        let point = list.place.point;
        let sampling = &items[point].sampling;
        let gate = Gate::after(
            Filtered::NeverByTheServer,
            sampling.trigger,
            sampling.deadband,
        );
        let range = items[point].range();
        for value in values {
            if let (Some(gate), Some(last)) = (&gate, &list.last)
                && !gate.passes(last, &value, range)
            {
                filled.held_back += 1;
                continue;
            }
            if let (None, Some(at)) = (gap.before, value.at) {
                self.remember(point, at);
            }
            self.tally.filled(point, value.at);
            list.last = Some(value.clone());
            filled.values.push((point, value));
        }
    }

    fn remember(&mut self, point: usize, at: Timestamp) {
        let told = self.told.entry(point).or_default();
        told.insert(at);
        if told.len() > MAX_TOLD {
            told.pop_first();
        }
    }
}

// === impl List ===

impl List {
    /// What the server still keeps of it.
    fn left(self) -> Option<(NodeId, Vec<u8>)> {
        (!self.mark.is_empty()).then_some((self.node, self.mark))
    }
}

fn ahead() -> Timestamp {
    let day = 86_400 * 1_000_000_000;
    Timestamp::from_nanos(crate::publish::now().nanos().saturating_add(day))
}

#[cfg(test)]
mod tests;
