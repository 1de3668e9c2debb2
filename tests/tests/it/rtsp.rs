//! Streams of GStreamer's RTSP server: every codec over every transport, with and without a password, and in TLS.

use std::{future::Future, time::Duration};

use fieldgate_media::{Codec, Frame, Track};
use fieldgate_rtsp::{
    Address, Credentials, Item, Limits, Options, Reach, Stream, StreamError, TrackStats, Transport,
    Trust, open,
};
use fieldgate_tests::{
    certificates::Authority,
    rtsp_server::{self, RtspServer},
    wait::SOON,
};
use tokio::{runtime::Builder, time::timeout};

/// Enough for a rate, and for two keyframes.
const FRAMES: usize = 40;
const USER: (&str, &str) = ("admin", "pass:word/ä");

#[test]
fn every_codec_over_every_transport_with_and_without_a_password() {
    for (codec, expected) in [
        ("h264", Codec::H264),
        ("h265", Codec::H265),
        ("mjpeg", Codec::Mjpeg),
    ] {
        for user in [None, Some(USER)] {
            let camera = RtspServer::start(rtsp_server::Options {
                codec,
                user,
                ..rtsp_server::Options::default()
            });
            for transport in [Transport::Tcp, Transport::Udp] {
                let options = Options {
                    transport,
                    ..local()
                };
                let case = format!("{codec} {transport:?} {user:?}");
                let (frames, stats) = run(watch(&address(&camera.url(), user), &options, FRAMES));
                check(&frames, expected, &case);
                let (found, stats) = stats[0];
                assert_eq!(found, expected, "{case}");
                check_stats(&stats, &case);
            }
        }
    }
}

#[test]
fn the_cameras_clock_is_told_by_its_sender_reports() {
    let camera = RtspServer::start(rtsp_server::Options::default());
    for transport in [Transport::Tcp, Transport::Udp] {
        let options = Options {
            transport,
            ..local()
        };
        let offset = run(async {
            let mut stream = open(&address(&camera.url(), None), &options).await.unwrap();
            loop {
                frames(&mut stream, 1).await;
                if let Some(offset) = stream.stats()[0].1.clock_offset_ms {
                    stream.close().await;
                    return offset;
                }
            }
        });
        assert!(offset.abs() < 2_000.0, "{transport:?}: {offset}");
    }
}

#[test]
fn sound_comes_with_the_pictures_or_is_left_out() {
    for (sound, expected) in [("aac", Codec::Aac), ("pcmu", Codec::OtherSound)] {
        let camera = RtspServer::start(rtsp_server::Options {
            sound: Some(sound),
            ..rtsp_server::Options::default()
        });
        let (frames, stats) = run(watch(&address(&camera.url(), None), &local(), 100));
        let of = |codec: Codec| stats.iter().find(|(found, _)| *found == codec).unwrap().1;
        assert!(
            of(Codec::H264).frames >= 20 && of(expected).frames >= 20,
            "{stats:?}"
        );
        let sounds: Vec<&Frame> = frames
            .iter()
            .filter(|frame| frame.track.codec == Codec::Aac)
            .collect();
        // What no MP4 holds is measured only.
        assert_eq!(sounds.is_empty(), expected == Codec::OtherSound);
        for sound in sounds {
            let Track {
                timescale,
                channels,
                sample_entry,
                ..
            } = &*sound.track;
            assert_eq!(
                (*timescale, *channels, &sample_entry[4..8]),
                (48_000, 1, &b"mp4a"[..])
            );
        }
    }
}

#[test]
fn streams_in_tls_of_those_who_are_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("cameras", folder.path());
    let pair = authority.server("127.0.0.1");
    let both = folder.path().join("both.pem");
    let pem = [&pair.key, &pair.certificate].map(|file| std::fs::read_to_string(file).unwrap());
    std::fs::write(&both, pem.concat()).unwrap();
    let camera = RtspServer::start(rtsp_server::Options {
        tls: Some(both),
        user: Some(USER),
        ..rtsp_server::Options::default()
    });
    let address = address(&camera.url(), Some(USER));
    let with = |trust| Options { trust, ..local() };

    let stranger = run(open(&address, &with(Trust::Pinned([0; 32]))))
        .err()
        .unwrap();
    let StreamError::Tls {
        fingerprint: Some(digits),
        ..
    } = stranger
    else {
        panic!("{stranger}");
    };
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let own = std::fs::read(&authority.certificate).unwrap();
    for trust in [
        Trust::Pinned(bytes.try_into().unwrap()),
        Trust::Authority(own),
    ] {
        let (frames, _) = run(watch(&address, &with(trust), FRAMES));
        check(&frames, Codec::H264, "TLS");
    }
    assert!(matches!(
        run(open(&address, &with(Trust::System))),
        Err(StreamError::Tls { .. })
    ));
}

