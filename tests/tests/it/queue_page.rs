//! What is sent again: a refused reading by the page Queue in a real browser, and a range of delivered ones.

use std::{collections::BTreeSet, fs};

use fieldgate_api::{
    endpoint::{GetDestination, GetReplays, StartReplay},
    queue::ReplayDraft,
};
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    broker::{Broker, Listener},
    browser::Browser,
    gateway::{Gateway, folder},
    opcua_server::{OpcUaServer, Options},
    subscriber::{Message, Subscriber},
    wait::{SOON, until, until_true},
};

use crate::line;

const LINE: &str = "fieldgate/test/Line/data";

#[test]
fn a_reading_that_was_refused_is_sent_again_under_its_own_id() {
    let folder = folder();
    let list = folder.path().join("acl");
    let denied = format!("topic readwrite #\ntopic deny {LINE}\n");
    fs::write(&list, denied).unwrap();
    let listener = Listener::anonymous().line(&format!("acl_file {}", list.display()));
    let broker = Broker::with(&[listener]);
    let subscriber = Subscriber::start(broker.port);
    let server = OpcUaServer::start(Options {
        nodes: 1,
        ..Options::default()
    });
    let config = line::config(
        &server.endpoint(),
        &format!("mqtt://127.0.0.1:{}", broker.ports[0]),
    );
    let gateway = Gateway::start(&format!("{config}format = \"json\"\ntopic = \"{LINE}\"\n"));
    until_true("dead letters", SOON, || {
        gateway.api.get::<GetDestination>(&["broker"]).dead_letters > 0
    });
    let browser = Browser::start();
    browser.open(&format!("{}/queue", gateway.url));
    browser.text_is("[data-test=dead-groups]", |text| text.contains("0x87"));
    browser.click("[data-test=dead-letters] li:last-child [data-test=inspect]");
    let id = browser.text("[data-test=letter] code");
    let violations = browser.accessibility_violations();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    let arrived = |what: &str| {
        subscriber.message(what, 0, |message| {
            (message.topic == LINE && message.json()["id"] == id.as_str()).then_some(())
        });
    };

    fs::write(&list, "topic readwrite #\n").unwrap();
    broker.reload();
    subscriber.message("what is new to be let through", 0, |message| {
        (message.topic == LINE).then_some(())
    });
    browser.click("[data-test=retry-all]");
    browser.text_is("[data-test=toast]", |text| {
        text.contains("back into the queue")
    });
    arrived("the letter that was inspected, under its own id");
    until_true("an empty shelf", SOON, || {
        browser.count("[data-test=dead-groups]") == 0
    });
    assert_eq!(gateway.api.ledger().unaccounted, 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_replay_of_a_range_arrives_under_the_same_ids() {
    let (server, broker) = (OpcUaServer::start(Options::default()), Broker::start());
    let subscriber = Subscriber::start(broker.port);
    let config = line::config(&server.endpoint(), &broker.url());
    let gateway = Gateway::start(&format!("{config}format = \"json\"\ntopic = \"{LINE}\"\n"));
    let id_of = |message: &Message| {
        let json = (message.topic == LINE).then(|| message.json())?;
        json["id"].as_str().map(str::to_owned)
    };
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked >= 100
    });
    let time = |text: &str| Timestamp::parse(text).unwrap();
    let draft = ReplayDraft {
        destination: "broker".into(),
        of: None,
        lane: None,
        from: time("2020-01-01T00:00:00Z"),
        to: time("2200-01-01T00:00:00Z"),
        rate: 1000,
    };
    let (from, before) = (subscriber.count(), gateway.api.ledger());
    let started = gateway.api.call::<StartReplay>(&[], &draft).unwrap();
    assert!(started.accepted >= 100, "{started:?}");
    let finished = until("the replay to finish", line::PATIENCE, || {
        let replay = gateway.api.get::<GetReplays>(&[]).remove(0);
        match replay.state.as_str() {
            "finished" => Ok(replay),
            _ => Err(format!("{replay:?}")),
        }
    });
    assert_eq!(
        (finished.acked, finished.unaccounted),
        (started.accepted, 0)
    );
    let earlier: BTreeSet<String> = subscriber.messages_from(0)[..from]
        .iter()
        .filter_map(id_of)
        .collect();
    until("every reading of the range once more", SOON, || {
        let later: BTreeSet<String> = subscriber
            .messages_from(from)
            .iter()
            .filter_map(id_of)
            .collect();
        match earlier.difference(&later).count() {
            0 => Ok(()),
            more => Err(format!("{more} of {} are missing", earlier.len())),
        }
    });
    let after = gateway.api.ledger();
    assert_eq!(
        (after.unaccounted, after.dead_lettered),
        (0, before.dead_lettered)
    );
}
