//! Bad configurations: each is reported with file, line and remedy, the exit code is 2, and nothing is started.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use fieldgate_tests::{gateway, port};

/// Where the mistake is, and what has to be said.
struct Mistake {
    name: &'static str,
    /// The line of a good configuration that is replaced, from 1, and by what.
    line: usize,
    by: &'static str,
    /// What is wrong, and what to do about it.
    says: &'static [&'static str],
}

const GOOD: &str = r#"[gateway]
name = "line-4"
[[source]]
id = "press"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:4840"
select = ["Objects/Line/**"]
security = { policy = "Basic256Sha256", mode = "SignAndEncrypt" }
[[destination]]
id = "broker"
kind = "mqtt"
url = "mqtt://127.0.0.1:1883"
topic = "fieldgate/{gateway}/{device}/{dataset}"
[[route]]
id = "everything"
from = ["press/**"]
steps = [{ deadband = 0.1 }]
to = "broker"
"#;

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "an unknown key",
        line: 6,
        by: "endpiont = \"opc.tcp://127.0.0.1:4840\"",
        says: &["unknown key `endpiont`", "did you mean `endpoint`"],
    },
    Mistake {
        name: "a duplicate id",
        line: 8,
        by: "[[source]]\nid = \"press\"\nkind = \"opcua\"\nendpoint = \"opc.tcp://h:4840\"\nselect = [\"Objects/**\"]",
        says: &[
            "`press` is already taken at bad.toml:3",
            "give one of the two another id",
        ],
    },
    Mistake {
        name: "a route to nowhere",
        line: 18,
        by: "to = \"brokr\"",
        says: &["there is no destination `brokr`", "did you mean `broker`"],
    },
    Mistake {
        name: "a route from nowhere",
        line: 16,
        by: "from = [\"pres/**\"]",
        says: &["there is no source `pres`", "did you mean `press`"],
    },
    Mistake {
        name: "a bad endpoint",
        line: 6,
        by: "endpoint = \"http://127.0.0.1\"",
        says: &["`http` is not a transport", "opc.tcp://"],
    },
    Mistake {
        name: "a bad URL",
        line: 12,
        by: "url = \"127.0.0.1:1883\"",
        says: &["`127.0.0.1:1883` is no URL", "mqtts://broker.plant:8883"],
    },
    Mistake {
        name: "a bad glob of browse paths",
        line: 7,
        by: "select = [\"Objects//Line\"]",
        says: &["select", "write names separated by `/`"],
    },
    Mistake {
        name: "a bad pattern of a route",
        line: 16,
        by: "from = [\"press/a**\"]",
        says: &[
            "`**` stands alone between slashes",
            "write source/device/point",
        ],
    },
    Mistake {
        name: "an unknown kind",
        line: 5,
        by: "kind = \"opcau\"",
        says: &["there is no source of kind `opcau`", "did you mean `opcua`"],
    },
    Mistake {
        name: "a value of the wrong type",
        line: 10,
        by: "id = 7",
        says: &["the id is no text", "add a name of your own"],
    },
    Mistake {
        name: "a secret in clear",
        line: 8,
        by: "user = { name = \"operator\", password = \"hunter2\" }",
        says: &[
            "a secret is written here in clear",
            "keep it in a file of its own",
        ],
    },
    Mistake {
        name: "security that contradicts itself",
        line: 8,
        by: "security = { policy = \"None\", mode = \"Sign\" }",
        says: &[
            "nothing can be signed or encrypted with the policy None",
            "leave the mode out",
        ],
    },
    Mistake {
        name: "an unknown placeholder",
        line: 13,
        by: "topic = \"fieldgate/{gatway}/x\"",
        says: &["{gatway}", "{gateway}"],
    },
    Mistake {
        name: "an unknown step",
        line: 17,
        by: "steps = [{ deadbnd = 0.1 }]",
        says: &["`deadbnd` is not known here", "did you mean `deadband`"],
    },
    Mistake {
        name: "no TOML at all",
        line: 16,
        by: "from = press/**",
        says: &["this is no TOML", "correct the line"],
    },
];

#[test]
fn each_mistake_is_told_with_its_line_and_remedy_and_nothing_is_started() {
    for mistake in MISTAKES {
        let Mistake {
            name,
            line,
            by,
            says,
        } = mistake;
        let folder = gateway::folder();
        let mut lines: Vec<&str> = GOOD.lines().collect();
        lines[line - 1] = by;
        fs::write(folder.path().join("bad.toml"), lines.join("\n")).unwrap();
        let (status, output) = gateway::fieldgate(&["check", "bad.toml"], folder.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{name}: {said}");
        assert!(
            said.contains(&format!("bad.toml:{line}: ")) || *name == "a duplicate id",
            "{name}: {said}"
        );
        for words in *says {
            assert!(said.contains(words), "{name}: no `{words}` in {said}");
        }
        assert!(!said.contains("hunter2"), "{name}: {said}");
        check_run(folder.path(), name, &said);
    }
}

/// `run` says the same as `check`, listens nowhere and leaves no state behind.
#[track_caller]
fn check_run(folder: &Path, name: &str, checked: &str) {
    let port = port::free();
    let listen = format!("127.0.0.1:{port}");
    let arguments = [
        "run", "--config", "bad.toml", "--state", "state", "--listen", &listen,
    ];
    let (status, output) = gateway::fieldgate(&arguments, folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{name}: {said}");
    assert!(
        said.ends_with(checked),
        "{name}: {said} instead of {checked}"
    );
    assert!(output.stdout.is_empty(), "{name}: it said that it runs");
    assert!(
        TcpListener::bind(&listen).is_ok(),
        "{name}: the port is taken"
    );
    let left = files(&folder.join("state"));
    assert!(left.is_empty(), "{name}: {left:?} in the state");
}

/// The files in a folder and those below it; none when it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = gateway::folder();
    let bad = GOOD
        .replace("endpoint", "endpiont")
        .replace("to = ", "too = ");
    fs::write(folder.path().join("bad.toml"), bad).unwrap();
    let (_, output) = gateway::fieldgate(&["check", "bad.toml"], folder.path());
    let said = String::from_utf8(output.stderr).unwrap();
    for place in ["bad.toml:6: ", "bad.toml:18: "] {
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn a_good_one_is_praised() {
    let folder = gateway::folder();
    fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    let (status, output) = gateway::fieldgate(&["check", "good.toml"], folder.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(status.success(), "{said}");
    assert_eq!(
        said,
        "good.toml: good, with 1 source, 1 destination, 1 route and 0 rules"
    );
}

#[test]
fn another_address_than_loopback_is_refused() {
    let folder = gateway::folder();
    fs::write(folder.path().join("good.toml"), GOOD).unwrap();
    let arguments = [
        "run",
        "--config",
        "good.toml",
        "--state",
        "state",
        "--listen",
        "0.0.0.0:0",
    ];
    let (status, output) = gateway::fieldgate(&arguments, folder.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!status.success(), "{said}");
    assert!(said.contains("127.0.0.1"), "{said}");
}
