//! What an import would do to the rules that are there: added, changed, removed, and what contradicts itself.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::{Row, RowProblem, Shape};

/// What a file does to the rules that are there. A rule of the file is new, or about the same as one that is there: then it
/// is the same, or differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// New ones are added, what differs becomes the file's, the rest stays.
    Merge,
    /// New ones are added, everything that is there stays as it is.
    Skip,
    /// New ones are added; one that differs stops it all.
    Create,
    /// The file is everything: what is not in it goes.
    Overwrite,
    /// What the file is about goes, the rest stays.
    Delete,
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
    /// Rules of the file that come to nothing: what is there stays, or there is nothing to take out.
    pub ignored: usize,
    /// What has to be decided in the file first.
    pub problems: Vec<RowProblem>,
}

/// A rule of the file that is about the same as one that is there, and says something else.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub line: usize,
    pub present: Json,
    pub file: Json,
}

/// The rules of a file by what they are about, each once, in the file's order.
struct Wanted<'a> {
    rows: Vec<(String, &'a Row)>,
    at: HashMap<String, usize>,
    /// Those that stand there twice, and differently.
    twice: Vec<RowProblem>,
}

/// Compares a file's rules with the present ones; nothing is lost from the order of either.
#[must_use]
pub fn plan(shape: &Shape, present: &[Json], file: &[Row], mode: Mode) -> Plan {
    let wanted = Wanted::of(shape, file);
    let mut plan = Plan::default();
    for rule in present {
        let row = wanted.find(&shape.identity(rule));
        plan.meet(rule, row, mode);
    }
    let known: HashSet<String> = present.iter().map(|rule| shape.identity(rule)).collect();
    for (about, row) in &wanted.rows {
        match (known.contains(about), mode) {
            (true, _) => {}
            (false, Mode::Delete) => plan.ignored += 1,
            (false, _) => {
                plan.added.push(row.rule.clone());
                plan.keep(&row.rule, Some(row.line));
            }
        }
    }
    if mode == Mode::Overwrite {
        let of_file = |(_, row): &(String, &Row)| (row.rule.clone(), Some(row.line));
        (plan.rules, plan.lines) = wanted.rows.iter().map(of_file).unzip();
    }
    if mode != Mode::Delete {
        plan.problems.extend(wanted.twice);
        plan.problems.extend(same_names(&plan.rules, &plan.lines));
    }
    plan
}

/// The rules of a file that differ from what is there, whatever is done with them.
#[must_use]
pub fn conflicts(shape: &Shape, present: &[Json], file: &[Row]) -> Vec<Conflict> {
    let wanted = Wanted::of(shape, file);
    let differs = |rule: &Json| {
        let row = wanted.find(&shape.identity(rule))?;
        (row.rule != *rule).then(|| Conflict {
            line: row.line,
            present: rule.clone(),
            file: row.rule.clone(),
        })
    };
    present.iter().filter_map(differs).collect()
}

// === impl Mode ===

impl Mode {
    pub const ALL: [Self; 5] = [
        Self::Merge,
        Self::Skip,
        Self::Create,
        Self::Overwrite,
        Self::Delete,
    ];
}

// === impl Plan ===

impl Plan {
    /// A rule that is there, and what the file has about the same.
    fn meet(&mut self, rule: &Json, row: Option<&Row>, mode: Mode) {
        match (row, mode) {
            (None, Mode::Overwrite) | (Some(_), Mode::Delete) => self.removed.push(rule.clone()),
            (None, _) => self.keep(rule, None),
            (Some(row), _) if row.rule == *rule => {
                self.same += 1;
                self.keep(rule, Some(row.line));
            }
            (Some(row), Mode::Merge | Mode::Overwrite) => {
                self.changed.push((rule.clone(), row.rule.clone()));
                self.keep(&row.rule, Some(row.line));
            }
            (Some(row), Mode::Skip | Mode::Create) => {
                self.ignored += 1;
                self.keep(rule, None);
                if mode == Mode::Create {
                    self.problems.push(there_already(rule, row));
                }
            }
        }
    }

    fn keep(&mut self, rule: &Json, line: Option<usize>) {
        self.rules.push(rule.clone());
        self.lines.push(line);
    }
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    fn of(shape: &Shape, file: &'a [Row]) -> Self {
        let mut wanted = Self {
            rows: Vec::new(),
            at: HashMap::new(),
            twice: Vec::new(),
        };
        for row in file {
            let about = shape.identity(&row.rule);
            match wanted.find(&about) {
                None => {
                    wanted.at.insert(about.clone(), wanted.rows.len());
                    wanted.rows.push((about, row));
                }
                Some(first) if first.rule == row.rule => {}
                Some(first) => wanted.twice.push(twice(&about, first, row)),
            }
        }
        wanted
    }

    fn find(&self, about: &str) -> Option<&'a Row> {
        self.at.get(about).map(|index| self.rows[*index].1)
    }
}

