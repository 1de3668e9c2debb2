//! The basket of the page Explore: the rules of a selection as the tree's patterns, and back; how much they would send.

use fieldgate_api::explore::{ExploreSample, ExploreWatched};
use serde_json::{Value as Json, json};

/// A value in a message of the format `aio-json`, with name, time and id.
const VALUE_BYTES: f64 = 140.0;
const SECONDS_A_DAY: f64 = 86_400.0;

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The way to it; the tree's key.
    pub path: String,
    pub address: String,
    pub name: String,
}

/// The patterns by which the tree shows its marks. A rule of a node that was never read has none.
pub fn patterns<'a>(rules: &[Json], known: impl Fn(&str) -> Option<&'a Known>) -> Vec<String> {
    rules
        .iter()
        .filter_map(|rule| pattern(rule, &known))
        .collect()
}

/// The rules after the tree's patterns were changed to `next`: what has no pattern stays, a single node becomes a rule of
/// its own, everything below a branch a live one.
pub fn rules<'a>(
    before: &[Json],
    next: &[String],
    by_address: impl Fn(&str) -> Option<&'a Known>,
    by_path: impl Fn(&str) -> Option<&'a Known>,
) -> Vec<Json> {
    let mut had = Vec::new();
    let mut after: Vec<Json> = Vec::new();
    for rule in before {
        match pattern(rule, &by_address) {
            Some(pattern) if !next.contains(&pattern) => continue,
            Some(pattern) => had.push(pattern),
            None => {}
        }
        after.push(rule.clone());
    }
    let new = next
        .iter()
        .filter(|pattern| !pattern.is_empty() && !had.contains(pattern));
    after.extend(new.map(|pattern| match by_path(pattern) {
        Some(node) => json!({ "node": node.address, "point": node.name }),
        None => Json::from(pattern.as_str()),
    }));
    after
}

/// A rule as a person reads it.
#[must_use]
pub fn shown(rule: &Json) -> String {
    match (
        rule.as_str(),
        rule["node"].as_str(),
        rule["profile"].as_str(),
    ) {
        (Some(path), ..) => path.to_owned(),
        (None, Some(node), _) => node.to_owned(),
        (None, None, Some(profile)) => format!("profile {profile}"),
        (None, None, None) => rule.to_string(),
    }
}

/// Two parts of a test, one after the other, as one: what changed is added up, the busiest first, and the newest value stays.
#[must_use]
pub fn together(before: Option<ExploreSample>, next: ExploreSample) -> ExploreSample {
    let Some(before) = before else {
        return next;
    };
    let mut watched = before.watched;
    for point in next.watched {
        match watched.iter_mut().find(|known| known.point == point.point) {
            Some(known) => {
                *known = ExploreWatched {
                    changes: known.changes + point.changes,
                    last: point.last.or_else(|| known.last.take()),
                    ..point
                };
            }
            None => watched.push(point),
        }
    }
    watched.sort_by_key(|point| std::cmp::Reverse(point.changes));
    ExploreSample {
        seconds: before.seconds + next.seconds,
        watched,
        ..next
    }
}

/// Bytes a day, by values a second.
#[must_use]
pub fn bytes_a_day(values_per_s: f64) -> u64 {
    let bytes = values_per_s.max(0.0) * VALUE_BYTES * SECONDS_A_DAY;
    bytes as u64
}

fn pattern<'a>(rule: &Json, known: &impl Fn(&str) -> Option<&'a Known>) -> Option<String> {
    match (rule.as_str(), rule["node"].as_str()) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some(node)) => known(node).map(|node| node.path.clone()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let known = |name: &str| Known {
            path: format!("Objects/Line/{name}"),
            address: format!("nsu=urn:plant;s={name}"),
            name: name.to_owned(),
        };
        vec![known("Temp"), known("Flow")]
    }

    fn changed(before: Json, next: &[&str]) -> Json {
        let known = known();
        let before = before.as_array().unwrap();
        let next: Vec<String> = next.iter().map(|text| (*text).to_owned()).collect();
        let by_address = |address: &str| known.iter().find(|node| node.address == address);
        let by_path = |path: &str| known.iter().find(|node| node.path == path);
        Json::from(rules(before, &next, by_address, by_path))
    }

    #[test]
    fn parts_of_a_test_add_up() {
        let sample = |seconds: f64, counts: &[(&str, u64)]| ExploreSample {
            seconds,
            words: String::new(),
            points: 3,
            watched: counts
                .iter()
                .map(|(point, changes)| ExploreWatched {
                    point: (*point).to_owned(),
                    changes: *changes,
                    last: None,
                    trouble: None,
                })
                .collect(),
        };
        let first = together(None, sample(10.0, &[("a", 5), ("b", 1)]));
        let both = together(Some(first), sample(10.5, &[("b", 9), ("c", 2)]));
        assert_eq!(both, sample(20.5, &[("b", 10), ("a", 5), ("c", 2)]));
    }

    #[test]
    fn a_branch_becomes_a_live_rule_and_a_leaf_a_node() {
        let temp = json!({ "node": "nsu=urn:plant;s=Temp", "point": "Temp" });
        for (before, next, after) in [
            (
                json!([]),
                &["Objects/Line/**"][..],
                json!(["Objects/Line/**"]),
            ),
            (json!([]), &["Objects/Line/Temp"], json!([temp])),
            (
                json!([]),
                &["Objects/Else/Unread"],
                json!(["Objects/Else/Unread"]),
            ),
            (json!(["Objects/**"]), &[], json!([])),
            (json!([temp]), &[], json!([])),
            (json!([temp]), &["Objects/Line/Temp"], json!([temp])),
        ] {
            assert_eq!(changed(before.clone(), next), after, "{before} to {next:?}");
        }
    }

    #[test]
    fn what_the_tree_does_not_know_stays_as_it_is() {
        let own = json!([{ "node": "i=7", "deadband": 0.5 }, { "node": "nsu=urn:plant;s=Flow", "sampling_ms": 50 }]);
        let after = changed(own.clone(), &["Objects/Line/Flow", "Objects/Line/Temp"]);
        assert_eq!(after[0], own[0]);
        assert_eq!(after[1], own[1]);
        assert_eq!(after[2]["point"], "Temp");
    }

    #[test]
    fn patterns_are_the_paths_of_the_rules() {
        let known = known();
        let rules = [
            json!("Objects/*/Temp"),
            json!({ "node": "nsu=urn:plant;s=Flow" }),
            json!({ "node": "i=7" }),
            json!({ "profile": "di" }),
        ];
        let found = patterns(&rules, |address| {
            known.iter().find(|node| node.address == address)
        });
        assert_eq!(found, ["Objects/*/Temp", "Objects/Line/Flow"]);
        assert_eq!(
            rules.map(|rule| shown(&rule)),
            [
                "Objects/*/Temp",
                "nsu=urn:plant;s=Flow",
                "i=7",
                "profile di"
            ]
        );
    }

    #[test]
    fn a_day_has_many_bytes() {
        assert_eq!(bytes_a_day(1.0), 12_096_000);
        assert_eq!(bytes_a_day(-1.0), 0);
        assert_eq!(bytes_a_day(f64::NAN), 0);
    }
}
