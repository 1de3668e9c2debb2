//! What was missed in a running session, against a scripted server that has a history.

use std::time::Duration;

use fieldgate_kit::{
    Accepted, Commands, Delivery, Devices, DropCounters, Exploring, Health, Memory, Readings,
    Secrets, SourceCtx, SourceError,
};
use fieldgate_model::Timestamp;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    announce::Announcer,
    connection::{Change, Limits, Notification, Published, Subscription, ValueType},
    gate::Filtered,
    history::{Gap, History, Marks},
    publish::{Points, Publishing},
    settings::{Fill, HistoryRule},
    subscribe::Monitored,
    twin::{Script, historic, item, revised},
};

/// Time is paused, so that this is no waiting.
const LONG: Duration = Duration::from_secs(3600);

struct Rig {
    script: Script,
    ctx: SourceCtx,
    deliveries: mpsc::Receiver<Delivery>,
    running: JoinHandle<Result<(), SourceError>>,
    _folder: tempfile::TempDir,
}

/// One point; the server has its values of all seconds up to a hundred.
fn start() -> Rig {
    let script = Script::default();
    script.told(|told| told.historian.values.insert(0, (0..100).collect()));
    let folder = tempfile::tempdir().unwrap();
    let (readings, deliveries) = Readings::channel(64, DropCounters::default());
    let ctx = SourceCtx {
        id: "s".into(),
        readings,
        devices: Devices::channel().0,
        health: Health::channel().0,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: Exploring::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: fieldgate_kit::Reviews::default(),
        shutdown: CancellationToken::new(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: folder.path().join("source"),
        memory: Memory::default(),
        accepted: Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let running = tokio::spawn(run(script.clone(), ctx.clone()));
    Rig {
        script,
        ctx,
        deliveries,
        running,
        _folder: folder,
    }
}

async fn run(script: Script, ctx: SourceCtx) -> Result<(), SourceError> {
    let items = [item(0)];
    let monitored = vec![Monitored {
        subscription: 0,
        result: Ok(revised()),
        filtered: Filtered::default(),
    }];
    let types = [ValueType::default()];
    let announcer = Announcer::new(&items, &types, &monitored, "server", String::new());
    let limits = Limits {
        per_read: 10,
        per_browse: 10,
        per_monitor: 10,
        per_history: 10,
        items_per_subscription: None,
        subscriptions: None,
        sessions: None,
    };
    // Nearly as old as time, since the script's clock begins in 1970.
    let rule = HistoryRule {
        max_age: "100 years".parse().unwrap(),
        ..HistoryRule::default()
    };
    let subscription = Subscription {
        id: 7,
        publishing_ms: 500.0,
        keep_alive_count: 4,
    };
    let points = Points::new(&ctx, items.to_vec(), monitored, announcer)
        .with_history(History::new(rule, "server", &limits, 1));
    Publishing::new(&script, &ctx, &[subscription], points)
        .run()
        .await
}

impl Rig {
    /// A message with the value of a second.
    fn publish(&self, sequence: u32, second: i64) {
        let change = Change {
            handle: 0,
            observed: Some(historic(second)),
        };
        self.script.answer(Ok(Published {
            subscription: 7,
            available: vec![sequence],
            notification: Notification {
                sequence,
                changes: vec![change],
                ..Notification::default()
            },
        }));
    }

    /// The next delivery's seconds, and whether they were missed; what it returns makes them durable.
    async fn next(&mut self) -> (Vec<i64>, bool, impl FnOnce() + use<>) {
        let delivery = timeout(LONG, self.deliveries.recv())
            .await
            .expect("in time");
        let Delivery { readings, durable } = delivery.expect("the loop runs");
        let seconds = readings.iter().map(|reading| reading.at.millis() / 1000);
        let backfilled = readings.iter().all(|reading| reading.backfilled);
        let tell = move || durable.unwrap().send(Ok(())).unwrap();
        (seconds.collect(), backfilled, tell)
    }

    async fn expect(&mut self, seconds: impl Into<Vec<i64>>, missed: bool) {
        let (came, backfilled, durable) = self.next().await;
        assert_eq!((came, backfilled), (seconds.into(), missed));
        durable();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_in_a_message_that_is_lost_is_read_from_history() {
    let mut rig = start();
    rig.publish(1, 10);
    rig.expect([10], false).await;
    rig.publish(3, 20);
    rig.expect([20], false).await;
    rig.expect((11..20).collect::<Vec<_>>(), true).await;
    assert_eq!(rig.script.told(|told| told.republished.clone()), [(7, 2)]);
    rig.publish(4, 21);
    rig.expect([21], false).await;
    rig.ctx.shutdown.cancel();
    assert_eq!(rig.running.await.unwrap(), Ok(()));
    let marks = Marks::recall(&rig.ctx, "server", Fill::OldestFirst).await;
    let series = &marks.unwrap().points[&item(0).point];
    assert_eq!(series.last.unwrap().at, Timestamp::from_millis(21_000));
    assert_eq!(series.gaps, []);
    assert_eq!(
        Marks::recall(&rig.ctx, "another", Fill::OldestFirst).await,
        None
    );
}

/// Two pages; the second is not asked for before the first is on the disk.
#[tokio::test(start_paused = true)]
async fn a_page_waits_for_the_disk_and_the_end_of_a_session_knows_how_far_it_is() {
    let mut rig = start();
    rig.script.told(|told| told.historian.page = 5);
    rig.publish(1, 10);
    rig.expect([10], false).await;
    rig.publish(3, 20);
    rig.expect([20], false).await;
    let (seconds, _, durable) = rig.next().await;
    assert_eq!(seconds, [11, 12, 13, 14]);
    // Shorter than the server may be silent.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.script.told(|told| told.historian.asked.len()), 1);
    durable();
    let (seconds, _, durable) = rig.next().await;
    assert_eq!(seconds, [15, 16, 17, 18, 19]);
    rig.ctx.shutdown.cancel();
    durable();
    assert_eq!(rig.running.await.unwrap(), Ok(()));
    let marks = Marks::recall(&rig.ctx, "server", Fill::OldestFirst)
        .await
        .unwrap();
    let left = Gap {
        after: Timestamp::from_millis(19_000),
        before: Some(Timestamp::from_millis(20_000)),
    };
    assert_eq!(marks.points[&item(0).point].gaps, [left]);
}

/// Where nothing can be written, nothing is written once it can, unless it is known that it was not.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_down_is_written_as_soon_as_it_can_be() {
    let mut rig = start();
    std::fs::write(&rig.ctx.state_dir, "a file in its place").unwrap();
    rig.publish(1, 10);
    rig.expect([10], false).await;
    let alive = async |rig: &Rig, seconds: usize| {
        for _ in 0..seconds {
            rig.script.answer(Ok(Published {
                subscription: 7,
                available: Vec::new(),
                notification: Notification {
                    sequence: 2,
                    keep_alive: true,
                    ..Notification::default()
                },
            }));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    alive(&rig, 5).await;
    std::fs::remove_file(&rig.ctx.state_dir).unwrap();
    alive(&rig, 60).await;
    let marks = Marks::recall(&rig.ctx, "server", Fill::OldestFirst).await;
    let series = &marks.expect("it is there").points[&item(0).point];
    assert_eq!(series.last.unwrap().at, Timestamp::from_millis(10_000));
    rig.ctx.shutdown.cancel();
    assert_eq!(rig.running.await.unwrap(), Ok(()));
}
