//! What is kept between two questions, the oldest making room: pages that go on, searches that were not finished.

use std::collections::VecDeque;

use crate::publish::now;

/// A few things by their marks.
pub(super) struct Kept<T> {
    /// Marks of another session are never taken for ours.
    era: i64,
    count: u64,
    most: usize,
    things: VecDeque<(String, T)>,
}

// === impl Kept ===

impl<T> Kept<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            era: now().nanos(),
            count: 0,
            most,
            things: VecDeque::new(),
        }
    }

    /// The thing's mark, and what had to go for it.
    pub(super) fn put(&mut self, thing: T) -> (String, Option<T>) {
        self.count += 1;
        let mark = format!("{:x}-{}", self.era, self.count);
        self.things.push_back((mark.clone(), thing));
        let gone = match self.things.len() > self.most {
            true => self.things.pop_front().map(|(_, thing)| thing),
            false => None,
        };
        (mark, gone)
    }

    pub(super) fn take(&mut self, mark: &str) -> Option<T> {
        let at = self.things.iter().position(|(known, _)| known == mark)?;
        self.things.remove(at).map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_each_is_taken_once() {
        let mut kept = Kept::new(2);
        let (first, _) = kept.put('a');
        let (second, gone) = kept.put('b');
        assert_eq!(gone, None);
        let (_, gone) = kept.put('c');
        assert_eq!(gone, Some('a'));
        assert_eq!(kept.take(&first), None);
        assert_eq!(kept.take(&second), Some('b'));
        assert_eq!(kept.take(&second), None);
    }
}
