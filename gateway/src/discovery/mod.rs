//! `Searches`: looking for devices whose address nobody knows, only when a person wants it: by one question to the local network,
//! or address by address.
//!
//! ```text
//! question (multicast) ─────┐
//!                           ├─▶ somebody is there ─▶ the kind asks who it is ─▶ found, and shown while the search goes on
//! scan of a range (TCP)  ───┘
//! ```

mod mdns;
mod near;
mod scan;
mod scope;
mod search;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use fieldgate_kit::SourceKind;
use tokio_util::sync::CancellationToken;

pub use self::{
    scope::{Asked, Owner, Scope},
    search::{Found, Search, State},
};
use crate::supervisor::companion;

/// Searches that are remembered; the oldest that ended makes room.
const MOST_KEPT: usize = 8;

/// The search that is under way, and the last ones.
pub struct Searches {
    all: Mutex<VecDeque<Arc<Search>>>,
    shutdown: CancellationToken,
}

impl Searches {
    /// Searches that end with `shutdown` at the latest.
    #[must_use]
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            all: Mutex::default(),
            shutdown,
        }
    }

    /// Starts one. One at a time: two would send twice what the scope says.
    ///
    /// # Errors
    /// In words, when one is under way.
    pub fn start(&self, kind: SourceKind, scope: Scope) -> Result<Arc<Search>, String> {
        let mut all = self.lock();
        if all.iter().any(|search| search.is_running()) {
            return Err("another search is under way; stop it, or wait for its end".to_owned());
        }
        let number = all.back().map_or(1, |last| last.number + 1);
        let search = Arc::new(Search::new(
            number,
            kind,
            scope,
            self.shutdown.child_token(),
        ));
        all.push_back(Arc::clone(&search));
        while all.len() > MOST_KEPT {
            all.pop_front();
        }
        drop(all);
        let running = Arc::clone(&search);
        // Nobody waits for it: it ends by itself, and at the latest with the web server's runtime.
        drop(companion(async move { running.run().await }));
        Ok(search)
    }

    /// One by its number.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<Arc<Search>> {
        self.lock()
            .iter()
            .find(|search| search.number == number)
            .cloned()
    }

    /// All that are remembered, the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Search>> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Search>>> {
        self.all.lock().expect("nothing panics while holding it")
    }
}
