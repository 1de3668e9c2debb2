//! Rules: what they watch, what has to be so, and the command, each checked by itself, so that all problems are found.

use std::sync::Arc;

use fieldgate_kit::{Problem, SettingsError, settings};
use fieldgate_model::{Pattern, PointId};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{
    RuleConfig, Section,
    layers::{Entry, Merged},
    routes::patterns,
    tree::Node,
    validate::{Findings, choose, of, own_settings, paused},
};
use crate::{
    registry::Registry,
    rules::{Act, Condition, RuleSettings, wrong_pause},
};

/// Checks a rule; `None` only when a problem was added.
pub(super) fn rule(
    found: &mut Findings,
    entry: &Entry,
    merged: &Merged,
    registry: &Registry,
) -> Option<RuleConfig> {
    let json = own_settings(entry);
    let read = settings::read::<RuleSettings>(json.clone());
    // A part that can be read is checked, whatever is wrong with the others.
    let mut problems = part(&json, "if", Condition::check);
    problems.extend(part(&json, "do", Act::check));
    problems.extend(part(&json, "pause", wrong_pause));
    found.add_all(&entry.label, &entry.node, &json, problems);
    let watched = patterns(found, entry, merged, "when");
    target(found, entry, merged, registry, &watched);
    let id = Arc::from(entry.id.as_str());
    match read {
        Ok(settings) => Some(RuleConfig {
            id,
            paused: paused(&entry.node),
            settings,
        }),
        Err(SettingsError(problems)) => {
            found.add_all(&entry.label, &entry.node, &json, problems);
            None
        }
    }
}

/// What is wrong with one part of the settings; nothing where it cannot be read, which is told with the whole.
fn part<T: DeserializeOwned>(
    json: &Json,
    key: &str,
    check: fn(&T) -> Vec<Problem>,
) -> Vec<Problem> {
    let part = json.get(key).cloned();
    let read = part.and_then(|part| settings::read::<T>(part).ok());
    let problems = read.iter().flat_map(check);
    let below = |problem: Problem| Problem {
        path: [key.to_owned()].into_iter().chain(problem.path).collect(),
        ..problem
    };
    problems.map(below).collect()
}

/// The target is a source's that takes commands, and not what the rule watches.
fn target(
    found: &mut Findings,
    entry: &Entry,
    merged: &Merged,
    registry: &Registry,
    watched: &[Pattern],
) {
    let text = entry.node.get("do").and_then(|act| act.get("target"));
    let Some(text) = text.and_then(Node::as_str) else {
        return;
    };
    let mut wrong = |what: String, remedy: String| {
        found.add(&entry.label, &entry.node, &["do", "target"], what, remedy);
    };
    let id = match text.parse::<PointId>() {
        Ok(id) => id,
        Err(error) => {
            let remedy = "write source/device/point, the point or the method that is meant";
            return wrong(error.to_string(), remedy.into());
        }
    };
    let sources: Vec<&Entry> = of(merged, Section::Source).collect();
    match sources.iter().find(|source| source.id == id.source()) {
        None if merged.complete => {
            let ids: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
            let what = format!("there is no source `{}`", id.source());
            wrong(what, choose(id.source(), &ids));
        }
        None => {}
        Some(source) => {
            let kind = source.node.get("kind").and_then(Node::as_str);
            if let Some(kind) = kind.and_then(|kind| registry.source(kind))
                && !kind.commands
            {
                let what = format!("sources of kind `{}` take no commands", kind.kind);
                wrong(what, "name a target of another source".into());
            }
        }
    }
    if let Some(own) = watched.iter().find(|pattern| pattern.matches(id.as_str())) {
        let what = format!("the rule would answer to itself, as `{own}` takes its target, too");
        let remedy = "let `when` take less, such as one source or one kind of point";
        wrong(what, remedy.into());
    }
}
