//! What a ring keeps: keyframes first, within its bytes, as many seconds as were asked for.

use proptest::prelude::*;

use super::*;
use crate::testing::{film, frame, other_pictures, pictures, sound};

const LIMITS: RingLimits = RingLimits {
    bytes: 1_000_000,
    span: Duration::from_secs(10),
};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn ring(limits: RingLimits, frames: &[Frame]) -> Ring {
    let mut ring = Ring::new(limits);
    for frame in frames {
        ring.push(frame);
    }
    ring
}

#[test]
fn ten_seconds_are_kept_and_the_oldest_group_goes() {
    let ring = ring(LIMITS, &film(&pictures(), 0, 30, 100));
    let held = ring.held();
    assert!(held.span >= Duration::from_secs(10) && held.span < Duration::from_secs(12));
    assert_eq!(held.frames % 25, 0);
    assert!(held.bytes >= 100 * held.frames && held.bytes <= LIMITS.bytes);
    assert_eq!(ring.passed_over(), 0);
}

#[test]
fn the_bytes_are_a_bound() {
    let limits = RingLimits {
        bytes: 30_000,
        ..LIMITS
    };
    let ring = ring(limits, &film(&pictures(), 0, 30, 500));
    assert!(ring.held().bytes <= 30_000);
    assert!(ring.since(at(0))[0].frames[0].key);
}

#[test]
fn one_group_that_is_too_large_is_given_up_until_the_next_keyframe() {
    let limits = RingLimits {
        bytes: 5_000,
        ..LIMITS
    };
    let mut ring = ring(limits, &film(&pictures(), 0, 1, 500));
    assert_eq!(ring.held(), Held::default());
    assert_eq!(ring.passed_over(), 25);
    assert!(ring.since(at(0)).is_empty());
    ring.push(&frame(&pictures(), 1000, true, 500));
    assert_eq!(ring.held().frames, 1);
}

#[test]
fn what_comes_before_a_keyframe_is_no_use() {
    let ring = ring(
        LIMITS,
        &[
            frame(&sound(), 0, true, 10),
            frame(&pictures(), 0, false, 10),
        ],
    );
    assert_eq!((ring.held().frames, ring.passed_over()), (0, 2));
}

#[test]
fn since_a_moment_goes_back_to_the_keyframe_before_it() {
    let ring = ring(LIMITS, &film(&pictures(), 0, 8, 100));
    let since = |millis| ring.since(at(millis))[0].frames[0].seen;
    assert_eq!(since(3_500), at(3_000));
    assert_eq!(since(3_000), at(3_000));
    assert_eq!(since(2_999), at(2_000));
    assert_eq!(since(-5_000), at(0));
    assert_eq!(since(99_000), at(7_000));
}

#[test]
fn a_change_of_parameters_makes_two_stretches() {
    let mut frames = film(&pictures(), 0, 2, 100);
    // The keyframe of the new ones is missing: nothing before the next can be decoded.
    frames.push(frame(&other_pictures(), 2000, false, 100));
    frames.extend(film(&other_pictures(), 2040, 2, 100));
    let ring = ring(LIMITS, &frames);
    let stretches = ring.since(at(0));
    assert_eq!(stretches.len(), 2);
    assert_eq!(ring.passed_over(), 1);
    for stretch in &stretches {
        assert_eq!((stretch.frames.len(), stretch.tracks.len()), (50, 1));
        assert!(stretch.frames[0].key);
    }
    // A new connection with the same parameters is none.
    let mut frames = film(&pictures(), 0, 2, 100);
    frames.extend(film(&pictures(), 2000, 2, 100));
    assert_eq!(self::ring(LIMITS, &frames).since(at(0)).len(), 1);
}

#[test]
fn sound_is_kept_with_its_pictures() {
    let frames = [
        frame(&pictures(), 0, true, 10),
        frame(&sound(), 5, true, 10),
        frame(&pictures(), 40, false, 10),
    ];
    let stretches = ring(LIMITS, &frames).since(at(0));
    assert_eq!(stretches[0].tracks.len(), 2);
    assert_eq!(stretches[0].frames, frames);
}

proptest! {
    #[test]
    fn whatever_comes_it_is_bounded_and_begins_at_a_keyframe(
        steps in proptest::collection::vec((0usize..3, -500i64..2000, any::<bool>(), 0usize..400), 0..200),
        bytes in 0usize..8000,
    ) {
        let tracks = [pictures(), other_pictures(), sound()];
        let mut ring = Ring::new(RingLimits { bytes, span: Duration::from_secs(5) });
        let mut now = 0;
        for (track, step, key, length) in steps {
            now += step;
            ring.push(&Frame { seen: at(now), ..frame(&tracks[track], 0, key, length) });
            prop_assert!(ring.held().bytes <= bytes);
        }
        for stretch in ring.since(at(0)) {
            prop_assert!(stretch.frames[0].key);
            prop_assert!(stretch.frames[0].track.width > 0);
            let pictures: Vec<_> = stretch.frames.iter().filter(|frame| frame.track.width > 0).collect();
            prop_assert!(pictures.iter().all(|frame| same_track(&frame.track, &pictures[0].track)));
        }
    }
}
