//! The publish loop against a scripted server: order, gaps, acknowledgement, silence, nodes that go and come back.

mod anew;
mod conditions;
mod gone;

use std::sync::Arc;

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Health, HealthReport, Readings, Secrets,
};
use fieldgate_model::{Device, DropReason, Range};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    announce::Announcer,
    connection::{Notification, ValueType},
    facts::Facts,
    gate::Filtered,
    settings::{Deadband, KeyFrames},
    subscribe::Monitored,
    twin::{Script, item, message, revised},
};

/// Time is paused, so that this is no waiting.
const LONG: Duration = Duration::from_secs(3600);

struct Rig {
    script: Script,
    readings: mpsc::Receiver<Delivery>,
    devices: watch::Receiver<Vec<Arc<Device>>>,
    drops: DropCounters,
    health: watch::Receiver<HealthReport>,
    shutdown: CancellationToken,
    memory: fieldgate_kit::Memory,
    running: JoinHandle<Result<(), SourceError>>,
}

/// What is not as usual.
struct Setting {
    subscriptions: &'static [u32],
    /// Points of each.
    points: usize,
    /// Items of one call.
    per_call: usize,
    /// Deliveries that may wait.
    room: usize,
    key_frames: KeyFrames,
    wish: fn(&mut Item),
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            subscriptions: &[7],
            points: 1,
            per_call: 100,
            room: 64,
            key_frames: KeyFrames::default(),
            wish: |_| {},
        }
    }
}

fn start() -> Rig {
    start_with(&[7])
}

/// Each subscription has the item that stands at its place.
fn start_with(subscriptions: &'static [u32]) -> Rig {
    start_as(subscriptions, KeyFrames::default(), |_| {})
}

/// With wishes for the items.
fn start_as(subscriptions: &'static [u32], key_frames: KeyFrames, wish: fn(&mut Item)) -> Rig {
    start_in(Setting {
        subscriptions,
        key_frames,
        wish,
        ..Setting::default()
    })
}

