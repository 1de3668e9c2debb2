//! Readings as JSON lines: appended, synced, rotated; what a crash left half is cut off, and what comes again is there once.
//!
//! After a crash the forwarder sends again what it does not know to be written. So the first batches of a link are compared with
//! the end of what is there, as far back as they reach.

mod tail;

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use fieldgate_kit::{Sequenced, SinkError, path::file_name};
use fieldgate_model::Timestamp;

use crate::{
    folder::{self, Folder},
    names::{LINES, own_time},
    settings::Rotate,
    words::explain,
};

/// Of so many folders it is remembered which file is added to. All are looked up again when there are more.
const MOST_FOLDERS: usize = 1024;

/// Where readings are added.
pub(crate) struct Lines {
    rotate: Rotate,
    gateway_id: String,
    folders: HashMap<String, Series>,
}

/// A reading as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub sequenced: &'a Sequenced,
    pub id: &'a str,
    pub json: &'a [u8],
}

/// The files of one folder, one after the other.
#[derive(Default)]
struct Series {
    /// The file that is added to.
    current: Option<Current>,
    /// By lane: what was there already when this link began, or nothing more once a batch was all new.
    there: HashMap<char, HashSet<u64>>,
}

struct Current {
    path: PathBuf,
    bytes: u64,
    started: Timestamp,
}

// === impl Lines ===

impl Lines {
    pub fn new(rotate: Rotate, gateway_id: &str) -> Self {
        Self {
            rotate,
            gateway_id: gateway_id.to_owned(),
            folders: HashMap::new(),
        }
    }

    /// The files that are being added to.
    pub fn in_use(&self) -> impl Iterator<Item = &Path> {
        let series = self.folders.values();
        series.filter_map(|series| series.current.as_ref().map(|current| &*current.path))
    }

    /// Adds lines to the files of a folder, in their order, and syncs them.
    pub fn append(
        &mut self,
        to: &Folder,
        below: &str,
        lines: &[Line<'_>],
    ) -> Result<(), SinkError> {
        let folder = to.make(below)?;
        if self.folders.len() >= MOST_FOLDERS && !self.folders.contains_key(below) {
            self.folders.clear();
        }
        // Taken out, so that nothing is remembered of one that failed half-way.
        let mut series = match self.folders.remove(below) {
            Some(series) => series,
            None => self.found(&folder)?,
        };
        let fresh = series.fresh(&folder, &self.gateway_id, lines)?;
        let mut buffer = Vec::new();
        for line in fresh {
            let seen = line.sequenced.reading.seen;
            if series.is_full(&self.rotate, buffer.len(), seen) {
                series.write(&mut buffer)?;
                series.current = None;
            }
            series.current.get_or_insert_with(|| Current {
                path: folder.join(file_name(seen, line.id, "application/x-ndjson")),
                bytes: 0,
                started: seen,
            });
            buffer.extend_from_slice(line.json);
            buffer.push(b'\n');
        }
        series.write(&mut buffer)?;
        self.folders.insert(below.to_owned(), series);
        Ok(())
    }

    /// What an earlier link left: its last file is added to, without the line that a crash left half.
    fn found(&self, folder: &Path) -> Result<Series, SinkError> {
        let Some((started, path)) = newest(folder, &self.gateway_id)?.pop() else {
            return Ok(Series::default());
        };
        let file = folder::open(&path)?;
        let whole = tail::whole_lines(&file).map_err(|error| explain(&error, &path))?;
        let mended = file.set_len(whole).and_then(|()| file.sync_all());
        mended.map_err(|error| explain(&error, &path))?;
        Ok(Series {
            current: Some(Current {
                path,
                bytes: whole,
                started,
            }),
            there: HashMap::new(),
        })
    }
}

// === impl Series ===

impl Series {
    /// The lines that are not there yet.
    fn fresh<'a>(
        &mut self,
        folder: &Path,
        gateway_id: &str,
        lines: &[Line<'a>],
    ) -> Result<Vec<Line<'a>>, SinkError> {
        let lane_of = |line: &Line<'_>| line.sequenced.origin.lane;
        let lanes: HashSet<char> = lines.iter().map(lane_of).collect();
        for &lane in &lanes {
            if self.there.contains_key(&lane) {
                continue;
            }
            let of_lane = lines.iter().map(|line| line.sequenced.origin);
            let first = of_lane
                .filter(|origin| origin.lane == lane)
                .map(|origin| origin.seq);
            let from = first.min().unwrap_or_default();
            let files = newest(folder, gateway_id)?;
            let files: Vec<PathBuf> = files.into_iter().rev().map(|(_, path)| path).collect();
            let there = tail::ids(&files, gateway_id, lane, from)?;
            self.there.insert(lane, there);
        }
        let is_there = |line: &Line<'_>| {
            let origin = line.sequenced.origin;
            let there = self.there.get(&origin.lane);
            there.is_some_and(|there| there.contains(&origin.seq))
        };
        let (again, fresh): (Vec<Line<'_>>, Vec<Line<'_>>) =
            lines.iter().copied().partition(is_there);
        for &lane in &lanes {
            // What was sent again of this lane has been seen: from here on all is new.
            if !again.iter().any(|line| lane_of(line) == lane) {
                self.there.insert(lane, HashSet::new());
            }
        }
        Ok(fresh)
    }

    fn is_full(&self, rotate: &Rotate, waiting: usize, seen: Timestamp) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let age = seen.nanos().saturating_sub(current.started.nanos());
        let bytes = current.bytes + waiting as u64;
        (bytes >= rotate.bytes.0 && bytes > 0)
            || u128::try_from(age).is_ok_and(|age| age >= rotate.age.0.as_nanos())
    }

    /// Adds what waits to the current file, and has it on the disk.
    fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), SinkError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        if buffer.is_empty() {
            return Ok(());
        }
        let path = &current.path;
        let mut file = folder::open_to_append(path)?;
        let written = file.write_all(buffer).and_then(|()| file.sync_all());
        written.map_err(|error| explain(&error, path))?;
        if let Some(parent) = path.parent().filter(|_| current.bytes == 0) {
            folder::sync(parent)?;
        }
        current.bytes += buffer.len() as u64;
        buffer.clear();
        Ok(())
    }
}

/// Our files of readings in a folder, by their times.
fn newest(folder: &Path, gateway_id: &str) -> Result<Vec<(Timestamp, PathBuf)>, SinkError> {
    let entries = fs::read_dir(folder).map_err(|error| explain(&error, folder))?;
    let ours = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str().filter(|name| name.ends_with(LINES))?;
        Some((own_time(name, gateway_id)?, entry.path()))
    };
    let mut files: Vec<(Timestamp, PathBuf)> =
        entries.filter_map(|entry| ours(entry.ok()?)).collect();
    files.sort();
    Ok(files)
}
