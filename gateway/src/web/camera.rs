//! Cameras for the console: how each one is, the picture of now, and the live view that a tab's WebSocket carries.
//!
//! Whether somebody may see a camera is asked in one place, [`showing`]: accounts come to stand there.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{self, Data, Path, Query, ServiceConfig},
};
use fieldgate_api::{
    camera::{
        CameraRow, CameraView, ClipView, HappeningView, KeptView, LiveHead, LivePart, MovementView,
        PICTURE_PATH, PresetView, StreamView, TrackView, live_message,
    },
    config::Item,
    endpoint::{GetCamera, GetCameras},
    explore::ExploreFact,
};
use fieldgate_kit::{
    Showing,
    camera::{self, CameraReport},
};
use futures::{StreamExt, stream, stream::BoxStream};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::shown,
    words::unit_status,
};
use crate::{config::Section, supervisor::UnitName};

/// A picture is at most as old as this when nobody says otherwise.
const PICTURE_AGE: Duration = Duration::from_secs(1);
/// The longest that somebody waits for a picture.
const PICTURE_LIMIT: Duration = Duration::from_secs(12);
/// A camera that comes and goes begins at most this often in a tab.
const AGAIN: Duration = Duration::from_millis(500);

/// The picture of now, for an `<img>`.
pub fn mount_picture(config: &mut ServiceConfig) {
    config.route(PICTURE_PATH, web::get().to(picture));
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts
        .mount::<GetCameras, _, _>(|call: Call<GetCameras>| async move { Ok(rows(&call.shared)) });
    mounts.mount::<GetCamera, _, _>(|call: Call<GetCamera>| async move { view(&call) });
}

fn rows(shared: &Shared) -> Vec<CameraRow> {
    let loaded = shared.desired.current();
    let cameras = loaded.sources.iter().filter(|item| shows(shared, item));
    let row = |item: &Item| {
        let report = showing(shared, &item.id).and_then(|showing| showing.report());
        let report = report.unwrap_or_default();
        CameraRow {
            source: item.id.clone(),
            device: device(&item.id),
            connected: report.connected,
            status: status(shared, item),
            last_frame: report.last_frame,
        }
    };
    cameras.map(row).collect()
}

fn view(call: &Call<GetCamera>) -> Answer<GetCamera> {
    let item = source(&call.shared, &call.place)?;
    let report = showing(&call.shared, &item.id).and_then(|showing| showing.report());
    let report = report.unwrap_or_default();
    Ok(view_of(&item, status(&call.shared, &item), report))
}

fn view_of(item: &Item, status: fieldgate_api::state::Status, report: CameraReport) -> CameraView {
    let fact = |fact: fieldgate_kit::explore::Fact| ExploreFact {
        name: shown(&fact.name),
        text: shown(&fact.text),
    };
    let track = |track: camera::TrackReport| TrackView {
        codec: track.codec,
        width: track.width,
        height: track.height,
        fps: finite(track.fps),
        bits_per_s: finite(track.bits_per_s),
        lost: track.lost,
        jitter_ms: track.jitter_ms.map(finite),
        key_every_s: track.key_every_s.map(finite),
    };
    let stream = |stream: camera::StreamOffer| StreamView {
        token: shown(&stream.token),
        name: shown(&stream.name),
        words: shown(&stream.words),
        used: stream.used,
    };
    let happening = |what: camera::Happening| HappeningView {
        at: what.at,
        words: shown(&what.words),
        active: what.active,
    };
    CameraView {
        source: item.id.clone(),
        device: device(&item.id),
        connected: report.connected,
        status,
        address: shown(&report.address),
        last_frame: report.last_frame,
        tracks: report.tracks.into_iter().map(track).collect(),
        facts: report.facts.into_iter().map(fact).collect(),
        clock_ahead_ms: report.clock_ahead_ms,
        streams: report.streams.into_iter().map(stream).collect(),
        movement: report.movement.map(movement),
        happenings: report.happenings.into_iter().map(happening).collect(),
        clips: report.clips.into_iter().map(clip).collect(),
        kept: report.kept.map(|kept| KeptView {
            bytes: kept.bytes,
            most_bytes: kept.most_bytes,
            since: kept.since,
            folder: shown(&kept.folder),
        }),
        viewers: report.viewers,
        passed_on: report.passed_on.as_deref().map(shown),
    }
}

fn movement(movement: camera::Movement) -> MovementView {
    let presets = movement.presets.into_iter().map(|preset| PresetView {
        token: shown(&preset.token),
        name: shown(&preset.name),
    });
    MovementView {
        presets: presets.collect(),
        home: movement.home,
        at: movement.at.map(|at| at.map(finite)),
        moving: movement.moving,
    }
}

