//! Replays: what one would send, those that run, and starting and stopping one.

use fieldgate_api::{
    endpoint::{GetReplays, PreviewReplay, StartReplay, StopReplay},
    queue::{ReplayDraft, ReplayPreview, ReplayView},
};
use fieldgate_store::{Found, Lane, Replay, ReplayRequest, RouteMask, StoreError};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    words::{bytes, count, span},
};
use crate::{lanes::LaneKind, replays};

/// Stands between lane and number in an id: `normal.7`.
const SEPARATOR: char = '.';

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<PreviewReplay, _, _>(preview);
    mounts.mount::<GetReplays, _, _>(list);
    mounts.mount::<StartReplay, _, _>(start);
    mounts.mount::<StopReplay, _, _>(stop);
}

async fn preview(call: Call<PreviewReplay>) -> Answer<PreviewReplay> {
    let draft = &call.body;
    let (kind, mask) = chosen(&call.shared, draft)?;
    let found = find(call.shared.gateway.lanes.get(kind), draft, mask).await?;
    let (readings, size) = found.map_or((0, 0), |found| (found.deliveries, found.bytes));
    let seconds = (draft.rate > 0).then(|| seconds(readings, draft.rate));
    Ok(ReplayPreview {
        readings,
        bytes: size,
        seconds,
        words: words(readings, size, seconds, draft.rate),
    })
}

async fn list(call: Call<GetReplays>) -> Answer<GetReplays> {
    let replays = replays::all(&call.shared.gateway.lanes);
    Ok(replays
        .iter()
        .map(|(lane, replay)| view(*lane, replay))
        .collect())
}

async fn start(call: Call<StartReplay>) -> Answer<StartReplay> {
    let draft = &call.body;
    let (kind, routes) = chosen(&call.shared, draft)?;
    let lane = call.shared.gateway.lanes.get(kind);
    let found = find(lane, draft, routes).await?.ok_or_else(nothing)?;
    let request = ReplayRequest {
        id: replays::next_id(lane),
        destination: draft.destination.clone(),
        routes,
        first: found.first,
        last: found.last,
        per_s: draft.rate,
    };
    let started = lane
        .start_replay(request)
        .await
        .map_err(|error| match error {
            StoreError::NothingToReplay => nothing(),
            error => Failure::Unavailable(format!("the replay was not started: {error}")),
        })?;
    Ok(view(kind, &started))
}

async fn stop(call: Call<StopReplay>) -> Answer<StopReplay> {
    let missing = || Failure::no_such("replay", &call.place);
    let (lane, id) = call.place.split_once(SEPARATOR).ok_or_else(missing)?;
    let kind = lane_of(lane)?;
    let lane = call.shared.gateway.lanes.get(kind);
    lane.stop_replay(id);
    let replays = lane.replays();
    let stopped = replays.iter().find(|replay| replay.id == id);
    Ok(view(kind, stopped.ok_or_else(missing)?))
}

/// The lane and the routes that a draft means.
fn chosen(shared: &Shared, draft: &ReplayDraft) -> Result<(LaneKind, RouteMask), Failure> {
    let destination = &draft.destination;
    let known = shared
        .gateway
        .running(|running| running.destinations.contains_key(destination.as_str()));
    if !known {
        return Err(Failure::no_such("destination", destination));
    }
    if draft.to < draft.from {
        return Err(Failure::Malformed(
            "`to` lies before `from`; change one of them".into(),
        ));
    }
    let kind = lane_of(draft.lane.as_deref().unwrap_or("normal"))?;
    let of = draft.of.as_deref().unwrap_or(destination);
    let routes = shared.gateway.lanes.get(kind).routes_of(of).into_iter();
    Ok((kind, routes.map(|(_, bit, _)| bit).collect()))
}

fn lane_of(name: &str) -> Result<LaneKind, Failure> {
    let kind = LaneKind::ALL.into_iter().find(|lane| lane.as_str() == name);
    kind.ok_or_else(|| Failure::no_such("lane", name))
}

async fn find(lane: &Lane, draft: &ReplayDraft, mask: RouteMask) -> Result<Option<Found>, Failure> {
    let found = lane
        .find(draft.from.millis(), draft.to.millis(), mask)
        .await;
    let found = found
        .map_err(|error| Failure::Unavailable(format!("the queue cannot be searched: {error}")))?;
    Ok(found.filter(|found| found.deliveries > 0))
}

fn nothing() -> Failure {
    Failure::Malformed(
        "the queue keeps no reading of that time for that destination; choose another time, or let delivered readings be kept".into(),
    )
}

#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn seconds(readings: u64, rate: u32) -> f64 {
    readings as f64 / f64::from(rate.max(1))
}

fn words(readings: u64, size: u64, seconds: Option<f64>, rate: u32) -> String {
    if readings == 0 {
        return "the queue keeps no reading of that time for that destination".into();
    }
    let took = match seconds {
        None => "as fast as what is new leaves room for".to_owned(),
        Some(seconds) => format!("{} at {rate}/s", span(seconds)),
    };
    format!(
        "≈ {} ({}), {took}; ids unchanged, so receivers can de-duplicate",
        count(readings, "reading"),
        bytes(size)
    )
}

fn view(lane: LaneKind, replay: &Replay) -> ReplayView {
    ReplayView {
        id: format!("{}{SEPARATOR}{}", lane.as_str(), replay.id),
        lane: lane.as_str().into(),
        destination: replay.destination.clone(),
        state: replays::state(replay).into(),
        rate: replay.per_s,
        first_seq: replay.first.0,
        last_seq: replay.last.0,
        through_seq: replay.through.0,
        accepted: replay.accepted,
        acked: replay.acked,
        pending: u64::try_from(replay.pending).unwrap_or(0),
        expired: replay.expired,
        evicted: replay.evicted,
        dead_lettered: replay.dead_lettered,
        lost_detected: replay.lost_detected,
        unaccounted: replay.unaccounted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_says_how_much_and_how_long() {
        let told = words(118_000, 2_000_000, Some(seconds(118_000, 150)), 150);
        assert!(told.contains("13 min at 150/s; ids unchanged"), "{told}");
        assert!(words(0, 0, None, 0).contains("no reading"));
        assert!(words(1, 9, None, 0).contains("as fast as"));
    }
}
