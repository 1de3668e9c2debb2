//! Cameras that lie: whatever they say, the attempt ends within its limits and with a cause that says what it was.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fieldgate_rtsp::{Forbidden, Item, Kind, Options, Reach, Rung, Step, StreamError, Transport};

use crate::rig::{Script, answer, camera, hasty, honest, outcome, packet, sdp};

/// What an attempt at this camera ends with.
async fn check(script: Script, expected: impl Fn(&StreamError) -> bool) -> Vec<Item> {
    check_with(&hasty(), script, expected).await
}

async fn check_with(
    options: &Options,
    script: Script,
    expected: impl Fn(&StreamError) -> bool,
) -> Vec<Item> {
    let (port, served) = camera(script).await;
    let url = format!("rtsp://CANARYUSER:CANARYWORD@127.0.0.1:{port}/live?pwd=CANARYQUERY");
    let (items, error) = outcome(&url, options).await;
    let told = format!("{error} {error:?}");
    assert!(expected(&error), "{told}");
    assert!(!told.contains("CANARY"), "{told}");
    served.abort();
    items
}

fn garbage(error: &StreamError, what: &str) -> bool {
    matches!(error, StreamError::Garbage(text) if text.contains(what))
}

#[tokio::test]
async fn a_description_without_end() {
    // Its length is allowed, but it never comes.
    check(
        |_, request| {
            answer(
                request,
                "200 OK",
                "Content-Type: application/sdp\r\nContent-Length: 60000\r\n",
                "",
            )
        },
        |error| {
            matches!(
                error,
                StreamError::TimedOut {
                    step: Step::Describe,
                    ..
                }
            )
        },
    )
    .await;
    // One that says no length and never ends.
    check(
        |_, request| {
            [
                answer(request, "200 OK", "", ""),
                b"a=endless\r\n".repeat(100_000),
            ]
            .concat()
        },
        |error| matches!(error, StreamError::Garbage(_)),
    )
    .await;
    check(
        |_, request| answer(request, "200 OK", "Content-Length: 4294967296\r\n", ""),
        |error| garbage(error, "a Content-Length of 4294967296"),
    )
    .await;
    check(
        |_, request| answer(request, "200 OK", "Content-Length: -1\r\n", ""),
        |error| garbage(error, "a Content-Length of -1"),
    )
    .await;
    check(
        |_, request| {
            let many = format!("{}{}", sdp("x"), "m=audio 0 RTP/AVP 0\r\n".repeat(20));
            answer(
                request,
                "200 OK",
                "Content-Type: application/sdp\r\n",
                &many,
            )
        },
        |error| garbage(error, "21 tracks"),
    )
    .await;
}

#[tokio::test]
async fn heads_without_end_and_what_is_no_rtsp() {
    check(
        |_, _| [&b"RTSP/1.0 200 OK\r\n"[..], &b"X: y\r\n".repeat(1_000_000)].concat(),
        |error| garbage(error, "head of more than"),
    )
    .await;
    check(
        |_, _| b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n".to_vec(),
        |error| garbage(error, "`HTTP/1.1 400"),
    )
    .await;
    check(
        |_, _| b"\xFF\x00\x01binary".to_vec(),
        |error| garbage(error, "instead of RTSP"),
    )
    .await;
    check(
        |_, _| b"HANG UP".to_vec(),
        |error| {
            *error
                == StreamError::Ended(
                    "it closed the connection instead of answering DESCRIBE".into(),
                )
        },
    )
    .await;
    check(
        |_, _| Vec::new(),
        |error| {
            matches!(
                error,
                StreamError::TimedOut {
                    step: Step::Describe,
                    ..
                }
            ) && error.kind() == Kind::Lost
        },
    )
    .await;
}

#[tokio::test]
async fn ports_that_are_none() {
    let options = Options {
        transport: Transport::Udp,
        ..hasty()
    };
    check_with(
        &options,
        |method, request| match method {
            "SETUP" => answer(
                request,
                "200 OK",
                "Session: 1\r\nTransport: RTP/AVP;unicast;server_port=-1--2\r\n",
                "",
            ),
            _ => honest(method, request, b""),
        },
        |error| garbage(error, "`-1--2` as its ports"),
    )
    .await;
    check_with(
        &options,
        |method, request| match method {
            "SETUP" => answer(
                request,
                "200 OK",
                "Session: 1\r\nTransport: RTP/AVP;unicast;source=10.9.8.7;server_port=5000-5001\r\n",
                "",
            ),
            _ => honest(method, request, b""),
        },
        |error| *error == StreamError::Redirected,
    )
    .await;
    check(
        |method, request| match method {
            "SETUP" => answer(
                request,
                "200 OK",
                "Session: 1\r\nTransport: RTP/AVP;unicast\r\n",
                "",
            ),
            _ => honest(method, request, b""),
        },
        |error| matches!(error, StreamError::TransportRefused(_)),
    )
    .await;
}

