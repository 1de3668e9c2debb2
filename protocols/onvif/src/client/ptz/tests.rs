//! Tests of `ptz.rs`: ranges, states and presets as devices tell them, and what is sent to them.

use super::*;
use crate::xml::parse;

#[test]
fn the_generic_space_is_taken_and_narrowed_by_limits_of_the_same_space() {
    let node = parse(
        br#"<N><SupportedPTZSpaces><AbsolutePanTiltPositionSpace><URI>http://x/SphericalPositionSpaceDegrees</URI><XRange><Min>-180</Min><Max>180</Max></XRange><YRange><Min>0</Min><Max>90</Max></YRange></AbsolutePanTiltPositionSpace>
        <AbsolutePanTiltPositionSpace><URI>http://x/PositionGenericSpace</URI><XRange><Min>-1</Min><Max>1</Max></XRange><YRange><Min>-1</Min><Max>1</Max></YRange></AbsolutePanTiltPositionSpace>
        <ContinuousZoomVelocitySpace><URI>http://x/odd</URI><XRange><Min>-7</Min><Max>7</Max></XRange></ContinuousZoomVelocitySpace>
        <AbsoluteZoomPositionSpace><XRange><Min>1</Min><Max>0</Max></XRange></AbsoluteZoomPositionSpace></SupportedPTZSpaces>
        <MaximumNumberOfPresets>100</MaximumNumberOfPresets><HomeSupported>true</HomeSupported></N>"#,
    )
    .unwrap();
    let configuration = parse(
        br#"<C><PanTiltLimits><Range><URI>http://x/PositionGenericSpace</URI><XRange><Min>-1</Min><Max>1</Max></XRange><YRange><Min>-0.5</Min><Max>9</Max></YRange></Range></PanTiltLimits></C>"#,
    )
    .unwrap();
    let ranges = read_ranges(&node, Some(&configuration));
    let place = ranges.place.unwrap();
    assert_eq!(place.space, "http://x/PositionGenericSpace");
    assert_eq!(
        (place.x, place.y),
        (
            Bounds::BOTH_WAYS,
            Bounds {
                min: -0.5,
                max: 1.0
            }
        )
    );
    assert_eq!(
        ranges.zoom_velocity.unwrap().x,
        Bounds {
            min: -7.0,
            max: 7.0
        }
    );
    assert_eq!(
        (ranges.zoom_place, ranges.max_presets, ranges.home),
        (None, Some(100), true)
    );
    assert_eq!(
        read_ranges(&parse(b"<N/>").unwrap(), None),
        PtzRanges::default()
    );
}

#[test]
fn a_state_is_read_as_far_as_it_is_told() {
    let answer = parse(
        br#"<R><PTZStatus><Position><PanTilt x="0.5" y="-0.25" space="s"/><Zoom x="nan"/></Position><MoveStatus><PanTilt>MOVING</PanTilt><Zoom>odd</Zoom></MoveStatus><Error>NO error</Error></PTZStatus></R>"#,
    )
    .unwrap();
    let status = read_status(&answer).unwrap();
    assert_eq!(
        status.pan_tilt.as_ref().map(|at| (at.x, at.y)),
        Some((0.5, -0.25))
    );
    assert_eq!(
        (
            status.zoom,
            status.pan_tilt_state,
            status.zoom_state,
            status.trouble
        ),
        (None, MoveState::Moving, MoveState::Unknown, None)
    );
    let presets = read_presets(&parse(br#"<R><Preset token="1"><Name>Door</Name></Preset><Preset token=""/><Preset token="2"/></R>"#).unwrap());
    let names: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
    assert_eq!(names, ["Door", "2"]);
}

#[test]
fn only_what_is_to_move_is_sent() {
    let zoom = Movement {
        zoom: Some(Vector1 {
            x: 0.5,
            space: "a&b".to_owned(),
        }),
        ..Movement::default()
    };
    assert_eq!(
        write_movement("Velocity", &zoom),
        "<tptz:Velocity><tt:Zoom x=\"0.5\" space=\"a&amp;b\"/></tptz:Velocity>"
    );
    let turn = Movement {
        pan_tilt: Some(Vector2 {
            x: 1.0,
            y: -1.0,
            space: String::new(),
        }),
        pan_tilt_speed: Some(Vector2 {
            x: 0.1,
            y: 0.1,
            space: String::new(),
        }),
        ..Movement::default()
    };
    assert_eq!(
        write_movement("Position", &turn),
        "<tptz:Position><tt:PanTilt x=\"1\" y=\"-1\"/></tptz:Position><tptz:Speed><tt:PanTilt x=\"0.1\" y=\"0.1\"/></tptz:Speed>"
    );
}
