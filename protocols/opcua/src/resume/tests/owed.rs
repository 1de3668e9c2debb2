//! What is still owed when a session ends, or an attempt that never ran.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_is_not_written_down_before_it_is_accepted() {
    let mut rig = Rig::new();
    rig.keeps(0..100);
    let first = rig.attempt();
    rig.say(10_000, 1, &[1]);
    let (_, tell) = rig.next().await;
    // A snapshot that claims it waits behind it.
    rig.live(4, 2).await;
    rig.say(20_000, 2, &[1, 2]);
    let (_, tell_second) = rig.next().await;
    tell(false);
    let outcome = timeout(LONG, first).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    rig.script.told(|told| {
        told.transferred = Some(vec![Ok(vec![1, 2])]);
        told.kept = vec![message(10_000, 1), message(20_000, 2)];
    });
    let second = rig.attempt();
    let (again, tell) = rig.next().await;
    assert_eq!(again[0].value, Value::UInt(10_000));
    rig.live(40, 3).await;
    assert_eq!(rig.written().await, None, "nothing was accepted");
    // Then it is, and so is what came behind it.
    tell_second(true);
    tell(true);
    rig.live(40, 3).await;
    assert_eq!(rig.written().await, Some(10_000));
    rig.lose(second).await;
}

/// Behind it another value was accepted, so that nothing else tells of the gap.
#[tokio::test(start_paused = true)]
async fn what_was_not_accepted_and_is_gone_is_asked_of_the_history() {
    for is_taken_over in [true, false] {
        let mut rig = Rig::new();
        rig.keeps(0..100);
        let first = rig.attempt();
        rig.say(10_000, 1, &[1]);
        rig.value(10_000).await;
        rig.live(40, 2).await;
        assert_eq!(rig.written().await, Some(10_000));
        rig.say(20_000, 2, &[2]);
        rig.say(30_000, 3, &[2, 3]);
        let (_, refuse) = rig.next().await;
        let (accepted, accept) = rig.next().await;
        rig.queue.0 = accepted;
        accept(true);
        refuse(false);
        let outcome = timeout(LONG, first).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
        rig.script
            .told(|told| told.transferred = is_taken_over.then(|| vec![Ok(vec![3])]));
        let second = rig.attempt();
        match is_taken_over {
            true => rig.say(40_000, 4, &[3, 4]),
            false => rig.say(40_000, 1, &[1]),
        }
        rig.value(40_000).await;
        let (missed, tell) = rig.next().await;
        let millis: Vec<i64> = missed.iter().map(|reading| reading.at.millis()).collect();
        assert!(millis.contains(&20_000), "{millis:?}");
        assert!(missed.iter().all(|reading| reading.backfilled));
        tell(true);
        rig.lose(second).await;
    }
}

/// Cut off while it asks for what went missing: neither that nor what came behind it was handed over.
#[tokio::test(start_paused = true)]
async fn what_was_heard_of_and_not_handed_over_is_asked_for_by_the_next_session() {
    let mut rig = Rig::new();
    let first = rig.attempt();
    rig.say(10, 1, &[1]);
    rig.value(10).await;
    rig.script
        .told(|told| told.fails.republish = Some("BadConnectionClosed"));
    rig.say(40, 4, &[2, 3, 4]);
    let outcome = timeout(LONG, first).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    let all = || vec![message(20, 2), message(30, 3), message(40, 4)];
    rig.script.told(|told| {
        told.transferred = Some(vec![Ok(vec![2, 3, 4])]);
        told.kept = all();
    });
    // And once more, in the middle of asking for all of them.
    let second = rig.attempt();
    let outcome = timeout(LONG, second).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    rig.script.told(|told| told.fails.republish = None);
    let third = rig.attempt();
    for value in [20, 30, 40] {
        rig.value(value).await;
    }
    rig.lose(third).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_before_it_runs_gives_back_what_was_left() {
    let mut rig = Rig::new();
    let first = rig.attempt();
    rig.say(10, 1, &[1]);
    rig.value(10).await;
    rig.lose(first).await;
    rig.script.told(|told| {
        told.fails.transfer = Some("BadConnectionClosed");
        told.transferred = Some(vec![Ok(vec![2])]);
        told.kept = vec![message(20, 2)];
    });
    let second = rig.attempt();
    let outcome = timeout(LONG, second).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    rig.script.told(|told| told.fails.transfer = None);
    let third = rig.attempt();
    rig.value(20).await;
    assert_eq!(rig.script.told(|told| told.republished.clone()), [(7, 2)]);
    rig.lose(third).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_off_over_each_transfer_is_asked_for_one_twice() {
    let mut rig = Rig::new();
    let first = rig.attempt();
    rig.say(10, 1, &[1]);
    rig.value(10).await;
    rig.lose(first).await;
    rig.script
        .told(|told| told.fails.transfer = Some("BadConnectionClosed"));
    for _ in 0..2 {
        let outcome = timeout(LONG, rig.attempt()).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    }
    let fourth = rig.attempt();
    // The last value is known all the same.
    rig.say(10, 1, &[1]);
    rig.say(20, 2, &[1, 2]);
    rig.value(20).await;
    assert_eq!(rig.script.told(|told| told.transfers), 2);
    rig.lose(fourth).await;
}

/// It would be asked for by each session, and nothing that comes behind it would ever be read.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_to_be_had_costs_itself_and_not_what_comes_behind_it() {
    for (why, broken_off) in [
        ("BadServiceUnsupported", 0),
        ("BadDecodingError", 0),
        ("BadResponseTooLarge", 0),
        ("BadConnectionClosed", 3),
    ] {
        let mut rig = Rig::new();
        rig.keeps(0..100);
        let first = rig.attempt();
        rig.say(10_000, 1, &[1]);
        rig.value(10_000).await;
        rig.lose(first).await;
        rig.script.told(|told| {
            told.transferred = Some(vec![Ok(vec![2])]);
            told.fails.republish = Some(why);
        });
        for _ in 0..broken_off {
            let outcome = timeout(LONG, rig.attempt()).await.unwrap().unwrap();
            assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
        }
        let last = rig.attempt();
        rig.say(40_000, 3, &[2, 3]);
        rig.value(40_000).await;
        // What was in it is asked of the history.
        let (missed, tell) = rig.next().await;
        let millis: Vec<i64> = missed.iter().map(|reading| reading.at.millis()).collect();
        assert!(millis.contains(&20_000), "{why}: {millis:?}");
        tell(true);
        rig.lose(last).await;
    }
}
