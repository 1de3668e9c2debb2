//! What is known of a device's properties: repetitions are left out, and what is not told again after a loss is forgotten aloud.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use fieldgate_model::Timestamp;

use super::{Cause, DeviceEvent, Items, Message, PropertyOperation, meaning::meaning};
use crate::clock::shifted;

/// Properties that are known of one device. Further ones are told each time that the device tells them.
const MAX_STATES: usize = 512;
/// Happenings without a state that are remembered, so that one that is delivered again is not told again.
const MAX_MOMENTS: usize = 256;

/// The properties of one device.
#[derive(Debug, Default)]
pub(super) struct States {
    known: HashMap<(String, Items), State>,
    moments: VecDeque<u64>,
    /// Counts the subscriptions, so that states which the present one has not told are found.
    generation: u64,
    pub repeated: u64,
}

#[derive(Debug)]
struct State {
    data: Items,
    generation: u64,
    event: DeviceEvent,
}

// === impl States ===

impl States {
    /// From here on everything is to be told again.
    pub(super) fn begin(&mut self) {
        self.generation += 1;
    }

    /// What is new about a message.
    pub(super) fn take(
        &mut self,
        message: Message,
        drift_millis: i64,
        seen: Timestamp,
    ) -> Option<DeviceEvent> {
        let meaning = meaning(&message);
        let event = |cause, active| DeviceEvent {
            id: meaning.id.clone(),
            kind: meaning.kind,
            title: meaning.title.clone(),
            cause,
            active,
            at: at(message.at, drift_millis, seen),
            topic: message.topic.clone(),
            source: message.source.clone(),
            data: message.data.clone(),
        };
        match message.operation {
            Some(PropertyOperation::Deleted) => {
                let key = (message.topic.clone(), message.source.clone());
                // What is gone is no longer on.
                let active = meaning.has_state.then_some(false);
                self.known.remove(&key);
                Some(event(Cause::Deleted, active))
            }
            None if !meaning.has_state => self
                .is_new_moment(&message)
                .then(|| event(Cause::Moment, meaning.active)),
            _ => {
                let event = event(Cause::State, meaning.active);
                self.is_news(&message, &event).then_some(event)
            }
        }
    }

    /// What the present subscription has not told, of the states that were on: they are not known any more.
    pub(super) fn forget_untold(&mut self, seen: Timestamp) -> Vec<DeviceEvent> {
        let generation = self.generation;
        let mut forgotten = Vec::new();
        self.known.retain(|_, state| {
            let told = state.generation == generation;
            if !told && state.event.active == Some(true) {
                forgotten.push(DeviceEvent {
                    cause: Cause::Forgotten,
                    active: None,
                    at: seen,
                    ..state.event.clone()
                });
            }
            told
        });
        // A map has no order, and a person reads them.
        forgotten.sort_by(|one, other| one.id.cmp(&other.id));
        forgotten
    }

    fn is_news(&mut self, message: &Message, event: &DeviceEvent) -> bool {
        let generation = self.generation;
        let key = (message.topic.clone(), message.source.clone());
        if let Some(state) = self.known.get_mut(&key) {
            state.generation = generation;
            if state.data == message.data {
                self.repeated += 1;
                return false;
            }
            state.data.clone_from(&message.data);
            state.event = event.clone();
            return true;
        }
        if self.known.len() < MAX_STATES {
            let state = State {
                data: message.data.clone(),
                generation,
                event: event.clone(),
            };
            self.known.insert(key, state);
        }
        true
    }

    /// The same thing at the same time is the same. Without a time nothing can be said, and it is told.
    fn is_new_moment(&mut self, message: &Message) -> bool {
        if message.at.is_none() {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        (&message.topic, &message.source, &message.data, message.at).hash(&mut hasher);
        let hash = hasher.finish();
        if self.moments.contains(&hash) {
            self.repeated += 1;
            return false;
        }
        if self.moments.len() == MAX_MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back(hash);
        true
    }
}

fn at(device: Option<Timestamp>, drift_millis: i64, seen: Timestamp) -> Timestamp {
    device.map_or(seen, |device| {
        // Nothing is seen before it happens.
        shifted(device, drift_millis.saturating_neg()).min(seen)
    })
}
