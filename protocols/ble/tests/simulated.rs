//! The whole source over the simulated radio, in virtual time.
#![allow(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fieldgate_ble::Ble;
use fieldgate_kit::{
    Alarms, Commands, Delivery, Desk, Devices, DropCounters, Exploring, Health, HealthReport,
    Memory, Readings, Reviews, Scanner, Scanning, Secrets, SourceCtx, SourceError, SourceKind,
    scanner::{AdapterState, CharacteristicRef, Freshness, Seal},
};
use fieldgate_model::{
    Action, Class, Command, Device, Outcome, QualityLevel, Reading, Timestamp, Value,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(3_600);
const OVEN: &str = "C0:DE:0F:E1:00:06";
const SEALED: &str = "C0:DE:0F:E1:00:05";
const RUUVI: &str = "C0:DE:0F:E1:00:02";
const KEY: &str = "231d39c1d7cc1ab1aee224cd096db932";
const SETPOINT: &str = "f1e10002-0000-4000-8000-000000000006";

/// A running source with all its ends in the test's hands.
struct Rig {
    readings: mpsc::Receiver<Delivery>,
    devices: watch::Receiver<Vec<Arc<Device>>>,
    health: watch::Receiver<HealthReport>,
    desk: watch::Receiver<Option<Desk>>,
    scanning: Scanning,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
    _folder: TempDir,
}

fn run(settings: Json) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let (sender, readings) = Readings::channel(64, DropCounters::default());
    let (announced, devices) = Devices::channel();
    let (told, health) = Health::channel();
    let (commands, desk) = Commands::channel();
    let scanning = Scanning::default();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "hall".into(),
        readings: sender,
        devices: announced,
        commands,
        alarms: Alarms::default(),
        health: told,
        exploring: Exploring::default(),
        scanning: scanning.clone(),
        showing: fieldgate_kit::Showing::default(),
        reviews: Reviews::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.path().to_owned(), folder.path().to_owned()),
        state_dir: folder.path().join("units/source-hall"),
        memory: Memory::default(),
        accepted: Default::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    std::fs::write(folder.path().join("bind.key"), KEY).unwrap();
    let running = tokio::spawn(async move { SourceKind::of::<Ble>().run(settings, ctx).await });
    Rig {
        readings,
        devices,
        health,
        desk,
        scanning,
        shutdown,
        running,
        _folder: folder,
    }
}

impl Rig {
    /// Waits for a reading that is such.
    async fn until(&mut self, such: impl Fn(&Reading) -> bool) -> Reading {
        let waiting = async {
            loop {
                let delivery = self.readings.recv().await.expect("the source runs");
                if let Some(reading) = delivery.readings.into_iter().find(&such) {
                    return reading;
                }
            }
        };
        let reading = timeout(PATIENCE, waiting).await;
        reading.expect("such a reading comes")
    }

    /// All readings of a while.
    async fn during(&mut self, time: Duration) -> Vec<Reading> {
        let until = Instant::now() + time;
        let mut all = Vec::new();
        while let Ok(delivery) = timeout_at(until, self.readings.recv()).await {
            all.extend(delivery.expect("the source runs").readings);
        }
        all
    }

    fn scanner(&self) -> Arc<dyn Scanner> {
        self.scanning.offered().expect("it listens")
    }

    async fn stop(self) {
        self.shutdown.cancel();
        assert_eq!(self.running.await.unwrap(), Ok(()));
    }
}

