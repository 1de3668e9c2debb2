//! A selection's file before it is taken over: how it is written, and what would change, in lines and words.

use fieldgate_api::selection::{
    SelectionFormat, SelectionMode, SelectionOutcome, SelectionPlan, SelectionProblem,
};

use crate::diff::Line;

/// How a file is written: by its name, else by its first character.
#[must_use]
pub fn format_of(name: &str, text: &str) -> SelectionFormat {
    let name = name.to_lowercase();
    let json =
        name.ends_with(".json") || (!name.ends_with(".csv") && text.trim_start().starts_with('['));
    match json {
        true => SelectionFormat::Json,
        false => SelectionFormat::Csv,
    }
}

/// The modes in the order in which they are offered.
pub const MODES: [SelectionMode; 5] = [
    SelectionMode::Merge,
    SelectionMode::Skip,
    SelectionMode::Create,
    SelectionMode::Overwrite,
    SelectionMode::Delete,
];

/// A mode as a person reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeWords {
    /// As the API and the command line write it.
    pub id: &'static str,
    pub name: &'static str,
    pub help: &'static str,
    /// What becomes of a rule that is there already, and differs.
    pub fate: &'static str,
}

#[must_use]
pub fn mode_words(mode: SelectionMode) -> ModeWords {
    let words = |id, name, help, fate| ModeWords {
        id,
        name,
        help,
        fate,
    };
    match mode {
        SelectionMode::Merge => words(
            "merge",
            "Merge",
            "New rules are added, those that differ become the file's, the others stay.",
            "becomes the file's",
        ),
        SelectionMode::Skip => words(
            "skip",
            "Skip what is there",
            "New rules are added, everything that is there stays as it is.",
            "stays as it is",
        ),
        SelectionMode::Create => words(
            "create",
            "Only create",
            "New rules are added; when one differs from what is there, nothing is taken over.",
            "stops the import",
        ),
        SelectionMode::Overwrite => words(
            "overwrite",
            "Overwrite",
            "The file is everything: rules that are not in it go.",
            "becomes the file's",
        ),
        SelectionMode::Delete => words(
            "delete",
            "Delete",
            "The rules that the file is about go, the others stay.",
            "goes",
        ),
    }
}

/// What each mode does with a rule that differs: the modes that do the same stand together.
#[must_use]
pub fn fates() -> String {
    let mut fates: Vec<(&str, Vec<&str>)> = Vec::new();
    for words in MODES.map(mode_words) {
        match fates.iter_mut().find(|(fate, _)| *fate == words.fate) {
            Some((_, names)) => names.push(words.name),
            None => fates.push((words.fate, vec![words.name])),
        }
    }
    let one = |(fate, names): (&str, Vec<&str>)| format!("{}: {fate}", names.join(", "));
    fates.into_iter().map(one).collect::<Vec<_>>().join(" · ")
}

