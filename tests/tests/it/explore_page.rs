//! The page Explore in a real browser: from an address to a source, through the tree by keyboard alone.

use fieldgate_api::endpoint::GetSource;
use fieldgate_tests::{
    broker::Broker,
    browser::{Browser, Key},
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
    wait::{SOON, until_true},
};
use serde_json::json;

use crate::line;

fn options() -> Options {
    Options {
        nodes: 30,
        ..Options::default()
    }
}

#[track_caller]
fn press(browser: &Browser, keys: &[Key<'_>]) {
    for key in keys {
        browser.press(*key);
    }
}

/// The text of the tree's row that has the focus.
fn here(browser: &Browser) -> String {
    let script = "return document.activeElement.dataset.key || ''";
    browser
        .script(script, &json!([]))
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[track_caller]
fn assert_accessible(browser: &Browser) {
    for width in [320, 1440] {
        browser.resize(width);
        let violations = browser.accessibility_violations();
        assert!(violations.is_empty(), "{width}: {}", violations.join("\n"));
        assert!(browser.overflow() <= 0, "{width}: wider than the window");
    }
}

#[test]
fn from_an_address_to_a_source_by_the_tree() {
    let (server, broker) = (OpcUaServer::start(options()), Broker::start());
    let destination = line::destination("broker", &broker.url());
    let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{destination}"));
    let browser = Browser::start();
    browser.open(&format!("{}/explore", gateway.url));
    browser.fill("#explore-address", &server.endpoint());
    browser.click("[data-test=explore-find]");
    browser.wait_for("[data-test=ways]");
    browser.click("[data-test=look]");
    browser.text_is("[data-test=about]", |text| text.contains("as anonymous"));

    // The tree is walked by keyboard alone: into Line, to its second point, and back to the whole folder.
    let line_row = "[role=treeitem][data-key='Objects/Line']";
    browser.wait_for(line_row);
    let _ = browser.script(
        "document.querySelector('[role=treeitem][tabindex=\"0\"]').focus()",
        &json!([]),
    );
    while here(&browser) != "Objects/Line" {
        press(&browser, &[Key::Down]);
    }
    press(&browser, &[Key::Right]);
    browser.wait_for("[role=treeitem][data-key^='Objects/Line/']");
    press(&browser, &[Key::Down, Key::Down]);
    let point = here(&browser);
    assert!(point.starts_with("Objects/Line/"), "{point}");
    browser.text_is("[data-test=node-id]", |text| text.starts_with("nsu="));
    browser.text_is("[data-test=node-value]", |text| !text.is_empty());
    press(&browser, &[Key::Text(" ")]);
    browser.text_is("[data-test=rules]", |text| text.contains("nsu="));
    browser.text_is("[data-test=figures]", |text| text.contains("Points\n1"));
    let mixed = browser.script(
        "return document.querySelector(arguments[0]).getAttribute('aria-checked')",
        &json!([line_row]),
    );
    assert_eq!(mixed, "mixed");
    press(&browser, &[Key::Left, Key::Text(" ")]);
    browser.text_is("[data-test=rules]", |text| {
        text.starts_with("Objects/Line/**")
    });
    browser.text_is("[data-test=figures]", |text| text.contains("Points\n30"));
    assert_accessible(&browser);

    browser.fill("[data-test=explore-search]", "29");
    browser.press(Key::Text("\n"));
    browser.text_is("[data-test=search-told]", |text| text.contains("find"));
    browser.click("[data-test=watch]");
    browser.text_is("[data-test=watched]", |text| {
        text.contains("30 of 30 watched points changed")
    });
    assert_accessible(&browser);

    browser.fill("#explore-id", "press");
    browser.click("[data-test=adopt]");
    gateway
        .api
        .source_is("press", |status| status.state == "running");
    let source = gateway.api.get::<GetSource>(&["press"]);
    assert_eq!(
        source.item.draft.settings["select"],
        json!(["Objects/Line/**"])
    );
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    // The running source is asked in its own session, and what is read already is said.
    browser.open(&format!("{}/explore?source=press", gateway.url));
    browser.text_is("[data-test=about]", |text| {
        text.contains("session of the running source")
    });
    browser.text_is("[data-test=basket]", |text| {
        text.contains("All of this is read already.")
    });
    until_true("the tree to be ticked", SOON, || {
        browser.count(&format!("{line_row}[aria-checked=true]")) == 1
    });
    browser.click(line_row);
    browser.text_is("[data-test=basket]", |text| {
        text.contains("Nothing is selected yet.")
    });
}
