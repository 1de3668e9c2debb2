//! The generations of a lane in order: created, read, sealed and removed; the manifest says which exist.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    ballast::Ballast,
    block::Block,
    error::EngineError,
    manifest::{GenerationInfo, Manifest, PerBit, RouteName, dir_name},
    record::Record,
    segment::{Segment, SegmentStore, allocated_bytes, sync_dir},
    slots::Slots,
    spool::{self, Spooled},
    types::Seq,
    walk::{Scan, Walk, read_block, within},
};

/// Segments open for reading besides the one that is written.
const OPEN_READERS: usize = 2;
const CACHED_BLOCKS: usize = 4;
const QUARANTINED_KEPT: usize = 2;
pub(crate) const QUARANTINE: &str = "quarantine";

/// One generation and, while it is in use, its open segment.
pub(crate) struct Generation {
    pub info: GenerationInfo,
    pub segment: Option<Box<dyn Segment>>,
}

pub(crate) struct Shelf {
    pub dir: PathBuf,
    pub generations: Vec<Generation>,
    pub next_id: u64,
    /// The route table that goes into the manifest.
    pub routes: Vec<RouteName>,
    engine: Box<dyn SegmentStore>,
    manifest: Slots<Manifest>,
    /// Room for the documents on a full disk.
    pub ballast: Ballast,
    /// Bytes allocated to the spool of the generation that is written.
    pub spooled_bytes: u64,
    /// Bytes allocated to the generation that is to take the place of another.
    pub beside_bytes: u64,
    /// Ids of sealed generations with an open segment, the one used last at the end.
    readers: VecDeque<u64>,
    cache: VecDeque<(u64, Arc<Vec<Record>>)>,
}

// === impl Shelf: the set ===

impl Shelf {
    pub fn new(
        dir: PathBuf,
        engine: Box<dyn SegmentStore>,
        manifest: Slots<Manifest>,
        next_id: u64,
    ) -> Shelf {
        Shelf {
            ballast: Ballast::new(&dir),
            dir,
            generations: Vec::new(),
            next_id,
            routes: Vec::new(),
            engine,
            manifest,
            spooled_bytes: 0,
            beside_bytes: 0,
            readers: VecDeque::new(),
            cache: VecDeque::new(),
        }
    }

    /// Makes what the shelf holds the durable truth. `next` is the number of the next record.
    pub fn write_manifest(&mut self, next: Seq) -> Result<(), EngineError> {
        let generations = self
            .generations
            .iter()
            .map(|generation| generation.info.clone())
            .collect();
        let manifest = Manifest {
            high_water: next.0,
            next_id: self.next_id,
            generations,
            routes: self.routes.clone(),
        };
        let path = self.manifest.next_path().to_owned();
        let (slots, ballast) = (&mut self.manifest, &self.ballast);
        ballast
            .spare(|| slots.store(&manifest))
            .map_err(|source| EngineError::Disk {
                action: "write",
                path,
                source,
            })
    }

    /// The generation that is written, if there is one.
    pub fn writer(&mut self) -> Option<&mut Generation> {
        self.generations
            .last_mut()
            .filter(|generation| !generation.info.sealed)
    }

    /// Creates the next generation's directory, durably, but does not put it on the shelf yet.
    pub fn create(&mut self, first: Seq) -> Result<Generation, EngineError> {
        let info = GenerationInfo::new(self.next_id, first);
        self.next_id += 1;
        let dir = info.dir(&self.dir);
        let created = self.engine.create(&dir).and_then(|segment| {
            sync_dir(&self.dir).map_err(|source| EngineError::disk("sync", &self.dir, source))?;
            Ok(segment)
        });
        match created {
            Ok(segment) => Ok(Generation {
                info,
                segment: Some(segment),
            }),
            Err(error) => {
                drop(fs::remove_dir_all(&dir)); // if this fails too, the next open removes it: the manifest does not name it
                Err(error)
            }
        }
    }

