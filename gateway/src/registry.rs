//! The protocols, one line each.

use fieldgate_kit::{DestinationKind, SourceKind};

/// Where readings come from.
#[must_use]
pub fn sources() -> Vec<SourceKind> {
    vec![]
}

/// Where readings go to.
#[must_use]
pub fn destinations() -> Vec<DestinationKind> {
    vec![]
}
