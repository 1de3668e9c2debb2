//! HTTP/1.1 and WebSocket as bytes on a socket, so that a test can also say what no library would.

use std::{net::SocketAddr, path::Path, time::Duration};

use fieldgate_api::{
    GUARD_HEADER, GUARD_VALUE,
    endpoint::{Endpoint, Method, path, path_and_query},
};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {}", self.status, self.text()))
    }
}

/// Sends a request with exactly these headers beside `connection` and `content-length`.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let talk = async {
        let socket = TcpStream::connect(address).await.unwrap();
        exchange(socket, method, path, headers, body).await
    };
    timeout(LIMIT, talk).await.expect("an answer in time")
}

/// As [`request`], over the control socket.
pub async fn local(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let talk = async {
        let socket = UnixStream::connect(socket).await.unwrap();
        exchange(socket, method, path, headers, body).await
    };
    timeout(LIMIT, talk).await.expect("an answer in time")
}

async fn exchange(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    // A body that is refused for its length may meet a closed socket.
    let _ = socket.write_all(body).await;
    let mut bytes = Vec::new();
    // A server lingers on what it refused unread, so the answer's own length tells its end.
    while !is_whole(&bytes) && socket.read_buf(&mut bytes).await.is_ok_and(|len| len > 0) {}
    parse(&bytes)
}

/// As the console calls a row.
pub async fn call<E: Endpoint>(
    address: SocketAddr,
    places: &[&str],
    body: &E::Request,
    base: Option<u64>,
) -> Response {
    let host = address.to_string();
    let base = base.map(|base| format!("\"{base}\""));
    let mut headers = vec![("host", host.as_str())];
    let mut json = serde_json::to_vec(body).unwrap();
    let reads = E::METHOD == Method::Get;
    if json == b"null" || reads {
        json.clear();
    } else {
        headers.push(("content-type", "application/json"));
    }
    if E::METHOD.as_str() != "GET" {
        headers.push((GUARD_HEADER, GUARD_VALUE));
    }
    if let Some(base) = &base {
        headers.push(("if-match", base));
    }
    request(
        address,
        E::METHOD.as_str(),
        &match reads {
            true => path_and_query::<E>(places, body),
            false => path::<E>(places),
        },
        &headers,
        &json,
    )
    .await
}

/// A GET as any client sends it.
pub async fn get(address: SocketAddr, path: &str) -> Response {
    let host = address.to_string();
    request(address, "GET", path, &[("host", &host)], b"").await
}

/// A row's answer, which must be a good one.
pub async fn ask<E: Endpoint>(
    address: SocketAddr,
    places: &[&str],
    body: &E::Request,
) -> E::Response {
    let response = call::<E>(address, places, body, None).await;
    assert_eq!(response.status, 200, "{} {}", E::PATH, response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

fn is_whole(bytes: &[u8]) -> bool {
    head_len(bytes).is_some_and(|head| {
        let response = parse(bytes);
        let length = response.header("content-length");
        length.is_some_and(|length| bytes.len() == head + 4 + length.parse::<usize>().unwrap())
    })
}

fn head_len(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn parse(bytes: &[u8]) -> Response {
    let end = head_len(bytes)
        .unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    Response {
        status: status.parse().unwrap(),
        headers: headers.collect(),
        body: bytes[end + 4..].to_vec(),
    }
}

/// A WebSocket (RFC 6455), as far as the tests need it.
pub struct Socket(TcpStream);

/// One frame from the gateway.
#[derive(Debug, PartialEq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

impl Socket {
    /// The socket, or the status that was answered instead.
    pub async fn open(address: SocketAddr, origin: &str) -> Result<Self, u16> {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /api/v1/live HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             origin: {origin}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = timeout(LIMIT, socket.read_u8()).await.unwrap().unwrap();
            answer.push(byte);
        }
        match parse(&answer).status {
            101 => Ok(Self(socket)),
            status => Err(status),
        }
    }

    pub async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        match u16::try_from(payload.len()) {
            Ok(len @ 0..126) => frame.push(0x80 | len.to_be_bytes()[1]),
            Ok(len) => {
                frame.push(0x80 | 126);
                frame.extend(len.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        // A mask of zeroes masks nothing.
        frame.extend([0; 4]);
        frame.extend(payload);
        // The gateway may have hung up on what it does not want.
        let _ = self.0.write_all(&frame).await;
    }

    /// The next frame; none when the gateway hung up.
    pub async fn next(&mut self) -> Option<Frame> {
        timeout(LIMIT, self.read()).await.expect("a frame in time")
    }

    /// The next text, pings left aside.
    pub async fn text<T: DeserializeOwned>(&mut self) -> T {
        loop {
            let frame = self.next().await.expect("the socket is open");
            if frame.opcode == TEXT {
                return serde_json::from_slice(&frame.payload).unwrap();
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let first = self.0.read_u8().await.ok()?;
        let len = match self.0.read_u8().await.ok()? {
            126 => u64::from(self.0.read_u16().await.ok()?),
            127 => self.0.read_u64().await.ok()?,
            len => u64::from(len),
        };
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            opcode: first & 15,
            payload,
        })
    }
}
