//! sled 0.34.7 as the engine: the only file that knows it, and where each of its known faults is fenced in.
//!
//! - `flush()` is no durability barrier on Linux (`sync_file_range`), so every commit ends with `sync_data` on a handle of our own.
//! - `conf` is never synced by sled, nor are the directories: done once, at creation.
//! - A left-over `snap.*.generating` makes open fail (sled#1533): removed before; on damage all `snap.*` are removed and
//!   sled rebuilds from its log.
//! - It panics on damaged files, and may wait for ever, for one after a write that failed: each database lives on a thread
//!   of its own. A call that panics ends that thread; one that takes too long is left alone on it, and the lane goes on.
//! - It may still hold its lock shortly after a drop: opening waits up to 5 s.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::{Duration, Instant},
};

use crate::{
    block::{Block, key, parse_key, stored_block_len, values},
    error::EngineError,
    segment::{Segment, SegmentStore, sync_dir},
    types::Seq,
};

/// At most three segments are open in a lane (one written, two read).
const CACHE_BYTES: u64 = 8 * 1024 * 1024 / 3;
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const OPEN_PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the slowest write seen on an SD card.
const CALL_PATIENCE: Duration = Duration::from_secs(15);

/// Keeps each generation in a sled database of its own.
pub(crate) struct SledStore;

struct SledSegment {
    dir: PathBuf,
    /// `None` once sled has panicked or hung.
    sled: Option<Fenced>,
    file: File,
}

/// A database on its thread. The channel holds one job: whoever sends one waits for its answer before the next.
struct Fenced {
    /// To wake whoever hangs in it. Goes before `jobs`: who drops the last handle closes the database, and sled panics
    /// when the sync of that fails, so that has to be the thread, which ends with `jobs`.
    db: sled::Db,
    jobs: SyncSender<Job>,
    /// Disconnected when the thread has closed the database and is gone.
    ended: Receiver<()>,
}

type Job = Box<dyn FnOnce(&sled::Db) + Send>;

// === impl SledStore ===

impl SegmentStore for SledStore {
    fn create(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        let mut segment = SledSegment::open(dir)?;
        segment.call("create", |db| db.flush().map(drop))?;
        let synced = || -> io::Result<()> {
            segment.file.sync_all()?;
            File::open(dir.join("conf"))?.sync_all()?;
            sync_dir(dir)
        };
        synced().map_err(|source| EngineError::disk("create", dir, source))?;
        Ok(Box::new(segment))
    }

    fn open(&self, dir: &Path) -> Result<Box<dyn Segment>, EngineError> {
        remove_snapshots(dir, Snapshots::Unfinished);
        let opened = match SledSegment::open(dir) {
            Err(damaged @ EngineError::Damaged { .. }) => {
                // Once more without snapshots, and because one call of the system that failed is no damage.
                remove_snapshots(dir, Snapshots::All);
                match SledSegment::open(dir) {
                    Err(EngineError::Locked { .. }) => Err(damaged), // the first try hangs in it still
                    again => again,
                }
            }
            opened => opened,
        };
        opened.map(|segment| Box::new(segment) as _)
    }

    fn data_file(&self) -> &'static str {
        "db"
    }
}

// === impl SledSegment ===

impl SledSegment {
    fn open(dir: &Path) -> Result<SledSegment, EngineError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match open_within(dir, OPEN_PATIENCE) {
                Err(EngineError::Locked { .. }) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20))
                }
                Err(error) => return Err(error),
                Ok(sled) => {
                    let file = File::open(dir.join("db"))
                        .map_err(|source| EngineError::disk("open", dir, source))?;
                    return Ok(SledSegment {
                        dir: dir.to_owned(),
                        sled: Some(sled),
                        file,
                    });
                }
            }
        }
    }

    /// One fenced call of sled.
    fn call<T: Send + 'static>(
        &mut self,
        action: &'static str,
        body: impl FnOnce(&sled::Db) -> sled::Result<T> + Send + 'static,
    ) -> Result<T, EngineError> {
        let Some(sled) = &self.sled else {
            return Err(EngineError::damaged(
                action,
                &self.dir,
                "sled panicked or hung here before".into(),
            ));
        };
        let why = match sled.call(body) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => return Err(translate(action, &self.dir, error)),
            Err(why) => why,
        };
        self.sled = None;
        Err(EngineError::damaged(action, &self.dir, why))
    }

    /// What sled has flushed is then on the medium.
    fn sync_data(&self) -> Result<(), EngineError> {
        self.file
            .sync_data()
            .map_err(|source| EngineError::disk("sync", &self.dir, source))
    }

    /// Puts the values of the block together; a missing chunk shows when it is unpacked.
    fn gather(db: &sled::Db, first: Seq) -> sled::Result<Block> {
        let mut bytes = Vec::new();
        for item in db.range(key(first, 0)..=key(first, u16::MAX)) {
            let (_, value) = item?;
            bytes.extend_from_slice(&value);
            if stored_block_len(&bytes).is_some_and(|len| bytes.len() >= len) {
                break;
            }
        }
        Ok(Block { first, bytes })
    }
}

impl Segment for SledSegment {
    fn append(&mut self, blocks: &[Block]) -> Result<(), EngineError> {
        let batch = batch(blocks);
        self.call("write", move |db| db.apply_batch(batch))
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.call("flush", |db| db.flush().map(drop))?;
        self.sync_data()
    }

    /// One call of sled for both steps: each costs two changes of threads.
    fn commit(&mut self, blocks: &[Block]) -> Result<(), EngineError> {
        let batch = batch(blocks);
        self.call("write", move |db| {
            db.apply_batch(batch)?;
            db.flush().map(drop)
        })?;
        self.sync_data()
    }

