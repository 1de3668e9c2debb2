//! Pictures on demand, in time, and when something happens: the newest key frame, decoded in a process of its own, or what the camera gives
//! at its snapshot address where its stream cannot be decoded here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_kit::camera::Picture;
use fieldgate_media::{
    Codec, Frame, JpegFacts, TrackKind,
    worker::{Decoder, Job, Luma, PictureWish, Want},
};
use fieldgate_model::Timestamp;
use fieldgate_onvif::now;
use fieldgate_rtsp::{Address, Options, snapshot};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, timeout_at},
};

use crate::hub::Hub;

/// How long a key frame is waited for; then an older one does.
const WAIT: Duration = Duration::from_secs(8);

/// What pictures shall be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub width: u16,
    pub quality: u8,
}

/// Makes the pictures of one camera.
pub(crate) struct Pictures {
    pub camera: Arc<str>,
    pub hub: Arc<Hub>,
    pub decoder: Decoder,
    /// The camera's own single pictures.
    pub own: Option<(Address, Options)>,
    /// The last one, and of which key frame it is.
    last: Option<(Timestamp, Form, Picture)>,
}

// === impl Pictures ===

impl Pictures {
    pub(crate) fn new(
        camera: Arc<str>,
        hub: Arc<Hub>,
        decoder: Decoder,
        own: Option<(Address, Options)>,
    ) -> Self {
        Self {
            camera,
            hub,
            decoder,
            own,
            last: None,
        }
    }

    /// A picture that is no older than `at_most`, or else the newest there is.
    ///
    /// # Errors
    /// In words, when there is none.
    pub(crate) async fn take(&mut self, at_most: Duration, form: Form) -> Result<Picture, String> {
        let key = self.key(at_most).await?;
        if let Some((of, as_form, picture)) = &self.last
            && *of == key.seen
            && (as_form.width, as_form.quality) == (form.width, form.quality)
        {
            return Ok(picture.clone());
        }
        let picture = match decode(&self.decoder, &self.camera, &key, form).await {
            Ok(picture) => picture,
            Err(words) => self.ask(words).await?,
        };
        self.last = Some((key.seen, form, picture.clone()));
        Ok(picture)
    }

    /// The newest key frame, or the next one.
    async fn key(&self, at_most: Duration) -> Result<Frame, String> {
        let joined = self.hub.join();
        let mut frames = joined.frames;
        let there = self.hub.last_key();
        if let Some(key) = there.as_ref().filter(|key| age(key) <= at_most) {
            return Ok(key.clone());
        }
        let until = Instant::now() + WAIT;
        let next = async {
            loop {
                match frames.recv().await {
                    Ok(frame) if is_key(&frame) => return Some(frame),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        let next = timeout_at(until, next).await.ok().flatten();
        next.or(there).ok_or_else(|| {
            "no key frame came yet; shorten the camera's key frame interval".to_owned()
        })
    }

    /// The camera's own picture, since the stream's could not be had for the reason given.
    async fn ask(&self, why: String) -> Result<Picture, String> {
        let Some((address, options)) = &self.own else {
            return Err(why);
        };
        let bytes: Bytes = snapshot(address, options)
            .await
            .map_err(|error| format!("{why}; and its snapshot address: {error}"))?;
        let facts = JpegFacts::of(&bytes).map_err(|no| format!("{why}; and its snapshot: {no}"))?;
        Ok(Picture {
            bytes,
            width: facts.width.into(),
            height: facts.height.into(),
            seen: now(),
        })
    }
}

/// The picture of a key frame. `as_whom` has one decoded at a time.
///
/// # Errors
/// In words.
pub(crate) async fn decode(
    decoder: &Decoder,
    as_whom: &str,
    key: &Frame,
    form: Form,
) -> Result<Picture, String> {
    // A JPEG that is small enough goes as it came.
    if key.track.codec == Codec::Mjpeg
        && let Ok(facts) = JpegFacts::of(&key.data)
        && facts.width <= form.width
    {
        return Ok(Picture {
            bytes: key.data.clone(),
            width: facts.width.into(),
            height: facts.height.into(),
            seen: key.seen,
        });
    }
    let wish = PictureWish {
        width: form.width,
        height: u16::MAX,
        quality: form.quality,
    };
    let want = Want {
        picture: Some(wish),
        luma: None,
    };
    let decoded = decoder.decode(as_whom, &job(key, want)).await;
    let decoded = decoded.map_err(|error| error.to_string())?;
    let picture = decoded.picture.ok_or("the decoder gave no picture")?;
    Ok(Picture {
        bytes: picture.jpeg,
        width: picture.width.into(),
        height: picture.height.into(),
        seen: key.seen,
    })
}

/// The brightness of a key frame, small, for motion.
///
/// # Errors
/// In words.
pub(crate) async fn luma(
    decoder: &Decoder,
    camera: &str,
    key: &Frame,
    size: (u16, u16),
) -> Result<Luma, String> {
    let want = Want {
        picture: None,
        luma: Some(size),
    };
    let decoded = decoder.decode(camera, &job(key, want)).await;
    let decoded = decoded.map_err(|error| error.to_string())?;
    decoded
        .luma
        .ok_or_else(|| "the decoder gave no picture".to_owned())
}

fn job(key: &Frame, want: Want) -> Job {
    Job {
        codec: key.track.codec,
        config: key.track.config.clone(),
        frame: key.data.clone(),
        want,
    }
}

pub(crate) fn is_key(frame: &Frame) -> bool {
    frame.key && frame.track.codec.kind() == TrackKind::Picture
}

fn age(key: &Frame) -> Duration {
    let nanos = now().nanos().saturating_sub(key.seen.nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