    /// Makes large bodies durable in the generation that is written.
    pub fn spool(&mut self, large: &[Spooled]) -> Result<(), EngineError> {
        let Some(generation) = self.generations.last().filter(|_| !large.is_empty()) else {
            return Ok(());
        };
        self.spooled_bytes += spool::write(&generation.info.dir(&self.dir), large)?;
        Ok(())
    }

    /// Finds out what an earlier run spooled into the generation that is written.
    pub fn measure_spool(&mut self) {
        let open = self.generations.last().filter(|open| !open.info.sealed);
        self.spooled_bytes = open.map_or(0, |open| spool::disk_bytes(&open.info.dir(&self.dir)));
    }

    /// Reads a large body that the record's block only names.
    pub fn fetch(&self, record: &mut Record) -> Result<(), EngineError> {
        let holder = self
            .find_after(Seq(record.seq.0 - 1))
            .map_or(0, |index| self.generations[index].info.id);
        spool::fetch(&self.dir.join(dir_name(holder)), record)
    }

    /// Closes the last generation and marks it as complete. Whoever lags opens it again to read.
    pub fn seal_writer(&mut self) {
        if self.writer().is_none() {
            return;
        }
        if let Some(mut generation) = self.generations.pop() {
            self.close(&mut generation);
            self.generations.push(generation);
            self.spooled_bytes = 0;
        }
    }

    /// Marks a generation as complete and measures it.
    pub fn close(&self, generation: &mut Generation) {
        let dir = generation.info.dir(&self.dir);
        let data = dir.join(self.engine.data_file());
        generation.segment = None;
        generation.info.sealed = true;
        generation.info.file_len = fs::metadata(data).map_or(0, |found| found.len());
        generation.info.disk_bytes = allocated_bytes(&dir);
    }

    /// Has the manifest name a complete generation where it names another. On the shelf nothing has changed, also after an
    /// error; then the manifest may name the new one all the same, whose directory stays.
    pub fn name_instead(
        &mut self,
        index: usize,
        new: &mut Generation,
        next: Seq,
    ) -> Result<(), EngineError> {
        std::mem::swap(&mut self.generations[index], new);
        let written = self.write_manifest(next);
        std::mem::swap(&mut self.generations[index], new);
        written
    }

    /// Takes the front generations off and removes their directories; the manifest is written in between.
    pub fn remove_front(&mut self, count: usize, next: Seq) -> Result<(), EngineError> {
        let mut removed: Vec<Generation> = self.generations.drain(..count).collect();
        if let Err(error) = self.write_manifest(next) {
            removed.append(&mut self.generations);
            self.generations = removed;
            return Err(error);
        }
        for generation in removed {
            self.remove_dir(generation);
        }
        if let Err(error) = sync_dir(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "a removal is not durable yet; the next start repeats it");
        }
        Ok(())
    }

    pub fn remove_dir(&mut self, mut generation: Generation) {
        self.forget(generation.info.id);
        generation.segment = None;
        let dir = generation.info.dir(&self.dir);
        if let Err(error) = fs::remove_dir_all(&dir) {
            tracing::warn!(dir = %dir.display(), %error, "a finished generation could not be removed; the next start tries again");
        }
    }

    fn forget(&mut self, id: u64) {
        self.readers.retain(|reader| *reader != id);
        self.cache.retain(|(cached, _)| *cached != id);
    }

    /// Bytes allocated to all generations.
    pub fn disk_bytes(&self) -> u64 {
        let each = self
            .generations
            .iter()
            .map(|generation| match &generation.segment {
                Some(segment) if !generation.info.sealed => {
                    segment.disk_bytes() + self.spooled_bytes
                }
                _ => generation.info.disk_bytes,
            });
        each.sum::<u64>() + self.beside_bytes
    }

    /// For each bit, the records retained.
    pub fn retained(&self) -> PerBit {
        let mut all = PerBit::default();
        for generation in &self.generations {
            all.add_all(&generation.info.per_bit);
        }
        all
    }

    /// Files below `blobs/` in all generations.
    pub fn blob_files(&self) -> u64 {
        let count = |generation: &Generation| {
            let blobs = generation.info.dir(&self.dir).join("blobs");
            fs::read_dir(blobs).map_or(0, |entries| entries.count() as u64)
        };
        self.generations.iter().map(count).sum()
    }

    /// True when the data file is shorter than when it was sealed.
    pub fn looks_cut(&self, info: &GenerationInfo) -> bool {
        let data = info.dir(&self.dir).join(self.engine.data_file());
        fs::metadata(data).map_or(true, |found| found.len() < info.file_len)
    }
}

