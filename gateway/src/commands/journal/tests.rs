//! The journal across restarts, power cuts and full files.

use std::{fs, io::Write};

use super::{
    files::{append, path},
    known::REMEMBERED,
    *,
};
use crate::commands::{LONGEST_TTL, Way, after};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

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
    let open = || Journal::open(folder.path().join("commands"), at(1)).unwrap();
    let mut journal = open();
    let done = Answer::done("80.5 was written")
        .status("Good")
        .old(Some(Value::Float(79.0)));
    journal
        .begin(&command("1"), &console(), at(1), None)
        .unwrap();
    journal.end("1", &done, at(1)).unwrap();
    journal
        .begin(&command("2"), &console(), at(1), None)
        .unwrap();
    let no = Answer::refused("no");
    journal
        .begin(&command("3"), &console(), at(1), Some(&no))
        .unwrap();
    drop(journal);
    // A power cut in the middle of a line.
    let mut file = append(&folder.path().join("commands/commands.jsonl")).unwrap();
    file.write_all(b"{\"begun\":{\"id\":\"4").unwrap();
    let mut journal = open();
    journal
        .begin(&command("5"), &console(), at(2), None)
        .unwrap();
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
    let open = || Journal::open(folder.path().to_owned(), at(1)).unwrap();
    let mut journal = open();
    journal
        .deeds
        .file
        .write_all(b"{\"begun\":{\"id\":\"0")
        .unwrap();
    journal.deeds.is_torn = true;
    journal
        .begin(&command("1"), &console(), at(1), None)
        .unwrap();
    drop(journal);
    let mut journal = open();
    assert!(journal.find("1").is_some());
    // As a rotation leaves it whose head was refused.
    journal.deeds.file = append(&path(folder.path(), "commands", 7)).unwrap();
    journal.deeds.bytes = 0;
    journal
        .begin(&command("2"), &console(), at(1), None)
        .unwrap();
    drop(journal);
    let whole = fs::read_to_string(path(folder.path(), "commands", 7)).unwrap();
    assert!(whole.starts_with("{\"format\""), "{whole}");
    let (_, headless) = whole.split_once('\n').unwrap();
    fs::write(path(folder.path(), "commands", 0), headless).unwrap();
    assert!(open().find("2").is_some());
}

#[test]
fn an_answer_is_owed_until_it_is_delivered_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path().to_owned(), at(9)).unwrap();
    let asker = |destination: &str| Asker {
        reply: Some(Reply {
            destination: destination.into(),
            to: json!({ "topic": "a" }),
        }),
        ..console()
    };
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
    journal.told("told", at(8)).unwrap();
    journal.told("unknown", at(8)).unwrap();
    drop(journal);
    let journal = open();
    let owed: Vec<(&str, Outcome)> = journal
        .owed("a", at(2))
        .into_iter()
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
    let open = || Journal::open(folder.path().to_owned(), at(0));
    let mut journal = open().unwrap();
    for id in 0..KEPT_DEEDS + 3 {
        journal.deeds.bytes = MAX_FILE_BYTES;
        let id = id.to_string();
        journal
            .begin(&command(&id), &console(), Timestamp::default(), None)
            .unwrap();
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, KEPT_DEEDS + 1 + 1, "and the one of the others");
    let kept = open().unwrap();
    assert_eq!(kept.last().len(), KEPT_DEEDS + 1);
    fs::write(
        folder.path().join("commands.jsonl"),
        "{\"format\":\"fieldgate-commands\",\"version\":2}\n",
    )
    .unwrap();
    assert!(open().is_err());
}

#[test]
fn a_flood_of_refused_commands_makes_nothing_forgotten_that_was_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let open = |now| Journal::open(folder.path().to_owned(), now).unwrap();
    let mut journal = open(at(0));
    let done = Answer::done("80.5 was written");
    journal
        .begin(&command("done"), &console(), at(1), None)
        .unwrap();
    journal.end("done", &done, at(1)).unwrap();
    // On the disk as well: the files of what is refused go round while the other ones stay.
    for round in 0..=KEPT_OTHERS {
        journal.others.bytes = MAX_FILE_BYTES;
        let no = Answer::refused("no");
        journal
            .begin(
                &command(&format!("no {round}")),
                &console(),
                at(2),
                Some(&no),
            )
            .unwrap();
    }
    for number in 0..REMEMBERED {
        let line = line(&format!("junk {number}"), at(3), Some("no"));
        journal.known.take(line, 100, at(3));
        // Reading changes nothing, and may be done twice.
        let mut read = self::line(&format!("read {number}"), at(3), None);
        read.begun.as_mut().unwrap().action = "read".into();
        journal.known.take(read, 100, at(3));
    }
    let done_entries = journal.known.young_bytes(at(3));
    assert!(done_entries < 1000, "{done_entries}");
    assert!(journal.find("no 0").is_none());
    assert_eq!(journal.find("done").unwrap().answer(), done);
    let journal = open(at(3));
    assert_eq!(journal.find("done").unwrap().answer(), done);
    assert_eq!(journal.last()[0].begun.id, format!("no {KEPT_OTHERS}"));
}

