//! Brokers that are away, silent, wrong, forgetful or unwilling: F28 to F34, F43.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use fieldgate::supervisor::backoff::Pace;
use fieldgate_api::{endpoint::GetDestination, state::Level};
use fieldgate_tests::{
    broker::Broker,
    gateway::Gateway,
    line,
    received::Received,
    scripted_broker::{Answer, Greeting, Published, Script, ScriptedBroker},
    subscriber::Subscriber,
    wait::{SOON, until},
};

use crate::plant::{
    A_SECOND, ONE_BY_ONE, PATIENCE, PERIOD_MS, POINTS, Plant, drained, retry, server,
};

/// The older of the two versions.
const V311: &str = "version = \"3.1.1\"\n";

#[test]
fn f28_a_broker_that_is_down_costs_nothing() {
    let mut server = server();
    let mut broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));
    let mut received = Received::default();
    received.wait_for(&subscriber, POINTS, line::moment(0, PERIOD_MS));
    broker.remember_sessions();
    broker.kill();
    let status = gateway
        .api
        .destination_is("broker", |status| status.attempts >= 2);
    assert!(
        status.words.contains("nobody listens at"),
        "{}",
        status.words
    );
    until(
        "five seconds of readings to wait",
        PATIENCE,
        || match gateway.api.ledger().pending {
            pending if pending >= 5 * A_SECOND => Ok(()),
            pending => Err(format!("{pending} do")),
        },
    );
    broker.restart();
    retry(&gateway.api, "broker");
    let last = line::moment(server.hold().last, PERIOD_MS);
    received.wait_for(&subscriber, POINTS, last);
    let sum = gateway.api.all_acknowledged(PATIENCE);
    received.update(&subscriber);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
    Plant::assert_every_tick(&received);
}

#[test]
fn f28_attempts_are_spaced_with_jitter_up_to_two_minutes() {
    let most = Duration::from_secs(120);
    for failures in 1..=10_000 {
        let ceiling = Pace::CLOUD.ceiling(failures);
        assert!(ceiling <= most);
        for dice in [0.0, 0.3, 0.7, 1.0] {
            let wait = Pace::CLOUD.wait(failures, dice);
            let full = ceiling.mul_f64(dice).max(Duration::from_millis(50));
            assert_eq!(wait, full, "failure {failures}, dice {dice}");
        }
    }
    assert_eq!(Pace::CLOUD.ceiling(20), most);
}

