//! Layers: texts, variables and flags laid over each other, the strongest last, list items by their id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fieldgate_api::{
    config::{Layer, Origin},
    trouble::ConfigProblem,
};
use serde_json::json;

use super::{
    GatewaySettings, QueueSettings, Section,
    keys::{list, nearest},
    problems::{problem, unknown_key},
    tree::{Body, Node, parse, parse_value},
};

/// What a configuration variable's name begins with.
const PREFIX: &str = "FIELDGATE__";
/// What may stand at the top of a file.
const TOP: [&str; 6] = ["gateway", "queue", "source", "destination", "route", "rule"];

/// A TOML text of one layer.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub layer: Layer,
    /// The file's name, or the words for what is no file.
    pub name: String,
    pub text: String,
}

/// One value from the environment or the command line.
#[derive(Debug, Clone)]
pub(super) struct Override {
    pub origin: Arc<Origin>,
    /// As it was written: `SOURCE`, `press`, `ENDPOINT`.
    path: Vec<String>,
    value: String,
}

/// One item of a list, merged.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub section: Section,
    pub id: String,
    /// `source press`; `source #2` when it has no id.
    pub label: String,
    pub node: Node,
    /// The layers that say something about it.
    pub layers: BTreeSet<Layer>,
}

/// All layers, laid over each other.
#[derive(Debug)]
pub(super) struct Merged {
    pub gateway: Node,
    pub queue: Node,
    pub entries: Vec<Entry>,
    pub problems: Vec<ConfigProblem>,
    /// False when a text could not be read, so that what it defines seems to be missing.
    pub complete: bool,
    /// Where each item stands within a layer, to find it a second time.
    seen: BTreeMap<(Layer, Section, String), Arc<Origin>>,
}

// === impl Override ===

impl Override {
    /// The configuration variables among `variables`: `FIELDGATE__SOURCE__press__ENDPOINT`.
    pub fn from_environment(variables: &[(String, String)]) -> Vec<Self> {
        let mut found: Vec<Self> = variables
            .iter()
            .filter_map(|(name, value)| {
                let path = name.strip_prefix(PREFIX)?;
                Some(Self {
                    origin: Arc::new(Origin {
                        layer: Layer::Environment,
                        place: name.clone(),
                    }),
                    path: path.split("__").map(str::to_owned).collect(),
                    value: value.clone(),
                })
            })
            .collect();
        // The environment has no order, problems shall have one.
        found.sort_by(|left, right| left.origin.place.cmp(&right.origin.place));
        found
    }

    /// Flags: `gateway.name`, `source.press.endpoint`.
    pub fn from_flags(flags: &[(String, String)]) -> Vec<Self> {
        flags
            .iter()
            .map(|(key, value)| Self {
                origin: Arc::new(Origin {
                    layer: Layer::CommandLine,
                    place: format!("--set {key}"),
                }),
                path: key.split('.').map(str::to_owned).collect(),
                value: value.clone(),
            })
            .collect()
    }
}

// === impl Entry ===

impl Entry {
    /// True when only the console says something about it.
    pub fn is_of_console_alone(&self) -> bool {
        self.layers.iter().eq([&Layer::Console])
    }

    /// True for what the console changed in an item that has gone from the layer that defined it.
    pub fn is_left_over(&self) -> bool {
        let defining: &[&str] = match self.section {
            Section::Source | Section::Destination => &["kind"],
            Section::Route => &["to"],
            Section::Rule => &["when", "do"],
        };
        let is_missing = |key: &&str| self.node.get(key).is_none();
        self.is_of_console_alone() && defining.iter().any(is_missing)
    }
}

// === impl Merged ===

impl Merged {
    /// The built-in layer.
    pub fn built_in() -> Self {
        let origin = Arc::new(Origin {
            layer: Layer::BuiltIn,
            place: "built-in".to_owned(),
        });
        let gateway = json!({ "name": GatewaySettings::default().name });
        let queue = serde_json::to_value(QueueSettings::default())
            .expect("sizes and policies are written as texts");
        Self {
            gateway: Node::from_json(&gateway, &origin),
            queue: Node::from_json(&queue, &origin),
            entries: Vec::new(),
            problems: Vec::new(),
            complete: true,
            seen: BTreeMap::new(),
        }
    }

    /// Lays a text over what is there.
    pub fn lay(&mut self, text: &Text) {
        match parse(&text.text, text.layer, &text.name) {
            Ok(root) => self.lay_tree(root),
            Err((message, origin)) => {
                self.complete = false;
                let what = format!("this is no TOML: {message}");
                let remedy = "correct the line; everything after it is unread";
                self.problems.push(problem("", &[], &origin, what, remedy));
            }
        }
    }

