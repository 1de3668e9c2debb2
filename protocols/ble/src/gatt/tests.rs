//! Sessions and turns over the twin, in virtual time.

mod commands;
mod look;

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{
    twin::{Device, Twin, characteristic},
    *,
};
use crate::{
    CharacteristicRule, Pair,
    radio::{CharacteristicId, Service},
    uuid16,
};

const SETPOINT: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);

fn who(number: u8) -> Address {
    Address([0xC0, 0, 0, 0, 0, number])
}

fn id(service: u16, of: u16) -> CharacteristicId {
    CharacteristicId {
        service: uuid16(service),
        characteristic: uuid16(of),
    }
}

const fn setpoint() -> CharacteristicId {
    CharacteristicId {
        service: uuid16(0xFFF0),
        characteristic: SETPOINT,
    }
}

/// Battery to read, temperature to read and notify each second, a setpoint to write.
fn device() -> Device {
    let service = |uuid, characteristics| Service {
        uuid: uuid16(uuid),
        characteristics,
    };
    Device {
        services: vec![
            service(0x180F, vec![characteristic(uuid16(0x2A19), "r")]),
            service(0x181A, vec![characteristic(uuid16(0x2A6E), "rn")]),
            service(0xFFF0, vec![characteristic(SETPOINT, "rw")]),
        ],
        values: BTreeMap::from([
            (id(0x180F, 0x2A19), vec![87]),
            (id(0x181A, 0x2A6E), vec![0x7E, 8]),
            (setpoint(), vec![0xD7, 0]),
        ]),
        tells: Some((id(0x181A, 0x2A6E), Duration::from_secs(1))),
        heard: true,
        reachable: true,
        wants_pairing: false,
        bonded: false,
        bond_lost: false,
        hangs_up: false,
        pairing_closes: false,
        closed: 0,
        breaks_after: None,
        mute_after: None,
        hangs: false,
        reads_from: None,
        refuses: Default::default(),
    }
}

fn rules() -> serde_json::Value {
    json!([
        {"service": "180f", "characteristic": "2a19", "every_s": 10},
        {"service": "181a", "characteristic": "2a6e"},
        {"service": "fff0", "characteristic": SETPOINT.to_string(), "point": "setpoint",
         "every_s": 3600, "allow": ["read", "write"],
         "fields": [{"type": "i16le", "scale": 0.1, "unit": "Cel"}]},
    ])
}

fn plan(number: u8, rules: serde_json::Value, pair: Pair, release: bool) -> Plan {
    let rules: Vec<CharacteristicRule> = serde_json::from_value(rules).unwrap();
    let device = DeviceId::new("ble", &format!("oven{number}")).unwrap();
    let (plan, problems) = Plan::new(who(number), device, &rules, pair, release);
    assert_eq!(problems, [""; 0]);
    plan
}

struct Seen {
    told: mpsc::Receiver<Told>,
}

impl Seen {
    /// `temperature=21.74`, of whom, of the next values.
    async fn next(&mut self) -> (Address, Vec<String>) {
        match self.told.recv().await.unwrap() {
            Told::Values {
                address, fields, ..
            } => {
                let fields = fields.iter();
                let text = fields.map(|field| format!("{}={:?}", field.id, field.value));
                (address, text.collect())
            }
            Told::Looked(address, value) => (address, vec![format!("looked {}", value.hex)]),
        }
    }

    /// Everything until nothing came for so long, at most so much.
    async fn for_seconds(&mut self, seconds: u64) -> Vec<(Address, Vec<String>)> {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut all = Vec::new();
        while let Ok(next) = tokio::time::timeout_at(until, self.next()).await {
            all.push(next);
        }
        all
    }
}

/// Runs connections beside a test.
async fn beside<T>(
    twin: &Twin,
    plans: Vec<Plan>,
    connections: u32,
    test: impl AsyncFnOnce(&Gatt, Seen) -> T,
) -> T {
    let gatt = Gatt::new(plans, connections);
    let (told, receiver) = mpsc::channel(16);
    let ctx = GattCtx {
        radio: twin,
        routes: twin,
        told: &told,
    };
    tokio::select! {
        () = gatt.run(ctx) => unreachable!("it never ends"),
        done = test(&gatt, Seen { told: receiver }) => done,
    }
}

fn one(device: Device) -> Twin {
    let twin = Twin::default();
    twin.add(who(1), device);
    twin
}

fn words(gatt: &Gatt) -> String {
    let status = &gatt.status()[0];
    format!("{:?}: {}", status.phase, status.words)
}

