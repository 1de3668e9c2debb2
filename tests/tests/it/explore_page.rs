//! The page Explore in a real browser: from an address to a source, through the tree by keyboard alone.

use std::fs;

use fieldgate_api::{
    config::Draft,
    endpoint::{GetSource, PutSource},
};
use fieldgate_tests::{
    broker::Broker,
    browser::{Browser, Key},
    gateway::{self, Gateway},
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

#[test]
fn a_selection_goes_through_a_file_and_what_it_changes_is_shown_first() {
    let server = OpcUaServer::start(Options {
        nodes: 5,
        ..Options::default()
    });
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let draft = Draft {
        kind: "opcua".into(),
        paused: false,
        settings: json!({ "endpoint": server.endpoint(), "security": { "policy": "None" }, "select": ["Objects/Line/p0", "Objects/Line/p1"] }),
    };
    gateway
        .api
        .call::<PutSource>(&["press"], &draft)
        .map(drop)
        .unwrap();
    let rules = || gateway.api.get::<GetSource>(&["press"]).item.draft.settings["select"].clone();
    let browser = Browser::start();
    let folder = gateway::folder();
    browser.downloads_to(folder.path());
    browser.open(&format!("{}/explore?source=press", gateway.url));

    for (format, begins) in [("csv", "path,node,"), ("json", "[")] {
        browser.click(&format!("[data-test=export-{format}]"));
        let file = folder.path().join(format!("press.{format}"));
        until_true("the download", SOON, || {
            fs::read_to_string(&file)
                .is_ok_and(|text| text.starts_with(begins) && text.contains("Objects/Line/p1"))
        });
    }

    // What is wrong is told by its line, and cannot be applied.
    let node = "nsu=urn:fieldgate:test:line;i=1003";
    let file = folder.path().join("rules.csv");
    let apply_is_off = "return document.querySelector('[data-test=import-apply]').disabled";
    for (text, told) in [
        (
            format!("path,node,sampling_ms\nObjects/Line/p0,,\n,{node},fast\n"),
            "Line 3`fast` is no number",
        ),
        (
            format!("path,node,point\n,{node},a\n,nonsense,b\n"),
            "Line 3",
        ),
    ] {
        fs::write(&file, text).unwrap();
        browser.upload("#import-file", &file);
        browser.text_is("[data-test=import-problems]", |text| {
            text.replace('\n', "").contains(told)
        });
        assert_eq!(browser.script(apply_is_off, &json!([])), json!(true));
    }
    assert_accessible(&browser);

    fs::write(
        &file,
        format!("path,node,point\nObjects/Line/p0,,\n,{node},third\n"),
    )
    .unwrap();
    browser.upload("#import-file", &file);
    browser.text_is("[data-test=import-summary]", |text| {
        text == "rules.csv: 1 added, 0 changed, 0 removed, 1 the same."
    });
    browser.click("#import-replace");
    browser.text_is("[data-test=import-summary]", |text| {
        text == "rules.csv: 1 added, 0 changed, 1 removed, 1 the same."
    });
    let diff = browser.text("[data-test=import-diff]");
    assert!(
        diff.contains("- \"Objects/Line/p1\"") && diff.contains("third"),
        "{diff}"
    );
    assert_eq!(rules(), draft.settings["select"], "nothing was applied yet");
    assert_accessible(&browser);

    browser.click("[data-test=import-apply]");
    until_true("the rules to be those of the file", SOON, || {
        rules() == json!(["Objects/Line/p0", { "node": node, "point": "third" }])
    });
    gateway
        .api
        .source_is("press", |status| status.words.starts_with("2 of 2"));
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
