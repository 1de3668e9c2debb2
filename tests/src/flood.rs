//! `Flood`: known devices in a flood of strangers, heard by a real gateway over a real D-Bus with the stand-in of BlueZ at its other end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use fieldgate_api::{
    endpoint::GetScan,
    scanner::{ScanQuery, ScanView},
};
use serde_json::{Value as Json, json};

use crate::{
    bluez::Bluez,
    broker::Broker,
    gateway::{Gateway, folder},
    place::Place,
    subscriber::Subscriber,
    wait::{SOON, until},
};

/// Who cries.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// Addresses by chance, a quarter of them public ones.
    pub strangers: u32,
    /// Advertisements a second; 0: as many as the bus takes.
    pub per_s: u32,
    pub seconds: u32,
}

/// What became of it.
#[derive(Debug)]
pub struct Withstood {
    /// Advertisements of strangers, and of how many addresses.
    pub sent: u64,
    pub addresses: u64,
    pub seconds: f64,
    /// Of the gateway, before and at its most.
    pub resident_bytes: (u64, u64),
    /// Different advertisements of the known devices meanwhile, and those whose value did not reach the broker.
    pub known_sent: u64,
    pub known_lost: u64,
    /// What the gateway heard, right after.
    pub view: ScanView,
}

/// Devices of the settings. Each advertises once a second, every time something else.
const KNOWN: u8 = 10;
/// So many values of each are at the broker before the flood, so that the gateway has grown as far as it does without one.
const BEFORE: usize = 5;
/// Everybody claims to be somebody.
const CLAIMS: &str = "cold-room";

/// The numbers that reached the broker, by the device.
type Numbers = BTreeMap<String, BTreeSet<u64>>;

// === impl Flood ===

impl Flood {
    /// Lets the flood come over a gateway with ten known devices.
    #[track_caller]
    #[must_use]
    pub fn withstand(self) -> Withstood {
        let mut bluez = Bluez::start();
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.port);
        for number in 0..KNOWN {
            bluez.tell(
                "device",
                json!({ "address": address(number), "name": CLAIMS, "counts": true, "every_ms": 1000 }),
            );
        }
        let place = Place::default().with("DBUS_SYSTEM_BUS_ADDRESS", bluez.address());
        let gateway = Gateway::start_in(folder(), &config(&broker), place);
        let mut numbers = Numbers::new();
        let mut taken = 0;
        let mut receive = |numbers: &mut Numbers| {
            for message in subscriber.messages_from(taken) {
                taken += 1;
                let device = message.topic.split('/').nth(2).unwrap_or_default();
                if let Some(number) = message.json()["count"]["Value"].as_u64() {
                    numbers.entry(device.to_owned()).or_default().insert(number);
                }
            }
        };
        until("the first values of the known devices", SOON, || {
            receive(&mut numbers);
            let there = numbers.values().filter(|some| some.len() >= BEFORE);
            let there = there.count();
            (there == usize::from(KNOWN))
                .then_some(())
                .ok_or(format!("only {there} have {BEFORE}"))
        });
        let before = gateway.usage().resident_bytes;
        let said_before = said(&mut bluez);
        let mut most = before;
        let mut looks = 0u32;
        let answer = bluez.strangers(self, CLAIMS, || {
            looks += 1;
            if looks.is_multiple_of(10) {
                most = most.max(gateway.usage().resident_bytes);
            }
        });
        most = most.max(gateway.usage().resident_bytes);
        let said_after = said(&mut bluez);
        let view = scan(&gateway);
        until(
            "values of all known devices from after the flood",
            SOON * 2,
            || {
                receive(&mut numbers);
                let late: Vec<_> = said_after
                    .iter()
                    .filter(|(device, said)| {
                        numbers
                            .get(*device)
                            .and_then(BTreeSet::last)
                            .is_none_or(|last| last <= said)
                    })
                    .collect();
                late.is_empty()
                    .then_some(())
                    .ok_or(format!("{late:?} are late"))
            },
        );
        let meanwhile = said_after.iter().flat_map(|(device, after)| {
            let numbers = &numbers[device];
            (said_before[device] + 1..=*after).map(|number| numbers.contains(&number))
        });
        let arrived: Vec<bool> = meanwhile.collect();
        let number = |name: &str| answer[name].as_f64().expect("a number");
        Withstood {
            sent: answer["sent"].as_u64().expect("a number"),
            addresses: answer["addresses"].as_u64().expect("a number"),
            seconds: number("seconds"),
            resident_bytes: (before, most),
            known_sent: arrived.len() as u64,
            known_lost: arrived.iter().filter(|arrived| !**arrived).count() as u64,
            view,
        }
    }

    /// How long it may take, also on a busy machine.
    #[must_use]
    pub fn limit(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds) * 2) + SOON
    }
}

fn address(number: u8) -> String {
    format!("C0:DE:00:00:CC:{number:02X}")
}

fn config(broker: &Broker) -> String {
    let mut config = "[[source]]\nid = \"hall\"\nkind = \"ble\"\n".to_owned();
    for number in 0..KNOWN {
        let address = address(number);
        let _ = write!(
            config,
            "[[source.devices]]\naddress = \"{address}\"\nname = \"known-{number}\"\n"
        );
    }
    let url = broker.url();
    let _ = write!(
        config,
        "[[destination]]\nid = \"broker\"\nkind = \"mqtt\"\nurl = \"{url}\"\n\
         [[route]]\nid = \"all\"\nfrom = [\"hall/**\"]\nto = \"broker\"\n"
    );
    config
}

/// The number that each known device said last.
fn said(bluez: &mut Bluez) -> BTreeMap<String, u64> {
    let look: Json = bluez.tell("look", json!({}));
    let said = |number: u8| look["said"][address(number)].as_u64();
    (0..KNOWN)
        .map(|number| {
            let said = said(number).expect("it is a device");
            (format!("known-{number}"), said)
        })
        .collect()
}

fn scan(gateway: &Gateway) -> ScanView {
    let query = ScanQuery {
        limit: Some(1),
        ..ScanQuery::default()
    };
    let asked = gateway.api.call::<GetScan>(&["hall"], &query);
    asked.expect("the source is configured")
}
