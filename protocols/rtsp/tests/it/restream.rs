//! The restream against the gateway's own client: what goes in comes out, for those who may, and nobody else.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut as _, Bytes, BytesMut};
use fieldgate_media::{Codec, Frame, Track};
use fieldgate_model::Timestamp;
use fieldgate_rtsp::{
    Address, Credentials, Item, StreamError, open,
    restream::{Absent, Counters, Departure, Fed, MOST_VIEWERS, Restream, Shelf},
};
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, pending, ready},
    stream::{self, BoxStream},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::rig::{H264_SETS, hasty, soon};

/// From GStreamer's x265enc, 640 × 360.
const H265_SETS: [&str; 3] = [
    "QAEMAf//AWAAAAMAkAAAAwAAAwA/ugJA",
    "QgEBAWAAAAMAkAAAAwAAAwA/oAUCAXHy5bpKTC//AAEAAWoMDAwIAAADAAgAAAMAyEA=",
    "RAHAcYMS",
];

/// A stream of known frames.
struct Known {
    tracks: Vec<Arc<Track>>,
    frames: Vec<Frame>,
    missed: bool,
}

impl Shelf for Known {
    fn tracks<'a>(
        &'a self,
        path: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<Track>>, Absent>> {
        assert_eq!(user, "viewer");
        let found = match path {
            "yard/door" => Ok(self.tracks.clone()),
            "asleep" => Err(Absent::NotNow),
            _ => Err(Absent::NoSuchStream),
        };
        ready(found).boxed()
    }

    fn frames<'a>(
        &'a self,
        _path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Fed>, Absent>> {
        let frames = stream::iter(self.frames.clone()).map(Fed::Frame);
        let end = stream::once(async { pending::<Fed>().await });
        let missed = stream::iter(self.missed.then_some(Fed::Missed(3)));
        ready(Ok(frames.chain(missed).chain(end).boxed())).boxed()
    }
}

fn track(codec: Codec) -> Arc<Track> {
    let config = match codec {
        Codec::H264 => {
            let sets: Vec<Vec<u8>> = H264_SETS
                .split(',')
                .map(|set| STANDARD.decode(set).unwrap())
                .collect();
            let mut config = vec![1, sets[0][1], sets[0][2], sets[0][3], 0xFF, 0xE1];
            config.extend_from_slice(&u16::try_from(sets[0].len()).unwrap().to_be_bytes());
            config.extend_from_slice(&sets[0]);
            config.push(1);
            config.extend_from_slice(&u16::try_from(sets[1].len()).unwrap().to_be_bytes());
            config.extend_from_slice(&sets[1]);
            config
        }
        Codec::H265 => {
            let mut config = vec![0; 22];
            config.push(3);
            for set in H265_SETS.map(|set| STANDARD.decode(set).unwrap()) {
                config.extend_from_slice(&[(set[0] >> 1) & 0x3F, 0, 1]);
                config.extend_from_slice(&u16::try_from(set.len()).unwrap().to_be_bytes());
                config.extend_from_slice(&set);
            }
            config
        }
        // AAC-LC, 48 kHz, one channel.
        _ => vec![0x11, 0x88],
    };
    let picture = codec != Codec::Aac;
    Arc::new(Track {
        codec,
        rfc6381: String::new(),
        width: if picture { 640 } else { 0 },
        height: if picture { 360 } else { 0 },
        timescale: if picture { 90_000 } else { 48_000 },
        channels: u16::from(!picture),
        sample_entry: Bytes::new(),
        config: config.into(),
    })
}

fn frame(track: &Arc<Track>, pts: i64, key: bool, data: Bytes) -> Frame {
    Frame {
        track: Arc::clone(track),
        seen: Timestamp::from_millis(1_700_000_000_000 + pts / 90),
        pts,
        key,
        data,
    }
}