fn clip(clip: camera::ClipReport) -> ClipView {
    ClipView {
        id: clip.id,
        at: clip.at,
        why: shown(&clip.why),
        seconds: finite(clip.seconds),
        bytes: clip.bytes,
        queued: clip.queued,
    }
}

/// JSON has no other numbers.
fn finite(number: f64) -> f64 {
    match number.is_finite() {
        true => number,
        false => 0.0,
    }
}

/// How old a picture may be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PictureQuery {
    /// In milliseconds.
    #[serde(default)]
    at_most_ms: Option<u64>,
}

async fn picture(
    shared: Data<Shared>,
    place: Path<String>,
    query: Result<Query<PictureQuery>, actix_web::Error>,
) -> Result<HttpResponse, Failure> {
    let query = query.map_err(|error| Failure::Malformed(format!("the query: {error}")))?;
    let item = source(&shared, &place)?;
    let camera = showing(&shared, &item.id).and_then(|showing| showing.offered());
    let Some(camera) = camera else {
        let status = status(&shared, &item);
        return Err(Failure::Unavailable(format!(
            "the camera `{}` is not connected ({})",
            shown(&item.id),
            shown(&status.words)
        )));
    };
    let at_most = query.at_most_ms.map_or(PICTURE_AGE, Duration::from_millis);
    let picture = timeout(PICTURE_LIMIT, camera.picture(at_most))
        .await
        .map_err(|_| Failure::Unavailable("no picture came within 12 s".into()))??;
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header(("cache-control", "no-store"))
        .insert_header(("x-fieldgate-seen", picture.seen.to_string()))
        .body(picture.bytes))
}

/// The messages of a camera's live view for one tab; goes on by itself when the camera comes back, and never ends.
pub fn live(shared: &Shared, id: &str) -> BoxStream<'static, Vec<u8>> {
    let id = id.to_owned();
    let Ok(Some(showing)) = source(shared, &id).map(|item| showing(shared, &item.id)) else {
        let words = format!("there is no camera `{}`", shown(&id));
        let none = message(&id, camera::LivePart::None(words));
        return stream::once(async { none })
            .chain(stream::pending())
            .boxed();
    };
    let again = stream::unfold(showing, |showing| async move {
        loop {
            if let Some(camera) = showing.offered() {
                return Some((camera.live(), showing));
            }
            tokio::select! {
                () = showing.changed() => {}
                // What changed between the look and the wait is found then.
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    });
    let parts = again.flat_map(|parts| {
        parts.chain(stream::once(tokio::time::sleep(AGAIN)).filter_map(|()| async { None }))
    });
    parts.map(move |part| message(&id, part)).boxed()
}

fn message(id: &str, part: camera::LivePart) -> Vec<u8> {
    let mut head = LiveHead {
        camera: id.to_owned(),
        part: LivePart::None,
        seen: None,
        mime: None,
        words: None,
    };
    let bytes = match part {
        camera::LivePart::Begin { mime, bytes } => {
            (head.part, head.mime) = (LivePart::Begin, Some(mime));
            bytes
        }
        camera::LivePart::Fragment { seen, bytes } => {
            (head.part, head.seen) = (LivePart::Fragment, Some(seen));
            bytes
        }
        camera::LivePart::Picture { seen, bytes } => {
            (head.part, head.seen) = (LivePart::Picture, Some(seen));
            bytes
        }
        camera::LivePart::None(words) => {
            head.words = Some(shown(&words));
            web::Bytes::new()
        }
    };
    live_message(&head, &bytes)
}

/// A camera's place, also while it is away.
fn showing(shared: &Shared, id: &str) -> Option<Showing> {
    shared.gateway.running(|running| {
        let state = running.sources.get(id)?;
        Some(state.showing.clone())
    })
}

fn shows(shared: &Shared, item: &Item) -> bool {
    let kind = shared.gateway.registry.source(&item.draft.kind);
    kind.is_some_and(|kind| kind.shows)
}

fn source(shared: &Shared, id: &str) -> Result<Item, Failure> {
    let loaded = shared.desired.current();
    let item = loaded.item(Section::Source, id);
    let item = item.ok_or_else(|| Failure::no_such("source", id))?;
    match shows(shared, item) {
        true => Ok(item.clone()),
        false => Err(Failure::NotFound(format!(
            "the source `{}` is no camera",
            shown(id)
        ))),
    }
}

/// A camera source has one device of this name.
fn device(source: &str) -> String {
    format!("{source}/camera")
}

fn status(shared: &Shared, item: &Item) -> fieldgate_api::state::Status {
    let name = UnitName::Source(item.id.as_str().into());
    unit_status(item.draft.paused, shared.gateway.board.status(&name))
}
