//! One attempt: find the camera, open its stream once, and hand it to all that consume it until it is lost.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use fieldgate_kit::{
    SourceCtx, SourceError,
    camera::{ClipReport, Happening, Movement, Picture, Preset},
};
use fieldgate_media::{Frame, Motion, MotionChange, MotionSettings, Zone, worker::Decoder};
use fieldgate_model::{DropReason, Pattern, Reading, Timestamp, Value};
use fieldgate_onvif::{Device as _, now};
use fieldgate_rtsp::{Item, Stream, open};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    commands,
    connect::{self, Found, Moved, Onvif, stream_error},
    decoders::Decoders,
    events,
    eye::{Eye, Trigger, Wishes},
    hub::Hub,
    pass_on,
    pictures::{self, Form, Pictures, is_key},
    points::{Facts, File, Points, When, hex, measured, parts},
    record,
    saver::{ClipWish, Finished, Saver},
    settings::Settings,
};

/// How often the state for people is renewed.
const BEAT: Duration = Duration::from_secs(1);
/// Clips that wait to be handed over; one more is dropped and counted.
const CLIPS: usize = 3;
/// A picture for an event is at most so old.
const FRESH: Duration = Duration::from_millis(1500);
/// Where a camera moves is asked so often.
const PLACES: Duration = Duration::from_secs(15);
/// Motion is looked for in pictures of this size.
const LUMA: (u16, u16) = (64, 36);
/// Values that are kept with a clip.
const MEASURED: usize = 500;
/// What was saved is handed over for so long after the stream is over.
const HAND_OVER: Duration = Duration::from_secs(3);
/// How long a camera may take to be told good-bye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What all parts of an attempt share.
pub(crate) struct Attempt {
    pub settings: Arc<Settings>,
    pub ctx: SourceCtx,
    pub points: Points,
    pub eye: Arc<Eye>,
    pub decoder: Decoder,
}

/// A clip is wished for: why, and who wants to know its id.
pub(crate) struct Wanted {
    pub trigger: Trigger,
    pub reply: Option<tokio::sync::oneshot::Sender<Result<String, String>>>,
}

pub(crate) async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
    let shutdown = ctx.shutdown.clone();
    ctx.health.connecting("asking the camera");
    let mut moved = ctx.memory.take::<Moved>().unwrap_or_default();
    let found = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        found = connect::find(&settings, &ctx.secrets, &mut moved) => found,
    };
    ctx.memory.keep(moved);
    let found = found?;
    ctx.health.connecting(format!("opening {}", found.address));
    let stream = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        stream = open(&found.address, &found.options) => stream.map_err(|error| stream_error(&error))?,
    };
    let form = form(&settings);
    let (eye, wishes) = Eye::new(Arc::new(Hub::new()), form);
    let decoder = ctx.memory.common::<Decoders>().decoder();
    let attempt = Attempt {
        points: Points::new(&ctx.id),
        settings,
        ctx,
        eye,
        decoder,
    };
    attempt.announce(&found);
    let offer = attempt.ctx.showing.offer(Arc::<Eye>::clone(&attempt.eye));
    let outcome = attempt.serve(stream, &found, wishes).await;
    drop(offer);
    if let Err(error) = &outcome {
        let at = now();
        attempt
            .ctx
            .readings
            .offer(attempt.points.lost(&error.to_string(), at));
    }
    outcome
}

fn form(settings: &Settings) -> Form {
    let snapshots = settings.snapshots.as_ref();
    Form {
        width: snapshots
            .and_then(|shots| u16::try_from(shots.width).ok())
            .unwrap_or(1280),
        quality: snapshots.map_or(80, |shots| shots.quality),
    }
}

// === impl Attempt ===

