//! Commands to a real server: read, write and call; what is refused, and that nothing is carried out twice.

use std::{path::Path, process::Command};

use fieldgate_api::{
    command::{CommandAnswer, CommandDraft, CommandQuery, CommandView},
    endpoint::{GetCommands, GetOffers, Method, SendCommand, path_and_query},
};
use fieldgate_model::{Outcome, Timestamp};
use fieldgate_tests::{
    gateway::{self, Gateway},
    peers, port,
    process::Process,
    wait::{SOON, until_true},
};
use serde_json::{Value as Json, json};

pub const SET_POINT: &str = "press/Press/SetPoint";
pub const START: &str = "press/Press/Start";

pub struct Press {
    pub process: Process,
    pub port: u16,
}

pub fn press() -> Press {
    let port = port::free();
    let mut command = Command::new(peers::python());
    command
        .arg(peers::root().join("tests/peers/opcua_commands.py"))
        .arg(port.to_string());
    let mut process = Process::start("asyncua", &mut command);
    process.line("its readiness", 0, |line| {
        line.contains("ready").then_some(())
    });
    Press { process, port }
}

pub fn config(port: u16) -> String {
    format!(
        r#"
[gateway]
name = "test"
[[source]]
id = "press"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{port}"
security = {{ policy = "None" }}
select = ["Objects/Press/**"]
commands = [
  {{ path = "Objects/Press/*", allow = ["read", "call"] }},
  {{ path = "Objects/Press/SetPoint", allow = ["write"], min = 0, max = 100 }},
  {{ path = "Objects/Press/Count", allow = ["write"] }},
  {{ path = "Objects/Press/Fixed", allow = ["write"] }},
]
"#
    )
}

pub fn ready(gateway: &Gateway) {
    until_true("the source to take commands", SOON, || {
        gateway.api.get::<GetOffers>(&["press/Press"]).len() == 7
    });
}

fn draft(action: &str, rest: Json) -> CommandDraft {
    let mut all = json!({ "action": action });
    let fields = rest.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(all).unwrap()
}

#[track_caller]
fn send(gateway: &Gateway, target: &str, draft: &CommandDraft) -> CommandAnswer {
    gateway.api.call::<SendCommand>(&[target], draft).unwrap()
}

#[track_caller]
fn check(
    gateway: &Gateway,
    target: &str,
    action: &str,
    rest: Json,
    outcome: Outcome,
    words: &str,
) -> CommandAnswer {
    let answer = send(gateway, target, &draft(action, rest));
    assert_eq!(answer.outcome, outcome, "{answer:?}");
    assert!(answer.words.contains(words), "{answer:?}");
    answer
}

