//! A camera from its stream to the broker: status, figures, pictures of the right scene, clips with what was before them, and faults.

use std::{fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fieldgate_api::{
    camera::CameraView,
    command::{CommandAnswer, CommandDraft},
    endpoint::{GetCamera, SendCommand},
    state::{Level, Status},
};
use fieldgate_model::Outcome;
use fieldgate_tests::{
    broker::Broker,
    gateway::{self, Gateway},
    landed,
    link::sha256,
    nginx::Nginx,
    opcua_server::{self, OpcUaServer},
    peers,
    proxy::{Proxy, Weather},
    rtsp_server::{Options, RtspServer},
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

use crate::line::{self, PATIENCE};

/// The bars of the upper two thirds of SMPTE EG 1, from left to right, as red, green and blue; GStreamer has them in full colours.
const BARS: [[u8; 3]; 7] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
];
/// What coding at a low rate does to a colour.
const TOLERANCE: u8 = 45;
const USER: (&str, &str) = ("admin", "pass:word/ä");

#[test]
fn pictures_are_those_of_the_camera_by_every_codec_transport_and_password() {
    let folder = gateway::folder();
    let password = folder.path().join("password");
    fs::write(&password, USER.1).unwrap();
    for codec in ["h264", "mjpeg"] {
        let (mut cameras, mut sources) = (Vec::new(), String::new());
        for transport in ["tcp", "udp"] {
            for (word, user) in [("open", None), ("locked", Some(USER))] {
                let camera = RtspServer::start(Options {
                    codec,
                    user,
                    ..Options::default()
                });
                let id = format!("{codec}-{transport}-{word}");
                let more = format!("transport = \"{transport}\"\n{}", signed(user, &password));
                sources += &source(&id, &camera.url(), &more);
                cameras.push((id, camera));
            }
        }
        let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{sources}"));
        for (id, _camera) in &cameras {
            let status = good(&gateway, id);
            assert!(status.words.contains("640 × 360"), "{id}: {}", status.words);
            assert_is_the_pattern(&picture(&gateway, id), id);
            assert_plausible(&figures(&gateway, id), id);
        }
        assert_eq!(gateway.warnings(), Vec::<String>::new());
    }
}

#[test]
fn a_stream_that_cannot_be_decoded_here_is_measured_and_clipped_and_the_picture_says_why_not() {
    let camera = RtspServer::start(Options {
        codec: "h265",
        ..Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let more = "clips = { before = \"3 s\", after = \"1 s\" }\ncommands = [\"clip\"]\n";
    let gateway = Gateway::start(&config(
        &source("gate", &camera.url(), more),
        &mqtt(&broker),
    ));
    good(&gateway, "gate");
    assert_plausible(&figures(&gateway, "gate"), "H.265");
    let (status, words) = gateway.api.bytes("/api/v1/pictures/gate");
    let words = String::from_utf8_lossy(&words).into_owned();
    assert!(
        status >= 400 && words.contains("H.265"),
        "{status}: {words}"
    );
    let (clip, event) = clip(&gateway, &subscriber, &json!({ "why": "a test" }));
    assert!(
        event["no_picture"].as_str().unwrap().contains("H.265"),
        "{event}"
    );
    let film = whole(&subscriber, &clip, "video/mp4");
    let folder = gateway::folder();
    let seen = probed(&film, folder.path());
    assert_eq!(seen["streams"][0]["codec_name"], "hevc");
}

#[test]
fn a_command_saves_a_clip_with_what_was_before_it_its_picture_and_what_was_measured() {
    let camera = RtspServer::start(Options {
        keyframe: 10,
        sound: Some("aac"),
        ..Options::default()
    });
    let server = OpcUaServer::start(opcua_server::Options {
        nodes: 3,
        ..opcua_server::Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let more = "figures = \"1 s\"\nclips = { before = \"10 s\", after = \"2 s\", with = [\"line/**\"] }\ncommands = [\"clip\", \"snapshot\"]\n";
    let sources = source("gate", &camera.url(), more) + &line::source("line", &server.endpoint());
    let gateway = Gateway::start(&config(&sources, &mqtt(&broker)));
    good(&gateway, "gate");
    // The ring fills with the stream's own time: eleven figures, one each second.
    until_true("eleven seconds of pictures", SOON, || {
        values(&subscriber, "fps").len() >= 11
    });
    let (clip, event) = clip(&gateway, &subscriber, &json!({ "why": "the door" }));
    let film = whole(&subscriber, &clip, "video/mp4");
    assert_eq!(event["sha256"].as_str().unwrap(), sha256(&film));
    assert_eq!(event["why"], "the door");
    let measured = event["measured"].as_object().unwrap();
    assert_eq!(measured.len(), 3, "{measured:?}");
    assert!(measured.keys().all(|id| id.starts_with("line/")));
    assert_is_the_pattern(
        &whole(&subscriber, &clip, "image/jpeg"),
        "the clip's picture",
    );

    let folder = gateway::folder();
    let seen = probed(&film, folder.path());
    let seconds: f64 = seen["format"]["duration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds >= 12.0, "10 s before and 2 s after, but {seconds}");
    let packets = seen["packets"].as_array().unwrap();
    let pictures: Vec<_> = packets
        .iter()
        .filter(|packet| packet["codec_type"] == "video")
        .collect();
    assert!(
        pictures[0]["flags"].as_str().unwrap().starts_with('K'),
        "{}",
        pictures[0]
    );
    assert!(
        packets.iter().any(|packet| packet["codec_type"] == "audio"),
        "with its sound"
    );
    assert!(
        decodes(&film, folder.path()),
        "every picture of it can be decoded"
    );

    let answer = command(&gateway, "snapshot", &json!({}));
    assert_eq!(answer.outcome, Outcome::Done, "{}", answer.words);
    let shots = until("a snapshot", SOON, || {
        match values(&subscriber, "snapshot") {
            shots if shots.is_empty() => Err("there is none"),
            shots => Ok(shots),
        }
    });
    let jpeg = STANDARD.decode(shots[0]["data"].as_str().unwrap()).unwrap();
    assert_is_the_pattern(&jpeg, "the snapshot at the broker");
    gateway.api.all_acknowledged(PATIENCE);
}

#[test]
fn an_upload_that_is_cut_half_way_completes_with_the_right_hash() {
    let camera = RtspServer::start(Options::default());
    let mut nginx = Nginx::start();
    let proxy = Proxy::start(nginx.port);
    let up = format!("http://127.0.0.1:{}/up/{{device}}/{{name}}", proxy.port);
    let destination = format!(
        "[[destination]]\nid = \"web\"\nkind = \"https\"\nurl = \"{up}\"\nmethod = \"PUT\"\nfiles = \"{up}\"\nallow_local = true\ntimeout = \"5 s\"\n"
    );
    let more = "clips = { before = \"10 s\", after = \"2 s\" }\ncommands = [\"clip\"]\nfigures = \"1 s\"\n";
    let gateway = Gateway::start(&config(&source("gate", &camera.url(), more), &destination));
    good(&gateway, "gate");
    let root = nginx.root().join("up");
    until_true("ten seconds of pictures", SOON, || {
        landed::files(&root, ".json").len() >= 10
    });
    // Slow enough that a part is under way for a while.
    proxy.turn(Weather::slow(std::time::Duration::ZERO, Some(40_000)));
    let answer = command(&gateway, "clip", &json!({}));
    assert_eq!(answer.outcome, Outcome::Done, "{}", answer.words);
    until_true("a part of the film under way", PATIENCE, || {
        nginx.is_taking_in(20_000)
    });
    assert!(proxy.cut() > 0);
    nginx.kill();
    proxy.turn(Weather::default());
    gateway
        .api
        .destination_is("out", |status| status.level != Level::Good);
    nginx.restart();
    let manifest = until("the clip whole", PATIENCE, || {
        landed::files(&root, ".mp4.json")
            .pop()
            .ok_or("it is not there")
    });
    let about: Json = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let names = about["parts"].as_array().unwrap().iter();
    let film: Vec<u8> = names
        .flat_map(|name| fs::read(manifest.with_file_name(name.as_str().unwrap())).unwrap())
        .collect();
    assert_eq!(about["sha256"].as_str().unwrap(), sha256(&film));
    let folder = gateway::folder();
    assert!(decodes(&film, folder.path()));
    gateway.api.all_acknowledged(PATIENCE);
}

#[test]
fn motion_in_the_pictures_begins_a_clip_and_ends_by_itself() {
    let mut camera = RtspServer::start(Options {
        keyframe: 5,
        ..Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let more = "motion = { zones = [[[0, 0], [1, 0], [1, 1], [0, 1]]], area_percent = 0.2 }\nclips = { before = \"1 s\", after = \"1 s\" }\nsnapshots = { on_event = true, width = 320 }\n";
    let gateway = Gateway::start(&config(
        &source("gate", &camera.url(), more),
        &mqtt(&broker),
    ));
    good(&gateway, "gate");
    camera.scene("ball");
    let events = |point: &str| values(&subscriber, point);
    until_true("motion", SOON, || !events("motion").is_empty());
    until_true("a clip of it", SOON, || !events("clip_saved").is_empty());
    until_true("a picture of it", SOON, || !events("snapshot").is_empty());
    camera.scene("smpte");
    until_true("its end", SOON, || {
        let last = events("motion").pop();
        last.is_some_and(|last| last["active"] == json!(false))
    });
}

#[test]
fn f51_a_camera_that_stalls_hangs_is_gone_or_has_another_password_is_named_and_comes_back() {
    let folder = gateway::folder();
    let password = folder.path().join("password");
    fs::write(&password, USER.1).unwrap();
    let mut camera = RtspServer::start(Options {
        user: Some(USER),
        ..Options::default()
    });
    let neighbour = RtspServer::start(Options::default());
    let more = format!("stall = \"2 s\"\n{}", signed(Some(USER), &password));
    let text = format!(
        "[gateway]\nname = \"test\"\n{}{}",
        source("gate", &camera.url(), &more),
        source("yard", &neighbour.url(), "")
    );
    let gateway = Gateway::start(&text);
    good(&gateway, "yard");
    good(&gateway, "gate");
    let connections = gateway.api.get::<GetCamera>(&["yard"]).tracks.len();
    let is = |words: &[&str]| {
        gateway.api.source_is("gate", |status| {
            status.level != Level::Good && words.iter().any(|word| status.words.contains(word))
        })
    };

    camera.freeze();
    let words = is(&["no picture came", "stalled", "no frame"]).words;
    println!("frozen with an open socket: {words}");
    camera.resume();
    println!("frozen: back after {:.1} s", back(&gateway));

    camera.kill();
    println!("gone: {}", is(&["refused", "nobody", "connection"]).words);
    camera.restart();
    println!("gone: back after {:.1} s", back(&gateway));

    camera.hang();
    println!(
        "hangs: {}",
        is(&["no picture", "answer", "stalled", "no frame"]).words
    );
    camera.unhang();
    println!("hangs: back after {:.1} s", back(&gateway));

    camera.change_password("another");
    camera.send_away();
    println!("password changed: {}", is(&["user", "password"]).words);
    fs::write(&password, "another").unwrap();
    gateway.reload(&text.replace("stall = \"2 s\"", "stall = \"3 s\""));
    println!("password: back after {:.1} s", back(&gateway));

    // The neighbour never lost its stream.
    let yard = gateway.api.get::<GetCamera>(&["yard"]);
    assert!(yard.connected && yard.tracks.len() == connections && connections > 0);
    let log = gateway.warnings();
    assert!(log.iter().all(|line| !line.contains("yard")), "{log:?}");
}

/// How long it took to come back; five seconds at most.
#[track_caller]
fn back(gateway: &Gateway) -> f64 {
    let begin = std::time::Instant::now();
    good(gateway, "gate");
    begin.elapsed().as_secs_f64()
}

fn signed(user: Option<(&str, &str)>, password: &Path) -> String {
    let user = user.map(|(name, _)| {
        format!("user = {{ name = \"{name}\", password = {{ file = {password:?} }} }}\n")
    });
    user.unwrap_or_default()
}

fn source(id: &str, url: &str, more: &str) -> String {
    format!(
        "\n[[source]]\nid = \"{id}\"\nkind = \"camera\"\nurl = \"{url}\"\nallow_local = true\n{more}\n"
    )
}

fn mqtt(broker: &Broker) -> String {
    line::destination("out", &broker.url())
}

fn config(sources: &str, destination: &str) -> String {
    let destination = destination.replace("id = \"web\"", "id = \"out\"");
    format!(
        "[gateway]\nname = \"test\"\n{sources}\n[[route]]\nid = \"everything\"\nfrom = [\"gate/**\"]\nto = \"out\"\n{destination}"
    )
}

#[track_caller]
fn good(gateway: &Gateway, id: &str) -> Status {
    gateway
        .api
        .source_is(id, |status| status.level == Level::Good)
}

#[track_caller]
fn picture(gateway: &Gateway, id: &str) -> Vec<u8> {
    let (status, jpeg) = gateway.api.bytes(&format!("/api/v1/pictures/{id}"));
    assert_eq!(status, 200, "{id}: {}", String::from_utf8_lossy(&jpeg));
    jpeg
}

/// When the rates are known.
#[track_caller]
fn figures(gateway: &Gateway, id: &str) -> CameraView {
    until(&format!("the figures of {id}"), SOON, || {
        let view = gateway.api.get::<GetCamera>(&[id]);
        match view.tracks.first() {
            Some(track) if track.fps > 15.0 && track.key_every_s.is_some() => Ok(view),
            other => Err(format!("{other:?}")),
        }
    })
}

fn assert_plausible(view: &CameraView, case: &str) {
    let track = &view.tracks[0];
    assert_eq!((track.width, track.height), (640, 360), "{case}");
    assert!((15.0..35.0).contains(&track.fps), "{case}: {track:?}");
    assert!(track.bits_per_s > 50_000.0, "{case}: {track:?}");
    assert!(
        track.jitter_ms.is_some_and(|jitter| jitter < 100.0),
        "{case}: {track:?}"
    );
}

/// SMPTE bars, whatever the picture's size.
#[track_caller]
fn assert_is_the_pattern(jpeg: &[u8], case: &str) {
    let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
    let pixels = decoder.decode().unwrap_or_else(|no| panic!("{case}: {no}"));
    let (width, height) = decoder.dimensions().unwrap();
    assert_eq!(pixels.len(), width * height * 3, "{case}");
    for (index, expected) in BARS.iter().enumerate() {
        let (x, y) = ((2 * index + 1) * width / 14, height / 3);
        let at = (y * width + x) * 3;
        let found = &pixels[at..at + 3];
        let near = found
            .iter()
            .zip(expected)
            .all(|(is, wanted)| is.abs_diff(*wanted) <= TOLERANCE);
        assert!(near, "{case}: bar {index} is {found:?}, not {expected:?}");
    }
}

fn command(gateway: &Gateway, name: &str, arguments: &Json) -> CommandAnswer {
    let draft = CommandDraft {
        action: "call".to_owned(),
        arguments: Some(arguments.clone()),
        ..CommandDraft::default()
    };
    let target = format!("gate/camera/{name}");
    gateway.api.call::<SendCommand>(&[&target], &draft).unwrap()
}

/// Asks for a clip: its id, and the event that says that it was saved.
#[track_caller]
fn clip(gateway: &Gateway, subscriber: &Subscriber, arguments: &Json) -> (String, Json) {
    let answer = command(gateway, "clip", arguments);
    assert_eq!(answer.outcome, Outcome::Done, "{}", answer.words);
    let id = answer.value.unwrap().as_str().unwrap().to_owned();
    let event = until("the clip's event", SOON, || {
        let mut events = values(subscriber, "clip_saved").into_iter();
        events
            .find(|event| event["clip"] == *id)
            .ok_or("it did not come")
    });
    (id, event)
}

/// All values of a point that came so far.
fn values(subscriber: &Subscriber, point: &str) -> Vec<Json> {
    let messages = subscriber.messages_from(0).into_iter();
    let values = messages.filter_map(|message| Some(message.json().get(point)?["Value"].clone()));
    values.collect()
}

/// A file of a clip, put together from its parts.
#[track_caller]
fn whole(subscriber: &Subscriber, clip: &str, media_type: &str) -> Vec<u8> {
    let parts = values(subscriber, "clip").into_iter();
    let mut parts: Vec<_> = parts
        .filter(|part| part["clip"] == *clip && part["media_type"] == *media_type)
        .collect();
    parts.sort_by_key(|part| part["part"].as_u64());
    parts.dedup_by_key(|part| part["part"].as_u64());
    assert_eq!(parts.len() as u64, parts[0]["parts"].as_u64().unwrap());
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|part| {
            STANDARD
                .decode(part["data"]["data"].as_str().unwrap())
                .unwrap()
        })
        .collect();
    assert_eq!(parts[0]["sha256"].as_str().unwrap(), sha256(&bytes));
    bytes
}

/// What ffprobe makes of a film.
#[track_caller]
fn probed(film: &[u8], folder: &Path) -> Json {
    let file = folder.join("clip.mp4");
    fs::write(&file, film).unwrap();
    let output = Command::new(peers::ffprobe())
        .args([
            "-v",
            "error",
            "-of",
            "json",
            "-show_format",
            "-show_streams",
            "-show_packets",
        ])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether every frame of it can be decoded.
#[track_caller]
fn decodes(film: &[u8], folder: &Path) -> bool {
    let file = folder.join("whole.mp4");
    fs::write(&file, film).unwrap();
    let output = Command::new(peers::ffprobe())
        .args([
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let frames: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or(0);
    output.stderr.is_empty() && frames > 25
}
