//! A camera that says what a test wants: each request's first word in, bytes out. And the pieces that honest ones are made of.

use std::{future::Future, time::Duration};

use fieldgate_rtsp::{Address, Item, Limits, Options, Reach, Stream, StreamError, open};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
    time::timeout,
};

/// What a camera answers to a request: to its method and its whole text.
pub type Script = fn(&str, &str) -> Vec<u8>;

/// From GStreamer's x264enc, 640 × 360, baseline.
pub const H264_SETS: &str = "Z0LAHtoCgL/lwFqDAwNSgAAAAwCAAAAZR4sXUA==,aM48gA==";

/// Short limits, for peers that never come to an end.
pub fn hasty() -> Options {
    let short = Duration::from_millis(700);
    Options {
        reach: Reach::AlsoLocal,
        limits: Limits {
            describe: short,
            setup: short,
            play: short,
            request: short,
            tls: Duration::from_secs(5),
            stalled: short,
            teardown: Duration::from_millis(200),
            ..Limits::default()
        },
        ..Options::default()
    }
}

/// A camera on a free port; it serves connections one after another until the test ends.
pub async fn camera(script: Script) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script));
        }
    });
    (port, served)
}

/// Answers on one connection, and keeps it open afterwards. An answer that ends with `HANG UP` ends the connection.
pub async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script) {
    let mut received = Vec::new();
    loop {
        let end = received.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        let request = String::from_utf8_lossy(&received[..end]).into_owned();
        received.drain(..end + 4);
        let method = request.split(' ').next().unwrap_or_default();
        let mut answer = script(method, &request);
        let hang_up = answer.ends_with(b"HANG UP");
        if hang_up {
            answer.truncate(answer.len() - 7);
        }
        if stream.write_all(&answer).await.is_err() || hang_up {
            return;
        }
    }
}

/// The whole of an attempt, with what its frames end with. Nothing may take longer than five seconds.
pub async fn outcome(url: &str, options: &Options) -> (Vec<Item>, StreamError) {
    let address = Address::parse(url).unwrap();
    soon(async {
        match open(&address, options).await {
            Ok(stream) => drain(stream).await,
            Err(error) => (Vec::new(), error),
        }
    })
    .await
}

pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), work)
        .await
        .expect("it ends in time")
}

async fn drain(mut stream: Stream) -> (Vec<Item>, StreamError) {
    let mut items = Vec::new();
    loop {
        match stream.next().await {
            Ok(item) => items.push(item),
            Err(error) => {
                assert_eq!(stream.next().await, Err(error.clone()), "it stays ended");
                stream.close().await;
                return (items, error);
            }
        }
    }
}

/// An answer with the request's number.
pub fn answer(request: &str, status: &str, headers: &str, body: &str) -> Vec<u8> {
    let number = request
        .lines()
        .find_map(|line| line.strip_prefix("CSeq: "))
        .unwrap_or("1");
    let length = match body {
        "" => String::new(),
        body => format!("Content-Length: {}\r\n", body.len()),
    };
    format!("RTSP/1.0 {status}\r\nCSeq: {number}\r\n{headers}{length}\r\n{body}").into_bytes()
}

pub fn sdp(sets: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track1\r\n"
    )
}

/// An honest camera until PLAY, then `after`.
pub fn honest(method: &str, request: &str, after: &[u8]) -> Vec<u8> {
    match method {
        "DESCRIBE" => answer(
            request,
            "200 OK",
            "Content-Type: application/sdp\r\n",
            &sdp(H264_SETS),
        ),
        "SETUP" => answer(
            request,
            "200 OK",
            "Session: 1234\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
            "",
        ),
        "PLAY" => [
            answer(request, "200 OK", "Session: 1234\r\n", ""),
            after.to_vec(),
        ]
        .concat(),
        _ => answer(request, "200 OK", "Session: 1234\r\n", ""),
    }
}

/// An interleaved packet of the first track.
pub fn packet(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(12 + payload.len()).unwrap();
    let mut packet = vec![b'$', 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0x80, 96 | u8::from(marker) << 7]);
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&[1, 2, 3, 4]);
    packet.extend_from_slice(payload);
    packet
}
