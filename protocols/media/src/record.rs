//! Continuous recording: a folder of MP4 files that begin at keyframes, each some time long, the oldest thrown away.
//!
//! What is decided is pure: [`segment_name`], [`too_many`], [`whole_length`]. [`Recorder`] does it, with blocking calls.

mod recorder;

use std::{
    io::{self, Read, Seek, SeekFrom},
    time::Duration,
};

use fieldgate_model::Timestamp;

pub use self::recorder::{Recorded, Recorder, TakenUp};

/// Of a file that is whole.
const FINISHED: &str = ".mp4";
/// Of one that is being written.
pub(crate) const UNFINISHED: &str = ".mp4.part";

/// When a file ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentLimits {
    /// At the first keyframe after so much time.
    pub span: Duration,
    /// Or before it would be larger.
    pub bytes: u64,
}

/// What is kept of a folder; whichever is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub bytes: u64,
    /// Since a file began.
    pub age: Duration,
}

/// A finished file of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentFile {
    pub name: String,
    pub bytes: u64,
}

/// The name of the file that began then; names sort as times do. No colon, which other systems forbid.
#[must_use]
pub fn segment_name(began: Timestamp) -> String {
    // Whole milliseconds, so that all are of one length.
    let millis = Timestamp::from_millis(began.millis());
    format!("{}{FINISHED}", millis.to_string().replace(':', "-"))
}

/// When the file of this name began; `None` when the name is none of ours.
#[must_use]
pub fn segment_began(name: &str) -> Option<Timestamp> {
    let (date, time) = name.strip_suffix(FINISHED)?.split_once('T')?;
    let began = Timestamp::parse(&format!("{date}T{}", time.replace('-', ":")))?;
    (segment_name(began) == name).then_some(began)
}

/// Which files go, the oldest first, so that the rest is within the retention. Files with other names are nobody's business.
#[must_use]
pub fn too_many(files: &[SegmentFile], retention: Retention, now: Timestamp) -> Vec<String> {
    let mut ours: Vec<(Timestamp, &SegmentFile)> = files
        .iter()
        .filter_map(|file| Some((segment_began(&file.name)?, file)))
        .collect();
    ours.sort();
    let mut bytes = ours
        .iter()
        .fold(0u64, |sum, (_, file)| sum.saturating_add(file.bytes));
    let age = i64::try_from(retention.age.as_nanos()).unwrap_or(i64::MAX);
    let oldest = now.nanos().saturating_sub(age);
    let goes = ours.into_iter().take_while(|(began, file)| {
        let goes = bytes > retention.bytes || began.nanos() < oldest;
        bytes = bytes.saturating_sub(file.bytes);
        goes
    });
    goes.map(|(_, file)| file.name.clone()).collect()
}

/// How many bytes of a file that was not finished are whole: its beginning and all fragments up to the first that is cut off. 0 when
/// there is no fragment.
///
/// # Errors
///
/// When it cannot be read.
pub fn whole_length(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut whole, mut moov) = (0u64, 0u64, false);
    while end - at >= 8 {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let [s0, s1, s2, s3, kind @ ..] = header;
        let size = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        // Ours have no box without a size, and none larger than 4 GiB.
        if size < 8 || size > end - at {
            break;
        }
        at += size;
        match &kind {
            b"moov" => moov = true,
            b"mdat" if moov => whole = at,
            b"ftyp" | b"moof" => {}
            _ => break,
        }
    }
    Ok(whole)
}

#[cfg(test)]
#[path = "record/tests.rs"]
mod tests;
