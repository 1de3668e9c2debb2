//! Looking around on a real server: `fieldgate browse` and the API below it, by a source that runs, one that is paused, and an address.

use std::{fs, path::Path, process::Output};

use fieldgate_api::{
    endpoint::{
        AboutExplored, ExploreNodeDetail, GetSource, PreviewRules, PutSource, ReadPast, SampleRules,
    },
    explore::{ExploreAt, ExploreHistory, ExploreLook, ExploreRules, ExploreTest},
};
use fieldgate_tests::{
    broker::Broker,
    gateway::{self, Gateway},
    opcua_server::{OpcUaServer, Options},
    wait::{SOON, until_true},
};
use serde_json::{Value as Json, json};

use crate::line;

fn browse(state: &Path, words: &[&str]) -> Output {
    let state = state.to_str().unwrap();
    let mut all = vec!["browse"];
    all.extend(words);
    all.extend(["--state", state]);
    gateway::fieldgate(&all, Path::new("/")).1
}

#[track_caller]
fn nodes(state: &Path, words: &[&str]) -> Vec<Json> {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    let output = browse(state, &words);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {complaint}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of(source: &str) -> ExploreAt {
    ExploreAt {
        source: Some(source.to_owned()),
        draft: None,
    }
}

#[test]
fn a_server_is_browsed_beside_delivery_in_the_sources_own_session() {
    let (server, broker) = (OpcUaServer::start(Options::default()), Broker::start());
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    let state = gateway.state();
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked >= 100
    });
    let about = gateway.api.call::<AboutExplored>(&[], &of("line")).unwrap();
    assert!(about.shared, "{}", about.words);

    let top = nodes(&state, &["line"]);
    assert!(
        top.iter().any(|node| node["path"] == "Objects/Line"),
        "{top:?}"
    );
    let points = nodes(&state, &["line", "Objects/Line"]);
    assert_eq!(points.len(), 500);
    let first = points[0]["address"].as_str().unwrap();
    assert!(first.starts_with("nsu="), "{first}");
    let found = nodes(
        &state,
        &["line", "--search", points[7]["name"].as_str().unwrap()],
    );
    assert!(
        found
            .iter()
            .any(|node| node["address"] == points[7]["address"])
    );
    let text = browse(&state, &["line", "Line", "--depth", "2"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("variable"));
    assert!(String::from_utf8_lossy(&text.stderr).contains("session of the running source"));
    let missing = browse(&state, &["line", "Objects/Nowhere"]);
    assert_eq!(missing.status.code(), Some(2));
    let nothing = browse(&state, &["line", "--search", "no such name"]);
    assert_eq!(nothing.status.code(), Some(1));
    let unknown = browse(&state, &["nobody"]);
    assert_eq!(unknown.status.code(), Some(1));

    let look = ExploreLook {
        at: of("line"),
        node: first.to_owned(),
        ..ExploreLook::default()
    };
    let detail = gateway.api.call::<ExploreNodeDetail>(&[], &look).unwrap();
    assert_eq!(detail.node.path, points[0]["path"]);
    let value = detail.value.expect("it is a variable");
    assert!(
        value.source_at.is_some() && value.server_at.is_some(),
        "{value:?}"
    );

    let rules = ExploreRules {
        at: of("line"),
        select: vec![json!("Objects/Line/**")],
        present: vec![json!({ "node": first })],
    };
    let preview = gateway.api.call::<PreviewRules>(&[], &rules).unwrap();
    assert_eq!(
        (preview.points, preview.covered, preview.before),
        (500, 1, 1)
    );
    let test = ExploreTest {
        at: of("line"),
        select: vec![json!({ "node": first })],
        seconds: 2,
    };
    let sample = gateway.api.call::<SampleRules>(&[], &test).unwrap();
    assert!(sample.watched[0].changes >= 1, "{sample:?}");
    assert_eq!(gateway.api.ledger().unaccounted, 0);
}

