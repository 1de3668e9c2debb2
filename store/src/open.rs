//! Opening a lane: what the documents promise is compared with what is there; the difference is counted, never skipped.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    book::Book,
    doubt::{self, Unnamed},
    error::{EngineError, OpenError},
    manifest::{Cursors, GenerationInfo, Manifest, PerBit, generation_dirs},
    replay::ReplayStatus,
    runs::MaskRuns,
    segment::{SegmentStore, sync_dir},
    shelf::{Generation, Shelf},
    slots::{Document, Loaded, Slots},
    thinned::Thinned,
    types::Seq,
};

const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Numbers left out after damage to the newest generation, so that none of its lost records' numbers is used again.
const RESERVED_AFTER_DAMAGE: u64 = 1 << 24;

/// What an open found, for the log and the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    pub records: u64,
    pub generations: usize,
    /// Records accepted after the last saved moment, counted again from the disk.
    pub recovered_records: u64,
    /// Deliveries lost to damage, summed over the routes, counted at this open.
    pub lost_detected: u64,
    /// Directories moved aside because they could not be read.
    pub quarantined: Vec<PathBuf>,
    /// In words, whatever was not as it should be. Empty after a clean stop and after a mere crash.
    pub findings: Vec<String>,
    pub took: Duration,
}

/// A lane ready for its thread.
pub(crate) struct Opened {
    pub lock: File,
    pub shelf: Shelf,
    pub book: Book,
    pub cursors: Slots<Cursors>,
    pub next: Seq,
    pub report: OpenReport,
}

/// Opens the lane in `dir`, creating it if it is new.
pub(crate) fn open(dir: &Path, engine: Box<dyn SegmentStore>) -> Result<Opened, OpenError> {
    let started = Instant::now();
    create_durably(dir).map_err(|source| disk("create", dir, source))?;
    let lock = lock(dir)?;
    let (manifest_slots, manifest) = load::<Manifest>(dir)?;
    let (cursor_slots, cursors) = load::<Cursors>(dir)?;
    let mut recovery = Recovery::new(dir, engine, manifest_slots, manifest, cursors)?;
    recovery.check_generations()?;
    let mut opened = recovery.finish(lock, cursor_slots)?;
    opened.report.took = started.elapsed();
    Ok(opened)
}

/// Creates a directory with those above it, and syncs the names of the new ones: a lane in a directory that a power cut
/// takes back is lost whole.
fn create_durably(dir: &Path) -> io::Result<()> {
    let new = dir.ancestors().take_while(|path| !path.exists()).count();
    fs::create_dir_all(dir)?;
    for parent in dir.ancestors().skip(1).take(new) {
        let parent = Some(parent).filter(|path| !path.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("LOCK");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(|source| disk("open", &path, source))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20))
            }
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    dir: dir.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(disk("lock", &path, source)),
        }
    }
}

fn load<T: Document>(dir: &Path) -> Result<(Slots<T>, Loaded<T>), OpenError> {
    match Slots::load(dir) {
        Ok((_, Loaded::Newer(found))) => Err(OpenError::Newer {
            dir: dir.to_owned(),
            found,
            known: T::VERSION,
        }),
        Ok(loaded) => Ok(loaded),
        Err(source) => Err(disk("read", &dir.join(T::NAME), source)),
    }
}

/// The work of one open.
struct Recovery {
    shelf: Shelf,
    cursors: Cursors,
    high_water: u64,
    /// The masks of generations that were read.
    runs: BTreeMap<u64, MaskRuns>,
    /// One copy of the manifest is unreadable, and what the other says was brought up to date: every directory is read.
    doubted: bool,
    /// No manifest: every directory is read, and nothing is known of what should be in it.
    rebuilt: bool,
    damage: bool,
    /// The newest generation is damaged: nobody knows which numbers it had given out.
    reserve: bool,
    report: OpenReport,
}

// === impl Recovery ===

