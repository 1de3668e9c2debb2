//! A plain log as the engine: blocks one after the other in one file. The tests' oracle and the benches' floor.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use crate::{
    block::{Block, HEADER_BYTES, first_of, stored_block_len, unpack},
    error::EngineError,
    segment::{Segment, SegmentStore, sync_dir},
    types::Seq,
};

const FILE: &str = "log";

/// Where each block starts and how long it is, by its first record.
type Index = BTreeMap<Seq, (u64, usize)>;

/// Keeps each generation in one file.
pub(crate) struct PlainStore;

struct PlainSegment {
    path: PathBuf,
    file: File,
    index: Index,
    end: u64,
}

// === impl PlainStore ===

impl SegmentStore for PlainStore {
    fn create(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        let path = dir.join(FILE);
        let made = || -> io::Result<File> {
            fs::create_dir(dir)?;
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            file.sync_all()?;
            sync_dir(dir)?;
            Ok(file)
        };
        let file = made().map_err(|source| EngineError::disk("create", &path, source))?;
        Ok(Box::new(PlainSegment {
            path,
            file,
            index: Index::new(),
            end: 0,
        }))
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        let path = dir.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = match opened {
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(EngineError::Damaged {
                    action: "open",
                    path,
                    reason: "the file is missing".into(),
                });
            }
            other => other.map_err(|source| EngineError::disk("open", &path, source))?,
        };
        let (index, end) =
            read_index(&file).map_err(|source| EngineError::disk("read", &path, source))?;
        Ok(Box::new(PlainSegment {
            path,
            file,
            index,
            end,
        }))
    }

    fn data_file(&self) -> &'static str {
        FILE
    }
}

// === impl PlainSegment ===

impl PlainSegment {
    fn read(&self, first: Seq, place: (u64, usize)) -> Result<Block, EngineError> {
        let mut bytes = vec![0; place.1];
        self.file
            .read_exact_at(&mut bytes, place.0)
            .map_err(|source| EngineError::disk("read", &self.path, source))?;
        Ok(Block { first, bytes })
    }
}

impl Segment for PlainSegment {
    fn append(&mut self, blocks: &[Block]) -> Result<(), EngineError> {
        let all: Vec<u8> = blocks
            .iter()
            .flat_map(|block| block.bytes.iter().copied())
            .collect();
        self.file
            .write_all_at(&all, self.end)
            .map_err(|source| EngineError::disk("write", &self.path, source))?;
        for block in blocks {
            self.index
                .insert(block.first, (self.end, block.bytes.len()));
            self.end += block.bytes.len() as u64;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.file
            .sync_data()
            .map_err(|source| EngineError::disk("sync", &self.path, source))
    }

    fn block_holding(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        let found = self.index.range(..=seq).next_back();
        found
            .map(|(first, place)| self.read(*first, *place))
            .transpose()
    }

    fn block_from(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        let found = self.index.range(seq..).next();
        found
            .map(|(first, place)| self.read(*first, *place))
            .transpose()
    }

    fn disk_bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.blocks() * 512)
    }
}

/// Walks the blocks up to the first that is torn or damaged; what follows was never counted as durable, or shows as missing.
fn read_index(file: &File) -> io::Result<(Index, u64)> {
    let len = file.metadata()?.len();
    let (mut index, mut at) = (Index::new(), 0);
    while len - at >= HEADER_BYTES as u64 {
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, at)?;
        let (Some(first), Some(block_len)) = (first_of(&header), stored_block_len(&header)) else {
            break;
        };
        if at + block_len as u64 > len {
            break;
        }
        let mut bytes = vec![0; block_len];
        file.read_exact_at(&mut bytes, at)?;
        if unpack(&bytes).is_err() {
            break;
        }
        index.insert(first, (at, block_len));
        at += block_len as u64;
    }
    Ok((index, at))
}