#[test]
fn a_server_is_read_written_and_called_and_what_is_not_allowed_is_refused() {
    let mut press = press();
    let gateway = Gateway::start(&config(press.port));
    ready(&gateway);
    use Outcome::{Done, Expired, Refused};

    let read = check(
        &gateway,
        SET_POINT,
        "read",
        json!({}),
        Done,
        "79.0 was read",
    );
    assert_eq!(read.value, Some(json!(79.0)));
    let wrote = check(
        &gateway,
        SET_POINT,
        "write",
        json!({ "value": 80 }),
        Done,
        "80.0 was written",
    );
    assert_eq!(
        (wrote.old, wrote.status.as_deref()),
        (Some(json!(79.0)), Some("Good"))
    );
    let largest = json!({ "value": i64::MAX });
    let wrote = check(
        &gateway,
        "press/Press/Count",
        "write",
        largest,
        Done,
        "9223372036854775807",
    );
    assert_eq!(wrote.value, Some(json!(i64::MAX)));
    let arguments = json!({ "arguments": { "ramp": 2, "speed": 1.5 } });
    let called = check(&gateway, START, "call", arguments, Done, "total = 3.5");
    assert_eq!(called.value, Some(json!({ "total": 3.5 })));

    for (target, action, rest, expected) in [
        (
            SET_POINT,
            "write",
            json!({ "value": "80" }),
            "the value is no number",
        ),
        (
            SET_POINT,
            "write",
            json!({ "value": [80] }),
            "a single Double is wanted",
        ),
        (
            SET_POINT,
            "write",
            json!({ "value": 101 }),
            "the rule allows from 0 to 100",
        ),
        (
            "press/Press/Count",
            "write",
            json!({ "value": u64::MAX }),
            "out of the range of Int64",
        ),
        (
            "press/Press/Mode",
            "write",
            json!({ "value": "manual" }),
            "write is not allowed",
        ),
        (
            "press/Press/Fixed",
            "write",
            json!({ "value": 2 }),
            "AccessLevel",
        ),
        ("press/Press/Gone", "read", json!({}), "read is not allowed"),
        (
            "other/Press/SetPoint",
            "read",
            json!({}),
            "there is no source `other`",
        ),
        (
            START,
            "call",
            json!({ "arguments": [1.5] }),
            "it takes `speed`, `ramp`",
        ),
        (
            START,
            "call",
            json!({ "arguments": [1.5, 70000] }),
            "argument `ramp` is 70000",
        ),
        (
            START,
            "write",
            json!({ "value": 1 }),
            "write is not allowed",
        ),
    ] {
        check(&gateway, target, action, rest, Refused, expected);
    }
    let hour_ago = Timestamp::from_millis(now() - 3_600_000);
    let late = json!({ "value": 10, "issued": hour_ago, "ttl_s": 60 });
    check(
        &gateway,
        SET_POINT,
        "write",
        late,
        Expired,
        "was not carried out",
    );

    // A repetition is answered as the first one, and not carried out again.
    let again = json!({ "id": "once", "arguments": [1, 1] });
    check(&gateway, START, "call", again.clone(), Done, "total = 2.0");
    check(&gateway, START, "call", again, Done, "total = 2.0");
    let other = json!({ "id": "once", "arguments": [9, 9] });
    check(
        &gateway,
        START,
        "call",
        other,
        Refused,
        "another command had this id",
    );
    check(
        &gateway,
        "press/Press/Starts",
        "read",
        json!({}),
        Done,
        "2 was read",
    );

    let query = CommandQuery {
        device: Some("press/Press".into()),
        limit: Some(200),
    };
    let url = path_and_query::<GetCommands>(&[], &query);
    let (_, text) = gateway.api.send(Method::Get, &url, "", &[]);
    let record: Vec<CommandView> = serde_json::from_str(&text).unwrap();
    let write = record
        .iter()
        .find(|command| command.value == json!(80))
        .unwrap();
    let answer = write.answer.as_ref().unwrap();
    assert_eq!((write.who.as_str(), answer.outcome), ("console", Done));
    assert_eq!(answer.old, Some(json!(79.0)));
    assert!(record.iter().any(|command| {
        command
            .answer
            .as_ref()
            .is_some_and(|answer| answer.outcome == Expired)
    }));

    press.process.kill();
    until_true("the source to be away", SOON, || {
        let answer = send(&gateway, SET_POINT, &draft("read", json!({})));
        answer.outcome == Refused && answer.words.contains("the source `press` is away")
    });
}

#[test]
fn the_command_line_commands_and_a_repetition_is_known_after_a_restart() {
    let press = press();
    let mut gateway = Gateway::start(&config(press.port));
    ready(&gateway);
    let state = gateway.state();
    let say = |words: &[&str]| {
        let place = state.to_str().unwrap();
        let all: Vec<&str> = words.iter().copied().chain(["--state", place]).collect();
        let (status, output) = gateway::fieldgate(&all, Path::new("/"));
        (status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = say(&["write", SET_POINT, "42.5", "--id", "night"]);
    assert_eq!(
        (code, said.trim()),
        (Some(0), "done: 42.5 was written; before: 79.0")
    );
    let (code, said) = say(&["read", SET_POINT]);
    assert_eq!((code, said.trim()), (Some(0), "done: 42.5 was read"));
    let (code, said) = say(&["call", START, "speed=1", "ramp=1"]);
    assert!(code == Some(0) && said.contains("total = 2.0"), "{said}");
    let (code, said) = say(&["write", "press/Press/Mode", "manual"]);
    assert!(
        code == Some(1) && said.contains("refused: write is not allowed"),
        "{said}"
    );
    say(&["write", SET_POINT, "50"]);

    gateway.kill_and_restart();
    ready(&gateway);
    let (code, said) = say(&["write", SET_POINT, "42.5", "--id", "night"]);
    assert!(
        code == Some(0) && said.contains("42.5 was written"),
        "{said}"
    );
    let (_, said) = say(&["read", SET_POINT]);
    assert_eq!(
        said.trim(),
        "done: 50.0 was read",
        "the repetition was not carried out"
    );
    let (_, said) = say(&["commands"]);
    assert!(
        said.contains("command line") && said.contains("refused"),
        "{said}"
    );
    gateway.stop();
    assert_eq!(say(&["read", SET_POINT]).0, Some(3));
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}