impl Recovery {
    fn new(
        dir: &Path,
        engine: Box<dyn SegmentStore>,
        slots: Slots<Manifest>,
        manifest: Loaded<Manifest>,
        cursors: Loaded<Cursors>,
    ) -> Result<Recovery, OpenError> {
        let dirs = generation_dirs(dir).map_err(|source| disk("list", dir, source))?;
        let known_id = dirs.last().map_or(1, |(id, _)| id + 1);
        let doubted = slots.torn().is_some();
        let manifest = match manifest {
            Loaded::Valid(manifest) if doubted => {
                Loaded::Valid(up_to_date(manifest, &dirs, engine.as_ref(), &cursors))
            }
            other => other,
        };
        let mut recovery = Recovery {
            shelf: Shelf::new(dir.to_owned(), engine, slots, known_id),
            cursors: Cursors::default(),
            high_water: 1,
            runs: BTreeMap::new(),
            doubted,
            rebuilt: false,
            damage: false,
            reserve: false,
            report: OpenReport::default(),
        };
        match manifest {
            Loaded::Valid(manifest) => recovery.adopt(manifest),
            Loaded::Missing if matches!(cursors, Loaded::Missing) => {} // new, or cut off while it was made
            Loaded::Missing | Loaded::Damaged if is_unused(&cursors) => {} // cut off while it was made
            _ => recovery.rebuild(dirs),
        }
        match cursors {
            Loaded::Valid(cursors) => recovery.cursors = cursors,
            _ => recovery.without_cursors(),
        }
        Ok(recovery)
    }

    fn adopt(&mut self, manifest: Manifest) {
        self.high_water = manifest.high_water.max(1);
        self.shelf.routes = manifest.routes;
        self.shelf.next_id = self.shelf.next_id.max(manifest.next_id);
        let shelved = |info| Generation {
            info,
            segment: None,
        };
        self.shelf.generations = manifest.generations.into_iter().map(shelved).collect();
    }

    fn rebuild(&mut self, dirs: Vec<(u64, PathBuf)>) {
        if dirs.is_empty() {
            return;
        }
        (self.rebuilt, self.reserve, self.damage) = (true, true, true);
        self.find(
            "the manifest was unreadable; it was rebuilt from the generations on the disk, and the cursors hold as they were"
                .into(),
        );
        let shelved = |(id, _)| Generation {
            info: GenerationInfo::new(id, Seq(1)),
            segment: None,
        };
        self.shelf.generations = dirs.into_iter().map(shelved).collect();
    }

    /// Every consumer starts again at the oldest record that is retained, with the routes that the manifest names: that
    /// costs duplicates, never records. Without those names no record can be given to anybody, and what there is is set aside.
    fn without_cursors(&mut self) {
        let Some(oldest) = self.shelf.generations.first() else {
            return;
        };
        let before = oldest.info.first.saturating_sub(1);
        // The newest numbers may have stood in the cursors alone.
        (self.damage, self.reserve) = (true, true);
        if self.shelf.routes.is_empty() {
            self.set_all_aside();
            return;
        }
        self.find(format!(
            "the cursors were unreadable; every destination starts again at record {}, so that what was delivered of the \
             retained records is sent a second time; the counts start anew, and replays have ended",
            before + 1
        ));
        self.cursors = Cursors::restarted(&self.shelf.routes, before);
    }

    fn set_all_aside(&mut self) {
        self.find(
            "neither the cursors nor the manifest tell whom the records are for; the whole backlog was set aside, its \
             deliveries are lost"
                .into(),
        );
        let last = self
            .shelf
            .generations
            .iter()
            .map(|generation| generation.info.last)
            .max();
        self.high_water = self.high_water.max(last.unwrap_or(0) + 1);
        while !self.shelf.generations.is_empty() {
            self.set_aside(0);
        }
    }

    fn check_generations(&mut self) -> Result<(), OpenError> {
        let mut index = 0;
        while index < self.shelf.generations.len() {
            match self.check(index)? {
                true => index += 1,
                false => self.set_aside(index),
            }
            self.shelf.close_readers();
        }
        if self.rebuilt {
            self.put_in_order();
        }
        Ok(())
    }

    /// One that takes the place of another has a later id, and the power may have gone before the other was removed, or
    /// before it was whole: of two that begin with the same record the one that tells more stays, else the later.
    fn put_in_order(&mut self) {
        let generations = &mut self.shelf.generations;
        generations.sort_by_key(|generation| {
            let info = &generation.info;
            (info.first, Reverse(info.last), Reverse(info.id))
        });
        let mut through = 0;
        generations.retain(|Generation { info, .. }| {
            let stays = info.is_empty() || info.last > through;
            through = through.max(info.last);
            stays
        });
        let shelf = &self.shelf;
        self.runs.retain(|id, _| shelf.index_of(*id).is_some());
    }

