//! Configuration: what is wanted. Layers with provenance, all problems at once, revisions of what the console changed.
//!
//! ```text
//! built-in ─ demo ─ console's revision ─ files ─ environment ─ command line      layers: text → tree, each value with its origin
//!    └────────┴────────────┴───────────────┴──────────┴────────────┘
//!                                merge by id                                    the stronger layer wins, value by value
//!                                     │
//!                                 validate ──▶ every problem, with file and line
//!                                     │
//!                          Loaded { Config, items, effective text } ──▶ diff ──▶ what to start and stop
//! ```
//!
//! Everything but `files`, `revisions` and `secrets` is free of I/O. `Desired` ties them together.

mod changing;
mod desired;
mod diff;
mod drafts;
mod edit;
mod files;
mod keys;
mod layers;
mod loaded;
mod problems;
mod revisions;
mod routes;
mod secrets;
mod state;
mod tree;
mod validate;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use crate::registry::Registry;
pub use changing::{ChangeError, Trial};
pub use desired::{
    Config, DestinationConfig, Full, GatewaySettings, KeepSettings, LaneSettings, QueueSettings,
    RouteConfig, RouteSettings, SourceConfig,
};
pub use diff::{Changes, ItemChanges, diff};
pub use loaded::{Loaded, check};
pub use problems::{line, plain};
pub use state::{Desired, Locations};

/// The three lists of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Source,
    Destination,
    Route,
}

// === impl Section ===

impl Section {
    /// In the order in which they stand in a file.
    pub const ALL: [Self; 3] = [Self::Source, Self::Destination, Self::Route];

    /// The word of the file: `source` in `[[source]]`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Route => "route",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.word() == word)
    }
}
