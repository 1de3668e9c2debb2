//! A historian that refuses, fails, is away, and comes back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_is_remembered_and_the_rest_goes_on() {
    for (why, told, is_asked_again) in [
        ("BadUserAccessDenied", true, false),
        ("BadHistoryOperationUnsupported", true, false),
        ("BadNodeIdUnknown", true, true),
        ("BadNoData", false, true),
    ] {
        let mut rig = Rig::new(2, 100, Fill::OldestFirst);
        rig.historian.refuses.insert(0, why);
        rig.missed(0, 10, 60);
        rig.missed(1, 10, 60);
        assert_eq!(rig.fill().await, seconds(1, 11..60), "{why}");
        let words = rig.history.words().unwrap();
        assert_eq!(words.contains(why), told, "{words}");
        let asked = rig.historian.asked.len();
        rig.missed(0, 60, 70);
        rig.fill().await;
        assert_eq!(
            rig.historian.asked.len(),
            asked + usize::from(is_asked_again),
            "{why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_tried_again() {
    let mut rig = Rig::new(4, 100, Fill::OldestFirst);
    rig.historian.fails = ["BadTimeout", "BadTooManyOperations", "BadServerTooBusy"].into();
    for point in 0..4 {
        rig.missed(point, 10, 20);
    }
    assert_eq!(rig.fill().await.len(), 4 * 9);
    let nodes: Vec<usize> = rig
        .historian
        .asked
        .iter()
        .map(|asked| asked.nodes.len())
        .collect();
    assert_eq!(nodes[0], 4);
}

/// Four hours away, in one word or another, for one node or the whole call: nothing is lost, and nobody is pestered.
#[tokio::test(start_paused = true)]
async fn a_historian_that_is_away_for_hours_loses_no_gap() {
    for (why, of_node) in [
        ("BadTimeout", false),
        ("BadInternalError", false),
        ("BadUserAccessDenied", false),
        ("BadUnexpectedError", true),
        ("BadNoCommunication", true),
    ] {
        let mut rig = Rig::new(2, 100, Fill::OldestFirst);
        rig.missed(0, 10, 60);
        rig.missed(1, 10, 60);
        match of_node {
            true => drop(rig.historian.refuses.insert(0, why)),
            false => rig.historian.fails = vec![why; 1000].into(),
        }
        let back = Instant::now() + Duration::from_secs(4 * 3600);
        let mut filled = Vec::new();
        while rig.history.due().is_some_and(|due| due < back) {
            let due = rig.history.due().unwrap();
            advance(due.saturating_duration_since(Instant::now())).await;
            filled.extend(rig.step());
        }
        let asked = rig.historian.asked.len();
        assert!((40..70).contains(&asked), "{why}: {asked} times in 4 hours");
        let words = rig.history.words().unwrap();
        assert!(
            words.contains("is asked again") && words.contains(why),
            "{words}"
        );
        rig.historian.refuses.clear();
        rig.historian.fails.clear();
        filled.extend(rig.fill().await);
        filled.sort_unstable();
        let expected: Vec<_> = (0..2).flat_map(|point| seconds(point, 11..60)).collect();
        assert_eq!(filled, expected, "{why}");
        let words = rig.history.words().unwrap();
        assert!(!words.contains("again"), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_is_older_than_wished_before_the_historian_is_back_is_given_up() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.missed(0, 10, 60);
    rig.historian.fails = vec!["BadTimeout"; 100].into();
    for _ in 0..6 {
        let due = rig.history.due().unwrap();
        advance(due.saturating_duration_since(Instant::now())).await;
        rig.step();
    }
    rig.history.rule.max_age = "100 s".parse().unwrap();
    assert_eq!(rig.fill().await, []);
    let words = rig.history.words().unwrap();
    assert!(
        words.contains("1 gaps were not filled: they are older"),
        "{words}"
    );
}

/// What was halved while it failed comes back once it answers.
#[tokio::test(start_paused = true)]
async fn a_historian_that_is_back_is_asked_for_as_much_as_before() {
    let mut rig = Rig::new(1, 100, Fill::OldestFirst);
    rig.historian.fails = vec!["BadTimeout"; 30].into();
    rig.missed(0, 10, 90);
    assert_eq!(rig.fill().await, seconds(0, 11..90));
    let least = rig.history.values_a_call;
    assert!(least < 100, "{least}");
    for round in 0..400 {
        rig.missed(0, 10 + round % 3, 14);
        rig.fill().await;
    }
    assert_eq!(rig.history.values_a_call, VALUES_A_CALL);
    assert_eq!(rig.history.per_call, 100);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_history_is_asked_no_more() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.historian.fails = ["BadServiceUnsupported"].into();
    rig.missed(0, 10, 20);
    assert_eq!(rig.fill().await, []);
    rig.missed(0, 20, 30);
    assert_eq!(rig.history.due(), None);
    let words = rig.history.words().unwrap();
    assert!(
        words.contains("1 gaps were not filled: BadServiceUnsupported"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_too_busy_to_say_what_it_keeps_is_asked_again() {
    let mut rig = Rig::new(1, 1, Fill::OldestFirst);
    rig.missed(0, 10, 20);
    let busy = Answered::Access(Err(Status::named("BadServerTooBusy")));
    rig.history.answered(busy, &rig.items);
    assert_eq!(rig.fill().await, seconds(0, 11..20));
}

/// Points that joined between the question and its answer were not asked; and a server can answer less than it was asked.
#[tokio::test(start_paused = true)]
async fn an_answer_about_access_is_of_the_points_that_were_asked() {
    let mut rig = Rig::new(2, 100, Fill::OldestFirst);
    let Some(Ask::Access(asked)) = rig.history.ask(&rig.items, at(200)) else {
        panic!("first of all");
    };
    assert_eq!(asked.len(), 2);
    rig.history.push();
    rig.items.push(item(2));
    rig.historian.values.insert(2, (0..100).collect());
    for point in 0..3 {
        rig.missed(point, 10, 20);
    }
    let answer = Answered::Access(Ok(vec![true]));
    rig.history.answered(answer, &rig.items);
    assert!(!rig.history.is_known());
    assert_eq!(rig.fill().await.len(), 3 * 9);
    assert!(rig.history.is_known());
    // None at all is no answer.
    rig.history.push();
    rig.items.push(item(3));
    rig.history.ask(&rig.items, at(200));
    rig.history
        .answered(Answered::Access(Ok(Vec::new())), &rig.items);
    assert!(!rig.history.is_known());
    assert!(rig.history.due().unwrap() > Instant::now());
}