impl Attempt {
    fn announce(&self, found: &Found) {
        let onvif = found.onvif.as_ref();
        let name = onvif.and_then(|onvif| onvif.name.clone());
        let address = found.address.to_string();
        let facts = Facts {
            name: name.as_deref().unwrap_or(&self.ctx.id),
            model: onvif.and_then(|onvif| onvif.model.as_deref()),
            address: &address,
            snapshots: true,
            clips: self.settings.clips.is_some(),
            motion: self.settings.motion.is_some(),
            events: onvif.is_some_and(|onvif| onvif.services.events),
        };
        self.ctx
            .devices
            .announce_all(vec![self.points.device(&facts)]);
        let mut state = self.eye.state();
        state.address = address;
        if let Some(onvif) = onvif {
            state.facts.clone_from(&onvif.facts);
            state.streams.clone_from(&onvif.streams);
            state.clock_ahead_ms = Some(onvif.drift_ms);
        }
    }

    /// Until the stream is lost, or the gateway stops.
    async fn serve(
        &self,
        mut stream: Stream,
        found: &Found,
        wishes: Wishes,
    ) -> Result<(), SourceError> {
        let (save, wanted) = mpsc::channel(CLIPS);
        let (finish, finished) = mpsc::channel(CLIPS);
        let own = found
            .onvif
            .as_ref()
            .and_then(|onvif| onvif.snapshot.clone());
        let own = own.map(|address| (address, found.options.clone()));
        let pictures = Pictures::new(
            Arc::clone(&self.ctx.id),
            Arc::clone(&self.eye.hub),
            self.decoder.clone(),
            own,
        );
        let onvif = found.onvif.as_ref();
        // Outlives the stream, so that a clip that its end cut short is handed over, too.
        let mut clips = Box::pin(self.clips(finished));
        let mut handed_over = false;
        let outcome = {
            let receive = self.receive(&mut stream, wanted, finish);
            let shots = self.shots(pictures, wishes.asks);
            let triggers = self.triggers(wishes.triggers, &save);
            let motion = self.motion();
            let places = self.places(onvif);
            let events = events::follow(self, onvif);
            let orders = commands::serve(self, onvif, &save);
            let record = record::record(self);
            let pass_on = pass_on::serve(self);
            // Boxed: each is large, and they are polled together.
            let (receive, shots, triggers) =
                (Box::pin(receive), Box::pin(shots), Box::pin(triggers));
            tokio::select! {
                ended = receive => ended,
                ended = shots => ended,
                ended = &mut clips => {
                    handed_over = true;
                    ended
                }
                never = triggers => match never {},
                never = motion => match never {},
                never = places => match never {},
                ended = events => ended,
                never = orders => match never {},
                ended = record => ended,
                ended = pass_on => ended,
            }
        };
        if !handed_over && timeout(HAND_OVER, clips).await.is_err() {
            tracing::warn!(source = %self.ctx.id, "a clip was not handed over within 3 s and is dropped");
            self.ctx.readings.dropped(DropReason::NoRoom, 1);
        }
        // A camera that does not answer is left without a word.
        let _ = timeout(GOODBYE, stream.close()).await;
        outcome
    }

    /// Takes frames and hands them on, until the gateway stops or, with the cause, the stream is over.
    async fn receive(
        &self,
        stream: &mut Stream,
        mut wanted: mpsc::Receiver<Wanted>,
        finish: mpsc::Sender<Finished>,
    ) -> Result<(), SourceError> {
        let mut saver = self.settings.clips.clone().map(Saver::new);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut figures = Instant::now();
        loop {
            tokio::select! {
                () = self.ctx.shutdown.cancelled() => {
                    let done = saver.as_mut().and_then(Saver::stop);
                    self.hand_over(done, &finish);
                    return Ok(());
                }
                item = stream.next() => match item {
                    Ok(Item::Track(_)) => self.eye.state().tracks = stream.tracks(),
                    Ok(Item::Frame(frame)) => {
                        self.eye.hub.push(&frame);
                        let done = saver.as_mut().and_then(|saver| saver.push(&frame));
                        self.hand_over(done, &finish);
                    }
                    Err(error) => {
                        let done = saver.as_mut().and_then(Saver::stop);
                        self.hand_over(done, &finish);
                        return Err(stream_error(&error));
                    }
                },
                Some(wanted) = wanted.recv() => self.begin_clip(saver.as_mut(), wanted),
                _ = beat.tick() => {
                    self.tell(stream, saver.as_ref());
                    if figures.elapsed() >= self.settings.figures.0 {
                        figures = Instant::now();
                        let state = self.eye.state();
                        let readings = self.points.figures(&state.track_reports(), state.clock_ahead_ms, now());
                        drop(state);
                        self.ctx.readings.offer(readings);
                    }
                }
            }
        }
    }

