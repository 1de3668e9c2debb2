//! A server's new certificate waits on the page Trust, in a real browser and on the command line, until a person accepts it.

use fieldgate_api::{
    endpoint::{GetOverview, GetTrust},
    state::Level,
    trust::ShelfName,
};
use fieldgate_tests::{
    browser::Browser,
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
};
use serde_json::json;

use crate::line;

fn secure(certificate: &'static str) -> Options {
    Options {
        nodes: 3,
        secure: true,
        certificate,
        ..Options::default()
    }
}

#[test]
fn a_changed_certificate_waits_on_the_page_until_a_person_accepts_it() {
    let mut server = OpcUaServer::start(secure("server"));
    let config =
        line::source("line", &server.endpoint()).replace("security = { policy = \"None\" }\n", "");
    let gateway = Gateway::start(&config);
    gateway
        .api
        .source_is("line", |status| status.level == Level::Good);
    assert_eq!(gateway.api.get::<GetOverview>(&[]).trust_waiting, 0);
    server.restart(secure("renewed"));
    let status = gateway
        .api
        .source_is("line", |status| status.state == "refused");
    assert!(status.words.contains("Trust page"), "{}", status.words);
    assert_eq!(gateway.api.get::<GetOverview>(&[]).trust_waiting, 1);

    let browser = Browser::start();
    browser.open(&gateway.url);
    browser.text_is("[data-test=trust-waiting]", |text| {
        text.contains("1 certificate")
    });
    for width in [320, 1440] {
        browser.resize(width);
        for theme in ["light", "dark"] {
            browser.open(&format!("{}/trust", gateway.url));
            browser.wait_for("[data-test=differences]");
            let script = "document.documentElement.setAttribute('data-theme', arguments[0])";
            let _ = browser.script(script, &json!([theme]));
            let violations = browser.accessibility_violations();
            assert!(
                violations.is_empty(),
                "{width} {theme}: {}",
                violations.join("\n")
            );
            if let Some(folder) = std::env::var_os("FIELDGATE_SCREENSHOTS") {
                let file = format!("trust-{width}-{theme}.png");
                browser.screenshot(&std::path::Path::new(&folder).join(file));
            }
            assert!(browser.overflow() <= 0, "{width} {theme}");
        }
    }
    let differences = browser.text("[data-test=differences]");
    assert!(differences.contains("renewed"), "{differences}");
    assert!(differences.contains("SHA-256"), "{differences}");
    assert_eq!(browser.count("[data-test=identity]"), 1);
    browser.click("[data-test=waiting] [data-test=accept]");
    browser.text_is("[data-test=toast]", |text| text.contains("is trusted"));
    // At once, and without a restart of anything.
    gateway
        .api
        .source_is("line", |status| status.level == Level::Good);
    let trust = gateway.api.get::<GetTrust>(&[]);
    let shelves: Vec<ShelfName> = trust.peers.iter().map(|peer| peer.shelf).collect();
    assert_eq!(shelves, [ShelfName::Trusted]);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
