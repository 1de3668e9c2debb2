//! Which readings fire: tables, and that no rule fires more often than its pause allows.

use std::time::{Duration, Instant};

use fieldgate_kit::{DropCounters, Problem, settings};
use fieldgate_model::{Action, Answer, Class, Quality, Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    watch::{Known, Look, look},
    *,
};
use crate::{
    live::Live,
    pipeline::{
        plan::{Plan, Staged},
        routes::RouteTable,
    },
};

/// When the rules of these tests begin to look.
const SINCE_MS: i64 = 1_000_000;

fn rule(settings: Json, outlet: &Outlet) -> Arc<Rule> {
    let config = RuleConfig {
        id: "r".into(),
        paused: false,
        settings: settings::read(settings).unwrap(),
    };
    let rule = Rule::prepare(&config, Arc::default(), outlet.clone());
    Arc::new(rule.unwrap())
}

fn reading(second: i64, value: impl Into<Value>) -> Reading {
    let at = Timestamp::from_millis(SINCE_MS + second * 1000);
    Reading::new("press/Line/Level".parse().unwrap(), value, at)
}

fn event(second: i64, severity: u64, active: Option<bool>) -> Reading {
    let mut fields = vec![("Severity".to_owned(), Value::UInt(severity))];
    fields.extend(active.map(|active| ("ActiveState".to_owned(), Value::Bool(active))));
    let mut reading = reading(second, 0.0);
    (reading.value, reading.class) = (Value::Struct(fields), Class::Event);
    reading
}

/// What each reading comes to: `-` nothing, `F` it fires, or the first letter of why it cannot be judged.
#[track_caller]
fn check(condition: Json, readings: &[Reading], expected: &str) {
    let condition: Condition = settings::read(condition).unwrap();
    assert_eq!(condition.check(), []);
    let mut known = Known::default();
    let since = Timestamp::from_millis(SINCE_MS);
    let looks: String = readings
        .iter()
        .map(
            |reading| match look(&condition, since, &mut known, reading) {
                Look::Quiet => '-',
                Look::Fire => 'F',
                Look::Unfit(Missed::NotANumber) => 'n',
                Look::Unfit(Missed::NoField) => 'f',
                Look::Unfit(Missed::BadQuality) => 'b',
                Look::Unfit(other) => panic!("{other:?}"),
            },
        )
        .collect();
    assert_eq!(looks, expected, "{condition:?}");
}

fn numbers(numbers: &[f64]) -> Vec<Reading> {
    let seconds = 1..;
    let pairs = seconds.zip(numbers);
    pairs
        .map(|(second, number)| reading(second, *number))
        .collect()
}

#[test]
fn a_threshold_fires_when_it_is_crossed_and_comes_back_by_its_hysteresis() {
    let ups = numbers(&[70.0, 81.0, 90.0, 79.0, 81.0, 77.0, 80.0, 80.5]);
    check(json!({ "above": 80 }), &ups, "-F--F--F");
    check(json!({ "above": 80, "hysteresis": 2 }), &ups, "-F-----F");
    let downs = numbers(&[15.0, 9.0, 11.0, 9.0, 13.0, 9.0]);
    check(json!({ "below": 10 }), &downs, "-F-F-F");
    check(json!({ "below": 10, "hysteresis": 2 }), &downs, "-F---F");
    let range = numbers(&[5.0, 15.0, 25.0, 15.0]);
    check(json!({ "above": 10, "below": 20 }), &range, "-F-F");
    check(json!({ "above": 80 }), &numbers(&[90.0, 91.0]), "--");
    check(
        json!({ "above": 80, "at_start": true }),
        &numbers(&[90.0, 91.0]),
        "F-",
    );
}

#[test]
fn what_cannot_be_judged_fires_nothing_and_is_forgotten() {
    let mut bad = reading(3, 0.0);
    bad.quality = Quality::Bad("lost".into());
    let readings = [
        reading(1, 70.0),
        reading(2, "warm"),
        bad,
        reading(4, f64::NAN),
        reading(5, 90.0),
        reading(6, true),
        reading(7, 91.0),
    ];
    check(json!({ "above": 80 }), &readings, "-nbnFn-");
    check(json!({ "severity_from": 1 }), &[reading(1, 5.0)], "f");
    check(
        json!({ "active": true }),
        &[event(1, 500, None), reading(1, 5.0)],
        "ff",
    );
}