// === impl Shelf: reading ===

impl Shelf {
    /// Where the generation `id` stands.
    pub fn index_of(&self, id: u64) -> Option<usize> {
        self.generations
            .iter()
            .position(|generation| generation.info.id == id)
    }

    /// The next block of a generation that is read from end to end, which begins with record `want`; `None` at its end.
    pub fn block_after(
        &mut self,
        index: usize,
        want: Seq,
    ) -> Result<Option<Vec<Record>>, EngineError> {
        let last = Seq(self.generations[index].info.last);
        let found = self.segment(index)?.block_from(want)?;
        let found = found.filter(|block| block.first <= last);
        match found.as_ref().map(read_block) {
            None if want <= last => Err(self.damage(index, format!("record {want} is missing"))),
            None => Ok(None),
            Some(Ok(records)) if records[0].seq == want => Ok(Some(within(records, last))),
            Some(Ok(_)) => Err(self.damage(index, format!("record {want} is missing"))),
            Some(Err(reason)) => Err(self.damage(index, reason)),
        }
    }

    /// The first generation that holds records after `after`.
    pub fn find_after(&self, after: Seq) -> Option<usize> {
        let index = self
            .generations
            .partition_point(|generation| generation.info.last <= after.0);
        (index..self.generations.len()).find(|index| !self.generations[*index].info.is_empty())
    }

    /// The records of the block that holds `seq`, or of the first after it; `None` past the end of the generation.
    pub fn block(
        &mut self,
        index: usize,
        seq: Seq,
    ) -> Result<Option<Arc<Vec<Record>>>, EngineError> {
        let (id, last, skip_bad) = {
            let info = &self.generations[index].info;
            (info.id, Seq(info.last), info.damaged)
        };
        let holds =
            |records: &[Record]| records[0].seq <= seq && records[records.len() - 1].seq >= seq;
        if let Some((_, records)) = self
            .cache
            .iter()
            .find(|(cached, records)| *cached == id && holds(records))
        {
            return Ok(Some(records.clone()));
        }
        let mut found = self.segment(index)?.block_holding(seq)?;
        let mut want = seq;
        loop {
            match found.as_ref().map(read_block) {
                Some(Ok(records)) if holds(&records) || (skip_bad && records[0].seq > seq) => {
                    return Ok(self.cached(id, within(records, last)));
                }
                Some(Ok(records)) if records[0].seq > seq => {
                    return Err(self.damage(index, format!("record {seq} is missing")));
                }
                Some(Err(_)) if skip_bad => {
                    want = want.max(found.map_or(want, |block| block.first.next()))
                }
                Some(Err(reason)) => return Err(self.damage(index, reason)),
                Some(Ok(_)) | None => {}
            }
            found = self
                .segment(index)?
                .block_from(want)?
                .filter(|block| block.first <= last);
            if found.is_none() {
                return if skip_bad {
                    Ok(None)
                } else {
                    Err(self.damage(index, format!("record {seq} is missing")))
                };
            }
        }
    }

    fn cached(&mut self, id: u64, records: Vec<Record>) -> Option<Arc<Vec<Record>>> {
        let records = Arc::new(records);
        if records.is_empty() {
            return None;
        }
        if self.cache.len() == CACHED_BLOCKS {
            self.cache.pop_front();
        }
        self.cache.push_back((id, records.clone()));
        Some(records)
    }