    /// Lays a single value over what is there.
    pub fn lay_override(&mut self, value: &Override) {
        let words: Vec<String> = value.path.iter().map(|word| word.to_lowercase()).collect();
        let Some((top, keys)) = words.split_first() else {
            return;
        };
        let leaf = parse_value(&value.value, &value.origin);
        match (top.as_str(), Section::from_word(top), keys) {
            ("gateway", _, [_, ..]) => self.gateway.merge(nested(keys, leaf)),
            ("queue", _, [_, ..]) => self.queue.merge(nested(keys, leaf)),
            (_, Some(section), [_, inner, ..]) if !inner.is_empty() => {
                let id = self.known_id(section, &value.path[1]);
                self.lay_item(section, id, nested(&keys[1..], leaf));
            }
            _ => self.refuse_override(value, top),
        }
    }

    fn refuse_override(&mut self, value: &Override, top: &str) {
        let (what, remedy) = if TOP.contains(&top) {
            (
                "this names no value".to_owned(),
                "name a section, for lists an id, and a key, as in FIELDGATE__SOURCE__press__ENDPOINT or --set source.press.endpoint=…".to_owned(),
            )
        } else {
            unknown_key(top, &TOP)
        };
        self.problems
            .push(problem("", &[], &value.origin, what, remedy));
    }

    /// The id that a variable means: variables know neither `-` nor `.`, and often no lower case.
    fn known_id(&self, section: Section, word: &str) -> String {
        let plain = |id: &str| id.to_lowercase().replace(['-', '.'], "_");
        let ids = || {
            self.entries
                .iter()
                .filter(|entry| entry.section == section)
                .map(|entry| &entry.id)
        };
        ids()
            .find(|id| *id == word)
            .or_else(|| ids().find(|id| plain(id) == plain(word)))
            .map_or_else(|| word.to_owned(), Clone::clone)
    }

    fn lay_tree(&mut self, root: Node) {
        let Body::Table(top) = root.body else {
            return;
        };
        for (key, node) in top {
            match (key.as_str(), Section::from_word(&key)) {
                ("gateway", _) if node.is_table() => self.gateway.merge(node),
                ("queue", _) if node.is_table() => self.queue.merge(node),
                ("gateway" | "queue", _) => {
                    let what = format!("`{key}` is no table");
                    let remedy = format!("write [{key}] and its keys below");
                    self.problems
                        .push(problem(&key, &[], &node.origin, what, remedy));
                }
                (_, Some(section)) => self.lay_list(section, node),
                _ => {
                    let (what, remedy) = unknown_key(&key, &TOP);
                    self.problems
                        .push(problem("", &[&key], &node.origin, what, remedy));
                }
            }
        }
    }

    fn lay_list(&mut self, section: Section, list: Node) {
        let word = section.word();
        let is_list_of_tables =
            |body: &Body| matches!(body, Body::List(items) if items.iter().all(Node::is_table));
        match list.body {
            body if !is_list_of_tables(&body) => {
                let what = format!("`{word}` is no list of tables");
                let remedy = format!("write [[{word}]], with two brackets, for each of them");
                self.problems
                    .push(problem(word, &[], &list.origin, what, remedy));
            }
            Body::List(items) => items
                .into_iter()
                .for_each(|item| self.lay_named(section, item)),
            Body::Scalar(_) | Body::Table(_) => {}
        }
    }

    /// An item of a text: it must have an id, and stand only once in its layer.
    fn lay_named(&mut self, section: Section, item: Node) {
        let word = section.word();
        let Some(id) = item.get("id").and_then(Node::as_str).map(str::to_owned) else {
            return self.lay_nameless(section, item);
        };
        let key = (item.origin.layer, section, id.clone());
        if let Some(first) = self.seen.get(&key) {
            let label = format!("{word} {id}");
            let what = format!("the id `{id}` is already taken at {}", first.place);
            let remedy = "give one of the two another id, or remove it";
            self.problems
                .push(problem(&label, &["id"], &item.origin, what, remedy));
            return;
        }
        self.seen.insert(key, item.origin.clone());
        self.lay_item(section, id, item);
    }

    /// Kept, so that its other problems are found as well.
    fn lay_nameless(&mut self, section: Section, item: Node) {
        let word = section.word();
        let number = self
            .entries
            .iter()
            .filter(|entry| entry.section == section)
            .count()
            + 1;
        let label = format!("{word} #{number}");
        let (what, at) = match item.get("id") {
            Some(id) => ("the id is no text", id.origin.clone()),
            None => ("`id` is missing", item.origin.clone()),
        };
        let remedy = "add a name of your own that never changes, such as id = \"line-4\"";
        self.problems
            .push(problem(&label, &["id"], &at, what, remedy));
        let layers = BTreeSet::from([item.origin.layer]);
        self.entries.push(Entry {
            section,
            id: String::new(),
            label,
            node: item,
            layers,
        });
    }

