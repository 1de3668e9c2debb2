//! What goes wrong in the air and with its radio, for a real gateway over a real D-Bus: a radio that fails in every way, and a flood.

use std::time::{Duration, Instant};

use fieldgate_api::{
    endpoint::GetScan,
    scanner::{ScanQuery, ScanView},
};
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    bluez::Bluez,
    broker::Broker,
    flood::Flood,
    gateway::Gateway,
    received::{Reading, Received},
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};

use super::bluetooth_flow::{gateway, uuid16};

/// Within so long the radio is back after a fault.
const BACK: Duration = Duration::from_secs(60);
const BEACONS: u8 = 3;

/// A command of the stand-in.
type Told = (&'static str, Json);

/// Something that goes wrong, how it is shown, and what somebody else does about it.
struct Fault {
    name: &'static str,
    breaks: Vec<Told>,
    /// Words of what people are shown.
    shows: &'static str,
    mends: Vec<Told>,
}

/// A gateway that hears three beacons.
struct Plant {
    bluez: Bluez,
    subscriber: Subscriber,
    gateway: Gateway,
    received: Received,
    /// What the beacons say, in hundredths of a degree.
    says: u16,
    _broker: Broker,
}

fn adapter(more: Json) -> Told {
    let mut command = json!({ "name": "hci0" });
    for (key, value) in more.as_object().unwrap() {
        command[key] = value.clone();
    }
    ("adapter", command)
}

/// The time of this machine, which is the gateway's as well.
fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// All that people are shown about the radio, of its steps those since then.
fn shown(gateway: &Gateway, since: Timestamp) -> String {
    let query = ScanQuery::default();
    let view: ScanView = gateway.api.call::<GetScan>(&["hall"], &query).unwrap();
    let mut words = format!(
        "{}: {}; {}",
        view.status.state, view.status.words, view.words
    );
    for adapter in view.adapters {
        words += &format!("; {:?} {}", adapter.state, adapter.words);
        let steps = adapter.steps.into_iter().filter(|step| step.at >= since);
        words.extend(steps.map(|step| format!("; {}", step.words)));
    }
    words
}

// === impl Plant ===

impl Plant {
    /// With options of the only adapter.
    fn start(options: Json) -> Self {
        let bluez = Bluez::with(&json!({ "adapters": { "hci0": options } }));
        Self::at(bluez, "")
    }

    /// With more lines in the source.
    fn at(mut bluez: Bluez, source: &str) -> Self {
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.port);
        let says = 2_000;
        say(&mut bluez, says);
        let gateway = gateway(&bluez, &broker, source);
        Self {
            bluez,
            subscriber,
            gateway,
            received: Received::default(),
            says,
            _broker: broker,
        }
    }

    /// Breaks something, waits until the screen says so, mends it if that is for somebody else to do, and waits for traffic: all
    /// that the gateway has to do itself takes less than a minute.
    fn survives(&mut self, fault: Fault) {
        let since = now();
        for (what, command) in fault.breaks {
            self.bluez.tell(what, command);
        }
        let mut begun = Instant::now();
        let what = format!("{}: the cause to be shown", fault.name);
        until(&what, BACK, || {
            let shown = shown(&self.gateway, since);
            shown.contains(fault.shows).then_some(()).ok_or(shown)
        });
        if !fault.mends.is_empty() {
            begun = Instant::now();
        }
        for (what, command) in fault.mends {
            self.bluez.tell(what, command);
        }
        self.is_back(fault.name, since, begun);
    }

    /// What the beacons say from now on arrives.
    fn is_back(&mut self, name: &str, since: Timestamp, begun: Instant) {
        self.says += 1;
        say(&mut self.bluez, self.says);
        let wanted = f64::from(self.says) / 100.0;
        let left = BACK.saturating_sub(begun.elapsed());
        until(&format!("{name}: traffic to be back"), left, || {
            self.received.update(&self.subscriber);
            let is_it = |reading: &&Reading| {
                reading.point == "temperature" && reading.value.as_f64() == Some(wanted)
            };
            let found = self.received.readings.iter().rev().find(is_it);
            found.map(|_| ()).ok_or_else(|| shown(&self.gateway, since))
        });
        eprintln!("{name}: back after {:.1?}", begun.elapsed());
    }
}

/// Lets the beacons say this temperature, five times a second.
fn say(bluez: &mut Bluez, hundredths: u16) {
    let [low, high] = hundredths.to_le_bytes();
    let data = json!({ uuid16(0xFCD2): format!("4002{low:02x}{high:02x}") });
    for number in 0..BEACONS {
        let address = format!("C0:DE:00:00:BB:{number:02X}");
        let device = json!({ "address": address, "every_ms": 200, "service_data": data });
        bluez.tell("device", device);
    }
}

