//! The radio over a real D-Bus, with a stand-in of BlueZ at its other end.

use std::time::Instant;

use fieldgate_tests::{
    bluez::{Bluez, Listener},
    wait::{SOON, until_true},
};
use serde_json::{Value as Json, json};

const ENV: &str = "C0:DE:00:00:00:01";
const BTHOME: &str = "0000fcd2-0000-1000-8000-00805f9b34fb";
const CUSTOM: &str = "f0001000-0451-4000-b000-000000000000";
const WRITABLE: &str = "f0001001-0451-4000-b000-000000000000";
const ECHO: &str = "f0001002-0451-4000-b000-000000000000";
const PROTECTED: &str = "f0001003-0451-4000-b000-000000000000";
const HANGS: &str = "f0001004-0451-4000-b000-000000000000";

/// A bus, a stand-in, and a radio that listens.
fn listening(options: Json) -> (Bluez, Listener) {
    let bluez = Bluez::with(&options);
    let mut radio = Listener::start(&bluez);
    radio.listen();
    (bluez, radio)
}

/// A connectable device that advertises by itself, something else each time.
fn device(bluez: &mut Bluez, radio: &mut Listener, address: &str, more: Json) {
    let mut command = json!({ "address": address, "connectable": true, "every_ms": 100, "name": "Device", "counts": true });
    for (name, value) in more.as_object().unwrap() {
        command[name] = value.clone();
    }
    bluez.tell("device", command);
    radio.heard(address);
}

fn of(characteristic: &str) -> Json {
    json!({ "address": ENV, "service": CUSTOM, "characteristic": characteristic })
}

fn value_of(characteristic: &str, value: &str) -> Json {
    let mut command = of(characteristic);
    command["value"] = json!(value);
    command
}

#[test]
fn every_change_of_an_advertisement_is_heard_in_order() {
    let (mut bluez, mut radio) = listening(json!({}));
    let scans = bluez.tell("look", json!({}))["scans"]["hci0"].clone();
    assert_eq!(scans, json!([{ "Transport": "le", "DuplicateData": true }]));
    bluez.tell(
        "say",
        json!({ "address": ENV, "name": "Env", "services": [BTHOME], "service_data": { BTHOME: "40" }, "tx_power": 4 }),
    );
    let first = radio.heard(ENV);
    assert_eq!(
        first,
        json!({
            "address": ENV, "random": true, "name": "Env", "rssi": -60, "tx_power": 4, "manufacturer": {},
            "service_data": { BTHOME: "40" }, "services": [BTHOME],
        })
    );
    for number in 0..500u32 {
        let data = format!("40{number:08x}");
        bluez.tell(
            "say",
            json!({ "address": ENV, "service_data": { BTHOME: data } }),
        );
    }
    for number in 0..500u32 {
        let heard = radio.heard(ENV);
        assert_eq!(heard["service_data"][BTHOME], format!("40{number:08x}"));
        assert_eq!(heard["name"], "Env", "what did not change is still there");
    }
    let public = "00:11:22:33:44:55";
    let data = json!({ "1177": "05" });
    bluez.tell(
        "say",
        json!({ "address": public, "random": false, "manufacturer": data, "rssi": -80 }),
    );
    let heard = radio.heard(public);
    assert_eq!(
        (&heard["random"], &heard["rssi"]),
        (&json!(false), &json!(-80))
    );
    assert_eq!(heard["manufacturer"], data);
}

