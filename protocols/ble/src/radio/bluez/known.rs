//! `Known`: which adapters there are and who is connected and bonded, as BlueZ last told; shared by those who listen and those who ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use super::report::{Key, Told};
use crate::{Address, radio::doubts::Doubts};

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Known {
    facts: Mutex<Facts>,
    /// A number that grows with every change of who is connected.
    links: watch::Sender<u64>,
    /// Whose pairing was turned down, since nobody here had asked for it.
    turned_down: broadcast::Sender<Key>,
    /// What outlasts this radio.
    doubts: Arc<Doubts>,
}

/// Pairings that are turned down at one moment.
const TURNED_DOWN: usize = 16;

#[derive(Debug, Default)]
struct Facts {
    adapters: BTreeSet<u16>,
    connected: BTreeMap<Key, u64>,
    connections: u64,
    bonded: BTreeSet<Key>,
    /// Adapters that listen passively.
    gathering: BTreeSet<u16>,
}

// === impl Known ===

impl Known {
    pub(in super::super) fn new(doubts: Arc<Doubts>) -> Self {
        Self {
            facts: Mutex::default(),
            links: watch::Sender::new(0),
            turned_down: broadcast::Sender::new(TURNED_DOWN),
            doubts,
        }
    }

    pub(in super::super) fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    pub(in super::super) fn adapters(&self) -> BTreeSet<u16> {
        self.lock().adapters.clone()
    }

    /// The number of the connection that there is to a device; the next one has another number.
    pub(in super::super) fn connection(&self, adapter: u16, address: Address) -> Option<u64> {
        let key = Key { adapter, address };
        self.lock().connected.get(&key).copied()
    }

    pub(in super::super) fn is_bonded(&self, adapter: u16, address: Address) -> bool {
        self.lock().bonded.contains(&Key { adapter, address })
    }

    pub(in super::super) fn connections(&self, adapter: u16) -> u32 {
        let facts = self.lock();
        let count = facts
            .connected
            .keys()
            .filter(|key| key.adapter == adapter)
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(in super::super) fn bonds(&self, adapter: u16) -> Vec<Address> {
        let facts = self.lock();
        let bonds = facts.bonded.iter().filter(|key| key.adapter == adapter);
        bonds.map(|key| key.address).collect()
    }

    /// Wakes with every change of who is connected.
    pub(in super::super) fn links(&self) -> watch::Receiver<u64> {
        self.links.subscribe()
    }

    pub(super) fn turn_down(&self, key: Key) {
        // Nobody waits: then nothing was asked of the device, and it began by itself.
        let _ = self.turned_down.send(key);
    }

    /// Returns when a pairing of this device is turned down from now on.
    pub(in super::super) fn turned_down(
        &self,
        adapter: u16,
        address: Address,
    ) -> impl Future<Output = ()> + use<> {
        let key = Key { adapter, address };
        let mut all = self.turned_down.subscribe();
        async move {
            loop {
                match all.recv().await {
                    Ok(whose) if whose == key => return,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        }
    }

    pub(super) fn gather(&self, adapter: u16, on: bool) {
        put(&mut self.lock().gathering, adapter, on);
    }

    pub(super) fn told(&self, adapter: u16) -> Told {
        match self.lock().gathering.contains(&adapter) {
            true => Told::Gathered,
            false => Told::Each,
        }
    }

    pub(super) fn adapter_came(&self, adapter: u16) {
        self.lock().adapters.insert(adapter);
    }

    pub(super) fn adapter_went(&self, adapter: u16) {
        {
            let mut facts = self.lock();
            facts.adapters.remove(&adapter);
            facts.gathering.remove(&adapter);
            facts.connected.retain(|key, _| key.adapter != adapter);
            facts.bonded.retain(|key| key.adapter != adapter);
        }
        self.links.send_modify(|changes| *changes += 1);
    }

    pub(super) fn connected(&self, key: Key, on: bool) {
        {
            let facts = &mut *self.lock();
            if on == facts.connected.contains_key(&key) {
                return;
            }
            if on {
                self.doubts.linked(key.place());
                facts.connections += 1;
                facts.connected.insert(key, facts.connections);
            } else {
                facts.connected.remove(&key);
            }
        }
        self.links.send_modify(|changes| *changes += 1);
    }

    /// BlueZ died, or was restarted.
    pub(super) fn daemon_went(&self) {
        self.doubts.died(Instant::now());
    }

    /// BlueZ says why a link ended.
    pub(super) fn link_ended(&self, key: Key, reason: &str) {
        match reason {
            "org.bluez.Reason.Authentication" => {
                self.doubts.refused(key.place(), Instant::now());
            }
            _ => self.doubts.broke(key.place()),
        }
    }

    /// A device has a bond that it had not before.
    pub(super) fn bond_made(&self, key: Key) {
        self.doubts.clear(key.place());
    }

    pub(super) fn bonded(&self, key: Key, on: bool) {
        put(&mut self.lock().bonded, key, on);
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().expect("nothing panics while holding it")
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, on: bool) {
    if on {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}
