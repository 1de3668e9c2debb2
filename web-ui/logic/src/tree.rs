//! A tree: which rows are seen, where a key leads, and what is chosen, as patterns of ids.
//!
//! A branch's key is an id's beginning (`press`, `press/line-4`), a leaf's the whole id. Choosing a branch is the pattern `key/**`, which
//! takes what will be found later too; choosing a leaf is its key. So the patterns are the only state, and a branch that
//! was never read has its mark all the same.

use std::collections::BTreeSet;

/// Takes everything.
const ALL: &str = "**";

/// A node with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub key: String,
    pub label: String,
    pub children: Children,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Children {
    /// There are none, ever.
    Leaf,
    /// There are none, and it cannot be chosen itself.
    Fixed,
    /// Nobody looked yet.
    Unread,
    Read(Vec<Branch>),
}

/// A node that is seen, since everything above it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    pub label: String,
    pub leaf: bool,
    /// It cannot be chosen.
    pub fixed: bool,
    /// 1 for a root.
    pub level: usize,
    /// Among its siblings, from 1.
    pub position: usize,
    pub siblings: usize,
}

/// Where a key leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Go(String),
    Open(String),
    Close(String),
}

/// How much of a node is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    None,
    Some,
    All,
}

/// The rows from top to bottom.
#[must_use]
pub fn rows(roots: &[Branch], open: &BTreeSet<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    add_rows(roots, open, 1, &mut rows);
    rows
}

fn add_rows(branches: &[Branch], open: &BTreeSet<String>, level: usize, rows: &mut Vec<Row>) {
    for (index, branch) in branches.iter().enumerate() {
        rows.push(Row {
            key: branch.key.clone(),
            label: branch.label.clone(),
            leaf: matches!(branch.children, Children::Leaf | Children::Fixed),
            fixed: branch.children == Children::Fixed,
            level,
            position: index + 1,
            siblings: branches.len(),
        });
        if let Children::Read(children) = &branch.children
            && open.contains(&branch.key)
        {
            add_rows(children, open, level + 1, rows);
        }
    }
}

/// What a key of the keyboard does at the row `at`, as the ARIA practices for trees say. `None`: it is none of the tree's keys.
#[must_use]
pub fn step(rows: &[Row], open: &BTreeSet<String>, at: &str, key: &str) -> Option<Step> {
    let index = rows.iter().position(|row| row.key == at).unwrap_or(0);
    let row = rows.get(index)?;
    let go = |row: &Row| Step::Go(row.key.clone());
    let is_open = open.contains(&row.key);
    match key {
        "ArrowDown" => rows.get(index + 1).map(go),
        "ArrowUp" => rows[..index].last().map(go),
        "Home" => rows.first().map(go),
        "End" => rows.last().map(go),
        "ArrowRight" if row.leaf => None,
        "ArrowRight" if !is_open => Some(Step::Open(row.key.clone())),
        "ArrowRight" => rows
            .get(index + 1)
            .filter(|next| next.level > row.level)
            .map(go),
        "ArrowLeft" if is_open => Some(Step::Close(row.key.clone())),
        "ArrowLeft" => rows[..index]
            .iter()
            .rfind(|above| above.level < row.level)
            .map(go),
        letter if letter.chars().count() == 1 => {
            let begins = |row: &&Row| row.label.to_lowercase().starts_with(&letter.to_lowercase());
            let (before, after) = rows.split_at(index + 1);
            after.iter().chain(before).find(begins).map(go)
        }
        _ => None,
    }
}

/// Whether all of a node is chosen, or some of what is below it.
#[must_use]
pub fn chosen(patterns: &[String], key: &str, leaf: bool) -> Chosen {
    let above = above(key).any(|branch| patterns.contains(&pattern(branch, false)));
    let below = format!("{key}/");
    if above
        || patterns
            .iter()
            .any(|p| p == ALL || *p == pattern(key, leaf))
    {
        Chosen::All
    } else if patterns.iter().any(|p| p.starts_with(&below)) {
        Chosen::Some
    } else {
        Chosen::None
    }
}

