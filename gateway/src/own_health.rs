//! The gateway is a source too: `gateway/self/…`, routed upstream like any reading.
//!
//! Readings every few seconds: how full the lanes are, what waits for each destination, how long each source has
//! been silent. Events when a unit goes wrong and when it is well again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fieldgate_api::state::Level;
use fieldgate_kit::{Devices, Health, Readings};
use fieldgate_model::{Device, DeviceId, Event, Point, PointId, Reading, Value};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::Gateway,
    lanes::LaneKind,
    supervisor::{Cause, UnitName},
    telemetry,
};

/// The source's id; no configured source can have it.
pub const SOURCE: &str = "gateway";
const DEVICE: &str = "self";
const PERIOD: Duration = Duration::from_secs(5);
/// OPC UA Part 5, 6.4.2: 1 to 1000.
const SEVERITY_WRONG: u16 = 700;
const SEVERITY_WELL: u16 = 100;

/// What was last seen of the units and sources.
#[derive(Default)]
struct Memory {
    levels: BTreeMap<UnitName, Level>,
    /// Each source's count of readings, and since how many periods it stands still.
    still: BTreeMap<Arc<str>, (u64, u64)>,
    events: u64,
}

/// Observes the gateway until shutdown.
pub async fn run(
    gateway: Arc<Gateway>,
    readings: Readings,
    devices: Devices,
    health: Health,
    shutdown: CancellationToken,
) -> Result<(), Cause> {
    let device = DeviceId::new(SOURCE, DEVICE).expect("two fixed names are an id");
    let mut memory = Memory::default();
    let mut ticks = tokio::time::interval(PERIOD);
    health.connected("watching the gateway itself");
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let observed = observe(&gateway, &device, &mut memory);
        devices.announce(announcement(&device, &observed));
        readings.offer(observed);
    }
}

fn observe(gateway: &Gateway, device: &DeviceId, memory: &mut Memory) -> Vec<Reading> {
    let mut observed = Vec::new();
    let mut note = |name: String, value: Value, unit: Option<&str>| {
        if let Ok(point) = device.point(&name) {
            let mut reading = Reading::new(point, 0.0, telemetry::now());
            (reading.value, reading.unit) = (value, unit.map(Into::into));
            observed.push(reading);
        }
    };
    note(
        "memory".into(),
        Value::UInt(telemetry::rss_bytes()),
        Some("By"),
    );
    note(
        "cpu".into(),
        Value::Float(gateway.process.cpu_percent()),
        Some("%"),
    );
    for lane in LaneKind::ALL {
        let stats = gateway.lanes.get(lane).stats();
        let share = stats.disk_bytes as f64 / stats.max_bytes.max(1) as f64;
        note(
            format!("queue.{}.filled", lane.as_str()),
            Value::Float((share * 1000.0).round() / 10.0),
            Some("%"),
        );
        for consumer in stats.consumers {
            note(
                format!("destination.{}.pending.{}", consumer.name, lane.as_str()),
                Value::UInt(consumer.pending_records),
                None,
            );
        }
    }
    for (id, silent) in silence(gateway, memory) {
        note(
            format!("source.{id}.silent"),
            Value::UInt(silent),
            Some("s"),
        );
    }
    observed.extend(events(gateway, device, memory));
    observed
}

/// For how many seconds each source has delivered nothing.
fn silence(gateway: &Gateway, memory: &mut Memory) -> Vec<(Arc<str>, u64)> {
    let totals: Vec<(Arc<str>, u64)> = gateway.running(|running| {
        let sources = running.sources.iter().filter(|(id, _)| &***id != SOURCE);
        sources
            .map(|(id, state)| (id.clone(), state.readings.total()))
            .collect()
    });
    memory
        .still
        .retain(|id, _| totals.iter().any(|(known, _)| known == id));
    let silent = |(id, total): (Arc<str>, u64)| {
        let (seen, periods) = memory.still.entry(id.clone()).or_insert((total, 0));
        *periods = if *seen == total { *periods + 1 } else { 0 };
        *seen = total;
        (id, periods.saturating_sub(1) * PERIOD.as_secs())
    };
    totals.into_iter().map(silent).collect()
}

/// An event for each unit that went wrong or got well since the last look.
fn events(gateway: &Gateway, device: &DeviceId, memory: &mut Memory) -> Vec<Reading> {
    let mut events = Vec::new();
    for (name, status) in gateway.board.all() {
        let before = memory.levels.insert(name.clone(), status.level);
        let (title, place) = match &name {
            UnitName::Source(id) => (format!("source {id}"), format!("source.{id}")),
            UnitName::Destination(id) => (format!("destination {id}"), format!("destination.{id}")),
            UnitName::Rules => ("rules".to_owned(), "rules".to_owned()),
        };
        let well = status.level == Level::Good;
        let wrong = status.level >= Level::Warning;
        let was_wrong = before.is_some_and(|level| level >= Level::Warning);
        if wrong == was_wrong || (!wrong && !well) {
            // Neither a change for the worse nor a recovery; what is merely connecting keeps its former level.
            if !wrong && !well && was_wrong {
                memory.levels.insert(name, Level::Warning);
            }
            continue;
        }
        if let Ok(point) = device.point(&format!("{place}.state")) {
            memory.events += 1;
            let at = telemetry::now();
            let event = Event {
                point,
                id: format!("{}-{}", at.nanos(), memory.events),
                severity: if wrong { SEVERITY_WRONG } else { SEVERITY_WELL },
                message: format!("{title}: {}", status.words),
                fields: vec![("State".to_owned(), Value::Text(status.state))],
                at,
                seen: at,
            };
            events.push(event.into());
        }
    }
    events
}

fn announcement(device: &DeviceId, observed: &[Reading]) -> Device {
    let point = |reading: &Reading| Point {
        id: reading.point.clone(),
        name: reading.point.point().to_owned(),
        unit: reading.unit.as_deref().map(ToOwned::to_owned),
        range: None,
        description: None,
        data_type: None,
        address: reading.point.to_string(),
        remark: None,
        problem: None,
    };
    let mut ids: Vec<&PointId> = Vec::new();
    let mut points = Vec::new();
    for reading in observed {
        if !ids.contains(&&reading.point) {
            ids.push(&reading.point);
            points.push(point(reading));
        }
    }
    Device {
        id: device.clone(),
        name: "This gateway".to_owned(),
        model: Some(format!("Fieldgate {}", env!("CARGO_PKG_VERSION"))),
        address: "gateway/self".to_owned(),
        points,
    }
}
