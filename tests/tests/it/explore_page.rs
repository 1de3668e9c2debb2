//! The page Explore in a real browser: from an address to a source, through the tree by keyboard alone; a selection as a file; a value
//! written and a method called.

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

use crate::{commands, line};

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
    // What each mode would come to is told before it is chosen.
    let would = |mode: &str, words: &str| {
        let place = format!("#import-help-{mode}");
        browser.text_is(&place, |text| text.contains(words));
    };
    would("merge", "1 added.");
    would("skip", "1 added.");
    would("create", "1 added.");
    would("overwrite", "1 added, 1 removed.");
    would("delete", "1 removed.");
    browser.click("#import-delete");
    browser.text_is("[data-test=import-summary]", |text| {
        text == "rules.csv: 0 added, 0 changed, 1 removed, 0 the same, 1 without effect."
    });
    browser.click("#import-overwrite");
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

    // What is there already and differs stands beside what the file says; who only creates takes nothing over.
    fs::write(&file, format!("node,point\n{node},fourth\n")).unwrap();
    browser.open(&format!("{}/explore?source=press", gateway.url));
    browser.upload("#import-file", &file);
    browser.text_is("[data-test=conflicts]", |text| {
        text.contains("third") && text.contains("fourth")
    });
    would("merge", "1 changed.");
    would("skip", "Nothing changes.");
    would("create", "Nothing, because of what is wrong.");
    browser.click("#import-create");
    browser.text_is("[data-test=import-problems]", |text| {
        text.contains("Line 2") && text.contains("there already")
    });
    assert_eq!(browser.script(apply_is_off, &json!([])), json!(true));
    assert_accessible(&browser);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_value_is_written_and_a_method_called_where_they_are_found() {
    let press = commands::press();
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let draft = Draft {
        kind: "opcua".into(),
        paused: false,
        settings: json!({ "endpoint": format!("opc.tcp://127.0.0.1:{}", press.port), "security": { "policy": "None" }, "select": ["Objects/Press/**"] }),
    };
    gateway
        .api
        .call::<PutSource>(&["press"], &draft)
        .map(drop)
        .unwrap();
    gateway
        .api
        .source_is("press", |status| status.state == "running");
    let browser = Browser::start();
    let page = format!("{}/explore?source=press", gateway.url);
    let find = |name: &str| {
        browser.open(&page);
        browser.wait_for("[role=treeitem][data-key='Objects/Press']");
        browser.fill("[data-test=explore-search]", name);
        browser.press(Key::Text("\n"));
        let look = format!("[aria-label='Look at Objects/Press/{name}']");
        browser.wait_for(&look);
        browser.click(&look);
        browser.wait_for("[data-test=node-commands]");
    };
    let rules = || gateway.api.get::<GetSource>(&["press"]).item.draft.settings["commands"].clone();
    // Nothing is allowed; the link leads to the rule that allows exactly this, and only Save writes it.
    let allow = |told: &str, rule: &str| {
        browser.text_is("[data-test=node-commands]", |text| text.contains(told));
        assert_eq!(browser.count("[data-test=offers]"), 0);
        assert_accessible(&browser);
        let before = rules();
        browser.click("[data-test=allow]");
        browser.text_is("[data-test=proposed]", |text| {
            text.contains("nothing is saved yet")
        });
        assert_eq!(rules(), before);
        browser.click("[data-test=save]");
        until_true("the rule to be written", SOON, || {
            rules().to_string().contains(rule)
        });
    };
    find("SetPoint");
    allow(
        "Reading on demand and writing are not allowed here.",
        "nsu=",
    );
    find("Start");
    browser.text_is("[data-test=node]", |text| {
        text.contains("speed: Double") && text.contains("total: Double")
    });
    allow("Calling is not allowed here.", "Objects/Press/Start");

    find("SetPoint");
    browser.text_is("[data-test=offers]", |text| text.contains("79"));
    browser.click("[data-test=write]");
    browser.fill("#dialog-focus", "warm");
    browser.click("[data-test=command-next]");
    browser.text_is("[data-test=command-wrong]", |text| {
        text.contains("`warm` is no Double")
    });
    browser.fill("#dialog-focus", "80.5");
    browser.click("[data-test=command-next]");
    browser.text_is("[data-test=command-change]", |text| {
        text.contains("79") && text.contains("80.5")
    });
    browser.click("[data-test=command-go]");
    browser.text_is("[data-test=command-answer]", |text| {
        text.contains("80.5 was written")
    });
    browser.click("[data-test=command-close]");
    browser.text_is("[data-test=record]", |text| {
        text.contains("write SetPoint 80.5") && text.contains("console")
    });
    browser.text_is("[data-test=node-value]", |text| text.contains("80.5"));

    // The method's row in the tree is no box to tick.
    browser.open(&page);
    let row = "[role=treeitem][data-key='Objects/Press']";
    browser.wait_for(row);
    let _ = browser.script(
        "document.querySelector('[role=treeitem][tabindex=\"0\"]').focus()",
        &json!([]),
    );
    while here(&browser) != "Objects/Press" {
        browser.press(Key::Down);
    }
    browser.press(Key::Right);
    browser.wait_for("[role=treeitem][data-key='Objects/Press/Start']");
    while here(&browser) != "Objects/Press/Start" {
        browser.press(Key::Down);
    }
    assert_eq!(
        browser.count("[data-key='Objects/Press/Start'][aria-checked]"),
        0
    );
    browser.wait_for("[data-test=call]");
    browser.click("[data-test=call]");
    browser.fill("#dialog-focus", "1.5");
    browser.fill("#argument-1", "2");
    browser.click("[data-test=command-next]");
    browser.click("[data-test=command-go]");
    browser.text_is("[data-test=command-answer]", |text| {
        text.contains("total = 3.5")
    });
    browser.click("[data-test=command-close]");
    assert_accessible(&browser);
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
