//! `DropReason`: every way by which a reading leaves without being acknowledged has a name here.

use serde::{Deserialize, Serialize};

/// Why a reading did not go on. Each occurrence is counted; there is no other way to lose one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// No route takes this point. Before acceptance.
    NoRoute,
    /// A deadband step found too little change. Before acceptance, by the route's own rule.
    Deadband,
    /// A throttle step allows fewer. Before acceptance, by the route's own rule.
    Throttle,
    /// A source offered it without waiting, and there was no room. Before acceptance.
    NoRoom,
    /// The disk refused it, and the source was told. Before acceptance.
    NotDurable,
    /// The source could not turn it into a reading. Before acceptance.
    Undecodable,
    /// The source says that it lost it itself, for instance by its queue's overflow. Before acceptance.
    SourceOverflow,
    /// The lane was full, and the oldest made room. After acceptance, counted as evicted.
    Evicted,
    /// The lane filled up, and fewer readings stand for it. After acceptance, counted as evicted.
    Thinned,
    /// A person emptied the destination's queue. After acceptance, counted as evicted.
    Purged,
    /// Its destination or route was removed. After acceptance, counted as evicted.
    Removed,
    /// Older than its destination's max_age, or its lane's. After acceptance, counted as expired.
    Expired,
    /// The destination refused this very reading. After acceptance, kept among the dead letters.
    DeadLettered,
    /// Its bytes can no longer be read from the disk. After acceptance, counted as lost_detected.
    LostDetected,
}

impl DropReason {
    pub const ALL: [Self; 14] = [
        Self::NoRoute,
        Self::Deadband,
        Self::Throttle,
        Self::NoRoom,
        Self::NotDurable,
        Self::Undecodable,
        Self::SourceOverflow,
        Self::Evicted,
        Self::Thinned,
        Self::Purged,
        Self::Removed,
        Self::Expired,
        Self::DeadLettered,
        Self::LostDetected,
    ];

    /// The name in metrics and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::Deadband => "deadband",
            Self::Throttle => "throttle",
            Self::NoRoom => "no_room",
            Self::NotDurable => "not_durable",
            Self::Undecodable => "undecodable",
            Self::SourceOverflow => "source_overflow",
            Self::Evicted => "evicted",
            Self::Thinned => "thinned",
            Self::Purged => "purged",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::DeadLettered => "dead_lettered",
            Self::LostDetected => "lost_detected",
        }
    }
}
