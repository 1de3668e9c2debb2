//! Consumers and routes of a lane (pure): who reads, under which bits, and how far they have come.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    counts::{Contested, Gone},
    error::StoreError,
    fair::{Need, Standing},
    manifest::{Cursors, PerBit, RouteState},
    replay::Replays,
    types::{RouteBalance, RouteBit, RouteMask, Seq, Tally},
};

/// The state of consumers and routes, and what was counted.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub durable: Seq,
    pub(crate) consumers: BTreeMap<String, Position>,
    pub(crate) routes: BTreeMap<u8, Route>,
    pub(crate) replays: Replays,
    next_bit: u8,
    /// What thinning took from the generations with an id up to this has been counted.
    pub thinned_through: u64,
    /// Acknowledgements that may speak of records already counted as evicted; the lane's thread settles them in order.
    /// Bounded by what consumers have in flight when an eviction happens.
    pub(crate) unsettled: VecDeque<Unsettled>,
    /// Something is to be persisted.
    pub dirty: bool,
    pub acks_since_persist: u32,
    /// Appends are held back until a consumer makes room.
    pub wake_on_ack: bool,
}

/// How far a consumer or a replay has come.
#[derive(Debug, Default)]
pub(crate) struct Position {
    pub through: Seq,
    /// What was taken from under it and may still be acknowledged, because it was in flight.
    pub contested: Option<Contested>,
}

/// Who reads and acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Consumer(String),
    Replay(String),
}

#[derive(Debug)]
pub(crate) struct Route {
    pub state: RouteState,
    pub pending: i64,
    /// Nothing that was appended before it retired is still on its way.
    settled: bool,
}

/// An acknowledgement whose tally must be split between what had been taken and what was pending.
#[derive(Clone, Debug)]
pub(crate) struct Unsettled {
    pub reader: Reader,
    /// Where the cursor stood before: what is retained between here and `through` was pending.
    pub from: Seq,
    pub through: Seq,
    pub tally: Tally,
}

// === impl Book: configuration ===

impl Book {
    /// The book as stored; `pending` is 0 until [`Book::recounted`].
    pub fn new(stored: Cursors) -> Book {
        let consumer = |(name, through)| (name, Position::at(Seq(through)));
        let route = |state: RouteState| {
            (
                state.bit,
                Route {
                    state,
                    pending: 0,
                    settled: true,
                },
            )
        };
        Book {
            durable: Seq(stored.durable),
            consumers: stored.consumers.into_iter().map(consumer).collect(),
            routes: stored.routes.into_iter().map(route).collect(),
            replays: Replays::new(stored.replays),
            next_bit: stored.next_bit,
            thinned_through: stored.thinned_through,
            ..Book::default()
        }
    }

    /// What is to be stored: only valid while nothing is unsettled.
    pub fn snapshot(&self) -> Cursors {
        Cursors {
            durable: self.durable.0,
            consumers: self
                .consumers
                .iter()
                .map(|(name, consumer)| (name.clone(), consumer.through.0))
                .collect(),
            routes: self
                .routes
                .values()
                .map(|route| route.state.clone())
                .collect(),
            next_bit: self.next_bit,
            replays: self.replays.snapshot(),
            thinned_through: self.thinned_through,
        }
    }

    /// The cursor of `name`, which starts at the durable end if it is new; whether it is new.
    pub fn consumer(&mut self, name: &str) -> (Seq, bool) {
        if let Some(consumer) = self.consumers.get(name) {
            return (consumer.through, false);
        }
        self.consumers
            .insert(name.to_owned(), Position::at(self.durable));
        for route in self
            .routes
            .values_mut()
            .filter(|route| route.state.consumer == name)
        {
            route.state.orphan = false; // what is appended from here on is ahead of its cursor
        }
        self.dirty = true;
        (self.durable, true)
    }

    /// The cursor of `name`, if it is registered.
    pub fn cursor(&self, name: &str) -> Option<Seq> {
        self.consumers.get(name).map(|consumer| consumer.through)
    }

    /// Forgets a consumer: its routes retire, and what they had pending counts as removed.
    pub fn drop_consumer(&mut self, name: &str) {
        self.consumers.remove(name);
        let gone = Reader::Consumer(name.to_owned());
        self.unsettled.retain(|unsettled| unsettled.reader != gone);
        for route in self
            .routes
            .values_mut()
            .filter(|route| route.state.consumer == name)
        {
            let pending = route.pending.max(0) as u64;
            route.take(Gone::Removed, pending);
            route.state.orphan = true;
            route.retire();
        }
        self.dirty = true;
    }

    pub fn consumers(&self) -> Vec<String> {
        self.consumers.keys().cloned().collect()
    }

    /// The bit of route `key`; whether it was allocated or revived just now.
    pub fn route_bit(&mut self, key: &str, consumer: &str) -> Result<(RouteBit, bool), StoreError> {
        if !self.consumers.contains_key(consumer) {
            return Err(StoreError::NoConsumer {
                name: consumer.to_owned(),
            });
        }
        if let Some(route) = self
            .routes
            .values_mut()
            .find(|route| route.state.key == key)
        {
            let bit = RouteBit(route.state.bit);
            if route.state.consumer != consumer {
                let owner = route.state.consumer.clone();
                return Err(StoreError::RouteTaken {
                    key: key.to_owned(),
                    bit,
                    owner,
                });
            }
            let revived = route.state.retiring;
            (route.state.retiring, route.settled) = (false, true);
            self.dirty |= revived;
            return Ok((bit, revived));
        }
        let bit = self.free_bit().ok_or(StoreError::NoRouteBit)?;
        let state = RouteState {
            key: key.to_owned(),
            bit,
            consumer: consumer.to_owned(),
            retiring: false,
            orphan: false,
            counts: Default::default(),
        };
        self.routes.insert(
            bit,
            Route {
                state,
                pending: 0,
                settled: true,
            },
        );
        self.next_bit = (bit + 1) % 64;
        self.dirty = true;
        Ok((RouteBit(bit), true))
    }

