//! What is wrong with settings, each with its place and remedy.

use serde_json::{Value as Json, json};

use super::*;

fn problems(settings: Json) -> Vec<String> {
    let settings: Settings = serde_json::from_value(settings).unwrap();
    let problems = settings.problems();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_problem_has_its_place_and_remedy() {
    let with = |more: Json| {
        let mut settings = json!({ "url": "https://h/in" });
        let more = more.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(more);
        settings
    };
    for (settings, expected) in [
        (json!({ "url": "http://h/in" }), "url: http:// sends"),
        (
            json!({ "url": "https://h/{point}" }),
            "url: a request of format `aio-json`",
        ),
        (
            with(json!({ "files": "https://other/{name}" })),
            "files: files go to another server",
        ),
        (
            with(json!({ "files": "https://h:444/{name}" })),
            "files: files go to another server",
        ),
        (
            with(json!({ "files": "https://h/{device}" })),
            "files: each file would",
        ),
        (
            json!({ "url": "http://127.0.0.1/", "tls": { "ca": "ca.pem" } }),
            "tls: there are certificates",
        ),
        (
            with(json!({ "tls": { "client_certificate": "c.pem" } })),
            "tls: client_certificate and",
        ),
        (
            with(
                json!({ "bearer": { "env": "T" }, "user": { "name": "a", "password": { "env": "P" } } }),
            ),
            "bearer: user and bearer",
        ),
        (
            with(json!({ "headers": [{ "name": "a b", "value": "1" }] })),
            "headers.0: \"a b\" is no name",
        ),
        (
            with(json!({ "headers": [{ "name": "Host", "value": "1" }] })),
            "headers.0: Host is set",
        ),
        (
            with(json!({ "headers": [{ "name": "Authorization", "value": "1" }] })),
            "headers.0: Authorization would",
        ),
        (
            with(json!({ "headers": [{ "name": "X", "value": "1" }, { "name": "Y" }] })),
            "headers.1: Y needs a value",
        ),
        (
            with(json!({ "headers": [{ "name": "X", "value": "a\r\nb: c" }] })),
            "headers.0: the value of X",
        ),
        (with(json!({ "connections": 0 })), "connections: "),
        (with(json!({ "connections": 9 })), "connections: "),
        (with(json!({ "timeout": "0 s" })), "timeout: "),
        (
            with(json!({ "batch": { "readings": 0 } })),
            "batch.readings: ",
        ),
        (
            with(json!({ "batch": { "bytes": "1 B" } })),
            "batch.bytes: ",
        ),
    ] {
        let problems = problems(settings);
        assert_eq!(problems.len(), 1, "{expected} {problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
}

#[test]
fn what_is_good_has_no_problem() {
    for settings in [
        json!({ "url": "https://h/in" }),
        json!({ "url": "http://127.0.0.1:8080/in/{device}/{name}", "method": "PUT" }),
        json!({ "url": "http://h/in", "allow_plain": true }),
        json!({ "url": "https://h/{point}", "format": "json", "list": "lines" }),
        json!({ "url": "https://h/in", "files": "https://h:443/{name}", "parts": "ranges" }),
        json!({ "url": "https://h/", "headers": [{ "name": "Authorization", "secret": { "env": "A" } }] }),
    ] {
        assert_eq!(problems(settings.clone()), [""; 0], "{settings}");
    }
}