    fn begin_clip(&self, saver: Option<&mut Saver>, wanted: Wanted) {
        let Trigger { why, at } = wanted.trigger;
        let begun = match saver {
            None => Err("clips are not set up; see `clips` in the camera's settings".to_owned()),
            Some(saver) => saver.begin(&self.ctx.id, || self.wish(why, at), at),
        };
        match (wanted.reply, begun) {
            // Whoever asked may have gone.
            (Some(reply), begun) => drop(reply.send(begun.map(|begun| begun.id))),
            (None, Ok(_)) => {}
            (None, Err(words)) => tracing::info!(source = %self.ctx.id, words, "no clip is saved"),
        }
    }

    /// What is kept with a clip of this moment.
    fn wish(&self, why: String, at: Timestamp) -> ClipWish {
        let clips = self.settings.clips.iter();
        let with = clips.flat_map(|clips| &clips.with);
        let with: Vec<Pattern> = with.filter_map(|pattern| pattern.parse().ok()).collect();
        ClipWish {
            why,
            at,
            key: self.eye.hub.last_key(),
            measured: measured(self.ctx.latest.of(&with, MEASURED)),
        }
    }

    fn hand_over(&self, done: Option<Finished>, finish: &mpsc::Sender<Finished>) {
        if let Some(done) = done
            && let Err(refused) = finish.try_send(done)
        {
            let id = match &refused {
                mpsc::error::TrySendError::Full(done) | mpsc::error::TrySendError::Closed(done) => {
                    &done.id
                }
            };
            tracing::warn!(source = %self.ctx.id, clip = %id, "a clip is dropped: others wait to be queued");
            self.ctx.readings.dropped(DropReason::NoRoom, 1);
        }
    }

    /// How it is, for people and the board.
    fn tell(&self, stream: &Stream, saver: Option<&Saver>) {
        let mut state = self.eye.state();
        state.stats = stream.stats();
        if let Some((id, why, at, seconds, bytes)) = saver.and_then(Saver::taking) {
            state.clip(ClipReport {
                id,
                at,
                why,
                seconds,
                bytes,
                queued: false,
            });
        }
        let reports = state.track_reports();
        let picture = reports.iter().find(|track| track.width > 0);
        let words = picture.map(|track| {
            format!(
                "{} {} × {}, {:.1} frames/s, {:.2} Mbit/s",
                track.codec,
                track.width,
                track.height,
                track.fps,
                track.bits_per_s / 1e6
            )
        });
        let Some(words) = words else {
            return; // no key frame came yet
        };
        if state.words != words {
            state.words.clone_from(&words);
            drop(state);
            self.ctx.health.connected(words);
        }
    }

    /// Pictures in time and on demand, one after the other.
    async fn shots(
        &self,
        mut pictures: Pictures,
        mut asks: mpsc::Receiver<crate::eye::Ask>,
    ) -> Result<(), SourceError> {
        let shots = self.settings.snapshots.as_ref();
        let every = shots.and_then(|shots| shots.every);
        let form = form(&self.settings);
        let mut timer = every.map(|every| {
            let mut timer = interval(every.0);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        });
        loop {
            let ask = tokio::select! {
                Some(ask) = asks.recv() => Some(ask),
                () = tick(&mut timer) => None,
            };
            let (at_most, as_form, send) = match &ask {
                Some(ask) => (ask.at_most, ask.form, ask.send),
                None => (FRESH, form, true),
            };
            let picture = pictures.take(at_most, as_form).await;
            if send {
                match &picture {
                    Ok(picture) => self.send(vec![self.points.snapshot(picture)]).await?,
                    Err(words) => {
                        tracing::warn!(source = %self.ctx.id, words, "no snapshot");
                        self.ctx.readings.dropped(DropReason::Undecodable, 1);
                    }
                }
            }
            if let Some(ask) = ask {
                // Whoever asked may have gone.
                drop(ask.reply.send(picture));
            }
        }
    }