    /// Reads a generation if there is a reason to; false when nothing in it can be used.
    fn check(&mut self, index: usize) -> Result<bool, OpenError> {
        let info = self.shelf.generations[index].info.clone();
        let cut = self.shelf.looks_cut(&info);
        if info.sealed && !cut && !self.doubted && !self.holds_a_cursor(&info) {
            return Ok(true);
        }
        let last = self.end_of(index);
        let scan = match self.shelf.scan(index, last) {
            Ok(scan) => scan,
            Err(EngineError::Locked { path }) => return Err(OpenError::Locked { dir: path }),
            Err(EngineError::Disk {
                action,
                path,
                source,
            }) => {
                return Err(OpenError::Disk {
                    action,
                    path,
                    source,
                });
            }
            Err(error @ EngineError::Damaged { .. }) => {
                self.damaged(&info, error.to_string());
                return Ok(false);
            }
        };
        let found = scan.info;
        let expected = self.cursors.durable.min(last.0);
        let short =
            !info.sealed && !self.rebuilt && expected >= info.first && found.last < expected;
        let fewer = info.sealed && found.records != info.records;
        self.runs.insert(info.id, scan.runs);
        let empty = found.is_empty();
        let mut found = GenerationInfo {
            damaged: info.damaged,
            ..found
        };
        if self.rebuilt {
            found.first = self.runs[&info.id].first().unwrap_or(info.first);
        }
        if (scan.damaged && !info.damaged && !self.rebuilt) || short || fewer {
            let text = format!(
                "{} of {} known records are readable",
                found.records,
                info.records.max(found.records)
            );
            self.damaged(&info, text);
            found.damaged = true;
        }
        found.damaged |= scan.damaged; // told above, or nobody knows what should be there
        // Behind numbers that are left out a new generation begins; only the last one is written.
        let is_last = index + 1 == self.shelf.generations.len();
        let ends = self.reserve || !is_last;
        if found.damaged || self.rebuilt || (ends && !info.sealed) {
            (found.sealed, found.file_len) = (true, 0);
            found.disk_bytes = crate::segment::allocated_bytes(&info.dir(&self.shelf.dir));
            self.shelf.put_away(index);
        }
        let usable = !(empty && (found.damaged || self.rebuilt));
        self.shelf.generations[index].info = found;
        Ok(usable)
    }

    /// Where a generation ends. What lies behind a sealed one's last record was never accepted; another ends by itself, or
    /// where the next one begins.
    fn end_of(&self, index: usize) -> Seq {
        let info = &self.shelf.generations[index].info;
        let next = self.shelf.generations.get(index + 1);
        match next.filter(|_| !self.rebuilt) {
            _ if info.sealed => Seq(info.last),
            Some(next) => Seq(next.info.first - 1),
            None => Seq(u64::MAX),
        }
    }

    /// True when a cursor, the end of a replay or the saved moment stands inside, so that its records must be counted one by one.
    fn holds_a_cursor(&self, info: &GenerationInfo) -> bool {
        let inside = |through: u64| through >= info.first && through < info.last;
        let replays = self.cursors.replays.iter();
        let replays = replays.filter(|replay| replay.status == ReplayStatus::Running);
        inside(self.cursors.durable)
            || self
                .cursors
                .consumers
                .iter()
                .any(|(_, through)| inside(*through))
            || replays
                .flat_map(|replay| [replay.through, replay.last])
                .any(inside)
    }

    fn damaged(&mut self, info: &GenerationInfo, text: String) {
        self.damage = true;
        self.reserve |= !info.sealed;
        self.find(format!("generation {}: {text}", info.id));
    }

    fn find(&mut self, finding: String) {
        tracing::error!(dir = %self.shelf.dir.display(), finding, "the queue was damaged");
        self.report.findings.push(finding);
    }

    fn set_aside(&mut self, index: usize) {
        self.damage = true;
        self.report.quarantined.extend(self.shelf.quarantine(index));
    }