/// A unit with its length before it.
fn unit(header: &[u8], length: usize) -> Bytes {
    let mut data = BytesMut::new();
    data.put_u32(u32::try_from(header.len() + length).unwrap());
    data.put_slice(header);
    data.extend((0..length).map(|at| (at % 251) as u8 | 1));
    data.freeze()
}

fn frames(track: &Arc<Track>) -> Vec<Frame> {
    let made = (0..60_i64).map(|number| {
        // The first ones are of no use to anybody: the stream begins at the fourth.
        let key = number % 20 == 3;
        let length = if key {
            20_000
        } else {
            200 + 37 * usize::try_from(number).unwrap()
        };
        let header: &[u8] = match (track.codec, key) {
            (Codec::H264, true) => &[0x65, 0x88],
            (Codec::H264, false) => &[0x41, 0x9A],
            // First slices of a picture.
            (_, true) => &[19 << 1, 1, 0x80],
            (_, false) => &[1 << 1, 1, 0x80],
        };
        frame(track, 1_000_000 + number * 3600, key, unit(header, length))
    });
    made.collect()
}

async fn served(known: Known) -> (SocketAddr, Arc<Counters>) {
    let users = vec![Credentials {
        user: "viewer".into(),
        password: "se cret".into(),
    }];
    let address = "127.0.0.1:0".parse().unwrap();
    let restream = Restream::bind(address, Arc::new(known), users)
        .await
        .unwrap();
    let (address, counters) = (restream.address().unwrap(), restream.counters());
    tokio::spawn(restream.run(pending()));
    (address, counters)
}

fn url(address: SocketAddr, path: &str) -> Address {
    Address::parse(&format!("rtsp://viewer:se%20cret@{address}/{path}")).unwrap()
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    for codec in [Codec::H264, Codec::H265] {
        let picture = track(codec);
        let sent = frames(&picture);
        let known = Known {
            tracks: vec![Arc::clone(&picture)],
            frames: sent.clone(),
            missed: false,
        };
        let (address, counters) = served(known).await;
        let mut stream = soon(open(&url(address, "yard/door"), &hasty()))
            .await
            .unwrap();
        // retina tells a frame's end by its marker, so all of them come.
        let mut received = Vec::new();
        while received.len() < sent.len() - 3 {
            match soon(stream.next()).await.unwrap() {
                Item::Track(track) => {
                    assert_eq!((track.codec, track.width, track.height), (codec, 640, 360));
                    if codec == Codec::H264 {
                        assert_eq!(track.config, picture.config);
                    }
                }
                Item::Frame(frame) => received.push(frame),
            }
        }
        for (got, put) in received.iter().zip(&sent[3..]) {
            assert_eq!((got.key, &got.data), (put.key, &put.data), "{codec:?}");
            assert_eq!(got.pts - received[0].pts, put.pts - sent[3].pts);
        }
        let stats = stream.stats()[0].1;
        assert_eq!((stats.packets_lost, stats.packets_malformed), (0, 0));
        assert!(stats.clock_offset_ms.is_some(), "a sender report came");
        stream.close().await;
        gone(&counters, Departure::Left, 1).await;
    }
}

#[tokio::test]
async fn sound_comes_along() {
    let (picture, sound) = (track(Codec::H264), track(Codec::Aac));
    let mut all = Vec::new();
    for (number, put) in frames(&picture).into_iter().enumerate() {
        let pts = (put.pts * 48_000) / 90_000;
        all.push(put);
        all.push(frame(
            &sound,
            pts,
            true,
            Bytes::from(vec![number as u8; 2000 + number]),
        ));
    }
    let known = Known {
        tracks: vec![picture, sound],
        frames: all,
        missed: false,
    };
    let (address, _counters) = served(known).await;
    let mut stream = soon(open(&url(address, "yard/door"), &hasty()))
        .await
        .unwrap();
    let (mut pictures, mut sounds) = (0, 0);
    while pictures < 50 || sounds < 50 {
        if let Item::Frame(frame) = soon(stream.next()).await.unwrap() {
            match frame.track.codec {
                Codec::Aac => {
                    assert!(
                        frame.data.len() >= 2000
                            && frame.data.iter().all(|byte| *byte == frame.data[0])
                    );
                    assert_eq!(frame.track.config, &[0x11, 0x88][..]);
                    sounds += 1;
                }
                _ => pictures += 1,
            }
        }
    }
}

