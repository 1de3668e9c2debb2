//! The console in a real browser: live values, accessibility on every page, and a whole configuration made by hand.

use std::env;

use fieldgate_api::endpoint::{GetDestinations, GetRevisions, GetRoutes, GetSources};
use fieldgate_tests::{
    broker::Broker,
    browser::Browser,
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
    peers, port,
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};

use crate::line;

const POINTS: usize = 12;
const WIDTHS: [u32; 3] = [320, 768, 1440];
const THEMES: [&str; 2] = ["light", "dark"];
const RULE: &str = r#"
[[rule]]
id = "hot"
when = ["line/**"]
if = { above = 80, hysteresis = 2 }
do = { target = "silent/a/b", call = { why = "{message}" } }
"#;
const POINT: &str = "[data-point=\"line/Line/p0\"] [data-test=value-text]";

#[test]
fn live_values_move_and_lead_to_their_device_and_topic() {
    let (server, broker) = (OpcUaServer::start(options()), Broker::start());
    let subscriber = Subscriber::start(broker.port);
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    let browser = Browser::start();
    browser.open(&gateway.url);
    browser.text_is("[data-test=verdict]", |text| !text.is_empty());
    assert_eq!(browser.text("[data-test=ledger-unaccounted]"), "0");
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked > 100
    });
    if env::var_os("BLESS").is_some() {
        browser.screenshot(&peers::root().join("packaging/docs/overview.png"));
    }

    browser.click("section[aria-label=Sources] a[href*='q=line']");
    browser.click("[data-device=\"line/Line\"]");
    let before = browser.text(POINT);
    let after = browser.text_is(POINT, |text| text != before);
    let number = |text: &str| text.replace(',', "").parse::<f64>().unwrap();
    assert!(number(&after).is_finite() && number(&before).is_finite());

    let topic = "fieldgate/test/Line/data";
    let facts = browser.text("dl.facts");
    assert!(facts.contains(topic), "{facts}");
    subscriber.message("a reading on that topic", 0, |message| {
        (message.topic == topic && message.json().get("p0").is_some()).then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn every_page_is_accessible_in_both_themes_at_every_width() {
    let mut server = OpcUaServer::start(options());
    let broker = Broker::start();
    // One of each is in trouble, so that those words and colours are there too.
    let config = line::config(&server.endpoint(), &broker.url())
        + &line::source("silent", &format!("opc.tcp://127.0.0.1:{}", port::free()))
        + &line::destination("away", &format!("mqtt://127.0.0.1:{}", port::free()))
        + "commands = {}\n"
        + RULE;
    let gateway = Gateway::start(&config);
    gateway
        .api
        .source_is("line", |status| status.state == "running");
    gateway
        .api
        .source_is("silent", |status| status.attempts > 0);
    server.delete(7);
    let browser = Browser::start();
    browser.open(&gateway.url);
    let pages = [
        "/",
        "/devices",
        "/devices/line%2FLine",
        "/sources",
        "/sources/new",
        "/sources/line",
        "/destinations",
        "/destinations/new",
        "/destinations/broker",
        "/routes",
        "/routes/new",
        "/routes/everything",
        "/rules",
        "/rules/new",
        "/rules/hot",
        "/explore",
        "/explore?source=line",
        "/queue",
        "/config",
        "/nothing-is-here",
    ];
    let mut found = Vec::new();
    for page in pages {
        for theme in THEMES {
            let choose = "localStorage.setItem('fieldgate-theme', arguments[0])";
            let _ = browser.script(choose, &serde_json::json!([theme]));
            browser.open(&format!("{}{page}", gateway.url));
            browser.wait_for("#page-title");
            until_true(&format!("{page} to load"), SOON, || {
                browser.count(".waiting, #boot") == 0
            });
            for width in WIDTHS {
                browser.resize(width);
                let place = format!("{page} {theme} {width}");
                let violations = browser.accessibility_violations();
                found.extend(
                    violations
                        .into_iter()
                        .map(|words| format!("{place}: {words}")),
                );
                let overflow = browser.overflow();
                if overflow > 0 {
                    found.push(format!("{place}: {overflow} pixels wider than the window"));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );
    // Where commands are taken can be copied.
    browser.open(&format!("{}/destinations", gateway.url));
    let topic = browser.text("[data-item=away] [data-test=command-topic]");
    assert_eq!(topic, "fieldgate/test/cmd");
    assert_eq!(browser.count("[aria-label='Copy the command topic']"), 1);
    // The checker does check: what has no name is found.
    let nameless = "document.querySelector('main').append(document.createElement('button'))";
    let _ = browser.script(nameless, &serde_json::json!([]));
    assert!(!browser.accessibility_violations().is_empty());
    // The page that is not there may well say so.
    let complaints = browser.complaints();
    assert!(
        complaints.iter().all(|line| line.contains("404")),
        "{complaints:?}"
    );
}

#[test]
fn from_nothing_to_delivered_readings_and_back() {
    let (server, broker) = (OpcUaServer::start(options()), Broker::start());
    let subscriber = Subscriber::start(broker.port);
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let browser = Browser::start();
    browser.open(&gateway.url);
    browser.text_is("main", |text| text.contains("No source yet"));

    make_destination(&browser, &broker);
    make_source(&browser, &server);
    make_route(&browser);
    subscriber.message("a reading of the new route", 0, |message| {
        (message.topic == "fieldgate/test/Line/data").then_some(())
    });

    let revisions = gateway.api.get::<GetRevisions>(&[]);
    assert_eq!(revisions.len(), 3, "{revisions:?}");
    browser.click("nav a[href='/config']");
    browser.click("a[href='/config?revision=2']");
    browser.text_is("[data-test=diff]", |text| text.contains("line"));
    browser.click("[data-test=revert]");
    browser.text_is("[data-test=toast]", |text| {
        text.contains("as in revision 2")
    });
    until("the route to be gone", SOON, || {
        match gateway.api.get::<GetRoutes>(&[]).len() {
            0 => Ok(()),
            count => Err(format!("there are {count}")),
        }
    });
    assert_eq!(gateway.api.get::<GetSources>(&[]).len(), 1);
    assert_eq!(gateway.api.get::<GetDestinations>(&[]).len(), 1);
    assert_eq!(gateway.api.ledger().unaccounted, 0);
}

fn make_destination(browser: &Browser, broker: &Broker) {
    browser.click("nav a[href='/destinations']");
    browser.click("[data-test=add]");
    browser.fill("#item-id", "plant");
    browser.fill("#field-url", &format!("mqtt://127.0.0.1:{}", port::free()));
    browser.click("[data-test=test]");
    browser.text_is("[data-test=rungs][data-ok=false]", |text| {
        text.contains("nobody listens at")
    });
    browser.fill("#field-url", "somewhere");
    browser.click("[data-test=save]");
    browser.text_is("[data-test=problems]", |text| text.contains("is no URL"));
    assert_accessible(browser);
    browser.fill("#field-url", &broker.url());
    browser.click("[data-test=test]");
    browser.wait_for("[data-test=rungs][data-ok=true]");
    browser.click("[data-test=save]");
    browser.text_is("[data-item=plant]", |text| text.contains("MQTT"));
}

fn make_source(browser: &Browser, server: &OpcUaServer) {
    browser.click("nav a[href='/sources']");
    browser.click("[data-test=add]");
    browser.fill("#item-id", "line");
    browser.click("#set-security");
    browser.choose("#field-security-policy", "None");
    if browser.count("#field-select-0") == 0 {
        browser.click("#add-select");
    }
    browser.fill("#field-select-0", "Objects/Line/**");
    browser.fill(
        "#field-endpoint",
        &format!("opc.tcp://127.0.0.1:{}", port::free()),
    );
    browser.click("[data-test=test]");
    browser.text_is("[data-test=rungs][data-ok=false]", |text| {
        text.contains("refuses the connection")
    });
    assert_accessible(browser);
    browser.fill("#field-endpoint", &server.endpoint());
    browser.click("[data-test=test]");
    browser.text_is("[data-test=rungs][data-ok=true]", |text| {
        text.contains("12")
    });
    browser.click("[data-test=save]");
    browser.text_is("[data-item=line]", |text| text.contains("12 of 12"));
}

fn make_route(browser: &Browser) {
    browser.click("nav a[href='/routes']");
    browser.click("[data-test=add]");
    browser.fill("#item-id", "everything");
    if browser.count("#field-from-0") == 0 {
        browser.click("#add-from");
    }
    browser.fill("#field-from-0", "line/**");
    browser.choose("#field-to", "plant");
    browser.text_is("[data-test=matches]", |text| {
        text.contains("matches 12 points")
    });
    browser.click("[data-test=test]");
    browser.text_is("[data-test=route-test]", |text| {
        text.contains("fieldgate/test/Line/data")
    });
    assert_accessible(browser);
    browser.click("[data-test=save]");
    browser.text_is("[data-item=everything]", |text| text.contains("plant"));
}

/// In both themes, at every width; what is open on the page stays open.
#[track_caller]
pub fn assert_accessible_everywhere(browser: &Browser) {
    for theme in THEMES {
        let choose = "document.documentElement.dataset.theme = arguments[0]";
        let _ = browser.script(choose, &serde_json::json!([theme]));
        for width in WIDTHS {
            browser.resize(width);
            let violations = browser.accessibility_violations();
            assert!(
                violations.is_empty(),
                "{theme} {width}: {}",
                violations.join("\n")
            );
            let overflow = browser.overflow();
            assert!(overflow <= 0, "{theme} {width}: {overflow} pixels too wide");
        }
    }
    browser.resize(1440);
}

#[track_caller]
fn assert_accessible(browser: &Browser) {
    let violations = browser.accessibility_violations();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

fn options() -> Options {
    Options {
        nodes: POINTS,
        ..Options::default()
    }
}
