//! The configuration as a whole: bad files and what is said about them, the shipped examples, changes and going back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use fieldgate_api::config::{Draft, Layer};
use serde_json::{Value as Json, json};

use super::{
    ChangeError, Desired, Locations, Section, check, diff,
    files::Files,
    layers::Text,
    line,
    loaded::{Surroundings, assemble},
    testing::registry,
};
use crate::registry::Registry;

const ADMIN: &str = r#"# the administrator's
[[destination]]
id = "broker"
kind = "broker"
url = "mqtts://broker.plant:8883"

[[source]]
id = "oven"
kind = "machine"
endpoint = "opc.tcp://oven:4840"
user = { name = "operator", password = { file = "oven.password" } }
"#;

/// A folder with a file of the administrator's and a state folder.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.file(), ADMIN).unwrap();
        place
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("fieldgate.toml")
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn locations(&self) -> Locations {
        Locations {
            files: vec![self.file()],
            state: self.state(),
            ..Locations::default()
        }
    }

    fn open(&self) -> Desired {
        match Desired::open(self.locations(), registry()) {
            Ok((desired, _)) => desired,
            Err(problems) => panic!("{problems:#?}"),
        }
    }

    fn secrets(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.state().join("secrets")) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn machine(settings: Json) -> Draft {
    Draft {
        kind: "machine".to_owned(),
        paused: false,
        settings,
    }
}

fn press() -> Draft {
    machine(json!({ "endpoint": "opc.tcp://press:4840" }))
}

fn route(from: &str, to: &str) -> Draft {
    Draft {
        kind: "route".to_owned(),
        paused: false,
        settings: json!({ "from": [from], "to": to }),
    }
}

fn add(desired: &Desired, section: Section, id: &str, draft: &Draft) -> u64 {
    desired
        .put(section, id, draft, None, "console")
        .unwrap()
        .1
        .revision
}

