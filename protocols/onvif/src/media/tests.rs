//! Tests of `media.rs`: which stream suits what.

use super::*;

fn profile(
    token: &str,
    lens: &str,
    codec: VideoCodec,
    width: u32,
    height: u32,
    fps: f64,
) -> Profile {
    Profile {
        token: token.to_owned(),
        name: token.to_owned(),
        service: MediaService::Media2,
        video_source: Some(lens.to_owned()),
        video: Some(VideoEncoder {
            token: format!("{token}-encoder"),
            codec,
            width,
            height,
            fps: Some(fps),
            bitrate_kbps: Some(1_000),
            gop: Some(50),
            quality: None,
            profile: None,
        }),
        audio: None,
        ptz: None,
    }
}

fn check(profiles: &[Profile], expected: &[(&str, Role)]) {
    let candidates = candidates(profiles);
    let ranked: Vec<(&str, Role)> = candidates
        .iter()
        .map(|one| (one.profile.token.as_str(), one.role))
        .collect();
    assert_eq!(ranked, expected);
}

#[test]
fn the_largest_is_main_and_the_smallest_useful_is_sub() {
    use VideoCodec::{H264, H265, Jpeg, Mpeg4};
    check(&[], &[]);
    check(
        &[profile("one", "a", Jpeg, 640, 480, 5.0)],
        &[("one", Role::Main)],
    );
    check(
        &[
            profile("thumb", "a", Jpeg, 160, 120, 1.0),
            profile("sub", "a", H264, 640, 360, 15.0),
            profile("main", "a", H265, 3840, 2160, 25.0),
            profile("middle", "a", H264, 1280, 720, 25.0),
        ],
        &[
            ("main", Role::Main),
            ("middle", Role::Other),
            ("sub", Role::Sub),
            ("thumb", Role::Other),
        ],
    );
    // What nothing here can play is never the best.
    check(
        &[
            profile("old", "a", Mpeg4, 1920, 1080, 25.0),
            profile("new", "a", H264, 1280, 720, 25.0),
        ],
        &[("new", Role::Main), ("old", Role::Sub)],
    );
    // Among equals the one that every browser plays.
    check(
        &[
            profile("h265", "a", H265, 1920, 1080, 25.0),
            profile("h264", "a", H264, 1920, 1080, 25.0),
        ],
        &[("h264", Role::Main), ("h265", Role::Sub)],
    );
}

#[test]
fn each_lens_has_a_main_of_its_own_and_sound_alone_is_no_stream() {
    use VideoCodec::H264;
    let mut silent = profile("sound", "a", H264, 1, 1, 1.0);
    silent.video = None;
    check(
        &[
            profile("b-sub", "b", H264, 640, 360, 10.0),
            silent,
            profile("a-main", "a", H264, 1920, 1080, 10.0),
            profile("b-main", "b", H264, 1920, 1080, 10.0),
        ],
        &[
            ("b-main", Role::Main),
            ("b-sub", Role::Sub),
            ("a-main", Role::Main),
        ],
    );
}

#[test]
fn a_title_says_what_a_person_compares() {
    let profile = profile("main", "a", VideoCodec::H264, 1920, 1080, 25.0);
    assert_eq!(
        profile.video.unwrap().title(),
        "H.264 1920×1080, 25 fps, 1000 kbit/s, key frame every 2 s"
    );
}
