//! The difference between the points that are read and what a look at the address space found. Pure.
//!
//! A point is its browse path with the namespaces' URIs (or the rule that names its node), never its node's number: a
//! number that now stands for something else must not move a point's series to another value without a word.

use std::collections::{HashMap, HashSet};

use fieldgate_model::PointId;

use crate::{browse::MAX_FOUND, connection::ValueType, select::Item};

/// What is known of a point that is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub item: &'a Item,
    /// The server does not have its node, as far as was heard.
    pub gone: bool,
    /// The name of its data type, as it was announced.
    pub data_type: Option<&'a str>,
}

/// What has to be done so that what is read is what was found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub added: Vec<(Item, ValueType)>,
    /// Points, by their place, that go on with another node or other wishes, or whose node is back.
    pub remade: Vec<(usize, Item)>,
    /// Points that hold something else than before.
    pub retyped: Vec<(usize, ValueType)>,
    /// Points that were not found.
    pub missing: Vec<usize>,
}

/// Gives found items the names that they have already, and those that are new names that nobody has. An item whose new name
/// would be too long is left out.
pub(crate) fn keep_names<'a>(
    known: impl IntoIterator<Item = &'a Item>,
    found: Vec<(Item, ValueType)>,
) -> Vec<(Item, ValueType)> {
    let mut by_identity: HashMap<u64, Vec<&Item>> = HashMap::new();
    let mut taken: HashSet<PointId> = HashSet::new();
    for item in known {
        by_identity.entry(item.identity).or_default().push(item);
        taken.insert(item.point.clone());
    }
    let mut named: Vec<(Item, ValueType, bool)> = without_leftovers(found)
        .into_iter()
        .map(|(item, value_type)| (item, value_type, false))
        .collect();
    // Where two nodes have the same path, the one with the same number first.
    for same_node in [true, false] {
        for (item, _, done) in &mut named {
            let Some(known) = by_identity.get_mut(&item.identity).filter(|_| !*done) else {
                continue;
            };
            let fits = |known: &&Item| !same_node || known.node == item.node;
            if let Some(at) = known.iter().position(fits) {
                item.take_name(known.remove(at));
                *done = true;
            }
        }
    }
    let new = |(mut item, value_type, known): (Item, ValueType, bool)| {
        let free = known || taken.insert(item.point.clone()) || item.rename(&mut taken);
        free.then_some((item, value_type))
    };
    named.into_iter().filter_map(new).collect()
}

/// Some servers leave the references of deleted nodes behind. What has no data type gives way to what has the same path and one.
fn without_leftovers(found: Vec<(Item, ValueType)>) -> Vec<(Item, ValueType)> {
    let typed = found
        .iter()
        .filter(|(_, value_type)| value_type.name.is_some());
    let typed: HashSet<u64> = typed.map(|(item, _)| item.identity).collect();
    let stays = |(item, value_type): &(Item, ValueType)| {
        item.named || value_type.name.is_some() || !typed.contains(&item.identity)
    };
    found.into_iter().filter(stays).collect()
}

