//! Pictures over HTTP: MJPEG that a camera pushes as `multipart/x-mixed-replace`, a JPEG that is asked for again and again, and single ones.

mod exchange;
pub(crate) mod multipart;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fieldgate_media::{Codec, Track};
use futures::{
    FutureExt as _, Stream,
    future::{BoxFuture, ready},
    stream::{self, BoxStream},
};
use hyper::{
    Response,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    address::Address,
    connect::within,
    error::{Step, StreamError},
    jpeg,
    mask::tame,
    options::{Options, PIXELS, SIDE},
    sign::Signer,
    stats::Meter,
    stream::{Arrived, Source, arrival_time},
    wire::Meters,
};
use exchange::{Exchange, get};
use multipart::Multipart;

/// Ticks in a second of these tracks, as RTP has them for pictures.
const TIMESCALE: u32 = 90_000;

/// Opens a stream of pictures over HTTP: the answer's type says of which sort.
pub(crate) async fn open(
    address: &Address,
    options: &Options,
) -> Result<(Box<dyn Source>, Arc<Meters>), StreamError> {
    let mut camera = Camera::new(address, options);
    let answer = camera.ask().await?;
    let frame_bytes = options.limits.frame_bytes;
    let pictures = match content_type(&answer) {
        text if text.starts_with("multipart/") => {
            let multipart = Multipart::new(&text, frame_bytes).map_err(|why| garbage(&why))?;
            pushed(camera, answer.into_body(), multipart)
        }
        text if text.starts_with("image/jpeg") || text.starts_with("image/jpg") => {
            asked(camera, answer)
        }
        offers => {
            return Err(StreamError::NoPicture {
                offers: tame(&offers, 60),
            });
        }
    };
    let meters = Arc::new(Meters::new());
    meters.lock().push(Meter::new(TIMESCALE));
    let source = Pictures {
        pictures,
        track: None,
        meters: Arc::clone(&meters),
    };
    Ok((Box::new(source), meters))
}

/// One JPEG from a camera's snapshot address: at most [`Limits::frame_bytes`](crate::Limits::frame_bytes), and surely a JPEG.
///
/// # Errors
/// As [`open`](crate::open).
pub async fn snapshot(address: &Address, options: &Options) -> Result<Bytes, StreamError> {
    if !matches!(address.scheme(), crate::Scheme::Http | crate::Scheme::Https) {
        return Err(StreamError::NoPicture {
            offers: "RTSP: a snapshot's address begins with http:// or https://".to_owned(),
        });
    }
    let mut camera = Camera::new(address, options);
    let answer = camera.ask().await?;
    let text = content_type(&answer);
    // Some say application/octet-stream: the bytes decide.
    if text.starts_with("multipart/") || text.starts_with("text/") {
        return Err(StreamError::NoPicture {
            offers: tame(&text, 60),
        });
    }
    camera.picture(answer).await
}

/// A camera, and the connection to it that is kept.
struct Camera {
    address: Address,
    options: Options,
    signer: Signer,
    exchange: Option<Exchange>,
}

/// The stream's side.
struct Pictures {
    pictures: BoxStream<'static, Result<Bytes, StreamError>>,
    track: Option<Arc<Track>>,
    meters: Arc<Meters>,
}

// === impl Camera ===

impl Camera {
    fn new(address: &Address, options: &Options) -> Self {
        let tls = address.scheme().is_tls();
        Self {
            address: address.clone(),
            options: options.clone(),
            signer: Signer::new(address.credentials().cloned(), options.basic, tls),
            exchange: None,
        }
    }

    async fn ask(&mut self) -> Result<Response<Incoming>, StreamError> {
        get(
            &self.address,
            &self.options,
            &mut self.signer,
            &mut self.exchange,
        )
        .await
    }

    /// The whole JPEG of an answer.
    async fn picture(&mut self, answer: Response<Incoming>) -> Result<Bytes, StreamError> {
        let most = self.options.limits.frame_bytes;
        let told = answer.headers().get(CONTENT_LENGTH);
        let told = told.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if told.is_some_and(|length| length > most as u64) {
            return Err(too_long(most));
        }
        let Some(exchange) = &mut self.exchange else {
            return Err(StreamError::Broken(
                "an answer without a connection".to_owned(),
            ));
        };
        let mut body = answer.into_body();
        let reading = async {
            let mut picture = BytesMut::new();
            while let Some(data) = exchange.read(&mut body).await? {
                if picture.len() + data.len() > most {
                    return Err(too_long(most));
                }
                picture.extend_from_slice(&data);
            }
            Ok(picture.freeze())
        };
        let limit = self.options.limits.request;
        let picture = within(limit, Step::Request, &self.address, reading).await??;
        if jpeg::is_whole(&picture) {
            return Ok(picture);
        }
        Err(StreamError::Garbage(format!(
            "`{}…`, which is no whole JPEG",
            crate::mask::beginning(&picture)
        )))
    }

