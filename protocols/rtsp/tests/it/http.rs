//! Pictures over HTTP: pushed, asked for, signed for, and from peers that lie.

use std::time::Duration;

use fieldgate_media::Codec;
use fieldgate_rtsp::{Address, Basic, Item, Options, StreamError, open, snapshot};

use crate::rig::{Script, camera, hasty, outcome, soon};

/// The smallest that passes for a JPEG.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8];
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&[1, 1, 0x11, 0, 0xFF, 0xD9]);
    bytes
}

fn picture(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn pushed(pictures: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
            .to_vec();
    for picture in pictures {
        bytes.extend_from_slice(b"--cut\r\nContent-Type: image/jpeg\r\n\r\n");
        bytes.extend_from_slice(picture);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"--cut--\r\nHANG UP");
    bytes
}

fn sizes(items: &[Item]) -> Vec<(u32, u32)> {
    let frames = items.iter().filter_map(|item| match item {
        Item::Frame(frame) => Some((frame.track.width, frame.track.height)),
        Item::Track(_) => None,
    });
    frames.collect()
}

#[tokio::test]
async fn pictures_that_are_pushed() {
    let (port, _camera) =
        camera(|_, _| pushed(&[jpeg(640, 480), jpeg(640, 480), jpeg(800, 600)])).await;
    let (items, error) = outcome(&format!("http://127.0.0.1:{port}/mjpeg"), &hasty()).await;
    assert_eq!(sizes(&items), [(640, 480), (640, 480), (800, 600)]);
    assert!(matches!(error, StreamError::Ended(_)), "{error}");
    let tracks = items
        .iter()
        .filter(|item| matches!(item, Item::Track(track) if track.codec == Codec::Mjpeg));
    assert_eq!(tracks.count(), 2);
    let times: Vec<i64> = items
        .iter()
        .filter_map(|item| match item {
            Item::Frame(frame) => Some(frame.pts),
            Item::Track(_) => None,
        })
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[tokio::test]
async fn pictures_that_are_asked_for() {
    let (port, _camera) = camera(|_, _| picture("image/jpeg", &jpeg(320, 240))).await;
    let mut options = hasty();
    options.limits.poll = Duration::from_millis(20);
    let address = Address::parse(&format!("http://127.0.0.1:{port}/snap.jpg?a=b")).unwrap();
    let mut stream = soon(open(&address, &options)).await.unwrap();
    let mut frames = 0;
    while frames < 5 {
        if let Item::Frame(frame) = soon(stream.next()).await.unwrap() {
            assert!(frame.key);
            frames += 1;
        }
    }
    let (codec, stats) = stream.stats()[0];
    assert_eq!((codec, stats.frames), (Codec::Mjpeg, 5));
    assert!((10.0..60.0).contains(&stats.frames_per_second), "{stats:?}");
    stream.close().await;
    assert_eq!(
        soon(snapshot(&address, &options)).await.unwrap(),
        jpeg(320, 240)
    );
}

/// Gives a picture to whoever signed, by either way.
fn guarded(request: &str, challenge: &str, begins: &str) -> Vec<u8> {
    let signed = request.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .starts_with("authorization: ")
            .then(|| line[15..].to_owned())
    });
    match signed {
        Some(signature) if signature.starts_with(begins) => picture("image/jpeg", &jpeg(8, 8)),
        _ => format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n").into_bytes(),
    }
}

#[tokio::test]
async fn signatures() {
    let digest: Script = |_, request| {
        guarded(
            request,
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth\"",
            "Digest username=\"CANARYUSER\"",
        )
    };
    let basic: Script = |_, request| guarded(request, "Basic realm=\"x\"", "Basic ");
    let never: Script = |_, request| guarded(request, "Digest realm=\"x\", nonce=\"y\"", "never");
    let anywhere = Options {
        basic: Basic::Anywhere,
        ..hasty()
    };
    for (script, options, expected) in [
        (digest, hasty(), Ok(())),
        (basic, anywhere, Ok(())),
        (basic, hasty(), Err(StreamError::BasicOnly)),
        (never, hasty(), Err(StreamError::WrongPassword)),
    ] {
        let (port, _camera) = camera(script).await;
        let plain = format!("127.0.0.1:{port}/snap");
        let address = Address::parse(&format!("http://CANARYUSER:CANARYWORD@{plain}")).unwrap();
        let found = soon(snapshot(&address, &options)).await.map(|_| ());
        assert_eq!(found, expected);
        let stranger = Address::parse(&format!("http://{plain}")).unwrap();
        assert_eq!(
            soon(snapshot(&stranger, &options)).await,
            Err(StreamError::NoCredentials)
        );
    }
}

#[tokio::test]
async fn peers_that_lie() {
    let check = async |script: Script, expected: &str| {
        let (port, _camera) = camera(script).await;
        let address =
            Address::parse(&format!("http://a:CANARY@127.0.0.1:{port}/x?token=CANARY")).unwrap();
        let error = soon(snapshot(&address, &hasty())).await.unwrap_err();
        let told = format!("{error:?} {error}");
        assert!(
            told.contains(expected) && !told.contains("CANARY"),
            "{told}"
        );
        let (_, error) = outcome(&format!("http://127.0.0.1:{port}/x"), &hasty()).await;
        assert!(!error.to_string().is_empty());
    };
    check(|_, _| picture("text/html", b"<html>"), "text/html").await;
    check(|_, _| picture("image/jpeg", b"<html>"), "no whole JPEG").await;
    check(
        |_, _| picture("image/jpeg", &jpeg(8, 8)[..9]),
        "no whole JPEG",
    )
    .await;
    check(
        |_, _| {
            b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 99999999999\r\n\r\n"
                .to_vec()
        },
        "more than 8192 KiB",
    )
    .await;
    check(
        |_, _| {
            [
                &b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"[..],
                &[7; 9 << 20],
            ]
            .concat()
        },
        "more than 8192 KiB",
    )
    .await;
    check(
        |_, _| {
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:22/\r\nContent-Length: 0\r\n\r\n"
                .to_vec()
        },
        "Redirected",
    )
    .await;
    check(
        |_, _| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "NoSuchStream",
    )
    .await;
    check(
        |_, _| [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(100_000)].concat(),
        "Garbage",
    )
    .await;
    check(|_, _| b"\x00\x01\x02".to_vec(), "Garbage").await;
    check(|_, _| Vec::new(), "TimedOut").await;
    check(|_, _| b"HANG UP".to_vec(), "Ended").await;
}
