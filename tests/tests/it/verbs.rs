//! `fieldgate queue …` and `fieldgate dead …` as a person types them, against a running gateway and against its files.

use std::{fs, path::Path};

use fieldgate_api::endpoint::GetDestination;
use fieldgate_tests::{
    broker::{Broker, Listener},
    gateway::{self, Gateway, folder},
    opcua_server::{OpcUaServer, Options},
    subscriber::Subscriber,
    wait::{SOON, until_true},
};
use serde_json::Value as Json;

use crate::line;

const LINE: &str = "fieldgate/test/Line/data";
const ALWAYS: [&str; 4] = [
    "--from",
    "2020-01-01T00:00:00Z",
    "--to",
    "2200-01-01T00:00:00Z",
];

/// One verb on the state folder: its exit code and what it printed.
fn say(state: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let state = state.to_str().unwrap();
    let arguments: Vec<&str> = words.iter().copied().chain(["--state", state]).collect();
    let (status, output) = gateway::fieldgate(&arguments, Path::new("/"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(output.stdout), text(output.stderr))
}

/// A verb that has to succeed; what it printed.
#[track_caller]
fn done(state: &Path, words: &[&str]) -> String {
    let (code, out, complaint) = say(state, words);
    assert_eq!(
        (code, complaint.as_str()),
        (Some(0), ""),
        "{words:?}: {out}"
    );
    out
}

#[track_caller]
fn json(state: &Path, words: &[&str]) -> Json {
    let words: Vec<&str> = words.iter().copied().chain(["-o", "json"]).collect();
    serde_json::from_str(&done(state, &words)).unwrap()
}

fn lines(text: &str) -> Vec<Json> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_queue_is_listed_exported_replayed_checked_and_purged() {
    let (mut server, mut broker) = (OpcUaServer::start(Options::default()), Broker::start());
    let config = line::config(&server.endpoint(), &broker.url());
    let mut gateway = Gateway::start(&config);
    let state = gateway.state();
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked >= 100
    });
    broker.kill();
    until_true("readings to wait", SOON, || {
        gateway.api.ledger().pending >= 100
    });
    server.hold();

    let listed = json(&state, &["queue", "ls"]);
    assert_eq!(listed["ledger"]["total"]["unaccounted"], 0);
    assert!(done(&state, &["queue", "ls"]).contains("UNACCOUNTED"));
    let exported = lines(&done(
        &state,
        &["queue", "export", "--destination", "broker"],
    ));
    assert!(
        exported.len() >= 100
            && exported
                .iter()
                .all(|line| line["reading"]["point"].is_string())
    );

    let preview: Vec<&str> = ["queue", "replay", "broker", "--dry-run"]
        .into_iter()
        .chain(ALWAYS)
        .collect();
    assert!(json(&state, &preview)["readings"].as_u64() >= Some(100));

    let clean = json(&state, &["queue", "check"]);
    assert_eq!(
        (&clean[0]["lane"], &clean[0]["lost"]),
        (&"normal".into(), &0.into())
    );
    assert!(done(&state, &["queue", "check"]).contains("Every record can be read."));

    let (code, _, why) = say(&state, &["queue", "purge", "broker"]);
    assert!(code == Some(2) && why.contains("--yes"), "{why}");
    let pending = gateway.api.ledger().pending;
    let purged = json(&state, &["queue", "purge", "broker", "--yes"]);
    assert!(purged["readings"].as_u64() >= Some(pending), "{purged}");
    assert_eq!(
        (
            gateway.api.ledger().pending,
            gateway.api.ledger().unaccounted
        ),
        (0, 0)
    );

    gateway.stop();
    let (code, _, why) = say(&state, &["queue", "ls"]);
    assert!(
        code == Some(3) && why.contains("no gateway answers"),
        "{why}"
    );
    assert!(done(&state, &["queue", "check"]).contains("Every record can be read."));
}

#[test]
fn a_check_without_a_gateway_names_what_is_damaged_and_exits_with_1() {
    let (server, broker) = (OpcUaServer::start(Options::default()), Broker::start());
    let mut gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    until_true("readings to be delivered", SOON, || {
        gateway.api.ledger().acked >= 100
    });
    gateway.stop();
    let lane = gateway.state().join("queue/normal");
    for slot in ["CURSORS.a", "CURSORS.b"] {
        fs::write(lane.join(slot), b"torn").unwrap();
    }
    let (code, out, _) = say(&gateway.state(), &["queue", "check"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("neither CURSORS.a nor CURSORS.b is whole"),
        "{out}"
    );
    let (code, _, why) = say(Path::new("/nowhere"), &["queue", "check"]);
    assert!(
        code == Some(2) && why.contains("there is no queue in /nowhere"),
        "{why}"
    );
}

#[test]
fn dead_letters_are_listed_shown_exported_retried_and_purged() {
    let folder = folder();
    let list = folder.path().join("acl");
    fs::write(&list, format!("topic readwrite #\ntopic deny {LINE}\n")).unwrap();
    let listener = Listener::anonymous().line(&format!("acl_file {}", list.display()));
    let broker = Broker::with(&[listener]);
    let subscriber = Subscriber::start(broker.port);
    let mut server = OpcUaServer::start(Options {
        nodes: 2,
        ..Options::default()
    });
    let url = format!("mqtt://127.0.0.1:{}", broker.ports[0]);
    let config = line::config(&server.endpoint(), &url);
    let gateway = Gateway::start(&format!("{config}format = \"json\"\ntopic = \"{LINE}\"\n"));
    let state = gateway.state();
    until_true("dead letters", SOON, || {
        gateway.api.get::<GetDestination>(&["broker"]).dead_letters >= 4
    });
    server.hold();
    until_true("nothing to be under way", SOON, || {
        gateway.api.ledger().pending == 0
    });

    let dead = || json(&state, &["dead", "ls"])["matching"].as_u64().unwrap();
    let letters = json(&state, &["dead", "ls"]);
    let first = letters["letters"][0]["id"].as_u64().unwrap().to_string();
    assert!(
        done(&state, &["dead", "show", &first]).contains("0x87"),
        "in the broker's own words"
    );
    let exported = lines(&done(&state, &["dead", "export"]));
    assert_eq!(exported.len() as u64, dead());
    let id = exported[0]["letter"]["message_id"].as_str().unwrap();

    fs::write(&list, "topic readwrite #\n").unwrap();
    broker.reload();
    let letter = exported[0]["letter"]["id"].as_u64().unwrap().to_string();
    done(&state, &["dead", "retry", &letter]);
    subscriber.message("the letter under its own id", 0, |message| {
        (message.topic == LINE && message.json()["id"] == id).then_some(())
    });
    until_true("one letter less", SOON, || {
        dead() as usize == exported.len() - 1
    });
    let (code, _, why) = say(&state, &["dead", "purge", "--all"]);
    assert!(code == Some(2) && why.contains("--yes"), "{why}");
    done(&state, &["dead", "purge", "--all", "--yes"]);
    assert_eq!((dead(), gateway.api.ledger().unaccounted), (0, 0));
}
