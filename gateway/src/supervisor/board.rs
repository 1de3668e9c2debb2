//! `Board`: how every unit is, in words, for the console and for the gateway's own health.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use fieldgate_api::state::Status;
use tokio::sync::Notify;

/// The name of a unit: what it is and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitName {
    Source(Arc<str>),
    Destination(Arc<str>),
    /// The one that gives the commands of all rules.
    Rules,
}

/// The statuses of all units. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<UnitName, Post>>>);

#[derive(Debug, Default)]
struct Post {
    status: Status,
    retry: Arc<Notify>,
}

impl Board {
    /// How a unit is; `None` when there is no such unit.
    #[must_use]
    pub fn status(&self, name: &UnitName) -> Option<Status> {
        self.lock().get(name).map(|post| post.status.clone())
    }

    /// How all units are.
    #[must_use]
    pub fn all(&self) -> Vec<(UnitName, Status)> {
        self.lock()
            .iter()
            .map(|(name, post)| (name.clone(), post.status.clone()))
            .collect()
    }

    /// Starts a unit's next attempt now; false when there is no such unit.
    #[must_use]
    pub fn retry_now(&self, name: &UnitName) -> bool {
        let retry = self.lock().get(name).map(|post| Arc::clone(&post.retry));
        retry.inspect(|retry| retry.notify_one()).is_some()
    }

    /// Tells how a unit is.
    pub fn post(&self, name: &UnitName, status: Status) {
        self.lock().entry(name.clone()).or_default().status = status;
    }

    /// Takes a unit off the board.
    pub fn remove(&self, name: &UnitName) {
        self.lock().remove(name);
    }

    pub(super) fn retry_bell(&self, name: &UnitName) -> Arc<Notify> {
        Arc::clone(&self.lock().entry(name.clone()).or_default().retry)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<UnitName, Post>> {
        self.0.lock().expect("nothing panics while holding it")
    }
}