fn of<'a>(readings: &'a [Reading], point: &str) -> Vec<&'a Reading> {
    let readings = readings.iter();
    readings
        .filter(|reading| reading.point.as_str() == point)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_added_goes_on_and_nothing_else() {
    let mut rig = run(json!({
        "radio": "simulated",
        "devices": [{ "address": "C0:DE:0F:E1:00:01", "name": "cold store" }],
    }));
    let readings = rig.during(Duration::from_secs(130)).await;
    let temperatures = of(&readings, "hall/cold store/temperature");
    assert!(temperatures.len() > 20, "{}", temperatures.len());
    for reading in temperatures {
        let celsius = reading.value.as_f64().unwrap();
        assert!((-20.0..=-17.0).contains(&celsius), "{celsius}");
        assert_eq!(reading.unit.as_deref(), Some("Cel"));
    }
    let battery = of(&readings, "hall/cold store/battery").len();
    assert_eq!(battery, 3, "what does not change is told once a minute");
    let mut points = readings.iter().map(|reading| &reading.point);
    assert!(points.all(|point| point.device() == "cold store"));
    let devices = rig.devices.borrow().clone();
    assert_eq!(devices.len(), 1);
    let mut points = devices[0].points.iter().map(|point| point.id.as_str());
    assert!(points.any(|point| point == "hall/cold store/humidity"));
    let health = rig.health.borrow().clone();
    assert!(health.connected, "{}", health.words);
    let others = "1 of 1 devices are heard; 6 are nearby that were not added";
    assert!(health.words.ends_with(others), "{}", health.words);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_press_is_an_event_and_counts_once() {
    let mut rig = run(json!({
        "radio": "simulated",
        "devices": [{ "address": "C0:DE:0F:E1:00:04", "name": "call" }],
    }));
    let readings = rig.during(Duration::from_secs(280)).await;
    let presses = of(&readings, "hall/call/button");
    // It is heard every 7 s, and pressed at every fourth of these.
    assert!((8..=11).contains(&presses.len()), "{}", presses.len());
    assert!(presses.iter().all(|press| press.class == Class::Event));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn everybody_with_a_profile_goes_on_where_that_is_wanted() {
    let mut rig = run(json!({ "radio": "simulated", "take": "decoded", "ignore": [RUUVI] }));
    let readings = rig.during(Duration::from_secs(30)).await;
    let devices = readings.iter().map(|reading| reading.point.device());
    let devices: BTreeSet<_> = devices.collect();
    assert!(devices.contains("C0DE0FE10001"), "{devices:?}");
    assert!(devices.contains("C0DE0FE10007"), "a beacon: {devices:?}");
    assert!(!devices.contains("C0DE0FE10002"), "ignored: {devices:?}");
    assert!(!devices.contains("C0DE0FE10005"), "sealed: {devices:?}");
    assert!(!devices.contains("C0DE0FE10006"), "unknown: {devices:?}");
    let report = rig.scanner().report();
    assert!(report.passing > 5, "{}", report.passing);
    assert_eq!(report.heard.len(), 7, "who passes has no row");
    assert_eq!(report.adapters.len(), 1);
    assert_eq!(report.adapters[0].state, AdapterState::Listening);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_tried_before_it_is_kept() {
    let mut rig = run(json!({ "radio": "simulated" }));
    rig.during(Duration::from_secs(10)).await;
    let scanner = rig.scanner();
    let heard = scanner.detail(SEALED).unwrap().heard;
    assert_eq!(heard.seal, Seal::NeedsKey);
    assert!(scanner.try_key(SEALED, "abc").is_err());
    scanner.try_key(SEALED, &"0".repeat(32)).unwrap();
    rig.during(Duration::from_millis(9_500)).await;
    let trial = scanner.detail(SEALED).unwrap().trial.unwrap();
    assert_eq!((trial.tried, trial.opened), (3, 0), "{}", trial.words);
    scanner.try_key(SEALED, KEY).unwrap();
    let sent = rig.during(Duration::from_secs(9)).await;
    let trial = scanner.detail(SEALED).unwrap().trial.unwrap();
    assert_eq!(trial.words, "3 of 3 packets decrypted");
    assert!(sent.is_empty(), "a key that is tried sends nothing");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_kept_opens() {
    let mut rig = run(json!({
        "radio": "simulated",
        "devices": [{
            "address": SEALED,
            "name": "sealed",
            "bind_key": { "file": "bind.key" },
            "sealed_only": true,
        }],
    }));
    let is_it = |reading: &Reading| reading.point.as_str() == "hall/sealed/temperature";
    let reading = rig.until(is_it).await;
    assert!((20.0..=23.0).contains(&reading.value.as_f64().unwrap()));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_oven_is_read_over_a_connection_and_takes_a_setpoint() {
    let mut rig = run(json!({
        "radio": "simulated",
        "devices": [{ "address": OVEN, "name": "oven", "characteristics": [
            { "service": "181a", "characteristic": "2a6e" },
            {
                "service": "f1e10001-0000-4000-8000-000000000006",
                "characteristic": SETPOINT,
                "fields": [{ "id": "setpoint", "at": 0, "type": "i16le", "scale": 0.1, "unit": "Cel" }],
                "every_s": 5,
                "allow": ["read", "write"],
            },
        ] }],
    }));
    let is_temperature = |reading: &Reading| reading.point.as_str() == "hall/oven/temperature";
    let reading = rig.until(is_temperature).await;
    let celsius = reading.value.as_f64().unwrap();
    assert!((177.0..=183.0).contains(&celsius), "{celsius}");
    let desk = rig.desk.borrow().clone().expect("it takes commands");
    let setpoint = "hall/oven/setpoint".parse().unwrap();
    let offer = desk.offer(&setpoint).expect("it is offered");
    assert_eq!(offer.unit.as_deref(), Some("Cel"));
    let answer = desk.order(Command {
        id: "1".to_owned(),
        target: setpoint,
        action: Action::Write(Value::Float(200.0)),
        issued: Timestamp::from_millis(0),
        expires: Timestamp::from_nanos(i64::MAX),
    });
    let answer = timeout(PATIENCE, answer.unwrap()).await.unwrap().unwrap();
    assert_eq!(answer.outcome, Outcome::Done, "{}", answer.words);
    let is_setpoint = |reading: &Reading| {
        reading.point.as_str() == "hall/oven/setpoint" && reading.value.as_f64() == Some(200.0)
    };
    rig.until(is_setpoint).await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn people_look_around_at_what_takes_connections() {
    let mut rig = run(json!({ "radio": "simulated" }));
    rig.during(Duration::from_secs(5)).await;
    let scanner = rig.scanner();
    let tree = timeout(PATIENCE, scanner.services(OVEN.to_owned())).await;
    let tree = tree.unwrap().unwrap();
    let service = &tree.services[0];
    assert_eq!(service.name.as_deref(), Some("Battery"));
    let battery = CharacteristicRef {
        address: OVEN.to_owned(),
        service: service.uuid.clone(),
        characteristic: service.characteristics[0].uuid.clone(),
    };
    let value = timeout(PATIENCE, scanner.read(battery)).await;
    let value = value.unwrap().unwrap();
    assert_eq!(value.hex, "57");
    assert_eq!(value.fields[0].value.as_f64(), Some(87.0));
    let beacon = scanner.services("C0:DE:0F:E1:00:07".to_owned());
    let why = timeout(PATIENCE, beacon).await.unwrap().unwrap_err();
    assert!(why.to_string().contains("C0:DE:0F:E1:00:07"), "{why}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_is_replayed_and_then_silence_is_told() {
    let mut rig = run(json!({ "radio": "simulated" }));
    rig.during(Duration::from_secs(3)).await;
    let scanner = rig.scanner();
    let capture = scanner.capture(Some(RUUVI), Duration::from_secs(60));
    rig.during(Duration::from_secs(61)).await;
    let lines = scanner.captured(capture.unwrap().id).unwrap();
    assert!(lines.lines().count() > 40, "{}", lines.lines().count());
    rig.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ruuvi.jsonl");
    std::fs::write(&file, lines).unwrap();
    let mut rig = run(json!({
        "radio": { "replay": file },
        "devices": [{ "address": RUUVI, "name": "tag" }],
    }));
    let is_temperature = |reading: &Reading| reading.point.as_str() == "hall/tag/temperature";
    let first = rig.until(is_temperature).await;
    assert_eq!(first.quality.level(), QualityLevel::Good);
    let start = Instant::now();
    let is_doubtful = |reading: &Reading| {
        is_temperature(reading) && reading.quality.level() != QualityLevel::Good
    };
    let last = rig.until(is_doubtful).await;
    assert!(
        start.elapsed() > Duration::from_secs(120),
        "{:?}",
        start.elapsed()
    );
    let why = last.quality.why().unwrap();
    assert!(
        why.starts_with("UncertainLastUsableValue: not heard for"),
        "{why}"
    );
    let heard = rig.scanner().detail(RUUVI).unwrap().heard;
    assert_eq!(heard.freshness, Freshness::Silent);
    rig.stop().await;
}

#[tokio::test]
async fn a_capture_that_is_none_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.jsonl");
    std::fs::write(&file, "surprise\n").unwrap();
    let rig = run(json!({ "radio": { "replay": file } }));
    let Err(SourceError::Misconfigured(why)) = rig.running.await.unwrap() else {
        panic!("it is misconfigured")
    };
    assert!(why.contains("line 1 of the capture"), "{why}");
}

/// A device that is broken or was stolen is not heard any more, and its bond should not stay for that.
#[tokio::test(start_paused = true)]
async fn the_bond_of_a_device_that_is_not_heard_can_be_removed() {
    let mut rig = run(json!({ "radio": "simulated" }));
    rig.during(Duration::from_secs(3)).await;
    let scanner = rig.scanner();
    let capture = scanner.capture(Some(OVEN), Duration::from_secs(20));
    rig.during(Duration::from_secs(21)).await;
    let lines = scanner.captured(capture.unwrap().id).unwrap();
    rig.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("oven.jsonl");
    std::fs::write(&file, lines).unwrap();
    let mut rig = run(json!({ "radio": { "replay": file } }));
    rig.during(Duration::from_secs(5)).await;
    let scanner = rig.scanner();
    scanner.pair(OVEN.to_owned()).await.unwrap();
    rig.during(Duration::from_secs(800)).await;
    let heard = scanner.detail(OVEN).unwrap().heard;
    assert_eq!(heard.freshness, Freshness::Silent);
    let why = scanner.disconnect(OVEN.to_owned()).await.unwrap_err();
    assert!(why.to_string().contains("not heard"), "{why}");
    let words = scanner.unpair(OVEN.to_owned()).await.unwrap();
    assert!(words.contains("its bond is forgotten"), "{words}");
    let again = scanner.unpair(OVEN.to_owned()).await.unwrap_err();
    assert!(again.to_string().contains("not heard"), "{again}");
    rig.stop().await;
}
