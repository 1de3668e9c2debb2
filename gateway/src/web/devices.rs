//! Devices and points, with their last values and where their readings go.

use std::time::Instant;

use fieldgate_api::{
    endpoint::{GetDevice, GetDevices, GetPoint},
    state::{DeviceAddress, DevicePage, DeviceView, Level, PointView, Status},
};
use fieldgate_model::{Device, DeviceId, Point, PointId, Reading, Timestamp};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    points::{self, problem},
    presence::Presences,
    value::{live_value, shown},
    words::{self, ago, count, unit_status},
};
use crate::{gateway::Gateway, supervisor::UnitName, telemetry};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts
        .mount::<GetDevices, _, _>(|call: Call<GetDevices>| async move { Ok(list(&call.shared)) });
    mounts.mount::<GetDevice, _, _>(|call: Call<GetDevice>| async move { page(&call) });
    mounts.mount::<GetPoint, _, _>(|call: Call<GetPoint>| async move { point(&call) });
}

fn list(shared: &Shared) -> Vec<DeviceView> {
    let devices = points::devices(&shared.gateway);
    let presences = Presences::now(&shared.gateway);
    let views = devices
        .iter()
        .map(|device| view(shared, device, &presences))
        .collect();
    shared.rates().keep(&devices);
    views
}

fn page(call: &Call<GetDevice>) -> Answer<GetDevice> {
    let device = find(&call.shared.gateway, &call.place)
        .ok_or_else(|| Failure::no_such("device", &call.place))?;
    let gateway = &call.shared.gateway;
    Ok(DevicePage {
        device: view(&call.shared, &device, &Presences::now(gateway)),
        addresses: addresses(gateway, &device),
        points: device
            .points
            .iter()
            .map(|point| point_view(gateway, point))
            .collect(),
        takes_commands: takes_commands(gateway, device.id.source()),
        watches_alarms: gateway.running(|running| {
            let source = running.sources.get(device.id.source());
            source.is_some_and(|source| source.alarms.watches(&device.id))
        }),
    })
}

fn takes_commands(gateway: &Gateway, source: &str) -> bool {
    gateway.running(|running| {
        let config = running.config.as_ref();
        let mut sources = config.iter().flat_map(|config| &config.sources);
        let kind = sources
            .find(|known| *known.id == *source)
            .map(|known| &known.kind);
        kind.and_then(|kind| gateway.registry.source(kind))
            .is_some_and(|kind| kind.commands)
    })
}

fn point(call: &Call<GetPoint>) -> Answer<GetPoint> {
    let no_such = || Failure::no_such("point", &call.place);
    let id: PointId = call.place.parse().map_err(|_| no_such())?;
    let gateway = &call.shared.gateway;
    let device = find(gateway, id.device_path()).ok_or_else(no_such)?;
    let point = device.points.iter().find(|point| point.id == id);
    Ok(point_view(gateway, point.ok_or_else(no_such)?))
}

fn find(gateway: &Gateway, id: &str) -> Option<Device> {
    let id: DeviceId = id.parse().ok()?;
    let devices = points::devices(gateway);
    devices.into_iter().find(|device| device.id == id)
}

fn view(shared: &Shared, device: &Device, presences: &Presences) -> DeviceView {
    let gateway = &shared.gateway;
    let (mut total, mut problems, mut last_seen) = (0, 0, None);
    for point in &device.points {
        let live = gateway.live.find(&point.id);
        let last = live.as_ref().and_then(|live| live.last());
        total += live.map_or(0, |live| live.count());
        problems += u64::from(problem(point, last.as_ref()).is_some());
        last_seen = last_seen.max(last.map(|last| last.seen));
    }
    let now = telemetry::now();
    let source = device.id.source();
    let up_s = (now.millis() - gateway.started.millis()) as f64 / 1000.0;
    DeviceView {
        id: device.id.to_string(),
        name: shown(&device.name),
        source: source.to_owned(),
        model: device.model.as_deref().map(shown),
        address: shown(&device.address),
        points: device.points.len() as u64,
        points_with_problems: problems,
        status: freshness(now, last_seen, &source_status(gateway, source), problems),
        last_seen,
        rate: shared
            .rates()
            .look(device.id.as_str(), total, up_s, Instant::now()),
        presence: presences.of(&device.id),
    }
}

fn source_status(gateway: &Gateway, source: &str) -> Status {
    let paused = gateway.running(|running| {
        let config = running.config.as_ref();
        config.is_some_and(|config| {
            let mut sources = config.sources.iter();
            sources.any(|known| *known.id == *source && known.paused)
        })
    });
    let posted = gateway.board.status(&UnitName::Source(source.into()));
    unit_status(paused, posted)
}