#[test]
fn a_device_is_connected_read_written_and_tells_its_values() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({}));
    let services = radio.ok("connect", json!({ "address": ENV }));
    assert_eq!(services.as_array().unwrap().len(), 4, "{services}");
    let battery = json!({ "address": ENV, "service": "180f", "characteristic": "2a19" });
    assert_eq!(radio.ok("read", battery), "64");
    radio.ok("subscribe", of(ECHO));
    radio.ok("write", value_of(WRITABLE, "c0ffee"));
    let told = radio.ok("notified", json!({ "address": ENV }));
    assert_eq!(told, json!({ "characteristic": ECHO, "value": "c0ffee" }));
    let mut command = value_of(WRITABLE, "01");
    command["command"] = json!(true);
    radio.ok("write", command);
    assert_eq!(
        radio.ok("notified", json!({ "address": ENV }))["value"],
        "01"
    );
    assert_eq!(radio.ok("read", of(ECHO)), "01");
    assert_eq!(radio.fails("read", of(WRITABLE)).0, "Refused");
    assert_eq!(radio.fails("read", of(PROTECTED)).0, "Unpaired");
    assert_eq!(radio.ok("alive", json!({ "address": ENV })), true);
    radio.ok("close", json!({ "address": ENV }));
    assert_eq!(bluez.tell("look", json!({}))["connected"], json!([]));
    radio.forget_events();
    radio.heard(ENV);
}

#[test]
fn a_broken_connection_is_told_and_a_device_that_does_not_answer_is_let_go() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({}));
    radio.ok("connect", json!({ "address": ENV }));
    bluez.tell("lose", json!({ "address": ENV }));
    radio.event("disconnected", |event| event["address"] == ENV);
    assert_eq!(
        radio.fails("notified", json!({ "address": ENV })).0,
        "Broken"
    );
    assert_eq!(radio.ok("alive", json!({ "address": ENV })), false);
    radio.ok("close", json!({ "address": ENV }));

    let never = json!({ "address": "C0:DE:00:00:00:99" });
    assert_eq!(radio.fails("connect", never).0, "Away");
    bluez.tell("device", json!({ "address": ENV, "muted": true }));
    let command = json!({ "address": ENV, "limit_ms": 2000 });
    assert_eq!(radio.fails("connect", command).0, "Busy");
    bluez.tell("device", json!({ "address": ENV, "muted": false }));
    radio.ok("connect", json!({ "address": ENV }));
    let (error, words) = radio.fails("read", of(HANGS));
    assert_eq!(error, "Busy");
    assert!(words.contains("connect anew"), "{words}");
    radio.ok("close", json!({ "address": ENV }));
    radio.ok("connect", json!({ "address": ENV }));
    assert_eq!(radio.ok("read", of(ECHO)), "");
}

#[test]
fn what_is_under_way_ends_with_its_link() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({}));
    radio.ok("connect", json!({ "address": ENV }));
    radio.say("read", of(HANGS));
    until_true("the read to hang", SOON, || {
        bluez.tell("look", json!({}))["stuck"] != json!([])
    });
    bluez.tell("lose", json!({ "address": ENV }));
    let answer = radio.answer();
    assert_eq!(answer["error"], "Broken", "{answer}");
}

#[test]
fn a_link_that_breaks_while_services_are_asked_for_is_told_at_once() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({ "breaks": true }));
    let begun = Instant::now();
    let (error, words) = radio.fails("connect", json!({ "address": ENV }));
    assert_eq!(error, "Broken", "{words}");
    assert!(begun.elapsed() < SOON / 3, "{:?}", begun.elapsed());
    bluez.tell("device", json!({ "address": ENV, "breaks": false }));
    radio.ok("connect", json!({ "address": ENV }));
}

