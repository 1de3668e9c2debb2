//! `DeviceStatus`: how the connection of a device is, in words, for the scanner's report and its page.

use std::sync::Arc;

use fieldgate_model::Timestamp;

use crate::Address;

/// How it is.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceStatus {
    pub address: Address,
    pub phase: Phase,
    /// The adapter that it is or was connected by.
    pub adapter: Option<Arc<str>>,
    /// A sentence: how it is, why, and what to do.
    pub words: String,
    /// Why it was lost or could not be connected the last time.
    pub cause: Option<String>,
    /// When the last value came.
    pub last: Option<Timestamp>,
    /// When it is tried again.
    pub next: Option<Timestamp>,
    /// Attempts that failed since the last one that gave values.
    pub failures: u32,
    /// What is wrong with single characteristics, in words.
    pub problems: Vec<String>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is not heard.
    Unheard,
    /// Others have the connections.
    Queued,
    Connecting,
    Pairing,
    Connected,
    /// It failed, and is tried again.
    Pausing,
    /// Its values were read, and it is not time for the next ones.
    Resting,
}

// === impl DeviceStatus ===

impl DeviceStatus {
    /// Nothing was done yet.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            phase: Phase::Unheard,
            adapter: None,
            words: "not heard yet".to_owned(),
            cause: None,
            last: None,
            next: None,
            failures: 0,
            problems: Vec::new(),
        }
    }
}
