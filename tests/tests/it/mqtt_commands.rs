//! Commands through a broker: asked with MQTT 5 and 3.1.1, answered where it is wanted, carried out once whatever breaks.

use fieldgate_api::{
    command::CommandView,
    config::{Draft, TestReport},
    endpoint::{GetCommands, GetDestination, Method, SendCommand, TestDestination, path_and_query},
};
use fieldgate_model::Outcome;
use fieldgate_tests::{
    asker::{Asker, Wish},
    broker::Broker,
    gateway::Gateway,
    line,
    scripted_broker::{Script, ScriptedBroker},
    wait::{SOON, until, until_true},
};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::commands::{self, Press, SET_POINT, START, press};

const TOPIC: &str = "fieldgate/test/cmd";
const ANSWERS: &str = "fieldgate/test/cmd/answer";
const SLOW: &str = "press/Press/Slow";

fn config(press: &Press, broker: &Broker) -> String {
    format!(
        "{}{}commands = {{}}\n",
        commands::config(press.port),
        line::destination("broker", &broker.url())
    )
}

/// Waits until the source and the broker are both there.
#[track_caller]
fn ready(gateway: &Gateway) {
    commands::ready(gateway);
    takes_commands(gateway, "broker", TOPIC);
}

#[track_caller]
fn takes_commands(gateway: &Gateway, destination: &str, topic: &str) {
    let words = format!("takes commands at {topic}");
    until(&words.clone(), SOON, || {
        let view = gateway.api.get::<GetDestination>(&[destination]);
        match view.status.state == "running" && view.status.words.ends_with(&words) {
            true => Ok(()),
            false => Err(format!("{:?}", view.status)),
        }
    });
}

fn write(id: &str, value: impl Into<Json>) -> Json {
    json!({ "id": id, "point": SET_POINT, "action": "write", "value": value.into() })
}

fn read(gateway: &Gateway, target: &str) -> Json {
    let draft = serde_json::from_value(json!({ "action": "read" })).unwrap();
    let answer = gateway.api.call::<SendCommand>(&[target], &draft).unwrap();
    answer.value.unwrap_or(Json::String(answer.words))
}