#[test]
fn pairing_asks_what_the_device_wants_to_know() {
    let (mut bluez, mut radio) = listening(json!({}));
    let address = |number: u8| format!("C0:DE:00:00:01:{number:02X}");
    let cases = [
        ("just_works", 0, None, Json::Null, true),
        ("passkey", 123_456, Some("passkey"), json!(123_456), true),
        ("passkey", 123_456, Some("passkey"), json!(1), false),
        ("compare", 555, Some("compare"), json!(true), true),
        ("compare", 555, Some("compare"), json!(false), false),
        ("display", 777, Some("show"), Json::Null, true),
    ];
    let mut paired = Vec::new();
    for (number, (kind, secret, wants, reply, succeeds)) in (1..).zip(cases) {
        let address = address(number);
        device(
            &mut bluez,
            &mut radio,
            &address,
            json!({ "pairing": kind, "number": secret }),
        );
        radio.say("pair", json!({ "address": address }));
        if let Some(wants) = wants {
            let event = radio.event("pairing", |event| event["address"] == address.as_str());
            assert_eq!(event["wants"], wants);
            let shown = (wants != "passkey").then_some(secret);
            assert_eq!(event["number"], json!(shown));
            if !reply.is_null() {
                radio.say(
                    "answer",
                    json!({ "prompt": event["prompt"], "reply": reply }),
                );
            }
        }
        let answer = radio.answer();
        match succeeds {
            true => assert_eq!(answer, json!({ "ok": null }), "{kind}"),
            false => assert_eq!(answer["error"], "Unpaired", "{kind}"),
        }
        paired.extend(succeeds.then_some(address));
    }
    assert_eq!(radio.ok("bonds", json!({})), json!(paired));
    assert_eq!(bluez.tell("look", json!({}))["bonded"], json!(paired));

    // One that lost its bond is forgotten before it is paired again.
    let first = address(1);
    bluez.tell("device", json!({ "address": first, "lost_bond": true }));
    assert_eq!(
        radio.fails("connect", json!({ "address": first })).0,
        "Away"
    );
    radio.ok("pair", json!({ "address": first }));
    let calls = bluez.tell("look", json!({}))["calls"].to_string();
    let at = |call: &str| {
        calls
            .rfind(call)
            .unwrap_or_else(|| panic!("no {call} in {calls}"))
    };
    assert!(at("RemoveDevice") < at("Pair"), "{calls}");
    radio.ok("connect", json!({ "address": first }));
    radio.ok("forget", json!({ "address": address(2) }));
    assert!(
        !radio
            .ok("bonds", json!({}))
            .to_string()
            .contains(&address(2))
    );
}

/// A bus and a radio that was connected to a device with a bond.
fn bonded(more: Json) -> (Bluez, Listener) {
    let (mut bluez, mut radio) = listening(json!({}));
    let pairing = json!({ "pairing": "just_works" });
    device(&mut bluez, &mut radio, ENV, pairing);
    let env = || json!({ "address": ENV });
    radio.ok("pair", env());
    radio.ok("connect", env());
    radio.ok("close", env());
    device(&mut bluez, &mut radio, ENV, more);
    (bluez, radio)
}

/// Connects, which fails; when BlueZ dies of it, it is waited for.
fn fails(bluez: &mut Bluez, radio: &mut Listener, fatal: bool) -> (String, String) {
    radio.forget_events();
    let mut failed = radio.fails("connect", json!({ "address": ENV }));
    if fatal && failed.0 == "NoDaemon" {
        // It died before the radio could say so.
        failed.0 = "Away".to_owned();
    }
    if fatal && failed.0 == "Away" {
        radio.event("over", |event| event["error"] == "NoDaemon");
        until_true("BlueZ to be back", SOON, || {
            bluez.tell("look", json!({}))["serves"] == json!(true)
        });
        radio.listen();
    }
    failed
}

#[test]
fn a_lost_bond_is_found_out_before_bluez_dies_of_it_for_ever() {
    for fatal in [false, true] {
        let lost = json!({ "lost_bond": true, "fatal": fatal, "tells": !fatal });
        let (mut bluez, mut radio) = bonded(lost);
        for _ in 0..2 {
            let (error, words) = fails(&mut bluez, &mut radio, fatal);
            assert_eq!(error, "Away", "{words}");
        }
        let (error, words) = fails(&mut bluez, &mut radio, fatal);
        assert_eq!(error, "Unpaired", "{words}");
        assert!(words.contains("lost its half of the bond"), "{words}");
        let deaths = bluez.tell("look", json!({}))["deaths"].clone();
        assert_eq!(deaths, if fatal { 2 } else { 0 });
        let env = || json!({ "address": ENV });
        radio.ok("pair", env());
        radio.ok("connect", env());
        assert_eq!(radio.ok("read", of(PROTECTED)), "736563726574");
    }
}

