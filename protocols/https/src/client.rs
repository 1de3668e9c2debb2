//! One connection to the server, over HTTP/1.1, one request at a time: the only place that knows hyper.
//!
//! No pool, no redirects, no proxy of the environment: a request goes to the addresses that the guard let pass, or nowhere.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_kit::{
    SinkError,
    tls::{FarSide, closed},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Fuse},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::{target::Server, verdict::Answer};

/// How long a connection may take to be made, TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// No more of an answer is read: then the connection is given up.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// No more of a header is kept.
const MAX_HEADER: usize = 200;
/// What a connection keeps of what it reads and writes.
const BUFFER_BYTES: usize = 128 << 10;
/// The slowest line that an upload is given time for, in bytes a second: 64 kbit/s. That a line is dead is found out sooner, by
/// TCP, which gives up when nothing of what was sent is acknowledged.
const SLOW_LINE: u64 = 8 << 10;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// All that a connection needs, read once for a link.
#[derive(Clone)]
pub(crate) struct Plan {
    pub server: Server,
    /// Those that the guard let pass. The link uses no others, whatever a name server says later.
    pub addresses: Arc<[SocketAddr]>,
    pub tls: Option<Arc<ClientConfig>>,
    /// Of each request, secrets among them.
    headers: HeaderMap,
    /// How long the server may take to answer, beyond what sending takes on a slow line.
    pub timeout: Duration,
}

/// A client that connects when it has to.
pub(crate) struct Client {
    plan: Plan,
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// Must be polled for anything to move.
    connection: Fuse<BoxFuture<'static, ()>>,
    /// A request was answered by it before.
    used: bool,
}

/// Why a request has no answer.
enum Failed {
    /// The connection ended before anything was answered.
    Ended(hyper::Error),
    Other(SinkError),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A server, as errors name it.
pub(crate) fn server_at(address: &str) -> FarSide<'_> {
    FarSide {
        address,
        who: "server",
        plain: "http://",
    }
}

// === impl Plan ===

impl Plan {
    /// One without addresses and headers.
    pub fn new(server: Server, tls: Option<Arc<ClientConfig>>, timeout: Duration) -> Self {
        Self {
            server,
            addresses: Arc::default(),
            tls,
            headers: HeaderMap::new(),
            timeout,
        }
    }

    /// A header of each request.
    ///
    /// # Errors
    /// `Denied` when its value is none that a header can have. The value is not told.
    pub fn add_header(&mut self, name: &str, value: &str, setting: &str) -> Result<(), SinkError> {
        let unfit = || {
            SinkError::Denied(format!(
                "{setting}: what is kept there cannot stand in a header; is it one line of plain characters"
            ))
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// A TCP connection to the first of the addresses that answers.
    pub async fn connect(&self) -> Result<TcpStream, SinkError> {
        let address = self.server.address();
        let connecting = TcpStream::connect(&self.addresses[..]);
        let stream = timeout(CONNECT_LIMIT, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| server_at(&address).explain(&error))?;
        let millis = u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX);
        stream
            .set_nodelay(true)
            .and_then(|()| Ok(sockopt::set_tcp_user_timeout(&stream, millis)?))
            .map_err(|error| server_at(&address).explain(&error))?;
        Ok(stream)
    }

    /// TLS over a connection; what was agreed, as a word.
    pub async fn secure(
        &self,
        config: &Arc<ClientConfig>,
        stream: TcpStream,
    ) -> Result<(tokio_rustls::client::TlsStream<TcpStream>, &'static str), SinkError> {
        let address = self.server.address();
        let connecting = TlsConnector::from(config.clone()).connect(self.name()?, stream);
        let stream = timeout(CONNECT_LIMIT, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| server_at(&address).explain(&error))?;
        let version = match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        };
        Ok((stream, version))
    }

    /// The name that the certificate must have.
    fn name(&self) -> Result<ServerName<'static>, SinkError> {
        match &self.server.host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
                SinkError::Denied(format!("`{name}` is no name that a certificate can have"))
            }),
            Host::Ipv4(ip) => Ok(ServerName::IpAddress((*ip).into())),
            Host::Ipv6(ip) => Ok(ServerName::IpAddress((*ip).into())),
        }
    }
}

// === impl Client ===

impl Client {
    pub fn new(plan: Plan) -> Self {
        Self { plan, open: None }
    }

