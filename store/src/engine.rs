//! sled 0.34.7 as the engine: the only file that knows it, and where each of its known faults is fenced in.
//!
//! - `flush()` is no durability barrier on Linux (`sync_file_range`), so every sync ends with `sync_all` on a handle of our own.
//! - `conf` is never synced by sled, nor are the directories: done once, at creation.
//! - A left-over `snap.*.generating` makes open fail (sled#1533): removed before; on damage all `snap.*` are removed and
//!   sled rebuilds from its log.
//! - It panics on damaged files: every call is fenced, and a handle that panicked is never touched again, not even dropped.
//! - It may still hold its lock shortly after a drop: opening waits up to 5 s.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc,
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

/// Keeps each generation in a sled database of its own.
pub(crate) struct SledStore;

struct SledSegment {
    dir: PathBuf,
    /// `None` once sled has panicked.
    db: Option<sled::Db>,
    file: File,
}

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
        match SledSegment::open(dir) {
            Err(EngineError::Damaged { .. }) if remove_snapshots(dir, Snapshots::All) > 0 => {
                SledSegment::open(dir).map(|segment| Box::new(segment) as _)
            }
            other => other.map(|segment| Box::new(segment) as _),
        }
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
                Ok(db) => {
                    let file = File::open(dir.join("db"))
                        .map_err(|source| EngineError::disk("open", dir, source))?;
                    return Ok(SledSegment {
                        dir: dir.to_owned(),
                        db: Some(db),
                        file,
                    });
                }
            }
        }
    }

    /// One fenced call of sled.
    fn call<T>(
        &mut self,
        action: &'static str,
        body: impl FnOnce(&sled::Db) -> sled::Result<T>,
    ) -> Result<T, EngineError> {
        let Some(db) = &self.db else {
            return Err(EngineError::damaged(
                action,
                &self.dir,
                "sled panicked here before".into(),
            ));
        };
        match catch_unwind(AssertUnwindSafe(|| body(db))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(translate(action, &self.dir, error)),
            Err(panic) => {
                self.forget();
                Err(EngineError::damaged(
                    action,
                    &self.dir,
                    panic_text(panic.as_ref()),
                ))
            }
        }
    }

    /// Leaks a handle whose state nobody knows: dropping it could panic again or wait for ever.
    fn forget(&mut self) {
        std::mem::forget(self.db.take());
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
        let mut batch = sled::Batch::default();
        for (key, value) in blocks.iter().flat_map(values) {
            batch.insert(&key, value);
        }
        self.call("write", |db| db.apply_batch(batch))
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.call("flush", |db| db.flush().map(drop))?;
        self.file
            .sync_all()
            .map_err(|source| EngineError::disk("sync", &self.dir, source))
    }

    fn block_holding(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.call("read", |db| {
            match db.range(..=key(seq, u16::MAX)).next_back().transpose()? {
                Some((found, _)) => parse_key(&found)
                    .map(|(first, _)| Self::gather(db, first))
                    .transpose(),
                None => Ok(None),
            }
        })
    }

    fn block_from(&mut self, seq: Seq) -> Result<Option<Block>, EngineError> {
        self.call("read", |db| {
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

impl Drop for SledSegment {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            let closed = catch_unwind(AssertUnwindSafe(|| drop(db)));
            if closed.is_err() {
                tracing::warn!(dir = %self.dir.display(), "sled panicked while closing; what was synced is safe");
            }
        }
    }
}

// === opening ===

enum Snapshots {
    Unfinished,
    All,
}

/// Opens on a thread of its own, so that a database that hangs sled does not hang the lane; that thread is then left behind.
fn open_within(dir: &Path, patience: Duration) -> Result<sled::Db, EngineError> {
    // Holds the one answer; when the wait is over the sender finds it disconnected and drops the handle.
    let (answer, answered) = mpsc::sync_channel(1);
    let path = dir.to_owned();
    let work = move || {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            sled::Config::default()
                .path(&path)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()
        }));
        drop(answer.send(opened));
    };
    thread::Builder::new()
        .name("queue-open".into())
        .spawn(work)
        .map_err(|source| EngineError::disk("open", dir, source))?;
    match answered.recv_timeout(patience) {
        Ok(Ok(Ok(db))) => Ok(db),
        Ok(Ok(Err(error))) => Err(translate("open", dir, error)),
        Ok(Err(panic)) => Err(EngineError::damaged(
            "open",
            dir,
            panic_text(panic.as_ref()),
        )),
        Err(_) => Err(EngineError::damaged(
            "open",
            dir,
            "sled did not open it within 20 s".into(),
        )),
    }
}

/// Removes snapshot files and says how many there were.
fn remove_snapshots(dir: &Path, which: Snapshots) -> usize {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let doomed = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("snap.")
            && (matches!(which, Snapshots::All) || name.ends_with(".generating"))
    });
    doomed
        .filter(|entry| fs::remove_file(entry.path()).is_ok())
        .count()
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