#[test]
fn a_device_that_loses_each_bond_does_not_kill_bluez_without_end() {
    let lost = json!({ "lost_bond": true, "fatal": true, "forgetful": true });
    let (mut bluez, mut radio) = bonded(lost);
    let mut answers = Vec::new();
    for _ in 0..7 {
        let (error, words) = fails(&mut bluez, &mut radio, true);
        if error == "Unpaired" {
            radio.ok("pair", json!({ "address": ENV }));
        } else if error == "Refused" {
            assert!(words.contains("has lost that bond as well"), "{words}");
        }
        answers.push(error);
    }
    let expected = [
        "Away", "Away", "Unpaired", "Away", "Away", "Refused", "Refused",
    ];
    assert_eq!(answers, expected);
    assert_eq!(bluez.tell("look", json!({}))["deaths"], 4);
}

#[test]
fn links_that_break_some_times_cost_no_bond() {
    for tells in [false, true] {
        let weak = json!({ "weak": true, "rssi": -90, "tells": tells });
        let (mut bluez, mut radio) = bonded(weak);
        for _ in 0..6 {
            let (error, words) = fails(&mut bluez, &mut radio, false);
            assert_eq!(error, "Away", "{words}");
        }
        bluez.tell("device", json!({ "address": ENV, "weak": false }));
        radio.ok("connect", json!({ "address": ENV }));
        assert_eq!(bluez.tell("look", json!({}))["bonded"], json!([ENV]));
    }
}

#[test]
fn a_bond_that_somebody_else_made_anew_is_used() {
    let (mut bluez, mut radio) = bonded(json!({ "lost_bond": true, "tells": true }));
    for expected in ["Away", "Away", "Unpaired"] {
        assert_eq!(fails(&mut bluez, &mut radio, false).0, expected);
    }
    bluez.tell("renew", json!({ "address": ENV }));
    until_true("the new bond to be used", SOON, || {
        radio.ask("connect", json!({ "address": ENV }))["error"] == Json::Null
    });
}

#[test]
fn a_device_that_wants_to_be_paired_for_a_read_says_so_and_is_read_once_it_is_paired() {
    for (kind, number) in [("just_works", 0), ("passkey", 123_456)] {
        let (mut bluez, mut radio) = listening(json!({}));
        let pairing = json!({ "pairing": kind, "number": number });
        device(&mut bluez, &mut radio, ENV, pairing);
        radio.ok("connect", json!({ "address": ENV }));
        // BlueZ never answers it, nor anything else by this connection.
        let (error, words) = radio.fails("read", of(PROTECTED));
        assert_eq!(error, "Unpaired", "{words}");
        assert!(words.contains("wants to be paired"), "{words}");
        assert_eq!(bluez.tell("look", json!({}))["connected"], json!([]));
        radio.say("pair", json!({ "address": ENV }));
        if kind == "passkey" {
            let event = radio.event("pairing", |event| event["address"] == ENV);
            let answer = json!({ "prompt": event["prompt"], "reply": number });
            radio.say("answer", answer);
        }
        assert_eq!(radio.answer(), json!({ "ok": null }), "{kind}");
        radio.ok("connect", json!({ "address": ENV }));
        assert_eq!(radio.ok("read", of(PROTECTED)), "736563726574");
    }
}

#[test]
fn an_adapter_that_goes_and_comes_is_told_and_what_is_wrong_with_it() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({}));
    bluez.tell("unplug", json!({ "name": "hci0" }));
    radio.event("adapters", |_| true);
    assert_eq!(radio.ok("adapters", json!({})), json!([]));
    assert_eq!(radio.fails("listen", json!({})).0, "NoAdapter");
    bluez.tell("plug", json!({ "name": "hci0" }));
    radio.event("adapters", |_| true);
    radio.ok("listen", json!({}));
    radio.forget_events();
    radio.heard(ENV);

    let state = |radio: &mut Listener| radio.ok("adapters", json!({}))[0]["state"].clone();
    assert_eq!(state(&mut radio), "Listening");
    bluez.tell(
        "adapter",
        json!({ "name": "hci0", "powered": false, "refuses": true }),
    );
    assert_eq!(state(&mut radio), "Off");
    let (error, words) = radio.fails("listen", json!({}));
    assert_eq!(error, "NoAdapter");
    assert!(words.contains("switched off"), "{words}");
    assert_eq!(radio.fails("power", json!({ "on": true })).0, "Refused");
    bluez.tell("adapter", json!({ "name": "hci0", "refuses": false }));
    radio.ok("power", json!({ "on": true }));
    assert_eq!(state(&mut radio), "Starting");
    bluez.tell("adapter", json!({ "name": "hci0", "blocked": true }));
    assert_eq!(state(&mut radio), "Blocked");
    let (error, words) = radio.fails("power", json!({ "on": true }));
    assert_eq!(error, "NoAdapter");
    assert!(words.contains("rfkill unblock bluetooth"), "{words}");
}

