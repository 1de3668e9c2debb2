//! The invariants of ARCHITECTURE.md that can be read off the code: edges between crates, vendor modules, the registry.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use fieldgate_tests::peers::root;
use serde_json::Value as Json;

/// A vendor's crate, and the only places that may name it: files, or folders with a slash at the end.
struct Vendor {
    name: &'static str,
    places: &'static [&'static str],
}

const VENDORS: &[Vendor] = &[
    Vendor {
        name: "opcua",
        places: &[
            "protocols/opcua/src/session.rs",
            "protocols/opcua/src/session/",
            "protocols/opcua/src/value.rs",
            "protocols/opcua/src/value/",
            "protocols/opcua/src/sim.rs",
            "protocols/opcua/src/sim/",
        ],
    },
    Vendor {
        name: "x509_cert",
        places: &[
            "protocols/opcua/src/certificate.rs",
            "protocols/opcua/src/certificate/",
        ],
    },
    Vendor {
        name: "rsa",
        places: &[
            "protocols/opcua/src/certificate.rs",
            "protocols/opcua/src/certificate/",
        ],
    },
    Vendor {
        name: "btleplug",
        places: BLUETOOTH,
    },
    Vendor {
        name: "bluez_async",
        places: BLUETOOTH,
    },
    Vendor {
        name: "dbus",
        places: BLUETOOTH,
    },
    Vendor {
        name: "dbus_tokio",
        places: BLUETOOTH,
    },
    Vendor {
        name: "dbus_crossroads",
        places: BLUETOOTH,
    },
    Vendor {
        name: "retina",
        places: &["protocols/rtsp/src/client.rs", "protocols/rtsp/src/client/"],
    },
    Vendor {
        name: "quick_xml",
        places: &["protocols/onvif/src/xml.rs"],
    },
    Vendor {
        name: "openh264",
        places: &[
            "protocols/media/src/worker/",
            "protocols/media/src/pattern.rs",
        ],
    },
    Vendor {
        name: "rumqttc",
        places: &["protocols/mqtt/src/link.rs", "protocols/mqtt/src/link/"],
    },
    Vendor {
        name: "rumqttd",
        places: &["protocols/mqtt/src/sim.rs"],
    },
    Vendor {
        name: "hyper",
        places: &[
            "protocols/https/src/client.rs",
            "protocols/onvif/src/client/",
            "protocols/onvif/src/sim/",
            "protocols/rtsp/src/http.rs",
            "protocols/rtsp/src/http/",
            "gateway/src/cli/client.rs",
        ],
    },
    Vendor {
        name: "mdns_sd",
        places: &["gateway/src/discovery/mdns.rs"],
    },
    Vendor {
        name: "if_addrs",
        places: &[
            "gateway/src/discovery/near.rs",
            "protocols/onvif/src/client/http.rs",
            "protocols/onvif/src/discovery/network.rs",
        ],
    },
    Vendor {
        name: "sled",
        places: &["store/src/engine.rs"],
    },
    Vendor {
        name: "actix_web",
        places: &["gateway/src/web/"],
    },
    Vendor {
        name: "actix_ws",
        places: &["gateway/src/web/"],
    },
];

const BLUETOOTH: &[&str] = &["protocols/ble/src/radio.rs", "protocols/ble/src/radio/"];

/// Beside the protocols, what each of our crates may import of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("fieldgate-model", &[]),
    ("fieldgate-kit", &["fieldgate-model"]),
    ("fieldgate-api", &["fieldgate-model"]),
    ("fieldgate-store", &[]),
    // What pictures are made of, and the two wires of a camera, which its source joins.
    ("fieldgate-media", &["fieldgate-model"]),
    ("fieldgate-rtsp", &["fieldgate-media", "fieldgate-model"]),
    ("fieldgate-onvif", &["fieldgate-model"]),
    (
        "fieldgate-camera",
        &[
            "fieldgate-kit",
            "fieldgate-media",
            "fieldgate-model",
            "fieldgate-onvif",
            "fieldgate-rtsp",
        ],
    ),
    ("xtask", &[]),
];
const PROTOCOL_MAY: &[&str] = &["fieldgate-kit", "fieldgate-model"];
const CONSOLE_MAY: &[&str] = &["fieldgate-api", "fieldgate-model", "fieldgate-ui-logic"];
/// Who may start tasks: the supervisor's unit; and the WebSocket, whose handler has to answer before its messages flow.
const SPAWNERS: &[&str] = &["gateway/src/supervisor/unit.rs", "gateway/src/web/live.rs"];
/// What every protocol crate is not.
const SHARED: &[&str] = &[
    "protocols/kit",
    "protocols/media",
    "protocols/model",
    "protocols/onvif",
    "protocols/rtsp",
];

