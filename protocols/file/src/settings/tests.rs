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
    for (settings, expected) in [
        (json!({ "folder": "data" }), "folder: `data` does not say"),
        (
            json!({ "folder": "/a/../b" }),
            "folder: a folder's path has no `..`",
        ),
        (
            json!({ "folder": "/a", "readings": "/x" }),
            "readings: `/x` is no path",
        ),
        (
            json!({ "folder": "/a", "readings": "x//y" }),
            "readings: `x//y` is no path",
        ),
        (
            json!({ "folder": "/a", "readings": "../x" }),
            "readings: `../x` is no path",
        ),
        (
            json!({ "folder": "/a", "readings": ".x" }),
            "readings: `.x` is no path",
        ),
        (
            json!({ "folder": "/a", "readings": "x/{name}" }),
            "readings: files of readings",
        ),
        (
            json!({ "folder": "/a", "files": "x" }),
            "files: a file is known as ours",
        ),
        (
            json!({ "folder": "/a", "files": "x-{name}" }),
            "files: a file is known as ours",
        ),
        (
            json!({ "folder": "/a", "files": "{name}/{name}" }),
            "files: a file is known as ours",
        ),
        (
            json!({ "folder": "/a", "batch": { "readings": 0 } }),
            "batch.readings: ",
        ),
        (
            json!({ "folder": "/a", "batch": { "bytes": "1 B" } }),
            "batch.bytes: ",
        ),
        (
            json!({ "folder": "/a", "rotate": { "bytes": "1 B" } }),
            "rotate.bytes: ",
        ),
        (
            json!({ "folder": "/a", "rotate": { "age": "1 ms" } }),
            "rotate.age: ",
        ),
        (
            json!({ "folder": "/a", "keep": { "bytes": "1 MiB" } }),
            "keep.bytes: less stays",
        ),
        (
            json!({ "folder": "/a", "keep": { "files": 0 } }),
            "keep.files: ",
        ),
    ] {
        let problems = problems(settings);
        assert_eq!(problems.len(), 1, "{expected} {problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
    let all = json!({
        "folder": "/srv", "readings": "{date}/{source}", "files": "p/{name}",
        "keep": { "bytes": "1 GiB", "age": "30 d", "files": 1000 },
    });
    for good in [json!({ "folder": "/srv/x" }), all] {
        assert_eq!(problems(good), [""; 0]);
    }
}
