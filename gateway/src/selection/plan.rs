//! What an import would do to the rules that are there: added, changed, removed, and what contradicts itself.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::Shape;

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
    pub added: Vec<Json>,
    /// Before and after.
    pub changed: Vec<(Json, Json)>,
    pub removed: Vec<Json>,
    pub same: usize,
    /// What has to be decided in the file first, in words.
    pub conflicts: Vec<String>,
}

/// Compares a file's rules with the present ones; nothing is lost from the order of either.
#[must_use]
pub fn plan(shape: &Shape, present: &[Json], file: &[Json], mode: Mode) -> Plan {
    let mut plan = Plan::default();
    let mut wanted: Vec<(String, &Json)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    for rule in file {
        let about = shape.identity(rule);
        match at.get(&about) {
            None => {
                at.insert(about.clone(), wanted.len());
                wanted.push((about, rule));
            }
            Some(first) if wanted[*first].1 == rule => {}
            Some(first) => plan.conflicts.push(format!(
                "{about} stands twice in the file, and differently: {} and {rule}; keep one",
                wanted[*first].1
            )),
        }
    }
    for rule in present {
        let about = shape.identity(rule);
        match at.get(&about) {
            Some(index) if wanted[*index].1 == rule => plan.same += 1,
            Some(index) => plan.changed.push((rule.clone(), wanted[*index].1.clone())),
            None if mode == Mode::Replace => plan.removed.push(rule.clone()),
            None => {}
        }
    }
    let known: HashMap<String, &Json> = present
        .iter()
        .map(|rule| (shape.identity(rule), rule))
        .collect();
    let new = wanted
        .iter()
        .filter(|(about, _)| !known.contains_key(about));
    plan.added = new.map(|(_, rule)| (*rule).clone()).collect();
    plan.rules = match mode {
        Mode::Replace => wanted.iter().map(|(_, rule)| (*rule).clone()).collect(),
        Mode::Merge => {
            let kept = present.iter().map(|rule| {
                let same = at.get(&shape.identity(rule));
                same.map_or(rule, |index| wanted[*index].1).clone()
            });
            kept.chain(plan.added.iter().cloned()).collect()
        }
    };
    plan.conflicts.extend(same_names(&plan.rules));
    plan
}

/// Two rules that give the same name to two points: the second would get another one, which nobody wrote.
fn same_names(rules: &[Json]) -> Vec<String> {
    let mut first: HashMap<(&str, &str), &Json> = HashMap::new();
    let mut conflicts = Vec::new();
    for rule in rules {
        let (Some(device), Some(point)) = (rule["device"].as_str(), rule["point"].as_str()) else {
            continue;
        };
        match first.get(&(device, point)) {
            None => {
                first.insert((device, point), rule);
            }
            Some(other) => conflicts.push(format!(
                "{rule} and {other} are both called {point} of {device}; name one of them otherwise"
            )),
        }
    }
    conflicts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::selection::tests::shape;

    fn planned(present: &Json, file: &Json, mode: Mode) -> Plan {
        plan(
            &shape(),
            present.as_array().unwrap(),
            file.as_array().unwrap(),
            mode,
        )
    }

    #[test]
    fn merging_keeps_what_the_file_does_not_name_and_replacing_does_not() {
        let present = json!(["Objects/A/**", { "node": "i=7", "point": "a" }, { "node": "i=8" }]);
        let file = json!([{ "node": "i=7", "point": "b" }, { "node": "i=8" }, "Objects/B/**"]);
        let merged = planned(&present, &file, Mode::Merge);
        assert_eq!(merged.added, [json!("Objects/B/**")]);
        assert_eq!(merged.changed.len(), 1);
        assert_eq!((merged.removed.len(), merged.same), (0, 1));
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
        assert!(
            found[0].contains("i=7") && found[0].contains("twice"),
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
        assert!(found[0].contains("both called a of d"), "{found:?}");
        assert!(
            planned(&present, &named, Mode::Replace)
                .conflicts
                .is_empty()
        );
    }
}
