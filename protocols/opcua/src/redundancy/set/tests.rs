//! Which server of a set to be on, in tables.

use serde_json::json;

use super::*;

const A: usize = 0;
const B: usize = 1;

fn set(start: Instant) -> Set {
    let settings = json!({
        "endpoint": "opc.tcp://a",
        "alternates": ["opc.tcp://b", "opc.tcp://c"],
        "select": ["Objects/**"],
    });
    Set::new(&serde_json::from_value(settings).unwrap(), start)
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

/// Levels of a, b and c, `None` for one that cannot be reached: where a source that is on a moves to.
fn check(levels: [Option<u8>; 3], expected: Option<&str>) {
    let start = Instant::now();
    let mut set = set(start);
    for (member, level) in levels.into_iter().enumerate() {
        match level {
            Some(level) => set.serves(member, Some(level), start),
            None => set.fails(member, "off".to_owned(), start),
        }
    }
    let moved = set.move_to_better(after(start, 1));
    assert_eq!(moved.is_some(), expected.is_some(), "{levels:?} {moved:?}");
    let expected = expected.unwrap_or("opc.tcp://a");
    assert_eq!(set.choose(start), expected, "{levels:?}");
}

#[test]
fn the_healthiest_is_chosen_by_its_sub_range() {
    for (levels, expected) in [
        ([Some(255), Some(255), Some(255)], None),
        // Within the healthy range nobody moves for a number.
        ([Some(200), Some(255), Some(255)], None),
        ([Some(199), Some(200), Some(255)], Some("opc.tcp://c")),
        ([Some(100), Some(255), Some(255)], Some("opc.tcp://b")),
        // Degraded for degraded only when it is much better.
        ([Some(100), Some(149), None], None),
        ([Some(100), Some(150), Some(120)], Some("opc.tcp://b")),
        ([Some(1), Some(2), None], Some("opc.tcp://b")),
        ([Some(0), Some(1), Some(0)], Some("opc.tcp://b")),
        ([Some(0), None, None], None),
        ([Some(1), Some(1), Some(0)], None),
    ] {
        check(levels, expected);
    }
}

#[test]
fn what_was_seen_long_ago_is_no_reason_to_move() {
    let start = Instant::now();
    let mut set = set(start);
    set.serves(B, Some(255), start);
    set.serves(A, Some(0), after(start, 60));
    assert_eq!(set.move_to_better(after(start, 60)), None);
    set.serves(B, Some(255), after(start, 61));
    assert!(set.move_to_better(after(start, 61)).is_some());
}

#[test]
fn two_that_take_turns_do_not_make_it_flap() {
    let start = Instant::now();
    let mut set = set(start);
    let see = |set: &mut Set, a, b, seconds| {
        set.serves(A, Some(a), after(start, seconds));
        set.serves(B, Some(b), after(start, seconds));
        set.fails(2, "off".to_owned(), after(start, seconds));
        let moved = set.move_to_better(after(start, seconds)).is_some();
        set.moving = false;
        moved
    };
    assert!(see(&mut set, 100, 255, 0));
    for seconds in 1..30 {
        assert!(!see(&mut set, 255, 100, seconds), "{seconds}");
    }
    assert!(see(&mut set, 255, 100, 30));
    assert!(!see(&mut set, 100, 255, 31));
    assert!(
        see(&mut set, 1, 255, 32),
        "one without data is left at once"
    );
}

#[test]
fn when_the_current_one_is_lost_the_next_one_is_tried_and_in_the_end_the_first_again() {
    let start = Instant::now();
    let mut set = set(start);
    let lose = |set: &mut Set, seconds| {
        let outcome = set.ended(
            Err(SourceError::Lost("gone".to_owned())),
            after(start, seconds),
        );
        let next = set.choose(after(start, seconds)).to_owned();
        (outcome.unwrap_err().to_string(), next)
    };
    assert_eq!(set.choose(start), "opc.tcp://a");
    set.serves(B, Some(150), start);
    let (words, next) = lose(&mut set, 1);
    assert_eq!(
        next, "opc.tcp://c",
        "nobody looked at it yet, it may be healthy"
    );
    assert_eq!(words, "gone; opc.tcp://c of the redundant set is next");
    assert_eq!(lose(&mut set, 2).1, "opc.tcp://b");
    let words = set.words();
    assert!(
        words.contains("because opc.tcp://c cannot be used: gone"),
        "{words}"
    );
    assert_eq!(
        lose(&mut set, 3).1,
        "opc.tcp://a",
        "it failed the longest ago"
    );
    assert_eq!(lose(&mut set, 4).1, "opc.tcp://c");
}

#[test]
fn only_when_all_refuse_it_is_tried_slowly() {
    let start = Instant::now();
    let mut set = set(start);
    let refuse = |set: &mut Set| {
        set.choose(start);
        set.ended(Err(SourceError::Refused("no".to_owned())), start)
    };
    assert!(matches!(refuse(&mut set), Err(SourceError::Lost(_))));
    assert!(matches!(refuse(&mut set), Err(SourceError::Lost(_))));
    assert_eq!(refuse(&mut set), Err(SourceError::Refused("no".to_owned())));
}

#[test]
fn a_single_server_is_as_it_ever_was() {
    let start = Instant::now();
    let settings = json!({ "endpoint": "opc.tcp://a", "select": ["Objects/**"] });
    let mut set = Set::new(&serde_json::from_value(settings).unwrap(), start);
    let refused = Err(SourceError::Refused("no".to_owned()));
    assert_eq!(set.ended(refused.clone(), start), refused);
    assert_eq!(set.choose(start), "opc.tcp://a");
    assert!(!set.is_look_due(after(start, 999)));
}

#[test]
fn the_others_are_looked_at_more_often_when_the_current_one_is_not_well() {
    let start = Instant::now();
    let mut set = set(start);
    assert!(set.is_look_due(start));
    set.looked(start);
    set.serves(A, Some(255), start);
    assert!(!set.is_look_due(after(start, 59)));
    assert!(set.is_look_due(after(start, 60)));
    set.serves(A, Some(150), start);
    assert!(set.is_look_due(after(start, 4)));
}

#[test]
fn a_server_that_another_one_names_is_one_of_the_set_once() {
    let start = Instant::now();
    let mut set = set(start);
    set.is_application(A, "urn:a");
    let uris = ["urn:a", "urn:b", "urn:d"].map(str::to_owned);
    assert_eq!(set.unknown(&uris), [&uris[1], &uris[2]]);
    let addresses = |url: &str| vec!["https://x".to_owned(), url.to_owned()];
    let learn = |set: &mut Set, uri: &str, address: &str| {
        set.learn(uri, address, Reach::Near(Vec::new()), start);
    };
    learn(&mut set, "urn:b", "opc.tcp://b-by-another-name");
    learn(&mut set, "urn:d", "opc.tcp://d");
    assert!(set.knows(&addresses("opc.tcp://c")) && !set.knows(&addresses("opc.tcp://e")));
    assert_eq!(set.members.len(), 5);
    set.is_application(B, "urn:b");
    let left: Vec<&str> = set.members.iter().map(|member| &*member.address).collect();
    assert_eq!(
        left,
        ["opc.tcp://a", "opc.tcp://b", "opc.tcp://c", "opc.tcp://d"]
    );
}

#[test]
fn a_server_far_away_that_another_one_names_is_shown_and_not_asked() {
    let start = Instant::now();
    let mut set = set(start);
    assert!(set.is_at_named_host("opc.tcp://A:4841/other"));
    assert!(!set.is_at_named_host("opc.tcp://evil.example:4840"));
    assert_eq!(set.only_named(), "");
    for _ in 0..2 {
        set.only_name("opc.tcp://evil.example:4840");
    }
    assert_eq!(set.members.len(), 3);
    let words = set.words();
    assert!(
        words.contains("names opc.tcp://evil.example:4840 as of its redundant set")
            && words.contains("`alternates`"),
        "{words}"
    );
    // One that was learned names no host for others.
    set.learn("urn:d", "opc.tcp://d", Reach::Near(Vec::new()), start);
    assert!(!set.is_at_named_host("opc.tcp://d:4841"));
    assert_eq!(*set.reach(A), Reach::Named);
    for at in 0..100 {
        set.only_name(&format!("opc.tcp://{at}"));
    }
    assert_eq!(set.only_named.len(), MAX_MEMBERS);
}