fn record(gateway: &Gateway) -> Vec<CommandView> {
    let url = path_and_query::<GetCommands>(&[], &Default::default());
    let (_, text) = gateway.api.send(Method::Get, &url, "", &[]);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn commands_come_by_both_versions_and_are_answered_once() {
    let (press, broker) = (press(), Broker::start());
    let second = format!(
        "{}version = \"3.1.1\"\nstatus_topic = \"old/status\"\ncommands = {{ topic = \"old/{{gateway}}/cmd\", answers = \"old/answers\" }}\n",
        line::destination("old", &broker.url())
    );
    // Published before the gateway is there: a 3.1.1 subscriber gets it all the same.
    let before = Asker::v311("before", broker.port, "old/answers");
    let kept = Wish {
        retain: true,
        ..Wish::default()
    };
    before.ask("old/test/cmd", &write("kept", 1), kept);
    let gateway = Gateway::start(&format!("{}{second}", config(&press, &broker)));
    ready(&gateway);
    takes_commands(&gateway, "old", "old/test/cmd");
    let refused = before.answer(0, "kept");
    assert_eq!(refused.json["outcome"], "refused");
    let words = refused.json["words"].as_str().unwrap();
    assert!(
        words.contains("a retained message is no command"),
        "{words}"
    );

    // MQTT 5: to the response topic, with its correlation.
    let hmi = Asker::v5("hmi", broker.port, "hmi/answers");
    let wish = Wish {
        response_topic: Some("hmi/answers"),
        correlation: Some(&[0, 255, 7]),
        from: Some("hmi-3"),
        ..Wish::default()
    };
    hmi.ask(TOPIC, &write("1", 80.5), wish);
    let done = hmi.answer(0, "1");
    assert_eq!(
        done.json,
        json!({ "id": "1", "outcome": "done", "words": "80.5 was written", "status": "Good", "value": 80.5, "old": 79.0 })
    );
    assert_eq!(done.correlation.as_deref(), Some(&[0, 255, 7][..]));
    assert_eq!(read(&gateway, SET_POINT), json!(80.5));

    // MQTT 3.1.1, to a destination of MQTT 5 and to one of 3.1.1.
    let old = Asker::v311("old-hmi", broker.port, ANSWERS);
    old.ask(TOPIC, &write("2", 42), Wish::default());
    assert_eq!(old.answer(0, "2").json["words"], "42.0 was written");
    before.ask("old/test/cmd", &write("3", 43), Wish::default());
    assert_eq!(before.answer(0, "3").json["words"], "43.0 was written");

    // What is not allowed, not understood, too much, or retained.
    let large = write("large", "x".repeat(70_000));
    for (body, id, words) in [
        (
            json!({ "id": "4", "point": "press/Press/Mode", "action": "write", "value": "manual" }),
            "4",
            "write is not allowed at press/Press/Mode",
        ),
        (write("5", 101), "5", "the rule allows from 0 to 100"),
        (write("6", "80"), "6", "the value is no number"),
        (
            json!({ "id": "7", "point": SET_POINT, "action": "erase" }),
            "7",
            "`erase` is no action",
        ),
        (write("8", 44), "8", ""),
    ] {
        hmi.ask(TOPIC, &body, wish);
        let answer = hmi.answer(0, id);
        let told = answer.json["words"].as_str().unwrap();
        let outcome = if words.is_empty() { "done" } else { "refused" };
        assert_eq!(answer.json["outcome"], outcome, "{told}");
        assert!(told.contains(words), "{told}");
    }
    for (body, retain, words) in [
        (b"nonsense".to_vec(), false, "the message is no JSON"),
        (large.to_string().into_bytes(), false, "no more than 65536"),
        (
            json!({ "point": START, "action": "call" })
                .to_string()
                .into(),
            false,
            "a call without an `id`",
        ),
        (
            write("9", 1).to_string().into(),
            true,
            "a retained message is no command",
        ),
    ] {
        hmi.send(TOPIC, body, Wish { retain, ..wish });
        hmi.answer_that(0, words, |answer| {
            let told = answer.json["words"].as_str().unwrap_or_default();
            answer.json["outcome"] == "refused" && told.contains(words)
        });
    }
    assert_eq!(read(&gateway, SET_POINT), json!(44.0));

    // The same once more: the same answer, and nothing is done.
    let call = json!({ "id": "once", "point": START, "action": "call", "arguments": [1, 1] });
    for from in [0, hmi.answers().len() + 1] {
        hmi.ask(TOPIC, &call, wish);
        let answer = hmi.answer(from, "once");
        assert_eq!(answer.json["value"], json!({ "total": 2.0 }));
    }
    assert_eq!(read(&gateway, "press/Press/Starts"), json!(1));

    let record = record(&gateway);
    let first = record.iter().find(|command| command.id == "1").unwrap();
    assert_eq!(
        first.who,
        "destination broker, topic fieldgate/test/cmd, as hmi-3"
    );
    let view = gateway.api.get::<GetDestination>(&["broker"]);
    let counts = view.commands.unwrap();
    assert_eq!(counts.address, TOPIC);
    assert_eq!((counts.repeated, counts.answers_lost), (1, 0));
    assert_eq!(counts.ended["done"], 4);
    for (reason, count) in [
        ("malformed", 2),
        ("too_large", 1),
        ("retained", 1),
        ("no_id", 1),
        ("not_allowed", 1),
        ("by_source", 2),
    ] {
        assert_eq!(counts.refused.get(reason), Some(&count), "{counts:?}");
    }
    let ended: u64 = counts.ended.values().sum();
    assert_eq!(counts.received, ended + counts.repeated);
    let (_, metrics) = gateway.api.send(Method::Get, "/metrics", "", &[]);
    assert!(
        metrics.contains(
            "fieldgate_commands_refused_total{way=\"destination\",destination=\"broker\",reason=\"retained\"} 1"
        ),
        "{metrics}"
    );
    let warnings = gateway.warnings();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_broker_that_restarts_under_way_changes_nothing_but_the_time() {
    let (mut press, mut broker) = (press(), Broker::start());
    let gateway = Gateway::start(&config(&press, &broker));
    ready(&gateway);
    let hmi = Asker::v5("hmi", broker.port, "hmi/answers");
    let wish = Wish {
        response_topic: Some("hmi/answers"),
        correlation: Some(b"slow"),
        ..Wish::default()
    };
    let call = json!({ "id": "slow", "point": SLOW, "action": "call" });
    hmi.ask(TOPIC, &call, wish);
    press.process.line("the slow call", 0, |line| {
        line.contains("slow").then_some(())
    });
    broker.kill();
    hmi.is_deaf();
    until_true("the gateway to notice", SOON, || {
        gateway.api.get::<GetDestination>(&["broker"]).status.state != "running"
    });
    broker.restart();
    hmi.listens();
    takes_commands(&gateway, "broker", TOPIC);
    press.process.say("go on");
    let answer = hmi.answer(0, "slow");
    assert_eq!(answer.json["outcome"], "done", "{answer:?}");
    assert_eq!(answer.correlation.as_deref(), Some(&b"slow"[..]));
    assert_eq!(read(&gateway, "press/Press/Starts"), json!(1));
    assert_eq!(hmi.answers().len(), 1);
}

#[test]
fn a_gateway_that_dies_under_way_does_not_repeat_and_answers_when_it_is_back() {
    let (press, broker) = (press(), Broker::start());
    let mut gateway = Gateway::start(&config(&press, &broker));
    ready(&gateway);
    let old = Asker::v311("hmi", broker.port, ANSWERS);
    // It is written down, and its server does not hear of it.
    press.process.signal(Signal::STOP);
    let call = json!({ "id": "night", "point": START, "action": "call", "arguments": [1, 1] });
    old.ask(TOPIC, &call, Wish::default());
    until_true("the command to be written down", SOON, || {
        record(&gateway).iter().any(|command| command.id == "night")
    });
    gateway.kill();
    press.process.signal(Signal::CONT);
    gateway.restart();
    let answer = old.answer(0, "night");
    assert_eq!(answer.json["outcome"], "failed");
    let words = answer.json["words"].as_str().unwrap();
    assert!(words.contains("it is not carried out again"), "{words}");

    ready(&gateway);
    old.ask(TOPIC, &call, Wish::default());
    assert_eq!(old.answer(1, "night").json, answer.json);
    let starts = read(&gateway, "press/Press/Starts");
    assert!(starts == json!(0) || starts == json!(1), "{starts}");
    // What was delivered is not delivered again.
    gateway.kill_and_restart();
    ready(&gateway);
    old.ask(TOPIC, &write("day", 50), Wish::default());
    assert_eq!(old.answer(2, "day").json["outcome"], "done");
    assert_eq!(old.answers().len(), 3);
}

#[test]
fn a_broker_that_refuses_the_subscription_still_gets_the_readings() {
    let broker = ScriptedBroker::start(Script::default());
    for (version, said) in [("5", "not authorized (0x87)"), ("3.1.1", "refuses")] {
        let destination = format!(
            "{}version = \"{version}\"\ncommands = {{}}\n",
            line::destination("broker", &broker.url())
        );
        let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{destination}"));
        until_true("the destination to run without commands", SOON, || {
            let status = gateway.api.get::<GetDestination>(&["broker"]).status;
            status.state == "running"
                && status.words.contains("takes no commands")
                && status.words.contains(said)
        });
        let draft = Draft {
            kind: "mqtt".into(),
            paused: false,
            settings: json!({ "url": broker.url(), "version": version, "commands": {} }),
        };
        let report: TestReport = gateway
            .api
            .call::<TestDestination>(&["new"], &draft)
            .unwrap();
        let last = report.rungs.last().unwrap();
        assert_eq!(last.name, "Commands");
        assert!(!report.ok && last.words.contains(said), "{last:?}");
    }
}

#[test]
fn a_flood_of_commands_is_paced_and_every_one_is_accounted_for() {
    const MANY: usize = 300;
    let (press, broker) = (press(), Broker::start());
    let gateway = Gateway::start(&config(&press, &broker));
    ready(&gateway);
    let hmi = Asker::v5("hmi", broker.port, ANSWERS);
    for number in 0..MANY {
        hmi.ask(
            TOPIC,
            &write(&number.to_string(), number % 100),
            Wish::default(),
        );
    }
    let counts = until("every command to be accounted for", SOON, || {
        let view = gateway.api.get::<GetDestination>(&["broker"]);
        let counts = view.commands.unwrap_or_default();
        let ended: u64 = counts.ended.values().sum();
        match ended == MANY as u64 {
            true => Ok(counts),
            false => Err(format!("{counts:?}")),
        }
    });
    assert!(counts.refused["too_many"] > 200, "{counts:?}");
    assert!(counts.ended["done"] >= 10, "{counts:?}");
    // The link is as well as before, and so is the source.
    until_true("the pace to have room again", SOON, || {
        let from = hmi.answers().len();
        let id = format!("after-{from}");
        hmi.ask(TOPIC, &write(&id, 1), Wish::default());
        let answer = hmi.answer(from, &id);
        answer.json["outcome"] == json!(Outcome::Done)
    });
}