#[tokio::test]
async fn datagrams_that_never_come() {
    let options = Options {
        transport: Transport::Udp,
        ..hasty()
    };
    check_with(
        &options,
        |method, request| match method {
            "SETUP" => answer(
                request,
                "200 OK",
                "Session: 1\r\nTransport: RTP/AVP;unicast;server_port=5000-5001\r\n",
                "",
            ),
            _ => honest(method, request, b""),
        },
        |error| matches!(error, StreamError::NoDatagrams(_)),
    )
    .await;
    let (_, error) = outcome("rtsps://127.0.0.1:1/", &options).await;
    assert_eq!(error, StreamError::UdpWithTls);
}

#[tokio::test]
async fn packets_that_are_none() {
    check(
        |method, request| honest(method, request, &b"$\x00\x00\x04HTTP".repeat(200)),
        |error| garbage(error, "`HTTP…` instead of RTP"),
    )
    .await;
    check(
        |method, request| honest(method, request, b"no packet at all\xFF\xFF\r\n\r\n"),
        |error| garbage(error, "instead of RTSP"),
    )
    .await;
    // A frame that never ends.
    check(
        |method, request| {
            let mut packets = Vec::new();
            for number in 0..200_u16 {
                let header = [0x7C, if number == 0 { 0x85 } else { 0x05 }];
                packets.extend(packet(
                    number,
                    7,
                    false,
                    &[&header[..], &[9; 60_000]].concat(),
                ));
            }
            honest(method, request, &packets)
        },
        |error| garbage(error, "a frame of more than 8192 KiB"),
    )
    .await;
}

#[tokio::test]
async fn silence_and_streams_without_a_keyframe() {
    check(
        |method, request| honest(method, request, b""),
        |error| matches!(error, StreamError::Stalled(_)) && error.rung() == Rung::Frames,
    )
    .await;
    let mut options = hasty();
    options.limits.keyframe = options.limits.stalled;
    options.limits.stalled *= 2;
    options.limits.keyframe *= 2;
    options.limits.stalled *= 2;
    let items = check_with(
        &options,
        |method, request| {
            let packets = (0..50)
                .map(|number| packet(number, u32::from(number) * 3600, true, &[0x41, 0x9A, 1, 2]));
            honest(method, request, &packets.flatten().collect::<Vec<_>>())
        },
        |error| matches!(error, StreamError::NoKeyframe(_) | StreamError::Stalled(_)),
    )
    .await;
    assert!(
        items.iter().all(|item| matches!(item, Item::Track(_))),
        "{items:?}"
    );
}

#[tokio::test]
async fn pictures_larger_than_any_cameras() {
    // In the description, as 16,400 and as 65,536 pixels a side.
    for (side_in_macroblocks, kind) in [(1025, Kind::Misconfigured), (4096, Kind::Lost)] {
        let sets = format!("{},aM48gA==", STANDARD.encode(huge(side_in_macroblocks)));
        SETS.with(|known| known.replace(sets));
        check(
            |method, request| match method {
                "DESCRIBE" => {
                    let sets = SETS.with(|known| known.borrow().clone());
                    answer(
                        request,
                        "200 OK",
                        "Content-Type: application/sdp\r\n",
                        &sdp(&sets),
                    )
                }
                _ => honest(method, request, &packet(1, 0, true, &[0x65, 0x88, 1, 2])),
            },
            |error| {
                matches!(
                    error,
                    StreamError::TooLarge { .. }
                        | StreamError::Garbage(_)
                        | StreamError::Stalled(_)
                ) && (kind == Kind::Lost || error.kind() == kind)
            },
        )
        .await;
    }
}

