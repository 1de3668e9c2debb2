//! The gateway's API over its control socket, for the verbs of the command line.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use fieldgate_api::{
    GUARD_HEADER, GUARD_VALUE,
    endpoint::{Endpoint, Method, path, path_and_query},
    trouble::Trouble,
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};

/// An answer is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of a download, each part.
const PART_PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is kept in memory.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Where the socket is, in the state folder.
pub const SOCKET: &str = "control.sock";

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "no gateway answers at {socket}: {why}; start one with `fieldgate run`, or name its state folder with --state"
    )]
    Silent { socket: PathBuf, why: String },
    #[error("{}", words(.0))]
    Refused(Box<Trouble>),
    #[error(
        "the gateway's answer is not understood: {0}; is it of another version than this program?"
    )]
    Unreadable(String),
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
    #[error("{0}")]
    Usage(String),
}

/// A client of the gateway with this control socket.
pub struct Client {
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

// === impl Client ===

impl Client {
    /// # Errors
    /// When there can be no client on this machine.
    pub fn new(socket: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            socket: socket.to_owned(),
            runtime,
        })
    }

    /// Calls a row of the endpoint table.
    ///
    /// # Errors
    /// When no gateway answers, or it refuses.
    pub fn call<E: Endpoint>(
        &self,
        places: &[&str],
        request: &E::Request,
    ) -> Result<E::Response, Failure> {
        let (url, body) = match E::METHOD {
            Method::Get => (path_and_query::<E>(places, request), String::new()),
            _ => (path::<E>(places), json(request)?),
        };
        let mut text = Vec::new();
        self.exchange(E::METHOD, &url, body, &mut Limited(&mut text))?;
        let text: &[u8] = if text.is_empty() { b"null" } else { &text };
        serde_json::from_slice(text).map_err(|error| Failure::Unreadable(error.to_string()))
    }

    /// Writes what is at `url` to `out` while it comes.
    ///
    /// # Errors
    /// When no gateway answers, it refuses, or breaks off.
    pub fn download(&self, url: &str, out: &mut dyn Write) -> Result<(), Failure> {
        self.exchange(Method::Get, url, String::new(), out)
    }

    fn exchange(
        &self,
        method: Method,
        url: &str,
        body: String,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let silent = |why: String| Failure::Silent {
            socket: self.socket.clone(),
            why,
        };
        let request = request(method, url, body)?;
        self.runtime.block_on(async {
            let connecting = timeout(PATIENCE, UnixStream::connect(&self.socket));
            let stream = connecting
                .await
                .map_err(|_| silent("it does not take the connection".into()))?;
            let stream = stream.map_err(|error| silent(error.to_string()))?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| silent(error.to_string()))?;
            let talking = async {
                let answer = timeout(PATIENCE, sender.send_request(request)).await;
                let answer = answer.map_err(|_| silent("it does not answer in time".into()))?;
                let answer = answer.map_err(|error| silent(error.to_string()))?;
                receive(answer, out).await
            };
            tokio::pin!(talking, connection);
            tokio::select! {
                biased;
                outcome = &mut talking => outcome,
                ended = &mut connection => match ended {
                    Err(error) => Err(silent(error.to_string())),
                    // What had arrived before it hung up is there to be read.
                    Ok(()) => talking.await,
                },
            }
        })
    }
}

async fn receive(answer: Response<Incoming>, out: &mut dyn Write) -> Result<(), Failure> {
    let good = answer.status().is_success();
    let mut body = answer.into_body();
    let mut trouble = Vec::new();
    loop {
        let part = timeout(PART_PATIENCE, body.frame()).await;
        let part = part.map_err(|_| Failure::Unreadable("it breaks off".into()))?;
        let Some(part) = part else { break };
        let part = part.map_err(|error| Failure::Unreadable(error.to_string()))?;
        let Some(data) = part.data_ref() else {
            continue;
        };
        match good {
            true => out.write_all(data)?,
            false => Limited(&mut trouble).write_all(data)?,
        }
    }
    if good {
        return Ok(());
    }
    let trouble = serde_json::from_slice(&trouble);
    let trouble =
        trouble.map_err(|error: serde_json::Error| Failure::Unreadable(error.to_string()))?;
    Err(Failure::Refused(Box::new(trouble)))
}

fn request(
    method: Method,
    url: &str,
    body: String,
) -> Result<Request<Full<bytes::Bytes>>, Failure> {
    let mut request = Request::builder()
        .method(method.as_str())
        .uri(url)
        .header("host", "localhost")
        .header(GUARD_HEADER, GUARD_VALUE);
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Full::from(body));
    request.map_err(|error| Failure::Usage(error.to_string()))
}

fn json<T: serde::Serialize>(request: &T) -> Result<String, Failure> {
    let text = serde_json::to_string(request);
    let text = text.map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(if text == "null" { String::new() } else { text })
}

/// What the gateway says is wrong, and each problem in a line of its own.
fn words(trouble: &Trouble) -> String {
    let problems = trouble.problems.iter();
    let lines = problems.map(|problem| format!("\n{}", crate::config::line(problem)));
    format!(
        "{} ({}){}",
        trouble.detail,
        trouble.code,
        lines.collect::<String>()
    )
}

/// Memory that takes so much and no more.
struct Limited<'a>(&'a mut Vec<u8>);

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_ANSWER_BYTES {
            return Err(std::io::Error::other("the gateway's answer is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