    fn lay_item(&mut self, section: Section, id: String, item: Node) {
        let known = |entry: &&mut Entry| entry.section == section && entry.id == id;
        let layer = item.origin.layer;
        if let Some(entry) = self.entries.iter_mut().find(known) {
            // An item stands where its kind, a route's destination, or what a rule watches, is said.
            let defining = ["kind", "to", "when"];
            let defines = defining.iter().any(|key| item.get(key).is_some());
            let origin = item.origin.clone();
            entry.node.merge(item);
            entry.layers.insert(layer);
            if defines {
                entry.node.origin = origin;
            }
            return;
        }
        let label = format!("{} {id}", section.word());
        self.entries.push(Entry {
            section,
            id,
            label,
            node: item,
            layers: BTreeSet::from([layer]),
        });
    }

    /// Takes out what the console changed in items that are no more, and says so.
    pub fn take_left_overs(&mut self) -> Vec<ConfigProblem> {
        let (left_over, entries): (Vec<Entry>, Vec<Entry>) =
            self.entries.drain(..).partition(Entry::is_left_over);
        self.entries = entries;
        let ids: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        left_over
            .iter()
            .map(|entry| {
                let what = "the console changed it, but nothing defines it any more, so the change is ignored";
                let remedy = match nearest(&entry.id, &ids) {
                    Some(id) => format!("remove it in the console; was it renamed to {}?", list(&[id])),
                    None => "remove it in the console, or define it again".to_owned(),
                };
                problem(&entry.label, &[], &entry.node.origin, what, remedy)
            })
            .collect()
    }
}

/// `{ a = { b = leaf } }`
fn nested(keys: &[String], leaf: Node) -> Node {
    keys.iter().rev().fold(leaf, |inner, key| {
        let mut table = Node::empty_table(inner.origin.clone());
        table.set(key, inner);
        table
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(texts: &[(Layer, &str)], env: &[(&str, &str)], flags: &[(&str, &str)]) -> Merged {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut merged = Merged::built_in();
        for (number, (layer, text)) in texts.iter().enumerate() {
            let name = format!("{number}.toml");
            merged.lay(&Text {
                layer: *layer,
                name,
                text: (*text).to_owned(),
            });
        }
        for value in Override::from_environment(&owned(env)) {
            merged.lay_override(&value);
        }
        for value in Override::from_flags(&owned(flags)) {
            merged.lay_override(&value);
        }
        merged
    }

    #[test]
    fn the_stronger_layer_wins_value_by_value() {
        let merged = merged(
            &[
                (
                    Layer::Demo,
                    "[[source]]\nid='press-1'\nkind='k'\na=1\nb=1\nc=1\nd=1\ne=1",
                ),
                (
                    Layer::Console,
                    "[[source]]\nid='press-1'\nb=2\nc=2\nd=2\ne=2",
                ),
                (Layer::File, "[[source]]\nid='press-1'\nc=3\nd=3\ne=3"),
            ],
            &[
                ("FIELDGATE__SOURCE__PRESS_1__D", "4"),
                ("FIELDGATE__SOURCE__press_1__E", "4"),
                ("PATH", "x"),
            ],
            &[
                ("source.press-1.e", "5"),
                ("queue.normal.max_bytes", "1 MiB"),
            ],
        );
        assert_eq!(merged.problems, []);
        let [entry] = &merged.entries[..] else {
            panic!("{:?}", merged.entries)
        };
        for (key, value, layer) in [
            ("a", 1, Layer::Demo),
            ("b", 2, Layer::Console),
            ("c", 3, Layer::File),
            ("d", 4, Layer::Environment),
            ("e", 5, Layer::CommandLine),
        ] {
            let node = entry.node.get(key).unwrap();
            assert_eq!(
                (node.to_json(), node.origin.layer),
                (json!(value), layer),
                "{key}"
            );
        }
        assert_eq!(entry.node.origin.layer, Layer::Demo);
        let lane = merged.queue.get("normal").unwrap().to_json();
        assert_eq!(
            lane,
            json!({ "max_bytes": "1 MiB", "on_full": "drop_oldest" })
        );
    }

    #[test]
    fn two_files_cannot_define_one_id() {
        let text = "\n[[route]]\nid = 'x'\n";
        let merged = merged(&[(Layer::File, text), (Layer::File, text)], &[], &[]);
        let [found] = &merged.problems[..] else {
            panic!("{:?}", merged.problems)
        };
        assert_eq!(found.origin, "1.toml:2");
        assert!(found.what.contains("0.toml:2"), "{}", found.what);
    }

    #[test]
    fn a_variable_must_name_a_value() {
        for name in [
            "FIELDGATE__",
            "FIELDGATE__SORCE__press__A",
            "FIELDGATE__SOURCE__press",
            "FIELDGATE__SOURCE__press__",
            "FIELDGATE__GATEWAY",
        ] {
            let merged = merged(&[], &[(name, "x")], &[]);
            assert_eq!(merged.problems.len(), 1, "{name}");
            assert_eq!(merged.problems[0].origin, name);
        }
    }
}
