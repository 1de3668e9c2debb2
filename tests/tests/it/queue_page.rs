//! The page Queue in a real browser: a refused reading is looked at, and sent again once the far side lets it.

use std::fs;

use fieldgate_api::endpoint::GetDestination;
use fieldgate_tests::{
    broker::{Broker, Listener},
    browser::Browser,
    gateway::{Gateway, folder},
    opcua_server::{OpcUaServer, Options},
    subscriber::Subscriber,
    wait::{SOON, until_true},
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