    /// What the settings want when something happens.
    async fn triggers(
        &self,
        mut triggers: mpsc::Receiver<Trigger>,
        save: &mpsc::Sender<Wanted>,
    ) -> Infallible {
        let shot = self
            .settings
            .snapshots
            .as_ref()
            .is_some_and(|shots| shots.on_event);
        let clip = self
            .settings
            .clips
            .as_ref()
            .is_some_and(|clips| clips.on_event);
        loop {
            let Some(trigger) = triggers.recv().await else {
                return pending().await;
            };
            if clip {
                let wanted = Wanted {
                    trigger,
                    reply: None,
                };
                // Full: several begin already, and a clip that is being taken goes on.
                let _ = save.try_send(wanted);
            }
            if shot && let Err(words) = self.eye.ask(FRESH, true).await {
                tracing::warn!(source = %self.ctx.id, words, "no snapshot of an event");
            }
        }
    }

    /// Hands clips over, one after the other, until none can come any more.
    async fn clips(&self, mut finished: mpsc::Receiver<Finished>) -> Result<(), SourceError> {
        while let Some(done) = finished.recv().await {
            self.clip(done).await?;
        }
        Ok(())
    }

    /// Hands one clip over: its film in parts, its picture, and an event that names both with what was measured. All have one id.
    async fn clip(&self, done: Finished) -> Result<(), SourceError> {
        let Finished {
            wish,
            id,
            stem,
            bytes,
            summary,
        } = done;
        let (film, still) = (format!("{stem}.mp4"), format!("{stem}.jpg"));
        let hash = hex(&summary.sha256);
        let picture = self.still(wish.key.as_ref()).await;
        let mut files = vec![File {
            clip: &id,
            name: &film,
            media_type: "video/mp4",
            sha256: &hash,
            bytes: &bytes,
        }];
        let still_hash = picture
            .as_ref()
            .map(|picture| hex(&Sha256::digest(&picture.bytes).into()));
        if let (Ok(picture), Ok(still_hash)) = (&picture, &still_hash) {
            files.push(File {
                clip: &id,
                name: &still,
                media_type: "image/jpeg",
                sha256: still_hash,
                bytes: &picture.bytes,
            });
        }
        let mut last = None;
        for part in files.into_iter().flat_map(parts) {
            let reading = self.points.clip(part, wish.at);
            last = Some(self.ctx.readings.send_durable(vec![reading]).await?);
        }
        if let Some(durable) = last {
            durable
                .await
                .map_err(|no| SourceError::Lost(no.to_string()))?;
        }
        let seconds = summary.duration.as_secs_f64();
        let count = bytes.len() as u64;
        let picture = match picture {
            Ok(_) => ("picture", Value::Text(still)),
            Err(words) => ("no_picture", Value::Text(words)),
        };
        let fields = [
            ("clip", Value::Text(id.clone())),
            ("name", Value::Text(film)),
            ("why", Value::Text(wish.why.clone())),
            ("seconds", seconds.into()),
            ("bytes", count.into()),
            ("sha256", Value::Text(hash)),
            picture,
            ("measured", wish.measured),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let message = format!("a clip of {seconds:.1} s was saved: {}", wish.why);
        let when = When {
            at: wish.at,
            seen: now(),
        };
        let event = self.points.event(
            "clip_saved",
            id.clone(),
            &message,
            None,
            fields.into(),
            when,
        );
        self.send(vec![event]).await?;
        self.eye.state().clip(ClipReport {
            id,
            at: wish.at,
            why: wish.why,
            seconds,
            bytes: count,
            queued: true,
        });
        Ok(())
    }

    /// The picture of a clip.
    async fn still(&self, key: Option<&Frame>) -> Result<Picture, String> {
        let key = key.ok_or("no key frame came before it")?;
        let as_whom = format!("{} clip", self.ctx.id);
        pictures::decode(&self.decoder, &as_whom, key, form(&self.settings)).await
    }

    /// Looks for motion in key frames.
    async fn motion(&self) -> Infallible {
        let Some(mut motion) = self.settings.motion.as_ref().and_then(looked_for) else {
            return pending().await;
        };
        let camera = format!("{} motion", self.ctx.id);
        let mut frames = self.eye.hub.join().frames;
        loop {
            let key = match frames.recv().await {
                Ok(frame) if is_key(&frame) => frame,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return pending().await,
            };
            let luma = match pictures::luma(&self.decoder, &camera, &key, LUMA).await {
                Ok(luma) => luma,
                Err(words) => {
                    tracing::debug!(source = %self.ctx.id, words, "no look for motion");
                    continue;
                }
            };
            let step = motion.look(&luma, key.seen);
            let (words, active) = match step.change {
                MotionChange::None => continue,
                MotionChange::Began => ("motion in the picture", true),
                MotionChange::Ended => ("no more motion in the picture", false),
            };
            let id = format!("motion-{}", key.seen.millis());
            self.happened("motion", id, words, Some(active), Vec::new(), key.seen)
                .await;
        }
    }

    /// Tells that something happened, to the queue, to people, and to what the settings want of it.
    pub(crate) async fn happened(
        &self,
        point: &str,
        id: String,
        words: &str,
        active: Option<bool>,
        fields: Vec<(String, Value)>,
        at: Timestamp,
    ) {
        self.eye.state().happened(Happening {
            at,
            words: words.to_owned(),
            active,
        });
        if active != Some(false) {
            self.eye.trigger(words, at);
        }
        let event = self
            .points
            .event(point, id, words, active, fields, When { at, seen: now() });
        // An error is the gateway's stop, which every part sees for itself.
        let _ = self.send(vec![event]).await;
    }

    /// Where it looks, and its presets.
    async fn places(&self, onvif: Option<&Onvif>) -> Infallible {
        let moves =
            onvif.and_then(|onvif| Some((onvif, onvif.profile.as_ref()?, onvif.ranges.as_ref()?)));
        let Some((onvif, profile, ranges)) = moves else {
            return pending().await;
        };
        loop {
            let presets = onvif
                .client
                .presets(&profile.token)
                .await
                .unwrap_or_default();
            let status = onvif.client.ptz_status(&profile.token).await.ok();
            let at = status.as_ref().map(|status| {
                let wish = ranges.place_of(status.pan_tilt.as_ref(), status.zoom.as_ref());
                let (pan, tilt) = wish.pan_tilt.unwrap_or_default();
                [pan, tilt, wish.zoom.unwrap_or_default()]
            });
            let preset = |preset: fieldgate_onvif::Preset| Preset {
                token: preset.token,
                name: preset.name,
            };
            let moving = status.is_some_and(|status| {
                let moves = fieldgate_onvif::MoveState::Moving;
                status.pan_tilt_state == moves || status.zoom_state == moves
            });
            self.eye.state().movement = Some(Movement {
                presets: presets.into_iter().map(preset).collect(),
                home: ranges.home,
                at,
                moving,
            });
            sleep(PLACES).await;
        }
    }

    pub(crate) async fn send(&self, readings: Vec<Reading>) -> Result<(), SourceError> {
        self.ctx.readings.send(readings).await
    }
}

fn looked_for(settings: &crate::settings::Motion) -> Option<Motion> {
    let zones = settings.zones.iter().map(|zone| {
        let corners = zone.iter().map(|[x, y]| (as_f32(*x), as_f32(*y)));
        Zone::Polygon(corners.collect())
    });
    let wanted = MotionSettings {
        zones: zones.collect(),
        threshold: settings.threshold,
        area: as_f32(settings.area_percent / 100.0),
        pictures: 1,
        quiet: Duration::from_secs(5),
    };
    // The settings were checked by the same limits.
    Motion::new(wanted).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a picture")]
fn as_f32(number: f64) -> f32 {
    number as f32
}

async fn tick(timer: &mut Option<tokio::time::Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => pending().await,
    }
}
