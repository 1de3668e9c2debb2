//! A web server for the tests, in this process: it keeps what it was asked, and answers as it is told.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub method: String,
    pub target: String,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: &'static str,
    /// Ends the connection with the answer.
    pub last: bool,
    /// Waits before it answers.
    pub after: Duration,
}

type Answers = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

pub(super) struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

// === impl Reply ===

impl Reply {
    pub fn of(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

// === impl Server ===

impl Server {
    /// Answers each request by what this says; the second argument counts the requests from 0.
    pub async fn start(answers: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(None, answers).await
    }

    pub async fn with(
        tls: Option<ServerConfig>,
        answers: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let accepting = tokio::spawn(accept(
            listener,
            acceptor,
            Arc::new(answers),
            Arc::clone(&seen),
            Arc::clone(&connections),
        ));
        Self {
            address,
            seen,
            connections,
            accepting,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answers: Answers,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
) {
    // Dropped with the server, and so are its connections.
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let (answers, seen, tls) = (Arc::clone(&answers), Arc::clone(&seen), tls.clone());
        open.spawn(async move {
            match tls {
                None => serve(stream, answers, seen).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, answers, seen).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answers: Answers,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
        async move {
            let (parts, body) = request.into_parts();
            let request = Seen {
                method: parts.method.to_string(),
                target: parts.uri.to_string(),
                headers: parts.headers,
                body: body
                    .collect()
                    .await
                    .map(|body| body.to_bytes())
                    .unwrap_or_default(),
            };
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            Ok::<_, Infallible>(response(answers(&request, count)).await)
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn response(reply: Reply) -> Response<Full<Bytes>> {
    tokio::time::sleep(reply.after).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    if reply.last {
        response = response.header("connection", "close");
    }
    response.body(Full::new(reply.body.into())).unwrap()
}
