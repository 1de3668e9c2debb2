//! Names, retention, what is whole of a file, and a folder through a crash.

use std::{fs, io::Cursor};

use proptest::prelude::*;

use super::*;
use crate::{
    Clip, ClipLimits, ClipStep,
    testing::{film, frame, other_pictures, pictures},
};

const LIMITS: SegmentLimits = SegmentLimits {
    span: Duration::from_secs(10),
    bytes: 100_000_000,
};
const KEEP: Retention = Retention {
    bytes: u64::MAX,
    age: Duration::from_secs(1_000_000),
};

fn file(second: i64, bytes: u64) -> SegmentFile {
    SegmentFile {
        name: segment_name(Timestamp::from_millis(1000 * second)),
        bytes,
    }
}

#[test]
fn names_are_times() {
    let began = Timestamp::parse("2026-11-29T18:30:00.120500Z").unwrap();
    let name = segment_name(began);
    assert_eq!(name, "2026-11-29T18-30-00.120Z.mp4");
    assert_eq!(segment_began(&name).unwrap().millis(), began.millis());
    for other in [
        "a.mp4",
        "2026-11-29T18-30-00Z.mp4",
        "2026-11-29T18-30-00.120Z.mp4.part",
        "",
    ] {
        assert_eq!(segment_began(other), None, "{other}");
    }
}

#[test]
fn the_oldest_go_first_by_bytes_and_by_age() {
    let files = [file(30, 10), file(10, 10), file(20, 10), file(40, 10)];
    let goes = |bytes, age| {
        let retention = Retention {
            bytes,
            age: Duration::from_secs(age),
        };
        let now = Timestamp::from_millis(50_000);
        let names = too_many(&files, retention, now);
        let began: Vec<i64> = names
            .iter()
            .map(|name| segment_began(name).unwrap().millis() / 1000)
            .collect();
        began
    };
    assert!(goes(40, 100).is_empty());
    assert_eq!(goes(39, 100), [10]);
    assert_eq!(goes(15, 100), [10, 20, 30]);
    assert_eq!(goes(0, 100), [10, 20, 30, 40]);
    assert_eq!(goes(40, 25), [10, 20]);
    assert_eq!(goes(25, 35), [10, 20]);
}

/// A whole file of two seconds and where its fragments end.
fn whole_file() -> (Vec<u8>, Vec<usize>) {
    let limits = ClipLimits {
        until: Timestamp::from_nanos(i64::MAX),
        bytes: u64::MAX,
    };
    let (mut clip, beginning) = Clip::start(&[pictures()], limits).unwrap();
    let (mut bytes, mut ends) = (beginning.to_vec(), Vec::new());
    for frame in film(&pictures(), 0, 3, 50) {
        if let ClipStep::Goes(piece) = clip.push(&frame)
            && !piece.is_empty()
        {
            bytes.extend_from_slice(&piece);
            ends.push(bytes.len());
        }
    }
    (bytes, ends)
}

#[test]
fn a_file_is_whole_up_to_its_last_whole_fragment() {
    let (bytes, ends) = whole_file();
    assert_eq!(ends.len(), 2);
    for cut in 0..=bytes.len() {
        let whole = whole_length(&mut Cursor::new(&bytes[..cut])).unwrap();
        let expected = ends.iter().rev().find(|end| **end <= cut);
        assert_eq!(whole, expected.map_or(0, |end| *end as u64));
    }
}

