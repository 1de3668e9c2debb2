//! The console's larger parts in a real browser: the tree by keyboard, the card of what was found, a job that is stopped.

use fieldgate_api::{
    endpoint::{GetReplays, GetRoute, GetSource, StartReplay},
    queue::ReplayDraft,
};
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    broker::Broker,
    browser::{Browser, Key},
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
    port,
    wait::{SOON, until, until_true},
};
use serde_json::json;

use crate::line;

const POINTS: usize = 12;
const THEMES: [&str; 2] = ["light", "dark"];
const TREE: &str = "[role=tree]";

#[test]
fn a_routes_points_are_picked_from_the_tree_by_keyboard() {
    let (server, broker) = (server(), Broker::start());
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    gateway
        .api
        .source_is("line", |status| status.state == "running");
    let browser = Browser::start();
    browser.open(&format!("{}/routes/new", gateway.url));
    browser.click("[data-test=picker] > summary");
    browser.wait_for(TREE);
    assert_fits(&browser);

    // The one row in the tab order is the first source; the line stands after the gateway itself.
    let _ = browser.script(
        "document.querySelector('[role=treeitem][tabindex=\"0\"]').focus()",
        &json!([]),
    );
    browser.press(Key::Text("l"));
    focus_is(&browser, "line");
    browser.press(Key::Right);
    browser.press(Key::Right);
    focus_is(&browser, "line/Line");
    assert_eq!(attribute(&browser, "line", "aria-expanded"), "true");
    browser.press(Key::Right);
    until_true("the device's points to be read", SOON, || {
        browser.count("[role=treeitem][aria-level=\"3\"]") == POINTS as u64
    });
    browser.press(Key::Right);
    browser.press(Key::Text(" "));
    assert_eq!(attribute(&browser, "line", "aria-checked"), "mixed");
    browser.press(Key::Left);
    focus_is(&browser, "line/Line");
    browser.press(Key::Text(" "));
    assert_eq!(attribute(&browser, "line/Line", "aria-checked"), "true");
    browser.press(Key::Home);
    browser.press(Key::Text("l"));
    browser.press(Key::Left);
    assert_eq!(attribute(&browser, "line", "aria-expanded"), "false");
    assert_fits(&browser);

    browser.fill("#item-id", "picked");
    browser.choose("#field-to", "broker");
    browser.text_is("[data-test=matches]", |text| {
        text.contains("matches 12 points")
    });
    browser.click("[data-test=save]");
    browser.text_is("[data-item=picked]", |text| text.contains("broker"));
    let route = gateway.api.get::<GetRoute>(&["picked"]);
    assert_eq!(route.item.draft.settings["from"], json!(["line/Line/**"]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_server_that_is_found_becomes_a_source() {
    let server = server();
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let browser = Browser::start();
    browser.open(&format!("{}/sources/new", gateway.url));
    browser.fill("#find-address", &format!("127.0.0.1:{}", port::free()));
    browser.click("[data-test=find]");
    browser.text_is(".discovery [role=alert]", |text| {
        text.contains("refuses the connection")
    });
    browser.fill("#find-address", &server.endpoint());
    browser.click("[data-test=find]");
    browser.text_is("[data-test=found]", |text| {
        text.contains("OPC UA") && text.contains("needs: nothing")
    });
    assert_fits(&browser);

    browser.click("[data-test=add-found][aria-label*=\"no security\"]");
    browser.fill("#item-id", "found");
    browser.click("[data-test=test]");
    browser.text_is("[data-test=rungs][data-ok=true]", |text| {
        text.contains("nodes match")
    });
    browser.click("[data-test=save]");
    browser.text_is("[data-item=found]", |text| text.contains("monitored items"));
    let source = gateway.api.get::<GetSource>(&["found"]);
    assert!(source.points >= POINTS as u64, "{source:?}");
}

#[test]
fn a_replay_tells_how_far_it_is_and_can_be_stopped() {
    let (server, broker) = (server(), Broker::start());
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
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
        rate: 1,
    };
    let started = gateway.api.call::<StartReplay>(&[], &draft).unwrap();
    let browser = Browser::start();
    browser.open(&format!("{}/queue", gateway.url));
    browser.text_is("[data-test=job]", |text| {
        text.contains("Replay to broker") && text.contains("done in about")
    });
    assert_fits(&browser);
    browser.click("[data-test=job] [data-test=stop]");
    let stopped = until("the replay to stop", SOON, || {
        let replay = gateway.api.get::<GetReplays>(&[]).remove(0);
        match replay.state.as_str() {
            "stopped" => Ok(replay),
            _ => Err(format!("{replay:?}")),
        }
    });
    assert_eq!(stopped.accepted, started.accepted);
    assert!(stopped.acked < started.accepted, "{stopped:?}");
    browser.text_is("[data-test=replays]", |text| text.contains("Stopped"));
    until_true("the bar to be gone", SOON, || {
        browser.count("[data-test=job]") == 0
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_check_of_the_queue_tells_what_it_read() {
    let (server, broker) = (server(), Broker::start());
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked >= 100
    });
    let browser = Browser::start();
    browser.open(&format!("{}/queue", gateway.url));
    browser.click("[data-test=check]");
    browser.text_is("[data-test=checked]", |text| {
        let lanes = ["Normal", "Critical", "Dead"];
        lanes.iter().all(|lane| text.contains(lane)) && text.contains("the ledger balances")
    });
    assert_fits(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Accessible in both themes on a phone and on a desk, and no wider than either.
#[track_caller]
fn assert_fits(browser: &Browser) {
    for theme in THEMES {
        let choose = "document.documentElement.dataset.theme = arguments[0]";
        let _ = browser.script(choose, &json!([theme]));
        for width in [320, 1440] {
            browser.resize(width);
            let violations = browser.accessibility_violations();
            assert!(
                violations.is_empty(),
                "{theme} {width}: {}",
                violations.join("\n")
            );
            assert!(browser.overflow() <= 0, "{theme} {width}");
        }
    }
}

#[track_caller]
fn focus_is(browser: &Browser, key: &str) {
    let script = "return document.activeElement.dataset.key";
    until(&format!("the focus on {key}"), SOON, || {
        match browser.script(script, &json!([])) {
            at if at == key => Ok(()),
            at => Err(format!("it is on {at}")),
        }
    });
}

#[track_caller]
fn attribute(browser: &Browser, key: &str, name: &str) -> String {
    let script = "const row = [...document.querySelectorAll('[role=treeitem]')].find(row => row.dataset.key === arguments[0]);
        return row && row.getAttribute(arguments[1])";
    let value = browser.script(script, &json!([key, name]));
    value.as_str().unwrap_or_default().to_owned()
}

fn server() -> OpcUaServer {
    OpcUaServer::start(Options {
        nodes: POINTS,
        ..Options::default()
    })
}
