//! Scenes: somebody walks through, the sun goes, a lamp is switched on, lightning.

use proptest::prelude::*;

use super::*;

const WIDTH: u16 = 64;
const HEIGHT: u16 = 36;

fn settings() -> MotionSettings {
    MotionSettings {
        zones: Vec::new(),
        threshold: 20,
        area: 0.02,
        pictures: 1,
        quiet: Duration::from_secs(3),
    }
}

/// A scene of stripes, with a change of light everywhere and a bright square of some pixels at (x, y).
fn scene(light: i32, square: Option<(u16, u16, u16)>) -> Luma {
    let mut pixels = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let mut pixel = 80 + i32::from(x % 8) * 8 + light;
            if let Some((left, top, size)) = square
                && (left..left + size).contains(&x)
                && (top..top + size).contains(&y)
            {
                pixel = 250;
            }
            pixels.push(u8::try_from(pixel.clamp(0, 255)).unwrap());
        }
    }
    Luma {
        width: WIDTH,
        height: HEIGHT,
        pixels: pixels.into(),
    }
}

/// One picture a second; in which seconds it began and ended.
fn changes(settings: MotionSettings, scenes: &[Luma]) -> Vec<(usize, MotionChange)> {
    let mut motion = Motion::new(settings).unwrap();
    let mut found = Vec::new();
    for (second, luma) in scenes.iter().enumerate() {
        let at = Timestamp::from_millis(1000 * i64::try_from(second).unwrap());
        let step = motion.look(luma, at);
        if step.change != MotionChange::None {
            found.push((second, step.change));
        }
        assert_eq!(
            motion.is_moving(),
            found
                .last()
                .is_some_and(|last| last.1 == MotionChange::Began)
        );
    }
    found
}

fn still(seconds: usize) -> Vec<Luma> {
    vec![scene(0, None); seconds]
}

#[test]
fn somebody_walks_through() {
    let mut scenes = still(5);
    scenes.extend((0..5).map(|step| scene(0, Some((step * 10, 10, 10)))));
    scenes.extend(still(10));
    assert_eq!(
        changes(settings(), &scenes),
        [(5, MotionChange::Began), (12, MotionChange::Ended)]
    );
}

#[test]
fn a_pause_within_it_does_not_end_it() {
    let mut scenes = still(5);
    for step in [0, 99, 20, 99, 30, 99] {
        let square = (step < 99).then_some((step, 10, 10));
        scenes.push(scene(0, square));
    }
    scenes.extend(still(5));
    assert_eq!(changes(settings(), &scenes).len(), 2);
}

#[test]
fn what_is_small_or_elsewhere_is_none() {
    let mut scenes = still(5);
    scenes.extend((0..5).map(|step| scene(0, Some((step * 10, 10, 4)))));
    assert_eq!(changes(settings(), &scenes), []);
    let mut scenes = still(5);
    scenes.extend((0..5).map(|_| scene(0, Some((0, 10, 10)))));
    let right = Zone::Polygon(vec![(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]);
    let only_right = MotionSettings {
        zones: vec![right],
        ..settings()
    };
    assert_eq!(changes(only_right, &scenes), []);
}

#[test]
fn a_small_zone_that_is_all_motion_is_enough() {
    let mut scenes = still(5);
    scenes.push(scene(0, Some((10, 10, 3))));
    let small = Zone::Rectangle {
        left: 0.15,
        top: 0.27,
        right: 0.21,
        bottom: 0.37,
    };
    let zoned = MotionSettings {
        zones: vec![
            Zone::Polygon(vec![(0.9, 0.9), (1.0, 0.9), (1.0, 1.0)]),
            small,
        ],
        area: 0.5,
        ..settings()
    };
    let mut motion = Motion::new(zoned.clone()).unwrap();
    let steps: Vec<MotionStep> = scenes
        .iter()
        .map(|luma| motion.look(luma, Timestamp::default()))
        .collect();
    assert_eq!((steps[5].change, steps[5].zone), (MotionChange::Began, 1));
}

#[test]
fn two_pictures_may_be_asked_for() {
    let two = MotionSettings {
        pictures: 2,
        ..settings()
    };
    let mut scenes = still(5);
    scenes.push(scene(0, Some((0, 10, 10))));
    scenes.extend(still(5));
    assert_eq!(changes(two.clone(), &scenes), []);
    scenes.extend((0..2).map(|step| scene(0, Some((step * 10, 10, 10)))));
    assert_eq!(changes(two, &scenes), [(12, MotionChange::Began)]);
}

#[test]
fn the_sun_goes_down_and_nothing_moves() {
    let scenes: Vec<Luma> = (0..120).map(|second| scene(60 - second, None)).collect();
    assert_eq!(changes(settings(), &scenes), []);
}

#[test]
fn lightning_and_a_lamp_are_light() {
    let mut scenes = still(5);
    scenes.push(scene(120, None));
    scenes.extend(still(5));
    assert_eq!(changes(settings(), &scenes), []);
    let mut scenes = still(5);
    scenes.extend((0..5).map(|_| scene(100, None)));
    // And in the new light somebody walks.
    scenes.push(scene(100, Some((20, 10, 12))));
    assert_eq!(changes(settings(), &scenes), [(10, MotionChange::Began)]);
    let dark = |pixels: &Luma| Luma {
        pixels: pixels.pixels.iter().map(|pixel| 255 - pixel).collect(),
        ..pixels.clone()
    };
    // Another scene altogether: the camera was turned.
    let mut scenes = still(5);
    scenes.extend((0..5).map(|_| dark(&scene(0, None))));
    assert_eq!(changes(settings(), &scenes), []);
}

#[test]
fn what_came_to_stay_is_learnt() {
    let mut scenes = still(5);
    scenes.extend((0..900).map(|_| scene(0, Some((10, 10, 10)))));
    let found = changes(settings(), &scenes);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], (5, MotionChange::Began));
}

#[test]
fn wrong_settings_are_told() {
    let wrong = |zones: Vec<Zone>, area: f32| {
        Motion::new(MotionSettings {
            zones,
            area,
            ..settings()
        })
        .unwrap_err()
    };
    let line = Zone::Polygon(vec![(0.0, 0.0), (1.0, 1.0)]);
    assert_eq!(wrong(vec![Zone::whole(), line], 0.1), MotionError::Zone(2));
    assert_eq!(wrong(vec![Zone::whole(); 33], 0.1), MotionError::Zones(33));
    assert_eq!(wrong(Vec::new(), f32::NAN), MotionError::Area);
}

proptest! {
    #[test]
    fn any_thumbnails_are_no_panic(
        pictures in proptest::collection::vec((0u16..9, 0u16..9, any::<i64>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..30),
        corners in proptest::collection::vec((0f32..=1.0, 0f32..=1.0), 3..8),
    ) {
        let zoned = MotionSettings { zones: vec![Zone::Polygon(corners)], ..settings() };
        let mut motion = Motion::new(zoned).unwrap();
        for (width, height, at, mut pixels) in pictures {
            if pixels.len() % 3 > 0 {
                pixels.resize(usize::from(width * height), 9);
            }
            let step = motion.look(&Luma { width, height, pixels: pixels.into() }, Timestamp::from_nanos(at));
            prop_assert!((0.0..=1.0).contains(&step.area));
        }
    }
}
