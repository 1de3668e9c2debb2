//! Commands on the device page in a real browser: reading now, writing, calling, and what is refused before it is sent.

use fieldgate_api::{
    command::CommandDraft,
    endpoint::{GetOffers, SendCommand},
};
use fieldgate_tests::{
    browser::{Browser, Key},
    gateway::Gateway,
    wait::{SOON, until_true},
};
use serde_json::json;

use crate::{browser::assert_accessible_everywhere, commands};

const SET_POINT: &str = "[data-target='press/Press/SetPoint']";
const START: &str = "[data-target='press/Press/Start']";

fn answer_is(browser: &Browser, words: &str) {
    browser.text_is("[data-test=command-answer]", |text| text.contains(words));
    browser.click("[data-test=command-close]");
}

#[test]
fn a_person_reads_writes_and_calls_on_the_device_page() {
    let press = commands::press();
    let gateway = Gateway::start(&commands::config(press.port));
    commands::ready(&gateway);
    let browser = Browser::start();
    browser.open(&format!("{}/devices/press%2FPress", gateway.url));
    browser.text_is(SET_POINT, |text| text.contains("79"));
    // What is not allowed is not shown.
    assert_eq!(browser.count("[data-target$='/Mode'] [data-test=write]"), 0);
    assert_eq!(
        browser.count("[data-target$='/Mode'] [data-test=read-now]"),
        1
    );
    browser.text_is("[data-test=commands-hint]", |text| text.contains("press"));

    browser.click(&format!("{SET_POINT} [data-test=read-now]"));
    browser.text_is("[data-test=command-said]", |text| {
        text.contains("SetPoint: 79.0 was read")
    });

    // A wrong type is refused in words, and nothing is sent.
    browser.click(&format!("{SET_POINT} [data-test=write]"));
    browser.fill("#dialog-focus", "warm");
    assert_accessible_everywhere(&browser);
    browser.click("[data-test=command-next]");
    browser.text_is("[data-test=command-wrong]", |text| {
        text.contains("`warm` is no Double; write a number")
    });
    // The rest by keyboard alone: Enter in the field, Tab to the button, Enter.
    browser.fill("#dialog-focus", "80.5");
    browser.press(Key::Text("\n"));
    browser.text_is("[data-test=command-change]", |text| {
        text.contains("79") && text.contains("80.5")
    });
    assert_accessible_everywhere(&browser);
    browser.press(Key::Text("\u{e004}"));
    browser.press(Key::Text("\n"));
    answer_is(&browser, "80.5 was written");
    let read = CommandDraft {
        action: "read".into(),
        ..CommandDraft::default()
    };
    let read = gateway
        .api
        .call::<SendCommand>(&["press/Press/SetPoint"], &read);
    assert_eq!(
        read.unwrap().value,
        Some(json!(80.5)),
        "read back at the server"
    );
    browser.text_is("[data-test=record]", |text| {
        text.contains("write SetPoint 80.5") && text.contains("console")
    });

    // What the gateway refuses is told in its words, and is in the record.
    browser.click(&format!("{SET_POINT} [data-test=write]"));
    browser.fill("#dialog-focus", "101");
    browser.click("[data-test=command-next]");
    browser.click("[data-test=command-go]");
    answer_is(&browser, "the rule allows from 0 to 100");
    assert!(!browser.text("[data-test=record]").contains("warm"));

    browser.click(&format!("{START} [data-test=call]"));
    browser.fill("#dialog-focus", "1.5");
    browser.fill("#argument-1", "70000");
    browser.click("[data-test=command-next]");
    browser.text_is("dialog", |text| text.contains("out of the range of UInt16"));
    browser.fill("#argument-1", "2");
    browser.click("[data-test=command-next]");
    browser.click("[data-test=command-go]");
    answer_is(&browser, "total = 3.5");
    assert_accessible_everywhere(&browser);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn where_nothing_is_allowed_only_the_place_to_allow_it_is_shown() {
    let press = commands::press();
    let config = commands::config(press.port);
    let without = config.split("commands = [").next().unwrap_or_default();
    let gateway = Gateway::start(without);
    gateway
        .api
        .source_is("press", |status| status.state == "running");
    until_true("the source to offer nothing", SOON, || {
        gateway.api.get::<GetOffers>(&["press/Press"]).is_empty()
    });
    let browser = Browser::start();
    browser.open(&format!("{}/devices/press%2FPress", gateway.url));
    browser.text_is("[data-test=commands-hint]", |text| {
        text.contains("Nothing may be read on demand, written or called here")
    });
    assert_eq!(browser.count("[data-test=offers]"), 0);
    assert_eq!(browser.count("[data-test=alarms]"), 0, "it has no events");
    browser.click("[data-test=commands-hint] a");
    browser.wait_for("#field-endpoint");
}
