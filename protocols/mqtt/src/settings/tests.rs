//! What is wrong with settings, each with its place and remedy.

use serde_json::{Value as Json, json};

use super::*;

fn problems(settings: Json) -> Vec<String> {
    let settings: Settings = serde_json::from_value(settings).unwrap();
    settings
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_problem_has_its_place_and_remedy() {
    for (settings, expected) in [
        (json!({ "url": "broker:1883" }), "url: `broker` is no way"),
        (json!({ "url": "http://broker" }), "url: `http` is no way"),
        (json!({ "url": "mqtt://" }), "url: `mqtt://` "),
        (
            json!({ "url": "mqtt://me:secret@broker" }),
            "url: the URL holds credentials",
        ),
        (
            json!({ "url": "mqtt://broker/topic" }),
            "url: an MQTT URL ends with the port",
        ),
        (json!({ "url": "mqtts://[::1]" }), "url: an IPv6 address"),
        (
            json!({ "url": "mqtt://b", "tls": { "ca": "ca.pem" } }),
            "tls: there are certificates",
        ),
        (
            json!({ "url": "mqtts://b", "tls": { "client_certificate": "c.pem" } }),
            "tls: client_certificate and",
        ),
        (
            json!({ "url": "mqtt://b", "topic": "a/{point}" }),
            "topic: a message of format `aio-json`",
        ),
        (
            json!({ "url": "mqtt://b", "status_topic": "a/{device}" }),
            "status_topic: ",
        ),
        (json!({ "url": "mqtt://b", "in_flight": 0 }), "in_flight: "),
        (json!({ "url": "mqtt://b", "timeout": "0 s" }), "timeout: "),
        (
            json!({ "url": "mqtt://b", "keep_alive": "1 s" }),
            "keep_alive: ",
        ),
        (json!({ "url": "mqtt://b", "client_id": "" }), "client_id: "),
        (
            json!({ "url": "mqtt://b", "batch": { "readings": 0 } }),
            "batch.readings: ",
        ),
        (
            json!({ "url": "mqtt://b", "batch": { "bytes": "1 B" } }),
            "batch.bytes: ",
        ),
    ] {
        let problems = problems(settings);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
        assert!(!problems[0].contains("secret"), "{problems:?}");
    }
    assert!(
        problems(json!({ "url": "mqtt://b", "format": "json", "topic": "a/{point}" })).is_empty()
    );
}
