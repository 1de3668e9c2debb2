//! `Book`: which points wait for a person, which were declined, and which are read. Pure.
//!
//! What the rules find when they are new is what the person wanted, and is taken. What they find later waits, and neither a
//! restart of the gateway nor one of the server makes it taken or forgets that it was declined.

use std::collections::{BTreeMap, BTreeSet};

use fieldgate_kit::review::{Chosen, Decided, Newcomer, ReviewList};
use fieldgate_model::{PointId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    connection::ValueType,
    select::Item,
    settings::{NewNodes, Select, Settings},
};

/// The layout of a saved book.
pub(crate) const VERSION: u32 = 1;
/// Points that wait, and points that were declined; as many as a source can have.
const MAX_ENTRIES: usize = 100_000;

/// Everything that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Book {
    /// What is new waits for a person.
    asks: bool,
    /// The rules as they are now.
    rules: Vec<String>,
    kept: Kept,
}

/// What is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub version: u32,
    /// The rules that found what is taken.
    pub rules: Vec<String>,
    pub taken: BTreeSet<PointId>,
    pub waiting: BTreeMap<PointId, Entry>,
    pub declined: BTreeMap<PointId, Entry>,
}

/// A point that is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub address: String,
    pub data_type: Option<String>,
    pub since: Timestamp,
}

// === impl Book ===

impl Book {
    pub(crate) fn new(settings: &Settings, kept: Kept) -> Self {
        Self {
            asks: settings.new_nodes == NewNodes::Review,
            rules: settings.select.iter().map(rule).collect(),
            kept,
        }
    }

    /// Nothing is kept where nobody is asked.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        self.asks.then_some(&self.kept)
    }

    pub(crate) fn waiting(&self) -> usize {
        match self.asks {
            true => self.kept.waiting.len(),
            false => 0,
        }
    }

    /// The found points that are read. `whole`: everything that is there was found.
    pub(crate) fn sort(
        &mut self,
        found: Vec<(Item, ValueType)>,
        whole: bool,
        now: Timestamp,
    ) -> Vec<(Item, ValueType)> {
        if !self.asks {
            return found;
        }
        let there: BTreeSet<PointId> = found.iter().map(|(item, _)| item.point.clone()).collect();
        let same_rules = self.kept.version == VERSION && self.kept.rules == self.rules;
        let read = found
            .into_iter()
            .filter(|(item, value_type)| self.is_read(item, value_type, same_rules, now))
            .collect();
        if whole {
            self.kept.waiting.retain(|point, _| there.contains(point));
        }
        self.kept.version = VERSION;
        self.kept.rules.clone_from(&self.rules);
        read
    }

    fn is_read(&mut self, item: &Item, of: &ValueType, same_rules: bool, now: Timestamp) -> bool {
        let Kept {
            taken,
            waiting,
            declined,
            ..
        } = &mut self.kept;
        if item.named || taken.contains(&item.point) {
            return true;
        }
        if declined.contains_key(&item.point) || waiting.contains_key(&item.point) {
            return false;
        }
        if !same_rules {
            taken.insert(item.point.clone());
            return true;
        }
        if waiting.len() < MAX_ENTRIES {
            let entry = Entry {
                address: item.address.clone(),
                data_type: of.name.clone(),
                since: now,
            };
            waiting.insert(item.point.clone(), entry);
        }
        false
    }

    /// Read from now on: what waits, or what was declined once.
    pub(crate) fn accept(&mut self, chosen: &Chosen) -> Decided {
        let points = self.chosen(chosen)?;
        for point in &points {
            self.kept.waiting.remove(point);
            self.kept.declined.remove(point);
            self.kept.taken.insert(point.clone());
        }
        Ok(told(points.len(), "accepted"))
    }

    /// Left out until they are accepted.
    pub(crate) fn decline(&mut self, chosen: &Chosen, now: Timestamp) -> Decided {
        let points = self.chosen(chosen)?;
        for point in &points {
            if let Some(entry) = self.kept.waiting.remove(point)
                && self.kept.declined.len() < MAX_ENTRIES
            {
                let entry = Entry {
                    since: now,
                    ..entry
                };
                self.kept.declined.insert(point.clone(), entry);
            }
        }
        Ok(told(points.len(), "declined"))
    }

    /// All of them, or none when one is wrong.
    fn chosen(&self, chosen: &Chosen) -> Result<Vec<PointId>, String> {
        if !self.asks {
            return Err(
                "this source takes what is new at once; write new_nodes = \"review\" to decide yourself"
                    .to_owned(),
            );
        }
        let Kept {
            waiting, declined, ..
        } = &self.kept;
        match chosen {
            Chosen::All(version) if *version != version_of(waiting) => Err(
                "the list of what waits is not as it was when you looked; nothing was changed, so look once more and decide again"
                    .to_owned(),
            ),
            Chosen::All(_) => Ok(waiting.keys().cloned().collect()),
            Chosen::Points(points) => {
                let unknown = points
                    .iter()
                    .find(|point| !waiting.contains_key(point) && !declined.contains_key(point));
                match unknown {
                    Some(point) => Err(format!(
                        "`{point}` does not wait for a decision and was not declined; nothing was changed"
                    )),
                    None => Ok(points.clone()),
                }
            }
        }
    }

    pub(crate) fn list(&self, words: String) -> ReviewList {
        let list = |entries: &BTreeMap<PointId, Entry>| match self.asks {
            true => entries.iter().map(newcomer).collect(),
            false => Vec::new(),
        };
        ReviewList {
            words,
            asks: self.asks,
            version: version_of(&self.kept.waiting),
            waiting: list(&self.kept.waiting),
            declined: list(&self.kept.declined),
        }
    }
}

