//! What a lane needs of an engine: one generation is one segment of blocks, appended in order and removed whole.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use crate::{block::Block, error::EngineError, types::Seq};

/// Makes and opens segments. The directory of a segment belongs to it alone.
pub(crate) trait SegmentStore: Send {
    /// A new, empty segment, its own files synced.
    fn create(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError>;
    /// A segment left by an earlier run or by this one.
    fn open(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError>;
    /// The name of the file whose length shows that a segment was cut off.
    fn data_file(&self) -> &'static str;
}

/// One open generation.
pub(crate) trait Segment: Send {
    /// Writes blocks in one atomic step. They are durable after [`Segment::sync`] only.
    fn append(&mut self, blocks: &[Block]) -> Result<(), EngineError>;
    /// Returns once everything appended is on the medium.
    fn sync(&mut self) -> Result<(), EngineError>;
    /// Both.
    fn commit(&mut self, blocks: &[Block]) -> Result<(), EngineError> {
        self.append(blocks)?;
        self.sync()
    }
    /// The last block whose first record is `seq` or before it.
    fn block_holding(&mut self, seq: Seq) -> Result<Option<Block>, EngineError>;
    /// The first block whose first record is `seq` or after it.
    fn block_from(&mut self, seq: Seq) -> Result<Option<Block>, EngineError>;
    /// Bytes really allocated, cheap enough to ask after every commit.
    fn disk_bytes(&self) -> u64;
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Bytes allocated to everything below `dir`, as `du` counts.
pub(crate) fn allocated_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let mut bytes = 0;
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => {
                bytes += found.blocks() * 512 + allocated_bytes(&entry.path())
            }
            Ok(found) => bytes += found.blocks() * 512,
            Err(_) => {} // it was removed meanwhile
        }
    }
    bytes
}
