//! A set of sequence numbers as ranges: small when what was decided lies together, which it mostly does.

use serde::{Deserialize, Serialize};

/// Numbers as inclusive ranges, in order, never touching each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after > 0 && self.0[after - 1].1 >= number
    }

    pub fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let after = self.0.partition_point(|(first, _)| *first <= number);
        let joins_before = after > 0 && self.0[after - 1].1 + 1 == number;
        let joins_after = self
            .0
            .get(after)
            .is_some_and(|(first, _)| *first == number + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                let (_, last) = self.0.remove(after);
                self.0[after - 1].1 = last;
            }
            (true, false) => self.0[after - 1].1 = number,
            (false, true) => self.0[after].0 = number,
            (false, false) => self.0.insert(after, (number, number)),
        }
    }

    /// Takes away all numbers up to and including `through`, and says how many there were.
    pub fn take_through(&mut self, through: u64) -> u64 {
        let mut taken = 0;
        self.0.retain_mut(|(first, last)| {
            if *first > through {
                return true;
            }
            let end = (*last).min(through);
            taken += end - *first + 1;
            *first = end + 1;
            *first <= *last
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(numbers in prop::collection::vec(0u64..60, 0..80), through in 0u64..60) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for number in numbers {
                ranges.insert(number);
                set.insert(number);
            }
            let expected = set.range(..=through).count() as u64;
            prop_assert!(ranges.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert!((0..60).all(|number| ranges.contains(number) == set.contains(&number)));
            prop_assert_eq!(ranges.take_through(through), expected);
            prop_assert!((0..60).all(|number| ranges.contains(number) == (number > through && set.contains(&number))));
        }
    }
}
