//! What becomes of the server's answers: values that were missed, lists that go on, and what is done about a refusal.

use std::time::Duration;

use fieldgate_model::Timestamp;
use tokio::time::Instant;

use super::{
    Answered, Filled, Gap, History, List, VALUES_A_CALL,
    gaps::Place,
    page::{Next, sift},
    verdict::{self, Verdict},
};
use crate::{
    connection::{HistoryPage, Observed},
    gate::{Filtered, Gate},
    node_id::NodeId,
    rounds,
    select::Item,
    status::Status,
};

/// How long is waited after an answer that was none; it doubles, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// After so many good answers in a row twice as much is asked for again, up to what was asked for at first.
const GROW_AFTER: u32 = 20;
/// Values and pages of one gap; behind that it is endless.
const MAX_TAKEN: u64 = 5_000_000;
/// Pages in a row that bring nothing new.
const MAX_STUCK: u32 = 3;
/// Moments of a gap without an end that are remembered, until their values would have come by themselves: of one point, and
/// of all together.
const MAX_TOLD: usize = 1_000;
pub(super) const MAX_TOLD_OF_ALL: usize = 200_000;

impl History {
    /// Takes an answer.
    pub(crate) fn answered(&mut self, answered: Answered, items: &[Item]) -> Filled {
        let mut filled = Filled::default();
        match answered {
            Answered::Access(answer) => self.accessed(answer, items),
            Answered::Page(Err(why)) => self.failed(&why),
            Answered::Page(Ok(pages)) => {
                filled = self.paged(pages, items);
                filled.values = rounds::by(filled.values, |(point, _)| *point);
            }
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
        // Since they were asked, points may have joined.
        let asked = std::mem::take(&mut self.asking);
        let answers = match answer {
            Ok(answers) if !answers.is_empty() => answers,
            // Who has no such service has no history.
            Err(why) if verdict::of_call(&why) == Verdict::Never => {
                tracing::debug!(%why, "the server does not say what history it keeps");
                vec![false; asked]
            }
            // It may be too busy, or on its way out.
            otherwise => {
                if let Err(why) = otherwise {
                    self.tally.waits(&why);
                    if verdict::of_call(&why) == Verdict::Less {
                        (self.per_read, self.successes) = ((self.per_read / 2).max(1), 0);
                    }
                }
                self.unsaid = self.unsaid.saturating_add(1);
                self.resting_until = Instant::now() + pause(self.unsaid);
                return;
            }
        };
        self.tally.waits_no_longer();
        self.unsaid = 0;
        self.succeeded();
        let until = self.able.len().min(self.asked + answers.len().min(asked));
        for (able, point) in answers.into_iter().zip(self.asked..until) {
            self.able[point] = able && items[point].node.is_some();
            if !self.able[point] {
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
        match verdict::of_call(why) {
            Verdict::Never => {
                self.able.fill(false);
                let gaps = self.gaps.clear();
                self.lost(gaps, why);
                return;
            }
            Verdict::Less => self.ask_for_less(),
            _ => {}
        }
        // It is most often the historian that is away, not these nodes that ail: so nobody is asked for a while.
        self.failures = self.failures.saturating_add(1);
        self.resting_until = Instant::now() + pause(self.failures);
        for list in lists {
            self.in_vain(&list, why);
            self.release.extend(list.left());
        }
    }

    fn ask_for_less(&mut self) {
        self.per_call = (self.per_call / 2).max(1);
        self.values_a_call = (self.values_a_call / 2).max(2);
        self.successes = 0;
    }

    /// The call was answered. What it was asked for less for may be over: a historian that was slow, or away.
    fn succeeded(&mut self) {
        (self.failures, self.successes) = (0, self.successes + 1);
        if self.successes >= GROW_AFTER {
            self.successes = 0;
            self.per_read = (self.per_read * 2).min(self.most_per_read);
            self.per_call = (self.per_call * 2).min(self.most_per_call);
            self.values_a_call = (self.values_a_call * 2).min(VALUES_A_CALL);
        }
    }

    /// The gap waits for longer each time, and is asked for again until it is too old.
    fn in_vain(&mut self, list: &List, why: &Status) {
        if let Some(waiting) = self.gaps.get(list.place) {
            waiting.attempts = waiting.attempts.saturating_add(1);
            waiting.due = Instant::now() + pause(waiting.attempts);
            self.tally.waits(why);
        }
    }

    fn give_up(&mut self, place: Place, why: &str) {
        self.gaps.close(place);
        self.tally.left(1, why);
        self.changed = true;
    }

    /// So many gaps are given up.
    fn lost(&mut self, gaps: usize, why: &Status) {
        if gaps > 0 {
            tracing::warn!(gaps, %why, "what was missed is not to be had from the server's history");
            self.tally.left(gaps, &why.to_string());
        }
        self.changed = true;
    }

    fn paged(&mut self, pages: Vec<Result<HistoryPage, Status>>, items: &[Item]) -> Filled {
        let mut filled = Filled::default();
        let Some(mut group) = self.group.take() else {
            return filled;
        };
        self.succeeded();
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

    /// What a node says instead of a page: it concerns this gap, and no other node's.
    fn refused(&mut self, list: &List, why: &Status) {
        match verdict::of_node(why) {
            Verdict::Empty => self.gaps.close(list.place),
            Verdict::Lost => {
                self.gaps.close(list.place);
                self.lost(1, why);
            }
            Verdict::Never => {
                let point = list.place.point;
                self.able[point] = false;
                let gaps = self.gaps.forget(point);
                tracing::warn!(gaps, %why, "a point's history is not to be had");
                self.tally.refused(point, why);
            }
            Verdict::Less => {
                self.ask_for_less();
                self.in_vain(list, why);
            }
            Verdict::Later => self.in_vain(list, why),
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
                self.tally.waits_no_longer();
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

    pub(super) fn remember(&mut self, point: usize, at: Timestamp) {
        let told = self.told.entry(point).or_default();
        self.told_count += usize::from(told.insert(at));
        if told.len() > MAX_TOLD || self.told_count > MAX_TOLD_OF_ALL {
            self.told_count -= usize::from(told.pop_first().is_some());
        }
    }
}

/// After so many failures in a row.
fn pause(failures: u32) -> Duration {
    let doubled = PAUSE.saturating_mul(2_u32.saturating_pow(failures));
    doubled.min(LONGEST_PAUSE)
}

// === impl List ===

impl List {
    /// What the server still keeps of it.
    fn left(self) -> Option<(NodeId, Vec<u8>)> {
        (!self.mark.is_empty()).then_some((self.node, self.mark))
    }
}