    /// The next free bit after the one allocated last, so that a freed bit rests as long as possible.
    fn free_bit(&self) -> Option<u8> {
        (0..64)
            .map(|step| (self.next_bit + step) % 64)
            .find(|bit| !self.routes.contains_key(bit))
    }

    /// Lets `key` take no new records; whether there is such a route.
    pub fn retire_route(&mut self, key: &str) -> bool {
        let Some(route) = self
            .routes
            .values_mut()
            .find(|route| route.state.key == key)
        else {
            return false;
        };
        route.retire();
        self.dirty = true;
        true
    }

    /// Everything appended before now has been counted: what retired before now gets nothing more.
    pub fn appends_settled(&mut self) {
        for route in self.routes.values_mut() {
            route.settled = true;
        }
    }

    /// Frees the bits of retired routes that have drained and that no retained record carries; whether there were any.
    pub fn free_retired(&mut self, retained: &PerBit) -> bool {
        let before = self.routes.len();
        self.routes.retain(|bit, route| {
            let drained = route.state.retiring && route.settled && route.pending == 0;
            !(drained && retained.get(*bit) == 0)
        });
        let freed = self.routes.len() != before;
        self.dirty |= freed;
        freed
    }

    pub fn any_retiring(&self) -> bool {
        self.routes.values().any(|route| route.state.retiring)
    }

    pub fn routes_of(&self, consumer: &str) -> Vec<(String, RouteBit, bool)> {
        let own = self
            .routes
            .values()
            .map(|route| &route.state)
            .filter(|state| state.consumer == consumer);
        own.map(|state| (state.key.clone(), RouteBit(state.bit), state.retiring))
            .collect()
    }

    pub fn mask_of(&self, consumer: &str) -> RouteMask {
        let own = self
            .routes
            .values()
            .filter(|route| route.state.consumer == consumer);
        own.map(|route| RouteBit(route.state.bit)).collect()
    }

    pub fn balance(&self) -> Vec<RouteBalance> {
        self.routes.values().map(Route::balance).collect()
    }

    /// Each consumer's name, cursor and deliveries outstanding.
    pub fn positions(&self) -> Vec<(String, Seq, u64)> {
        let pending = |name: &str| {
            let own = self
                .routes
                .values()
                .filter(|route| route.state.consumer == name);
            own.map(|route| route.pending.max(0) as u64).sum()
        };
        self.consumers
            .iter()
            .map(|(name, consumer)| (name.clone(), consumer.through, pending(name)))
            .collect()
    }

    /// Who has everything, and who does not.
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |(name, consumer): (&String, &Position)| {
            let mut own = self
                .routes
                .values()
                .filter(|route| route.state.consumer == *name)
                .peekable();
            let need = if own.peek().is_none() {
                Need::Nothing
            } else if own.all(|route| route.pending <= 0) {
                Need::More
            } else {
                Need::Stored
            };
            Standing {
                name: name.clone(),
                through: consumer.through,
                need,
            }
        };
        self.consumers.iter().map(standing).collect()
    }

    /// What every consumer has passed; without consumers, everything.
    pub fn passed(&self) -> Seq {
        self.consumers
            .values()
            .map(|consumer| consumer.through)
            .min()
            .unwrap_or(self.durable)
    }
}

// === impl Route ===

impl Route {
    fn retire(&mut self) {
        if !self.state.retiring {
            self.state.retiring = true;
            self.settled = false;
        }
    }

    /// Counts pending deliveries as gone by the queue's own decision.
    pub fn take(&mut self, gone: Gone, count: u64) {
        *self.state.counts.gone(gone) += count;
        self.pending -= count as i64;
    }

    pub fn balance(&self) -> RouteBalance {
        let counts = &self.state.counts;
        RouteBalance {
            key: self.state.key.clone(),
            consumer: self.state.consumer.clone(),
            accepted: counts.accepted,
            acked: counts.acked,
            pending: self.pending,
            expired: counts.expired,
            evicted: counts.evicted_by.total(),
            evicted_by: counts.evicted_by,
            dead_lettered: counts.dead_lettered,
            lost_detected: counts.lost_detected,
            retiring: self.state.retiring,
        }
    }
}

// === impl Position ===

impl Position {
    pub fn at(through: Seq) -> Position {
        Position {
            through,
            contested: None,
        }
    }

    /// Moves to `until` over deliveries that are taken from under the reader.
    pub fn skip(&mut self, until: Seq, gone: Gone, counts: PerBit) {
        self.through = self.through.max(until);
        self.contested
            .get_or_insert_default()
            .add(until, gone, counts);
    }

    /// Notes which of the records that are gone up to `last` may still be acknowledged for the bits of `own`, because they
    /// had been read.
    pub fn contest(
        &mut self,
        last: Seq,
        gone: Gone,
        own: RouteMask,
        read: impl Fn(u8) -> Seq,
        counts: impl Fn(Seq, Seq) -> PerBit,
    ) {
        let read = own.iter().map(|RouteBit(bit)| read(bit)).max();
        let until = last.min(read.unwrap_or_default());
        if until <= self.through {
            return;
        }
        let all = counts(self.through, until);
        let mut taken = PerBit::default();
        for bit in own.iter() {
            taken.add(bit.into(), all.get(bit.0));
        }
        if taken.total() > 0 {
            self.contested
                .get_or_insert_default()
                .add(until, gone, taken);
        }
    }
}
