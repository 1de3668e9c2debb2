//! `diff`: what must be started, stopped or restarted to get from one desired state to another. Pure.

use std::sync::Arc;

use super::Config;

/// What differs between two desired states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub gateway: bool,
    pub queue: bool,
    pub sources: ItemChanges,
    pub destinations: ItemChanges,
    pub routes: ItemChanges,
    pub rules: ItemChanges,
}

/// What differs in one list, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemChanges {
    pub added: Vec<Arc<str>>,
    pub removed: Vec<Arc<str>>,
    /// Settings, kind or `paused` differ.
    pub changed: Vec<Arc<str>>,
}

/// What differs. The order of items means nothing, and neither does the revision.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Changes {
    Changes {
        gateway: old.gateway != new.gateway,
        queue: old.queue != new.queue,
        sources: items(&old.sources, &new.sources, |source| &source.id),
        destinations: items(&old.destinations, &new.destinations, |destination| {
            &destination.id
        }),
        routes: items(&old.routes, &new.routes, |route| &route.id),
        rules: items(&old.rules, &new.rules, |rule| &rule.id),
    }
}

// === impl Changes ===

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn items<T: PartialEq>(old: &[T], new: &[T], id: fn(&T) -> &Arc<str>) -> ItemChanges {
    let find = |list: &'_ [T], wanted: &T| list.iter().position(|item| id(item) == id(wanted));
    let mut changes = ItemChanges::default();
    for item in new {
        match find(old, item) {
            None => changes.added.push(id(item).clone()),
            Some(at) if old[at] != *item => changes.changed.push(id(item).clone()),
            Some(_) => {}
        }
    }
    changes.removed = old
        .iter()
        .filter(|item| find(new, item).is_none())
        .map(|item| id(item).clone())
        .collect();
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{GatewaySettings, QueueSettings, SourceConfig};

    fn config(sources: &[(&str, i64, bool)]) -> Config {
        Config {
            gateway: GatewaySettings {
                name: "g".to_owned(),
            },
            queue: QueueSettings::default(),
            sources: sources
                .iter()
                .map(|(id, setting, paused)| SourceConfig {
                    id: (*id).into(),
                    kind: "k".to_owned(),
                    paused: *paused,
                    settings: json!({ "setting": setting }),
                })
                .collect(),
            destinations: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            revision: 0,
        }
    }

    fn check(old: &[(&str, i64, bool)], new: &[(&str, i64, bool)], expected: [&[&str]; 3]) {
        let ids = |ids: &[&str]| ids.iter().map(|id| Arc::from(*id)).collect();
        let [added, removed, changed] = expected.map(ids);
        let expected = ItemChanges {
            added,
            removed,
            changed,
        };
        let changes = diff(&config(old), &config(new));
        assert_eq!(
            changes,
            Changes {
                sources: expected,
                ..Changes::default()
            }
        );
    }

    #[test]
    fn lists_differ_by_id() {
        let (a, b) = (("a", 1, false), ("b", 1, false));
        check(&[], &[], [&[], &[], &[]]);
        check(&[a, b], &[b, a], [&[], &[], &[]]);
        check(&[a], &[a, b], [&["b"], &[], &[]]);
        check(&[a, b], &[b], [&[], &["a"], &[]]);
        check(&[a, b], &[("a", 2, false), b], [&[], &[], &["a"]]);
        check(&[a, b], &[a, ("b", 1, true)], [&[], &[], &["b"]]);
        check(&[a], &[b], [&["b"], &["a"], &[]]);
    }

    #[test]
    fn the_rest_differs_as_a_whole() {
        let old = config(&[]);
        let mut new = Config {
            revision: 7,
            ..old.clone()
        };
        assert!(diff(&old, &new).is_empty());
        new.gateway.name = "h".to_owned();
        new.queue.critical.max_bytes.0 += 1;
        let changes = diff(&old, &new);
        assert!(changes.gateway && changes.queue && !changes.is_empty());
    }
}
