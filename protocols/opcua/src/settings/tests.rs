//! Settings that are good, and every problem of those that are not.

use fieldgate_kit::{SourceKind, settings::read};
use serde_json::{Value as Json, json};

use super::*;

/// The paths of all problems, of reading and of checking.
fn check(table: Json, expected: &[&str]) {
    let problems = match read::<Settings>(table.clone()) {
        Ok(settings) => settings.check(),
        Err(error) => error.0,
    };
    let mut paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
    paths.sort();
    assert_eq!(paths, expected, "{table}: {problems:?}");
}

fn with(extra: Json) -> Json {
    let mut table = json!({ "endpoint": "opc.tcp://h:4840", "select": ["Objects/**"] });
    let (Json::Object(table_map), Json::Object(extra)) = (&mut table, extra) else {
        panic!("two tables");
    };
    table_map.extend(extra);
    table
}

#[test]
fn good_settings_have_no_problems() {
    check(with(json!({})), &[]);
    check(
        with(json!({
            "security": { "policy": "Basic256Sha256", "mode": "SignAndEncrypt" },
            "user": { "name": "operator", "password": { "file": "press.password" } },
            "server_certificate": "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
            "select": [
                "Objects/Line/**",
                { "node": "nsu=urn:plant;s=Temp", "point": "temperature", "sampling_ms": 100, "deadband": 0.1 },
                { "path": "Objects/Line/*/Speed", "deadband_percent": 2.5, "trigger": "status_value_timestamp", "discard": "newest" },
            ],
            "heartbeat_ms": 10_000,
            "mode": "read",
        })),
        &[],
    );
    check(with(json!({ "security": { "policy": "None" } })), &[]);
}

#[test]
fn every_problem_is_named_with_its_path() {
    check(
        with(json!({ "endpont": "x", "publishing_ms": "fast" })),
        &["endpont", "publishing_ms"],
    );
    for endpoint in ["nonsense", "http://h:4840", "opc.tcp://", "opc.tcp://u:p@h"] {
        check(with(json!({ "endpoint": endpoint })), &["endpoint"]);
    }
    check(with(json!({ "select": [] })), &["select"]);
    check(
        with(
            json!({ "select": ["Line/**", { "node": "Temp", "deadband": -1 }, { "nod": "i=1" }] }),
        ),
        &["select.2", "select.2.nod"],
    );
    check(
        with(json!({ "select": ["Line/**", { "node": "Temp", "deadband": -1, "point": "" }] })),
        &[
            "select.0",
            "select.1.deadband",
            "select.1.node",
            "select.1.point",
        ],
    );
    check(
        with(json!({ "select": [
            { "path": "Line/**", "deadband_percent": 101, "heartbeat_ms": 1 },
            { "path": "Objects/**", "deadband": 1, "deadband_percent": 1 },
            { "node": "i=1", "publishing_ms": 1, "sampling_ms": 9_999_999, "queue_size": 0 },
        ] })),
        &[
            "select.0.deadband_percent",
            "select.0.heartbeat_ms",
            "select.0.path",
            "select.1.deadband_percent",
            "select.2.publishing_ms",
            "select.2.queue_size",
            "select.2.sampling_ms",
        ],
    );
    for table in [
        json!({ "node": "i=1", "path": "Objects/**" }),
        json!({ "path": "Objects/**", "point": "p" }),
        json!({}),
    ] {
        check(with(json!({ "select": [table] })), &["select.0"]);
    }
    check(
        with(
            json!({ "history": { "fill": "newest_first", "max_age": "7 d", "values_per_s": 10 } }),
        ),
        &[],
    );
    check(
        with(json!({ "history": { "max_age": "0 s", "values_per_s": 0 } })),
        &["history.max_age", "history.values_per_s"],
    );
    check(
        with(json!({ "history": { "fill": "always" } })),
        &["history.fill"],
    );
    check(
        with(json!({ "key_frame_ms": 1, "key_frame_messages": 0, "rebrowse_s": 9 })),
        &["key_frame_messages", "key_frame_ms", "rebrowse_s"],
    );
    check(with(json!({ "new_nodes": "ask" })), &["new_nodes"]);
    check(
        with(json!({ "trigger": "always", "discard": "all" })),
        &["discard", "trigger"],
    );
    check(
        with(json!({ "security": { "policy": "Basic512" } })),
        &["security", "security.policy"],
    );
    check(
        with(json!({ "security": { "policy": "None", "mode": "Sign" } })),
        &["security.mode"],
    );
    check(
        with(json!({ "server_certificate": "abc" })),
        &["server_certificate"],
    );
    check(
        with(json!({ "publishing_ms": 1, "queue_size": 0 })),
        &["publishing_ms", "queue_size"],
    );
    check(
        with(json!({ "commands": [
            { "path": "Objects/Line/*/SetPoint", "allow": ["write", "read"], "min": 0, "max": 100 },
            { "node": "nsu=urn:plant;s=Start", "allow": ["call"] },
        ] })),
        &[],
    );
    check(
        with(json!({ "commands": [
            { "path": "Line", "allow": [] },
            { "node": "Start", "allow": ["call"], "min": 2, "max": 1 },
            { "allow": ["read"] },
        ] })),
        &[
            "commands.0.allow",
            "commands.0.path",
            "commands.1.min",
            "commands.1.node",
            "commands.2",
        ],
    );
}