#[test]
fn a_daemon_or_a_bus_that_dies_ends_the_radio_with_words() {
    let (mut bluez, mut radio) = listening(json!({}));
    device(&mut bluez, &mut radio, ENV, json!({}));
    bluez.tell("crash", json!({}));
    let over = radio.event("over", |_| true);
    assert_eq!(over["error"], "NoDaemon");
    let (error, words) = radio.fails("open", json!({}));
    assert_eq!(error, "NoDaemon");
    assert!(words.contains("is not installed"), "{words}");
    bluez.tell("restart", json!({}));
    radio.listen();
    radio.forget_events();
    radio.heard(ENV);
    bluez.kill_bus();
    let over = radio.event("over", |_| true);
    assert!(over["words"].to_string().contains("message bus"), "{over}");
    assert_eq!(radio.fails("open", json!({})).0, "NoDaemon");
}

#[test]
fn a_bus_that_forbids_it_is_told_apart() {
    let deny = r#"<deny send_destination="org.bluez"/>"#;
    let bluez = Bluez::denying(&json!({}), deny);
    let mut radio = Listener::start(&bluez);
    let (error, words) = radio.fails("open", json!({}));
    assert_eq!(error, "NoPermission");
    assert!(words.contains("/etc/dbus-1/system.d"), "{words}");
}

#[test]
fn listening_passively_tells_only_what_is_new() {
    let bluez = &mut Bluez::with(&json!({ "adapters": { "hci0": { "passive": true } } }));
    let mut radio = Listener::start(bluez);
    radio.ok("open", json!({}));
    radio.ok("listen", json!({ "mode": "passive" }));
    assert_eq!(bluez.tell("look", json!({}))["monitors"]["hci0"], 1);
    let say = |bluez: &mut Bluez, data: Json| {
        bluez.tell("say", json!({ "address": ENV, "manufacturer": data }));
    };
    say(bluez, json!({ "1": "01" }));
    assert_eq!(radio.heard(ENV)["manufacturer"], json!({ "1": "01" }));
    say(bluez, json!({ "2": "02" }));
    assert_eq!(radio.heard(ENV)["manufacturer"], json!({ "2": "02" }));
    let facts = radio.ok("adapters", json!({}))[0].clone();
    assert_eq!(
        (&facts["passive"], &facts["scanning"]),
        (&json!(true), &json!(true))
    );
    radio.ok("listen", json!({ "mode": "active" }));
    let look = bluez.tell("look", json!({}));
    assert_eq!(
        (
            &look["monitors"]["hci0"],
            look["scans"]["hci0"].as_array().unwrap().len()
        ),
        (&json!(0), 1)
    );
}

#[test]
fn a_flood_of_strangers_is_heard_or_counted() {
    let (mut bluez, _) = listening(json!({}));
    let mut counting = Listener::run(&bluez.address(), &["count", "8"]);
    counting.next(std::time::Duration::from_secs(30), "that it listens");
    let flood = json!({ "per_s": 1000, "devices": 3000, "seconds": 2, "distinct": 5000 });
    let sent = bluez.tell("flood", flood)["sent"].as_u64().unwrap();
    let counted = counting.next(std::time::Duration::from_secs(60), "what it counted");
    let number = |name: &str| counted[name].as_u64().unwrap();
    assert_eq!(number("heard") + number("missed"), sent, "{counted}");
}