/// What a mode would come to, in a few words.
#[must_use]
pub fn outcome(outcome: &SelectionOutcome) -> String {
    let counts = [
        (outcome.added, "added"),
        (outcome.changed, "changed"),
        (outcome.removed, "removed"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match (outcome.problems, counts.is_empty()) {
        (1.., _) => "nothing, because of what is wrong".to_owned(),
        (0, true) => "nothing changes".to_owned(),
        (0, false) => counts.join(", "),
    }
}

/// What would change, in a sentence.
#[must_use]
pub fn summary(plan: &SelectionPlan) -> String {
    let SelectionPlan {
        added,
        changed,
        removed,
        same,
        ignored,
        ..
    } = plan;
    let ignored = match ignored {
        0 => String::new(),
        ignored => format!(", {ignored} without effect"),
    };
    match (added + changed + removed, plan.problems.is_empty()) {
        (0, true) => "Nothing differs from what is read already.".to_owned(),
        (0, false) => "This file cannot be taken over.".to_owned(),
        _ => {
            let told = plan.changes.len() as u64;
            let more = match (added + changed + removed).saturating_sub(told) {
                0 => String::new(),
                more => format!("; {more} of them are not shown"),
            };
            format!(
                "{added} added, {changed} changed, {removed} removed, {same} the same{ignored}{more}."
            )
        }
    }
}

/// Each difference, before and after, with its sign.
#[must_use]
pub fn lines(plan: &SelectionPlan) -> Vec<(Line, String)> {
    let changes = plan.changes.iter().flat_map(|change| {
        let before = change.before.as_ref();
        let after = change.after.as_ref();
        let before = before.map(|rule| (Line::Removed, format!("- {rule}")));
        let after = after.map(|rule| (Line::Added, format!("+ {rule}")));
        before.into_iter().chain(after)
    });
    changes.collect()
}

/// Where a problem is.
#[must_use]
pub fn place(problem: &SelectionProblem) -> String {
    problem
        .line
        .map_or("The file".to_owned(), |line| format!("Line {line}"))
}

/// Whether there is something to take over, and nothing against it.
#[must_use]
pub fn can_apply(plan: &SelectionPlan) -> bool {
    plan.problems.is_empty() && plan.added + plan.changed + plan.removed > 0
}

#[cfg(test)]
mod tests {
    use fieldgate_api::selection::SelectionChange;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_says_what_it_is_by_its_name_or_its_beginning() {
        for (name, text, format) in [
            ("a.CSV", "[", SelectionFormat::Csv),
            ("a.Json", "path", SelectionFormat::Json),
            ("a", " [\"Objects/**\"]", SelectionFormat::Json),
            ("a.txt", "path\nObjects/**", SelectionFormat::Csv),
        ] {
            assert_eq!(format_of(name, text), format, "{name}");
        }
    }

    #[test]
    fn each_mode_says_what_it_comes_to() {
        let of = |added, changed, removed, problems| SelectionOutcome {
            mode: SelectionMode::Merge,
            added,
            changed,
            removed,
            same: 7,
            ignored: 7,
            problems,
        };
        for (told, words) in [
            (of(0, 0, 0, 0), "nothing changes"),
            (of(1, 0, 2, 0), "1 added, 2 removed"),
            (of(1, 0, 0, 1), "nothing, because of what is wrong"),
        ] {
            assert_eq!(outcome(&told), words);
        }
        assert_eq!(
            fates(),
            "Merge, Overwrite: becomes the file's · Skip what is there: stays as it is · Only create: stops the import · Delete: goes"
        );
        for mode in MODES {
            let id = serde_json::to_value(mode).unwrap();
            assert_eq!(id, mode_words(mode).id);
        }
    }

    #[test]
    fn a_change_is_shown_before_and_after() {
        let change = |before, after| SelectionChange { before, after };
        let mut plan = SelectionPlan {
            added: 1,
            changed: 1,
            removed: 2,
            same: 3,
            changes: vec![
                change(Some(json!("a")), None),
                change(Some(json!({ "node": "i=7" })), Some(json!("b"))),
                change(None, Some(json!("c"))),
            ],
            ..SelectionPlan::default()
        };
        let shown: Vec<String> = lines(&plan).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            shown,
            [r#"- "a""#, r#"- {"node":"i=7"}"#, r#"+ "b""#, r#"+ "c""#]
        );
        assert_eq!(
            summary(&plan),
            "1 added, 1 changed, 2 removed, 3 the same; 1 of them are not shown."
        );
        assert!(can_apply(&plan));
        plan.problems.push(SelectionProblem {
            line: Some(3),
            words: "no node id".into(),
        });
        assert!(!can_apply(&plan));
        assert_eq!(place(&plan.problems[0]), "Line 3");
        let nothing = SelectionPlan::default();
        assert!(!can_apply(&nothing));
        assert_eq!(
            summary(&nothing),
            "Nothing differs from what is read already."
        );
    }
}
