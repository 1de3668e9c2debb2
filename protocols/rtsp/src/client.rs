//! retina's place: RTSP and RTP through the wire become frames. Nothing else in the gateway names it.

mod track;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use fieldgate_media::{Codec, Track, h265};
use futures::{FutureExt as _, Stream as _, future::BoxFuture};
use retina::{
    client::{
        Demuxed, Described, InitialTimestampPolicy, PlayOptions, Session, SessionOptions,
        SetupOptions, TeardownPolicy, UnassignedChannelDataPolicy,
    },
    codec::{CodecItem, FrameFormat},
};
use tokio::time::timeout;

use crate::{
    address::Address,
    connect::{connect, within},
    error::{Step, StreamError},
    mask::tame,
    options::{Options, Transport},
    stats::Meter,
    stream::{Arrived, Source},
    wire::{Meters, RelayFuture, USER_AGENT, Wire},
};
use track::Choice;

/// Opens a stream of RTSP.
pub(crate) async fn open(
    address: &Address,
    options: &Options,
) -> Result<(Box<dyn Source>, Arc<Meters>), StreamError> {
    let datagrams = options.transport == Transport::Udp;
    if datagrams && address.scheme().is_tls() {
        return Err(StreamError::UdpWithTls);
    }
    let connection = connect(address, options).await?;
    let wire = Wire::new(connection, address, options).await?;
    let meters = Arc::clone(&wire.meters);
    let mut attempt = Attempt {
        address,
        relay: wire.relay,
        url: wire.url,
    };
    let limits = options.limits;
    let mut session = attempt.describe(limits.describe).await?;
    let choices = track::choose(session.streams(), options.sound)?;
    for choice in &choices {
        meters.lock().push(Meter::new(choice.clock_rate));
        let setup = SetupOptions::default().frame_format(FrameFormat::MP4);
        let setup = session.setup(choice.stream, setup);
        attempt.step(Step::Setup, limits.setup, setup).await?;
    }
    let how = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let playing = attempt
        .step(Step::Play, limits.play, session.play(how))
        .await?;
    let demuxed = playing.demuxed().map_err(|error| attempt.explain(&error))?;
    let source = Playing {
        demuxed,
        tracks: choices.into_iter().map(|choice| (choice, None)).collect(),
        relay: Some(attempt.relay),
        url: attempt.url,
        teardown: limits.teardown,
        meters: Arc::clone(&meters),
        datagrams,
    };
    Ok((Box::new(source), meters))
}

/// An attempt on its way: the wire has to be run while retina waits for it.
struct Attempt<'a> {
    address: &'a Address,
    relay: RelayFuture,
    url: String,
}

/// A stream that plays.
struct Playing {
    demuxed: Demuxed,
    /// What was set up, and the parameters of each that hold now.
    tracks: Vec<(Choice, Option<Arc<Track>>)>,
    /// `None` after it ended.
    relay: Option<RelayFuture>,
    url: String,
    teardown: Duration,
    meters: Arc<Meters>,
    /// Packets come by UDP, if they come.
    datagrams: bool,
}

/// A frame of retina, picture or sound.
struct Raw {
    stream: usize,
    elapsed: i64,
    key: bool,
    /// Its track's parameters may be others than before.
    renewed: bool,
    data: Bytes,
}

// === impl Attempt ===

impl Attempt<'_> {
    async fn describe(&mut self, limit: Duration) -> Result<Session<Described>, StreamError> {
        let url = self
            .url
            .parse()
            .map_err(|_| StreamError::Broken("the loopback address is none".to_owned()))?;
        let options = SessionOptions::default()
            .user_agent(USER_AGENT.to_owned())
            // The wire does both better: it knows how to sign, and what may pass.
            .teardown(TeardownPolicy::Never)
            .unassigned_channel_data(UnassignedChannelDataPolicy::Ignore);
        self.step(Step::Describe, limit, Session::describe(url, options))
            .await
    }

    /// One request of retina, with the wire running beside it; the wire's cause comes before retina's, which only sees that it ended.
    async fn step<T>(
        &mut self,
        step: Step,
        limit: Duration,
        work: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, StreamError> {
        let relay = &mut self.relay;
        let work = async {
            tokio::select! {
                biased;
                ended = relay => Err(ended.err().unwrap_or_else(hung_up)),
                done = work => Ok(done),
            }
        };
        within(limit, step, self.address, work)
            .await??
            .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &retina::Error) -> StreamError {
        explain(error, &self.url)
    }
}

