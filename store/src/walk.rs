//! `Walk`: the blocks of one generation, one after the other, and what is wrong with them (pure).

use crate::{
    block::{Block, unpack},
    manifest::GenerationInfo,
    record::Record,
    runs::MaskRuns,
    types::Seq,
};

/// So many places of damage are told one by one in a generation.
const PLACES: usize = 20;

/// A generation as far as it was read.
pub(crate) struct Walk {
    want: Seq,
    last: Seq,
    scan: Scan,
}

/// Everything that was found in a generation.
pub(crate) struct Scan {
    pub info: GenerationInfo,
    pub runs: MaskRuns,
    /// Blocks that could not be read, or numbers missing in between.
    pub damaged: bool,
    /// The first of them, in words.
    pub places: Vec<String>,
}

// === impl Walk ===

impl Walk {
    /// At the beginning of a generation, of which everything up to `last` counts.
    pub fn new(info: &GenerationInfo, last: Seq) -> Walk {
        let found = GenerationInfo {
            sealed: info.sealed,
            file_len: info.file_len,
            disk_bytes: info.disk_bytes,
            ..GenerationInfo::new(info.id, Seq(info.first))
        };
        Walk {
            want: Seq(info.first),
            last,
            scan: Scan {
                info: found,
                runs: MaskRuns::default(),
                damaged: false,
                places: Vec::new(),
            },
        }
    }

    /// The next block is the first from here on.
    pub fn want(&self) -> Seq {
        self.want
    }

    pub fn records(&self) -> u64 {
        self.scan.info.records
    }

    /// Takes the next block and returns its records; `None` when it lies behind the end.
    pub fn take(&mut self, block: &Block) -> Option<Vec<Record>> {
        if block.first > self.last {
            return None;
        }
        match read_block(block).map(|records| within(records, self.last)) {
            Ok(records) if !records.is_empty() => {
                if block.first != self.want {
                    self.missing(block.first);
                }
                self.want = records[records.len() - 1].seq.next();
                self.scan.runs.push(&records);
                self.scan.info.count(&records);
                Some(records)
            }
            unreadable => {
                self.damage(unreadable.err().unwrap_or_else(|| "an empty block".into()));
                self.want = block.first.next();
                Some(Vec::new())
            }
        }
    }

    pub fn end(self) -> Scan {
        self.scan
    }

    fn missing(&mut self, until: Seq) {
        let text = format!("records {} to {} are missing", self.want, until.0 - 1);
        self.damage(text);
    }

    fn damage(&mut self, place: String) {
        self.scan.damaged = true;
        if self.scan.places.len() < PLACES {
            self.scan.places.push(place);
        }
    }
}

/// The records of a block that stands under its own number.
pub(crate) fn read_block(block: &Block) -> Result<Vec<Record>, String> {
    match unpack(&block.bytes) {
        Ok(records) if records.first().map(|record| record.seq) == Some(block.first) => Ok(records),
        Ok(_) => Err(format!(
            "the block under key {} belongs elsewhere",
            block.first
        )),
        Err(bad) => Err(format!("the block at record {}: {bad}", block.first)),
    }
}

pub(crate) fn within(mut records: Vec<Record>, last: Seq) -> Vec<Record> {
    records.truncate(records.partition_point(|record| record.seq <= last));
    records
}