#[test]
fn a_radio_that_hangs_right_after_its_start_comes_back_by_itself() {
    // Each beacon is heard once, or only one of them is.
    for heard in [BEACONS, 1] {
        let since = now();
        let mut plant = Plant::start(json!({ "freezes_after": heard, "cured_by": "power" }));
        until_true("the radio to hang", SOON, || {
            plant.bluez.tell("look", json!({}))["frozen"] == json!(["hci0"])
        });
        let begun = Instant::now();
        let name = format!("it hangs after {heard} advertisements");
        plant.is_back(&name, since, begun);
        let shown = shown(&plant.gateway, since);
        assert!(shown.contains("it is switched off and on"), "{shown}");
    }
}

#[test]
fn a_radio_that_fails_comes_back_by_itself_and_the_cause_is_shown() {
    let mut plant = Plant::start(json!({}));
    let since = now();
    plant.is_back("nothing yet", since, Instant::now());
    let faults = [
        Fault {
            name: "the scan was forgotten",
            breaks: vec![adapter(json!({ "frozen": true, "cured_by": "discovery" }))],
            shows: "s: discovery is restarted",
            mends: vec![],
        },
        Fault {
            name: "the controller hangs until it is powered off",
            breaks: vec![adapter(json!({ "frozen": true, "cured_by": "power" }))],
            shows: "s: it is switched off and on",
            mends: vec![],
        },
        Fault {
            name: "the adapter is pulled out",
            breaks: vec![("unplug", json!({ "name": "hci0" }))],
            shows: "there is no Bluetooth adapter",
            mends: vec![("plug", json!({ "name": "hci0" }))],
        },
        Fault {
            name: "it is switched off and refuses to be switched on",
            breaks: vec![adapter(json!({ "refuses": true, "powered": false }))],
            shows: "is off",
            mends: vec![adapter(json!({ "refuses": false }))],
        },
        Fault {
            name: "BlueZ is killed",
            breaks: vec![("crash", json!({}))],
            shows: "BlueZ stopped or was restarted",
            mends: vec![("restart", json!({}))],
        },
    ];
    for fault in faults {
        plant.survives(fault);
    }
    plant.gateway.api.all_acknowledged(SOON * 2);
}

#[test]
fn a_device_that_lost_its_bond_is_paired_anew_and_takes_nobody_else_down() {
    const LOCK: &str = "C0:DE:00:00:00:06";
    for fatal in [false, true] {
        let mut bluez = Bluez::start();
        bluez.tell(
            "device",
            json!({ "address": LOCK, "connectable": true, "every_ms": 200, "name": "Lock", "pairing": "just_works" }),
        );
        let source = format!(
            "[[source.devices]]\naddress = \"{LOCK}\"\npair = \"yes\"\n\
             characteristics = [{{ service = \"180f\", characteristic = \"2a19\", how = \"read\", every_s = 1 }}]\n"
        );
        let mut plant = Plant::at(bluez, &source);
        let battery = |plant: &mut Plant, percent: u8| {
            let value = format!("{percent:02x}");
            let command =
                json!({ "address": LOCK, "characteristic": uuid16(0x2A19), "value": value });
            plant.bluez.tell("tell", command);
            until("the lock's battery", BACK, || {
                plant.received.update(&plant.subscriber);
                let is_it = |reading: &&Reading| {
                    reading.point == "battery" && reading.value.as_f64() == Some(f64::from(percent))
                };
                let found = plant.received.readings.iter().rev().find(is_it);
                found
                    .map(|_| ())
                    .ok_or_else(|| shown(&plant.gateway, Timestamp::default()))
            });
        };
        battery(&mut plant, 90);
        let look = plant.bluez.tell("look", json!({}));
        assert_eq!(look["bonded"], json!([LOCK]));

        plant.bluez.tell(
            "device",
            json!({ "address": LOCK, "lost_bond": true, "fatal": fatal, "tells": !fatal }),
        );
        let since = now();
        let begun = Instant::now();
        plant.bluez.tell("lose", json!({ "address": LOCK }));
        battery(&mut plant, 40);
        eprintln!("the lock is paired anew after {:.1?}", begun.elapsed());
        plant.is_back("the beacons", since, begun);
        let look = plant.bluez.tell("look", json!({}));
        assert_eq!(look["bonded"], json!([LOCK]));
        assert_eq!(look["deaths"], if fatal { 2 } else { 0 });
        plant.gateway.api.all_acknowledged(SOON * 2);
    }
}

#[test]
fn f50_a_flood_of_strangers_is_folded_and_costs_no_known_device_a_value() {
    let flood = Flood {
        strangers: 20_000,
        per_s: 1_000,
        seconds: 15,
    };
    let withstood = flood.withstand();
    let view = &withstood.view;
    assert!(withstood.sent > 2_000, "{withstood:?}");
    assert!(view.passing > 0, "{withstood:?}");
    assert!(view.heard_total <= 2_000, "{withstood:?}");
    assert!(withstood.known_sent > 0, "{withstood:?}");
    assert_eq!(withstood.known_lost, 0, "{withstood:?}");
}
