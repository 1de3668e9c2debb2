//! `Recorder`: writes a folder of segments. Every call may block on the disk; it is to be called where that is allowed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use fieldgate_model::Timestamp;

use super::{
    Retention, SegmentFile, SegmentLimits, UNFINISHED, segment_began, segment_name, too_many,
    whole_length,
};
use crate::{Clip, ClipEnd, ClipLimits, ClipStep, ClipSummary, Frame, Track, TrackKind};

/// Writes one camera's folder.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    limits: SegmentLimits,
    retention: Retention,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    name: String,
    clip: Clip,
    began: Timestamp,
}

/// A file that is finished, and what it made superfluous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub name: String,
    pub summary: ClipSummary,
    /// Files that were thrown away, the oldest first.
    pub removed: Vec<String>,
}

/// What was found of an earlier run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenUp {
    /// Unfinished files that hold pictures: they are finished now.
    pub finished: Vec<String>,
    /// Unfinished files without any: they are gone.
    pub removed: Vec<String>,
}

// === impl Recorder ===

impl Recorder {
    /// Opens a folder, makes it if it is not there, and puts in order what was left unfinished.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, read or written.
    pub fn open(
        folder: impl Into<PathBuf>,
        limits: SegmentLimits,
        retention: Retention,
    ) -> io::Result<(Self, TakenUp)> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let taken_up = take_up(&folder)?;
        let recorder = Self {
            folder,
            limits,
            retention,
            open: None,
        };
        Ok((recorder, taken_up))
    }

    /// Takes the next frame. A file that is finished by it is told.
    ///
    /// # Errors
    ///
    /// When the disk refuses, or no track can be written. The file that was open is given up as far as it is whole, and the next
    /// keyframe begins another.
    pub fn push(&mut self, tracks: &[Arc<Track>], frame: &Frame) -> io::Result<Option<Recorded>> {
        let mut recorded = None;
        if self.is_over(frame) {
            recorded = self.finish()?;
        }
        if self.write(frame)? {
            // Of other parameters, or too large: it belongs to the next file.
            recorded = self.finish()?.or(recorded);
        }
        if self.open.is_none() && begins(tracks, frame) {
            self.begin(tracks, frame)?;
            self.write(frame)?;
        }
        Ok(recorded)
    }

    /// Finishes the file that is open, synced and under its own name.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn finish(&mut self) -> io::Result<Option<Recorded>> {
        let Some(Open {
            mut file,
            name,
            mut clip,
            ..
        }) = self.open.take()
        else {
            return Ok(None);
        };
        file.write_all(&clip.stop(ClipEnd::Complete))?;
        file.sync_data()?;
        drop(file);
        let unfinished = self.folder.join(unfinished(&name));
        let summary = clip.summary();
        if summary.frames == 0 {
            fs::remove_file(unfinished)?;
            return Ok(None);
        }
        fs::rename(unfinished, self.folder.join(&name))?;
        sync_folder(&self.folder)?;
        let now = summary.last;
        let removed = apply_retention(&self.folder, self.retention, now)?;
        Ok(Some(Recorded {
            name,
            summary,
            removed,
        }))
    }

    /// A segment ends before a keyframe.
    fn is_over(&self, frame: &Frame) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let nanos = frame.seen.nanos().saturating_sub(open.began.nanos());
        // A clock that went back makes a new file, so that names go on sorting.
        let over = u64::try_from(nanos).map_or(true, |nanos| {
            u128::from(nanos) >= self.limits.span.as_nanos()
        });
        over && frame.key && frame.track.codec.kind() == TrackKind::Picture
    }

    fn begin(&mut self, tracks: &[Arc<Track>], frame: &Frame) -> io::Result<()> {
        let limits = ClipLimits {
            until: Timestamp::from_nanos(i64::MAX),
            bytes: self.limits.bytes,
        };
        let (clip, beginning) = Clip::start(tracks, limits).map_err(io::Error::other)?;
        let name = segment_name(frame.seen);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(self.folder.join(unfinished(&name)))?;
        file.write_all(&beginning)?;
        self.open = Some(Open {
            file,
            name,
            clip,
            began: frame.seen,
        });
        Ok(())
    }

    /// Whether the file that is open has ended with this frame, which is not in it then.
    fn write(&mut self, frame: &Frame) -> io::Result<bool> {
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        let (bytes, ended) = match open.clip.push(frame) {
            ClipStep::Goes(bytes) => (bytes, false),
            ClipStep::Ends(bytes) => (bytes, true),
        };
        if let Err(error) = open.file.write_all(&bytes) {
            // What is whole of it is taken up at the next start.
            self.open = None;
            return Err(error);
        }
        Ok(ended)
    }
}

/// Throws away what is more than the retention allows, and tells what went.
fn apply_retention(folder: &Path, retention: Retention, now: Timestamp) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && segment_began(&name).is_some()
        {
            let bytes = entry.metadata()?.len();
            files.push(SegmentFile { name, bytes });
        }
    }
    let goes = too_many(&files, retention, now);
    for name in &goes {
        fs::remove_file(folder.join(name))?;
    }
    Ok(goes)
}

fn take_up(folder: &Path) -> io::Result<TakenUp> {
    let mut taken_up = TakenUp::default();
    for entry in fs::read_dir(folder)? {
        let Ok(found) = entry?.file_name().into_string() else {
            continue;
        };
        let Some(stem) = found.strip_suffix(UNFINISHED) else {
            continue;
        };
        let name = format!("{stem}{}", super::FINISHED);
        if segment_began(&name).is_none() {
            continue;
        }
        let path = folder.join(&found);
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let whole = whole_length(&mut file)?;
        if whole == 0 {
            fs::remove_file(&path)?;
            taken_up.removed.push(found);
            continue;
        }
        file.set_len(whole)?;
        file.sync_data()?;
        fs::rename(&path, folder.join(&name))?;
        taken_up.finished.push(name);
    }
    sync_folder(folder)?;
    Ok(taken_up)
}

fn begins(tracks: &[Arc<Track>], frame: &Frame) -> bool {
    let pictures = |track: &Arc<Track>| track.codec.kind() == TrackKind::Picture;
    frame.key && (pictures(&frame.track) || !tracks.iter().any(pictures))
}

fn unfinished(name: &str) -> String {
    format!("{name}.part")
}

/// A rename lasts when the folder is synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
