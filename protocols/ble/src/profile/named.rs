//! Decoders that are code, by the names that profiles call them by (`decoder = "bthome"`).

use crate::{Decode, decode::NAMED};

/// The decoder of this name.
#[must_use]
pub(crate) fn named(name: &str) -> Option<Decode> {
    NAMED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, decode)| *decode)
}

/// Their names, for messages.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}