fn there_already(present: &Json, row: &Row) -> RowProblem {
    RowProblem {
        line: Some(row.line),
        words: format!(
            "{present} is there already, and the file says {}; take it out of the file, or choose what is to become of it by another mode",
            row.rule
        ),
    }
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
    fn each_mode_does_what_its_name_says() {
        let present = json!(["Objects/A/**", { "node": "i=7", "point": "a" }, { "node": "i=8" }]);
        let file = json!([{ "node": "i=7", "point": "b" }, { "node": "i=8" }, "Objects/B/**"]);
        // Added, changed, removed, the same, without effect, problems.
        for (mode, counts, rules) in [
            (
                Mode::Merge,
                [1, 1, 0, 1, 0, 0],
                json!(["Objects/A/**", { "node": "i=7", "point": "b" }, { "node": "i=8" }, "Objects/B/**"]),
            ),
            (
                Mode::Skip,
                [1, 0, 0, 1, 1, 0],
                json!(["Objects/A/**", { "node": "i=7", "point": "a" }, { "node": "i=8" }, "Objects/B/**"]),
            ),
            (
                Mode::Create,
                [1, 0, 0, 1, 1, 1],
                json!(["Objects/A/**", { "node": "i=7", "point": "a" }, { "node": "i=8" }, "Objects/B/**"]),
            ),
            (Mode::Overwrite, [1, 1, 1, 1, 0, 0], file.clone()),
            (Mode::Delete, [0, 0, 2, 0, 1, 0], json!(["Objects/A/**"])),
        ] {
            let plan = planned(&present, &file, mode);
            let found = [
                plan.added.len(),
                plan.changed.len(),
                plan.removed.len(),
                plan.same,
                plan.ignored,
                plan.problems.len(),
            ];
            assert_eq!(found, counts, "{mode:?}");
            assert_eq!(Json::from(plan.rules), rules, "{mode:?}");
            assert_eq!(
                plan.lines.len(),
                rules.as_array().unwrap().len(),
                "{mode:?}"
            );
        }
        let merged = planned(&present, &file, Mode::Merge);
        assert_eq!(merged.lines, [None, Some(2), Some(3), Some(4)]);
        let created = planned(&present, &file, Mode::Create);
        assert_eq!(created.problems[0].line, Some(2));
        assert!(created.problems[0].words.contains("there already"));
    }

    #[test]
    fn a_file_that_says_the_same_changes_nothing_in_any_mode_but_one() {
        let rules = json!(["Objects/A/**", { "node": "i=7", "point": "a" }]);
        for mode in Mode::ALL {
            let plan = planned(&rules, &rules, mode);
            let differs = plan.added.len() + plan.changed.len() + plan.removed.len();
            assert_eq!(
                differs,
                if mode == Mode::Delete { 2 } else { 0 },
                "{mode:?}"
            );
            assert!(plan.problems.is_empty(), "{mode:?}");
        }
    }

    #[test]
    fn a_conflict_is_told_whatever_the_mode() {
        let present = json!(["Objects/A/**", { "node": "i=7", "point": "a" }]);
        let file = [
            json!({ "node": "i=7", "point": "b" }),
            json!("Objects/A/**"),
            json!("x"),
        ];
        let rows: Vec<Row> = (2..)
            .zip(file)
            .map(|(line, rule)| Row { line, rule })
            .collect();
        let found = conflicts(&shape(), present.as_array().unwrap(), &rows);
        let expected = Conflict {
            line: 2,
            present: json!({ "node": "i=7", "point": "a" }),
            file: json!({ "node": "i=7", "point": "b" }),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_contradicts_itself_is_named() {
        let twice = json!([{ "node": "i=7", "point": "a" }, { "node": "i=7", "point": "b" }]);
        let found = planned(&json!([]), &twice, Mode::Merge).problems;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(3));
        let words = &found[0].words;
        assert!(
            words.contains("i=7") && words.contains("twice") && words.contains("in line 2"),
            "{found:?}"
        );
        let alike = json!([{ "node": "i=7", "point": "a" }, { "node": "i=7", "point": "a" }]);
        let nothing = |present: &Json, file: &Json, mode| {
            let found = planned(present, file, mode).problems;
            assert!(found.is_empty(), "{mode:?}: {found:?}");
        };
        nothing(&json!([]), &alike, Mode::Merge);
        // Which of the two is meant does not matter to what goes.
        nothing(&json!([{ "node": "i=7" }]), &twice, Mode::Delete);
        let named = json!([{ "node": "i=8", "device": "d", "point": "a" }]);
        let present = json!([{ "node": "i=7", "device": "d", "point": "a" }]);
        let found = planned(&present, &named, Mode::Merge).problems;
        assert_eq!(found[0].line, Some(2));
        assert!(found[0].words.contains("both called a of d"), "{found:?}");
        nothing(&present, &named, Mode::Overwrite);
    }
}
