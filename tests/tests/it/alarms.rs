//! Alarms and conditions of a real server: every transition once, across a cut and a restart; acknowledged, confirmed, remarked.

use std::path::Path;

use fieldgate_api::{
    alarm::{AlarmQuery, AlarmView},
    command::{CommandAnswer, CommandDraft},
    endpoint::{GetAlarms, GetQueue, Method, SendCommand, path_and_query},
};
use fieldgate_model::Outcome;
use fieldgate_tests::{
    alarm_server::{AlarmServer, alarm},
    broker::Broker,
    browser::Browser,
    gateway::{self, Gateway},
    proxy::Proxy,
    received::Received,
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};

use crate::{
    browser::assert_accessible_everywhere,
    line::{self, PATIENCE},
};

const OVERHEAT: &str = "press/Server/Press.Overheat";

/// All events of some severity; those around a refresh have none.
fn config(port: u16, rest: &str) -> String {
    format!(
        r#"
[gateway]
name = "test"
[[source]]
id = "press"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{port}"
security = {{ policy = "None" }}
select = ["Objects/Press/Level"]
publishing_ms = 100
events = [{{ where = {{ min_severity = 40 }}, allow = ["acknowledge", "confirm", "comment"] }}]
{rest}
"#
    )
}

fn routed(broker: &Broker) -> String {
    format!(
        "{}\n[[route]]\nid = \"everything\"\nfrom = [\"press/**\"]\nto = \"broker\"\n",
        line::destination("broker", &broker.url())
    )
}

/// The states of a condition as they came: `active`, `acked`, and who closed it.
fn transitions(received: &Received, name: &str) -> Vec<String> {
    let of_it = received
        .readings
        .iter()
        .filter(|reading| reading.point == format!("Press.{name}"));
    let words = |value: &Json| {
        let word = |field: &str, yes: &str, no: &str| match value[field].as_bool() {
            Some(true) => yes.to_owned(),
            Some(false) => no.to_owned(),
            None => "-".to_owned(),
        };
        match value["ClosedBy"].as_str() {
            Some(by) => format!("closed by {by}"),
            None => format!(
                "{} {}",
                word("ActiveState", "active", "over"),
                word("AckedState", "acked", "unacked")
            ),
        }
    };
    of_it.map(|reading| words(&reading.value)).collect()
}

#[track_caller]
fn arrive(received: &mut Received, subscriber: &Subscriber, name: &str, expected: &[&str]) {
    until(&format!("{expected:?} of {name}"), PATIENCE, || {
        received.update(subscriber);
        match transitions(received, name) {
            there if there == expected => Ok(()),
            there => Err(format!("there is {there:?}")),
        }
    });
}

