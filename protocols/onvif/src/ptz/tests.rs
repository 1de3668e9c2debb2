//! Tests of `ptz.rs`: people's words and the device's ranges.

use proptest::prelude::*;

use super::*;

fn plane(x: (f64, f64), y: (f64, f64)) -> Option<Plane> {
    let bounds = |(min, max)| Bounds { min, max };
    Some(Plane {
        space: "space".to_owned(),
        x: bounds(x),
        y: bounds(y),
    })
}

fn line(min: f64, max: f64) -> Option<Line> {
    Some(Line {
        space: "line".to_owned(),
        x: Bounds { min, max },
    })
}

fn ranges() -> PtzRanges {
    PtzRanges {
        place: plane((-180.0, 180.0), (-90.0, 30.0)),
        zoom_place: line(1.0, 11.0),
        step: plane((-1.0, 1.0), (-1.0, 1.0)),
        velocity: plane((-100.0, 50.0), (-1.0, 1.0)),
        zoom_velocity: line(-8.0, 8.0),
        speed: line(0.0, 10.0),
        ..PtzRanges::default()
    }
}

fn wish(pan_tilt: Option<(f64, f64)>, zoom: Option<f64>) -> Wish {
    Wish {
        pan_tilt,
        zoom,
        speed: None,
    }
}

#[test]
fn places_go_from_edge_to_edge() {
    let ranges = ranges();
    let check = |pan_tilt, zoom, expected: ((f64, f64), f64)| {
        let movement = ranges.to_place(&wish(Some(pan_tilt), Some(zoom))).unwrap();
        let (at, near) = (movement.pan_tilt.unwrap(), movement.zoom.unwrap());
        assert_eq!(((at.x, at.y), near.x), expected);
    };
    check((0.0, 0.0), 0.0, ((0.0, -30.0), 1.0));
    check((1.0, 1.0), 1.0, ((180.0, 30.0), 11.0));
    check((-1.0, -1.0), 0.5, ((-180.0, -90.0), 6.0));
    check((-9.0, 9.0), 9.0, ((-180.0, 30.0), 11.0));
}

#[test]
fn a_standstill_is_a_standstill_where_one_way_is_faster() {
    let ranges = ranges();
    for (wished, expected) in [
        (0.0, 0.0),
        (0.5, 25.0),
        (-0.5, -50.0),
        (1.0, 50.0),
        (-1.0, -100.0),
    ] {
        let movement = ranges
            .with_velocity(&wish(Some((wished, 0.0)), None))
            .unwrap();
        assert_eq!(movement.pan_tilt.unwrap().x, expected);
        assert_eq!(movement.zoom, None);
    }
}

#[test]
fn what_the_device_cannot_is_said() {
    let ranges = ranges();
    assert_eq!(
        ranges.by_step(&wish(None, Some(0.1))),
        Err(WishError::NoZoomStep)
    );
    assert_eq!(
        PtzRanges::default().to_place(&wish(Some((0.0, 0.0)), None)),
        Err(WishError::NoPlace)
    );
    assert_eq!(ranges.to_place(&wish(None, None)), Err(WishError::Nothing));
    assert_eq!(
        ranges.to_place(&wish(Some((f64::NAN, 0.0)), None)),
        Err(WishError::NoNumber)
    );
    let fast = Wish {
        speed: Some(0.5),
        ..wish(Some((0.0, 0.0)), Some(0.0))
    };
    let movement = ranges.to_place(&fast).unwrap();
    assert_eq!(movement.pan_tilt_speed.unwrap().x, 5.0);
    assert_eq!(movement.zoom_speed, None);
}

proptest! {
    #[test]
    fn a_place_comes_back_as_it_was_wished(pan in -1.0..=1.0f64, tilt in -1.0..=1.0f64, zoom in 0.0..=1.0f64) {
        let ranges = ranges();
        let movement = ranges.to_place(&wish(Some((pan, tilt)), Some(zoom))).unwrap();
        let back = ranges.place_of(movement.pan_tilt.as_ref(), movement.zoom.as_ref());
        let (x, y) = back.pan_tilt.unwrap();
        prop_assert!((x - pan).abs() < 1e-9 && (y - tilt).abs() < 1e-9 && (back.zoom.unwrap() - zoom).abs() < 1e-9);
    }

    #[test]
    fn nothing_leaves_the_devices_range(pan in any::<f64>(), tilt in any::<f64>(), min in -1e9..0.0f64, max in 0.0..1e9f64) {
        let ranges = PtzRanges { place: plane((min, max), (min, max)), velocity: plane((min, max), (min, max)), ..PtzRanges::default() };
        for made in [ranges.to_place(&wish(Some((pan, tilt)), None)), ranges.with_velocity(&wish(Some((pan, tilt)), None))] {
            let Ok(movement) = made else { continue };
            let at = movement.pan_tilt.unwrap();
            let bounds = Bounds { min, max };
            prop_assert!(bounds.contains(at.x) && bounds.contains(at.y), "{at:?}");
        }
    }
}