#[test]
fn an_alarm_fires_when_it_becomes_active() {
    let condition = json!({ "severity_from": 500, "active": true });
    let readings = [
        event(1, 700, Some(true)),
        event(2, 700, Some(true)),
        event(3, 50, Some(false)),
        event(4, 300, Some(true)),
        event(5, 600, Some(true)),
    ];
    check(condition.clone(), &readings, "F---F");
    check(json!({ "active": false }), &readings, "--F--");
    // What happened before anybody looked is no news; what is told again after it is none either.
    let old = [
        event(-60, 700, Some(true)),
        event(1, 700, Some(true)),
        event(2, 1, Some(false)),
        event(3, 700, Some(true)),
    ];
    check(condition.clone(), &old, "---F");
    check(json!({ "active": true, "at_start": true }), &old, "F--F");
    let flag = [reading(1, false), reading(2, true), reading(3, true)];
    check(json!({ "active": true }), &flag, "-F-");
    // An earlier state that is still to be acknowledged.
    let mut branch = event(2, 700, Some(true));
    if let Value::Struct(fields) = &mut branch.value {
        fields.push(("BranchId".into(), "ns=1;i=1".into()));
    }
    check(condition, &[event(1, 50, Some(false)), branch], "--");
}

#[test]
fn events_are_occurrences_and_values_come_to_be() {
    let events = [
        event(-9, 900, None),
        event(1, 900, None),
        event(2, 100, None),
        event(3, 900, None),
    ];
    check(json!({ "severity_from": 500 }), &events, "-F-F");
    let values = [
        reading(1, "auto"),
        reading(2, "manual"),
        reading(3, "manual"),
        reading(4, "auto"),
    ];
    check(json!({ "equals": "manual" }), &values, "-F--");
    check(json!({ "changes": true }), &values, "-F-F");
    check(
        json!({ "changes": true, "at_start": true }),
        &values,
        "FF-F",
    );
    let whole = [
        reading(1, 0_i64),
        reading(2, 1_u64),
        reading(3, 1.0),
        reading(4, 2_i64),
    ];
    check(json!({ "equals": 1 }), &whole, "-F--");
    let nans = numbers(&[f64::NAN, f64::NAN, 1.0]);
    check(json!({ "changes": true }), &nans, "--F");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let told = |problems: Vec<Problem>| -> Vec<String> {
        problems
            .iter()
            .map(|problem| problem.path.join("."))
            .collect()
    };
    for (condition, expected) in [
        (json!({ "severity_from": 0 }), vec!["severity_from"]),
        (json!({ "hysteresis": 1 }), vec!["hysteresis"]),
        (json!({ "above": 2, "below": 1 }), vec!["below"]),
        (json!({ "above": 2, "active": true }), vec!["above"]),
        (json!({ "above": 1, "hysteresis": -1 }), vec!["hysteresis"]),
        (json!({ "equals": null, "changes": true }), vec![]),
    ] {
        let condition: Condition = settings::read(condition).unwrap();
        assert_eq!(told(condition.check()), expected, "{condition:?}");
    }
    for (act, expected) in [
        (json!({ "target": "a/b/c", "read": true }), vec![]),
        (json!({ "target": "a/b/c", "call": {} }), vec![]),
        (json!({ "target": "a/b/c" }), vec![""]),
        (
            json!({ "target": "a/b/c", "call": {}, "write": 1 }),
            vec!["write"],
        ),
        (json!({ "target": "a/b/c", "call": 1 }), vec!["call"]),
        (
            json!({ "target": "a/b/c", "write": ["{valu}"] }),
            vec!["write.0"],
        ),
    ] {
        let act: Act = settings::read(act).unwrap();
        assert_eq!(told(act.check()), expected, "{act:?}");
    }
    assert_eq!(wrong_pause(&span(0)).len(), 1);
    assert_eq!(wrong_pause(&span(100)), []);
}

fn span(millis: u64) -> settings::Span {
    settings::Span(Duration::from_millis(millis))
}

fn clip(outlet: &Outlet) -> Arc<Rule> {
    let act = json!({ "target": "gate/camera/clip", "call": { "why": "{value}" } });
    rule(json!({ "when": ["press/**"], "do": act }), outlet)
}

#[test]
fn one_reading_is_one_command_and_the_next_one_another() {
    let (outlet, _inlet) = channel();
    let rule = clip(&outlet);
    let draft = |reading: &Reading| rule.draft(reading).unwrap();
    let first = draft(&reading(1, 1.0));
    assert_eq!(first.target.as_str(), "gate/camera/clip");
    let arguments = fieldgate_model::Arguments::Named(vec![("why".into(), Value::Float(1.0))]);
    assert_eq!(first.action, Action::Call(arguments));
    let mut again = reading(1, 1.0);
    again.seen = Timestamp::from_millis(9);
    assert_eq!(
        draft(&again),
        first,
        "the gateway's own clock means nothing"
    );
    for other in [reading(1, 2.0), reading(2, 1.0)] {
        assert_ne!(draft(&other).id, first.id);
    }
    let id = first.id.unwrap();
    assert!(id.starts_with("rule-r-") && id.len() < 64, "{id}");
}

