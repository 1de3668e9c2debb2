//! Routes: their patterns, steps and destination, each checked by itself, so that all problems are found.

use std::sync::Arc;

use fieldgate_kit::{Problem, SettingsError, settings};
use fieldgate_model::Pattern;
use serde_json::Value as Json;

use super::{
    RouteConfig, RouteSettings, Section,
    layers::{Entry, Merged},
    tree::{Body, Node},
    validate::{Findings, OWN_SOURCE, choose, of, own_settings, paused},
};
use crate::pipeline::steps::StepSettings;

/// Checks a route. What it returns is only whole when no problem was added.
pub(super) fn route(found: &mut Findings, entry: &Entry, merged: &Merged) -> RouteConfig {
    let steps = steps(found, entry);
    let settings = frame(found, entry, steps);
    patterns(found, entry, merged, "from");
    destination(found, entry, merged);
    let id = Arc::from(entry.id.as_str());
    RouteConfig {
        id,
        paused: paused(&entry.node),
        settings,
    }
}

/// All but the steps, whose problems would hide those after them.
fn frame(found: &mut Findings, entry: &Entry, steps: Vec<StepSettings>) -> RouteSettings {
    let mut json = own_settings(entry);
    if let Json::Object(map) = &mut json
        && map.get("steps").is_some_and(Json::is_array)
    {
        map.remove("steps");
    }
    match settings::read::<RouteSettings>(json.clone()) {
        Ok(read) => RouteSettings { steps, ..read },
        Err(SettingsError(problems)) => {
            found.add_all(&entry.label, &entry.node, &json, problems);
            RouteSettings {
                from: Vec::new(),
                steps,
                to: String::new(),
                max_age: None,
                live_first: false,
            }
        }
    }
}

fn steps(found: &mut Findings, entry: &Entry) -> Vec<StepSettings> {
    let mut good = Vec::new();
    for (index, node) in items(&entry.node, "steps").iter().enumerate() {
        let json = node.to_json();
        let problems = match settings::read::<StepSettings>(json.clone()) {
            Ok(step) => {
                let problems = step.check();
                good.push(step);
                problems
            }
            Err(SettingsError(problems)) => problems,
        };
        let settings = own_settings(entry);
        let problems = problems
            .into_iter()
            .map(|problem| within(index, &json, problem))
            .collect();
        found.add_all(&entry.label, &entry.node, &settings, problems);
    }
    good
}

/// A step's problem with its whole path, in which serde leaves out the step's name.
fn within(index: usize, step: &Json, problem: Problem) -> Problem {
    let name = step.as_object().and_then(|map| map.keys().next());
    let about_the_name = problem.what.starts_with("unknown variant")
        || problem.what.contains("map with a single key");
    let name = name.filter(|name| !about_the_name && problem.path.first() != Some(name));
    let lead = ["steps".to_owned(), index.to_string()]
        .into_iter()
        .chain(name.cloned());
    Problem {
        path: lead.chain(problem.path).collect(),
        ..problem
    }
}

/// Checks the patterns under a key. What it returns are those that are some.
pub(super) fn patterns(
    found: &mut Findings,
    entry: &Entry,
    merged: &Merged,
    key: &str,
) -> Vec<Pattern> {
    let sources: Vec<&str> = of(merged, Section::Source)
        .map(|source| source.id.as_str())
        .collect();
    let (label, node) = (&entry.label, &entry.node);
    let patterns = items(node, key);
    if patterns.is_empty()
        && node
            .get(key)
            .is_some_and(|list| list.to_json() == Json::Array(vec![]))
    {
        found.add(
            label,
            node,
            &[key],
            "it takes nothing",
            format!("name points, such as {key} = [\"press/**\"]"),
        );
    }
    let mut good = Vec::new();
    for (index, text) in patterns.iter().enumerate() {
        let Some(text) = text.as_str() else { continue };
        let index = index.to_string();
        let path = [key, index.as_str()];
        match text.parse::<Pattern>() {
            Ok(pattern) => good.push(pattern),
            Err(error) => {
                let remedy = "write source/device/point, with `*` for any text within one of them and `**` for any number of them";
                found.add(label, node, &path, error.to_string(), remedy);
                continue;
            }
        }
        let first = text.split('/').next().unwrap_or_default();
        let known = first.contains('*') || first == OWN_SOURCE || sources.contains(&first);
        if !known && merged.complete {
            let what = format!("`{text}` matches nothing, as there is no source `{first}`");
            found.add(label, node, &path, what, choose(first, &sources));
        }
    }
    good
}

fn destination(found: &mut Findings, entry: &Entry, merged: &Merged) {
    let known: Vec<&str> = of(merged, Section::Destination)
        .map(|item| item.id.as_str())
        .collect();
    if let Some(to) = entry.node.get("to").and_then(Node::as_str)
        && !known.contains(&to)
        && merged.complete
    {
        let what = format!("there is no destination `{}`", to.escape_debug());
        found.add(&entry.label, &entry.node, &["to"], what, choose(to, &known));
    }
}

/// The items of a list; none when it is no list.
fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    match node.get(key).map(|node| &node.body) {
        Some(Body::List(items)) => items,
        _ => &[],
    }
}