/// A package of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// Everything it depends on, tests and build scripts included.
    needs: BTreeSet<String>,
}

#[test]
fn nothing_imports_what_it_may_not() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let edges: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in &packages {
        let needs: BTreeSet<&str> = package
            .needs
            .iter()
            .map(String::as_str)
            .filter(|need| ours.contains(need) && *need != package.name)
            .collect();
        if package.name != "fieldgate-tests" {
            assert!(
                !needs.contains("fieldgate"),
                "{} imports the gateway",
                package.name
            );
        }
        let may = match package.name.as_str() {
            "fieldgate-tests" | "fieldgate" => continue,
            name if edges.contains_key(name) => edges[name],
            _ if is_protocol(&package.folder) => PROTOCOL_MAY,
            "web-ui" | "fieldgate-ui-logic" => CONSOLE_MAY,
            name => panic!("{name} is new: say in tests/architecture.rs what it may import"),
        };
        for need in needs {
            assert!(may.contains(&need), "{} imports {need}", package.name);
        }
    }
}

#[test]
fn what_the_console_needs_does_no_io() {
    for package in packages() {
        if ["fieldgate-model", "fieldgate-api"].contains(&package.name.as_str()) {
            for forbidden in ["tokio", "rustix", "actix-web", "futures", "tracing"] {
                assert!(
                    !package.needs.contains(forbidden),
                    "{} needs {forbidden}",
                    package.name
                );
            }
        }
    }
}

#[test]
fn a_vendors_crate_lives_in_one_private_place() {
    for source in sources() {
        // The system tests are the far side: they speak with what they test against.
        if source.is_in("tests/")
            || source.path.contains("/tests/")
            || source.path.contains("/examples/")
        {
            continue;
        }
        for vendor in VENDORS {
            let home = vendor.places.iter().any(|place| source.is_in(place));
            assert!(
                home || !source.names(vendor.name),
                "{} names {}, which belongs to {:?}",
                source.path,
                vendor.name,
                vendor.places
            );
        }
    }
}

#[test]
fn only_the_supervisors_unit_spawns() {
    for source in sources()
        .into_iter()
        .filter(|source| source.is_in("gateway/src/"))
    {
        let spawns = source.code().lines().any(|line| {
            line.contains("tokio::spawn(")
                || line.contains("rt::spawn(")
                || line.contains("thread::spawn(")
        });
        let may = SPAWNERS.contains(&source.path.as_str());
        assert!(
            !spawns || may,
            "{} spawns; hand the task to supervisor/unit.rs",
            source.path
        );
    }
}

#[test]
fn every_protocol_is_registered_and_says_what_it_can() {
    let registry = fs::read_to_string(root().join("gateway/src/registry.rs")).unwrap();
    let protocols: Vec<Package> = packages()
        .into_iter()
        .filter(|package| is_protocol(&package.folder))
        .collect();
    assert!(protocols.len() >= 2);
    for protocol in protocols {
        let module = format!("{}::", protocol.name.replace('-', "_"));
        assert!(
            registry.contains(&module),
            "{} is not in registry.rs",
            protocol.name
        );
        let readme = protocol.folder.join("README.md");
        let text = fs::read_to_string(&readme)
            .unwrap_or_else(|error| panic!("{}: {error}; write what it can do", readme.display()));
        let rows = text.lines().filter(|line| line.starts_with("| ")).count();
        assert!(
            rows >= 3,
            "{} has no table of capabilities",
            readme.display()
        );
    }
}

#[test]
fn every_setting_has_a_help_text() {
    let registry = fieldgate::registry::Registry::all();
    let sources = registry
        .sources
        .iter()
        .map(|kind| (kind.kind, kind.schema()));
    let destinations = registry
        .destinations
        .iter()
        .map(|kind| (kind.kind, kind.schema()));
    for (kind, schema) in sources.chain(destinations) {
        let mut mute = Vec::new();
        collect_mute(&schema, kind, &mut mute);
        assert!(mute.is_empty(), "no help for {mute:?}");
    }
}

