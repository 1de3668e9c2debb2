//! `RollCall`: which silent points are asked next whether their node still exists, because some servers never tell that
//! one was deleted: its monitored item just falls silent. Pure.

/// Points that were not heard since their last turn are asked, some at a time, all of them in turn.
#[derive(Debug)]
pub(crate) struct RollCall {
    heard: Vec<bool>,
    turn: usize,
}

// === impl RollCall ===

impl RollCall {
    pub(crate) fn new(points: usize) -> Self {
        Self {
            heard: vec![true; points],
            turn: 0,
        }
    }

    /// One point more.
    pub(crate) fn push(&mut self) {
        self.heard.push(true);
    }

    /// A value of this point came.
    pub(crate) fn heard(&mut self, point: usize) {
        self.heard[point] = true;
    }

    /// Whom to ask now, at most so many; everybody else's turn comes later.
    pub(crate) fn next(&mut self, most: usize) -> Vec<usize> {
        let mut silent = Vec::new();
        for _ in 0..self.heard.len() {
            if silent.len() == most {
                break;
            }
            let point = self.turn;
            self.turn = (point + 1) % self.heard.len();
            if !std::mem::take(&mut self.heard[point]) {
                silent.push(point);
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_silent_are_asked_and_each_in_turn() {
        let mut roll_call = RollCall::new(5);
        assert_eq!(
            roll_call.next(2),
            Vec::<usize>::new(),
            "a first turn to be heard"
        );
        roll_call.heard(1);
        assert_eq!(roll_call.next(2), [0, 2]);
        roll_call.heard(4);
        assert_eq!(roll_call.next(2), [3, 0]);
        assert_eq!(roll_call.next(9), [1, 2, 3, 4, 0]);
        assert_eq!(RollCall::new(0).next(3), Vec::<usize>::new());
    }
}