#[test]
fn what_may_have_changed_something_is_known_as_long_as_a_command_can_live_or_nothing_more_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned(), at(0)).unwrap();
    for number in 0..2 * REMEMBERED {
        let line = line(&number.to_string(), at(0), None);
        journal.known.take(line, 100, at(0));
    }
    assert!(journal.find("0").is_some() && journal.has_room(at(0)));
    let large = line("large", at(0), None);
    journal.known.take(large, ROOM_BYTES, at(0));
    assert!(!journal.has_room(after(at(0), LONGEST_TTL)));
    assert!(journal.find("0").is_some());
    let later = after(at(1), LONGEST_TTL);
    assert!(journal.has_room(later) && journal.find("0").is_none());
}

#[test]
fn a_clock_that_is_set_back_forgets_nothing_early_and_blocks_nothing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned(), at(0)).unwrap();
    let year = at(365 * 86_400_000);
    for id in ["a", "b"] {
        journal.known.take(line(id, year, None), ROOM_BYTES, year);
    }
    assert!(
        !journal.has_room(at(0)),
        "they may have been repeated just now"
    );
    assert!(journal.has_room(after(at(1), LONGEST_TTL)));
}

#[test]
fn an_answer_that_is_owed_and_forgotten_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned(), at(0)).unwrap();
    for number in 0..=REMEMBERED {
        let mut line = line(&number.to_string(), at(1), Some("no"));
        let begun = line.begun.as_mut().unwrap();
        begun.reply = Some(Reply {
            destination: "broker".into(),
            to: Json::Null,
        });
        journal.known.take(line, 100, at(1));
    }
    assert!(journal.find("0").is_none() && journal.find("1").is_some());
    assert_eq!(journal.forgotten(), ["broker"]);
    assert!(journal.forgotten().is_empty());
}

#[test]
fn large_values_are_told_apart_by_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Journal::open(folder.path().to_owned(), at(0)).unwrap();
    let text = |of: &str| Value::Text(of.repeat(MAX_VALUE_BYTES));
    let long = Command {
        action: Action::Write(text("a")),
        ..command("1")
    };
    open().begin(&long, &console(), at(0), None).unwrap();
    let journal = open();
    let entry = journal.find("1").unwrap();
    assert_eq!(entry.begun.value, json!("(4098 bytes)"));
    let draft = |value| Draft {
        action: Action::Write(value),
        ..draft(0.0)
    };
    assert!(entry.is_same(&draft(text("a"))));
    assert!(!entry.is_same(&draft(text("b"))));
    assert!(!entry.is_same(&draft(Value::Text("(4098 bytes)".into()))));
}

/// They would use up the room in which commands are kept in mind, and be read again at each start.
#[test]
fn words_without_end_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path().to_owned(), at(0)).unwrap();
    journal
        .begin(&command("1"), &console(), at(0), None)
        .unwrap();
    let long = Answer::done("ä".repeat(1 << 20));
    journal.end("1", &long, at(0)).unwrap();
    let words = journal.find("1").unwrap().answer().words;
    assert!(
        words.ends_with("ä…") && words.len() < 5_000,
        "{}",
        words.len()
    );
    assert!(journal.known.young_bytes(at(0)) < 10_000);
}

fn line(id: &str, at: Timestamp, refused: Option<&str>) -> Line {
    let begun = Begun {
        id: id.to_owned(),
        at,
        who: String::new(),
        target: String::new(),
        action: String::new(),
        value: Json::Null,
        digest: None,
        reply: None,
    };
    let refused = refused.map(|words| ended(id, &Answer::refused(words), at));
    Line {
        begun: Some(begun),
        ended: refused,
        told: None,
    }
}
