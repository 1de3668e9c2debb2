//! What is known of the time (pure): how the wall clock stood to each boot's own clock, and how far that is believed.
//!
//! - A synchronised clock is believed, and with it everything that was stamped before in the same boot.
//! - An unsynchronised one is an estimate, and only if it is not before the last known time; else that time goes on by
//!   the boot's clock. It never says 1970.
//! - Within a boot a jump of more than an hour is believed only of a synchronised clock.
//! - A boot's offset that was learned stays when the synchronisation is lost: both clocks then drift together.

use fieldgate_model::TimeQuality;
use fieldgate_store::{Document, Stamp};
use serde::{Deserialize, Serialize};

/// No gateway that has this program lived before: 2026-11-01. What is nowhere known is not put before it.
pub const FLOOR_MS: i64 = 1_793_491_200_000;
/// The clock moves so far in a jump that has to be believed.
const JUMP_MS: u64 = 3_600_000;
/// Differences up to this are those of two readings, and of a clock that is being slewed.
const SAME_MS: u64 = 500;
/// The largest step back in which the output stands still instead of stepping back too: a leap second, and a second more.
const HELD_MS: i64 = 2_000;
const BOOTS_KEPT: usize = 32;
const PIECES_KEPT: usize = 16;

/// The clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub stamp: Stamp,
    /// The kernel says that something keeps the wall clock right.
    pub synchronised: bool,
}

/// When something was, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub wall_ms: i64,
    pub trust: TimeQuality,
}

/// What is known of the boots, the present one last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The last time that a synchronised clock told, gone on by the boots' clocks since: it is never later than now.
    known_ms: i64,
    boots: Vec<Boot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Boot {
    id: u64,
    /// Until when [`Table::known_ms`] has gone on.
    seen_ms: u64,
    pieces: Vec<Piece>,
}

/// From a moment of the boot on, the wall clock stood so to the boot's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    from_ms: u64,
    offset_ms: i64,
    trust: TimeQuality,
}

// === impl Table ===

impl Table {
    /// Takes note of the clocks; true when it changes what stamps mean.
    pub fn observe(&mut self, reading: Reading) -> bool {
        let offset_ms = offset(reading.stamp);
        let since_ms = reading.stamp.since_boot_ms;
        let changed = match self
            .boots
            .iter_mut()
            .find(|boot| boot.id == reading.stamp.boot)
        {
            Some(boot) if reading.synchronised => boot.learn(since_ms, offset_ms),
            Some(boot) => boot.doubt(since_ms, offset_ms),
            None => self.begin(reading),
        };
        self.go_on(reading);
        changed
    }

    fn begin(&mut self, reading: Reading) -> bool {
        let (offset_ms, trust) = if reading.synchronised {
            (offset(reading.stamp), TimeQuality::Synced)
        } else if reading.stamp.wall_ms >= self.known_ms.max(FLOOR_MS) {
            (offset(reading.stamp), TimeQuality::Estimated)
        } else if self.known_ms >= FLOOR_MS {
            (self.known_ms, TimeQuality::Estimated)
        } else {
            (FLOOR_MS, TimeQuality::Unknown)
        };
        if self.boots.len() == BOOTS_KEPT {
            self.boots.remove(0);
        }
        self.boots.push(Boot {
            id: reading.stamp.boot,
            seen_ms: 0,
            pieces: vec![Piece {
                from_ms: 0,
                offset_ms,
                trust,
            }],
        });
        true
    }

    fn go_on(&mut self, reading: Reading) {
        let since_ms = reading.stamp.since_boot_ms;
        if let Some(boot) = self
            .boots
            .iter_mut()
            .find(|boot| boot.id == reading.stamp.boot)
        {
            let passed_ms = since_ms.saturating_sub(boot.seen_ms);
            boot.seen_ms = boot.seen_ms.max(since_ms);
            if self.known_ms >= FLOOR_MS {
                self.known_ms = self.known_ms.saturating_add_unsigned(passed_ms);
            }
        }
        if reading.synchronised {
            self.known_ms = reading.stamp.wall_ms;
        }
    }

    /// When a stamp was given, by all that is known now.
    pub fn resolve(&self, stamp: Stamp) -> Resolved {
        if let Some(boot) = self.boots.iter().rev().find(|boot| boot.id == stamp.boot) {
            return boot.resolve(stamp);
        }
        let known = stamp.wall_ms >= FLOOR_MS;
        Resolved {
            wall_ms: if known {
                stamp.wall_ms
            } else {
                self.known_ms.max(FLOOR_MS)
            },
            trust: if known {
                TimeQuality::Estimated
            } else {
                TimeQuality::Unknown
            },
        }
    }

