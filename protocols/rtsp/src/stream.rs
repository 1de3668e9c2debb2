//! A stream that is open: frames with times that go forward, from the first keyframe on, watched so that silence ends with a cause.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fieldgate_media::{Codec, Frame, Track, TrackKind};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep_until};

use crate::{
    address::{Address, Scheme},
    client,
    clock::Clock,
    error::StreamError,
    http,
    options::{Limits, Options},
    pts::Pts,
    stats::TrackStats,
    wire::Meters,
};

/// An open stream. Nothing is queued in it: whoever does not take frames holds the camera back. Dropping it hangs up at once;
/// [`Stream::close`] says goodbye first.
pub struct Stream {
    source: Box<dyn Source>,
    meters: Arc<Meters>,
    limits: Limits,
    clock: Clock,
    /// What is known of each track so far, and its times.
    tracks: Vec<Known>,
    /// The frame behind a track that is told first: two at the most.
    waiting: VecDeque<Item>,
    keyed: bool,
    last_picture: Instant,
    last_key: Instant,
    ended: Option<StreamError>,
}

/// What comes of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A track is known, or has other parameters from the next frame on. Told before its first frame.
    Track(Arc<Track>),
    Frame(Frame),
}

/// What reads one kind of stream.
pub(crate) trait Source: Send {
    /// The next frame; an error is the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, StreamError>>;
    /// How long a picture may be away.
    fn patience(&self, limits: &Limits) -> Duration {
        limits.stalled
    }
    /// What a picture's absence for so long means.
    fn silence(&self, limit: Duration) -> StreamError {
        StreamError::Stalled(limit)
    }
    /// Says goodbye, within a limit.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A frame as its source has it.
pub(crate) struct Arrived {
    /// By the order of the meters.
    pub(crate) index: usize,
    pub(crate) track: Arc<Track>,
    /// The camera's time in the track's timescale.
    pub(crate) theirs: i64,
    pub(crate) key: bool,
    pub(crate) data: Bytes,
}

struct Known {
    index: usize,
    track: Arc<Track>,
    pts: Pts,
}

/// One attempt: resolves, connects, asks, and returns when the camera has agreed to send.
///
/// # Errors
/// Says on which rung of the ladder it ended, and what to do.
pub async fn open(address: &Address, options: &Options) -> Result<Stream, StreamError> {
    let (source, meters) = match address.scheme() {
        Scheme::Rtsp | Scheme::Rtsps => client::open(address, options).await?,
        Scheme::Http | Scheme::Https => http::open(address, options).await?,
    };
    Ok(Stream::new(source, meters, options.limits))
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(source: Box<dyn Source>, meters: Arc<Meters>, mut limits: Limits) -> Self {
        let now = Instant::now();
        limits.stalled = source.patience(&limits);
        limits.keyframe = limits.keyframe.max(limits.stalled);
        Self {
            source,
            meters,
            limits,
            clock: Clock::start(),
            tracks: Vec::new(),
            waiting: VecDeque::new(),
            keyed: false,
            last_picture: now,
            last_key: now,
            ended: None,
        }
    }

    /// The next track or frame. May be abandoned and called again; after an error it gives the same error for ever.
    ///
    /// # Errors
    /// The cause of the stream's end.
    pub async fn next(&mut self) -> Result<Item, StreamError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let next = self.next_or_end().await;
        if let Err(error) = &next {
            self.ended = Some(error.clone());
        }
        next
    }

    /// The tracks that frames came of so far, with the parameters that hold now.
    #[must_use]
    pub fn tracks(&self) -> Vec<Arc<Track>> {
        self.tracks
            .iter()
            .map(|known| Arc::clone(&known.track))
            .collect()
    }

    /// How each track is doing.
    #[must_use]
    pub fn stats(&self) -> Vec<(Codec, TrackStats)> {
        let now = self.meters.elapsed();
        let meters = self.meters.lock();
        self.tracks
            .iter()
            .filter_map(|known| {
                let meter = meters.get(known.index)?;
                Some((known.track.codec, meter.stats(now)))
            })
            .collect()
    }

    /// Tells the camera that we leave, within [`Limits::teardown`].
    pub async fn close(self) {
        self.source.close().await;
    }

    async fn next_or_end(&mut self) -> Result<Item, StreamError> {
        loop {
            if let Some(item) = self.waiting.pop_front() {
                return Ok(item);
            }
            let (deadline, cause) = self.patience();
            let source = &mut self.source;
            let arrived = tokio::select! {
                // What came counts, also when it was fetched late.
                biased;
                arrived = poll_fn(|cx| source.poll_next(cx)) => arrived?,
                () = sleep_until(deadline) => return Err(cause),
            };
            self.take(arrived);
        }
    }

    /// Until when the next picture has to come, and what it means if it does not.
    fn patience(&self) -> (Instant, StreamError) {
        let Limits {
            stalled, keyframe, ..
        } = self.limits;
        let (picture, key) = (self.last_picture + stalled, self.last_key + keyframe);
        if key < picture {
            (key, StreamError::NoKeyframe(keyframe))
        } else {
            (picture, self.source.silence(stalled))
        }
    }

    fn take(&mut self, arrived: Arrived) {
        let now = Instant::now();
        let picture = arrived.track.codec.kind() == TrackKind::Picture;
        if picture {
            self.last_picture = now;
            if arrived.key {
                self.last_key = now;
                self.keyed = true;
            }
        }
        let at = self.meters.elapsed();
        let known = self.know(&arrived);
        if let Some(meter) = self.meters.lock().get_mut(arrived.index) {
            meter.frame(arrived.data.len(), arrived.key, at);
            if !self.keyed {
                meter.before_keyframe();
            }
        }
        if !self.keyed || arrived.track.codec == Codec::OtherSound {
            return;
        }
        let pts = self.tracks[known].pts.next(arrived.theirs, at);
        self.waiting.push_back(Item::Frame(Frame {
            track: arrived.track,
            seen: self.clock.now(),
            pts,
            key: arrived.key,
            data: arrived.data,
        }));
    }

    /// Where the frame's track stands in the list; tells it first when it is new.
    fn know(&mut self, arrived: &Arrived) -> usize {
        let told = Item::Track(Arc::clone(&arrived.track));
        let found = self
            .tracks
            .iter()
            .position(|known| known.index == arrived.index);
        match found {
            Some(at) => {
                let known = &mut self.tracks[at];
                if !Arc::ptr_eq(&known.track, &arrived.track) {
                    known.track = Arc::clone(&arrived.track);
                    self.waiting.push_back(told);
                }
                at
            }
            None => {
                self.tracks.push(Known {
                    index: arrived.index,
                    pts: Pts::new(arrived.track.timescale),
                    track: Arc::clone(&arrived.track),
                });
                self.waiting.push_back(told);
                self.tracks.len() - 1
            }
        }
    }
}

/// For a track whose frames carry no time of their own: the moment they came.
pub(crate) fn arrival_time(at: Duration, timescale: u32) -> i64 {
    let ticks = at.as_nanos() * u128::from(timescale) / 1_000_000_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}
