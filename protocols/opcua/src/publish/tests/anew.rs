//! One subscription of several that falls silent, goes deaf or is ended, while the others go on.

use super::*;

/// Has subscription 7 say that it lives, every second, for so many seconds.
async fn talk(script: &Script, seconds: u64) {
    for _ in 0..seconds {
        script.answer(keep_alive(7, 1));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The number of the subscription that was made instead.
fn made(rig: &Rig) -> Option<u32> {
    rig.script
        .told(|told| told.subscriptions.keys().next().copied())
}

#[tokio::test(start_paused = true)]
async fn one_silent_subscription_is_made_anew_while_others_talk() {
    let mut rig = start_with(&[7, 9]);
    // What was sent and never came is taken first.
    rig.script.told(|told| told.kept = vec![message(1)]);
    talk(&rig.script, 7).await;
    let anew = made(&rig).expect("a subscription");
    let unheard = rig.next().await;
    assert_eq!(unheard.value, Value::UInt(1));
    assert_eq!(rig.script.told(|told| told.republished[0]), (9, 1));
    assert_eq!(rig.script.told(|told| told.monitored), 1);
    rig.script.answer(published_of(anew, 1, &[1]));
    rig.script.answer(published_of(anew, 2, &[1, 2]));
    // Its first value is the one that was there already.
    assert_eq!(rig.next().await.value, Value::UInt(1), "of the other point");
    assert_eq!(rig.next().await.value, Value::UInt(2));
    let words = rig.health.borrow().words.clone();
    assert!(
        words.ends_with("a subscription that fell silent was made anew (1 times)"),
        "{words}"
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.script.answer(keep_alive(7, 1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let acknowledged = rig.script.told(|told| told.acknowledged.clone());
    assert!(
        acknowledged.iter().all(|(id, _)| *id == anew),
        "{acknowledged:?}"
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_silent_after_it_was_made_anew_ends_the_session() {
    let rig = start_with(&[7, 9]);
    talk(&rig.script, 20).await;
    let outcome = timeout(LONG, rig.running).await.unwrap().unwrap();
    let Err(SourceError::Lost(words)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        words.contains("made anew and said nothing since"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn all_silent_ones_end_the_session() {
    let rig = start_with(&[7, 9]);
    let outcome = timeout(LONG, rig.running).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(words)) if words.contains("nothing for 5 s")));
}

#[tokio::test(start_paused = true)]
async fn one_that_the_server_ends_is_made_anew() {
    let mut rig = start_with(&[7, 9]);
    let mut ended = published_of(9, 1, &[]).unwrap();
    ended.notification.ended = Some(Status::named("BadTimeout"));
    rig.script.answer(Ok(ended));
    rig.next().await;
    talk(&rig.script, 1).await;
    let anew = made(&rig).expect("a subscription");
    rig.script.answer(published_of(anew, 1, &[1]));
    rig.script.answer(published_of(anew, 2, &[2]));
    rig.next().await;
    rig.next().await;
    rig.stop().await;
}

/// The server gives the new one the number of the old one: what the old one said is not taken for the new one's.
#[tokio::test(start_paused = true)]
async fn one_that_is_made_anew_under_the_same_number_begins_with_its_own_first_message() {
    let mut rig = start_with(&[7, 9]);
    rig.script.told(|told| told.reuses = Some(9));
    rig.script.answer(published_of(9, 1, &[1]));
    let of_the_old = rig.hold().await;
    let mut ended = published_of(9, 2, &[1, 2]).unwrap();
    ended.notification.changes.clear();
    ended.notification.ended = Some(Status::named("BadTimeout"));
    rig.script.answer(Ok(ended));
    talk(&rig.script, 1).await;
    assert_eq!(made(&rig), Some(9));
    // On its way when the old one was deleted.
    rig.script.answer(published_of(9, 4, &[1, 2, 3, 4]));
    rig.script.answer(published_of(9, 1, &[1]));
    rig.script.answer(published_of(9, 2, &[1, 2]));
    let (first, second) = (rig.hold().await, rig.hold().await);
    assert_eq!(first.readings[0].value, Value::UInt(1));
    assert_eq!(second.readings[0].value, Value::UInt(2));
    assert_eq!(rig.script.told(|told| told.republished.clone()), [(9, 3)]);
    let acknowledged = |rig: &Rig| rig.script.told(|told| told.acknowledged.clone());
    of_the_old.durable.unwrap().send(Ok(())).unwrap();
    talk(&rig.script, 2).await;
    assert_eq!(acknowledged(&rig), []);
    first.durable.unwrap().send(Ok(())).unwrap();
    second.durable.unwrap().send(Ok(())).unwrap();
    talk(&rig.script, 2).await;
    assert_eq!(acknowledged(&rig), [(9, 1), (9, 2)]);
    rig.stop().await;
}

/// Every second a value, and then only keep-alives; what the server has when it is asked is the count of reads.
async fn deaf(rig: &mut Rig) {
    for sequence in 1..=6 {
        rig.script.answer(published(sequence, &[]));
        rig.next().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    rig.script.told(|told| told.reads = 100);
}

/// The next reading while the subscription says nothing but that it lives.
async fn found(rig: &mut Rig, sequence: u32) -> Reading {
    let script = rig.script.clone();
    let talking = async {
        loop {
            script.answer(keep_alive(7, sequence));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let found = tokio::select! {
        delivery = rig.readings.recv() => delivery.unwrap(),
        () = talking => unreachable!(),
    };
    found.durable.unwrap().send(Ok(())).unwrap();
    found.readings[0].clone()
}

#[tokio::test(start_paused = true)]
async fn one_that_lives_and_tells_nothing_is_asked_and_made_anew() {
    let mut rig = start();
    deaf(&mut rig).await;
    let began = Instant::now();
    let found = timeout(LONG, found(&mut rig, 7)).await.unwrap();
    let took = began.elapsed();
    assert_eq!(found.value, Value::UInt(102), "asked twice");
    // Twenty intervals, the next turn, and one turn more.
    assert!(took < Duration::from_secs(32), "{took:?}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let anew = made(&rig).expect("a subscription");
    rig.script.answer(published_of(anew, 1, &[1]));
    assert_eq!(rig.next().await.value, Value::UInt(1));
    let words = rig.health.borrow().words.clone();
    assert!(words.contains("1 values were found by asking"), "{words}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_only_quiet_is_left_alone() {
    let mut rig = start();
    for sequence in 1..=6 {
        rig.script.answer(published(sequence, &[]));
        rig.next().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The server has the value that it told last.
    rig.script.told(|told| told.still = Some(6));
    for _ in 0..600 {
        rig.script.answer(keep_alive(7, 7));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (reads, subscriptions) = rig
        .script
        .told(|told| (told.reads, told.subscriptions.len()));
    assert!((2..=6).contains(&reads), "{reads} reads in ten minutes");
    assert_eq!(subscriptions, 0);
    rig.stop().await;
}