// === impl Playing ===

impl Source for Playing {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, StreamError>> {
        if let Some(relay) = &mut self.relay
            && let Poll::Ready(ended) = relay.poll_unpin(cx)
        {
            self.relay = None;
            return Poll::Ready(Err(ended.err().unwrap_or_else(hung_up)));
        }
        loop {
            let item = match Pin::new(&mut self.demuxed).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Err(hung_up())),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(explain(&error, &self.url)));
                }
                Poll::Ready(Some(Ok(item))) => item,
            };
            match Raw::of(item).map(|raw| self.arrived(raw)) {
                Some(Ok(Some(arrived))) => return Poll::Ready(Ok(arrived)),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(None)) | None => {}
            }
        }
    }

    fn silence(&self, limit: Duration) -> StreamError {
        let nothing = || self.meters.lock().iter().all(|meter| meter.packets() == 0);
        if self.datagrams && nothing() {
            return StreamError::NoDatagrams(limit);
        }
        StreamError::Stalled(limit)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        let Self {
            demuxed,
            relay,
            teardown,
            ..
        } = *self;
        // The wire sees that retina is gone, and tears the session down.
        drop(demuxed);
        Box::pin(async move {
            // A camera that does not answer forgets the session by itself.
            if let Some(relay) = relay {
                let _ = timeout(teardown * 2, relay).await;
            }
        })
    }
}

impl Playing {
    fn arrived(&mut self, raw: Raw) -> Result<Option<Arrived>, StreamError> {
        let streams = self.demuxed.streams();
        let found = self
            .tracks
            .iter_mut()
            .enumerate()
            .find(|(_, (choice, _))| choice.stream == raw.stream);
        let Some((index, (choice, known))) = found else {
            return Ok(None);
        };
        if raw.renewed || known.is_none() {
            let stream = &streams[raw.stream];
            let fresh = track::track(choice, stream)?;
            match (fresh, &known) {
                (Some(fresh), Some(old)) if fresh == **old => {}
                (Some(fresh), _) => *known = Some(Arc::new(fresh)),
                // No frame means anything before its parameters are known.
                (None, _) => {}
            }
        }
        let Some(track) = known else {
            return Ok(None);
        };
        Ok(Some(Arrived {
            index,
            key: match track.codec {
                Codec::Mjpeg => true,
                // retina takes CRA and BLA for pictures that build upon others.
                Codec::H265 => h265::is_key(&raw.data),
                _ => raw.key,
            },
            track: Arc::clone(track),
            theirs: raw.elapsed,
            data: raw.data,
        }))
    }
}

// === impl Raw ===

impl Raw {
    fn of(item: CodecItem) -> Option<Self> {
        match item {
            CodecItem::VideoFrame(frame) => Some(Self {
                stream: frame.stream_id(),
                elapsed: frame.timestamp().elapsed(),
                key: frame.is_random_access_point(),
                renewed: frame.has_new_parameters(),
                data: frame.into_data().into(),
            }),
            CodecItem::AudioFrame(frame) => Some(Self {
                stream: frame.stream_id(),
                elapsed: frame.timestamp().elapsed(),
                key: true,
                renewed: false,
                data: Bytes::copy_from_slice(frame.data()),
            }),
            _ => None,
        }
    }
}

/// What retina does not understand. Its text ends with addresses of the loopback, which help nobody.
fn explain(error: &retina::Error, url: &str) -> StreamError {
    let text = error.to_string();
    let first = text.split("\n\nconn:").next().unwrap_or_default();
    let first = first.replace(url, "the stream");
    StreamError::Garbage(tame(&first, 240))
}

fn hung_up() -> StreamError {
    StreamError::Ended("it closed the connection".to_owned())
}