    /// Connects, if it is not connected; what was agreed, as a sentence.
    pub async fn open(&mut self) -> Result<&'static str, SinkError> {
        let stream = self.plan.connect().await?;
        let (stream, words): (Box<dyn Stream>, _) = match &self.plan.tls {
            None => (Box::new(stream), "not encrypted"),
            Some(config) => {
                let (stream, version) = self.plan.secure(config, stream).await?;
                (Box::new(stream), version)
            }
        };
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES);
        let (sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.failed(&error))?;
        self.open = Some(Open {
            sender,
            // Its error is told to who waits for an answer; while nobody does, an end is an end.
            connection: async { drop(connection.await) }.boxed().fuse(),
            used: false,
        });
        Ok(words)
    }

    /// Resolves when the server ends an idle connection, which is its right. Never, while there is none.
    pub async fn idle(&mut self) {
        match &mut self.open {
            Some(open) => (&mut open.connection).await,
            None => std::future::pending().await,
        }
        self.open = None;
    }

    /// Sends a request and reads its answer. A connection that was used before and turns out to be closed is made anew, once:
    /// the server may have ended it just when the request left (RFC 9112 §9.3.1).
    pub async fn send(&mut self, call: &Call) -> Result<Answer, SinkError> {
        loop {
            if self.open.is_none() {
                self.open().await?;
            }
            let Some(mut open) = self.open.take() else {
                continue;
            };
            match exchange(&mut open, &self.plan, call).await {
                Ok((answer, whole)) => {
                    open.used = true;
                    self.open = (whole && !open.sender.is_closed()).then_some(open);
                    return Ok(answer);
                }
                Err(Failed::Ended(_)) if open.used => {}
                Err(Failed::Ended(error)) => return Err(self.failed(&error)),
                Err(Failed::Other(error)) => return Err(error),
            }
        }
    }

    fn failed(&self, error: &hyper::Error) -> SinkError {
        failed(error, &self.plan.server.address())
    }
}

fn failed(error: &hyper::Error, address: &str) -> SinkError {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return closed(address);
    }
    if error.is_parse() || error.is_parse_too_large() {
        return SinkError::Unreachable(format!(
            "{address} answered something that is not HTTP ({error}); is it the web server's port, and does it expect https:// there"
        ));
    }
    server_at(address).explain(error)
}

/// The answer, and whether all of it was read, so that the connection can be used again.
async fn exchange(open: &mut Open, plan: &Plan, call: &Call) -> Result<(Answer, bool), Failed> {
    let address = plan.server.address();
    let patience = plan.timeout + Duration::from_secs(call.body.len() as u64 / SLOW_LINE);
    let request = request(plan, call).map_err(Failed::Other)?;
    let Open {
        sender, connection, ..
    } = open;
    let answer = async {
        sender.ready().await?;
        read(sender.send_request(request).await?).await
    };
    // Once the connection has ended, the answer is there or never comes: both are with `answer`.
    let driven = async {
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            () = connection => {}
        }
        answer.await
    };
    let answered: Result<_, hyper::Error> = timeout(patience, driven).await.map_err(|_| {
        Failed::Other(SinkError::Unreachable(format!(
            "{address} gave no answer within {} s; is it overloaded, or the line down",
            patience.as_secs()
        )))
    })?;
    answered.map_err(
        |error| match error.is_parse() || error.is_parse_too_large() {
            true => Failed::Other(failed(&error, &address)),
            false => Failed::Ended(error),
        },
    )
}

fn request(plan: &Plan, call: &Call) -> Result<Request<Full<Bytes>>, SinkError> {
    let mut request = Request::builder()
        .method(call.method)
        .uri(&call.target)
        .header(header::HOST, plan.server.authority());
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let mut request = request
        .body(Full::new(call.body.clone()))
        .map_err(|error| {
            SinkError::Denied(format!(
                "{}{} cannot be asked for: {error}",
                plan.server, call.target
            ))
        })?;
    request.headers_mut().extend(plan.headers.clone());
    Ok(request)
}

async fn read(mut response: Response<Incoming>) -> Result<(Answer, bool), hyper::Error> {
    let mut body = Vec::new();
    let mut whole = true;
    while let Some(frame) = response.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            whole = false;
            break;
        }
    }
    let headers = response.headers();
    let text = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.map(|value| value.chars().take(MAX_HEADER).collect())
    };
    let answer = Answer {
        status: response.status().as_u16(),
        retry_after: text(header::RETRY_AFTER),
        date: text(header::DATE),
        location: text(header::LOCATION),
        range: text(header::RANGE),
        content_type: text(header::CONTENT_TYPE),
        body,
    };
    Ok((answer, whole))
}