#[test]
fn f29_a_broker_that_never_answers_a_connect_is_given_ten_seconds() {
    let silent = Script::default().greeting(|_| Greeting::Silence);
    let mut plant = Plant::start(silent, "");
    until("a connection", SOON, || {
        (plant.broker.connections() > 0).then_some(()).ok_or("none")
    });
    let began = Instant::now();
    let status = plant.status(|status| status.attempts > 0);
    let took = began.elapsed();
    assert!(
        status.words.contains("did not answer within 10 s"),
        "{}",
        status.words
    );
    assert!((9..20).contains(&took.as_secs()), "{took:?}");
    assert_eq!(status.state, "waiting to retry");
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

#[test]
fn f30_a_broker_that_never_acknowledges_is_sent_one_window_and_the_same_ids_again() {
    let silent = Script::default().answering(|_| Answer::Silence);
    let settings = format!("timeout = \"2 s\"\n{ONE_BY_ONE}");
    let mut plant = Plant::start(silent, &settings);
    plant.connections(2);
    let before = plant.gateway.usage();
    plant.connections(5);
    let after = plant.gateway.usage();
    plant.ended(1, "has not acknowledged a message");
    let of = by_connection(&plant.broker.published());
    for (connection, ids) in &of {
        assert!(ids.len() <= 256, "{} on {connection}", ids.len());
    }
    let firsts: Vec<&String> = of.values().filter_map(|ids| ids.first()).collect();
    assert!(firsts.len() >= 4, "{firsts:?}");
    assert!(firsts.iter().all(|first| *first == firsts[0]), "{firsts:?}");
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    assert!(grown < 32 << 20, "{grown} bytes more");
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

#[test]
fn f30_a_broker_that_stops_reading_is_left_with_mqtt_5() {
    stops_reading("");
}

#[test]
fn f30_a_broker_that_stops_reading_is_left_with_mqtt_3() {
    stops_reading(V311);
}

/// The TCP window is full: nothing can even be written.
fn stops_reading(version: &str) {
    let stops = Script::default().answering(|published| match published.connection {
        1 => Answer::StopReading,
        _ => Answer::Ack,
    });
    let mut plant = Plant::start(stops, &format!("timeout = \"2 s\"\n{version}"));
    plant.connections(2);
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

#[test]
fn f31_a_wrong_acknowledgement_ends_the_connection_and_counts_for_nothing() {
    acknowledges_wrongly("");
}

#[test]
fn f31_a_wrong_acknowledgement_ends_the_connection_with_mqtt_3() {
    acknowledges_wrongly(V311);
}

/// Twice, then one that is not under way; then out of order, which is no mistake.
fn acknowledges_wrongly(version: &str) {
    let wrong = Script::default().answering(|published| match published.connection {
        1 if published.nth == 30 => Answer::AckTwice,
        2 if published.nth == 30 => Answer::AckUnknown,
        _ if published.nth % 2 == 0 => Answer::AckAfter(Duration::from_millis(30)),
        _ => Answer::Ack,
    });
    let mut plant = Plant::start(wrong, &format!("{ONE_BY_ONE}{version}"));
    for connection in [1, 2] {
        plant.ended(connection, "which is not under way");
        plant.connections(connection + 1);
    }
    plant.flow(2 * A_SECOND);
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
    let log = plant.gateway.log();
    let wrong = log.iter().filter(|line| line.contains("not under way"));
    assert_eq!(wrong.count(), 2, "out of order is no mistake");
}

#[test]
fn f32_a_broker_that_lies_about_the_session_loses_nothing() {
    lies_about_the_session("");
}

#[test]
fn f32_a_broker_that_lies_about_the_session_loses_nothing_with_mqtt_3() {
    lies_about_the_session(V311);
}

/// It says that it has a session, in turn with saying that it has none, and cuts after the message before its acknowledgement.
fn lies_about_the_session(version: &str) {
    const LIES: usize = 4;
    let lying = Script::default()
        .greeting(|sign_in| Greeting::Welcome {
            session_present: sign_in.connection % 2 == 1,
        })
        .answering(|published| match (published.connection, published.nth) {
            (..=LIES, 3) => Answer::Cut,
            _ => Answer::Ack,
        });
    let mut plant = Plant::start(lying, version);
    plant.connections(LIES + 1);
    plant.flow(A_SECOND);
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
    let of = by_connection(&plant.broker.published());
    let published = plant.broker.published();
    let cut = published.iter().filter(|of| of.answer == Some(Answer::Cut));
    for cut in cut {
        for reading in cut.readings() {
            let again = of[&(cut.connection + 1)].contains(&reading.id);
            assert!(again, "{} was not sent again at once", reading.id);
        }
    }
    assert!(plant.broker.sign_ins().iter().all(|sign_in| sign_in.clean));
}

#[test]
fn f33_a_negative_acknowledgement_is_a_dead_letter_or_another_try_by_its_reason() {
    // Of these once only, whatever is sent again in between.
    let (quota, failure) = (AtomicBool::new(true), AtomicBool::new(true));
    let reasons = Script::default().answering(move |published| {
        let reading = &published.readings()[0];
        match reading.point.as_str() {
            "p3" => Answer::Refuse(0x99),
            "p6" => Answer::Refuse(0x87),
            "p9" => Answer::Refuse(0x90),
            "p12" if quota.swap(false, Ordering::Relaxed) => Answer::Refuse(0x97),
            "p15" if failure.swap(false, Ordering::Relaxed) => Answer::Refuse(0x80),
            _ => Answer::Ack,
        }
    });
    let mut plant = Plant::start(reasons, ONE_BY_ONE);
    plant.flow(3 * A_SECOND);
    let (received, sum) = plant.finish_as_scripted();
    let refused = |reason| {
        let published = plant.broker.published();
        let with = published
            .iter()
            .filter(|of| of.answer == Some(Answer::Refuse(reason)));
        with.count()
    };
    assert_eq!((refused(0x97), refused(0x80)), (1, 1));
    let points = received.by_point();
    let dead = ["p3", "p6", "p9"].map(|point| points[point].len() as u64);
    assert!(dead.iter().all(|count| *count > 0), "{dead:?}");
    assert_eq!(sum.dead_lettered, dead.iter().sum::<u64>(), "{sum:?}");
    assert_eq!(sum.acked + sum.dead_lettered, sum.accepted);
    let destination = plant.gateway.api.get::<GetDestination>(&["broker"]);
    for reason in ["0x99", "0x87", "0x90"] {
        let told = destination.rejected.keys().any(|why| why.contains(reason));
        assert!(told, "{:?}", destination.rejected);
    }
}

#[test]
fn f34_a_refused_sign_in_holds_its_route_and_nothing_else() {
    for (version, reason, words) in [
        ("", 0x86, "does not accept the user name or password"),
        (V311, 5, "not authorized"),
    ] {
        let refusing = Script::default().greeting(move |_| Greeting::Refuse(reason));
        let refusing = ScriptedBroker::start(refusing);
        let willing = ScriptedBroker::start(Script::default());
        let mut server = server();
        let config = line::config(&server.endpoint(), &willing.url())
            + &line::destination("strict", &refusing.url())
            + version
            + "[[route]]\nid = \"too\"\nfrom = [\"line/**\"]\nto = \"strict\"\n";
        let gateway = Gateway::start(&config);
        let status = gateway
            .api
            .destination_is("strict", |status| status.level == Level::Bad);
        assert_eq!(status.state, "refused");
        assert!(status.words.contains(words), "{}", status.words);
        assert!(status.retry_at.is_some());
        until("the other destination's readings", PATIENCE, || {
            match willing.acknowledged().len() as u64 {
                taken if taken >= 5 * A_SECOND => Ok(()),
                taken => Err(format!("{taken} came")),
            }
        });
        // Five seconds: at the slow pace that is one attempt, or a second one if the dice fell low.
        assert!(refusing.connections() <= 3, "{}", refusing.connections());
        let held = gateway.api.get::<GetDestination>(&["strict"]);
        assert!(held.pending >= 5 * A_SECOND, "{held:?}");
        assert_eq!((held.acked_total, held.dead_letters), (0, 0));
        refusing.play(Script::default());
        server.hold();
        until("the held route to go on", PATIENCE, || {
            retry(&gateway.api, "strict");
            let level = gateway.api.get::<GetDestination>(&["strict"]).status.level;
            (level == Level::Good).then_some(()).ok_or("it is held")
        });
        let sum = drained(&gateway.api);
        assert_eq!(sum.acked, sum.accepted, "{sum:?}");
        assert_eq!(willing.acknowledged().len(), refusing.acknowledged().len());
    }
}

/// The ids of the readings of each connection, in the order of arrival.
fn by_connection(published: &[Published]) -> BTreeMap<usize, Vec<String>> {
    let mut of: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for published in published {
        let ids = published.readings().into_iter().map(|reading| reading.id);
        of.entry(published.connection).or_default().extend(ids);
    }
    of
}
