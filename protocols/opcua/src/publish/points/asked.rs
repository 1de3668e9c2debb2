//! Points that are silent: who is asked, and what the answers say of them.

use std::time::Duration;

use fieldgate_model::{Quality, Reading, Timestamp};
use tokio::time::Instant;

use super::{Points, State, now, reading};
use crate::{
    connection::{ItemRequest, ItemRevised, Observed},
    explore::asked::Read,
    history::last_before,
    last::Last,
    node_id::NodeId,
    settings::Trigger,
    status::{self, Status},
};

/// What a server may need besides its intervals to tell what it knows.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// What the server said of nodes that were asked for: those that are back, and readings of those that are gone.
#[derive(Default)]
pub(in crate::publish) struct RollCalled {
    pub back: Vec<usize>,
    pub gone: Vec<Reading>,
}

impl Points<'_> {
    /// Items from which nothing was heard, and their nodes; at most so many, each in turn.
    pub(in crate::publish) fn silent(&mut self, most: usize) -> (Vec<usize>, Vec<NodeId>) {
        let silent = self.roll_call.next(most).into_iter();
        silent
            .filter_map(|handle| Some((handle, self.items[handle].node.clone()?)))
            .unzip()
    }

    /// The server's answers whether the nodes of silent items exist.
    pub(in crate::publish) fn roll_called(
        &mut self,
        answers: impl Iterator<Item = (usize, Result<(), Status>)>,
    ) -> RollCalled {
        let seen = now();
        let mut called = RollCalled::default();
        for (handle, answer) in answers {
            match answer {
                Ok(()) if self.states[handle] == State::Gone => called.back.push(handle),
                Ok(()) => {}
                Err(why) => {
                    let quality = Quality::Bad(why.to_string().into());
                    let fine = self.states[handle] == State::Fine;
                    if status::is_problem(&quality)
                        && self.trouble(handle, State::Gone, &quality)
                        && fine
                    {
                        self.memory.lose(handle, quality.clone());
                        called.gone.push(self.items[handle].missing(quality, seen));
                    }
                }
            }
        }
        called
    }

    /// The place of the subscription in which the item is.
    pub(in crate::publish) fn subscription(&self, handle: usize) -> usize {
        self.monitored[handle].subscription
    }

    /// Takes the server's number of an item, when it has one.
    pub(in crate::publish) fn take_id(&mut self, handle: usize) -> Option<u32> {
        let result = &mut self.monitored[handle].result;
        let id = result.as_ref().ok()?.id;
        *result = Err(Status::named("BadNodeIdUnknown"));
        Some(id)
    }

    /// The item was made again, or not.
    pub(in crate::publish) fn made_again(
        &mut self,
        handle: usize,
        result: Result<ItemRevised, Status>,
    ) {
        if let Err(why) = &result {
            let quality = Quality::Bad(why.to_string().into());
            self.trouble(handle, State::of(&result), &quality);
        }
        self.monitored[handle].result = result;
    }

    /// The wish for an item's values.
    pub(in crate::publish) fn request(&self, handle: usize) -> Option<ItemRequest> {
        let mut request = self.items[handle].request(handle)?;
        self.monitored[handle].filtered.leave_out(&mut request);
        Some(request)
    }

    /// The items of a subscription that the server monitors.
    pub(in crate::publish) fn handles_of(&self, subscription: usize) -> Vec<usize> {
        let is_of = |handle: &usize| {
            let made = &self.monitored[*handle];
            made.subscription == subscription && made.result.is_ok()
        };
        (0..self.items.len()).filter(is_of).collect()
    }

    /// Since the last values of a subscription's points, or since the earliest that was not accepted, there may have been
    /// others, which the server's history has.
    pub(super) fn miss_since_last(&mut self, subscription: usize, refused: Option<Timestamp>) {
        let Some(history) = &mut self.history else {
            return;
        };
        for (point, made) in self.monitored.iter().enumerate() {
            let after = last_before(self.last[point], refused);
            if let (true, Some(after)) = (made.subscription == subscription, after) {
                history.open(point, after);
            }
        }
    }

    /// A subscription was made anew: its items begin with the values that are there.
    pub(in crate::publish) fn made_anew(&mut self, subscription: usize) {
        self.miss_since_last(subscription, None);
        let now = Instant::now();
        for handle in 0..self.items.len() {
            if self.monitored[handle].subscription == subscription {
                self.fresh[handle] = true;
                self.cadences.begin_anew(handle, now);
                if let Err(why) = &self.monitored[handle].result {
                    let (state, words) = (State::of(&Err(why.clone())), why.to_string());
                    self.trouble(handle, state, &Quality::Bad(words.into()));
                }
            }
        }
        self.announcer.remade();
        self.tell();
    }

    /// Items that used to have news and had none for far longer than usual, and their nodes.
    pub(in crate::publish) fn late(&mut self, most: usize) -> (Vec<usize>, Vec<NodeId>) {
        let late = self.cadences.late(Instant::now(), most).into_iter();
        late.filter(|handle| self.states[*handle] == State::Fine && self.tells_each_change(*handle))
            .filter_map(|handle| Some((handle, self.items[handle].node.clone()?)))
            .unzip()
    }

    /// Where a change may rightly be held back, another value proves nothing.
    fn tells_each_change(&self, handle: usize) -> bool {
        let sampling = &self.items[handle].sampling;
        sampling.deadband.is_none() && sampling.trigger != Trigger::Status
    }

    /// The values of those who were late: readings of what the server had the time to tell and did not.
    pub(in crate::publish) fn untold(
        &mut self,
        values: impl Iterator<Item = (usize, Read)>,
    ) -> Vec<(usize, Reading)> {
        let (seen, instant) = (now(), Instant::now());
        let mut untold = Vec::new();
        for (handle, value) in values {
            let (item, known) = (&self.items[handle], self.last[handle]);
            let Some((value, known)) = value.ok().zip(known) else {
                self.cadences.quiet(handle, instant);
                continue;
            };
            let observed = Observed {
                value: value.value,
                quality: value.quality,
                at: value.source_at.or(value.server_at),
                overflow: false,
            };
            let reading = Reading {
                at: observed.at.unwrap_or(seen),
                ..reading(item, observed.clone(), seen)
            };
            let last = Last::of(&reading);
            let pace = item.sampling.publishing_ms.max(item.sampling.sampling_ms);
            let on_its_way = ON_ITS_WAY + Duration::from_millis(2 * pace);
            if last.is_same_value(&known) {
                self.cadences.quiet(handle, instant);
            } else if self.cadences.untold(handle, on_its_way, instant)
                && self.memory.admit(handle, &observed, item.range(), instant)
            {
                self.last[handle] = Some(last);
                if self.is_untold_in_history(handle, known.at, observed.at) {
                    untold.push((handle, reading));
                }
            }
        }
        if !untold.is_empty() {
            self.announcer.untold(untold.len() as u64);
            self.tell();
        }
        untold
    }

    /// What lies between the last value and the one that was found is missing; false when that one was read already.
    fn is_untold_in_history(
        &mut self,
        handle: usize,
        last: Timestamp,
        found: Option<Timestamp>,
    ) -> bool {
        match (&mut self.history, found) {
            (Some(history), Some(found)) => {
                history.open(handle, last);
                history.live(handle, found)
            }
            _ => true,
        }
    }
}
