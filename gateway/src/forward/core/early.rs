//! `Early`: what was delivered ahead of the cursor. The queue knows a prefix only, so the core remembers the rest.
//!
//! It lives in memory: after a crash these readings are sent a second time, under the same ids. That is why there is a
//! limit to how many there can be.

use std::collections::VecDeque;

use fieldgate_store::{RouteMask, Seq};

use super::segment::Exits;

/// The most readings that are delivered ahead of the cursor, and so the most that a crash sends twice.
pub const EARLY_MOST: u64 = 1_000_000;
/// Neighbours are kept as one piece up to so many readings; the cursor cannot stop within a piece.
const PIECE_MOST: u64 = 65_536;

/// Pieces above the cursor, in order and apart from each other.
#[derive(Debug, Default)]
pub struct Early {
    pieces: VecDeque<Piece>,
    readings: u64,
}

/// Records after `from` and up to `through`: those that any route of `covered` let through are done with.
#[derive(Debug, Clone)]
pub struct Piece {
    pub from: Seq,
    pub through: Seq,
    pub covered: RouteMask,
    pub exits: Exits,
}

/// What lies at a place, and how far it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    pub covered: RouteMask,
    /// `None`: to the end.
    pub upto: Option<Seq>,
}

// === impl Early ===

impl Early {
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// Remembers a piece. Those of one way come in order, but the ways are apart.
    pub fn add(&mut self, piece: Piece) {
        self.readings += piece.exits.records();
        let at = self.pieces.partition_point(|other| other.from < piece.from);
        if let Some(before) = at.checked_sub(1).and_then(|at| self.pieces.get_mut(at))
            && before.through == piece.from
            && before.covered == piece.covered
            && before.exits.records() + piece.exits.records() <= PIECE_MOST
        {
            before.through = piece.through;
            before.exits.merge(piece.exits);
            return;
        }
        self.pieces.insert(at, piece);
    }

    /// What the records just after `read` are.
    #[must_use]
    pub fn zone(&self, read: Seq) -> Zone {
        let next = self.pieces.iter().find(|piece| piece.through > read);
        match next {
            Some(piece) if piece.from <= read => Zone {
                covered: piece.covered,
                upto: Some(piece.through),
            },
            other => Zone {
                covered: RouteMask::EMPTY,
                upto: other.map(|piece| piece.from),
            },
        }
    }

    /// True when a cursor at `through` would stand within a piece.
    #[must_use]
    pub fn straddles(&self, through: Seq) -> bool {
        self.pieces
            .iter()
            .any(|piece| piece.from < through && through < piece.through)
    }

    /// True when no piece touches the records after `from` and up to `through`.
    #[must_use]
    pub fn is_clear(&self, from: Seq, through: Seq) -> bool {
        self.pieces
            .iter()
            .all(|piece| piece.through <= from || through <= piece.from)
    }

    /// Takes the first piece that lies below a cursor.
    pub fn pass(&mut self, cursor: Seq) -> Option<Piece> {
        let passed = self.pieces.front()?.through <= cursor;
        let piece = passed.then(|| self.pieces.pop_front())??;
        self.readings -= piece.exits.records();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_store::Exit;

    use super::*;

    fn piece(from: u64, through: u64, covered: u64) -> Piece {
        let mut exits = Exits::default();
        exits.add(RouteMask(covered), Exit::Acked, through - from);
        Piece {
            from: Seq(from),
            through: Seq(through),
            covered: RouteMask(covered),
            exits,
        }
    }

    #[test]
    fn neighbours_become_one_and_every_place_has_its_zone() {
        let mut early = Early::default();
        for piece in [
            piece(40, 50, 1),
            piece(10, 20, 1),
            piece(20, 30, 1),
            piece(30, 35, 3),
        ] {
            early.add(piece);
        }
        assert_eq!((early.pieces.len(), early.readings()), (3, 35));
        for (read, covered, upto) in [
            (0, 0, Some(10)),
            (10, 1, Some(30)),
            (29, 1, Some(30)),
            (30, 3, Some(35)),
            (35, 0, Some(40)),
            (50, 0, None),
        ] {
            let zone = Zone {
                covered: RouteMask(covered),
                upto: upto.map(Seq),
            };
            assert_eq!(early.zone(Seq(read)), zone, "{read}");
        }
        assert!(early.straddles(Seq(12)) && !early.straddles(Seq(30)) && !early.straddles(Seq(38)));
        assert!(early.is_clear(Seq(35), Seq(40)) && !early.is_clear(Seq(35), Seq(41)));
        assert!(early.pass(Seq(29)).is_none());
        assert_eq!(early.pass(Seq(30)).unwrap().through, Seq(30));
        assert_eq!(early.readings(), 15);
    }
}