#[test]
fn a_folder_fills_with_segments_that_begin_at_keyframes() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Retention {
        bytes: u64::MAX,
        age: Duration::from_secs(25),
    };
    let (mut recorder, taken_up) = Recorder::open(folder.path(), LIMITS, keep).unwrap();
    assert_eq!(taken_up, TakenUp::default());
    let tracks = [pictures()];
    let mut recorded = Vec::new();
    for frame in film(&pictures(), 0, 60, 100) {
        recorded.extend(recorder.push(&tracks, &frame).unwrap());
    }
    recorded.extend(recorder.finish().unwrap());
    assert_eq!(recorded.len(), 6);
    for one in &recorded {
        assert_eq!(
            (one.summary.frames, one.summary.starts_with_key),
            (250, true)
        );
    }
    let removed: usize = recorded.iter().map(|one| one.removed.len()).sum();
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    // What began within the last 25 seconds.
    assert_eq!((removed, left.len()), (4, 2));
    assert_eq!(left.last(), recorded.last().map(|one| &one.name));
    let bytes = fs::read(folder.path().join(&left[1])).unwrap();
    assert_eq!(bytes.len() as u64, recorded[5].summary.bytes);
}

#[test]
fn what_a_crash_left_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, ends) = whole_file();
    let cut = folder.path().join("2026-11-29T18-30-00.120Z.mp4.part");
    let empty = folder.path().join("2026-11-29T18-31-00.120Z.mp4.part");
    let others = folder.path().join("mine.part");
    fs::write(&cut, &bytes[..ends[1] - 1]).unwrap();
    fs::write(&empty, &bytes[..600]).unwrap();
    fs::write(&others, b"a").unwrap();
    let (_, taken_up) = Recorder::open(folder.path(), LIMITS, KEEP).unwrap();
    assert_eq!(taken_up.finished, ["2026-11-29T18-30-00.120Z.mp4"]);
    assert_eq!(taken_up.removed, ["2026-11-29T18-31-00.120Z.mp4.part"]);
    let finished = folder.path().join("2026-11-29T18-30-00.120Z.mp4");
    assert_eq!(fs::read(finished).unwrap(), &bytes[..ends[0]]);
    assert!(others.exists() && !cut.exists() && !empty.exists());
}

#[test]
fn other_parameters_and_too_many_bytes_begin_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SegmentLimits {
        bytes: 20_000,
        ..LIMITS
    };
    let (mut recorder, _) = Recorder::open(folder.path(), limits, KEEP).unwrap();
    let mut frames = film(&pictures(), 0, 5, 400);
    frames.push(frame(&other_pictures(), 5000, true, 100));
    let mut ends = Vec::new();
    for frame in &frames {
        let tracks = [frame.track.clone()];
        ends.extend(recorder.push(&tracks, frame).unwrap());
    }
    ends.extend(recorder.finish().unwrap());
    let ended: Vec<_> = ends.iter().map(|one| one.summary.end).collect();
    use crate::ClipEnd::{Complete, Full, ParametersChanged};
    assert_eq!(ended, [Full, Full, ParametersChanged, Complete]);
    assert!(ends.iter().all(|one| one.summary.bytes <= 20_000));
}

proptest! {
    #[test]
    fn any_bytes_have_a_whole_length(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..4000, value: u8) {
        let length = whole_length(&mut Cursor::new(&bytes)).unwrap();
        prop_assert!(length <= bytes.len() as u64);
        let (mut file, _) = whole_file();
        let at = at % file.len();
        file[at] = value;
        let length = whole_length(&mut Cursor::new(&file)).unwrap();
        prop_assert!(length <= file.len() as u64);
    }

    #[test]
    fn what_stays_is_within_the_retention(sizes in proptest::collection::vec(0u64..100, 0..30), bytes in 0u64..1000, age in 0u64..40) {
        let files: Vec<SegmentFile> = (0..).zip(sizes).map(|(second, bytes)| file(second, bytes)).collect();
        let retention = Retention { bytes, age: Duration::from_secs(age) };
        let goes = too_many(&files, retention, Timestamp::from_millis(30_000));
        let stays: Vec<&SegmentFile> = files.iter().filter(|file| !goes.contains(&file.name)).collect();
        prop_assert!(stays.iter().map(|file| file.bytes).sum::<u64>() <= bytes);
        prop_assert!(goes.iter().zip(&files).all(|(gone, file)| *gone == file.name));
    }
}
