//! One HTTP connection to a camera: a request, signed as the camera asks, and its answer. Nothing runs beside whoever waits for it.

use std::{
    error::Error as _,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::{Body as _, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT, WWW_AUTHENTICATE},
};
use hyper_util::rt::TokioIo;

use crate::{
    address::Address,
    connect::{connect, within},
    error::{Step, StreamError},
    mask::tame,
    options::Options,
    sign::{Signer, is_stale},
    wire,
};

/// A connection.
pub(super) struct Exchange {
    sender: SendRequest<Empty<Bytes>>,
    /// hyper's side of it; `None` when it has ended.
    driver: Option<BoxFuture<'static, Result<(), hyper::Error>>>,
}

/// What hyper may hold of an answer's head.
const HEAD_BYTES: usize = 32 << 10;
const HEAD_LINES: usize = 64;

// === impl Exchange ===

impl Exchange {
    pub(super) async fn open(address: &Address, options: &Options) -> Result<Self, StreamError> {
        let connection = connect(address, options).await?;
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_LINES)
            .handshake(TokioIo::new(connection.io))
            .await
            .map_err(|error| explain(&error))?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    /// Whether another request may go over it.
    pub(super) fn is_open(&self) -> bool {
        self.driver.is_some() && !self.sender.is_closed()
    }

    /// Sends one GET.
    async fn get(
        &mut self,
        address: &Address,
        signer: &mut Signer,
    ) -> Result<Response<Incoming>, StreamError> {
        let url = address.url();
        let mut target = url.path().to_owned();
        if target.is_empty() {
            target.push('/');
        }
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        let unfit =
            |_| StreamError::Broken("this address cannot be asked for over HTTP".to_owned());
        let signature = signer.sign("GET", &target)?;
        let host = match url.port() {
            Some(_) => address.place(),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let mut request = Request::get(target)
            .header(HOST, host)
            .header(USER_AGENT, wire::USER_AGENT)
            .body(Empty::new())
            .map_err(unfit)?;
        if let Some(signature) = signature {
            let mut value = HeaderValue::from_str(&signature)
                .map_err(|_| StreamError::SignInUnknown("it cannot be answered".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let sent = self.sender.send_request(request);
        drive(&mut self.driver, sent)
            .await
            .map_err(|error| explain(&error))
    }

    /// The next bytes of an answer; `None` at its end.
    pub(super) async fn read(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, StreamError> {
        loop {
            let mut body = Pin::new(&mut *body);
            let next = poll_fn(|cx| body.as_mut().poll_frame(cx));
            match drive(&mut self.driver, next).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(explain(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// Asks, and asks again with a signature when the camera wants one. The connection that the answer comes over is kept in `kept`.
pub(super) async fn get(
    address: &Address,
    options: &Options,
    signer: &mut Signer,
    kept: &mut Option<Exchange>,
) -> Result<Response<Incoming>, StreamError> {
    let mut signed = 0_u8;
    loop {
        let mut reused = true;
        let mut exchange = match kept.take().filter(Exchange::is_open) {
            Some(exchange) => exchange,
            None => {
                reused = false;
                Exchange::open(address, options).await?
            }
        };
        let asking = exchange.get(address, signer);
        let asked = within(options.limits.request, Step::Request, address, asking);
        let answer = match asked.await.and_then(|answer| answer) {
            // A camera may hang up between two requests; that is no fault.
            Err(_) if reused => continue,
            answer => answer?,
        };
        if answer.status() != StatusCode::UNAUTHORIZED {
            *kept = Some(exchange);
            return check(answer);
        }
        let challenges = || {
            let headers = answer.headers().get_all(WWW_AUTHENTICATE).iter();
            headers.filter_map(|value| value.to_str().ok())
        };
        if signed > u8::from(is_stale(challenges())) {
            return Err(StreamError::WrongPassword);
        }
        signer.challenged(challenges())?;
        signed += 1;
        // The refusal's body is of no interest, so its connection is not used again.
    }
}

fn check(answer: Response<Incoming>) -> Result<Response<Incoming>, StreamError> {
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let code = status.as_u16();
    let reason = tame(status.canonical_reason().unwrap_or_default(), 80);
    Err(match code {
        300..400 => StreamError::Redirected,
        403 => StreamError::Locked { status: code },
        404 | 410 => StreamError::NoSuchStream { status: code },
        429 | 503 => StreamError::Busy {
            status: code,
            reason,
        },
        _ => StreamError::Status {
            method: "GET".to_owned(),
            status: code,
            reason,
        },
    })
}

/// Waits for `work` while hyper's side of the connection runs.
async fn drive<T>(
    driver: &mut Option<BoxFuture<'static, Result<(), hyper::Error>>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Some(running) = driver
            && let Poll::Ready(ended) = running.as_mut().poll(cx)
        {
            // What it ended with is told to whoever waits for an answer, too.
            drop(ended);
            *driver = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

pub(super) fn explain(error: &hyper::Error) -> StreamError {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        Some(io) => StreamError::broken(io),
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            StreamError::Ended("it closed the connection".to_owned())
        }
        None => StreamError::Garbage(tame(&error.to_string(), 120)),
    }
}