    /// How old a stamp is, in milliseconds; `None` when only a clock that is not believed could tell.
    pub fn age_ms(&self, stamp: Stamp, now: Stamp) -> Option<u64> {
        if stamp.boot == now.boot && stamp.boot != 0 {
            return Some(now.since_boot_ms.saturating_sub(stamp.since_boot_ms));
        }
        let (then, now) = (self.resolve(stamp), self.resolve(now));
        let believed = then.trust == TimeQuality::Synced && now.trust == TimeQuality::Synced;
        believed.then(|| u64::try_from(now.wall_ms.saturating_sub(then.wall_ms)).unwrap_or(0))
    }
}

// === impl Boot ===

impl Boot {
    /// A synchronised clock says so.
    fn learn(&mut self, since_ms: u64, offset_ms: i64) -> bool {
        let known = self
            .pieces
            .iter()
            .rposition(|piece| piece.trust == TimeQuality::Synced);
        let unlearned = known.map_or(0, |known| known + 1);
        let from_ms = match (known, self.pieces.get(unlearned)) {
            (None, _) => 0,
            (Some(_), Some(doubted)) => doubted.from_ms,
            (Some(_), None) => since_ms,
        };
        let doubted = self.pieces.len() > unlearned;
        self.pieces.truncate(unlearned);
        let same = self
            .pieces
            .last()
            .is_some_and(|piece| piece.is_at(offset_ms));
        if !same {
            self.push(Piece {
                from_ms,
                offset_ms,
                trust: TimeQuality::Synced,
            });
        }
        doubted || !same
    }

    /// A clock that nothing keeps right says so.
    fn doubt(&mut self, since_ms: u64, offset_ms: i64) -> bool {
        let believed = self.pieces.last().is_some_and(|piece| {
            !piece.is_at(offset_ms) && piece.offset_ms.abs_diff(offset_ms) <= JUMP_MS
        });
        if believed {
            self.push(Piece {
                from_ms: since_ms,
                offset_ms,
                trust: TimeQuality::Estimated,
            });
        }
        believed
    }

    fn push(&mut self, piece: Piece) {
        if self.pieces.len() == PIECES_KEPT {
            self.pieces.remove(0);
        }
        self.pieces.push(piece);
    }

    fn resolve(&self, stamp: Stamp) -> Resolved {
        let since_ms = stamp.since_boot_ms;
        let index = self
            .pieces
            .partition_point(|piece| piece.from_ms <= since_ms);
        let index = index.saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else {
            return Resolved {
                wall_ms: stamp.wall_ms.max(FLOOR_MS),
                trust: TimeQuality::Unknown,
            };
        };
        let told_ms = piece.at(since_ms);
        let before = index
            .checked_sub(1)
            .and_then(|before| self.pieces.get(before));
        let held_ms = before.map_or(i64::MIN, |before| before.at(piece.from_ms));
        let step_back_ms = held_ms.saturating_sub(piece.at(piece.from_ms));
        let wall_ms = if step_back_ms <= HELD_MS && held_ms > told_ms {
            held_ms
        } else if told_ms.abs_diff(stamp.wall_ms) <= SAME_MS {
            stamp.wall_ms
        } else {
            told_ms
        };
        Resolved {
            wall_ms,
            trust: piece.trust,
        }
    }
}

// === impl Piece ===

impl Piece {
    fn at(&self, since_ms: u64) -> i64 {
        self.offset_ms.saturating_add_unsigned(since_ms)
    }

    fn is_at(&self, offset_ms: i64) -> bool {
        self.offset_ms.abs_diff(offset_ms) <= SAME_MS
    }
}

fn offset(stamp: Stamp) -> i64 {
    stamp.wall_ms.saturating_sub_unsigned(stamp.since_boot_ms)
}

impl Document for Table {
    const NAME: &'static str = "CLOCK";
    const MAGIC: [u8; 4] = *b"FGCK";
    const VERSION: u16 = 1;

    fn decode(_version: u16, payload: &[u8]) -> Option<Self> {
        postcard::from_bytes(payload).ok()
    }
}

#[cfg(test)]
mod tests;
