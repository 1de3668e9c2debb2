//! `Eye`: what is known of a camera while it is connected, for people; and what its parts ask of one another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::{
    Camera, ExploreError,
    camera::{
        CameraReport, ClipReport, Happening, Kept, LivePart, Movement, Picture, StreamOffer,
        TrackReport,
    },
    explore::{Explored, Fact},
};
use fieldgate_media::{Codec, Track, TrackKind};
use fieldgate_model::Timestamp;
use fieldgate_rtsp::TrackStats;
use futures::stream::BoxStream;
use tokio::sync::{mpsc, oneshot};

use crate::{
    hub::Hub,
    live::{self, Seat},
    pictures::Form,
};

/// Pictures that are asked for at once; one more is refused.
const ASKED: usize = 8;
/// Triggers that wait; a further one finds everything on its way already.
const TRIGGERS: usize = 8;
/// What it reported lately.
const HAPPENINGS: usize = 30;
/// Clips of lately.
const CLIPS: usize = 20;

/// A picture that somebody waits for.
pub(crate) struct Ask {
    pub at_most: Duration,
    pub form: Form,
    /// It becomes a reading, too.
    pub send: bool,
    pub reply: oneshot::Sender<Result<Picture, String>>,
}

/// Something happened that settings may answer with a picture and a clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub why: String,
    pub at: Timestamp,
}

/// See the module.
pub(crate) struct Eye {
    pub hub: Arc<Hub>,
    form: Form,
    asks: mpsc::Sender<Ask>,
    triggers: mpsc::Sender<Trigger>,
    viewers: Seat,
    state: Mutex<State>,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub words: String,
    pub address: String,
    pub tracks: Vec<Arc<Track>>,
    pub stats: Vec<(Codec, TrackStats)>,
    pub facts: Vec<Fact>,
    pub streams: Vec<StreamOffer>,
    pub clock_ahead_ms: Option<i64>,
    pub movement: Option<Movement>,
    pub kept: Option<Kept>,
    pub passed_on: Option<String>,
    happenings: VecDeque<Happening>,
    clips: VecDeque<ClipReport>,
}

/// What the parts of a source take from the eye.
pub(crate) struct Wishes {
    pub asks: mpsc::Receiver<Ask>,
    pub triggers: mpsc::Receiver<Trigger>,
}

// === impl Eye ===

impl Eye {
    pub(crate) fn new(hub: Arc<Hub>, form: Form) -> (Arc<Self>, Wishes) {
        let (ask, asks) = mpsc::channel(ASKED);
        let (trigger, triggers) = mpsc::channel(TRIGGERS);
        let eye = Self {
            hub,
            form,
            asks: ask,
            triggers: trigger,
            viewers: Seat::default(),
            state: Mutex::default(),
        };
        (Arc::new(eye), Wishes { asks, triggers })
    }

    /// Nothing waits while this is held.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened; what the settings want of it follows. When much happens at once, one stands for all.
    pub(crate) fn trigger(&self, why: &str, at: Timestamp) {
        let why = why.to_owned();
        // Full: what it would start is under way.
        let _ = self.triggers.try_send(Trigger { why, at });
    }

    /// A picture as the settings form it, which becomes a reading when `send` says so.
    ///
    /// # Errors
    /// In words.
    pub(crate) async fn ask(&self, at_most: Duration, send: bool) -> Result<Picture, String> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            at_most,
            form: self.form,
            send,
            reply,
        };
        self.asks
            .try_send(ask)
            .map_err(|_| "too many pictures are asked for at once; wait a moment")?;
        answer
            .await
            .unwrap_or_else(|_| Err("the camera was lost meanwhile".to_owned()))
    }
}

impl Camera for Eye {
    fn report(&self) -> CameraReport {
        let state = self.state();
        let tracks = state.tracks.iter().enumerate();
        let tracks = tracks.map(|(index, track)| track_report(track, state.stats.get(index)));
        CameraReport {
            connected: true,
            words: state.words.clone(),
            address: state.address.clone(),
            last_frame: self.hub.last_seen(),
            tracks: tracks.collect(),
            facts: state.facts.clone(),
            clock_ahead_ms: state.clock_ahead_ms,
            streams: state.streams.clone(),
            movement: state.movement.clone(),
            happenings: state.happenings.iter().cloned().collect(),
            clips: state.clips.iter().cloned().collect(),
            kept: state.kept.clone(),
            viewers: u32::try_from(Arc::strong_count(&self.viewers) - 1).unwrap_or(u32::MAX),
            passed_on: state.passed_on.clone(),
        }
    }

    fn live(&self) -> BoxStream<'static, LivePart> {
        let tracks = self.state().tracks.clone();
        live::live(&self.hub, tracks, Arc::clone(&self.viewers))
    }

    fn picture(&self, at_most: Duration) -> Explored<'_, Picture> {
        Box::pin(async move {
            self.ask(at_most, false)
                .await
                .map_err(ExploreError::Refused)
        })
    }
}

// === impl State ===

impl State {
    pub(crate) fn happened(&mut self, what: Happening) {
        self.happenings.push_front(what);
        self.happenings.truncate(HAPPENINGS);
    }

    /// A clip as it is now: a new one, or one that is known.
    pub(crate) fn clip(&mut self, clip: ClipReport) {
        match self.clips.iter_mut().find(|known| known.id == clip.id) {
            Some(known) => *known = clip,
            None => {
                self.clips.push_front(clip);
                self.clips.truncate(CLIPS);
            }
        }
    }

    /// What figures are told of the tracks.
    pub(crate) fn track_reports(&self) -> Vec<TrackReport> {
        let tracks = self.tracks.iter().enumerate();
        tracks
            .map(|(index, track)| track_report(track, self.stats.get(index)))
            .collect()
    }
}

fn track_report(track: &Track, stats: Option<&(Codec, TrackStats)>) -> TrackReport {
    let stats = stats.map(|(_, stats)| *stats).unwrap_or_default();
    let picture = track.codec.kind() == TrackKind::Picture;
    TrackReport {
        codec: track.codec.title().to_owned(),
        width: if picture { track.width } else { 0 },
        height: if picture { track.height } else { 0 },
        fps: stats.frames_per_second,
        bits_per_s: stats.bits_per_second,
        lost: stats.packets_lost,
        jitter_ms: (stats.packets > 0).then_some(stats.jitter_ms),
        key_every_s: stats
            .keyframe_interval
            .filter(|_| picture)
            .map(|every| every.as_secs_f64()),
    }
}