/// The patterns after a node was chosen, or taken out of what is chosen.
#[must_use]
pub fn toggle(roots: &[Branch], patterns: &[String], key: &str) -> Vec<String> {
    let leaf = match find(roots, key).map(|branch| &branch.children) {
        None | Some(Children::Fixed) => return patterns.to_vec(),
        Some(children) => *children == Children::Leaf,
    };
    let mut next: Vec<String> = patterns
        .iter()
        .filter(|p| !p.trim().is_empty())
        .cloned()
        .collect();
    if chosen(patterns, key, leaf) == Chosen::All {
        take_out(roots, &mut next, key, leaf);
    } else {
        let below = format!("{key}/");
        next.retain(|p| !p.starts_with(&below));
        next.push(pattern(key, leaf));
    }
    next
}

/// What a branch above had chosen is chosen one by one, but for the node itself.
fn take_out(roots: &[Branch], patterns: &mut Vec<String>, key: &str, leaf: bool) {
    let own = pattern(key, leaf);
    let mut spared = patterns.contains(&ALL.to_owned());
    patterns.retain(|p| *p != own && p != ALL);
    let mut level = roots;
    loop {
        let on_the_way =
            |branch: &Branch| branch.key == key || key.starts_with(&format!("{}/", branch.key));
        if spared {
            let choosable = |branch: &&Branch| branch.children != Children::Fixed;
            let others = level.iter().filter(|branch| !on_the_way(branch));
            let others = others.filter(choosable);
            let others = others.map(|b| pattern(&b.key, b.children == Children::Leaf));
            for other in others.collect::<Vec<_>>() {
                if !patterns.contains(&other) {
                    patterns.push(other);
                }
            }
        }
        let Some(branch) = level.iter().find(|b| on_the_way(b) && b.key != key) else {
            return;
        };
        let whole = pattern(&branch.key, false);
        spared |= patterns.contains(&whole);
        patterns.retain(|p| *p != whole);
        let Children::Read(children) = &branch.children else {
            return;
        };
        level = children;
    }
}

/// Puts what was read below a branch.
pub fn put(roots: &mut [Branch], key: &str, children: Vec<Branch>) {
    for branch in roots {
        if branch.key == key {
            branch.children = Children::Read(children);
            return;
        }
        if let Children::Read(below) = &mut branch.children
            && key.starts_with(&format!("{}/", branch.key))
        {
            put(below, key, children);
            return;
        }
    }
}

/// Whether nobody looked below a branch yet.
#[must_use]
pub fn is_unread(roots: &[Branch], key: &str) -> bool {
    find(roots, key).is_some_and(|branch| branch.children == Children::Unread)
}

fn find<'a>(branches: &'a [Branch], key: &str) -> Option<&'a Branch> {
    branches.iter().find_map(|branch| match &branch.children {
        _ if branch.key == key => Some(branch),
        Children::Read(below) if key.starts_with(&format!("{}/", branch.key)) => find(below, key),
        _ => None,
    })
}

fn pattern(key: &str, leaf: bool) -> String {
    if leaf {
        key.to_owned()
    } else {
        format!("{key}/{ALL}")
    }
}

