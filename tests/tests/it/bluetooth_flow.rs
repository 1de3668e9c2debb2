//! From the air to the broker, over a real D-Bus with a stand-in of BlueZ: thirty devices of ten kinds.

use std::{collections::BTreeMap, time::Duration};

use fieldgate_model::Timestamp;
use fieldgate_tests::{
    bluez::Bluez,
    broker::Broker,
    gateway::{Gateway, folder},
    place::Place,
    subscriber::Subscriber,
    wait::until,
};
use serde_json::{Value as Json, json};

/// How long everything together may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
const OF_A_KIND: usize = 3;

/// A kind of device: what it says, as its profile's published example has it, and what that means.
struct Kind {
    name: Option<&'static str>,
    manufacturer: Option<(u16, &'static str)>,
    service_data: Option<(u16, &'static str)>,
    services: &'static [u16],
    reads: &'static [(&'static str, f64, &'static str)],
}

const NOTHING: Kind = Kind {
    name: None,
    manufacturer: None,
    service_data: None,
    services: &[],
    reads: &[],
};

const KINDS: [Kind; 10] = [
    Kind {
        service_data: Some((0x181C, "2302ca090303bf13")),
        reads: &[("temperature", 25.06, "Cel"), ("humidity", 50.55, "%")],
        ..NOTHING
    },
    Kind {
        manufacturer: Some((0x0499, "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")),
        reads: &[("temperature", 24.3, "Cel"), ("pressure", 100_044.0, "Pa")],
        ..NOTHING
    },
    Kind {
        name: Some("GVH5075_2762"),
        manufacturer: Some((0xEC88, "000341c26400")),
        services: &[0xEC88],
        reads: &[
            ("temperature", 21.3, "Cel"),
            ("humidity", 44.2, "%"),
            ("battery", 100.0, "%"),
        ],
        ..NOTHING
    },
    Kind {
        name: Some("TP357 (2142)"),
        manufacturer: Some((0xF1C2, "001d022c")),
        reads: &[("temperature", 24.1, "Cel"), ("humidity", 29.0, "%")],
        ..NOTHING
    },
    Kind {
        name: Some("sps"),
        manufacturer: Some((0x07FC, "c71200c83d5606")),
        services: &[0xFFF0],
        reads: &[("temperature", 20.44, "Cel"), ("humidity", 48.07, "%")],
        ..NOTHING
    },
    Kind {
        manufacturer: Some((0x06D5, "000867355367925c0b04")),
        reads: &[("temperature", 25.63, "Cel"), ("co2", 1_035.0, "[ppm]")],
        ..NOTHING
    },
    Kind {
        manufacturer: Some((0x0702, "21000f01000000018a02a501b1262d5f012c011e0007")),
        reads: &[("temperature", 21.05, "Cel"), ("co2", 650.0, "[ppm]")],
        ..NOTHING
    },
    Kind {
        manufacturer: Some((0x004C, "0215e2c56db5dffb48d2b060d0f5a71096e0000a0064c5")),
        reads: &[("major", 10.0, ""), ("minor", 100.0, "")],
        ..NOTHING
    },
    Kind {
        service_data: Some((0xFEAA, "00ee00112233445566778899aabbccddeeff0000")),
        reads: &[("tx_power_near", -18.0, "dB[mW]")],
        ..NOTHING
    },
    Kind {
        manufacturer: Some((0x0969, "e7ab46ac8f927c0f001104")),
        service_data: Some((0xFD3D, "63c058001104")),
        reads: &[("battery", 88.0, "%"), ("position", 100.0, "%")],
        ..NOTHING
    },
];

pub fn uuid16(short: u16) -> String {
    format!("0000{short:04x}-0000-1000-8000-00805f9b34fb")
}

fn address(kind: usize, which: usize) -> String {
    format!("C0:DE:00:00:{kind:02X}:{which:02X}")
}

/// Its segment in ids and topics.
fn segment(address: &str) -> String {
    address.replace(':', "")
}

fn advertise(bluez: &mut Bluez, kind: usize, which: usize) {
    let says = &KINDS[kind];
    let mut device = json!({ "address": address(kind, which), "every_ms": 500, "rssi": -60 });
    if let Some(name) = says.name {
        device["name"] = json!(name);
    }
    if let Some((company, data)) = says.manufacturer {
        device["manufacturer"] = json!({ company.to_string(): data });
    }
    if let Some((service, data)) = says.service_data {
        device["service_data"] = json!({ uuid16(service): data });
    }
    let services: Vec<_> = says.services.iter().map(|short| uuid16(*short)).collect();
    device["services"] = json!(services);
    bluez.tell("device", device);
}

/// A gateway that hears through the stand-in and tells a broker, with more lines in its source.
pub fn gateway(bluez: &Bluez, broker: &Broker, source: &str) -> Gateway {
    let config = format!(
        r#"
[[source]]
id = "hall"
kind = "ble"
take = "decoded"
{source}

[[destination]]
id = "broker"
kind = "mqtt"
url = "{url}"

[[route]]
id = "all"
from = ["hall/**"]
to = "broker"
"#,
        url = broker.url()
    );
    let place = Place::default().with("DBUS_SYSTEM_BUS_ADDRESS", bluez.address());
    Gateway::start_in(folder(), &config, place)
}

#[test]
fn thirty_devices_of_ten_kinds_reach_the_broker_and_three_are_connected() {
    let mut bluez = Bluez::start();
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    for kind in 0..KINDS.len() {
        for which in 0..OF_A_KIND {
            advertise(&mut bluez, kind, which);
        }
    }
    let connected: Vec<_> = (0..3).map(|which| address(0xAA, which)).collect();
    let mut source = String::new();
    for address in &connected {
        bluez.tell(
            "device",
            json!({ "address": address, "connectable": true, "every_ms": 500, "name": "Env" }),
        );
        source += &format!(
            "[[source.devices]]\naddress = \"{address}\"\ncharacteristics = [\
             {{ service = \"180f\", characteristic = \"2a19\", how = \"read\", every_s = 5 }}, \
             {{ service = \"181a\", characteristic = \"2a6e\" }}, \
             {{ service = \"180a\", characteristic = \"2a29\", how = \"read\" }}]\n"
        );
    }
    let begin = Timestamp::parse("2026-01-01T00:00:00Z").expect("a timestamp");
    let gateway = gateway(&bluez, &broker, &source);

    let mut wanted: BTreeMap<(String, String), (Json, &str)> = BTreeMap::new();
    for (number, kind) in KINDS.iter().enumerate() {
        for which in 0..OF_A_KIND {
            for (point, value, unit) in kind.reads {
                let device = segment(&address(number, which));
                wanted.insert((device, (*point).to_owned()), (json!(value), unit));
            }
        }
    }
    for address in &connected {
        let device = segment(address);
        let mut wants = |point: &str, value: Json, unit| {
            wanted.insert((device.clone(), point.to_owned()), (value, unit));
        };
        wants("battery", json!(100.0), "%");
        wants("temperature", json!(25.0), "Cel");
        wants("manufacturer_name", json!("Stand-in Instruments"), "");
    }
    let mut got: BTreeMap<(String, String), Json> = BTreeMap::new();
    let mut taken = 0;
    until("every value at the broker", PATIENCE, || {
        for message in subscriber.messages_from(taken) {
            taken += 1;
            let device = message
                .topic
                .split('/')
                .nth(2)
                .unwrap_or_default()
                .to_owned();
            let payload = message.json();
            for (point, entry) in payload.as_object().into_iter().flatten() {
                got.insert((device.clone(), point.clone()), entry.clone());
            }
        }
        let missing: Vec<_> = wanted.keys().filter(|key| !got.contains_key(key)).collect();
        match missing.len() {
            0 => Ok(()),
            count => Err(format!(
                "{count} of {} are missing: {missing:?}",
                wanted.len()
            )),
        }
    });
    for (key, (value, unit)) in &wanted {
        let entry = &got[key];
        match value.as_f64() {
            Some(value) => {
                let there = entry["Value"].as_f64().unwrap_or(f64::NAN);
                assert!(
                    (there - value).abs() < 0.006,
                    "{key:?}: {entry}, not {value}"
                );
            }
            None => assert_eq!(entry["Value"], *value, "{key:?}"),
        }
        assert_eq!(entry["Unit"].as_str().unwrap_or_default(), *unit, "{key:?}");
        let at = entry["SourceTimestamp"].as_str().and_then(Timestamp::parse);
        assert!(at.expect("a timestamp") > begin, "{key:?}: {entry}");
    }
    gateway.api.all_acknowledged(PATIENCE);
    let mut here = bluez.tell("look", json!({}))["connected"].clone();
    here.as_array_mut()
        .expect("a list")
        .retain(|one| connected.iter().any(|it| one == it));
    assert_eq!(here, json!(connected));
}
