//! One HTTP exchange with a device: a connection for each, every wait limited, the answer bounded, no redirect followed.
//!
//! A connection for each request costs one round trip on a local network, and spares devices that allow few connections and
//! forget to close them.

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fieldgate_model::Timestamp;
use futures::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderName},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::tls::Trust;
use crate::{clock::read_http_date, reach::Reach, words::shown, xml::MAX_BYTES};

/// Name, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of the headers of an answer.
const MAX_HEADER_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Challenges of one answer that are looked at.
const MAX_CHALLENGES: usize = 8;

/// What came back.
pub(super) struct Reply {
    pub status: StatusCode,
    pub body: Bytes,
    /// `WWW-Authenticate`, each header a text.
    pub challenges: Vec<String>,
    /// The device's time in the header `Date`.
    pub date: Option<Timestamp>,
}

/// Why nothing came back, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody there, or no answer in time.
    Unreachable(String),
    /// It is no HTTP, or more of it than is read.
    Strange(String),
    /// Not asked: an address that is not to be asked.
    Forbidden(String),
}

/// The way to one device.
pub(super) struct Http {
    pub trust: Option<Arc<Trust>>,
    pub reach: Reach,
}

/// A request as it is sent.
pub(super) struct Question<'a> {
    pub url: &'a Url,
    pub action: &'a str,
    pub authorization: Option<&'a str>,
    pub body: String,
    /// For all of it.
    pub limit: Duration,
}

// === impl Http ===

impl Http {
    /// Sends a SOAP request and waits for the whole answer.
    pub(super) async fn post(&self, question: Question<'_>) -> Result<Reply, Silence> {
        let limit = question.limit;
        timeout(limit, self.exchange(question))
            .await
            .unwrap_or_else(|_| {
                Err(Silence::Unreachable(format!(
                    "no answer within {} s",
                    limit.as_secs()
                )))
            })
    }

    async fn exchange(&self, question: Question<'_>) -> Result<Reply, Silence> {
        let connecting = timeout(CONNECT_TIMEOUT, self.connect(question.url)).await;
        let stream = connecting
            .map_err(|_| Silence::Unreachable("it does not take the connection".to_owned()))??;
        let request = request(question)?;
        let Some(trust) = &self.trust else {
            return talk(stream, request).await;
        };
        let name = server_name(&request)?;
        let connector = TlsConnector::from(trust.config());
        let securing = timeout(CONNECT_TIMEOUT, connector.connect(name, stream)).await;
        let stream = securing
            .map_err(|_| Silence::Unreachable("TLS is not answered".to_owned()))?
            .map_err(|error| Silence::Unreachable(format!("TLS: {error}")))?;
        talk(stream, request).await
    }

    /// The name is resolved once, each address checked, and exactly those are connected to.
    async fn connect(&self, url: &Url) -> Result<TcpStream, Silence> {
        let port = url.port_or_known_default().unwrap_or(80);
        let addresses = match url.host() {
            Some(Host::Ipv4(ip)) => vec![SocketAddr::new(ip.into(), port)],
            Some(Host::Ipv6(ip)) => vec![SocketAddr::new(ip.into(), port)],
            Some(Host::Domain(name)) => resolve(name, port).await?,
            None => return Err(Silence::Forbidden("the address has no host".to_owned())),
        };
        for address in &addresses {
            self.reach
                .check(address.ip())
                .map_err(|why| Silence::Forbidden(why.to_owned()))?;
        }
        if self.reach == Reach::Network && addresses.iter().any(|address| is_own(address.ip())) {
            return Err(Silence::Forbidden("that is this machine itself".to_owned()));
        }
        let mut last = "its name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A request is one small write; waiting for more of it helps nobody.
                    let _best_effort = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = plain(&error),
            }
        }
        Err(Silence::Unreachable(last))
    }
}

/// One of this machine's own addresses.
fn is_own(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    if_addrs::get_if_addrs().is_ok_and(|own| own.iter().any(|interface| interface.ip() == ip))
}

async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, Silence> {
    let found = lookup_host((name, port))
        .await
        .map_err(|_| Silence::Unreachable(format!("the name {} is not known", shown(name))))?;
    Ok(found.take(MAX_ADDRESSES).collect())
}

fn request(question: Question<'_>) -> Result<Request<Full<Bytes>>, Silence> {
    let url = question.url;
    let host = host_header(url);
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::post(target)
        .header(header::HOST, host)
        .header(
            header::CONTENT_TYPE,
            format!(
                "application/soap+xml; charset=utf-8; action=\"{}\"",
                question.action
            ),
        )
        .header(header::ACCEPT, "application/soap+xml, text/xml")
        .header(
            header::USER_AGENT,
            concat!("fieldgate/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close");
    if let Some(authorization) = question.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request
        .body(Full::new(Bytes::from(question.body)))
        // Its text may have the credentials in it.
        .map_err(|_| Silence::Forbidden("the address cannot stand in a request".to_owned()))
}

fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn server_name(request: &Request<Full<Bytes>>) -> Result<ServerName<'static>, Silence> {
    let wrong = || Silence::Forbidden("the host cannot be named in TLS".to_owned());
    let host = request.headers().get(header::HOST).ok_or_else(wrong)?;
    let url = Url::parse(&format!("https://{}", host.to_str().map_err(|_| wrong())?))
        .map_err(|_| wrong())?;
    match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| wrong()),
        Some(Host::Ipv4(ip)) => Ok(ServerName::IpAddress(IpAddr::from(ip).into())),
        Some(Host::Ipv6(ip)) => Ok(ServerName::IpAddress(IpAddr::from(ip).into())),
        None => Err(wrong()),
    }
}

/// The connection is driven here, beside the exchange, so that it ends with it.
async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, Silence>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_header_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        // Devices write headers that no specification knows; theirs is the body that counts.
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let exchange = pin!(async move {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| broken(&error))?;
        receive(answer).await
    });
    match select(exchange, pin!(connection)).await {
        Either::Left((reply, _)) => reply,
        Either::Right((_, exchange)) => exchange.await,
    }
}

async fn receive(answer: Response<Incoming>) -> Result<Reply, Silence> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, MAX_BYTES)
        .collect()
        .await
        .map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => broken(&error),
            Err(_) => Silence::Strange("the answer is longer than 1 MiB".to_owned()),
        })?
        .to_bytes();
    Ok(Reply {
        status: parts.status,
        body,
        challenges: texts(&parts.headers, &header::WWW_AUTHENTICATE),
        date: texts(&parts.headers, &header::DATE)
            .first()
            .and_then(|date| read_http_date(date)),
    })
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let all = headers.get_all(name).iter();
    all.take(MAX_CHALLENGES)
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect()
}

fn broken(error: &hyper::Error) -> Silence {
    if error.is_parse() {
        Silence::Strange("it speaks no HTTP".to_owned())
    } else {
        Silence::Unreachable("the connection broke off".to_owned())
    }
}

/// The kinds that people meet, without the operating system's numbers.
fn plain(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => "nothing listens on that port".to_owned(),
        Kind::HostUnreachable | Kind::NetworkUnreachable => {
            "there is no way to that address".to_owned()
        }
        Kind::TimedOut => "it does not take the connection".to_owned(),
        _ => error.to_string(),
    }
}