#[test]
fn redundant_servers_and_those_that_connect_by_themselves_are_checked() {
    check(
        with(json!({ "alternates": ["opc.tcp://i:4840"], "redundancy": "configured" })),
        &[],
    );
    check(
        with(
            json!({ "alternates": ["http://i", "opc.tcp://h:4840", "opc.tcp://i", "opc.tcp://i"] }),
        ),
        &["alternates.0", "alternates.1", "alternates.3"],
    );
    let many: Vec<String> = (0..8).map(|at| format!("opc.tcp://i{at}")).collect();
    check(with(json!({ "alternates": many })), &["alternates"]);
    let reverse = json!({ "listen": "0.0.0.0:48400", "server_uri": "urn:press" });
    check(with(json!({ "reverse": reverse })), &[]);
    check(
        with(json!({ "reverse": reverse, "alternates": ["opc.tcp://i"] })),
        &["alternates"],
    );
    let open = json!({ "policy": "None" });
    check(
        with(json!({ "reverse": reverse, "security": open })),
        &["reverse.proof"],
    );
    let by_name = json!({ "listen": "0.0.0.0:48400", "server_uri": "urn:press", "proof": "name" });
    check(with(json!({ "reverse": by_name, "security": open })), &[]);
    for listen in ["48400", "0.0.0.0", "plc:48400", "0.0.0.0:0"] {
        check(
            with(json!({ "reverse": { "listen": listen, "server_uri": "" } })),
            &["reverse.listen", "reverse.server_uri"],
        );
    }
}

#[test]
fn events_are_checked() {
    check(
        with(json!({ "select": [], "events": [
            {},
            { "node": "Objects/Line", "types": ["AlarmConditionType", "nsu=urn:plant;i=7"],
              "select": ["nsu=urn:plant;Batch"], "where": { "min_severity": 500, "source_name": "Press*" } },
            { "node": "nsu=urn:plant;s=Line" },
        ] })),
        &[],
    );
    check(
        with(json!({ "mode": "read", "events": [
            { "node": "Line", "types": [""], "select": ["a//b"], "where": { "min_severity": 0 } },
        ] })),
        &[
            "events",
            "events.0.node",
            "events.0.select",
            "events.0.types",
            "events.0.where.min_severity",
        ],
    );
}

#[test]
fn a_password_never_travels_in_the_open() {
    check(
        with(json!({
            "security": { "policy": "None" },
            "user": { "name": "operator", "password": { "env": "PASSWORD" } },
        })),
        &["user"],
    );
    let pair = json!({ "certificate": { "file": "a" }, "key": { "file": "b" } });
    check(
        with(json!({ "security": { "policy": "None" }, "user_certificate": pair })),
        &["user_certificate"],
    );
    check(
        with(json!({
            "user": { "name": "operator", "password": { "env": "PASSWORD" } },
            "user_certificate": pair,
        })),
        &["user_certificate"],
    );
    check(with(json!({ "user_certificate": pair })), &[]);
}

#[test]
fn the_weak_policies_are_taken_when_they_are_asked_for() {
    for policy in ["Basic128Rsa15", "Basic256", "None"] {
        check(with(json!({ "security": { "policy": policy } })), &[]);
        assert!(Policy::named(policy).unwrap().weakness().is_some());
    }
    check(with(json!({ "server_certificate": "ask" })), &[]);
}

#[test]
fn the_schema_names_every_key() {
    let schema = SourceKind::of::<crate::OpcUa>().schema();
    for key in [
        "endpoint",
        "security",
        "user",
        "server_certificate",
        "select",
        "publishing_ms",
    ] {
        let property = &schema["properties"][key];
        assert!(property["description"].is_string(), "{key}: {property}");
    }
    assert_eq!(schema["additionalProperties"], json!(false));
    // What rules share stands in each as if it were its own.
    for (rule, key) in [
        ("NodeRule", "node"),
        ("PathRule", "path"),
        ("TypeRule", "type"),
        ("ProfileRule", "profile"),
    ] {
        let rule = &schema["$defs"][rule];
        assert_eq!(rule["additionalProperties"], json!(false), "{rule}");
        assert_eq!(rule["required"], json!([key]), "{rule}");
        assert!(
            rule["properties"]["sampling_ms"]["description"].is_string(),
            "{rule}"
        );
        assert!(rule["properties"].get("wishes").is_none(), "{rule}");
        let about = rule["description"].as_str().unwrap();
        assert!(!about.contains("What one rule"), "{about}");
    }
}