#[test]
fn an_address_that_nobody_configured_is_browsed_in_a_session_of_its_own() {
    let (server, broker) = (OpcUaServer::start(Options::default()), Broker::start());
    // The configured source reads nothing of it: it is paused.
    let config = line::config(&server.endpoint(), &broker.url());
    let config = config.replacen("kind = \"opcua\"", "kind = \"opcua\"\npaused = true", 1);
    let gateway = Gateway::start(&config);
    let state = gateway.state();
    for source in [server.endpoint().as_str(), "line"] {
        let points = nodes(&state, &[source, "Objects/Line"]);
        assert_eq!(points.len(), 500, "{source}");
    }
    let about = gateway.api.call::<AboutExplored>(&[], &of("line")).unwrap();
    assert!(!about.shared, "{}", about.words);
    // The server counts the watched points' changes through a subscription.
    let test = ExploreTest {
        at: of("line"),
        select: vec![json!("Objects/Line/**")],
        seconds: 2,
    };
    let sample = gateway.api.call::<SampleRules>(&[], &test).unwrap();
    assert_eq!((sample.points, sample.watched.len()), (500, 500));
    assert!(sample.watched[0].changes >= 1, "{}", sample.words);
    assert!(sample.words.contains("subscription"), "{}", sample.words);
    let nobody = browse(&state, &["opc.tcp://127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    let words = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(words.contains("refuses the connection"), "{words}");
}

#[test]
fn what_a_value_was_is_read_from_the_servers_own_history() {
    let server = OpcUaServer::start(Options {
        nodes: 2,
        // Pages of seven values each.
        history: Some(7),
        ..Options::default()
    });
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let draft = fieldgate_api::config::Draft {
        kind: "opcua".into(),
        paused: false,
        settings: json!({ "endpoint": server.endpoint(), "security": { "policy": "None" }, "select": ["Objects/Line/**"] }),
    };
    let at = || ExploreAt {
        draft: Some(draft.clone()),
        ..ExploreAt::default()
    };
    let node = "nsu=urn:fieldgate:test:line;i=1001";
    let look = ExploreLook {
        at: at(),
        node: node.to_owned(),
        ..ExploreLook::default()
    };
    let detail = gateway.api.call::<ExploreNodeDetail>(&[], &look).unwrap();
    assert!(detail.history, "{detail:?}");
    let ask = |most: u32| ExploreHistory {
        at: at(),
        node: node.to_owned(),
        seconds: 600,
        most,
    };
    until_true("more than a page of history", SOON, || {
        let past = gateway.api.call::<ReadPast>(&[], &ask(1000)).unwrap();
        assert!(
            past.values
                .is_sorted_by_key(|value| std::cmp::Reverse(value.source_at))
        );
        past.values.len() > 10
    });
    let few = gateway.api.call::<ReadPast>(&[], &ask(3)).unwrap();
    assert_eq!((few.values.len(), few.more), (3, true), "{few:?}");
    let nothing = ExploreHistory {
        node: String::new(),
        ..ask(3)
    };
    let past = gateway.api.call::<ReadPast>(&[], &nothing);
    assert!(
        past.map_or(true, |past| past.values.is_empty()),
        "a folder has no history"
    );
}

#[test]
fn a_selection_goes_out_as_a_file_and_comes_back_with_a_dry_run_first() {
    let server = OpcUaServer::start(Options {
        nodes: 5,
        ..Options::default()
    });
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let state = gateway.state();
    let draft = fieldgate_api::config::Draft {
        kind: "opcua".into(),
        paused: false,
        settings: json!({ "endpoint": server.endpoint(), "security": { "policy": "None" }, "select": ["Objects/Line/p0", "Objects/Line/p1"] }),
    };
    let saved = gateway.api.call::<PutSource>(&["press"], &draft);
    let revision = saved.unwrap().revision;
    let selection = |words: &[&str]| {
        let mut all = vec!["selection"];
        all.extend(words);
        all.extend(["--state", state.to_str().unwrap()]);
        let output = gateway::fieldgate(&all, Path::new("/")).1;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, csv, _) = selection(&["export", "press"]);
    assert_eq!(code, Some(0));
    assert!(
        csv.starts_with("path,node,") && csv.lines().count() == 3,
        "{csv}"
    );
    let (_, list, _) = selection(&["export", "press", "--format", "json"]);
    let list: Json = serde_json::from_str(&list).unwrap();
    assert_eq!(list, draft.settings["select"]);

    let folder = gateway::folder();
    let file = folder.path().join("rules.csv");
    let path = file.to_str().unwrap();
    let node = "nsu=urn:fieldgate:test:line;i=1003";
    fs::write(
        &file,
        format!("path,node,point\nObjects/Line/p0,,\n,{node},third\n"),
    )
    .unwrap();
    let (code, told, _) = selection(&["import", "press", path, "--mode", "overwrite", "--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(
        told.contains("1 added, 0 changed, 1 removed, 1 the same; nothing was changed: a dry run"),
        "{told}"
    );
    let rules = || gateway.api.get::<GetSource>(&["press"]).item.draft.settings["select"].clone();
    assert_eq!(rules(), draft.settings["select"]);
    let (code, told, _) = selection(&["import", "press", path]);
    assert_eq!(code, Some(0));
    assert!(
        told.contains(&format!("written as revision {}", revision + 1)),
        "{told}"
    );
    assert_eq!(
        rules(),
        json!(["Objects/Line/p0", "Objects/Line/p1", { "node": node, "point": "third" }])
    );

    fs::write(&file, format!("node,point\n{node},a\n{node},b\n")).unwrap();
    let (code, told, _) = selection(&["import", "press", path]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("line 3: node=") && told.contains("nothing was changed"),
        "{told}"
    );
    fs::write(&file, "node,sampling_ms\nnonsense,fast\n").unwrap();
    let (code, told, _) = selection(&["import", "press", path]);
    assert_eq!(code, Some(1));
    assert!(told.contains("line 2: `fast` is no number"), "{told}");
    fs::write(&file, "path,node\nObjects/Line/p2,\n,nonsense\n").unwrap();
    let (code, told, _) = selection(&["import", "press", path, "--dry-run"]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("line 3: ") && told.contains("no node id"),
        "{told}"
    );
    gateway
        .api
        .source_is("press", |status| status.words.starts_with("3 of 3"));
}
