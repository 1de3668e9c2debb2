//! `Points` as the address space changes: points that come, go, move to another node or hold something else.

use std::sync::Arc;

use fieldgate_model::{Quality, Reading};
use tokio::time::Instant;

use super::points::{Points, State};
use crate::{
    connection::ValueType, follow::Known, publish::now, select::Item, status::Status,
    subscribe::Monitored,
};

/// The point is no longer selected, though its node is there.
const NOT_MEANT: Status = Status::named("BadNoMatch");

impl Points<'_> {
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// What is known of each.
    pub(crate) fn known(&self) -> impl Iterator<Item = Known<'_>> {
        self.items.iter().enumerate().map(|(at, item)| Known {
            item,
            gone: self.states[at] == State::Gone,
            data_type: self.announcer.data_type(at),
        })
    }

    /// Points more, as they were made.
    pub(crate) fn join(&mut self, added: Vec<(Item, ValueType)>, made: Vec<Monitored>) {
        for ((item, value_type), made) in added.into_iter().zip(made) {
            self.announcer.push(&item, &value_type, &made);
            self.memory.push(&item, &made);
            self.states.push(State::of(&made.result));
            self.monitored.push(made);
            self.roll_call.push();
            self.cadences.push();
            if let Some(history) = &mut self.history {
                history.push();
            }
            self.last.push(None);
            self.fresh.push(false);
            self.items.push(item);
        }
    }

    /// Readings of the points from here on that could not be made.
    pub(super) fn failed(&self, first: usize) -> Vec<Reading> {
        let seen = now();
        let items = self.items[first..].iter().zip(&self.monitored[first..]);
        let failed = items.filter_map(|(item, made)| {
            let why = made.result.as_ref().err()?;
            Some(item.missing(Quality::Bad(why.to_string().into()), seen))
        });
        failed.collect()
    }

    /// Whether the point has a monitored item in this subscription.
    pub(super) fn is_in(&self, at: usize, subscription: usize) -> bool {
        let made = &self.monitored[at];
        made.subscription == subscription && made.result.is_ok()
    }

    /// The point goes on with another node, or with other wishes.
    pub(crate) fn renew(&mut self, at: usize, item: Item) {
        let known = &mut self.items[at];
        // What was said of the point stays until it is said anew.
        let facts = Arc::clone(&known.facts);
        *known = Item { facts, ..item };
        // Its new monitored item begins with the value that is there, which may have been accepted already.
        self.fresh[at] = true;
        self.cadences.begin_anew(at, Instant::now());
        self.announcer.readdress(at, &self.items[at].address);
        self.memory.renew(at, &self.items[at], &self.monitored[at]);
    }

    /// The point holds something else, which is told once.
    pub(crate) fn retype(&mut self, at: usize, value_type: &ValueType) {
        self.items[at]
            .enumeration
            .clone_from(&value_type.enumeration);
        if let Some(name) = &value_type.name {
            tracing::info!(source = %self.ctx.id, point = %self.items[at].point, to = name, "a point's data type changed");
            self.announcer.retype(at, name, now());
        }
    }

    /// The point is read no longer, since no rule means it; its reading says so.
    pub(crate) fn leave_out(&mut self, at: usize) -> Reading {
        let quality = Quality::Bad(NOT_MEANT.to_string().into());
        self.items[at].node = None;
        self.trouble(at, State::Gone, &quality);
        self.memory.lose(at, quality.clone());
        self.items[at].missing(quality, now())
    }

    /// Tells everybody what changed.
    pub(crate) fn changed(&mut self, following: String) {
        self.announcer.follow(following);
        self.tell();
        if let Some(roster) = &self.roster {
            roster.send_replace(self.items.as_slice().into());
        }
    }

    /// Only what is said of changes in the address space is new.
    pub(crate) fn follow(&mut self, following: String) {
        self.announcer.follow(following);
        self.tell();
    }
}
