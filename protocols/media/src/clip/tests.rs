//! Clips from beginning to end: what they hold, why they end, and that their hash is the file's.

use mp4_atom::{Any, Decode as _};
use proptest::prelude::*;

use super::*;
use crate::testing::{film, frame, other_pictures, pictures, sound};

fn limits(until_millis: i64, bytes: u64) -> ClipLimits {
    ClipLimits {
        until: Timestamp::from_millis(1_000_000 + until_millis),
        bytes,
    }
}

/// A clip of these frames, stopped when they are over.
fn clip(tracks: &[Arc<Track>], limits: ClipLimits, frames: &[Frame]) -> (Vec<u8>, ClipSummary) {
    let (mut clip, beginning) = Clip::start(tracks, limits).unwrap();
    let mut file = beginning.to_vec();
    for frame in frames {
        match clip.push(frame) {
            ClipStep::Goes(bytes) => file.extend_from_slice(&bytes),
            ClipStep::Ends(bytes) => {
                file.extend_from_slice(&bytes);
                break;
            }
        }
    }
    file.extend_from_slice(&clip.stop(ClipEnd::Stopped));
    (file, clip.summary())
}

/// Samples in a file that is whole.
fn samples(file: &[u8]) -> u64 {
    let mut rest = file;
    let mut samples = 0;
    while !rest.is_empty() {
        if let Any::Moof(moof) = Any::decode(&mut rest).unwrap() {
            let runs = moof.traf.iter().flat_map(|traf| &traf.trun);
            samples += runs.map(|run| run.samples.len() as u64).sum::<u64>();
        }
    }
    samples
}

#[test]
fn a_clip_ends_by_itself_with_all_that_it_should_have() {
    let film = film(&pictures(), 0, 20, 1000);
    let (file, summary) = clip(&[pictures()], limits(15_000, 10_000_000), &film);
    assert_eq!(summary.end, ClipEnd::Complete);
    assert_eq!(summary.duration, Duration::from_secs(15));
    assert_eq!((summary.frames, summary.keyframes), (376, 16));
    assert!(summary.starts_with_key);
    assert_eq!(summary.bytes, file.len() as u64);
    assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&file)));
    assert_eq!(samples(&file), 376);
    assert_eq!(summary.skipped, 0);
}

#[test]
fn a_clip_never_becomes_larger_than_it_may() {
    let film = film(&pictures(), 0, 20, 1000);
    let (file, summary) = clip(&[pictures()], limits(15_000, 100_000), &film);
    assert_eq!(summary.end, ClipEnd::Full);
    assert!(
        file.len() <= 100_000 && file.len() > 90_000,
        "{}",
        file.len()
    );
    assert_eq!(samples(&file), summary.frames);
}

#[test]
fn other_parameters_end_it() {
    let mut frames = film(&pictures(), 0, 2, 100);
    frames.push(frame(&other_pictures(), 2000, true, 100));
    let (file, summary) = clip(&[pictures()], limits(15_000, 1_000_000), &frames);
    assert_eq!(summary.end, ClipEnd::ParametersChanged);
    assert_eq!((summary.frames, samples(&file)), (50, 50));
}

#[test]
fn it_begins_with_a_keyframe_and_has_its_sound() {
    let (video, audio) = (pictures(), sound());
    let frames = [
        frame(&video, 0, false, 10),
        frame(&audio, 20, true, 10),
        frame(&video, 40, true, 10),
        frame(&audio, 41, true, 10),
        frame(&video, 80, false, 10),
    ];
    let (file, summary) = clip(&[video, audio], limits(15_000, 1_000_000), &frames);
    assert_eq!((summary.frames, summary.sound_frames), (2, 1));
    assert_eq!((summary.skipped, summary.end), (2, ClipEnd::Stopped));
    assert_eq!(samples(&file), 3);
    assert_eq!(summary.duration, Duration::from_millis(40));
}

#[test]
fn pieces_come_while_it_goes_on_and_its_end_can_be_moved() {
    let video = pictures();
    let (mut clip, _) =
        Clip::start(std::slice::from_ref(&video), limits(2_000, 1_000_000)).unwrap();
    clip.extend(Timestamp::from_millis(1_004_000));
    clip.extend(Timestamp::from_millis(1_001_000));
    let steps: Vec<ClipStep> = film(&video, 0, 5, 100)
        .iter()
        .map(|frame| clip.push(frame))
        .collect();
    let ended = steps
        .iter()
        .position(|step| matches!(step, ClipStep::Ends(_)));
    assert_eq!(ended, Some(100));
    let pieces = steps
        .iter()
        .filter(|step| matches!(step, ClipStep::Goes(bytes) if !bytes.is_empty()));
    // One a second: they end before keyframes.
    assert_eq!(pieces.count(), 3);
    assert!(clip.is_due(Timestamp::from_millis(0)));
    assert_eq!(
        clip.push(&frame(&video, 9_000, true, 1)),
        ClipStep::Ends(Bytes::new())
    );
}

#[test]
fn a_silent_camera_does_not_keep_it_open() {
    let (clip, _) = Clip::start(&[pictures()], limits(2_000, 1_000)).unwrap();
    assert!(!clip.is_due(Timestamp::from_millis(1_001_999)));
    assert!(clip.is_due(Timestamp::from_millis(1_002_000)));
    let nothing = clip.summary();
    assert!(!nothing.starts_with_key);
    assert_eq!((nothing.frames, nothing.duration), (0, Duration::ZERO));
}

proptest! {
    #[test]
    fn any_frames_make_a_whole_file_within_its_bytes(
        steps in proptest::collection::vec((0usize..3, -200i64..3000, any::<bool>(), 0usize..2000), 0..150),
        most in 2_000u64..60_000,
    ) {
        let tracks = [pictures(), sound(), other_pictures()];
        let mut now = 0;
        let frames: Vec<Frame> = steps
            .into_iter()
            .map(|(track, step, key, length)| {
                now += step;
                Frame {
                    seen: Timestamp::from_millis(1_000_000 + now),
                    pts: now * i64::from(tracks[track].timescale) / 1000,
                    ..frame(&tracks[track], 0, key, length)
                }
            })
            .collect();
        let (file, summary) = clip(&tracks[..2], limits(60_000, most), &frames);
        prop_assert!(file.len() as u64 <= most);
        prop_assert_eq!(summary.bytes, file.len() as u64);
        prop_assert!(samples(&file) <= summary.frames + summary.sound_frames);
        prop_assert_eq!(summary.frames > 0, summary.starts_with_key);
    }
}
