//! `TimeQuality`: how well a time is known that the gateway's clock gave.

use serde::{Deserialize, Serialize};

/// How well a time is known that the gateway's clock gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeQuality {
    /// The clock was synchronised, then or later in the same boot.
    #[default]
    Synced,
    /// It was not; the time is the clock's own, or the last known time gone on.
    Estimated,
    /// Nothing is known of the time.
    Unknown,
}

impl TimeQuality {
    /// The word of messages; none is said where the time is known.
    #[must_use]
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Synced => None,
            Self::Estimated => Some("estimated"),
            Self::Unknown => Some("unknown"),
        }
    }
}
