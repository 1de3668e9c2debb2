//! What nobody waits for, kept in memory while the disk refuses it: the newest, up to a limit (pure).

use std::collections::VecDeque;

/// First in, first out; what does not fit pushes out the oldest.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    kept: VecDeque<(T, usize)>,
    bytes: usize,
    limit_bytes: usize,
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
    pub fn push(&mut self, one: T, bytes: usize) -> Vec<T> {
        self.kept.push_back((one, bytes));
        self.bytes += bytes;
        let mut gone = Vec::new();
        while self.bytes > self.limit_bytes {
            gone.extend(self.pop());
        }
        gone
    }

    /// Takes the oldest, at least one if there is one, no more than `bytes` otherwise.
    pub fn take(&mut self, bytes: usize) -> Vec<T> {
        let before = self.bytes;
        let mut taken = Vec::new();
        while let Some((_, next)) = self.kept.front()
            && (taken.is_empty() || before - self.bytes + next <= bytes)
        {
            taken.extend(self.pop());
        }
        taken
    }

    /// Puts back what was taken last, in the same order.
    pub fn put_back(&mut self, taken: Vec<T>, bytes_of: impl Fn(&T) -> usize) {
        for one in taken.into_iter().rev() {
            let bytes = bytes_of(&one);
            self.bytes += bytes;
            self.kept.push_front((one, bytes));
        }
    }

    fn pop(&mut self) -> Option<T> {
        let (one, bytes) = self.kept.pop_front()?;
        self.bytes -= bytes;
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

    #[test]
    fn the_newest_stay_in_order() {
        let mut ring = Ring::new(100);
        for number in 0..5 {
            assert!(ring.push(number, 20).is_empty());
        }
        assert_eq!(ring.push(5, 30), [0, 1]);
        assert_eq!(ring.bytes(), 90);
        assert_eq!(ring.take(40), [2, 3]);
        ring.put_back(vec![2, 3], |_| 20);
        assert_eq!((ring.bytes(), ring.take(1)), (90, vec![2]));
        assert_eq!(ring.take(1000), [3, 4, 5]);
        assert!(ring.is_empty() && ring.bytes() == 0);
        assert!(ring.take(1000).is_empty());
    }

    #[test]
    fn what_never_fits_goes_itself() {
        assert_eq!(Ring::new(10).push(7, 11), [7]);
        assert_eq!(Ring::new(0).push(7, 1), [7]);
    }
}
