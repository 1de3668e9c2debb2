//! The journal across restarts, power cuts and full files.

use super::*;
use crate::commands::Way;

fn command(id: &str) -> Command {
    Command {
        id: id.into(),
        target: "press/Line/SetPoint".parse().unwrap(),
        action: Action::Write(Value::Float(80.5)),
        issued: Timestamp::default(),
        expires: Timestamp::default(),
    }
}

fn console() -> Asker {
    Asker {
        who: "console".into(),
        way: Way::Console,
        reply: None,
    }
}

fn draft(value: f64) -> Draft {
    Draft {
        id: None,
        target: "press/Line/SetPoint".parse().unwrap(),
        action: Action::Write(Value::Float(value)),
        issued: None,
        ttl: None,
    }
}

#[test]
fn what_was_commanded_is_known_after_a_restart_and_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path().join("commands")).unwrap();
    let mut journal = open();
    let at = Timestamp::from_millis(1);
    let done = Answer::done("80.5 was written")
        .status("Good")
        .old(Some(Value::Float(79.0)));
    journal.begin(&command("1"), &console(), at, None).unwrap();
    journal.end("1", &done, at).unwrap();
    journal.begin(&command("2"), &console(), at, None).unwrap();
    let no = Answer::refused("no");
    journal
        .begin(&command("3"), &console(), at, Some(&no))
        .unwrap();
    drop(journal);
    // A power cut in the middle of a line.
    let mut file = append(&folder.path().join("commands/commands.jsonl")).unwrap();
    file.write_all(b"{\"begun\":{\"id\":\"4").unwrap();
    let mut journal = open();
    journal.begin(&command("5"), &console(), at, None).unwrap();
    drop(journal);
    let journal = open();
    let ids: Vec<String> = journal
        .last()
        .into_iter()
        .map(|entry| entry.begun.id)
        .collect();
    assert_eq!(ids, ["5", "3", "2", "1"]);
    assert_eq!(journal.find("1").unwrap().answer(), done);
    assert_eq!(journal.find("3").unwrap().answer(), no);
    let unknown = journal.find("2").unwrap().answer();
    assert!(unknown.outcome == Outcome::Failed && unknown.words.contains("not known"));
    assert!(journal.find("1").unwrap().is_same(&draft(80.5)));
    assert!(!journal.find("1").unwrap().is_same(&draft(1.0)));
    let text = fs::read_to_string(folder.path().join("commands/commands.jsonl")).unwrap();
    assert!(
        text.starts_with("{\"format\":\"fieldgate-commands\",\"version\":1}\n"),
        "{text}"
    );
}

#[test]
fn a_line_that_the_disk_tore_costs_no_other_and_neither_does_a_head_that_it_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path().to_owned()).unwrap();
    let at = Timestamp::from_millis(1);
    let mut journal = open();
    journal.file.write_all(b"{\"begun\":{\"id\":\"0").unwrap();
    journal.is_torn = true;
    journal.begin(&command("1"), &console(), at, None).unwrap();
    drop(journal);
    let mut journal = open();
    assert!(journal.find("1").is_some());
    // As a rotation leaves it whose head was refused.
    journal.file = append(&path(folder.path(), 7)).unwrap();
    journal.bytes = 0;
    journal.begin(&command("2"), &console(), at, None).unwrap();
    drop(journal);
    let whole = fs::read_to_string(path(folder.path(), 7)).unwrap();
    assert!(whole.starts_with("{\"format\""), "{whole}");
    let (_, headless) = whole.split_once('\n').unwrap();
    fs::write(path(folder.path(), 0), headless).unwrap();
    assert!(open().find("2").is_some());
}

#[test]
fn an_answer_is_owed_until_it_is_delivered_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path().to_owned()).unwrap();
    let asker = |destination: &str| Asker {
        reply: Some(Reply {
            destination: destination.into(),
            to: json!({ "topic": "a" }),
        }),
        ..console()
    };
    let at = Timestamp::from_millis;
    let mut journal = open();
    let no = Answer::refused("no");
    for (id, destination, ms, refused) in [
        ("old", "a", 1, Some(&no)),
        ("refused", "a", 5, Some(&no)),
        ("begun", "a", 6, None),
        ("other", "b", 6, None),
        ("told", "a", 7, Some(&no)),
    ] {
        let (command, asker) = (command(id), asker(destination));
        journal.begin(&command, &asker, at(ms), refused).unwrap();
    }
    journal.told("told").unwrap();
    journal.told("unknown").unwrap();
    drop(journal);
    let journal = open();
    let owed: Vec<(&str, Outcome)> = journal
        .owed("a", at(2))
        .map(|(entry, reply)| {
            assert_eq!(reply.to["topic"], "a");
            (entry.begun.id.as_str(), entry.answer().outcome)
        })
        .collect();
    assert_eq!(
        owed,
        [("refused", Outcome::Refused), ("begun", Outcome::Failed)]
    );
}

#[test]
fn the_files_are_bounded_and_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned()).unwrap();
    for id in 0..KEPT_FILES + 3 {
        journal.bytes = MAX_FILE_BYTES;
        let id = id.to_string();
        journal
            .begin(&command(&id), &console(), Timestamp::default(), None)
            .unwrap();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT_FILES + 1);
    let kept = Journal::open(folder.path().to_owned()).unwrap();
    assert_eq!(kept.last().len(), KEPT_FILES + 1);
    fs::write(
        folder.path().join("commands.jsonl"),
        "{\"format\":\"fieldgate-commands\",\"version\":2}\n",
    )
    .unwrap();
    assert!(Journal::open(folder.path().to_owned()).is_err());
}

#[test]
fn no_more_ids_are_remembered_than_there_is_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned()).unwrap();
    for id in 0..=REMEMBERED {
        let begun = Begun {
            id: id.to_string(),
            at: Timestamp::default(),
            who: String::new(),
            target: String::new(),
            action: String::new(),
            value: Json::Null,
            reply: None,
        };
        journal.remember(Line {
            begun: Some(begun),
            ..Line::default()
        });
    }
    assert!(journal.find("0").is_none() && journal.find("1").is_some());
}
