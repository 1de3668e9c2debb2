//! `Desk`: what the sessions of all devices share: whose turn it is, how everybody is, and where questions go.
//!
//! Nothing waits while its lock is held.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{ask::Ask, status::DeviceStatus, turns::Turns};
use crate::Address;

/// Questions that wait for a device; one more is refused.
const WAITING: usize = 8;
/// Devices that are looked at without being configured; one more is refused.
pub(super) const STRANGERS: usize = 16;

/// Shared by all sessions.
pub(super) struct Desk {
    limit: u32,
    inner: Mutex<Inner>,
    /// Rings whenever somebody may connect or has to leave.
    bell: watch::Sender<()>,
    /// Devices that somebody wants to look at, on their way to the future that runs them.
    strangers: mpsc::Sender<(Address, mpsc::Receiver<Ask>)>,
}

#[derive(Default)]
struct Inner {
    turns: BTreeMap<Arc<str>, Turns>,
    granted: BTreeSet<Address>,
    leaving: BTreeSet<Address>,
    mailboxes: BTreeMap<Address, mpsc::Sender<Ask>>,
    statuses: BTreeMap<Address, DeviceStatus>,
}

/// A place in the queue, or a connection; dropping it gives it up.
pub(super) struct Turn<'a> {
    desk: &'a Desk,
    adapter: Arc<str>,
    who: Address,
    bell: watch::Receiver<()>,
}

// === impl Desk ===

impl Desk {
    pub(super) fn new(limit: u32) -> (Self, mpsc::Receiver<(Address, mpsc::Receiver<Ask>)>) {
        let (strangers, newcomers) = mpsc::channel(STRANGERS);
        let desk = Self {
            limit,
            inner: Mutex::default(),
            bell: watch::Sender::new(()),
            strangers,
        };
        (desk, newcomers)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where questions for a device go from now on.
    pub(super) fn open(&self, who: Address) -> mpsc::Receiver<Ask> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.inner().mailboxes.insert(who, sender);
        receiver
    }

    /// Nobody answers for this device any more.
    pub(super) fn close(&self, who: Address) {
        let mut inner = self.inner();
        inner.mailboxes.remove(&who);
        inner.statuses.remove(&who);
    }

    /// Puts a question to a device; a device that nobody answers for yet is looked at by a session of its own.
    pub(super) fn put(&self, who: Address, mut ask: Ask) {
        const MANY: &str = "too many questions wait for it already; ask again in a moment";
        // Held to the end: two who ask at once would have a session each.
        let mut inner = self.inner();
        if let Some(mailbox) = inner.mailboxes.get(&who) {
            match mailbox.try_send(ask) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(ask)) => return ask.refuse(MANY),
                Err(mpsc::error::TrySendError::Closed(back)) => ask = back,
            }
        }
        inner.statuses.remove(&who);
        let (mailbox, receiver) = mpsc::channel(WAITING);
        // It was just made, and has room.
        let _ = mailbox.try_send(ask);
        inner.mailboxes.insert(who, mailbox);
        if let Err(error) = self.strangers.try_send((who, receiver)) {
            let (_, mut receiver) = error.into_inner();
            inner.mailboxes.remove(&who);
            while let Ok(ask) = receiver.try_recv() {
                ask.refuse("too many devices are looked at already; disconnect from one of them");
            }
        }
    }

    /// How a device is now.
    pub(super) fn tell(&self, who: Address, change: impl FnOnce(&mut DeviceStatus)) {
        let mut inner = self.inner();
        change(
            inner
                .statuses
                .entry(who)
                .or_insert_with(|| DeviceStatus::new(who)),
        );
    }

    pub(super) fn statuses(&self) -> Vec<DeviceStatus> {
        self.inner().statuses.values().cloned().collect()
    }

    pub(super) fn connections(&self, adapter: &str) -> usize {
        self.inner().turns.get(adapter).map_or(0, Turns::count)
    }

    /// A place in the queue of an adapter.
    pub(super) fn queue(
        &self,
        adapter: &Arc<str>,
        who: Address,
        urgent: bool,
        failures: u32,
    ) -> Turn<'_> {
        let turn = Turn {
            desk: self,
            adapter: Arc::clone(adapter),
            who,
            bell: self.bell.subscribe(),
        };
        turn.with(|turns| turns.ask(who, urgent, failures, Instant::now()));
        turn
    }

    /// Lets those connect who may, and those leave who have to. Called on every change, and once a second since turns end with
    /// time.
    pub(super) fn regulate(&self) {
        let now = Instant::now();
        let mut guard = self.inner();
        let Inner {
            turns,
            granted,
            leaving,
            ..
        } = &mut *guard;
        let mut rings = false;
        for turns in turns.values_mut() {
            if let Some(who) = turns.grant() {
                granted.insert(who);
                rings = true;
            }
            if let Some(who) = turns.evict(now) {
                leaving.insert(who);
                rings = true;
            }
        }
        drop(guard);
        if rings {
            self.bell.send_replace(());
        }
    }
}

// === impl Turn ===

impl Turn<'_> {
    fn with(&self, change: impl FnOnce(&mut Turns)) {
        let mut inner = self.desk.inner();
        let limit = self.desk.limit;
        let turns = inner.turns.entry(Arc::clone(&self.adapter));
        change(turns.or_insert_with(|| Turns::new(limit)));
        drop(inner);
        self.desk.regulate();
    }

    /// Overtakes all who wait.
    pub(super) fn hurry(&self) {
        self.with(|turns| turns.ask(self.who, true, 0, Instant::now()));
    }

    /// Waits until it may connect.
    pub(super) async fn mine(&mut self) {
        loop {
            self.bell.borrow_and_update();
            if self.desk.inner().granted.contains(&self.who) {
                return;
            }
            // The desk holds the other end.
            let _ = self.bell.changed().await;
        }
    }

    /// Waits until it has to leave.
    pub(super) async fn over(&mut self) {
        loop {
            self.bell.borrow_and_update();
            if self.desk.inner().leaving.contains(&self.who) {
                return;
            }
            let _ = self.bell.changed().await;
        }
    }

    pub(super) fn connected(&self) {
        self.with(|turns| turns.connected(self.who, Instant::now()));
    }

    pub(super) fn satisfied(&self) {
        self.with(|turns| turns.satisfied(self.who));
    }

    pub(super) fn needed(&self, until: Instant) {
        self.with(|turns| turns.needed(self.who, until));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        {
            let mut inner = self.desk.inner();
            inner.granted.remove(&self.who);
            inner.leaving.remove(&self.who);
        }
        self.with(|turns| turns.leave(self.who));
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_is_asked_by_two_at_once_has_one_session() {
        const WHO: Address = Address([0xC0, 0, 0, 0, 0, 1]);
        for _ in 0..500 {
            let (desk, mut newcomers) = Desk::new(1);
            let both = Barrier::new(2);
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        both.wait();
                        desk.put(WHO, Ask::Disconnect(oneshot::channel().0));
                    });
                }
            });
            let (who, mut asks) = newcomers.try_recv().unwrap();
            assert_eq!(who, WHO);
            assert!(asks.try_recv().is_ok() && asks.try_recv().is_ok());
            assert!(newcomers.try_recv().is_err());
        }
    }
}