    fn finish(mut self, lock: File, mut cursor_slots: Slots<Cursors>) -> Result<Opened, OpenError> {
        let durable = self.cursors.durable;
        let found = self
            .shelf
            .generations
            .iter()
            .map(|generation| generation.info.last)
            .max()
            .unwrap_or(0);
        let mut next = self.high_water.max(found + 1).max(durable + 1);
        if self.reserve {
            next += RESERVED_AFTER_DAMAGE;
        }
        let last = Seq(found.max(durable));
        let since = self.count_between(durable, last.0);
        let mut book = Book::new(std::mem::take(&mut self.cursors));
        let lost = book.recounted(
            last,
            &since,
            |after, until| self.count_between(after.0, until.0),
            &Thinned::uncounted(
                &self.shelf.dir,
                self.shelf
                    .generations
                    .iter()
                    .map(|generation| &generation.info),
                book.thinned_through,
            ),
            self.damage,
        );
        book.thinned_through = self.shelf.next_id - 1; // whatever was thinned has just been counted
        self.report.lost_detected = lost;
        self.report.recovered_records =
            self.runs.values().map(|runs| runs.len_after(durable)).sum();

        let next = Seq(next);
        let snapshot = book.snapshot();
        self.shelf.routes = snapshot.route_names();
        cursor_slots
            .store(&snapshot)
            .map_err(|source| disk("write", cursor_slots.next_path(), source))?;
        self.shelf.measure_spool();
        if self.shelf.writer().is_none() {
            let generation = self.shelf.create(next).map_err(from_engine)?;
            self.shelf.generations.push(generation);
        }
        self.shelf.write_manifest(next).map_err(from_engine)?;
        self.remove_orphans();
        self.report.generations = self.shelf.generations.len();
        self.report.records = self
            .shelf
            .generations
            .iter()
            .map(|generation| generation.info.records)
            .sum();
        Ok(Opened {
            lock,
            shelf: self.shelf,
            book,
            cursors: cursor_slots,
            next,
            report: self.report,
        })
    }

    /// For each bit, the records after `after` and up to `until`, wherever they are.
    fn count_between(&self, after: u64, until: u64) -> PerBit {
        let mut counts = PerBit::default();
        for Generation { info, .. } in &self.shelf.generations {
            match self.runs.get(&info.id) {
                Some(runs) => counts.add_all(&runs.count_between(after, until)),
                None if info.first > after && info.last <= until => counts.add_all(&info.per_bit),
                None => {} // all of it lies outside, or it would have been read
            }
        }
        counts
    }

    /// Removes directories that no manifest names: they were being made or being removed when the power went.
    fn remove_orphans(&self) {
        for (id, path) in generation_dirs(&self.shelf.dir).unwrap_or_default() {
            if !self
                .shelf
                .generations
                .iter()
                .any(|generation| generation.info.id == id)
                && let Err(error) = fs::remove_dir_all(&path)
            {
                tracing::warn!(dir = %path.display(), %error, "a left-over generation could not be removed");
            }
        }
    }
}

/// What the one readable copy of the manifest says, with what the other may have said.
fn up_to_date(
    mut manifest: Manifest,
    dirs: &[(u64, PathBuf)],
    engine: &dyn SegmentStore,
    cursors: &Loaded<Cursors>,
) -> Manifest {
    let begins = |(id, dir): &(u64, PathBuf)| {
        let block = engine.open(dir).and_then(|mut one| one.block_from(Seq(0)));
        let first = block.ok().flatten()?.first;
        Some(Unnamed { id: *id, first })
    };
    let unnamed = manifest.unnamed(dirs).filter_map(begins).collect();
    let cursors = match cursors {
        Loaded::Valid(cursors) => Some(cursors),
        _ => None,
    };
    let lane = dirs.first().and_then(|(_, dir)| dir.parent());
    let is_there = |info: &GenerationInfo| lane.is_some_and(|lane| info.dir(lane).is_dir());
    doubt::bring_up_to_date(&mut manifest, unnamed, cursors, is_there);
    manifest
}

/// True when nobody was ever registered: what the lane holds, if anything, belongs to nobody.
fn is_unused(cursors: &Loaded<Cursors>) -> bool {
    matches!(cursors, Loaded::Valid(cursors) if *cursors == Cursors::default())
}

fn from_engine(error: EngineError) -> OpenError {
    match error {
        EngineError::Locked { path } => OpenError::Locked { dir: path },
        EngineError::Disk {
            action,
            path,
            source,
        } => OpenError::Disk {
            action,
            path,
            source,
        },
        EngineError::Damaged {
            action,
            path,
            reason,
        } => OpenError::Disk {
            action,
            path,
            source: io::Error::other(reason),
        },
    }
}

fn disk(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Disk {
        action,
        path: path.to_owned(),
        source,
    }
}
