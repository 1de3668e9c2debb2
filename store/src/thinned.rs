//! `THINNED.a`, a document in a generation's directory: how far it was thinned, and what the last time took from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    error::EngineError,
    manifest::{GenerationInfo, PerBit},
    slots::{Document, Loaded, Slots},
    tools::Thin,
};

/// What is known of one generation. Without the document it was never thinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thinned {
    /// One more than the place in [`Thin::ALL`]; 0: not at all.
    level: u8,
    /// For each route bit, the records that were taken when this generation was written in place of another.
    pub removed: PerBit,
}

impl Document for Thinned {
    const NAME: &'static str = "THINNED";
    const MAGIC: [u8; 4] = *b"FGQT";
    const VERSION: u16 = 1;

    fn decode(_: u16, payload: &[u8]) -> Option<Thinned> {
        postcard::from_bytes(payload).ok()
    }
}

// === impl Thinned ===

impl Thinned {
    pub fn by(how: Thin, removed: PerBit) -> Thinned {
        Thinned {
            level: level_of(how),
            removed,
        }
    }

    /// Of the generation in `dir`. A document that cannot be read counts as none: the generation is thinned again, which
    /// finds nothing.
    pub fn of(dir: &Path) -> Thinned {
        match Slots::load(dir) {
            Ok((_, Loaded::Valid(thinned))) => thinned,
            _ => Thinned::default(),
        }
    }

    /// For each bit, the most that thinning can have taken of these generations without its having been counted, which it
    /// has been up to the id `counted_through`: of two that take the place of others the later one has the higher id.
    pub fn uncounted<'a>(
        lane: &Path,
        of: impl Iterator<Item = &'a GenerationInfo>,
        counted_through: u64,
    ) -> PerBit {
        let mut all = PerBit::default();
        for info in of.filter(|info| info.id > counted_through) {
            all.add_all(&Thinned::of(&info.dir(lane)).removed);
        }
        all
    }

    pub fn level(&self) -> Option<Thin> {
        let index = usize::from(self.level).checked_sub(1)?;
        Thin::ALL.get(index).copied()
    }

    /// Writes down that the generation in `dir` has been thinned so far; durable when this returns.
    pub fn mark(self, dir: &Path, how: Thin) -> Result<(), EngineError> {
        let failed = |source| EngineError::disk("write", dir, source);
        let (mut slots, _) = Slots::<Thinned>::load(dir).map_err(failed)?;
        let level = level_of(how);
        slots.store(&Thinned { level, ..self }).map_err(failed)
    }
}

fn level_of(how: Thin) -> u8 {
    how as u8 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RouteMask;

    #[test]
    fn the_format_is_the_one_written_down() {
        let mut removed = PerBit::default();
        removed.add(RouteMask(5), 300);
        let thinned = Thinned::by(Thin::Minutes, removed);
        let bytes = postcard::to_stdvec(&thinned).unwrap();
        let mut expected = vec![2, 64, 0xac, 2, 0, 0xac, 2];
        expected.resize(2 + 64 + 2, 0);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn it_is_kept_beside_the_data() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Thinned::of(dir.path()).level(), None);
        let mut removed = PerBit::default();
        removed.add(RouteMask(1), 7);
        for how in Thin::ALL {
            let thinned = Thinned::by(how, removed.clone());
            thinned.mark(dir.path(), how).unwrap();
            assert_eq!(Thinned::of(dir.path()).level(), Some(how));
        }
        assert_eq!(Thinned::of(dir.path()).removed.get(0), 7);
    }
}
