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
mod rules;
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
    RouteConfig, RouteSettings, RuleConfig, SourceConfig,
};
pub use diff::{Changes, ItemChanges, diff};
pub use loaded::{Loaded, check};
pub use problems::{line, plain};
pub use state::{Desired, Locations};

/// The lists of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Source,
    Destination,
    Route,
    Rule,
}

// === impl Section ===

impl Section {
    /// In the order in which they stand in a file.
    pub const ALL: [Self; 4] = [Self::Source, Self::Destination, Self::Route, Self::Rule];

    /// The word of the file: `source` in `[[source]]`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Route => "route",
            Self::Rule => "rule",
        }
    }

    /// Whether each of them says its kind; the others are all of one.
    const fn has_kinds(self) -> bool {
        matches!(self, Self::Source | Self::Destination)
    }

    /// Whether they may hold secrets. The arguments of a rule's command are named by its device, and may only look like one.
    const fn has_secrets(self) -> bool {
        !matches!(self, Self::Rule)
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.word() == word)
    }
}
