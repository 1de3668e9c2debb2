//! New nodes wait for a person: the source says so, the command line and the API decide, and no restart forgets it.

use std::path::Path;

use fieldgate_api::endpoint::GetDevice;
use fieldgate_tests::{
    broker::Broker,
    browser::Browser,
    gateway::{self, Gateway},
    opcua_server::{Changes, OpcUaServer, Options},
    review,
    wait::{SOON, until},
};

use crate::line;

const DEVICE: &str = "line/Line";

fn options() -> Options {
    Options {
        nodes: 3,
        ..Options::default()
    }
}

/// `fieldgate review …`: its exit code, and all that it printed.
fn say(gateway: &Gateway, words: &[&str]) -> (Option<i32>, String) {
    let state = gateway.state();
    let mut all = vec!["review", "line"];
    all.extend(words);
    all.extend(["--state", state.to_str().unwrap()]);
    let (status, output) = gateway::fieldgate(&all, Path::new("/"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(output.stdout) + &text(output.stderr))
}

#[track_caller]
fn done(gateway: &Gateway, words: &[&str]) -> String {
    let (code, text) = say(gateway, words);
    assert_eq!(code, Some(0), "{words:?}: {text}");
    text
}

/// Waits until exactly these points are read, each with a value.
#[track_caller]
fn read(gateway: &Gateway, points: &[&str]) {
    until("the points", SOON, || {
        // Until it is connected there is no device.
        let page = gateway.api.call::<GetDevice>(&[DEVICE], &());
        let page = page.map_err(|trouble| trouble.detail)?;
        let with_value = page.points.iter().filter(|point| point.live.is_some());
        let mut names: Vec<&str> = with_value
            .filter_map(|point| point.id.strip_prefix("line/Line/"))
            .collect();
        names.sort_unstable();
        match names == points && page.points.len() == points.len() {
            true => Ok(()),
            false => Err(format!("{names:?} of {}", page.points.len())),
        }
    });
}

#[track_caller]
fn waiting(gateway: &Gateway, count: u64) {
    until("the review", SOON, || {
        match review::view(&gateway.api, "line") {
            view if view.open && view.waiting_total == count => Ok(()),
            view => Err(format!("{view:?}")),
        }
    });
}

#[test]
fn new_nodes_wait_until_they_are_accepted_or_declined_and_no_restart_forgets_it() {
    let (mut server, broker) = (OpcUaServer::start(options()), Broker::start());
    let config = line::config(&server.endpoint(), &broker.url());
    let config = config.replace(
        "queue_size = 1000",
        "queue_size = 1000\nnew_nodes = \"review\"",
    );
    let mut gateway = Gateway::start(&config);
    read(&gateway, &["p0", "p1", "p2"]);
    assert!(done(&gateway, &[]).contains("nothing waits for a decision"));

    server.change(&Changes {
        add: vec![(3, 7003), (4, 7004), (5, 7005)],
        ..Changes::default()
    });
    assert!(done(&gateway, &["look"]).contains("is looked at now"));
    waiting(&gateway, 3);
    let told = |status: &fieldgate_api::state::Status| {
        status.words.contains("3 new nodes wait for review") && status.words.starts_with("3 of 3")
    };
    gateway.api.source_is("line", told);
    let list = done(&gateway, &[]);
    assert!(
        list.contains("line/Line/p3") && list.contains("String"),
        "{list}"
    );

    assert!(done(&gateway, &["accept", "line/Line/p3"]).contains("1 point accepted"));
    read(&gateway, &["p0", "p1", "p2", "p3"]);
    assert!(done(&gateway, &["decline", "line/Line/p4"]).contains("1 point declined"));
    waiting(&gateway, 1);
    let (code, words) = say(&gateway, &["decline", "line/Line/p0"]);
    assert_eq!(code, Some(1));
    assert!(words.contains("nothing was changed"), "{words}");
    assert_eq!(say(&gateway, &["accept"]).0, Some(2), "nobody is named");

    gateway.kill_and_restart();
    read(&gateway, &["p0", "p1", "p2", "p3"]);
    waiting(&gateway, 1);
    // Other numbers, the same paths.
    server.restart(Options {
        nodes: 6,
        first_id: 50_000,
        ..options()
    });
    read(&gateway, &["p0", "p1", "p2", "p3"]);
    waiting(&gateway, 1);
    let (code, words) = say(&gateway, &["accept", "--all", "0123456789abcdef"]);
    assert_eq!(code, Some(1));
    assert!(words.contains("look once more"), "{words}");
    let version = review::view(&gateway.api, "line").version;
    assert!(done(&gateway, &[]).contains(&format!("accept --all {version}")));
    assert!(done(&gateway, &["accept", "--all", &version]).contains("1 point accepted"));
    read(&gateway, &["p0", "p1", "p2", "p3", "p5"]);
    let view = review::view(&gateway.api, "line");
    assert_eq!((view.waiting_total, view.declined_total), (0, 1));
    assert_eq!(view.declined[0].point, "line/Line/p4");
}

#[test]
fn new_nodes_are_decided_on_the_sources_page() {
    let (mut server, broker) = (OpcUaServer::start(options()), Broker::start());
    let config = line::config(&server.endpoint(), &broker.url());
    let config = config.replace(
        "queue_size = 1000",
        "queue_size = 1000\nnew_nodes = \"review\"",
    );
    let gateway = Gateway::start(&config);
    read(&gateway, &["p0", "p1", "p2"]);
    server.change(&Changes {
        add: vec![(3, 7003), (4, 7004)],
        ..Changes::default()
    });
    let browser = Browser::start();
    browser.open(&format!("{}/sources/line", gateway.url));
    browser.wait_for("[data-test=review]");
    browser.click("[data-test=review] [data-test=look]");
    browser.text_is("[data-test=review]", |text| {
        text.contains("Waiting for you: 2 nodes")
    });
    for width in [320, 1440] {
        browser.resize(width);
        let violations = browser.accessibility_violations();
        assert!(violations.is_empty(), "{width}: {}", violations.join("\n"));
        assert!(browser.overflow() <= 0, "{width}: wider than the window");
    }
    browser.click("[data-test=waiting] li:first-child [data-test=accept]");
    read(&gateway, &["p0", "p1", "p2", "p3"]);
    browser.text_is("[data-test=review]", |text| {
        text.contains("Waiting for you: 1 node")
    });
    browser.click("[data-test=waiting] [data-test=decline]");
    browser.text_is("[data-test=review]", |text| {
        text.contains("Nothing waits for you") && text.contains("Declined: 1 node")
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
