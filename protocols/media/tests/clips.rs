//! Pictures that were really coded, through the ring and a clip into a file, and one by one as a live view has them.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{fs, io::Cursor, path::Path, time::Duration};

use fieldgate_media::{
    Clip, ClipEnd, ClipLimits, ClipStep, Fmp4, Ring, RingLimits, mime, whole_length,
};
use fieldgate_model::Timestamp;
use sha2::{Digest as _, Sha256};

use support::film;

/// Files are left for a look with ffprobe.
fn leave(name: &str, bytes: &[u8]) {
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).unwrap();
}

#[test]
fn an_event_has_the_seconds_before_it_and_after_it() {
    let film = film(320, 240, 25 * 20);
    let mut ring = Ring::new(RingLimits {
        bytes: 16 * 1024 * 1024,
        span: Duration::from_secs(10),
    });
    let seconds = |number: i64| {
        let start = film.frames[0].seen.millis();
        Timestamp::from_millis(start + 1000 * number)
    };
    let event = film
        .frames
        .iter()
        .position(|frame| frame.seen == seconds(15));
    let (before, after) = film.frames.split_at(event.unwrap());
    for frame in before {
        ring.push(frame);
    }
    let stretches = ring.since(seconds(5));
    assert_eq!(stretches.len(), 1);
    let limits = ClipLimits {
        until: seconds(18),
        bytes: 64 * 1024 * 1024,
    };
    let (mut clip, beginning) = Clip::start(&stretches[0].tracks, limits).unwrap();
    let mut file = beginning.to_vec();
    let mut ended = false;
    for frame in stretches[0].frames.iter().chain(after) {
        let (ClipStep::Goes(bytes) | ClipStep::Ends(bytes)) = &clip.push(frame);
        file.extend_from_slice(bytes);
        ended |= clip.is_due(Timestamp::default());
    }
    assert!(ended);
    let summary = clip.summary();
    assert_eq!(summary.end, ClipEnd::Complete);
    assert_eq!(summary.duration, Duration::from_secs(13));
    assert_eq!(summary.frames, 13 * 25 + 1);
    assert!(summary.starts_with_key);
    assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&file)));
    let whole = whole_length(&mut Cursor::new(&file)).unwrap();
    assert_eq!(whole, file.len() as u64);
    leave("event.mp4", &file);
}

#[test]
fn a_live_view_gets_a_fragment_for_each_picture() {
    let film = film(320, 240, 75);
    let tracks = [film.track.clone()];
    assert!(
        mime(&tracks)
            .unwrap()
            .starts_with("video/mp4; codecs=\"avc1.")
    );
    let (mut writer, beginning) = Fmp4::new(&tracks).unwrap();
    let mut file = beginning.to_vec();
    for frame in &film.frames {
        let fragment = writer.fragment(std::slice::from_ref(frame));
        assert!(fragment.len() < frame.data.len() + 128);
        file.extend_from_slice(&fragment);
    }
    let whole = whole_length(&mut Cursor::new(&file)).unwrap();
    assert_eq!(whole, file.len() as u64);
    leave("live.mp4", &file);
}