#[test]
fn every_file_says_what_it_is_about_and_nothing_is_left_to_do() {
    // In pieces, so that this file is not one of them.
    let left = [["TO", "DO"], ["FIX", "ME"], ["#[ign", "ore"], ["dbg", "!("]]
        .map(|pieces| pieces.concat());
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 20,
            "{} does not begin with a sentence about itself: {first}",
            source.path
        );
        for mark in &left {
            assert!(!source.text.contains(mark), "{} has a {mark}", source.path);
        }
    }
}

/// The faults that the gateway promises to survive, by their numbers in `tests/README.md`.
const FAULTS: [std::ops::RangeInclusive<u8>; 6] =
    [1..=25, 28..=34, 38..=44, 50..=52, 65..=76, 80..=81];

#[test]
fn every_fault_has_a_test_and_a_row_in_the_table() {
    let table = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let told: BTreeSet<&str> = table.split('`').filter(|name| is_fault(name)).collect();
    let sources = sources();
    let lines = sources.iter().flat_map(|source| source.text.lines());
    let functions = lines.filter_map(|line| Some(line.split_once("fn ")?.1.split_once('(')?.0));
    let tests: BTreeSet<&str> = functions.filter(|name| is_fault(name)).collect();
    for fault in FAULTS.into_iter().flatten() {
        let prefix = format!("f{fault:02}_");
        let tested = tests.iter().any(|name| name.starts_with(&prefix));
        assert!(tested, "no test's name begins with {prefix}");
    }
    let differences: Vec<_> = told.symmetric_difference(&tests).collect();
    assert!(
        differences.is_empty(),
        "tests/README.md and the tests differ: {differences:?}"
    );
}

/// `f07_…`: a fault's number, and what is said of it.
fn is_fault(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 4
        && bytes[0] == b'f'
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && bytes[3] == b'_'
}

#[test]
fn every_crate_has_the_workspaces_lints() {
    for package in packages() {
        let manifest = fs::read_to_string(package.folder.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}",
            package.name
        );
    }
}

/// A Rust file of ours.
struct Source {
    /// From the checkout's root.
    path: String,
    text: String,
}

// === impl Source ===

impl Source {
    /// It is this file, or in this folder.
    fn is_in(&self, place: &str) -> bool {
        self.path == place || (place.ends_with('/') && self.path.starts_with(place))
    }

    /// Without its tests, which come last, and without comments.
    fn code(&self) -> String {
        let end = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        let lines = self.text[..end].lines();
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.collect::<Vec<_>>().join("\n")
    }

    /// A path begins with the crate's name.
    fn names(&self, name: &str) -> bool {
        let code = self.code();
        let path = format!("{name}::");
        code.match_indices(&path).any(|(at, _)| {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            !before.is_alphanumeric() && before != '_' && before != ':'
        })
    }
}

/// Every object's property without a description, by its path.
fn collect_mute(schema: &Json, path: &str, mute: &mut Vec<String>) {
    match schema {
        // The console draws a secret with words of its own.
        Json::Object(object) if object.contains_key("x-secret") => {}
        Json::Object(object) => {
            if let Some(Json::Object(properties)) = object.get("properties") {
                for (name, property) in properties {
                    // An alternative with a single key is told by the alternative's own text.
                    let only = properties.len() == 1 && object.contains_key("description");
                    let described = only || property.get("description").is_some();
                    if !described {
                        mute.push(format!("{path}.{name}"));
                    }
                }
            }
            for (key, value) in object {
                collect_mute(value, &format!("{path}.{key}"), mute);
            }
        }
        Json::Array(array) => array
            .iter()
            .for_each(|value| collect_mute(value, path, mute)),
        _ => {}
    }
}

fn is_protocol(folder: &Path) -> bool {
    let below = folder.strip_prefix(root()).unwrap_or(folder);
    below.starts_with("protocols") && !SHARED.iter().any(|shared| below == Path::new(shared))
}

fn packages() -> Vec<Package> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let text = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_owned();
    packages
        .map(|package| Package {
            name: text(package, "name"),
            folder: Path::new(&text(package, "manifest_path"))
                .parent()
                .unwrap()
                .to_owned(),
            needs: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|dependency| text(dependency, "name"))
                .collect(),
        })
        .collect()
}

/// Every Rust file of every package.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for package in packages() {
        let mut folders = vec![package.folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let nested = path.join("Cargo.toml").is_file() || path.ends_with("target");
                if path.is_dir() && !nested {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let below = path.strip_prefix(root()).unwrap();
                    found.push(Source {
                        path: below.to_str().unwrap().to_owned(),
                        text: fs::read_to_string(&path).unwrap(),
                    });
                }
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}
