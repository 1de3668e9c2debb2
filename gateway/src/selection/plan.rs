//! What an import would do to the rules that are there: added, changed, removed, and what contradicts itself.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::{Row, RowProblem, Shape};

/// What becomes of the rules that are not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They stay.
    Merge,
    /// They go.
    Replace,
}

/// The rules afterwards, and how they differ from those before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    pub rules: Vec<Json>,
    /// The line of the file that each of the rules comes from; none for one that was there and stays.
    pub lines: Vec<Option<usize>>,
    pub added: Vec<Json>,
    /// Before and after.
    pub changed: Vec<(Json, Json)>,
    pub removed: Vec<Json>,
    pub same: usize,
    /// What has to be decided in the file first.
    pub conflicts: Vec<RowProblem>,
}

/// Compares a file's rules with the present ones; nothing is lost from the order of either.
#[must_use]
pub fn plan(shape: &Shape, present: &[Json], file: &[Row], mode: Mode) -> Plan {
    let mut plan = Plan::default();
    let mut wanted: Vec<(String, &Row)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for row in file {
        let about = shape.identity(&row.rule);
        match at.get(&about) {
            None => {
                at.insert(about.clone(), wanted.len());
                wanted.push((about, row));
            }
            Some(first) if wanted[*first].1.rule == row.rule => {}
            Some(first) => plan.conflicts.push(twice(&about, wanted[*first].1, row)),
        }
    }
    for rule in present {
        let about = shape.identity(rule);
        match at.get(&about) {
            Some(index) if wanted[*index].1.rule == *rule => plan.same += 1,
            Some(index) => {
                let after = wanted[*index].1.rule.clone();
                plan.changed.push((rule.clone(), after));
            }
            None if mode == Mode::Replace => plan.removed.push(rule.clone()),
            None => {}
        }
    }
    let known: HashSet<String> = present.iter().map(|rule| shape.identity(rule)).collect();
    let new = wanted.iter().filter(|(about, _)| !known.contains(about));
    let new: Vec<&Row> = new.map(|(_, row)| *row).collect();
    plan.added = new.iter().map(|row| row.rule.clone()).collect();
    let of_file = |row: &Row| (row.rule.clone(), Some(row.line));
    let after: Vec<(Json, Option<usize>)> = match mode {
        Mode::Replace => wanted.iter().map(|(_, row)| of_file(row)).collect(),
        Mode::Merge => {
            let kept = present.iter().map(|rule| {
                let same = at.get(&shape.identity(rule));
                same.map_or((rule.clone(), None), |index| of_file(wanted[*index].1))
            });
            kept.chain(new.iter().map(|row| of_file(row))).collect()
        }
    };
    (plan.rules, plan.lines) = after.into_iter().unzip();
    let named = same_names(&plan.rules, &plan.lines);
    plan.conflicts.extend(named);
    plan
}

fn twice(about: &str, first: &Row, second: &Row) -> RowProblem {
    RowProblem {
        line: Some(second.line),
        words: format!(
            "{about} stands twice in the file, and differently: {} in line {}, and {} here; keep one",
            first.rule, first.line, second.rule
        ),
    }
}

/// Two rules that give the same name to two points: the second would get another one, which nobody wrote.
fn same_names(rules: &[Json], lines: &[Option<usize>]) -> Vec<RowProblem> {
    let mut first: HashMap<(&str, &str), (&Json, Option<usize>)> = HashMap::new();
    let mut conflicts = Vec::new();
    for (rule, line) in rules.iter().zip(lines) {
        let (Some(device), Some(point)) = (rule["device"].as_str(), rule["point"].as_str()) else {
            continue;
        };
        match first.get(&(device, point)) {
            None => {
                first.insert((device, point), (rule, *line));
            }
            Some((other, at)) => conflicts.push(RowProblem {
                line: line.or(*at),
                words: format!(
                    "{rule} and {other} are both called {point} of {device}; name one of them otherwise"
                ),
            }),
        }
    }
    conflicts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::selection::tests::shape;

    /// A rule a line, from line 2.
    fn planned(present: &Json, file: &Json, mode: Mode) -> Plan {
        let rules = file.as_array().unwrap().iter();
        let rows: Vec<Row> = (2..)
            .zip(rules.cloned())
            .map(|(line, rule)| Row { line, rule })
            .collect();
        plan(&shape(), present.as_array().unwrap(), &rows, mode)
    }

    #[test]
    fn merging_keeps_what_the_file_does_not_name_and_replacing_does_not() {
        let present = json!(["Objects/A/**", { "node": "i=7", "point": "a" }, { "node": "i=8" }]);
        let file = json!([{ "node": "i=7", "point": "b" }, { "node": "i=8" }, "Objects/B/**"]);
        let merged = planned(&present, &file, Mode::Merge);
        assert_eq!(merged.added, [json!("Objects/B/**")]);
        assert_eq!(merged.changed.len(), 1);
        assert_eq!((merged.removed.len(), merged.same), (0, 1));
        assert_eq!(merged.lines, [None, Some(2), Some(3), Some(4)]);
        assert_eq!(
            Json::from(merged.rules),
            json!(["Objects/A/**", { "node": "i=7", "point": "b" }, { "node": "i=8" }, "Objects/B/**"])
        );
        let replaced = planned(&present, &file, Mode::Replace);
        assert_eq!(replaced.removed, [json!("Objects/A/**")]);
        assert_eq!(Json::from(replaced.rules), file);
        assert!(replaced.conflicts.is_empty());
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let twice = json!([{ "node": "i=7", "point": "a" }, { "node": "i=7", "point": "b" }]);
        let found = planned(&json!([]), &twice, Mode::Merge).conflicts;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(3));
        let words = &found[0].words;
        assert!(
            words.contains("i=7") && words.contains("twice") && words.contains("in line 2"),
            "{found:?}"
        );
        let alike = json!([{ "node": "i=7", "point": "a" }, { "node": "i=7", "point": "a" }]);
        assert!(
            planned(&json!([]), &alike, Mode::Merge)
                .conflicts
                .is_empty()
        );
        let named = json!([{ "node": "i=8", "device": "d", "point": "a" }]);
        let present = json!([{ "node": "i=7", "device": "d", "point": "a" }]);
        let found = planned(&present, &named, Mode::Merge).conflicts;
        assert_eq!(found[0].line, Some(2));
        assert!(found[0].words.contains("both called a of d"), "{found:?}");
        assert!(
            planned(&present, &named, Mode::Replace)
                .conflicts
                .is_empty()
        );
    }
}
