//! `Points`: the monitored items as values come: their readings, their states, and what is told of them.

mod asked;
mod events;

use std::{sync::Arc, time::Duration};

use fieldgate_kit::SourceCtx;
use fieldgate_model::{DropReason, Quality, Reading, Timestamp};
use tokio::{sync::watch, time::Instant};

use super::{memory::Memory, now};
use crate::{
    announce::Announcer,
    cadence::Cadences,
    connection::{Change, ItemRevised, Observed},
    events::Events,
    history::History,
    last::Last,
    roll_call::RollCall,
    select::Item,
    settings::KeyFrames,
    status::{self, Status},
    subscribe::Monitored,
};

/// All items; a value's handle is its item's index.
pub(crate) struct Points<'a> {
    pub(super) ctx: &'a SourceCtx,
    pub(super) items: Vec<Item>,
    pub(super) monitored: Vec<Monitored>,
    pub(super) states: Vec<State>,
    pub(super) announcer: Announcer,
    pub(super) roll_call: RollCall,
    pub(super) cadences: Cadences,
    pub(super) memory: Memory,
    pub(super) last: Vec<Option<Last>>,
    /// The next value may be the one that was there before the connection was lost.
    pub(super) fresh: Vec<bool>,
    events: Option<Events>,
    /// The server said that the open conditions are to be asked for again.
    refresh_required: bool,
    pub(super) history: Option<History>,
    /// Some values were not accepted.
    pub(super) forgotten: bool,
    server: String,
    /// What is told of the set of redundant servers; nothing when there is none.
    standing: watch::Receiver<String>,
    /// Where others see the items; none where nobody looks.
    pub(super) roster: Option<watch::Sender<Arc<[Item]>>>,
}

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Values come.
    Fine,
    /// The server says through the item that there is no value to be had.
    Troubled,
    /// The server has no such item: it could not be made, or its node is gone.
    Gone,
}

impl State {
    /// An item that the server refused for another reason than its node is not made again when the node is there.
    pub(super) fn of(result: &Result<ItemRevised, Status>) -> Self {
        match result {
            Ok(_) => Self::Fine,
            Err(why) if why.is("BadNodeIdUnknown") => Self::Gone,
            Err(_) => Self::Troubled,
        }
    }
}

// === impl Points ===

impl<'a> Points<'a> {
    pub(crate) fn new(
        ctx: &'a SourceCtx,
        items: Vec<Item>,
        monitored: Vec<Monitored>,
        announcer: Announcer,
    ) -> Self {
        Self {
            ctx,
            memory: Memory::new(&items, &monitored, KeyFrames::default(), Instant::now()),
            states: monitored
                .iter()
                .map(|made| State::of(&made.result))
                .collect(),
            monitored,
            announcer,
            roll_call: RollCall::new(items.len()),
            cadences: Cadences::new(items.len()),
            last: vec![None; items.len()],
            fresh: vec![false; items.len()],
            events: None,
            refresh_required: false,
            history: None,
            forgotten: false,
            server: String::new(),
            standing: watch::channel(String::new()).1,
            roster: None,
            items,
        }
    }

    /// Of the server at this address, which may be one of several.
    pub(crate) fn at(self, server: &str, standing: watch::Receiver<String>) -> Self {
        Self {
            server: server.to_owned(),
            standing,
            ..self
        }
    }

    /// The server's address.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Resolves when there is something new to tell of the server itself; false when there never will be.
    pub(crate) async fn stands_otherwise(&mut self) -> bool {
        self.standing.changed().await.is_ok()
    }

    /// With all last values sent together now and then.
    pub(crate) fn with_key_frames(self, key_frames: KeyFrames) -> Self {
        Self {
            memory: Memory::new(&self.items, &self.monitored, key_frames, Instant::now()),
            ..self
        }
    }

    /// With the last values of the session before, in the order of the items: one that comes again is the same record.
    pub(crate) fn after(self, last: Vec<Option<Last>>) -> Self {
        Self { last, ..self }
    }

    /// What the next attempt has to know.
    pub(super) fn leave(&mut self) -> (Vec<Item>, Vec<Monitored>, Vec<Option<Last>>) {
        (
            std::mem::take(&mut self.items),
            std::mem::take(&mut self.monitored),
            std::mem::take(&mut self.last),
        )
    }

    /// From now on each point's next value may be the one that was there already.
    pub(super) fn expect_repeats(&mut self) {
        self.fresh.fill(true);
    }

    /// Some values were not accepted: none is known any more.
    pub(super) fn forget(&mut self) {
        self.last.fill(None);
        if let Some(events) = &mut self.events {
            events.forget();
            self.ctx.alarms.clear();
        }
        self.forgotten = true;
    }

    /// With others who see the items.
    pub(crate) fn with_roster(self, roster: Option<watch::Sender<Arc<[Item]>>>) -> Self {
        Self { roster, ..self }
    }

    /// With what is missing, which is read from the server's history.
    pub(crate) fn with_history(self, history: Option<History>) -> Self {
        Self { history, ..self }
    }

