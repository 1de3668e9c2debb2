//! `check`: looks at every byte of a lane that nobody has open, and changes none.
//!
//! sled writes when it opens, so each generation is read from a copy in the system's temporary directory, one at a time.
//! Bodies in files of their own are read where they are.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    book::Book,
    doubt::{self, Unnamed},
    engine::SledStore,
    error::{EngineError, OpenError},
    findings::{CheckReport, advice},
    manifest::{Cursors, GenerationInfo, Manifest, PerBit, generation_dirs},
    options::EngineKind,
    plain::PlainStore,
    runs::MaskRuns,
    segment::{Segment, SegmentStore},
    shelf::QUARANTINE,
    slots::{Document, Loaded, Slots},
    spool,
    thinned::Thinned,
    types::Seq,
    walk::{Scan, Walk},
};

/// Checks the lane in `dir`, which must not be open; the files stay as they are.
///
/// # Errors
/// When it is open somewhere, is of a later version, or the disk cannot be read at all.
pub fn check(dir: &Path, engine: EngineKind) -> Result<CheckReport, OpenError> {
    let started = Instant::now();
    let _lock = lock(dir)?;
    let mut check = Check::new(dir, engine)?;
    check.generations()?;
    check.left_overs();
    check.ledger();
    check.report.took = started.elapsed();
    Ok(check.report)
}

struct Check<'a> {
    dir: &'a Path,
    engine: Box<dyn SegmentStore>,
    manifest: Manifest,
    /// The manifest was unreadable: what should be there is not known.
    rebuilt: bool,
    cursors: Cursors,
    runs: BTreeMap<u64, MaskRuns>,
    report: CheckReport,
}

/// A generation that may be opened: sled writes when it does.
struct Copy {
    segment: Box<dyn Segment>,
    _dir: tempfile::TempDir,
}

/// Taken for reading only, so that a lane on a read-only disk can be checked too.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("LOCK");
    let file = File::open(&path).map_err(|source| disk("open", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(disk("lock", &path, source)),
    }
}

// === impl Check ===

