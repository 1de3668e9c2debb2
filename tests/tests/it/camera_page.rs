//! Explore ▸ Cameras in a real browser, whose own decoder says that pictures arrive: live, as single pictures, in words, and old.

use fieldgate_tests::{
    browser::Browser,
    gateway::Gateway,
    rtsp_server::{Options, RtspServer},
    wait::{SOON, until, until_true},
};
use serde_json::json;

/// What a player counts of itself.
const FRAMES: &str = "const video = document.querySelector(arguments[0] + ' video');
    return video ? video.getVideoPlaybackQuality().totalVideoFrames : 0";
/// Its size as the browser decoded it.
const SIZE: &str = "const seen = document.querySelector(arguments[0] + ' ' + arguments[1]);
    return seen ? [seen.videoWidth || seen.naturalWidth, seen.videoHeight || seen.naturalHeight] : []";

fn camera(id: &str, codec: &'static str) -> (String, RtspServer) {
    let camera = RtspServer::start(Options {
        codec,
        sound: (codec == "h264").then_some("aac"),
        ..Options::default()
    });
    let source = format!(
        "[[source]]\nid = \"{id}\"\nkind = \"camera\"\nurl = \"{}\"\nallow_local = true\nstall = \"3 s\"\n\
         commands = [\"snapshot\", \"clip\"]\nclips = {{ before = \"2 s\", after = \"1 s\" }}\n",
        camera.url()
    );
    (source, camera)
}

/// Until the player has decoded more frames than these.
#[track_caller]
fn frames_beyond(browser: &Browser, tile: &str, beyond: u64) -> u64 {
    until(
        &format!("more than {beyond} frames in {tile}"),
        SOON,
        || match browser.script(FRAMES, &json!([tile])).as_u64() {
            Some(frames) if frames > beyond => Ok(frames),
            other => Err(format!("{other:?}")),
        },
    )
}

#[test]
fn a_camera_is_seen_live_and_a_picture_that_is_old_says_so() {
    let (source, mut camera) = camera("gate", "h264");
    let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{source}"));
    let browser = Browser::start();
    browser.open(&format!("{}/explore/cameras", gateway.url));
    let tile = "[data-test=live]";
    browser.wait_for("[data-test=live][data-shown=playing]");
    let frames = frames_beyond(&browser, tile, 10);
    frames_beyond(&browser, tile, frames + 25);
    let size = browser.script(SIZE, &json!([tile, "video"]));
    assert_eq!(size, json!([640, 360]));
    browser.assert_fits();

    browser.click(".camera-name a");
    browser.wait_for("[data-test=live][data-shown=playing]");
    frames_beyond(&browser, tile, 10);
    browser.text_is("[data-test=stream]", |text| {
        text.contains("H.264") && text.contains("640 × 360") && text.contains("frames/s")
    });
    browser.click("[data-test=save-clip]");
    browser.text_is("[data-test=clips]", |text| text.contains("in the queue"));
    browser.assert_fits();

    // What stands still must not be taken for what is.
    camera.kill();
    browser.text_is("[data-test=old]", |text| text.contains("Last picture"));
    browser.assert_fits();
    let before = browser.script(FRAMES, &json!([tile])).as_u64().unwrap_or(0);
    camera.restart();
    until_true("a live picture again", SOON, || {
        browser.count("[data-test=old]") == 0
            && browser.script(FRAMES, &json!([tile])).as_u64() != Some(before)
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_a_browser_does_not_play_comes_as_pictures_or_in_words() {
    let (pictures, _mjpeg) = camera("yard", "mjpeg");
    let (film, _h265) = camera("hall", "h265");
    let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{pictures}{film}"));
    let browser = Browser::start();
    browser.open(&format!("{}/explore/cameras/yard", gateway.url));
    browser.wait_for("[data-test=live][data-shown=pictures]");
    until_true("the camera's own JPEG", SOON, || {
        browser.script(SIZE, &json!(["[data-test=live]", "img"])) == json!([640, 360])
    });
    browser.assert_fits();
    browser.open(&format!("{}/explore/cameras/hall", gateway.url));
    let plays = browser.script(
        "return MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L93.B0\"')",
        &json!([]),
    );
    match plays == json!(true) {
        true => {
            frames_beyond(&browser, "[data-test=live]", 10);
        }
        false => {
            browser.text_is("[data-test=live]", |text| text.contains("H.265"));
        }
    }
    browser.assert_fits();
}
