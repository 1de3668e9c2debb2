//! Rounds: the values of one message, first every point's first, then every point's second, and so on.
//!
//! Servers send all values of one monitored item, then all of the next (OPC UA Part 4, 7.25.2 leaves it to them). In that order
//! a device's message upstream, in which a point stands once, would end at the second value. In rounds it holds the whole device.

use std::{collections::HashMap, hash::Hash};

use crate::connection::Change;

/// Puts changes into rounds. Each point's own values keep their order.
pub(crate) fn into_rounds(changes: Vec<Change>) -> Vec<Change> {
    by(changes, |change| change.handle)
}

/// Puts values into rounds; `point` says of which each one is.
pub(crate) fn by<T, P: Eq + Hash>(values: Vec<T>, point: impl Fn(&T) -> P) -> Vec<T> {
    let mut seen: HashMap<P, u32> = HashMap::with_capacity(values.len());
    let round = |value: T| {
        let count = seen.entry(point(&value)).or_insert(0);
        *count += 1;
        (*count, value)
    };
    let mut rounds: Vec<(u32, T)> = values.into_iter().map(round).collect();
    // Stable, so that within a round the server's order stays.
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_once_then_every_point_again() {
        for (given, expected) in [
            (&[][..], &[][..]),
            (&[1, 2, 3], &[1, 2, 3]),
            (&[1, 1, 1, 2, 2, 3], &[1, 2, 3, 1, 2, 1]),
        ] {
            let change = |handle: &u32| Change {
                handle: *handle,
                observed: None,
            };
            let rounds = into_rounds(given.iter().map(change).collect());
            let handles: Vec<u32> = rounds.iter().map(|change| change.handle).collect();
            assert_eq!(handles, expected);
        }
    }
}