    /// Changes as readings.
    pub(crate) fn readings(&mut self, changes: Vec<Change>) -> Vec<Reading> {
        let (seen, instant) = (now(), Instant::now());
        let (mut overflowed, mut undecodable, mut held_back, mut turned) = (0, 0, 0, false);
        let mut readings = Vec::with_capacity(changes.len());
        for change in changes {
            let handle = change.handle as usize;
            // Of a point that was left out, values can still be on their way.
            if self
                .items
                .get(handle)
                .is_none_or(|item| item.node.is_none())
            {
                continue;
            }
            self.roll_call.heard(handle);
            self.cadences.heard(handle, instant);
            let Some(observed) = change.observed else {
                undecodable += 1;
                continue;
            };
            if observed.overflow {
                overflowed += 1;
                turned |= self.announcer.overflow(handle, self.queue_size(handle));
            }
            turned |= self.turn(handle, &observed.quality);
            let item = &self.items[handle];
            if !self.memory.admit(handle, &observed, item.range(), instant) {
                held_back += 1;
                continue;
            }
            let (own_time, overflow) = (observed.at, observed.overflow);
            let reading = Reading {
                at: observed.at.unwrap_or(seen),
                ..reading(item, observed, seen)
            };
            let last = self.last[handle].replace(Last::of(&reading));
            if let (Some(history), Some(at)) = (&mut self.history, own_time) {
                if let (true, Some(last)) = (overflow, last) {
                    history.overflowed(handle, last.at, at);
                }
                if !history.live(handle, at) {
                    continue;
                }
            }
            if std::mem::take(&mut self.fresh[handle]) && last == self.last[handle] {
                // A new subscription begins with the value that is there; it was accepted long ago.
                continue;
            }
            readings.push(reading);
        }
        self.count(DropReason::SourceOverflow, overflowed);
        self.count(DropReason::Undecodable, undecodable);
        self.count(DropReason::Deadband, held_back);
        if turned {
            self.tell();
        }
        readings
    }

    /// How often to ask what is to be sent again; `None` when nothing ever is.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.memory.beat()
    }

    /// The last values that are to be sent again now, with the time of this moment: so long nothing else was heard.
    pub(crate) fn due(&mut self) -> Vec<Reading> {
        let due = self.memory.due(Instant::now());
        self.again(&due)
    }

    /// A message of the server was handed over; the last values that are to be sent after it.
    pub(crate) fn message(&mut self) -> Vec<Reading> {
        let due = self.memory.message(Instant::now());
        self.again(&due)
    }

    fn again(&self, points: &[usize]) -> Vec<Reading> {
        let seen = now();
        let again = |point: &usize| {
            let last = self.memory.last(*point)?.clone();
            Some(reading(&self.items[*point], last, seen))
        };
        points.iter().filter_map(again).collect()
    }

    /// As the server keeps it.
    fn queue_size(&self, handle: usize) -> u32 {
        let asked = self.items[handle].sampling.queue_size;
        let made = self.monitored[handle].result.as_ref();
        made.map_or(asked, |made| made.queue_size)
    }

    /// What the server says of the items is known now.
    pub(crate) fn learned(&mut self) {
        self.announcer.learned(&self.items);
        self.tell();
    }

    /// Values were lost behind one that is too large to be read.
    pub(super) fn lost_values(&mut self, count: u32) {
        tracing::warn!(
            source = %self.ctx.id,
            count,
            "values were lost behind one that is larger than a message may be; leave that point out"
        );
        self.count(DropReason::Undecodable, count.into());
    }

    /// Messages of the subscription at this place went missing between the server and us: since its points' last values
    /// there may have been others, or since the earliest that was not accepted.
    pub(super) fn lost_messages(
        &mut self,
        subscription: usize,
        count: u64,
        since: Option<Timestamp>,
    ) {
        self.announcer.lost_messages(count);
        self.miss_since_last(subscription, since);
        self.tell();
    }

    /// Cycles of reading came too late to be read.
    pub(crate) fn missed_cycles(&mut self, count: u64) {
        self.announcer.missed_cycles(count);
        self.tell();
    }

    /// Announces what changed, and tells the health.
    pub(crate) fn tell(&mut self) {
        let standing = self.standing.borrow_and_update().clone();
        self.announcer.stands(standing);
        self.announcer.tell(&self.ctx.devices, &self.ctx.health);
    }

    /// What a value's quality says of its point; true when it is news.
    fn turn(&mut self, handle: usize, quality: &Quality) -> bool {
        if status::is_problem(quality) {
            return self.trouble(handle, State::Troubled, quality);
        }
        if self.states[handle] == State::Fine {
            return false;
        }
        self.states[handle] = State::Fine;
        self.announcer.relief(handle);
        true
    }

    /// True when it is news.
    pub(super) fn trouble(&mut self, handle: usize, state: State, quality: &Quality) -> bool {
        if self.states[handle] == state {
            return false;
        }
        self.states[handle] = state;
        self.announcer
            .trouble(handle, quality.why().unwrap_or_default());
        true
    }

    pub(super) fn count(&self, reason: DropReason, readings: u64) {
        if readings > 0 {
            self.ctx.readings.dropped(reason, readings);
        }
    }
}

/// The value as a reading of this moment.
pub(super) fn reading(item: &Item, observed: Observed, now: Timestamp) -> Reading {
    Reading {
        point: item.point.clone(),
        value: item.dress(observed.value),
        quality: observed.quality,
        at: now,
        seen: now,
        unit: item.unit(),
        class: item.class,
        backfilled: false,
    }
}