thread_local! {
    /// Scripts hold nothing, and tests of tokio run on one thread.
    static SETS: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// A sequence parameter set (ITU-T H.264 clause 7.3.2.1) of so many macroblocks in width and height.
fn huge(macroblocks: u32) -> Vec<u8> {
    let mut bits = String::from("01100111").to_owned();
    // Baseline, level 3.0.
    bits += "010000101100000000011110";
    for value in [0, 0, 2, 1] {
        bits += &exp_golomb(value);
    }
    bits += "0";
    bits += &exp_golomb(macroblocks - 1);
    bits += &exp_golomb(macroblocks - 1);
    // Frames only, direct inference, no cropping, no VUI, then the stop bit.
    bits += "11001";
    while bits.len() % 8 != 0 {
        bits += "0";
    }
    let byte = |eight: &[u8]| u8::from_str_radix(std::str::from_utf8(eight).unwrap(), 2).unwrap();
    bits.as_bytes().chunks(8).map(byte).collect()
}

fn exp_golomb(value: u32) -> String {
    let digits = format!("{:b}", value + 1);
    "0".repeat(digits.len() - 1) + &digits
}

#[tokio::test]
async fn endings() {
    let key = packet(1, 0, true, &[0x65, 0x88, 1, 2]);
    assert_eq!(key.len(), 20);
    for (script, words) in [
        (
            (|method, request| {
                honest(
                    method,
                    request,
                    &[packet(1, 0, true, &[0x65, 0x88, 1, 2]), b"HANG UP".to_vec()].concat(),
                )
            }) as Script,
            "it closed the connection",
        ),
        (
            |method, request| {
                let bye = b"$\x01\x00\x08\x81\xCB\x00\x01\x01\x02\x03\x04";
                honest(
                    method,
                    request,
                    &[&packet(1, 0, true, &[0x65, 0x88, 1, 2])[..], bye].concat(),
                )
            },
            "goodbye",
        ),
        (
            |method, request| {
                honest(
                    method,
                    request,
                    b"TEARDOWN rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
                )
            },
            "tore the session down",
        ),
    ] {
        check(
            script,
            |error| matches!(error, StreamError::Ended(text) if text.contains(words)),
        )
        .await;
    }
}

#[tokio::test]
async fn refusals() {
    for (status, expected) in [
        ("404 Not Found", (Kind::Misconfigured, Rung::Stream)),
        ("403 Forbidden", (Kind::Refused, Rung::Credentials)),
        ("302 Moved", (Kind::Misconfigured, Rung::Stream)),
        ("503 Service Unavailable", (Kind::Lost, Rung::Stream)),
    ] {
        SETS.with(|known| known.replace(status.to_owned()));
        check(
            |_, request| {
                answer(
                    request,
                    &SETS.with(|known| known.borrow().clone()),
                    "Location: rtsp://127.0.0.1:22/\r\n",
                    "",
                )
            },
            |error| (error.kind(), error.rung()) == expected,
        )
        .await;
    }
    // A wrong password is tried once.
    check(
        |_, request| {
            assert!(!request.contains("CANARYWORD"));
            answer(
                request,
                "401 Unauthorized",
                "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n",
                "",
            )
        },
        |error| *error == StreamError::WrongPassword,
    )
    .await;
    check(
        |_, request| {
            answer(
                request,
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"x\"\r\n",
                "",
            )
        },
        |error| *error == StreamError::BasicOnly,
    )
    .await;
    check(
        |_, request| {
            let vp8 = sdp("x").replace("H264", "VP8");
            answer(request, "200 OK", "Content-Type: application/sdp\r\n", &vp8)
        },
        |error| {
            *error
                == StreamError::CodecUnknown {
                    offers: "vp8".into(),
                }
        },
    )
    .await;
    check(
        |_, request| {
            let sound = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n";
            answer(
                request,
                "200 OK",
                "Content-Type: application/sdp\r\n",
                sound,
            )
        },
        |error| {
            *error
                == StreamError::NoPicture {
                    offers: "pcmu".into(),
                }
        },
    )
    .await;
}

#[tokio::test]
async fn places_that_are_none() {
    let (_, error) = outcome("rtsp://127.0.0.1:1/", &Options::default()).await;
    assert!(
        matches!(
            error,
            StreamError::Forbidden {
                why: Forbidden::Loopback,
                ..
            }
        ),
        "{error}"
    );
    let (_, error) = outcome("rtsp://2130706433:1/", &Options::default()).await;
    assert!(
        matches!(
            error,
            StreamError::Forbidden { .. } | StreamError::NameNotFound { .. }
        ),
        "{error}"
    );
    let local = Options {
        reach: Reach::AlsoLocal,
        ..hasty()
    };
    let (_, error) = outcome("rtsp://127.0.0.1:1/", &local).await;
    assert_eq!(
        error,
        StreamError::ConnectionRefused {
            place: "127.0.0.1:1".into()
        }
    );
    let (_, error) = outcome("rtsp://nowhere.invalid/", &local).await;
    assert_eq!(error.rung(), Rung::Name, "{error}");
}