/// How a device is, in words, from how its source is and when it was last heard of.
fn freshness(
    now: Timestamp,
    last_seen: Option<Timestamp>,
    source: &Status,
    problems: u64,
) -> Status {
    let last = match last_seen {
        Some(at) => format!("last value {}", ago(at, now)),
        None => "no value yet".to_owned(),
    };
    let (level, state, words) = match (source.state.as_str(), problems) {
        ("running", 0) if last_seen.is_none() => (Level::Idle, "waiting", last),
        ("running", 0) => (Level::Good, "running", last),
        ("running", 1) => (
            Level::Warning,
            "incomplete",
            format!("1 point gives no value; {last}"),
        ),
        ("running", more) => (
            Level::Warning,
            "incomplete",
            format!("{} give no value; {last}", count(more, "point")),
        ),
        ("paused", _) => (
            Level::Idle,
            "paused",
            format!("its source is paused; {last}"),
        ),
        _ if words::is_wrong(source) => {
            let words = format!("its source {}; {last}", words::wrong(source, now));
            (source.level, source.state.as_str(), words)
        }
        (state, _) => (
            source.level,
            state,
            format!("its source is {state}; {last}"),
        ),
    };
    Status {
        level,
        state: state.into(),
        words,
        ..Status::default()
    }
}

fn point_view(gateway: &Gateway, point: &Point) -> PointView {
    let live = gateway.live.find(&point.id);
    let last: Option<Reading> = live.as_ref().and_then(|live| live.last());
    let unit = point.unit.as_deref();
    PointView {
        id: point.id.to_string(),
        name: shown(&point.name),
        unit: unit
            .or(last.as_ref().and_then(|last| last.unit.as_deref()))
            .map(shown),
        range: point.range,
        description: point.description.as_deref().map(shown),
        data_type: point.data_type.as_deref().map(shown),
        address: shown(&point.address),
        remark: point.remark.as_deref().map(shown),
        problem: problem(point, last.as_ref()).as_deref().map(shown),
        history: live.as_ref().map(|live| live.history()).unwrap_or_default(),
        count: live.map_or(0, |live| live.count()),
        live: last.as_ref().map(live_value),
    }
}

/// Where the device's readings go: for every unpaused route that takes at least one of its points.
fn addresses(gateway: &Gateway, device: &Device) -> Vec<DeviceAddress> {
    let routes: Vec<_> = gateway.running(|running| {
        let routes = running.routes.values().filter_map(|state| {
            let paused = state.config.as_ref()?.paused;
            (!paused).then(|| state.route.clone())?
        });
        routes
            .filter_map(|route| {
                let to = running.destinations.get(&route.to)?.config.clone();
                Some((route, to))
            })
            .collect()
    });
    let book = gateway.book();
    let takes_any = |route: &crate::pipeline::routes::Route| {
        let mut points = device.points.iter();
        points.any(|point| route.takes(point.id.as_str()))
    };
    routes
        .into_iter()
        .filter(|(route, _)| takes_any(route))
        .filter_map(|(route, to)| {
            let kind = gateway.registry.destination(&to.kind)?;
            Some(DeviceAddress {
                route: route.id.to_string(),
                destination: to.id.to_string(),
                address: kind.address(to.settings, &book, &device.id)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_as_fresh_as_its_source_lets_it_be() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let seen = Timestamp::parse("2026-11-23T11:59:50Z");
        let lost = "its source is unreachable since 11:00 UTC: refused; last value 10 s ago";
        for (state, level, last_seen, problems, expected) in [
            (
                "running",
                Level::Good,
                seen,
                0,
                (Level::Good, "last value 10 s ago"),
            ),
            (
                "running",
                Level::Good,
                None,
                0,
                (Level::Idle, "no value yet"),
            ),
            (
                "running",
                Level::Good,
                seen,
                1,
                (
                    Level::Warning,
                    "1 point gives no value; last value 10 s ago",
                ),
            ),
            (
                "running",
                Level::Good,
                None,
                2,
                (Level::Warning, "2 points give no value; no value yet"),
            ),
            (
                "paused",
                Level::Idle,
                seen,
                0,
                (Level::Idle, "its source is paused; last value 10 s ago"),
            ),
            (
                "waiting to retry",
                Level::Warning,
                seen,
                9,
                (Level::Warning, lost),
            ),
            (
                "connecting",
                Level::Idle,
                None,
                0,
                (Level::Idle, "its source is connecting; no value yet"),
            ),
        ] {
            let source = Status {
                level,
                state: state.into(),
                words: "refused".into(),
                since: Timestamp::parse("2026-11-23T11:00:00Z"),
                ..Status::default()
            };
            let status = freshness(now, last_seen, &source, problems);
            assert_eq!((status.level, status.words.as_str()), expected);
        }
    }
}