fn open(gateway: &Gateway) -> Vec<AlarmView> {
    let query = AlarmQuery {
        device: Some("press/Server".into()),
        ..AlarmQuery::default()
    };
    let url = path_and_query::<GetAlarms>(&[], &query);
    let (status, text) = gateway.api.send(Method::Get, &url, "", &[]);
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn open_are(gateway: &Gateway, expected: &[(&str, &str)]) -> Vec<AlarmView> {
    until(&format!("{expected:?} to be open"), SOON, || {
        let alarms = open(gateway);
        let mut there: Vec<(String, String)> = alarms
            .iter()
            .map(|alarm| (alarm.name.clone(), alarm.state()))
            .collect();
        there.sort();
        let wanted: Vec<(String, String)> = expected
            .iter()
            .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
            .collect();
        match there == wanted {
            true => Ok(alarms),
            false => Err(format!("there are {there:?}")),
        }
    })
}

#[track_caller]
fn send(gateway: &Gateway, target: &str, draft: Json) -> CommandAnswer {
    let draft: CommandDraft = serde_json::from_value(draft).unwrap();
    gateway.api.call::<SendCommand>(&[target], &draft).unwrap()
}

#[test]
fn every_transition_arrives_once_across_a_cut_and_a_restart() {
    let (mut plant, broker) = (AlarmServer::start(), Broker::start());
    let subscriber = Subscriber::start(broker.port);
    let mut proxy = Proxy::start(plant.port);
    let gateway = Gateway::start(&config(proxy.port, &routed(&broker)));
    gateway
        .api
        .source_is("press", |status| status.words.contains("events of Server"));
    let mut received = Received::default();

    // A plain event, and an alarm.
    let _: Json =
        plant.command(&json!({ "do": "event", "message": "shift begins", "severity": 300 }));
    subscriber.message("a plain event", 0, |message| {
        let text = String::from_utf8_lossy(&message.payload);
        text.contains("shift begins").then_some(())
    });
    plant.tell(&alarm("Overheat", true));
    plant.tell(&alarm("Jam", true));
    arrive(&mut received, &subscriber, "Overheat", &["active unacked"]);
    let alarms = open_are(
        &gateway,
        &[
            ("Jam", "active, not acknowledged, confirmed"),
            ("Overheat", "active, not acknowledged, confirmed"),
        ],
    );
    let overheat = alarms
        .iter()
        .find(|alarm| alarm.name == "Overheat")
        .unwrap();
    assert_eq!(
        (overheat.target.as_str(), overheat.severity),
        (OVERHEAT, 700)
    );
    assert_eq!(overheat.since.to_string(), "2026-11-25T20:00:00.000Z");

    // Acknowledged on the command line, and once only.
    let state = gateway.state();
    let say = |words: &[&str]| {
        let place = state.to_str().unwrap();
        let all: Vec<&str> = words.iter().copied().chain(["--state", place]).collect();
        let (status, output) = gateway::fieldgate(&all, Path::new("/"));
        (status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = say(&[
        "ack",
        OVERHEAT,
        "-m",
        "on my way",
        "--event",
        &overheat.event,
    ]);
    assert_eq!(
        (code, said.trim()),
        (Some(0), "done: the alarm was acknowledged")
    );
    arrive(
        &mut received,
        &subscriber,
        "Overheat",
        &["active unacked", "active acked"],
    );
    let (code, said) = say(&["alarms", "press"]);
    assert!(
        code == Some(0) && said.contains("active, acknowledged, not confirmed"),
        "{said}"
    );
    let again = send(
        &gateway,
        OVERHEAT,
        json!({ "action": "acknowledge", "event": overheat.event }),
    );
    assert_eq!(again.outcome, Outcome::Refused);
    assert!(again.words.contains("changed meanwhile"), "{again:?}");
    let again = send(&gateway, OVERHEAT, json!({ "action": "acknowledge" }));
    assert!(again.words.contains("acknowledged it before"), "{again:?}");

    // Cut: one goes, one comes, one goes and comes again.
    proxy.close();
    plant.tell(&alarm("Jam", false));
    plant.tell(&alarm("Leak", true));
    plant.tell(&alarm("Overheat", false));
    plant.tell(&alarm("Overheat", true));
    proxy.open();
    arrive(&mut received, &subscriber, "Leak", &["active unacked"]);
    arrive(
        &mut received,
        &subscriber,
        "Jam",
        &["active unacked", "over unacked"],
    );
    arrive(
        &mut received,
        &subscriber,
        "Overheat",
        &[
            "active unacked",
            "active acked",
            "over acked",
            "active unacked",
        ],
    );

    // Restart: the server knows nothing of us. What is as it was is not told again, what is gone is closed.
    let mut jam = alarm("Jam", true);
    jam["message"] = json!("Jam again");
    plant.restart(&json!([alarm("Leak", true), jam, alarm("Fire", true)]));
    arrive(&mut received, &subscriber, "Fire", &["active unacked"]);
    arrive(
        &mut received,
        &subscriber,
        "Jam",
        &["active unacked", "over unacked", "active unacked"],
    );
    arrive(
        &mut received,
        &subscriber,
        "Overheat",
        &[
            "active unacked",
            "active acked",
            "over acked",
            "active unacked",
            "closed by gateway",
        ],
    );
    let state = "active, not acknowledged, confirmed";
    open_are(
        &gateway,
        &[("Fire", state), ("Jam", state), ("Leak", state)],
    );
    // A refresh that the server wants tells nothing twice.
    let _: Json = plant.command(&json!({ "do": "require" }));
    let _: Json = plant.command(&json!({ "do": "event", "message": "the end", "severity": 300 }));
    subscriber.message("the last event", 0, |message| {
        let text = String::from_utf8_lossy(&message.payload);
        text.contains("the end").then_some(())
    });
    gateway.api.all_acknowledged(PATIENCE);
    received.update(&subscriber);
    assert_eq!(transitions(&received, "Leak"), ["active unacked"]);
    assert_eq!(received.repeated, 0);
    let rows = gateway.api.get::<GetQueue>(&[]).ledger.rows;
    let critical = rows.iter().find(|row| row.lane == "critical").unwrap();
    let events = received
        .readings
        .iter()
        .filter(|reading| reading.value.get("EventId").is_some());
    assert_eq!(critical.sum.accepted, events.count() as u64);
    let (_, metrics) = gateway.api.send(Method::Get, "/metrics", "", &[]);
    let active = "fieldgate_source_alarms{source=\"press\",state=\"active\"} 3";
    assert!(metrics.contains(active), "{metrics}");
}

#[test]
fn alarms_are_acknowledged_confirmed_and_remarked_only_where_that_is_allowed() {
    let mut plant = AlarmServer::start();
    let mut gateway = Gateway::start(&config(plant.port, ""));
    gateway
        .api
        .source_is("press", |status| status.words.contains("events of Server"));
    let refused = |gateway: &Gateway, draft: Json, words: &str| {
        let answer = send(gateway, OVERHEAT, draft);
        assert_eq!(answer.outcome, Outcome::Refused, "{answer:?}");
        assert!(answer.words.contains(words), "{answer:?}");
    };
    refused(
        &gateway,
        json!({ "action": "acknowledge" }),
        "there is no open alarm at",
    );
    plant.tell(&alarm("Overheat", true));
    open_are(
        &gateway,
        &[("Overheat", "active, not acknowledged, confirmed")],
    );
    for (draft, words) in [
        (
            json!({ "action": "comment", "comment": "heard of it" }),
            "the remark was added",
        ),
        (
            json!({ "action": "acknowledge", "comment": "on my way" }),
            "the alarm was acknowledged",
        ),
        (
            json!({ "action": "confirm", "comment": "door closed" }),
            "the alarm was confirmed",
        ),
    ] {
        // The event of the state before is told before it is meant.
        until_true(words, SOON, || {
            let answer = send(&gateway, OVERHEAT, draft.clone());
            answer.words == words
        });
    }
    let expected = json!({ "active": true, "acked": true, "confirmed": true, "comment": "door closed", "user": "somebody" });
    assert_eq!(plant.states()["Overheat"], expected);
    let alarms = open_are(&gateway, &[("Overheat", "active, acknowledged, confirmed")]);
    assert_eq!(alarms[0].comment.as_deref(), Some("door closed"));

    let off = config(plant.port, "").replace("\"acknowledge\", \"confirm\", \"comment\"", "");
    gateway.reload(&off);
    let words = "add it to `allow` in `events` of the source `press`";
    until("nothing to be allowed any more", SOON, || {
        let answer = send(&gateway, OVERHEAT, json!({ "action": "acknowledge" }));
        match answer.words.contains(words) {
            true => Ok(()),
            false => Err(answer.words),
        }
    });
    let alarms = open_are(&gateway, &[("Overheat", "active, acknowledged, confirmed")]);
    assert_eq!(alarms[0].allow, []);
    gateway.stop();
}

#[test]
fn a_person_acknowledges_an_alarm_on_the_device_page() {
    let mut plant = AlarmServer::start();
    let gateway = Gateway::start(&config(plant.port, ""));
    gateway
        .api
        .source_is("press", |status| status.words.contains("events of Server"));
    plant.tell(&alarm("Overheat", true));
    open_are(
        &gateway,
        &[("Overheat", "active, not acknowledged, confirmed")],
    );
    let browser = Browser::start();
    browser.open(&format!("{}/devices/press%2FServer", gateway.url));
    let row = format!("[data-alarm='{OVERHEAT}']");
    browser.text_is(&row, |text| {
        text.contains("Active, not acknowledged") && text.contains("high (700)")
    });
    assert_accessible_everywhere(&browser);
    browser.click(&format!("{row} [data-test=acknowledge]"));
    browser.fill("#dialog-focus", "on my way");
    assert_accessible_everywhere(&browser);
    browser.click("[data-test=alarm-go]");
    browser.text_is("[data-test=alarm-answer]", |text| {
        text.contains("The alarm was acknowledged")
    });
    browser.click("[data-test=alarm-close]");
    browser.text_is(&row, |text| {
        text.contains("Active, acknowledged, not confirmed") && text.contains("on my way")
    });
    assert_eq!(browser.count(&format!("{row} [data-test=acknowledge]")), 0);
    assert_eq!(plant.states()["Overheat"]["acked"], json!(true));
    plant.tell(&alarm("Overheat", false));
    browser.text_is(&row, |text| {
        text.contains("Over, acknowledged, not confirmed")
    });
    browser.click(&format!("{row} [data-test=confirm]"));
    browser.click("[data-test=alarm-go]");
    browser.text_is("[data-test=no-alarm]", |text| {
        text.contains("No open alarm")
    });
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
