//! What landed in a folder: the readings of all its files, in the order of their ids, and the files themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fieldgate_model::Timestamp;
use serde_json::Value as Json;

use crate::{received::Received, subscriber::Message, wait::until};

/// After an outage: the destination may wait half a minute before it tries again, and then has to catch up.
const DELIVERED: Duration = Duration::from_secs(120);

/// The files below a folder that end like this, by their names. What is just being written is none yet.
///
/// # Panics
/// When the folder cannot be looked at.
#[must_use]
pub fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        // One that is not made yet has nothing.
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("a folder that can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().is_some_and(|path| path.ends_with(end)) {
                found.push(path);
            }
        }
    }
    // By name and not by folder: names begin with the time, and end with the id.
    found.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    found
}

/// The readings of the requests that a web server put into files, each in the format `aio-json`.
///
/// # Panics
/// When a file is none, or an id comes back with another reading.
#[must_use]
pub fn received(folder: &Path) -> Received {
    let mut received = Received::default();
    let mut files = files(folder, ".json");
    // The id of its first reading.
    files.sort_by_key(|path| {
        let name = path.file_stem().and_then(|name| name.to_str());
        name.and_then(|name| name.rsplit('-').next())
            .map(str::to_owned)
    });
    for file in files {
        received.take(&Message {
            topic: "fieldgate/test/Line/data".to_owned(),
            payload: fs::read(file).expect("a file that is there"),
            retained: false,
            content_type: None,
            user_properties: Vec::new(),
        });
    }
    received
}

/// Waits until so many points have come at least as far as `at`.
#[track_caller]
pub fn wait_for(folder: &Path, points: usize, at: Timestamp) -> Received {
    let what = format!("{points} points to reach {at} in {}", folder.display());
    until(&what, DELIVERED, || {
        let received = received(folder);
        let by_point = received.by_point();
        let there = by_point.values();
        let there = there.filter(|readings| readings.iter().any(|reading| reading.at >= at));
        match there.count() {
            there if there >= points => Ok(received),
            there => Err(format!(
                "only {there} did, of {} readings",
                received.readings.len()
            )),
        }
    })
}

/// The lines of all files of JSON lines, in the order of the files.
///
/// # Panics
/// When a line is no JSON.
#[must_use]
pub fn lines(folder: &Path) -> Vec<Json> {
    let texts = files(folder, ".jsonl").into_iter().map(|file| {
        let text = fs::read_to_string(file).expect("a file that is there");
        // The last line may be under way.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        text[..whole].to_owned()
    });
    let line = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    texts
        .flat_map(|text| text.lines().map(line).collect::<Vec<Json>>())
        .collect()
}
