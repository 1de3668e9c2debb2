//! Validation: the merged layers become a `Config`, or every problem with its place.

use std::sync::Arc;

use fieldgate_api::trouble::ConfigProblem;
use fieldgate_kit::{
    Problem, SettingsError,
    settings::{self, Span},
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{
    Config, DestinationConfig, Full, LaneSettings, QueueSettings, Section, SourceConfig,
    keys::{id_fault, list, nearest},
    layers::{Entry, Merged},
    problems::{plain, problem, without_consequences},
    routes, rules,
    tree::{Body, Node},
};
use crate::registry::Registry;

/// The keys of a source or destination that are not its protocol's.
const COMMON_KEYS: [&str; 3] = ["id", "kind", "paused"];
/// The gateway's own source, `gateway/self/…`.
pub(super) const OWN_SOURCE: &str = "gateway";

/// The desired state, as of the console's revision.
///
/// # Errors
/// Every problem that can be told apart, those found while merging included.
pub(super) fn validate(
    merged: &Merged,
    registry: &Registry,
    revision: u64,
) -> Result<Config, Vec<ConfigProblem>> {
    let mut found = Findings {
        problems: merged.problems.clone(),
    };
    let gateway = found.read("gateway", &merged.gateway);
    let queue = found.read::<QueueSettings>("queue", &merged.queue);
    if let Some(queue) = &queue {
        found.lanes(queue, &merged.queue);
    }
    let sources = of(merged, Section::Source)
        .map(|entry| found.source(entry, registry))
        .collect();
    let destinations = of(merged, Section::Destination)
        .map(|entry| found.destination(entry, registry))
        .collect();
    let routes = of(merged, Section::Route)
        .map(|entry| found.route(entry, merged))
        .collect();
    let rules = of(merged, Section::Rule)
        .filter_map(|entry| found.rule(entry, merged, registry))
        .collect();
    match (gateway, queue) {
        (Some(gateway), Some(queue)) if found.problems.is_empty() => Ok(Config {
            gateway,
            queue,
            sources,
            destinations,
            routes,
            rules,
            revision,
        }),
        _ => Err(found.problems),
    }
}

/// The items of a section.
pub(super) fn of(merged: &Merged, section: Section) -> impl Iterator<Item = &Entry> {
    merged
        .entries
        .iter()
        .filter(move |entry| entry.section == section)
}

/// The item's `paused`; false when it is not said.
pub(super) fn paused(node: &Node) -> bool {
    node.get("paused")
        .is_some_and(|paused| paused.to_json() == Json::Bool(true))
}

/// The item's own settings, the common keys taken out.
pub(super) fn own_settings(entry: &Entry) -> Json {
    let common: &[&str] = match entry.section.has_kinds() {
        true => &COMMON_KEYS,
        false => &["id", "paused"],
    };
    entry.node.clone().without(common).to_json()
}

/// Collects problems while reading on.
pub(super) struct Findings {
    pub problems: Vec<ConfigProblem>,
}

// === impl Findings ===

impl Findings {
    /// Typed settings; `None` when there are problems.
    fn read<S: DeserializeOwned>(&mut self, label: &str, node: &Node) -> Option<S> {
        let settings = node.to_json();
        match settings::read(settings.clone()) {
            Ok(read) => Some(read),
            Err(SettingsError(problems)) => {
                self.add_all(label, node, &settings, problems);
                None
            }
        }
    }

    /// Problems of an item's settings, each at the place of the value that it is about.
    pub fn add_all(&mut self, label: &str, node: &Node, settings: &Json, problems: Vec<Problem>) {
        let problems = problems
            .into_iter()
            .map(|found| plain(found, settings))
            .collect();
        for found in without_consequences(problems, settings) {
            let origin = node.nearest(&found.path).origin.place.clone();
            self.problems.push(ConfigProblem {
                item: label.to_owned(),
                path: found.path,
                what: found.what,
                remedy: found.remedy,
                origin,
            });
        }
    }

    /// One problem of an item, at the value under `path` or as near to it as possible.
    pub fn add(
        &mut self,
        label: &str,
        node: &Node,
        path: &[&str],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let keys: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        let origin = node.nearest(&keys).origin.clone();
        self.problems
            .push(problem(label, path, &origin, what, remedy));
    }

    fn lanes(&mut self, queue: &QueueSettings, node: &Node) {
        for (name, lane) in [("normal", &queue.normal), ("critical", &queue.critical)] {
            if lane.max_bytes.0 == 0 {
                let remedy = "give a size, such as \"2 GiB\"";
                self.add(
                    "queue",
                    node,
                    &[name, "max_bytes"],
                    "a lane without room takes nothing",
                    remedy,
                );
            }
            for (path, what, remedy) in wrong_in_lane(lane) {
                let path: Vec<&str> = [name].into_iter().chain(path).collect();
                self.add("queue", node, &path, what, remedy);
            }
        }
        if queue.critical.on_full == Full::Thin {
            self.add(
                "queue",
                node,
                &["critical", "on_full"],
                "events are never thinned, so this lane would drop its oldest alarms",
                "write on_full = \"refuse_newest\", or \"drop_oldest\" if that is meant",
            );
        }
    }

    fn source(&mut self, entry: &Entry, registry: &Registry) -> SourceConfig {
        let kinds: Vec<&str> = registry.sources.iter().map(|source| source.kind).collect();
        let (kind, settings) = self.item(entry, &kinds);
        if entry.id == OWN_SOURCE {
            let what = format!("`{OWN_SOURCE}` is the gateway's own source");
            self.add(
                &entry.label,
                &entry.node,
                &["id"],
                what,
                "choose another id",
            );
        }
        if let Some(protocol) = registry.source(&kind)
            && let Err(SettingsError(problems)) = protocol.check(settings.clone())
        {
            self.add_all(&entry.label, &entry.node, &settings, problems);
        }
        let id = Arc::from(entry.id.as_str());
        SourceConfig {
            id,
            kind,
            paused: paused(&entry.node),
            settings,
        }
    }

    fn destination(&mut self, entry: &Entry, registry: &Registry) -> DestinationConfig {
        let kinds: Vec<&str> = registry.destinations.iter().map(|kind| kind.kind).collect();
        let (kind, settings) = self.item(entry, &kinds);
        if let Some(protocol) = registry.destination(&kind)
            && let Err(SettingsError(problems)) = protocol.limits(settings.clone())
        {
            self.add_all(&entry.label, &entry.node, &settings, problems);
        }
        let id = Arc::from(entry.id.as_str());
        DestinationConfig {
            id,
            kind,
            paused: paused(&entry.node),
            settings,
        }
    }

    fn route(&mut self, entry: &Entry, merged: &Merged) -> super::RouteConfig {
        self.common(entry);
        routes::route(self, entry, merged)
    }

    fn rule(
        &mut self,
        entry: &Entry,
        merged: &Merged,
        registry: &Registry,
    ) -> Option<super::RuleConfig> {
        self.common(entry);
        rules::rule(self, entry, merged, registry)
    }

    /// What sources and destinations have in common: the kind, and the settings to be checked by it.
    fn item(&mut self, entry: &Entry, kinds: &[&str]) -> (String, Json) {
        self.common(entry);
        let (label, node) = (&entry.label, &entry.node);
        let kind = match node.get("kind").map(|kind| (kind.as_str(), &kind.body)) {
            Some((Some(kind), _)) if kinds.contains(&kind) => kind.to_owned(),
            Some((Some(kind), _)) => {
                let what = format!(
                    "there is no {} of kind `{}`",
                    entry.section.word(),
                    kind.escape_debug()
                );
                self.add(label, node, &["kind"], what, choose(kind, kinds));
                kind.to_owned()
            }
            Some((None, _)) => {
                self.add(
                    label,
                    node,
                    &["kind"],
                    "the kind is no text",
                    choose("", kinds),
                );
                String::new()
            }
            None => {
                self.add(
                    label,
                    node,
                    &["kind"],
                    "`kind` is missing",
                    choose("", kinds),
                );
                String::new()
            }
        };
        (kind, own_settings(entry))
    }

    /// What all items have in common: the id and whether they are paused.
    fn common(&mut self, entry: &Entry) {
        let (label, node) = (&entry.label, &entry.node);
        let named = node.get("id").is_none_or(|id| id.as_str().is_some());
        if let Some(fault) = id_fault(&entry.id).filter(|_| named && !label.contains('#')) {
            let remedy = "use up to 64 letters, digits, `-`, `_` and `.`, not beginning with a dot";
            self.add(label, node, &["id"], fault, remedy);
        }
        if let Some(paused) = node.get("paused")
            && !matches!(paused.body, Body::Scalar(Json::Bool(_)))
        {
            self.add(
                label,
                node,
                &["paused"],
                "`paused` is neither true nor false",
                "write paused = true, or remove it",
            );
        }
    }
}

/// The remedy for a word that is none of the known ones.
pub(super) fn choose(word: &str, known: &[&str]) -> String {
    match (nearest(word, known), known) {
        (_, []) => "there is none yet, so add one".to_owned(),
        (Some(meant), [_]) => format!("did you mean `{meant}`?"),
        (Some(meant), _) => format!("did you mean `{meant}`? there are {}", list(known)),
        (None, _) => format!("use {}", list(known)),
    }
}

/// What the kept and the old of one lane are limited to that makes no sense: where, what, and what to do.
fn wrong_in_lane(lane: &LaneSettings) -> Vec<(Vec<&'static str>, &'static str, &'static str)> {
    let is_nothing = |span: Option<Span>| span.is_some_and(|span| span.0.is_zero());
    let keep = lane.keep.as_ref();
    let mut wrong = Vec::new();
    if is_nothing(lane.max_age) {
        let what = "every reading would expire at once";
        wrong.push((
            vec!["max_age"],
            what,
            "give a span, such as \"30 d\", or leave it out",
        ));
    }
    if keep.is_some_and(|keep| keep.bytes >= lane.max_bytes) {
        let what = "what is kept would fill the lane";
        wrong.push((vec!["keep", "bytes"], what, "give less than max_bytes"));
    }
    if keep.is_some_and(|keep| is_nothing(keep.age)) {
        let what = "nothing would be kept";
        wrong.push((
            vec!["keep", "age"],
            what,
            "give a span, such as \"7 d\", or leave it out",
        ));
    }
    wrong
}
