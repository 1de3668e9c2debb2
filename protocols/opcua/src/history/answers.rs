//! What becomes of the server's answers: values that were missed, lists that go on, and what is done about a refusal.

use std::time::Duration;

use fieldgate_model::Timestamp;
use tokio::time::Instant;

use super::{
    Answered, Filled, Gap, History, List,
    gaps::Place,
    page::{Next, sift},
};
use crate::{
    connection::{HistoryPage, Observed},
    gate::{Filtered, Gate},
    node_id::NodeId,
    rounds,
    select::Item,
    status::Status,
};

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
        let until = self.able.len().min(self.asked + self.per_read);
        let answers = match answer {
            Ok(answers) => answers,
            // It may be too busy, or on its way out.
            Err(why)
                if self.unsaid < MAX_ATTEMPTS && !UNSUPPORTED.iter().any(|name| why.is(name)) =>
            {
                self.unsaid += 1;
                self.resting_until = Instant::now() + PAUSE * 2_u32.pow(self.unsaid);
                return;
            }
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