    /// The first block of generation `id` from `seq` on, if the generation is still there.
    pub fn block_of(&mut self, id: u64, seq: Seq) -> Result<Option<Option<Block>>, EngineError> {
        let index = self
            .generations
            .iter()
            .position(|generation| generation.info.id == id);
        let segment = index.map(|index| self.segment(index)).transpose()?;
        segment.map(|segment| segment.block_from(seq)).transpose()
    }

    /// Closes what is open of a generation that was read.
    pub fn put_away(&mut self, index: usize) {
        self.generations[index].segment = None;
        let id = self.generations[index].info.id;
        self.readers.retain(|reader| *reader != id);
    }

    /// Reads a generation up to `last`, leaving out what cannot be read.
    pub fn scan(&mut self, index: usize, last: Seq) -> Result<Scan, EngineError> {
        let info = self.generations[index].info.clone();
        let segment = self.segment(index)?;
        let mut walk = Walk::new(&info, last);
        while let Some(block) = segment.block_from(walk.want())? {
            if walk.take(&block).is_none() {
                break;
            }
        }
        Ok(walk.end())
    }

    /// The open segment of a generation; at most [`OPEN_READERS`] sealed ones are open at once.
    fn segment(&mut self, index: usize) -> Result<&mut Box<dyn Segment>, EngineError> {
        let generation = &mut self.generations[index];
        let id = generation.info.id;
        if generation.segment.is_none() {
            let dir = generation.info.dir(&self.dir);
            if !dir.is_dir() {
                return Err(EngineError::Damaged {
                    action: "open",
                    path: dir,
                    reason: "it is missing".into(),
                });
            }
            // sled mends what a write that failed has left, and that takes room.
            let open = || self.engine.open(&dir);
            generation.segment = Some(self.ballast.spare_when(EngineError::is_full, open)?);
        }
        if generation.info.sealed {
            self.readers.retain(|reader| *reader != id);
            self.readers.push_back(id);
            self.close_readers_but(OPEN_READERS);
        }
        Ok(self.generations[index]
            .segment
            .as_mut()
            .expect("it was opened above, and is the newest reader"))
    }

    /// Closes what is open for reading only: an open segment costs some 25 MB.
    pub fn close_readers(&mut self) {
        self.close_readers_but(0);
    }

    fn close_readers_but(&mut self, kept: usize) {
        while self.readers.len() > kept {
            let Some(id) = self.readers.pop_front() else {
                return;
            };
            if let Some(idle) = self
                .generations
                .iter_mut()
                .find(|generation| generation.info.id == id)
            {
                idle.segment = None;
            }
        }
    }

    fn damage(&self, index: usize, reason: String) -> EngineError {
        let path = self.generations[index].info.dir(&self.dir);
        EngineError::Damaged {
            action: "read",
            path,
            reason,
        }
    }
}

// === impl Shelf: quarantine ===

impl Shelf {
    /// Moves a generation's directory aside and takes it off the shelf. The newest two are kept for a person to look at.
    pub fn quarantine(&mut self, index: usize) -> Option<PathBuf> {
        let mut generation = self.generations.remove(index);
        self.forget(generation.info.id);
        generation.segment = None;
        let from = generation.info.dir(&self.dir);
        match set_aside(&self.dir, &from) {
            Ok(to) => Some(to),
            Err(error) => {
                tracing::warn!(dir = %from.display(), %error, "a damaged generation could not be moved aside");
                None
            }
        }
    }
}

/// Moves `from` into the lane's quarantine under its name and the time, and keeps the newest there.
fn set_aside(lane: &Path, from: &Path) -> io::Result<PathBuf> {
    let quarantine = lane.join(QUARANTINE);
    fs::create_dir_all(&quarantine)?;
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let to = quarantine.join(format!("{now_ms:015}-{name}"));
    fs::rename(from, &to)?;
    sync_dir(&quarantine)?;
    sync_dir(lane)?;
    let mut kept: Vec<PathBuf> = fs::read_dir(&quarantine)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    kept.sort_unstable();
    for oldest in kept.iter().rev().skip(QUARANTINED_KEPT) {
        fs::remove_dir_all(oldest)?;
    }
    Ok(to)
}