#[test]
fn a_rule_rests_has_one_command_at_a_time_and_waits_for_nobody() {
    let (outlet, _inlet) = channel();
    let rule = clip(&outlet);
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    rule.fire(&reading(1, 1.0), start);
    rule.fire(&reading(2, 1.0), start + second);
    rule.fire(&reading(3, 1.0), start + 10 * second);
    let told = rule.score.told(start);
    assert_eq!(told.fired, 1);
    assert_eq!(
        told.missed,
        [(Missed::Resting, 1), (Missed::UnderWay, 1)].into()
    );
    assert_eq!(told.last.unwrap().1.as_str(), "press/Line/Level");
    assert!(told.rests_until.is_some());
    assert!(rule.score.told(start + 10 * second).rests_until.is_none());

    // The channel has room for 64 of them.
    let others: Vec<_> = (0..64).map(|_| clip(&outlet)).collect();
    others
        .iter()
        .for_each(|rule| rule.fire(&reading(1, 1.0), start));
    let last = others.last().unwrap().score.told(start);
    assert_eq!((last.fired, last.missed), (0, [(Missed::Full, 1)].into()));
    assert_eq!(others[0].score.told(start).fired, 1);
}

#[test]
fn what_became_of_a_command_is_told_and_frees_the_rule() {
    let score: Arc<Score> = Arc::default();
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let begin = |at| score.begin(second, at, Timestamp::default());
    let turn = begin(now).unwrap();
    assert!(turn.ended(&Answer::refused("not allowed")));
    let turn = begin(now + second).unwrap();
    assert!(
        !turn.ended(&Answer::refused("not allowed")),
        "it is no news"
    );
    let turn = begin(now + 2 * second).unwrap();
    assert!(turn.ended(&Answer::done("called")));
    let told = score.told(now);
    assert_eq!(told.outcomes, [("done", 1), ("refused", 2)].into());
    assert_eq!(told.ended.unwrap().words, "called");
    drop(begin(now + 3 * second).unwrap());
    assert!(
        begin(now + 4 * second).is_ok(),
        "a turn that was dropped is over"
    );
}

#[test]
fn a_pipeline_hands_over_what_fires_whether_or_not_a_route_takes_it() {
    let (outlet, _inlet) = channel();
    let hot = json!({
        "when": ["press/**"], "if": { "above": 80 }, "pause": "100 ms", "do": { "target": "gate/a/b", "read": true },
    });
    let rule = rule(hot, &outlet);
    let table = RouteTable {
        rules: vec![Arc::clone(&rule)],
        ..RouteTable::default()
    };
    let mut plan = Plan::new(
        &table,
        Live::default(),
        DropCounters::default(),
        Arc::default(),
    );
    let mut staged = Staged::default();
    let mut late = reading(2, 90.0);
    late.backfilled = true;
    let mut elsewhere = reading(3, 90.0);
    elsewhere.point = "oven/a/b".parse().unwrap();
    for reading in [reading(1, 70.0), late, elsewhere] {
        plan.take(reading, &mut staged);
    }
    assert_eq!(rule.score.told(Instant::now()), Told::default());
    // What was seen before a change of the configuration is known after it.
    plan.adopt(&table);
    plan.take(reading(4, 90.0), &mut staged);
    plan.take(reading(5, 91.0), &mut staged);
    let told = rule.score.told(Instant::now());
    assert_eq!((told.fired, told.missed.len()), (1, 0));
    assert_eq!(staged.into_lanes().count(), 0);
}

proptest! {
    /// However the readings come, and from however many sources at once.
    #[test]
    fn a_rule_never_fires_more_often_than_its_pause_allows(
        pause_ms in 100..5000_u64,
        steps in prop::collection::vec((0..2000_u64, -10.0..10.0_f64, 0..3_usize), 1..200),
    ) {
        let condition = Condition { above: Some(0.0), ..Condition::default() };
        let score: Arc<Score> = Arc::default();
        let mut sources = [Known::default(), Known::default(), Known::default()];
        let (start, mut passed) = (Instant::now(), 0);
        let mut fired = Vec::new();
        for (step, number, source) in steps {
            passed += step;
            let look = look(&condition, Timestamp::default(), &mut sources[source], &reading(1, number));
            let now = start + Duration::from_millis(passed);
            if look == Look::Fire && score.begin(Duration::from_millis(pause_ms), now, Timestamp::default()).is_ok() {
                fired.push(passed);
            }
        }
        for pair in fired.windows(2) {
            prop_assert!(pair[1] - pair[0] >= pause_ms, "{:?}", fired);
        }
    }

    /// A state that came true has to end before it comes true again.
    #[test]
    fn a_threshold_fires_once_for_each_crossing(numbers in prop::collection::vec(-10.0..10.0_f64, 1..100)) {
        let condition = Condition { above: Some(0.0), ..Condition::default() };
        let mut known = Known::default();
        let fired = numbers.iter().filter(|number| {
            look(&condition, Timestamp::default(), &mut known, &reading(1, **number)) == Look::Fire
        });
        let crossings = numbers.windows(2).filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0);
        prop_assert_eq!(fired.count(), crossings.count());
    }
}
