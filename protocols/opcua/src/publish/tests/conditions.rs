//! Events, and the conditions among them that are open.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_of_events_is_acknowledged_only_once_they_are_durable() {
    let mut rig = start();
    let message = Notification {
        sequence: 1,
        events: vec![crate::connection::Happened {
            handle: 0,
            at: None,
            fields: Vec::new(),
        }],
        ..Notification::default()
    };
    rig.script.answer(Ok(Published {
        subscription: 7,
        available: vec![1],
        notification: message,
    }));
    let delivery = rig.hold().await;
    assert_eq!(delivery.readings[0].class, fieldgate_model::Class::Event);
    rig.script.answer(published(2, &[1, 2]));
    let next = rig.hold().await;
    assert_eq!(rig.script.told(|told| told.acknowledged.clone()), []);
    delivery.durable.unwrap().send(Ok(())).unwrap();
    next.durable.unwrap().send(Ok(())).unwrap();
    rig.script.answer(published(3, &[1, 2, 3]));
    rig.next().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let acknowledged = rig.script.told(|told| told.acknowledged.clone());
    assert_eq!(acknowledged[0], (7, 1), "{acknowledged:?}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_open_conditions_are_asked_for_at_once_and_when_the_server_wants_it() {
    let rig = start();
    let until = async |count: usize, sequence: u32| {
        let asked = || rig.script.told(|told| told.refreshed.len());
        timeout(LONG, async {
            while asked() < count {
                rig.script.answer(keep_alive(7, sequence));
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        })
        .await
        .expect("in time");
        assert_eq!(asked(), count);
    };
    until(1, 1).await;
    let required = crate::connection::Happened {
        handle: 0,
        at: None,
        fields: vec![Value::Null, Value::Text("i=2789".to_owned())],
    };
    rig.script.answer(Ok(Published {
        subscription: 7,
        available: vec![1],
        notification: Notification {
            sequence: 1,
            events: vec![required],
            ..Notification::default()
        },
    }));
    until(2, 2).await;
    assert_eq!(rig.script.told(|told| told.refreshed.clone()), [7, 7]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refreshes_no_conditions_says_so_in_the_words() {
    let mut rig = start();
    rig.script
        .told(|told| told.refreshes = Some(Status::named("BadMethodInvalid")));
    let words = "no refresh of conditions (BadMethodInvalid)";
    let told = rig.health.wait_for(|report| report.words.contains(words));
    timeout(LONG, told).await.expect("in time").unwrap();
    // It can by now: a method that an overloaded server refused once.
    rig.script.told(|told| told.refreshes = None);
    let required = crate::connection::Happened {
        handle: 0,
        at: None,
        fields: vec![Value::Null, Value::Text("i=2789".to_owned())],
    };
    rig.script.answer(Ok(Published {
        subscription: 7,
        available: vec![1],
        notification: Notification {
            sequence: 1,
            events: vec![required],
            ..Notification::default()
        },
    }));
    alive_until(&mut rig, 2, |rig| {
        !rig.health.borrow().words.contains(words)
    })
    .await;
    rig.stop().await;
}
