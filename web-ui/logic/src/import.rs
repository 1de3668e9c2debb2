//! A selection's file before it is taken over: how it is written, and what would change, in lines and words.

use fieldgate_api::selection::{SelectionFormat, SelectionPlan, SelectionProblem};

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

/// What would change, in a sentence.
#[must_use]
pub fn summary(plan: &SelectionPlan) -> String {
    let SelectionPlan {
        added,
        changed,
        removed,
        same,
        ..
    } = plan;
    match (added + changed + removed, plan.problems.is_empty()) {
        (0, true) => "Nothing differs from what is read already.".to_owned(),
        (0, false) => "This file cannot be taken over.".to_owned(),
        _ => {
            let told = plan.changes.len() as u64;
            let more = match (added + changed + removed).saturating_sub(told) {
                0 => String::new(),
                more => format!("; {more} of them are not shown"),
            };
            format!("{added} added, {changed} changed, {removed} removed, {same} the same{more}.")
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