impl<'a> Check<'a> {
    fn new(dir: &'a Path, engine: EngineKind) -> Result<Check<'a>, OpenError> {
        let mut check = Check {
            dir,
            engine: match engine {
                EngineKind::Sled => Box::new(SledStore),
                EngineKind::PlainLog => Box::new(PlainStore),
            },
            manifest: Manifest::default(),
            rebuilt: false,
            cursors: Cursors::default(),
            runs: BTreeMap::new(),
            report: CheckReport::default(),
        };
        let manifest = check.load::<Manifest>()?;
        let doubted = !check.report.findings.is_empty();
        let cursors = check.load::<Cursors>()?;
        check.rebuilt = manifest.is_none();
        check.manifest = manifest.unwrap_or_default();
        if doubted && !check.rebuilt {
            check.bring_up_to_date(cursors.as_ref())?;
        }
        let oldest = check.manifest.generations.first();
        let before = oldest.map_or(0, |oldest| oldest.first.saturating_sub(1));
        check.cursors =
            cursors.unwrap_or_else(|| Cursors::restarted(&check.manifest.routes, before));
        Ok(check)
    }

    fn load<T: Document>(&mut self) -> Result<Option<T>, OpenError> {
        let place = self.dir.join(format!("{}.a", T::NAME));
        let (slots, loaded) =
            Slots::<T>::load(self.dir).map_err(|error| disk("read", &place, error))?;
        let what = match loaded {
            Loaded::Valid(document) => {
                if let Some(torn) = slots.torn() {
                    let what = "it is not whole; its other copy is, and holds".into();
                    self.report.find(torn.to_owned(), what, 0, advice::REBUILT);
                }
                return Ok(Some(document));
            }
            Loaded::Newer(found) => {
                return Err(OpenError::Newer {
                    dir: self.dir.to_owned(),
                    found,
                    known: T::VERSION,
                });
            }
            Loaded::Damaged => format!("neither {0}.a nor {0}.b is whole", T::NAME),
            Loaded::Missing => format!("neither {0}.a nor {0}.b is there", T::NAME),
        };
        self.report.find(place, what, 0, advice::REBUILT);
        Ok(None)
    }

    /// As an open does when one copy of the manifest is unreadable.
    fn bring_up_to_date(&mut self, cursors: Option<&Cursors>) -> Result<(), OpenError> {
        let dirs = generation_dirs(self.dir).map_err(|error| disk("list", self.dir, error))?;
        let begins = |(id, place): &(u64, PathBuf)| {
            let mut copy = self.copy_of(place).ok()?;
            let first = copy.segment.block_from(Seq(0)).ok().flatten()?.first;
            Some(Unnamed { id: *id, first })
        };
        let unnamed = self.manifest.unnamed(&dirs).filter_map(begins).collect();
        let is_there = |info: &GenerationInfo| info.dir(self.dir).is_dir();
        doubt::bring_up_to_date(&mut self.manifest, unnamed, cursors, is_there);
        Ok(())
    }

    fn generations(&mut self) -> Result<(), OpenError> {
        let infos = if self.rebuilt {
            let dirs = generation_dirs(self.dir).map_err(|error| disk("list", self.dir, error))?;
            let unknown = |(id, _)| GenerationInfo::new(id, Seq(1));
            dirs.into_iter().map(unknown).collect()
        } else {
            self.manifest.generations.clone()
        };
        let ends = ends(&infos, self.cursors.durable);
        for (info, end) in infos.into_iter().zip(ends) {
            let place = info.dir(self.dir);
            match self.generation(&info, end) {
                Ok(()) => {}
                Err(error @ EngineError::Damaged { .. }) => {
                    let lost = expected(&info, end);
                    let what = format!("{lost} records cannot be read: {error}");
                    self.report.find(place, what, lost, advice::RESTART);
                }
                Err(EngineError::Locked { path }) => return Err(OpenError::Locked { dir: path }),
                Err(EngineError::Disk {
                    action,
                    path,
                    source,
                }) => return Err(disk(action, &path, source)),
            }
        }
        Ok(())
    }

    /// Checks one generation, of which everything up to `end` was accepted.
    fn generation(&mut self, info: &GenerationInfo, end: Seq) -> Result<(), EngineError> {
        let place = info.dir(self.dir);
        if !place.is_dir() {
            return Err(EngineError::damaged("open", &place, "it is missing".into()));
        }
        let is_last = self.manifest.generations.last().map(|last| last.id) == Some(info.id);
        let last = match self.rebuilt || (is_last && !info.sealed) {
            true => Seq(u64::MAX),
            false => end,
        };
        let (scan, spooled) = self.walk(info, last)?;
        let expected = if self.rebuilt {
            scan.info.records
        } else {
            expected(info, end).max(scan.info.records)
        };
        self.report.generation(place, &scan, expected, end, spooled);
        self.runs.insert(info.id, scan.runs);
        Ok(())
    }

    fn copy_of(&self, place: &Path) -> Result<Copy, EngineError> {
        let dir = tempfile::tempdir()
            .map_err(|source| EngineError::disk("make a copy in", &std::env::temp_dir(), source))?;
        let of_it = dir.path().join("copy");
        copy_files(place, &of_it).map_err(|source| EngineError::disk("copy", place, source))?;
        let segment = self.engine.open(&of_it)?;
        Ok(Copy { segment, _dir: dir })
    }

    /// Reads the blocks in a copy, and the spooled bodies where they are; how many of those there were.
    fn walk(&mut self, info: &GenerationInfo, last: Seq) -> Result<(Scan, u64), EngineError> {
        let place = info.dir(self.dir);
        let mut copy = self.copy_of(&place)?;
        let (mut walk, mut spooled) = (Walk::new(info, last), 0);
        while let Some(block) = copy.segment.block_from(walk.want())? {
            let Some(mut records) = walk.take(&block) else {
                break;
            };
            spooled += spool::check(&place, &mut records, &mut self.report)?;
        }
        Ok((walk.end(), spooled))
    }

    /// Directories that no document names.
    fn left_overs(&mut self) {
        let known: Vec<u64> = self
            .manifest
            .generations
            .iter()
            .map(|info| info.id)
            .collect();
        let dirs = generation_dirs(self.dir).unwrap_or_default();
        let orphans = dirs
            .into_iter()
            .filter(|(id, _)| !self.rebuilt && !known.contains(id));
        for (_, place) in orphans {
            let what = "a generation that is in no document: it was being made or removed".into();
            self.report.find(place, what, 0, advice::LEFT_OVER);
        }
        let aside = fs::read_dir(self.dir.join(QUARANTINE));
        for entry in aside.into_iter().flatten().flatten() {
            let what =
                "it could not be read, was set aside, and its records counted as lost".into();
            self.report.find(entry.path(), what, 0, advice::LOOK);
        }
    }

    /// Counts for each route what is still to be delivered, and whether that is what the cursors say.
    fn ledger(&mut self) {
        let found = self.report.generations.iter().map(|one| one.last).max();
        let durable = self.cursors.durable;
        let last = Seq(found.unwrap_or(0).max(durable));
        let mut book = Book::new(self.cursors.clone());
        let since = self.count_between(durable, last.0);
        book.recounted(
            last,
            &since,
            |after, until| self.count_between(after.0, until.0),
            &Thinned::uncounted(
                self.dir,
                self.manifest.generations.iter(),
                self.cursors.thinned_through,
            ),
            false,
        );
        self.report.routes = book.balance();
        let unread = self.report.lost_records > 0;
        for route in self.report.routes.clone() {
            let off = route.unaccounted();
            if off != 0 && !unread {
                let what = format!("the ledger of {} is off by {off}", route.key);
                let place = self.dir.join(format!("{}.a", Cursors::NAME));
                self.report.find(place, what, 0, advice::RESTART);
            }
        }
    }

    fn count_between(&self, after: u64, until: u64) -> PerBit {
        let mut all = PerBit::default();
        for runs in self.runs.values() {
            all.add_all(&runs.count_between(after, until));
        }
        all
    }
}

/// Where each generation ends: one that is not sealed where the next begins, or with the last record that was accepted.
fn ends(infos: &[GenerationInfo], durable: u64) -> Vec<Seq> {
    let end = |(at, info): (usize, &GenerationInfo)| match infos.get(at + 1) {
        _ if info.sealed => Seq(info.last),
        Some(next) if next.first > info.first => Seq(next.first - 1),
        _ => Seq(durable),
    };
    infos.iter().enumerate().map(end).collect()
}

/// How many records it holds, as far as that is known.
fn expected(info: &GenerationInfo, end: Seq) -> u64 {
    match info.sealed {
        true => info.records,
        false => (end.0 + 1).saturating_sub(info.first),
    }
}

/// The files of a directory, without those below it but sled's own: what is spooled stays where it is.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        } else if entry.file_name() == "blobs" {
            copy_files(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn disk(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Disk {
        action,
        path: path.to_owned(),
        source,
    }
}
