//! What waits in memory while the disk refuses it: of what nobody waits for the newest, up to a limit (pure).

use std::collections::VecDeque;

/// First in, first out; what does not fit pushes out the oldest.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    kept: VecDeque<(T, Weight)>,
    bytes: usize,
    limit_bytes: usize,
}

/// What one takes, and whether it may go for a newer one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub bytes: usize,
    pub firm: bool,
}

// === impl Ring ===

impl<T> Ring<T> {
    pub fn new(limit_bytes: usize) -> Ring<T> {
        Ring {
            kept: VecDeque::new(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// Adds the newest; what had to go for it, the oldest first. That may be itself.
    #[must_use = "what goes has to be told and counted"]
    pub fn push(&mut self, one: T, weight: Weight) -> Vec<T> {
        self.kept.push_back((one, weight));
        self.bytes += weight.bytes;
        let mut gone = Vec::new();
        while self.bytes > self.limit_bytes
            && let Some(at) = self.kept.iter().position(|(_, weight)| !weight.firm)
            && let Some((one, weight)) = self.kept.remove(at)
        {
            self.bytes -= weight.bytes;
            gone.push(one);
        }
        gone
    }

    /// Whether so much more stays below the limit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= self.limit_bytes
    }

    /// Takes the oldest, at least one if there is one, no more than `bytes` otherwise.
    pub fn take(&mut self, bytes: usize) -> Vec<T> {
        let before = self.bytes;
        let mut taken = Vec::new();
        while let Some((_, next)) = self.kept.front()
            && (taken.is_empty() || before - self.bytes + next.bytes <= bytes)
        {
            taken.extend(self.pop());
        }
        taken
    }

    /// Puts back what was taken last, in the same order.
    pub fn put_back(&mut self, taken: Vec<T>, weight_of: impl Fn(&T) -> Weight) {
        for one in taken.into_iter().rev() {
            let weight = weight_of(&one);
            self.bytes += weight.bytes;
            self.kept.push_front((one, weight));
        }
    }

    fn pop(&mut self) -> Option<T> {
        let (one, weight) = self.kept.pop_front()?;
        self.bytes -= weight.bytes;
        Some(one)
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(bytes: usize) -> Weight {
        Weight { bytes, firm: false }
    }

    #[test]
    fn the_newest_stay_in_order() {
        let mut ring = Ring::new(100);
        for number in 0..5 {
            assert!(ring.push(number, weight(20)).is_empty());
        }
        assert_eq!(ring.push(5, weight(30)), [0, 1]);
        assert_eq!(ring.bytes(), 90);
        assert_eq!(ring.take(40), [2, 3]);
        ring.put_back(vec![2, 3], |_| weight(20));
        assert_eq!((ring.bytes(), ring.take(1)), (90, vec![2]));
        assert_eq!(ring.take(1000), [3, 4, 5]);
        assert!(ring.is_empty() && ring.bytes() == 0);
        assert!(ring.take(1000).is_empty());
    }

    #[test]
    fn what_never_fits_goes_itself() {
        assert_eq!(Ring::new(10).push(7, weight(11)), [7]);
        assert_eq!(Ring::new(0).push(7, weight(1)), [7]);
    }

    #[test]
    fn what_is_firm_stays() {
        let firm = |bytes| Weight { bytes, firm: true };
        let mut ring = Ring::new(100);
        assert!(ring.push(0, firm(40)).is_empty());
        assert!(ring.push(1, weight(40)).is_empty());
        assert!(ring.has_room(20) && !ring.has_room(21));
        assert_eq!(ring.push(2, weight(30)), [1]);
        assert_eq!(ring.push(3, firm(200)), [2]);
        assert_eq!(ring.take(1000), [0, 3]);
    }
}