/// The keys of the branches above, the nearest last.
fn above(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(key: &str, children: Children) -> Branch {
        Branch {
            key: key.to_owned(),
            label: key.rsplit('/').next().unwrap().to_owned(),
            children,
        }
    }

    /// press: line-4 (Temp, Flow), line-5 (unread); saw.
    fn plant() -> Vec<Branch> {
        let points = ["press/line-4/Temp", "press/line-4/Flow"];
        let points = points.map(|key| branch(key, Children::Leaf)).to_vec();
        let devices = vec![
            branch("press/line-4", Children::Read(points)),
            branch("press/line-5", Children::Unread),
        ];
        vec![
            branch("press", Children::Read(devices)),
            branch("saw", Children::Unread),
        ]
    }

    fn open(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    fn texts(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_branch_is_unread_until_something_was_put_below_it() {
        let mut roots = plant();
        let unread =
            |roots: &[Branch]| ["press", "press/line-5", "gone"].map(|key| is_unread(roots, key));
        assert_eq!(unread(&roots), [false, true, false]);
        put(&mut roots, "press/line-5", Vec::new());
        assert_eq!(unread(&roots), [false, false, false]);
    }

    #[test]
    fn what_cannot_be_chosen_is_seen_and_left_alone() {
        let below = vec![
            branch("press/Temp", Children::Leaf),
            branch("press/Flow", Children::Leaf),
            branch("press/Start", Children::Fixed),
        ];
        let roots = vec![branch("press", Children::Read(below))];
        let rows = rows(&roots, &open(&["press"]));
        let last = rows.last().unwrap();
        assert!(last.leaf && last.fixed && last.key == "press/Start");
        let nothing: Vec<String> = Vec::new();
        assert_eq!(toggle(&roots, &nothing, "press/Start"), nothing);
        let all = texts(&["press/**"]);
        assert_eq!(toggle(&roots, &all, "press/Start"), all);
        assert_eq!(toggle(&roots, &all, "press/Temp"), texts(&["press/Flow"]));
    }

    #[test]
    fn rows_are_what_open_branches_show() {
        let shown = |keys: &[&str]| {
            let rows = rows(&plant(), &open(keys));
            let row = |row: Row| {
                format!(
                    "{} {} {}/{}",
                    row.level, row.label, row.position, row.siblings
                )
            };
            rows.into_iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(shown(&[]), ["1 press 1/2", "1 saw 2/2"]);
        assert_eq!(shown(&["press/line-4"]), shown(&[]), "below a closed one");
        assert_eq!(
            shown(&["press"]),
            ["1 press 1/2", "2 line-4 1/2", "2 line-5 2/2", "1 saw 2/2"]
        );
    }

    #[test]
    fn keys_lead_as_the_practices_say() {
        let open = open(&["press", "press/line-4"]);
        let rows = rows(&plant(), &open);
        let go = |key: &str| Some(Step::Go(key.to_owned()));
        for (at, key, expected) in [
            ("press", "ArrowDown", go("press/line-4")),
            ("press", "ArrowUp", None),
            ("saw", "ArrowDown", None),
            ("saw", "Home", go("press")),
            ("press", "End", go("saw")),
            ("press", "ArrowRight", go("press/line-4")),
            ("saw", "ArrowRight", Some(Step::Open("saw".into()))),
            ("press/line-4/Temp", "ArrowRight", None),
            ("press/line-4/Flow", "ArrowLeft", go("press/line-4")),
            (
                "press/line-4",
                "ArrowLeft",
                Some(Step::Close("press/line-4".into())),
            ),
            ("press/line-5", "ArrowLeft", go("press")),
            ("press", "l", go("press/line-4")),
            ("press/line-4", "L", go("press/line-5")),
            ("press/line-5", "l", go("press/line-4")),
            ("press", "x", None),
            ("press", "Tab", None),
        ] {
            assert_eq!(step(&rows, &open, at, key), expected, "{key} at {at}");
        }
    }

    #[test]
    fn a_mark_tells_all_some_or_none() {
        for (patterns, key, leaf, expected) in [
            (vec![], "press", false, Chosen::None),
            (vec!["press/**"], "press", false, Chosen::All),
            (vec!["press/**"], "press/line-4/Temp", true, Chosen::All),
            (vec!["**"], "saw", false, Chosen::All),
            (vec!["press/line-4/Temp"], "press", false, Chosen::Some),
            (vec!["press/*/Temp*"], "press", false, Chosen::Some),
            (vec!["press-2/**"], "press", false, Chosen::None),
        ] {
            assert_eq!(
                chosen(&texts(&patterns), key, leaf),
                expected,
                "{key} in {patterns:?}"
            );
        }
    }

    #[test]
    fn choosing_and_taking_out() {
        for (before, key, after) in [
            (vec![""], "press", vec!["press/**"]),
            (
                vec!["saw/**", "press/line-4/Temp"],
                "press",
                vec!["saw/**", "press/**"],
            ),
            (vec!["press/**"], "press", vec![]),
            (vec!["press/line-4/Temp"], "press/line-4/Temp", vec![]),
            (
                vec!["press/**"],
                "press/line-4/Temp",
                vec!["press/line-5/**", "press/line-4/Flow"],
            ),
            (
                vec!["**"],
                "press/line-5",
                vec!["saw/**", "press/line-4/**"],
            ),
            (vec!["saw/**"], "nowhere", vec!["saw/**"]),
        ] {
            assert_eq!(
                toggle(&plant(), &texts(&before), key),
                after,
                "{key} in {before:?}"
            );
        }
    }

    #[test]
    fn what_was_read_is_put_in_its_place() {
        let mut plant = plant();
        put(
            &mut plant,
            "press/line-5",
            vec![branch("press/line-5/Speed", Children::Leaf)],
        );
        assert!(find(&plant, "press/line-5/Speed").is_some());
    }
}