fn start_in(setting: Setting) -> Rig {
    let Setting {
        subscriptions,
        points,
        per_call,
        room,
        key_frames,
        wish,
    } = setting;
    let script = Script::default();
    script.told(|told| told.room.per_call = per_call);
    let drops = DropCounters::default();
    let memory = fieldgate_kit::Memory::default();
    let (sender, readings) = Readings::channel(room, drops.clone());
    let (devices_sender, devices) = Devices::channel();
    let (health_sender, health) = Health::channel();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "s".into(),
        readings: sender,
        devices: devices_sender,
        health: health_sender,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: fieldgate_kit::Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: "/".into(),
        memory: memory.clone(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let connection = script.clone();
    let running = tokio::spawn(async move {
        let mut items: Vec<_> = (0..subscriptions.len() * points).map(item).collect();
        items.iter_mut().for_each(wish);
        let monitored: Vec<_> = (0..items.len())
            .map(|at| Monitored {
                subscription: at / points,
                result: Ok(revised()),
                filtered: Filtered::default(),
            })
            .collect();
        let types = vec![ValueType::default(); items.len()];
        let announcer = Announcer::new(&items, &types, &monitored, "server", "paced".to_owned());
        let subscriptions: Vec<_> = subscriptions
            .iter()
            .map(|id| Subscription {
                id: *id,
                publishing_ms: 500.0,
                keep_alive_count: 4,
            })
            .collect();
        let points = Points::new(&ctx, items, monitored, announcer)
            .with_key_frames(key_frames)
            .with_events(Some(crate::events::Events::of_server("s")));
        let limits = Limits {
            per_read: 100,
            per_browse: 100,
            per_monitor: per_call,
            per_history: 100,
            items_per_subscription: None,
            subscriptions: None,
            sessions: None,
        };
        Publishing::new(&connection, &ctx, &subscriptions, points)
            .within(&limits)
            .run()
            .await
    });
    Rig {
        script,
        readings,
        devices,
        drops,
        health,
        shutdown,
        memory,
        running,
    }
}

impl Rig {
    /// The next readings, whose durability is still open.
    async fn hold(&mut self) -> Delivery {
        let delivery = timeout(LONG, self.readings.recv()).await.expect("in time");
        delivery.expect("the loop runs")
    }

    /// The next reading, which is durable.
    async fn next(&mut self) -> Reading {
        let Delivery {
            mut readings,
            durable,
        } = self.hold().await;
        durable.unwrap().send(Ok(())).unwrap();
        readings.remove(0)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        assert_eq!(self.running.await.unwrap(), Ok(()));
    }
}

fn published(sequence: u32, available: &[u32]) -> Result<Published, Status> {
    published_of(7, sequence, available)
}

fn published_of(subscription: u32, sequence: u32, available: &[u32]) -> Result<Published, Status> {
    Ok(Published {
        subscription,
        available: available.to_vec(),
        notification: message(sequence),
    })
}

fn keep_alive(subscription: u32, sequence: u32) -> Result<Published, Status> {
    let notification = Notification {
        sequence,
        keep_alive: true,
        ..Notification::default()
    };
    Ok(Published {
        subscription,
        available: vec![],
        notification,
    })
}

/// Has subscription 7 say that it lives, until this is so.
async fn alive_until(rig: &mut Rig, sequence: u32, mut is_so: impl FnMut(&mut Rig) -> bool) {
    let until = async {
        while !is_so(rig) {
            rig.script.answer(keep_alive(7, sequence));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(LONG, until).await.expect("in time");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_once_it_is_durable_and_not_before() {
    let mut rig = start();
    rig.script.answer(published(1, &[1]));
    rig.script.answer(published(2, &[1, 2]));
    let (first, second) = (rig.hold().await, rig.hold().await);
    rig.script.answer(published(3, &[1, 2, 3]));
    let third = rig.hold().await;
    assert!(rig.script.told(|told| told.acknowledged.is_empty()));
    first.durable.unwrap().send(Ok(())).unwrap();
    second.durable.unwrap().send(Ok(())).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.script.answer(published(4, &[1, 2, 3, 4]));
    rig.next().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        rig.script.told(|told| told.acknowledged.clone()),
        [(7, 1), (7, 2)]
    );
    drop(third);
    let outcome = rig.running.await.unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(words)) if words.contains("not accepted")));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_asked_for_and_order_is_kept() {
    let mut rig = start();
    rig.script
        .told(|told| told.kept = vec![message(2), message(3)]);
    rig.script.answer(published(1, &[1]));
    rig.script.answer(published(4, &[1, 2, 3, 4]));
    rig.script.answer(published(3, &[1, 2, 3, 4]));
    rig.script.answer(published(5, &[1, 2, 3, 4, 5]));
    for number in 1..=5u64 {
        assert_eq!(rig.next().await.value, Value::UInt(number));
    }
    assert_eq!(
        rig.script.told(|told| told.republished.clone()),
        [(7, 2), (7, 3)]
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_server_no_longer_has_is_told_and_passed_over() {
    let mut rig = start();
    rig.script.answer(published(1, &[1]));
    rig.script.answer(published(3, &[3]));
    rig.next().await;
    assert_eq!(rig.next().await.value, Value::UInt(3));
    let words = rig.health.borrow().words.clone();
    assert!(
        words.ends_with("1 messages were lost between the server and the gateway"),
        "{words}"
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn too_much_that_is_not_durable_stops_the_asking() {
    let mut rig = start();
    for sequence in 1..=100 {
        rig.script.answer(published(sequence, &[]));
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = rig.script.told(|told| told.asked);
    assert_eq!(asked, MAX_UNDURABLE + SPARE_REQUESTS);
    while let Ok(delivery) = rig.readings.try_recv() {
        delivery.durable.unwrap().send(Ok(())).unwrap();
    }
    rig.next().await;
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn silence_and_a_dropped_session_end_the_attempt() {
    let rig = start();
    let outcome = timeout(LONG, rig.running).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(words)) if words.contains("nothing for 5 s")));
    let rig = start();
    rig.script.answer(Err(Status::named("BadSessionIdInvalid")));
    let outcome = timeout(LONG, rig.running).await.unwrap().unwrap();
    let words = "BadSessionIdInvalid: the server has dropped the session";
    assert!(matches!(outcome, Err(SourceError::Lost(why)) if why.ends_with(words)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_points_last_value_comes_again_and_is_durable_before_the_next() {
    let mut rig = start_as(&[7], KeyFrames::default(), |item| {
        item.sampling.heartbeat_ms = Some(2_000);
    });
    rig.script.answer(published(1, &[1]));
    let first = rig.next().await;
    let talking = async {
        loop {
            rig.script.answer(keep_alive(7, 2));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let again = tokio::select! {
        delivery = rig.readings.recv() => delivery.unwrap(),
        () = talking => unreachable!(),
    };
    assert_eq!(again.readings[0].value, first.value);
    assert_eq!(again.readings[0].point, first.point);
    again.durable.expect("it is awaited").send(Ok(())).unwrap();
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_frame_follows_its_messages_with_every_last_value() {
    let frames = KeyFrames {
        messages: Some(3),
        ..KeyFrames::default()
    };
    let mut rig = start_as(&[7, 9], frames, |_| {});
    for answer in [published(1, &[]), published(2, &[]), published(3, &[])] {
        rig.script.answer(answer);
    }
    let mut values = Vec::new();
    for _ in 0..4 {
        let delivery = rig.hold().await;
        values.extend(delivery.readings.into_iter().map(|reading| reading.value));
        delivery.durable.unwrap().send(Ok(())).unwrap();
    }
    assert_eq!(values, [1u64, 2, 3, 3].map(Value::UInt));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn f48_a_queue_that_was_too_short_is_counted_and_the_point_says_what_to_do() {
    let mut rig = start();
    for sequence in 1..=3 {
        let mut answer = published(sequence, &[]).unwrap();
        if let Some(observed) = &mut answer.notification.changes[0].observed {
            observed.overflow = true;
        }
        rig.script.answer(Ok(answer));
        rig.next().await;
    }
    assert_eq!(rig.drops.snapshot()[&DropReason::SourceOverflow], 3);
    let devices = rig.devices.borrow().clone();
    let remark = devices[0].points[0].remark.clone().unwrap();
    let advice = "values were lost between two publishings on the server (2 times): raise queue_size (now 10), or publish more often";
    assert!(remark.ends_with(advice), "{remark}");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_gateways_own_deadband_holds_back_is_counted_and_acknowledged() {
    let mut rig = start_as(&[7], KeyFrames::default(), |item| {
        item.sampling.deadband = Some(Deadband::Percent(10.0));
        let range = Some(Range {
            low: 0.0,
            high: 30.0,
        });
        let facts = Facts {
            range,
            ..Facts::default()
        };
        item.facts.set(facts).unwrap();
    });
    for sequence in 1..=6 {
        rig.script.answer(published(sequence, &[1, 2, 3, 4, 5, 6]));
    }
    assert_eq!(rig.next().await.value, Value::UInt(1));
    assert_eq!(rig.next().await.value, Value::UInt(5));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.drops.snapshot()[&DropReason::Deadband], 4);
    rig.script.answer(published(7, &[1, 2, 3, 4, 5, 6, 7]));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let acknowledged = rig.script.told(|told| told.acknowledged.clone());
    assert!(
        (1..=6).all(|sequence| acknowledged.contains(&(7, sequence))),
        "{acknowledged:?}"
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_subscription_has_its_own_order_and_its_own_acknowledgements() {
    let mut rig = start_with(&[7, 9]);
    rig.script.told(|told| told.kept = vec![message(2)]);
    for answer in [
        published_of(7, 1, &[1]),
        published_of(9, 1, &[1]),
        published_of(9, 3, &[1, 2, 3]),
        published_of(7, 2, &[1, 2]),
        keep_alive(7, 3),
        published_of(9, 4, &[1, 2, 3, 4]),
    ] {
        rig.script.answer(answer);
    }
    for number in [1, 1, 2, 3, 2, 4u64] {
        assert_eq!(rig.next().await.value, Value::UInt(number));
    }
    assert_eq!(rig.script.told(|told| told.republished.clone()), [(9, 2)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    for answer in [
        published_of(7, 3, &[1, 2, 3]),
        published_of(9, 5, &[1, 3, 4]),
    ] {
        rig.script.answer(answer);
        rig.next().await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut acknowledged = rig.script.told(|told| told.acknowledged.clone());
    acknowledged.sort_unstable();
    let expected = [(7, 1), (7, 2), (9, 1), (9, 2), (9, 3), (9, 4)];
    for kept in expected {
        assert!(acknowledged.contains(&kept), "{kept:?} of {acknowledged:?}");
    }
    acknowledged.dedup();
    assert_eq!(
        acknowledged.len(),
        rig.script.told(|told| told.acknowledged.len())
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn as_many_requests_wait_as_there_are_subscriptions_and_fewer_if_the_server_says_so() {
    let rig = start_with(&[1, 2, 3, 4, 5]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.script.told(|told| told.asked), 5 + SPARE_REQUESTS);
    for _ in 0..4 {
        rig.script
            .answer(Err(Status::named("BadTooManyPublishRequests")));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.script.told(|told| told.asked), 5 + SPARE_REQUESTS);
    rig.script.answer(keep_alive(1, 1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.script.told(|told| told.asked), 5 + SPARE_REQUESTS + 1);
    rig.stop().await;
}
