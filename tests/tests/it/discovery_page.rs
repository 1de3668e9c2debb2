//! Finding a source in a real browser: a range, what its scan sends, a card, and the source that comes of it.

use fieldgate_api::endpoint::GetSource;
use fieldgate_tests::{
    browser::Browser,
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
};
use serde_json::json;

#[track_caller]
fn assert_accessible(browser: &Browser) {
    for width in [320, 1440] {
        browser.resize(width);
        let violations = browser.accessibility_violations();
        assert!(violations.is_empty(), "{width}: {}", violations.join("\n"));
        assert!(browser.overflow() <= 0, "{width}: wider than the window");
    }
}

#[track_caller]
fn scan(browser: &Browser, gateway: &Gateway, port: u16) {
    browser.open(&format!("{}/sources/new", gateway.url));
    browser.click("[data-test=search-network] summary");
    browser.fill("#scan-range", "127.0.0.0/29");
    browser.fill("#scan-ports", &port.to_string());
    browser.click("[data-test=scope]");
    browser.text_is("[data-test=scope-words]", |text| {
        text.contains("6 addresses from 127.0.0.1 to 127.0.0.6") && text.contains("6 in all")
    });
}

#[test]
fn a_scan_shows_its_scope_then_cards_and_a_card_becomes_a_source() {
    let server = OpcUaServer::start(Options {
        nodes: 5,
        ..Options::default()
    });
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let browser = Browser::start();
    scan(&browser, &gateway, server.port());
    assert_accessible(&browser);
    browser.click("[data-test=scan]");
    browser.text_is("[data-test=found]", |text| {
        text.contains("needs: nothing") && text.contains(&server.endpoint())
    });
    assert_accessible(&browser);
    browser.click("[data-test=add-found]");
    browser.fill("#item-id", "found");
    browser.click("[data-test=save]");
    browser.text_is("[data-item=found]", |text| text.contains("monitored items"));
    let source = gateway.api.get::<GetSource>(&["found"]);
    assert_eq!(
        source.item.draft.settings["endpoint"],
        json!(server.endpoint())
    );

    // The same scan again: its card says that there is a source already.
    scan(&browser, &gateway, server.port());
    browser.click("[data-test=scan]");
    browser.text_is("[data-test=found-source]", |text| text.contains("found"));

    // Public addresses are not scanned before somebody says whose they are.
    browser.fill("#scan-range", "8.8.8.8");
    browser.click("[data-test=scope]");
    browser.wait_for("#scan-public");
    browser.click("[data-test=scan]");
    browser.text_is(".discovery [role=alert]", |text| {
        text.contains("public addresses")
    });
    let complaints = browser.complaints();
    let unexpected: Vec<&String> = complaints
        .iter()
        .filter(|line| !line.contains("400"))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}