fn check(frames: &[Frame], codec: Codec, case: &str) {
    let first = &frames[0];
    assert!(first.key, "{case}: a stream begins with a keyframe");
    for pair in frames.windows(2) {
        assert!(
            pair[0].pts < pair[1].pts && pair[0].seen <= pair[1].seen,
            "{case}"
        );
        // 25 frames a second, within what a busy machine does to a test pattern.
        let apart = pair[1].pts - pair[0].pts;
        assert!((1..90_000).contains(&apart), "{case}: {apart}");
    }
    let Track {
        width,
        height,
        timescale,
        config,
        sample_entry,
        ..
    } = &*first.track;
    assert_eq!(
        (first.track.codec, *width, *height, *timescale),
        (codec, 640, 360, 90_000),
        "{case}"
    );
    match codec {
        Codec::Mjpeg => assert!(first.data.starts_with(&[0xFF, 0xD8]), "{case}"),
        _ => {
            assert!(!config.is_empty() && config[0] == 1, "{case}");
            let entry = if codec == Codec::H264 {
                b"avc1"
            } else {
                b"hvc1"
            };
            assert_eq!(&sample_entry[4..8], entry, "{case}");
            let length = u32::from_be_bytes(first.data[..4].try_into().unwrap());
            assert!(
                usize::try_from(length).unwrap() + 4 <= first.data.len(),
                "{case}"
            );
        }
    }
}

fn check_stats(stats: &TrackStats, case: &str) {
    assert!(
        (15.0..35.0).contains(&stats.frames_per_second),
        "{case}: {stats:?}"
    );
    assert!(stats.bits_per_second > 50_000.0, "{case}: {stats:?}");
    assert!(
        stats.packets >= stats.frames && stats.packets_malformed == 0,
        "{case}: {stats:?}"
    );
    assert!(
        stats.lost_percent < 5.0 && stats.jitter_ms < 100.0,
        "{case}: {stats:?}"
    );
    assert!(
        stats.keyframes >= 2 && stats.keyframe_interval.is_some(),
        "{case}: {stats:?}"
    );
    assert!(
        stats
            .clock_offset_ms
            .is_none_or(|offset| offset.abs() < 2_000.0),
        "{case}: {stats:?}"
    );
}

/// The next so many frames, and how the tracks did until then.
pub async fn watch(
    address: &Address,
    options: &Options,
    count: usize,
) -> (Vec<Frame>, Vec<(Codec, TrackStats)>) {
    let mut stream = open(address, options)
        .await
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    let frames = frames(&mut stream, count).await;
    let stats = stream.stats();
    stream.close().await;
    (frames, stats)
}

pub async fn frames(stream: &mut Stream, count: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        match stream.next().await {
            Ok(Item::Frame(frame)) => frames.push(frame),
            Ok(Item::Track(_)) => {}
            Err(error) => panic!("after {} frames: {error}", frames.len()),
        }
    }
    frames
}

pub fn address(url: &str, user: Option<(&str, &str)>) -> Address {
    let address = Address::parse(url).unwrap();
    match user {
        Some((user, password)) => address.with_credentials(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
        None => address,
    }
}

/// On loopback, and with patience that fits a test.
pub fn local() -> Options {
    Options {
        reach: Reach::AlsoLocal,
        limits: Limits {
            stalled: Duration::from_secs(3),
            ..Limits::default()
        },
        ..Options::default()
    }
}

/// Runs it to its end, which comes soon.
#[track_caller]
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { timeout(SOON, work).await })
        .expect("it ends soon")
}