#[tokio::test]
async fn nobody_else_comes_in() {
    let picture = track(Codec::H264);
    let known = Known {
        frames: frames(&picture),
        tracks: vec![picture],
        missed: true,
    };
    let (address, counters) = served(known).await;
    let ask = async |url: &str| {
        let address = Address::parse(url).unwrap();
        soon(open(&address, &hasty())).await.err()
    };
    for (url, expected) in [
        (
            format!("rtsp://{address}/yard/door"),
            StreamError::NoCredentials,
        ),
        (
            format!("rtsp://viewer:wrong@{address}/yard/door"),
            StreamError::WrongPassword,
        ),
        (
            format!("rtsp://other:se%20cret@{address}/yard/door"),
            StreamError::WrongPassword,
        ),
        (
            format!("rtsp://viewer:se%20cret@{address}/nothing"),
            StreamError::NoSuchStream { status: 404 },
        ),
        (
            format!("rtsp://viewer:se%20cret@{address}/asleep"),
            StreamError::Busy {
                status: 503,
                reason: "Service Unavailable".into(),
            },
        ),
    ] {
        assert_eq!(ask(&url).await, Some(expected), "{url}");
    }
    // Who misses frames is sent away.
    let mut stream = soon(open(&url(address, "yard/door"), &hasty()))
        .await
        .unwrap();
    let error = soon(async {
        loop {
            if let Err(error) = stream.next().await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error, StreamError::Ended(_)), "{error}");
    gone(&counters, Departure::Slow, 1).await;
}

#[tokio::test]
async fn raw_connections() {
    let picture = track(Codec::H264);
    let known = Known {
        frames: frames(&picture),
        tracks: vec![picture],
        missed: false,
    };
    let (address, counters) = served(known).await;
    let say = async |text: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = soon(stream.read(&mut answer)).await.unwrap_or(0);
        (
            stream,
            String::from_utf8_lossy(&answer[..length]).into_owned(),
        )
    };
    let (_, answer) = say("OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n").await;
    assert!(
        answer.starts_with("RTSP/1.0 200")
            && answer.contains("CSeq: 7")
            && !answer.contains("RECORD"),
        "{answer}"
    );
    // Whatever writes is refused, and needs a password even so.
    for method in [
        "ANNOUNCE",
        "RECORD",
        "SET_PARAMETER",
        "PLAY",
        "SETUP",
        "DESCRIBE",
    ] {
        let (_, answer) = say(&format!(
            "{method} rtsp://x/yard/door RTSP/1.0\r\nCSeq: 1\r\n\r\n"
        ))
        .await;
        assert!(answer.starts_with("RTSP/1.0 401"), "{method}: {answer}");
    }
    let (mut stream, answer) = say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (
            answer.as_str(),
            soon(stream.read(&mut [0])).await.unwrap_or(0)
        ),
        ("", 0)
    );
    gone(&counters, Departure::Malformed, 1).await;
    // One too many.
    let mut crowd = Vec::new();
    for _ in 0..MOST_VIEWERS {
        let (stream, answer) = say("OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n").await;
        assert!(answer.starts_with("RTSP/1.0 200"), "{answer}");
        crowd.push(stream);
    }
    let mut last = TcpStream::connect(address).await.unwrap();
    assert!(matches!(soon(last.read(&mut [0])).await, Ok(0) | Err(_)));
    gone(&counters, Departure::Full, 1).await;
}

/// Waits until so many left this way.
async fn gone(counters: &Counters, departure: Departure, count: u64) {
    let started = Instant::now();
    while counters.departures(departure) < count {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "nobody left as {departure:?}"
        );
        tokio::task::yield_now().await;
    }
}