fn invalid<T: std::fmt::Debug>(result: Result<T, ChangeError>) -> String {
    match result {
        Err(ChangeError::Invalid(problems)) => {
            problems.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        other => panic!("{other:?}"),
    }
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

/// `BLESS=1 cargo test -p fieldgate` writes what is said now as what is expected.
#[test]
fn bad_files_are_told_what_is_wrong_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata/bad");
    let files = toml_files(&folder);
    assert!(files.len() >= 11, "{files:?}");
    for file in files {
        let problems = check(std::slice::from_ref(&file), &registry()).unwrap_err();
        let lead = format!("{}/", folder.display());
        let told: String = problems
            .iter()
            .map(|problem| line(problem).replace(&lead, "") + "\n")
            .collect();
        assert!(!told.contains("hunter2"), "{told}");
        let golden = file.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(
            told,
            fs::read_to_string(&golden).unwrap(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn the_shipped_examples_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/examples");
    let files = toml_files(&folder);
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        if let Err(problems) = check(&[file], &Registry::all()) {
            panic!(
                "{}",
                problems.iter().map(line).collect::<Vec<_>>().join("\n")
            );
        }
    }
}

#[test]
fn a_change_is_in_force_at_once_and_after_a_restart() {
    let place = Place::new();
    let desired = place.open();
    let before = desired.current();
    let (loaded, saved) = desired
        .put(Section::Source, "press", &press(), Some(0), "console")
        .unwrap();
    assert_eq!((saved.revision, loaded.config.revision), (1, 1));
    assert!(
        saved.diff.contains("+endpoint = \"opc.tcp://press:4840\""),
        "{}",
        saved.diff
    );
    let changes = diff(&before.config, &loaded.config);
    assert_eq!(changes.sources.added, ["press".into()]);
    assert_eq!(*desired.watch().borrow(), loaded);

    let item = loaded.item(Section::Source, "press").unwrap();
    assert!(item.removable && item.locked.is_empty());
    assert_eq!(
        (item.origin.layer, item.origin.place.as_str()),
        (Layer::Console, "revision 1")
    );
    assert!(desired.view().effective.contains("id = \"press\""));
    assert_eq!(place.open().current(), loaded);
    assert_eq!(fs::read_to_string(place.file()).unwrap(), ADMIN);

    // The same again is no change, so there is no revision of it.
    let (_, saved) = desired
        .put(Section::Source, "press", &press(), Some(1), "console")
        .unwrap();
    assert_eq!((saved.revision, saved.diff.as_str()), (1, ""));
}

#[test]
fn a_change_to_what_others_changed_is_refused() {
    let place = Place::new();
    let desired = place.open();
    add(&desired, Section::Source, "press", &press());
    let result = desired.put(Section::Source, "press", &press(), Some(0), "console");
    assert!(
        matches!(
            result,
            Err(ChangeError::Conflict {
                base: 0,
                current: 1
            })
        ),
        "{result:?}"
    );
    let result = desired.remove(Section::Source, "press", Some(7), "console");
    assert!(
        matches!(
            result,
            Err(ChangeError::Conflict {
                base: 7,
                current: 1
            })
        ),
        "{result:?}"
    );
}

#[test]
fn a_bad_draft_changes_nothing() {
    let place = Place::new();
    let desired = place.open();
    let before = desired.current();
    let draft = machine(json!({
        "endpoint": "press", "intervall": "1 s", "user": { "name": "x", "password": { "typed": "hunter2" } },
    }));
    let told = invalid(desired.put(Section::Source, "press", &draft, None, "console"));
    assert!(
        told.contains("console: source press intervall: unknown key `intervall`"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    for (section, id, draft) in [
        (Section::Source, "../press", press()),
        (Section::Source, "gateway", press()),
        (Section::Source, "press", machine(json!([]))),
        (Section::Route, "all", route("oven/**", "nowhere")),
        (Section::Route, "all", press()),
    ] {
        invalid(desired.put(section, id, &draft, None, "console"));
    }
    assert_eq!(desired.current(), before);
    assert_eq!((desired.view().revision, place.secrets()), (0, vec![]));
}

#[test]
fn what_a_file_fixes_is_locked_and_the_rest_is_not() {
    let place = Place::new();
    let desired = place.open();
    let oven = desired
        .current()
        .item(Section::Source, "oven")
        .unwrap()
        .clone();
    assert!(!oven.removable);
    let at = format!("{}:10", place.file().display());
    assert_eq!(oven.locked["endpoint"].place, at);

    let mut draft = oven.draft.clone();
    draft.settings["endpoint"] = json!("opc.tcp://elsewhere:4840");
    let result = desired.put(Section::Source, "oven", &draft, None, "console");
    let Err(ChangeError::Locked { path, origin }) = result else {
        panic!("{result:?}")
    };
    assert_eq!((path.as_str(), origin.place), ("endpoint", at.clone()));
    let result = desired.remove(Section::Source, "oven", None, "console");
    assert!(
        matches!(result, Err(ChangeError::Locked { .. })),
        "{result:?}"
    );

    let paused = Draft {
        paused: true,
        ..oven.draft.clone()
    };
    let (loaded, _) = desired
        .put(Section::Source, "oven", &paused, None, "console")
        .unwrap();
    let source = &loaded.config.sources[0];
    assert!(source.paused && source.settings == oven.draft.settings);
    assert_eq!(
        desired.revision(1).unwrap().toml,
        "[[source]]\nid = \"oven\"\npaused = true\n"
    );
    let (loaded, _) = desired
        .put(Section::Source, "oven", &oven.draft, None, "console")
        .unwrap();
    assert!(!loaded.config.sources[0].paused);
    let whats: Vec<String> = desired
        .revisions()
        .unwrap()
        .into_iter()
        .map(|revision| revision.what)
        .collect();
    assert_eq!(whats, ["resume source oven", "pause source oven"]);
}

#[test]
fn what_is_left_over_of_an_item_that_went_is_ignored() {
    let place = Place::new();
    let desired = place.open();
    let oven = desired
        .current()
        .item(Section::Source, "oven")
        .unwrap()
        .draft
        .clone();
    add(
        &desired,
        Section::Source,
        "oven",
        &Draft {
            paused: true,
            ..oven
        },
    );
    fs::write(place.file(), ADMIN.split("\n[[source]]").next().unwrap()).unwrap();
    let loaded = desired.reload().unwrap();
    assert_eq!(loaded.config.sources, []);
    assert_eq!(desired.view().problems[0].item, "source oven");
    desired
        .remove(Section::Source, "oven", None, "console")
        .unwrap();
    assert_eq!(desired.view().problems, []);
}

#[test]
fn typed_secrets_are_kept_apart() {
    let place = Place::new();
    let desired = place.open();
    let with = |password: Json| {
        machine(
            json!({ "endpoint": "opc.tcp://press:4840", "user": { "name": "x", "password": password } }),
        )
    };
    let typed = with(json!({ "typed": "hunter2" }));
    let trial = desired.trial(Section::Source, "press", &typed).unwrap();
    let reference = serde_json::from_value(trial.settings["user"]["password"].clone()).unwrap();
    assert_eq!(trial.secrets.read(&reference).unwrap().reveal(), "hunter2");
    drop(trial);
    assert_eq!(place.secrets(), Vec::<String>::new());

    let (loaded, saved) = desired
        .put(Section::Source, "press", &typed, None, "console")
        .unwrap();
    let kept = loaded.item(Section::Source, "press").unwrap().draft.clone();
    let reference = serde_json::from_value(kept.settings["user"]["password"].clone()).unwrap();
    assert_eq!(
        desired.secrets().read(&reference).unwrap().reveal(),
        "hunter2"
    );
    let everything = format!(
        "{:?}{saved:?}{loaded:?}{:?}",
        desired.view(),
        desired.revision(1)
    );
    assert!(!everything.contains("hunter2"), "{everything}");

    // Sent back as it came it stays; another item cannot have it; files and variables are out of reach.
    let (_, saved) = desired
        .put(Section::Source, "press", &kept, None, "console")
        .unwrap();
    assert_eq!(saved.diff, "");
    invalid(desired.put(Section::Source, "other", &kept, None, "console"));
    for reference in [json!({ "file": "/etc/shadow" }), json!({ "env": "HOME" })] {
        let told = invalid(desired.put(
            Section::Source,
            "press",
            &with(reference.clone()),
            None,
            "c",
        ));
        assert!(
            told.contains("source press user.password: the console cannot refer to"),
            "{told}"
        );
        invalid(desired.trial(Section::Source, "press", &with(reference)));
    }
    add(
        &desired,
        Section::Source,
        "press",
        &with(json!({ "credential": "press" })),
    );

    // The secret is still there to go back to.
    let (loaded, _) = desired.revert(1, None, "console").unwrap();
    assert_eq!(loaded.item(Section::Source, "press").unwrap().draft, kept);
    assert_eq!(place.secrets().len(), 1);
}

#[test]
fn what_is_in_use_cannot_be_removed() {
    let place = Place::new();
    let desired = place.open();
    add(&desired, Section::Source, "press", &press());
    add(
        &desired,
        Section::Route,
        "all",
        &route("press/**", "broker"),
    );
    let told = invalid(desired.remove(Section::Source, "press", None, "console"));
    assert!(told.contains("the route `all` still needs it"), "{told}");
    desired
        .remove(Section::Route, "all", None, "console")
        .unwrap();
    desired
        .remove(Section::Source, "press", None, "console")
        .unwrap();
    let result = desired.remove(Section::Source, "press", None, "console");
    assert!(
        matches!(result, Err(ChangeError::NotFound(_))),
        "{result:?}"
    );
    let (loaded, saved) = desired.revert(2, None, "console").unwrap();
    assert_eq!((saved.revision, loaded.config.routes.len()), (5, 1));
    assert_eq!(
        desired.revision(5).unwrap().revision.what,
        "revert to revision 2"
    );
    let (loaded, _) = desired.revert(0, None, "console").unwrap();
    assert_eq!(loaded.config.routes, []);
    assert!(matches!(
        desired.revert(99, None, "console"),
        Err(ChangeError::NotFound(_))
    ));
}

fn rule(when: &str, target: &str) -> Draft {
    Draft {
        kind: "rule".to_owned(),
        paused: false,
        settings: json!({ "when": [when], "do": { "target": target, "call": { "secret": "{message}" } } }),
    }
}

#[test]
fn rules_have_revisions_needs_and_overrides_like_the_others() {
    let place = Place::new();
    let desired = place.open();
    add(&desired, Section::Source, "press", &press());
    let own = desired.put(
        Section::Rule,
        "hot",
        &rule("press/**", "press/a/b"),
        None,
        "console",
    );
    assert!(invalid(own).contains("answer to itself"));
    add(
        &desired,
        Section::Rule,
        "hot",
        &rule("oven/**", "press/a/b"),
    );
    add(
        &desired,
        Section::Route,
        "all",
        &route("press/**", "broker"),
    );
    let told = invalid(desired.remove(Section::Source, "press", None, "console"));
    assert!(
        told.contains("the route `all` and the rule `hot` still needs it"),
        "{told}"
    );
    let loaded = desired.current();
    assert_eq!(loaded.config.rules[0].settings.pause.0.as_secs(), 10);
    assert!(
        loaded.effective.contains("[[rule]]"),
        "{}",
        loaded.effective
    );
    let paused = Draft {
        paused: true,
        ..rule("oven/**", "press/a/b")
    };
    let (after, saved) = desired
        .put(Section::Rule, "hot", &paused, None, "console")
        .unwrap();
    assert_eq!(
        desired.revision(saved.revision).unwrap().revision.what,
        "pause rule hot"
    );
    let changes = diff(&loaded.config, &after.config);
    assert_eq!(changes.rules.changed.len(), 1);

    let locations = Locations {
        env: vec![("FIELDGATE__RULE__HOT__PAUSE".to_owned(), "1 min".to_owned())],
        ..place.locations()
    };
    let (desired, loaded) = Desired::open(locations, registry()).unwrap();
    assert_eq!(loaded.config.rules[0].settings.pause.0.as_secs(), 60);
    let item = loaded.item(Section::Rule, "hot").unwrap();
    assert_eq!(item.locked["pause"].layer, Layer::Environment);
    drop(desired);
}

#[test]
fn a_reload_of_bad_files_keeps_the_last_good_ones() {
    let place = Place::new();
    let desired = place.open();
    let before = desired.current();
    fs::write(
        place.file(),
        "[[destination]]\nid = 'broker'\nkind = 'brokr'\n",
    )
    .unwrap();
    let problems = desired.reload().unwrap_err();
    assert_eq!(problems[0].origin, format!("{}:3", place.file().display()));
    assert_eq!(
        (desired.current(), desired.view().problems),
        (before, problems)
    );
    // Changes go on, on top of the last good files.
    add(&desired, Section::Route, "all", &route("oven/**", "broker"));
    fs::write(place.file(), ADMIN).unwrap();
    desired.reload().unwrap();
    assert_eq!(desired.view().problems, []);
    fs::remove_file(place.file()).unwrap();
    assert!(desired.reload().is_err());
}

#[test]
fn a_damaged_revision_falls_back_to_the_one_before() {
    let place = Place::new();
    let desired = place.open();
    add(&desired, Section::Source, "press", &press());
    desired
        .remove(Section::Source, "press", None, "console")
        .unwrap();
    let newest = place.state().join("config/00000002.toml");
    let file = fs::read_to_string(&newest).unwrap();
    fs::write(&newest, &file[..file.len() / 2]).unwrap();
    let desired = place.open();
    assert!(desired.current().item(Section::Source, "press").is_some());
    let view = desired.view();
    assert_eq!((view.revision, view.problems.len()), (1, 1));
    assert_eq!(
        add(
            &desired,
            Section::Route,
            "all",
            &route("press/**", "broker")
        ),
        3
    );
}

#[test]
fn the_environment_and_flags_win_and_the_demo_gives_way() {
    let place = Place::new();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let locations = Locations {
        env: vec![
            pair("FIELDGATE__SOURCE__OVEN__ENDPOINT", "opc.tcp://env:1"),
            pair("HOME", "/"),
        ],
        flags: vec![pair("gateway.name", "line-4")],
        demo: Some(
            "[[source]]\nid = \"demo\"\nkind = \"machine\"\nendpoint = \"opc.tcp://demo:1\"\n"
                .to_owned(),
        ),
        ..place.locations()
    };
    let (desired, loaded) = Desired::open(locations, registry()).unwrap();
    assert_eq!(loaded.config.gateway.name, "line-4");
    let oven = loaded.item(Section::Source, "oven").unwrap();
    assert_eq!(oven.draft.settings["endpoint"], json!("opc.tcp://env:1"));
    assert_eq!(
        oven.locked["endpoint"].place,
        "FIELDGATE__SOURCE__OVEN__ENDPOINT"
    );
    let demo = loaded.item(Section::Source, "demo").unwrap().clone();
    assert_eq!(
        (demo.origin.place.as_str(), demo.removable),
        ("demo:1", false)
    );
    assert!(demo.locked.is_empty());

    // A changed demonstration device stands on its own, so that it outlives --demo.
    add(
        &desired,
        Section::Source,
        "demo",
        &Draft {
            paused: true,
            ..demo.draft
        },
    );
    assert!(
        place
            .open()
            .current()
            .item(Section::Source, "demo")
            .is_some()
    );
}

proptest::proptest! {
    /// Whatever stands in a file, it is good or it is told what is wrong, with a line of it.
    #[test]
    fn no_text_makes_it_panic(at in 0..ADMIN.len(), gone in 0..40_usize, new in "[a-z=\\[\\]{}\", .\n0-9]{0,12}") {
        let end = (at + gone).min(ADMIN.len());
        let text = format!("{}{new}{}", &ADMIN[..at], &ADMIN[end..]);
        let file = Text { layer: Layer::File, name: "x.toml".to_owned(), text };
        let files = Files { texts: vec![file], ..Files::default() };
        let surroundings = Surroundings { files, ..Surroundings::default() };
        if let Err(problems) = assemble(&surroundings, "", "console", 0, &registry()) {
            for problem in &problems {
                proptest::prop_assert!(problem.origin.starts_with("x.toml:"), "{}", line(problem));
            }
        }
    }
}
