//! `Tamper`: stands between the source and a server without security, and puts other bytes into the server's answers.

mod endpoints;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Type, size, channel, token, sequence number, request id (OPC UA Part 6, 6.7.2).
const HEADER: usize = 24;
/// Type id, then of the ResponseHeader: time, handle, result.
const RESULT_ENDS: usize = 4 + 8 + 4 + 4;
/// The whole ResponseHeader, with nothing in its other fields.
const RESPONSE_HEADER_ENDS: usize = RESULT_ENDS + 1 + 4 + 3;
const CHUNK: usize = 60_000;

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Publish,
    Read,
    Browse,
    BrowseNext,
    GetEndpoints,
    Other,
}

/// The body of an answer, from its type id on.
pub struct Answer {
    pub kind: Kind,
    body: Vec<u8>,
}

/// What is sent in its place.
pub enum Evil {
    Body(Vec<u8>),
    /// A body and so many more bytes.
    Long(Vec<u8>, usize),
    /// Whatever it is, as it is.
    Frame(Vec<u8>),
}

/// A running proxy. Dropping it closes everything.
pub struct Tamper {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

type Lie = Arc<Mutex<dyn FnMut(&Answer) -> Option<Evil> + Send>>;

impl Tamper {
    /// In front of this server; `lie` sees each answer that fits into one chunk.
    pub async fn start(
        endpoint: &str,
        lie: impl FnMut(&Answer) -> Option<Evil> + Send + 'static,
    ) -> Self {
        let address = endpoint.trim_start_matches("opc.tcp://");
        let server: SocketAddr = address.trim_end_matches('/').parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, lie): (_, Lie) = (connections.clone(), Arc::new(Mutex::new(lie)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(server).await.unwrap();
                conversations.spawn(converse(client, server, lie.clone()));
            }
        });
        Self {
            port,
            connections,
            _tasks: tasks,
        }
    }

    /// How many there were so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn converse(client: TcpStream, server: TcpStream, lie: Lie) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = answers(from_server, to_client, lie) => {}
    }
}

/// Frame by frame. A lie can be longer than the truth, so that all chunks after it are numbered anew.
async fn answers(
    mut server: impl AsyncReadExt + Unpin,
    mut client: impl AsyncWriteExt + Unpin,
    lie: Lie,
) -> std::io::Result<()> {
    let mut number: Option<u32> = None;
    loop {
        let mut frame = vec![0; 8];
        server.read_exact(&mut frame).await?;
        let size = u32::from_le_bytes(frame[4..8].try_into().unwrap()) as usize;
        frame.resize(size, 0);
        server.read_exact(&mut frame[8..]).await?;
        if !frame.starts_with(b"MSG") {
            client.write_all(&frame).await?;
            continue;
        }
        let told = u32::from_le_bytes(frame[16..20].try_into().unwrap());
        let evil = (frame[3] == b'F')
            .then(|| Answer::new(frame[HEADER..].to_vec()))
            .and_then(|answer| (lie.lock().unwrap())(&answer));
        if evil.is_none() && number.is_none() {
            // It may be protected: what is not forged has to stay as it is.
            client.write_all(&frame).await?;
            continue;
        }
        let next = number.get_or_insert(told);
        let (body, more) = match evil {
            None => {
                frame[16..20].copy_from_slice(&next.to_le_bytes());
                *next += 1;
                client.write_all(&frame).await?;
                continue;
            }
            Some(Evil::Frame(bytes)) => {
                client.write_all(&bytes).await?;
                continue;
            }
            Some(Evil::Body(body)) => (body, 0),
            Some(Evil::Long(body, more)) => (body, more),
        };
        let mut left = body.len() + more;
        let mut rest = body.as_slice();
        while left > 0 {
            let length = left.min(CHUNK);
            let (now, later) = rest.split_at(length.min(rest.len()));
            rest = later;
            left -= length;
            let mut chunk = frame[..HEADER].to_vec();
            chunk[3] = if left == 0 { b'F' } else { b'C' };
            chunk[4..8].copy_from_slice(&((HEADER + length) as u32).to_le_bytes());
            chunk[16..20].copy_from_slice(&next.to_le_bytes());
            *next += 1;
            chunk.extend_from_slice(now);
            chunk.resize(HEADER + length, b'x');
            client.write_all(&chunk).await?;
        }
    }
}

// === impl Answer ===

