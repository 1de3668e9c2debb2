//! Recording all the time: the stream in files on this gateway's disk, the oldest of which go. The disk is written by a thread of its own.

use std::{fs, future::pending, io, path::Path, sync::Arc, time::Duration};

use fieldgate_kit::{SourceError, camera::Kept};
use fieldgate_media::{Frame, Recorder, Retention, SegmentLimits, Track, segment_began};
use fieldgate_model::{DropReason, Timestamp};
use tokio::sync::{broadcast::error::RecvError, mpsc};

use crate::source::Attempt;

/// Where, below the source's own folder.
const FOLDER: &str = "recorded";
/// Frames that wait for the disk; further ones are dropped and counted.
const WAITING: usize = 1024;
/// A file is at most so large.
const MOST_FILE: u64 = 512 << 20;

/// Records, if the settings say so.
///
/// # Errors
/// When the disk refuses.
pub(crate) async fn record(attempt: &Attempt) -> Result<(), SourceError> {
    let Some(wanted) = attempt.settings.record.clone() else {
        return pending().await;
    };
    let folder = attempt.ctx.state_dir.join(FOLDER);
    let shown = folder.display().to_string();
    let limits = SegmentLimits {
        span: wanted.segment.0,
        bytes: MOST_FILE,
    };
    let retention = Retention {
        bytes: wanted.keep.0,
        age: wanted.keep_for.map_or(Duration::MAX, |span| span.0),
    };
    let (write, mut frames) = mpsc::channel::<(Arc<[Arc<Track>]>, Frame)>(WAITING);
    let (told, mut tell) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || -> io::Result<()> {
        let (mut recorder, _) = Recorder::open(folder.clone(), limits, retention)?;
        while let Some((tracks, frame)) = frames.blocking_recv() {
            if recorder.push(&tracks, &frame)?.is_some() {
                // Full: the figures are renewed with the next file.
                let _ = told.try_send(kept(&folder)?);
            }
        }
        recorder.finish().map(drop)
    });
    let mut joined = attempt.eye.hub.join();
    let failed = |error: io::Error| {
        SourceError::Lost(format!("the recording in {shown} cannot go on: {error}"))
    };
    let mut writing = std::pin::pin!(writing);
    loop {
        tokio::select! {
            ended = &mut writing => {
                return match ended {
                    Ok(Err(error)) => Err(failed(error)),
                    Ok(Ok(())) | Err(_) => Err(SourceError::Lost("the recording ended".to_owned())),
                };
            }
            Some((bytes, since)) = tell.recv() => attempt.eye.state().kept = Some(Kept {
                bytes,
                most_bytes: wanted.keep.0,
                since,
                folder: shown.clone(),
            }),
            frame = joined.frames.recv() => match frame {
                Ok(frame) => {
                    let tracks: Arc<[Arc<Track>]> = attempt.eye.state().tracks.as_slice().into();
                    if write.try_send((tracks, frame)).is_err() {
                        attempt.ctx.readings.dropped(DropReason::NoRoom, 1);
                    }
                }
                Err(RecvError::Lagged(missed)) => attempt.ctx.readings.dropped(DropReason::NoRoom, missed),
                Err(RecvError::Closed) => return pending().await,
            }
        }
    }
}

/// How many bytes the finished files take, and when the oldest began.
fn kept(folder: &Path) -> io::Result<(u64, Option<Timestamp>)> {
    let (mut bytes, mut since) = (0, None);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(began) = entry.file_name().to_str().and_then(segment_began) else {
            continue;
        };
        bytes += entry.metadata()?.len();
        since = Some(since.map_or(began, |since: Timestamp| since.min(began)));
    }
    Ok((bytes, since))
}
