//! Several destinations, several lanes, one poison: who waits for whom, and who does not: F42, F43.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use fieldgate_api::endpoint::GetDestination;
use fieldgate_tests::{
    gateway::Gateway,
    line,
    scripted_broker::{Answer, Greeting, Script, ScriptedBroker},
    wait::until,
};

use crate::plant::{A_SECOND, ONE_BY_ONE, PATIENCE, Plant, drained, retry, server};

/// An alarm is there within this, whatever waits before it.
const ALARM: Duration = Duration::from_secs(20);

#[test]
fn f42_one_slow_destination_of_three_holds_no_other_back() {
    let slow = Script::default().answering(|_| Answer::AckAfter(Duration::from_secs(2)));
    let slow = ScriptedBroker::start(slow);
    let quick = [(); 2].map(|()| ScriptedBroker::start(Script::default()));
    let mut server = server();
    let mut config =
        line::config(&server.endpoint(), &slow.url()) + "batch = { readings = 1 }\nin_flight = 1\n";
    for (nth, broker) in quick.iter().enumerate() {
        config += &line::destination(&format!("quick-{nth}"), &broker.url());
        config +=
            &format!("[[route]]\nid = \"r{nth}\"\nfrom = [\"line/**\"]\nto = \"quick-{nth}\"\n");
    }
    let gateway = Gateway::start(&config);
    let pending = |id: &str| gateway.api.get::<GetDestination>(&[id]).pending;
    for broker in &quick {
        until(
            "the quick ones to have five seconds' readings",
            PATIENCE,
            || match broker.acknowledged().len() as u64 {
                taken if taken >= 5 * A_SECOND => Ok(()),
                taken => Err(format!("{taken} came")),
            },
        );
    }
    assert!(pending("broker") >= 3 * A_SECOND, "{}", pending("broker"));
    for id in ["quick-0", "quick-1"] {
        assert!(pending(id) <= 2 * A_SECOND, "{id}: {}", pending(id));
    }
    slow.play(Script::default());
    server.hold();
    let sum = drained(&gateway.api);
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    assert_eq!(slow.acknowledged(), quick[0].acknowledged());
    assert_eq!(quick[0].acknowledged(), quick[1].acknowledged());
}

#[test]
fn f43_one_poison_reading_alone_is_a_dead_letter_and_the_others_keep_their_order() {
    let poison: Mutex<Option<String>> = Mutex::new(None);
    let refusing = Script::default().answering(move |published| {
        let mut poison = poison.lock().unwrap();
        let readings = published.readings();
        let p3 = readings.iter().find(|reading| reading.point == "p3");
        if let (true, Some(p3)) = (published.nth > 30, p3) {
            poison.get_or_insert_with(|| p3.id.clone());
        }
        match readings
            .iter()
            .any(|reading| Some(&reading.id) == poison.as_ref())
        {
            true => Answer::Refuse(0x99),
            false => Answer::Ack,
        }
    });
    let mut plant = Plant::start(refusing, ONE_BY_ONE);
    plant.flow(6 * A_SECOND);
    until("the dead letter", PATIENCE, || {
        match plant.gateway.api.ledger().dead_lettered {
            0 => Err("there is none"),
            _ => Ok(()),
        }
    });
    plant.flow(A_SECOND);
    let (_, sum) = plant.finish_as_scripted();
    assert_eq!(
        (sum.dead_lettered, sum.acked),
        (1, sum.accepted - 1),
        "{sum:?}"
    );
}

/// An event of the gateway itself, that a source is gone, behind thousands of readings on a slow line.
#[test]
fn alarms_overtake_a_backlog_on_the_way_to_a_slow_broker() {
    let own = "[[route]]\nid = \"own\"\nfrom = [\"gateway/**\"]\nto = \"broker\"\n";
    let away = Script::default().greeting(|_| Greeting::Silence);
    let mut plant = Plant::start(
        away,
        &format!("batch = {{ readings = 1 }}\nin_flight = 2\n{own}"),
    );
    plant.backlog(5 * A_SECOND);
    let slow = Script::default().answering(|_| Answer::AckAfter(Duration::from_millis(100)));
    plant.broker.play(slow);
    plant.broker.cut();
    until("the first reading to arrive", PATIENCE, || {
        retry(&plant.gateway.api, "broker");
        plant.broker.published().pop().ok_or("nothing came")
    });
    plant.server.kill();
    let killed = Instant::now();
    until("the alarm", PATIENCE, || {
        let published = plant.broker.published();
        let alarm = published.iter().find(|published| {
            let text = String::from_utf8_lossy(&published.message.payload);
            published.message.topic.ends_with("/events") && text.contains("source.line.state")
        });
        alarm.map(|_| ()).ok_or("it did not come")
    });
    let (took, waiting) = (killed.elapsed(), plant.gateway.api.ledger().pending);
    println!("after {took:?}, with {waiting} readings waiting");
    assert!(took < ALARM, "{took:?}");
    assert!(waiting > 2 * A_SECOND, "{waiting} waited");
    plant.broker.play(Script::default());
    let sum = drained(&plant.gateway.api);
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
}