impl Answer {
    fn new(body: Vec<u8>) -> Self {
        let kind = match body.get(..4) {
            Some([1, 0, low, high]) => match u16::from_le_bytes([*low, *high]) {
                829 => Kind::Publish,
                634 => Kind::Read,
                530 => Kind::Browse,
                536 => Kind::BrowseNext,
                431 => Kind::GetEndpoints,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        };
        Self { kind, body }
    }

    /// A message of values with other values, by handles; `None` for one that has none. The last value can be cut off before
    /// so many bytes, which are to follow then.
    pub fn with_values(&self, values: &[(u32, &[u8])], missing: usize) -> Option<Vec<u8>> {
        let count = |at: usize| {
            let bytes = self.body.get(at..at + 4)?;
            Some(i32::from_le_bytes(bytes.try_into().unwrap()))
        };
        let available_at = RESPONSE_HEADER_ENDS + 4;
        let available = usize::try_from(count(available_at)?).unwrap_or(0);
        // More to come, sequence number, time.
        let parts_at = available_at + 4 + available * 4 + 1 + 4 + 8;
        if count(parts_at)? < 1 {
            return None;
        }
        let mut items = (values.len() as i32).to_le_bytes().to_vec();
        for (handle, value) in values {
            items.extend(handle.to_le_bytes());
            items.extend_from_slice(value);
        }
        if missing == 0 {
            // No diagnostics.
            items.extend([0xFF; 4]);
        }
        let mut body = self.body[..parts_at].to_vec();
        body.extend(1i32.to_le_bytes());
        // DataChangeNotification_Encoding_DefaultBinary, and that bytes follow.
        body.extend([0x01, 0x00, 0x2B, 0x03, 0x01]);
        body.extend(((items.len() + missing) as i32).to_le_bytes());
        body.extend(items);
        if missing == 0 {
            body.extend([0xFF; 8]);
        }
        Some(body)
    }

    /// Whether something follows the endpoints: a signature, which no forger can make.
    pub fn is_signed(&self) -> bool {
        let all = endpoints::read(&self.body, RESPONSE_HEADER_ENDS);
        all.last()
            .is_some_and(|last| last.bytes.end < self.body.len())
    }

    /// Without the endpoints that are not to be seen, by their policy's name and mode.
    pub fn without_endpoints(&self, seen: impl Fn(&str, i32) -> bool) -> Vec<u8> {
        let all = endpoints::read(&self.body, RESPONSE_HEADER_ENDS);
        let end = all
            .last()
            .map_or(RESPONSE_HEADER_ENDS + 4, |last| last.bytes.end);
        let name = |uri: &str| uri.rsplit('#').next().unwrap_or_default().to_owned();
        let kept: Vec<_> = all
            .into_iter()
            .filter(|endpoint| seen(&name(&endpoint.policy), endpoint.mode))
            .collect();
        let mut body = self.body[..RESPONSE_HEADER_ENDS].to_vec();
        body.extend((kept.len() as i32).to_le_bytes());
        for endpoint in kept {
            body.extend_from_slice(&self.body[endpoint.bytes]);
        }
        body.extend_from_slice(&self.body[end..]);
        body
    }

    /// So many diagnostics in each other, in the header.
    pub fn with_deep_diagnostics(&self, levels: usize) -> Vec<u8> {
        let mut body = self.body[..RESULT_ENDS].to_vec();
        body.resize(RESULT_ENDS + levels, 0x40);
        body
    }

    /// As if nothing had been asked for.
    pub fn with_no_results(&self) -> Vec<u8> {
        let mut body = self.body[..RESPONSE_HEADER_ENDS].to_vec();
        body.extend([0; 8]);
        body
    }

    /// The answer to another question.
    pub fn as_another(&self) -> Vec<u8> {
        let mut body = self.with_no_results();
        // A WriteResponse.
        body[2..4].copy_from_slice(&676u16.to_le_bytes());
        body
    }

    /// For each node one child, which is `Objects` again, and if wanted always more to come.
    pub fn with_itself_as_child(&self, endless: bool) -> Vec<u8> {
        self.with_child("Loop", endless)
    }

    /// As [`Self::with_itself_as_child`], by this name.
    pub fn with_child(&self, name: &str, endless: bool) -> Vec<u8> {
        let count = &self.body[RESPONSE_HEADER_ENDS..RESPONSE_HEADER_ENDS + 4];
        let mut body = self.body[..RESPONSE_HEADER_ENDS].to_vec();
        body.extend_from_slice(count);
        for _ in 0..i32::from_le_bytes(count.try_into().unwrap()) {
            // Good, the continuation point `x` or none, one reference.
            body.extend([0; 4]);
            match endless {
                true => body.extend([1, 0, 0, 0, b'x']),
                false => body.extend([0xFF; 4]),
            }
            body.extend([1, 0, 0, 0]);
            // Organizes, forward, to i=85 with the browse name, no display name, an object of no type.
            body.extend([0x00, 35, 1, 0x00, 85, 0, 0]);
            body.extend(i32::try_from(name.len()).unwrap().to_le_bytes());
            body.extend(name.as_bytes());
            body.extend([0, 1, 0, 0, 0, 0x00, 0]);
        }
        body.extend([0xFF; 4]);
        body
    }
}