    async fn pushed_part(
        &mut self,
        body: &mut Incoming,
        multipart: &mut Multipart,
    ) -> Result<Bytes, StreamError> {
        loop {
            if let Some(part) = multipart.part().map_err(|why| garbage(&why))? {
                // Between pictures some send texts, and some an empty part.
                if jpeg::size(&part.body).is_some() {
                    return Ok(part.body);
                }
                continue;
            }
            let Some(exchange) = self.exchange.as_mut().filter(|_| !multipart.is_over()) else {
                return Err(StreamError::Ended("it sent its last picture".to_owned()));
            };
            match exchange.read(body).await? {
                Some(data) => multipart.push(&data),
                None => return Err(StreamError::Ended("it closed the connection".to_owned())),
            }
        }
    }
}

fn pushed(
    camera: Camera,
    body: Incoming,
    multipart: Multipart,
) -> BoxStream<'static, Result<Bytes, StreamError>> {
    let state = (camera, body, multipart);
    Box::pin(stream::unfold(
        state,
        |(mut camera, mut body, mut multipart)| async move {
            let part = camera.pushed_part(&mut body, &mut multipart).await;
            Some((part, (camera, body, multipart)))
        },
    ))
}

fn asked(
    camera: Camera,
    first: Response<Incoming>,
) -> BoxStream<'static, Result<Bytes, StreamError>> {
    let state = (camera, Some(first), Instant::now());
    Box::pin(stream::unfold(
        state,
        |(mut camera, first, due)| async move {
            let picture = async {
                sleep_until(due).await;
                let answer = match first {
                    Some(answer) => answer,
                    None => camera.ask().await?,
                };
                camera.picture(answer).await
            };
            let picture = picture.await;
            // Never behind schedule: a slow camera is asked less often.
            let next = (due + camera.options.limits.poll).max(Instant::now());
            Some((picture, (camera, None, next)))
        },
    ))
}

// === impl Pictures ===

impl Source for Pictures {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, StreamError>> {
        let picture = match Pin::new(&mut self.pictures).poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(picture)) => picture,
            Poll::Ready(None) => Err(StreamError::Ended("it is over".to_owned())),
        };
        Poll::Ready(picture.and_then(|data| {
            Ok(Arrived {
                index: 0,
                track: self.track_of(&data)?,
                theirs: arrival_time(self.meters.elapsed(), TIMESCALE),
                key: true,
                data,
            })
        }))
    }

    fn patience(&self, limits: &crate::Limits) -> Duration {
        // Pictures that are asked for cannot come more often than they are asked for.
        limits.stalled.max(limits.poll * 2 + limits.request)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        // HTTP knows no goodbye but hanging up.
        drop(self);
        ready(()).boxed()
    }
}

impl Pictures {
    fn track_of(&mut self, picture: &[u8]) -> Result<Arc<Track>, StreamError> {
        let (width, height) = jpeg::size(picture).unwrap_or_default();
        if width.max(height) > SIDE || u64::from(width) * u64::from(height) > PIXELS {
            return Err(StreamError::TooLarge { width, height });
        }
        if let Some(track) = &self.track
            && (track.width, track.height) == (width, height)
        {
            return Ok(Arc::clone(track));
        }
        let track = Arc::new(Track {
            codec: Codec::Mjpeg,
            rfc6381: String::new(),
            width,
            height,
            timescale: TIMESCALE,
            channels: 0,
            sample_entry: Bytes::new(),
            config: Bytes::new(),
        });
        self.track = Some(Arc::clone(&track));
        Ok(track)
    }
}

fn content_type(answer: &Response<Incoming>) -> String {
    let value = answer.headers().get(CONTENT_TYPE);
    let text = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Types know no case; a boundary does.
    let (name, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    format!("{}{rest}", name.trim().to_ascii_lowercase())
}

fn too_long(most: usize) -> StreamError {
    StreamError::Garbage(format!("a picture of more than {} KiB", most >> 10))
}

fn garbage(why: &dyn std::error::Error) -> StreamError {
    StreamError::Garbage(why.to_string())
}