/// Compares by the points' ids; what was found has its names already.
pub(crate) fn difference<'a>(
    known: impl IntoIterator<Item = Known<'a>>,
    found: Vec<(Item, ValueType)>,
) -> Difference {
    let mut places: HashMap<&PointId, (usize, Known<'a>)> = HashMap::new();
    for (at, known) in known.into_iter().enumerate() {
        places.insert(&known.item.point, (at, known));
    }
    let mut difference = Difference::default();
    for (mut item, value_type) in found {
        item.enumeration.clone_from(&value_type.enumeration);
        let Some((at, known)) = places.remove(&item.point) else {
            difference.added.push((item, value_type));
            continue;
        };
        let retyped = known.data_type.is_some()
            && value_type.name.is_some()
            && known.data_type != value_type.name.as_deref();
        if retyped {
            difference.retyped.push((at, value_type));
        }
        let other = known.item.node != item.node || known.item.sampling != item.sampling;
        let back = known.gone && item.node.is_some();
        if retyped || other || back {
            difference.remade.push((at, item));
        }
    }
    let missing = places
        .into_values()
        .filter(|(_, known)| known.item.node.is_some());
    difference.missing = missing.map(|(at, _)| at).collect();
    difference.missing.sort_unstable();
    difference
}

// === impl Difference ===

impl Difference {
    /// Whether there is room for what is added, besides so many points that are known, gone ones too. Where not everything was
    /// seen, what has no room is left out, as it was before.
    pub(crate) fn fit(&mut self, known: usize, whole: bool) -> bool {
        let room = MAX_FOUND.saturating_sub(known);
        if !whole {
            self.added.truncate(room);
        }
        self.added.len() <= room
    }
}

// === impl Item ===

impl Item {
    fn take_name(&mut self, known: &Self) {
        self.point.clone_from(&known.point);
        self.device.clone_from(&known.device);
        self.device_name.clone_from(&known.device_name);
        self.name.clone_from(&known.name);
    }

    /// Counts until its name is free; false when it gets too long for one.
    fn rename(&mut self, taken: &mut HashSet<PointId>) -> bool {
        for count in 2.. {
            let name = format!("{}@{count}", self.name);
            let Ok(point) = self.device.point(&name) else {
                return false;
            };
            if taken.insert(point.clone()) {
                (self.name, self.point) = (name, point);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{node_id::NodeId, twin};

    /// `7:p1=Double`: the node's number, the point, its type. The path is the point's.
    fn items(text: &str) -> Vec<(Item, ValueType)> {
        let one = |word: &str| {
            let (node, rest) = word.split_once(':').unwrap();
            let (name, data_type) = rest.split_once('=').unwrap_or((rest, "Double"));
            let mut item = twin::item(name[1..].parse().unwrap());
            item.node = node.parse().ok().map(|node| NodeId::numeric(2, node));
            let value_type = ValueType {
                name: Some(data_type.to_owned()),
                enumeration: None,
            };
            (item, value_type)
        };
        text.split_whitespace().map(one).collect()
    }

    fn check(known: &str, gone: &[usize], found: &str, expected: [&str; 4]) {
        let known = items(known);
        let found = keep_names(known.iter().map(|(item, _)| item), items(found));
        let known = known
            .iter()
            .enumerate()
            .map(|(at, (item, value_type))| Known {
                item,
                gone: gone.contains(&at),
                data_type: value_type.name.as_deref(),
            });
        let difference = difference(known, found);
        let words = |places: Vec<String>| places.join(" ");
        let told = [
            words(
                difference
                    .added
                    .iter()
                    .map(|(item, _)| item.name.clone())
                    .collect(),
            ),
            words(
                difference
                    .remade
                    .iter()
                    .map(|(at, _)| at.to_string())
                    .collect(),
            ),
            words(
                difference
                    .retyped
                    .iter()
                    .map(|(at, _)| at.to_string())
                    .collect(),
            ),
            words(difference.missing.iter().map(ToString::to_string).collect()),
        ];
        assert_eq!(told, expected, "{found}", found = told.join(" | "));
    }

    #[test]
    fn only_what_differs_is_told() {
        check("", &[], "", ["", "", "", ""]);
        check("1:p1 2:p2", &[], "1:p1 2:p2", ["", "", "", ""]);
        check("1:p1", &[], "2:p2 1:p1", ["p2", "", "", ""]);
        check("1:p1 2:p2", &[], "2:p2", ["", "", "", "0"]);
        // Another number, in the same place.
        check("1:p1 2:p2", &[], "7:p1 2:p2", ["", "0", "", ""]);
        // Numbers that changed places: every point keeps its path.
        check("1:p1 2:p2", &[], "2:p1 1:p2", ["", "0 1", "", ""]);
        // A number that stands for something new, and the old one is gone.
        check("1:p1", &[], "1:p2", ["p2", "", "", "0"]);
        check("1:p1 2:p2", &[], "1:p1=String 2:p2", ["", "0", "0", ""]);
        check("1:p1=A 2:p2", &[], "7:p1=B", ["", "0", "0", "1"]);
    }

    #[test]
    fn a_point_whose_node_is_back_goes_on() {
        check("1:p1 2:p2", &[0], "1:p1 2:p2", ["", "0", "", ""]);
        check("1:p1 2:p2", &[0], "9:p1 2:p2", ["", "0", "", ""]);
        check("1:p1", &[0], "", ["", "", "", "0"]);
        // Left out for good, or never there: nothing to be missed.
        check("-:p1", &[0], "", ["", "", "", ""]);
        check("-:p1", &[0], "4:p1", ["", "0", "", ""]);
    }

    #[test]
    fn what_comes_and_goes_for_ever_makes_the_source_begin_anew() {
        for (known, whole, fits, left) in [
            (0, true, true, 2),
            (MAX_FOUND - 2, true, true, 2),
            (MAX_FOUND - 1, true, false, 2),
            (MAX_FOUND - 1, false, true, 1),
            (MAX_FOUND + 5, false, true, 0),
        ] {
            let mut difference = Difference {
                added: items("1:p1 2:p2"),
                ..Difference::default()
            };
            assert_eq!(difference.fit(known, whole), fits, "{known} {whole}");
            assert_eq!(difference.added.len(), left, "{known} {whole}");
        }
    }

    #[test]
    fn names_stay_and_new_ones_are_free() {
        let mut known = items("1:p1 2:p2");
        // Named @3 when there were two of them.
        known[1].0.name = "p1@3".to_owned();
        known[1].0.point = known[1].0.device.point("p1@3").unwrap();
        // The one behind it comes first now, and another one has the first one's name.
        let mut found = items("2:p2 1:p1 9:p9");
        found[2].0.name = "p1".to_owned();
        found[2].0.point = found[2].0.device.point("p1").unwrap();
        let named = keep_names(known.iter().map(|(item, _)| item), found);
        let names: Vec<&str> = named.iter().map(|(item, _)| item.name.as_str()).collect();
        assert_eq!(names, ["p1@3", "p1", "p1@2"]);
    }

    #[test]
    fn what_a_deleted_node_leaves_behind_is_not_the_point() {
        let named = |found: &str| -> Vec<(String, Option<NodeId>)> {
            let mut found = items(found);
            for (_, value_type) in &mut found {
                value_type.name.take_if(|name| name == "none");
            }
            let known = items("1:p1");
            let named = keep_names(known.iter().map(|(item, _)| item), found);
            named
                .into_iter()
                .map(|(item, _)| (item.name, item.node))
                .collect()
        };
        let p1 = |node| ("p1".to_owned(), Some(NodeId::numeric(2, node)));
        assert_eq!(named("1:p1=none 7:p1"), [p1(7)]);
        assert_eq!(named("7:p1 1:p1=none"), [p1(7)]);
        assert_eq!(named("1:p1=none"), [p1(1)]);
    }

    #[test]
    fn of_two_with_the_same_path_each_keeps_its_number() {
        let mut known = items("1:p1 2:p1");
        known[1].0.name = "p1@2".to_owned();
        known[1].0.point = known[1].0.device.point("p1@2").unwrap();
        let named = keep_names(known.iter().map(|(item, _)| item), items("2:p1 1:p1 3:p1"));
        let names: Vec<&str> = named.iter().map(|(item, _)| item.name.as_str()).collect();
        assert_eq!(names, ["p1@2", "p1", "p1@3"]);
    }
}
