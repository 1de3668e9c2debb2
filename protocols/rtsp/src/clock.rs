//! The wall clock of one stream: what a frame is stamped with never goes back, also when the system's clock is set back.

use std::time::{SystemTime, UNIX_EPOCH};

use fieldgate_model::Timestamp;

/// A clock of one stream.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Timestamp,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn start() -> Self {
        Self { last: wall() }
    }

    /// Now on the wall, or the latest that was told when the wall clock went back.
    pub(crate) fn now(&mut self) -> Timestamp {
        self.last = self.last.max(wall());
        self.last
    }
}

/// Before 1970 and after 2262 it is the beginning of 1970.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let nanos = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
    Timestamp::from_nanos(nanos.unwrap_or_default())
}