/// Of what a person sees of them; the names are the server's, so nobody may choose two lists of one version.
fn version_of(waiting: &BTreeMap<PointId, Entry>) -> String {
    let mut digest = Sha256::new();
    for (point, entry) in waiting {
        let since = entry.since.nanos();
        let seen = format!(
            "{point:?} {:?} {:?} {since}\n",
            entry.address, entry.data_type
        );
        digest.update(seen);
    }
    let digest = digest.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn newcomer((point, entry): (&PointId, &Entry)) -> Newcomer {
    Newcomer {
        point: point.clone(),
        address: entry.address.clone(),
        data_type: entry.data_type.clone(),
        since: entry.since,
    }
}

/// What a rule looks for; how its values are looked at is another matter.
fn rule(select: &Select) -> String {
    match select {
        Select::Path(path) => format!("path {path}"),
        Select::Paths(rule) => format!("path {}", rule.path),
        Select::Types(rule) => format!("type {}", rule.type_name),
        Select::Profile(rule) => format!("profile {}", rule.profile),
        Select::Node(rule) => format!("node {}", rule.node),
    }
}

fn told(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 point {what}"),
        count => format!("{count} points {what}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twin;

    fn settings(new_nodes: &str, select: &[&str]) -> Settings {
        let settings =
            json!({ "endpoint": "opc.tcp://h", "select": select, "new_nodes": new_nodes });
        serde_json::from_value(settings).unwrap()
    }

    fn found(points: &[usize]) -> Vec<(Item, ValueType)> {
        let one = |at: &usize| (twin::item(*at), ValueType::default());
        points.iter().map(one).collect()
    }

    fn points(points: &[usize]) -> Chosen {
        Chosen::Points(points.iter().map(|at| twin::item(*at).point).collect())
    }

    /// All, as the list has them now.
    fn all(book: &Book) -> Chosen {
        Chosen::All(book.list(String::new()).version)
    }

    #[track_caller]
    fn read(book: &mut Book, points: &[usize], expected: &[usize]) {
        let read = book.sort(found(points), true, Timestamp::from_millis(7));
        let expected = found(expected);
        assert_eq!(read, expected);
    }

    /// The same book after a restart.
    fn again(book: &Book, select: &[&str]) -> Book {
        let text = serde_json::to_string(book.kept().unwrap()).unwrap();
        Book::new(
            &settings("review", select),
            serde_json::from_str(&text).unwrap(),
        )
    }

    const ALL: &[&str] = &["Objects/**"];

    #[test]
    fn where_nobody_asks_everything_is_taken() {
        let mut book = Book::new(&settings("take", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2], &[1, 2]);
        assert_eq!((book.waiting(), book.kept()), (0, None));
        assert!(book.accept(&all(&book)).unwrap_err().contains("at once"));
    }

    #[test]
    fn what_is_new_waits_until_it_is_decided_and_no_restart_decides_it() {
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1, 2], &[1, 2]);
        read(&mut book, &[1, 2, 3, 4, 5], &[1, 2]);
        let mut book = again(&book, ALL);
        read(&mut book, &[5, 4, 3, 2, 1], &[2, 1]);
        assert_eq!(book.waiting(), 3);
        assert_eq!(
            book.accept(&points(&[3])),
            Ok("1 point accepted".to_owned())
        );
        let declined = book.decline(&points(&[4]), Timestamp::from_millis(8));
        assert_eq!(declined, Ok("1 point declined".to_owned()));
        let mut book = again(&book, ALL);
        read(&mut book, &[1, 2, 3, 4, 5], &[1, 2, 3]);
        let list = book.list(String::new());
        let names = |list: &[Newcomer]| -> Vec<String> {
            list.iter()
                .map(|new| new.point.point().to_owned())
                .collect()
        };
        assert_eq!(names(&list.waiting), ["p5"]);
        assert_eq!(names(&list.declined), ["p4"]);
        // Declined, and accepted after all.
        assert!(book.accept(&points(&[4])).is_ok());
        read(&mut book, &[1, 2, 3, 4, 5], &[1, 2, 3, 4]);
        assert_eq!(
            book.decline(&all(&book), Timestamp::default()),
            Ok("1 point declined".to_owned())
        );
        assert_eq!(book.waiting(), 0);
    }

    #[test]
    fn what_vanishes_waits_no_more_and_what_was_declined_stays_so() {
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2, 3], &[1]);
        book.decline(&points(&[3]), Timestamp::default()).unwrap();
        // Not everything was seen.
        book.sort(found(&[1]), false, Timestamp::default());
        assert_eq!(book.waiting(), 1);
        read(&mut book, &[1], &[1]);
        assert_eq!(book.waiting(), 0);
        read(&mut book, &[1, 2, 3], &[1]);
        assert_eq!(book.waiting(), 1);
    }

    #[test]
    fn new_rules_take_what_they_find_but_for_what_waits_or_was_declined() {
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2, 3], &[1]);
        book.decline(&points(&[3]), Timestamp::default()).unwrap();
        let mut book = again(&book, &["Objects/**", "Objects/More/**"]);
        read(&mut book, &[1, 2, 3, 4], &[1, 4]);
        read(&mut book, &[1, 2, 3, 4, 5], &[1, 4]);
    }

    #[test]
    fn what_came_after_a_person_looked_is_not_accepted_with_all_the_others() {
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2, 3], &[1]);
        let looked = all(&book);
        assert_eq!(all(&again(&book, ALL)), looked, "a restart changes nothing");
        read(&mut book, &[1, 2, 3, 4], &[1]);
        for decided in [
            book.accept(&looked),
            book.decline(&looked, Timestamp::default()),
        ] {
            assert!(decided.unwrap_err().contains("look once more"));
        }
        assert_eq!(book.waiting(), 3);
        let looked = all(&book);
        assert_eq!(book.accept(&looked), Ok("3 points accepted".to_owned()));
    }

    #[test]
    fn nothing_is_changed_by_a_choice_that_is_wrong() {
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2], &[1]);
        let before = book.clone();
        assert!(
            book.accept(&points(&[2, 9]))
                .unwrap_err()
                .contains("s/d/p9")
        );
        assert!(book.decline(&points(&[1]), Timestamp::default()).is_err());
        assert_eq!(book, before);
    }

    #[test]
    fn the_file_is_of_this_version() {
        let golden = r#"{"version":1,"rules":["path Objects/**"],"taken":["s/d/p1"],"waiting":{"s/d/p2":{"address":"ns=2;i=2","data_type":null,"since":"1970-01-01T00:00:00.007Z"}},"declined":{}}"#;
        let mut book = Book::new(&settings("review", ALL), Kept::default());
        read(&mut book, &[1], &[1]);
        read(&mut book, &[1, 2], &[1]);
        assert_eq!(serde_json::to_string(book.kept().unwrap()).unwrap(), golden);
    }
}
