//! Nodes that go and come back, and what is made again for them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_silent_node_that_is_gone_is_named_and_monitored_again_when_it_is_back() {
    let mut rig = start();
    rig.script.answer(published(1, &[]));
    rig.next().await;
    rig.script.told(|told| told.gone = true);
    let alive = |script: &Script| script.answer(keep_alive(7, 2));
    let bad = async {
        loop {
            tokio::select! {
                delivery = rig.readings.recv() => break delivery.unwrap(),
                () = tokio::time::sleep(Duration::from_secs(2)) => alive(&rig.script),
            }
        }
    };
    let bad = timeout(LONG, bad).await.unwrap();
    assert!(
        bad.readings[0]
            .quality
            .why()
            .unwrap()
            .starts_with("BadNodeIdUnknown")
    );
    assert_eq!(rig.health.borrow().words, "0 of 1 monitored items, paced");
    rig.script.told(|told| told.gone = false);
    while rig.script.told(|told| told.monitored) == 0 {
        alive(&rig.script);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    rig.script.answer(published(2, &[]));
    assert_eq!(rig.next().await.value, Value::UInt(2));
    assert_eq!(rig.health.borrow().words, "1 of 1 monitored items, paced");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_back_are_monitored_in_calls_of_the_servers_size() {
    let mut rig = start_in(Setting {
        points: 7,
        per_call: 3,
        ..Setting::default()
    });
    rig.script.told(|told| told.gone = true);
    let mut gone = 0;
    alive_until(&mut rig, 1, |rig| {
        while let Ok(delivery) = rig.readings.try_recv() {
            gone += delivery.readings.len();
            delivery.durable.unwrap().send(Ok(())).unwrap();
        }
        gone == 7
    })
    .await;
    rig.script.told(|told| told.gone = false);
    alive_until(&mut rig, 1, |rig| {
        rig.script.told(|told| told.monitored) == 7
    })
    .await;
    rig.stop().await;
}

/// Whether the items were made nobody knows: another session would have two of each.
#[tokio::test(start_paused = true)]
async fn subscriptions_in_which_items_may_be_doubled_are_not_left_to_another_session() {
    for (fails, left) in [(Some("BadTimeout"), 0), (None, 1)] {
        let mut rig = start();
        rig.script.told(|told| told.gone = true);
        let mut told = None;
        alive_until(&mut rig, 1, |rig| {
            told = rig.readings.try_recv().ok();
            told.is_some()
        })
        .await;
        told.unwrap().durable.unwrap().send(Ok(())).unwrap();
        rig.script.told(|told| {
            (told.gone, told.fails.monitor) = (false, fails);
        });
        if fails.is_none() {
            alive_until(&mut rig, 1, |rig| {
                rig.script.told(|told| told.monitored) > 0
            })
            .await;
            rig.script.answer(Err(Status::named("BadConnectionClosed")));
        } else {
            alive_until(&mut rig, 1, |rig| rig.running.is_finished()).await;
        }
        let outcome = timeout(LONG, rig.running).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
        let remembered = rig.memory.take::<Remembered>().expect("there is one");
        assert_eq!(remembered.feeds.len(), left, "{fails:?}");
    }
}

/// A pipeline that takes nothing more, and a node that is gone.
#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_room() {
    let mut rig = start_in(Setting {
        room: 1,
        ..Setting::default()
    });
    rig.script.answer(published(1, &[]));
    rig.script.told(|told| told.gone = true);
    let mut alive = 0;
    alive_until(&mut rig, 2, |_| {
        alive += 1;
        alive > 30
    })
    .await;
    let shutdown = rig.shutdown.clone();
    shutdown.cancel();
    let outcome = timeout(LONG, &mut rig.running).await.expect("in time");
    assert_eq!(outcome.unwrap(), Ok(()));
}