async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), wait)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn values_come_by_themselves_and_when_they_are_asked_for() {
    let twin = one(device());
    let plans = vec![plan(1, rules(), Pair::IfNeeded, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        let all = seen.for_seconds(32).await;
        let count = |text: &str| all.iter().filter(|(_, fields)| fields[0] == text).count();
        assert_eq!(count("battery=Int(87)"), 4);
        assert!(
            (29..=32).contains(&count("temperature=Float(21.74)")),
            "{}",
            count("temperature=Float(21.74)")
        );
        assert_eq!(count("setpoint=Float(21.5)"), 1);
        let log = twin.world().log.clone();
        assert_eq!(log[..3], ["connect", "subscribe 2a6e", "read 2a19"]);
        assert_eq!(
            words(gatt),
            "Connected: connected, 3 characteristics are read"
        );
        assert_eq!(gatt.connections("hci0"), 1);
        assert_eq!(gatt.status()[0].problems, [""; 0]);
    })
    .await;
    assert_eq!(twin.world().open, 0, "dropping everything closes it");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_is_made_again_and_again() {
    let twin = one(Device {
        breaks_after: Some(Duration::from_secs(5)),
        ..device()
    });
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, mut seen| {
            seen.for_seconds(120).await;
            let connects = twin.count("connect");
            assert!((12..=20).contains(&connects), "{connects}");
            twin.change(who(1), |device| device.breaks_after = None);
            seen.for_seconds(60).await;
            assert_eq!(gatt.status()[0].phase, Phase::Connected);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn why_it_is_not_connected_is_said_in_words() {
    let twin = one(Device {
        heard: false,
        reachable: false,
        ..device()
    });
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, mut seen| {
            seen.for_seconds(3).await;
            assert!(
                words(gatt).starts_with("Unheard: it is not heard right now"),
                "{}",
                words(gatt)
            );
            assert_eq!(twin.count("connect"), 0);
            twin.change(who(1), |device| device.heard = true);
            until(|| gatt.status()[0].phase == Phase::Pausing).await;
            assert_eq!(
                words(gatt),
                "Pausing: it cannot be connected: C0:00:00:00:00:01 does not answer"
            );
            let status = &gatt.status()[0];
            assert_eq!(status.failures, 1);
            assert!(status.next.is_some());
            twin.change(who(1), |device| device.reachable = true);
            seen.for_seconds(60).await;
            assert_eq!(gatt.status()[0].phase, Phase::Connected);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_wants_it_is_paired_if_the_settings_let_it() {
    let wants = || Device {
        wants_pairing: true,
        ..device()
    };
    let twin = one(wants());
    beside(
        &twin,
        vec![plan(1, rules(), Pair::IfNeeded, false)],
        5,
        async |_, mut seen| {
            assert!(!seen.for_seconds(10).await.is_empty());
            let log = twin.world().log.clone();
            assert_eq!(
                log[..4],
                ["connect", "subscribe 2a6e", "pair", "subscribe 2a6e"]
            );
        },
    )
    .await;

    let twin = one(wants());
    beside(
        &twin,
        vec![plan(1, rules(), Pair::Yes, false)],
        5,
        async |_, mut seen| {
            seen.for_seconds(10).await;
            let log = twin.world().log.clone();
            assert_eq!(log[..3], ["pair", "connect", "subscribe 2a6e"]);
        },
    )
    .await;

    let twin = one(wants());
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, mut seen| {
            assert!(seen.for_seconds(20).await.is_empty());
            assert!(
                words(gatt).contains("set `pair` to `if_needed`"),
                "{}",
                words(gatt)
            );
            assert_eq!(twin.count("pair"), 0);
            assert_eq!(twin.count("connect"), 1, "it is refused, and waits long");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bond_that_is_no_longer_good_is_removed_and_made_anew() {
    let twin = one(Device {
        wants_pairing: true,
        bonded: true,
        bond_lost: true,
        ..device()
    });
    beside(
        &twin,
        vec![plan(1, rules(), Pair::IfNeeded, false)],
        5,
        async |_, mut seen| {
            assert!(!seen.for_seconds(20).await.is_empty());
            let log = twin.world().log.clone();
            let deeds: Vec<_> = log
                .iter()
                .filter(|line| !line.contains("2a"))
                .take(4)
                .collect();
            assert_eq!(deeds, ["connect", "pair", "close", "connect"]);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_hangs_up_since_it_lost_its_bond_is_paired_anew_if_somebody_wants_that() {
    let lost = || Device {
        bonded: true,
        bond_lost: true,
        hangs_up: true,
        ..device()
    };
    let twin = one(lost());
    let plans = vec![plan(1, rules(), Pair::IfNeeded, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        assert!(!seen.for_seconds(10).await.is_empty());
        let log = twin.world().log.clone();
        assert_eq!(log[..3], ["refuse", "pair", "connect"]);
        let cause = gatt.status()[0].cause.clone().unwrap();
        assert!(cause.contains("it lost its bond"), "{cause}");
        assert!(
            cause.contains("it is removed, and the device is paired anew"),
            "{cause}"
        );
        assert_eq!(gatt.status()[0].failures, 0);
    })
    .await;

    let twin = one(lost());
    let plans = vec![plan(1, rules(), Pair::No, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        assert!(seen.for_seconds(20).await.is_empty());
        assert_eq!(twin.count("pair"), 0);
        let words = gatt.pair(who(1)).await.unwrap();
        assert_eq!(words, "C0:00:00:00:00:01 is paired");
        assert_eq!(twin.count("pair"), 1);
        assert!(!seen.for_seconds(10).await.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pairing_that_closes_the_connection_costs_no_value_and_is_no_failure() {
    let wants = || Device {
        wants_pairing: true,
        pairing_closes: true,
        ..device()
    };
    let twin = one(wants());
    let plans = vec![plan(1, rules(), Pair::IfNeeded, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        assert!(!seen.for_seconds(10).await.is_empty());
        let log = twin.world().log.clone();
        let begin = ["connect", "subscribe 2a6e", "pair", "close", "connect"];
        assert_eq!(log[..5], begin);
        let status = &gatt.status()[0];
        assert_eq!((status.failures, &status.cause), (0, &None));
    })
    .await;

    // It wants it again and again: that is told, and it is not paired without end.
    let twin = one(Device {
        bond_lost: true,
        ..wants()
    });
    let plans = vec![plan(1, rules(), Pair::IfNeeded, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        twin.world().bonds_fail = true;
        seen.for_seconds(20).await;
        assert_eq!(twin.count("pair"), 1);
        assert_eq!(gatt.status()[0].failures, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_half_dead_is_found_out() {
    let twin = one(Device {
        mute_after: Some(Duration::from_secs(20)),
        ..device()
    });
    let only = json!([{"service": "181a", "characteristic": "2a6e"}]);
    beside(
        &twin,
        vec![plan(1, only, Pair::No, false)],
        5,
        async |_, mut seen| {
            seen.for_seconds(22).await;
            assert_eq!(twin.count("connect"), 1);
            seen.for_seconds(110).await;
            assert!(twin.count("connect") >= 2, "{:?}", twin.world().log);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_ends_the_connection() {
    let twin = one(Device {
        hangs: true,
        ..device()
    });
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, mut seen| {
            seen.for_seconds(19).await;
            let cause = gatt.status()[0].cause.clone().unwrap();
            assert!(cause.contains("had no answer within 15 s"), "{cause}");
            twin.change(who(1), |device| device.hangs = false);
            assert!(!seen.for_seconds(40).await.is_empty());
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn bad_bytes_and_refusals_of_one_characteristic_leave_the_others() {
    let twin = one(Device {
        refuses: [setpoint()].into(),
        ..device()
    });
    twin.change(who(1), |device| {
        device.values.insert(id(0x180F, 0x2A19), vec![255]);
    });
    let mut with_more = rules();
    with_more.as_array_mut().unwrap().extend([
        json!({"service": "180a", "characteristic": "2a29"}),
        json!({"service": "180f", "characteristic": "2a1b"}),
    ]);
    beside(
        &twin,
        vec![plan(1, with_more, Pair::No, false)],
        5,
        async |gatt, mut seen| {
            let all = seen.for_seconds(30).await;
            assert!(all.len() >= 28, "{}", all.len());
            assert_eq!(twin.count("connect"), 1);
            let problems = gatt.status()[0].problems.join("\n");
            for part in [
                "no service 180a, where characteristic 2a29 (Manufacturer Name String) should be",
                "service 180f has no characteristic 2a1b",
                "2a19 (Battery Level): `battery` at byte 0 is 255",
                "cannot be read: reading is not permitted",
            ] {
                assert!(problems.contains(part), "{part} in\n{problems}");
            }
            twin.change(who(1), |device| {
                device.values.insert(id(0x180F, 0x2A19), vec![50]);
            });
            seen.for_seconds(12).await;
            let problems = gatt.status()[0].problems.join("\n");
            assert!(!problems.contains("Battery"), "{problems}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_starves_when_devices_outnumber_the_connections() {
    let twin = Twin::default();
    let devices = 12;
    for number in 0..devices {
        twin.add(who(number), device());
    }
    let plans = (0..devices)
        .map(|number| plan(number, rules(), Pair::No, false))
        .collect();
    beside(&twin, plans, 3, async |_, mut seen| {
        for round in 0..4 {
            let all = seen.for_seconds(60).await;
            for number in 0..devices {
                let some = all.iter().any(|(address, _)| *address == who(number));
                assert!(some, "device {number} told nothing in round {round}");
            }
        }
    })
    .await;
    assert_eq!(twin.world().most_open, 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_released_between_values() {
    let twin = one(Device {
        tells: None,
        ..device()
    });
    let only = json!([{"service": "180f", "characteristic": "2a19", "every_s": 60}]);
    beside(
        &twin,
        vec![plan(1, only, Pair::No, true)],
        5,
        async |gatt, mut seen| {
            let all = seen.for_seconds(30).await;
            assert_eq!(all.len(), 1);
            assert_eq!(twin.world().open, 0);
            assert!(
                words(gatt).starts_with("Resting: its values were read"),
                "{}",
                words(gatt)
            );
            let more = seen.for_seconds(200).await;
            assert_eq!(more.len(), 3, "once a minute");
        },
    )
    .await;
}
