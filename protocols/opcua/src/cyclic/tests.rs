//! Cyclic reading against the scripted server: cycles, what is held back, what is missed.

use fieldgate_kit::{Delivery, Devices, DropCounters, Health, HealthReport, Readings, Secrets};
use fieldgate_model::DropReason;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    announce::Announcer,
    connection::ValueType,
    settings::Deadband,
    twin::{Script, item},
};

struct Rig {
    script: Script,
    readings: mpsc::Receiver<Delivery>,
    health: watch::Receiver<HealthReport>,
    drops: DropCounters,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
}

/// So many points, read every 100 ms, at most two in one call.
fn start(count: usize, wish: fn(&mut Item)) -> Rig {
    let script = Script::default();
    let drops = DropCounters::default();
    let (sender, readings) = Readings::channel(64, drops.clone());
    let (health_sender, health) = Health::channel();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "s".into(),
        readings: sender,
        devices: Devices::channel().0,
        health: health_sender,
        shutdown: shutdown.clone(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: "/".into(),
        commands: fieldgate_kit::Commands::default(),
        alarms: Default::default(),
        exploring: fieldgate_kit::Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        memory: fieldgate_kit::Memory::default(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let connection = script.clone();
    let running = tokio::spawn(async move {
        let mut items: Vec<Item> = (0..count).map(item).collect();
        items.iter_mut().for_each(wish);
        let cycles = cycles(&items, Instant::now());
        let types = vec![ValueType::default(); items.len()];
        let monitored = monitored(&items);
        let announcer = Announcer::new(&items, &types, &monitored, "server", words(&cycles));
        let points = Points::new(&ctx, items, monitored, announcer);
        let limits = Limits {
            per_read: 2,
            per_browse: 1,
            per_monitor: 1,
            per_history: 1,
            items_per_subscription: None,
            subscriptions: None,
            sessions: None,
        };
        Cycling::new(&connection, &ctx, limits, cycles, points)
            .run()
            .await
    });
    Rig {
        script,
        readings,
        health,
        drops,
        shutdown,
        running,
    }
}

impl Rig {
    async fn next(&mut self) -> Vec<(String, Value)> {
        let delivery = self.readings.recv().await.expect("it runs");
        let readings = delivery.readings.into_iter();
        readings
            .map(|reading| (reading.point.to_string(), reading.value))
            .collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        assert_eq!(self.running.await.unwrap(), Ok(()));
    }
}

/// Nobody takes what is read, and what was last is due once more.
#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_room() {
    let rig = start(1, |item| item.sampling.heartbeat_ms = Some(100));
    rig.script.told(|told| told.still = Some(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.readings.len(), 64, "it is full");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_point_is_read_once_an_interval_in_calls_of_the_servers_size() {
    let mut rig = start(3, |_| {});
    let began = Instant::now();
    let point = |at: usize, value: u64| (format!("s/d/p{at}"), Value::UInt(value));
    for cycle in 0..3 {
        let first = cycle * 2 + 1;
        assert_eq!(rig.next().await, [point(0, first), point(1, first)]);
        assert_eq!(rig.next().await, [point(2, first + 1)]);
    }
    assert_eq!(began.elapsed(), Duration::from_millis(200));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_too_little_is_held_back_and_what_cannot_be_read_is_told_once() {
    let mut rig = start(1, |item| {
        item.sampling.deadband = Some(Deadband::Absolute(2.0));
    });
    assert_eq!(rig.next().await[0].1, Value::UInt(1));
    assert_eq!(rig.next().await[0].1, Value::UInt(4));
    assert_eq!(rig.drops.snapshot()[&DropReason::Deadband], 2);
    rig.script.told(|told| told.gone = true);
    assert_eq!(rig.next().await[0].1, Value::Null);
    let words = "0 of 1 monitored items, read every 100 ms";
    assert_eq!(rig.health.borrow().words, words);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(rig.readings.is_empty());
    rig.script.told(|told| told.gone = false);
    assert!(matches!(rig.next().await[0].1, Value::UInt(count) if count > 10));
    let words = "1 of 1 monitored items, read every 100 ms";
    assert_eq!(rig.health.borrow().words, words);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn cycles_that_a_slow_server_misses_are_counted() {
    let mut rig = start(1, |_| {});
    rig.script
        .told(|told| told.read_takes = Duration::from_millis(250));
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        rig.next().await;
    }
    let words = rig.health.borrow().words.clone();
    assert!(words.contains("cycles were missed"), "{words}");
    let reads = rig.script.told(|told| told.reads);
    assert!((20..=25).contains(&reads), "{reads} reads of 250 ms in 6 s");
    rig.stop().await;
}

#[test]
fn a_raster_goes_on_where_it_would_have_been() {
    let start = Instant::now();
    let every = Duration::from_millis(100);
    let after = |milliseconds| start + Duration::from_millis(milliseconds);
    for (now, next, missed) in [(0, 100, 0), (99, 100, 0), (100, 200, 1), (350, 400, 3)] {
        assert_eq!(following(start, every, after(now)), (after(next), missed));
    }
}

#[test]
fn points_are_read_by_their_intervals() {
    let mut items: Vec<Item> = (0..4).map(item).collect();
    items[1].sampling.sampling_ms = 0;
    items[2].node = None;
    let cycles = cycles(&items, Instant::now());
    let handles: Vec<Vec<u32>> = cycles
        .iter()
        .map(|cycle| cycle.points.iter().map(|(handle, _)| *handle).collect())
        .collect();
    assert_eq!(handles, [vec![1], vec![0, 3]]);
    assert_eq!(words(&cycles), "read every 10 to 100 ms");
}