    fn block_holding(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.call("read", move |db| {
            match db.range(..=key(seq, u16::MAX)).next_back().transpose()? {
                Some((found, _)) => parse_key(&found)
                    .map(|(first, _)| Self::gather(db, first))
                    .transpose(),
                None => Ok(None),
            }
        })
    }

    fn block_from(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.call("read", move |db| {
            match db.range(key(seq, 0)..).next().transpose()? {
                Some((found, _)) => parse_key(&found)
                    .map(|(first, _)| Self::gather(db, first))
                    .transpose(),
                None => Ok(None),
            }
        })
    }

    fn disk_bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.blocks() * 512)
    }
}

fn batch(blocks: &[Block]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (key, value) in blocks.iter().flat_map(values) {
        batch.insert(&key, value);
    }
    batch
}

// === impl Fenced ===

impl Fenced {
    /// Runs `body` on the thread of the database; an error says how sled panicked, or that it took too long.
    fn call<T: Send + 'static>(
        &self,
        body: impl FnOnce(&sled::Db) -> sled::Result<T> + Send + 'static,
    ) -> Result<sled::Result<T>, String> {
        let (answer, answered) = mpsc::sync_channel(1); // one answer
        let job = move |db: &sled::Db| {
            let done = catch_unwind(AssertUnwindSafe(|| body(db)));
            drop(answer.send(done.map_err(|panic| panic_text(panic.as_ref())))); // nobody waits any more: it took too long
        };
        if self.jobs.send(Box::new(job)).is_err() {
            return Err("its thread has ended".into());
        }
        answered.recv_timeout(CALL_PATIENCE).unwrap_or_else(|_| {
            self.nudge();
            Err(format!("sled did not answer within {CALL_PATIENCE:?}"))
        })
    }

    /// Wakes a call that waits for a write that failed: sled told those who waited then, and not who came later.
    fn nudge(&self) {
        let db = self.db.clone();
        let woken = thread::Builder::new()
            .name("queue-nudge".into())
            .spawn(move || drop(catch_unwind(AssertUnwindSafe(|| db.flush()))));
        if let Err(error) = woken {
            tracing::warn!(%error, "a database that hangs could not be woken");
        }
    }
}

impl Drop for SledSegment {
    /// Waits until the database is closed; one that hangs is left behind, its files locked.
    fn drop(&mut self) {
        let Some(Fenced { jobs, ended, db }) = self.sled.take() else {
            return;
        };
        drop(db);
        drop(jobs);
        if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(CALL_PATIENCE) {
            tracing::warn!(dir = %self.dir.display(), "sled does not close; what was synced is safe");
        }
    }
}

/// The life of a database's thread: opens it, does the jobs until there are no more, closes it.
fn serve(
    path: &Path,
    opened: &SyncSender<Result<sled::Result<sled::Db>, String>>,
    jobs: &Receiver<Job>,
) {
    let config = sled::Config::default()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let result = catch_unwind(AssertUnwindSafe(|| config.open()));
    let result = result.map_err(|panic| panic_text(panic.as_ref()));
    let db = result
        .as_ref()
        .ok()
        .and_then(|db| db.as_ref().ok().cloned());
    if opened.send(result).is_err() {
        return; // it took too long, nobody waits any more
    }
    let Some(db) = db else {
        return;
    };
    while let Ok(job) = jobs.recv() {
        job(&db);
    }
    if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
        tracing::warn!(dir = %path.display(), "sled panicked while closing; what was synced is safe");
    }
}

// === opening ===

enum Snapshots {
    Unfinished,
    All,
}

/// Starts the thread of a database, and waits until it is open.
fn open_within(dir: &Path, patience: Duration) -> Result<Fenced, EngineError> {
    let (answer, opened) = mpsc::sync_channel(1); // one answer
    let (jobs, received) = mpsc::sync_channel(1);
    let (end, ended) = mpsc::sync_channel(0); // nothing is ever sent
    let path = dir.to_owned();
    let work = move || {
        serve(&path, &answer, &received);
        drop::<SyncSender<()>>(end);
    };
    thread::Builder::new()
        .name("queue-sled".into())
        .spawn(work)
        .map_err(|source| EngineError::disk("open", dir, source))?;
    match opened.recv_timeout(patience) {
        Ok(Ok(Ok(db))) => Ok(Fenced { jobs, ended, db }),
        Ok(Ok(Err(error))) => Err(translate("open", dir, error)),
        Ok(Err(panic)) => Err(EngineError::damaged("open", dir, panic)),
        Err(_) => Err(EngineError::damaged(
            "open",
            dir,
            format!("sled did not open it within {patience:?}"),
        )),
    }
}

/// Removes snapshot files; sled makes them anew.
fn remove_snapshots(dir: &Path, which: Snapshots) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let doomed = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("snap.")
            && (matches!(which, Snapshots::All) || name.ends_with(".generating"))
    });
    doomed.for_each(|entry| drop(fs::remove_file(entry.path()))); // one that stays is tried as it is
}

// === errors ===

fn translate(action: &'static str, dir: &Path, error: sled::Error) -> EngineError {
    match error {
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            EngineError::Locked {
                path: dir.to_owned(),
            }
        }
        sled::Error::Io(source) => EngineError::disk(action, dir, source),
        other => EngineError::damaged(action, dir, other.to_string()),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "sled panicked: {}",
        text.unwrap_or_else(|| "without a message".to_owned())
    )
}
