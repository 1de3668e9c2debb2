//! The publish loop against a scripted server: order, gaps, acknowledgement, silence, nodes that go and come back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Health, HealthReport, Readings, Secrets,
};
use fieldgate_model::DeviceId;
use futures::future::{pending, ready};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    connection::{Direction, Limits, Neighbour, Observed, SubscriptionRequest},
    node_id::NodeId,
};

/// Time is paused, so that this is no waiting.
const LONG: Duration = Duration::from_secs(3600);

/// A server that says what it is told to say, and remembers what it was asked.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: VecDeque<Result<Published, Status>>,
    kept: Vec<Notification>,
    acknowledged: Vec<u32>,
    republished: Vec<u32>,
    asked: usize,
    gone: bool,
    monitored: usize,
}

impl Script {
    fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn answer(&self, answer: Result<Published, Status>) {
        self.told(|told| told.answers.push_back(answer));
    }
}

impl Connection for Script {
    fn namespaces(&self) -> Called<'_, Vec<String>> {
        Box::pin(pending())
    }

    fn limits(&self) -> Called<'_, Limits> {
        Box::pin(pending())
    }

    fn browse(
        &self,
        _: Vec<NodeId>,
        _: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>> {
        Box::pin(pending())
    }

    fn data_types(&self, _: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(pending())
    }

    fn exist(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>> {
        let answer = match self.told(|told| told.gone) {
            true => Err(Status::named("BadNodeIdUnknown")),
            false => Ok(()),
        };
        Box::pin(ready(Ok(vec![answer; nodes.len()])))
    }

    fn subscribe(&self, _: SubscriptionRequest) -> Called<'_, Subscription> {
        Box::pin(pending())
    }

    fn monitor(
        &self,
        _: u32,
        items: Vec<ItemRequest>,
    ) -> Called<'_, Vec<Result<ItemRevised, Status>>> {
        self.told(|told| told.monitored += items.len());
        Box::pin(ready(Ok(vec![Ok(revised()); items.len()])))
    }

    fn unmonitor(&self, _: u32, _: Vec<u32>) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn publish(&self, _: u32, acknowledged: Vec<u32>) -> Called<'static, Published> {
        self.told(|told| {
            told.acknowledged.extend(acknowledged);
            told.asked += 1;
        });
        let script = self.clone();
        Box::pin(async move {
            loop {
                if let Some(answer) = script.told(|told| told.answers.pop_front()) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }

    fn republish(&self, _: u32, sequence: u32) -> Called<'_, Notification> {
        let kept = self.told(|told| {
            told.republished.push(sequence);
            let kept = told.kept.iter().find(|kept| kept.sequence == sequence);
            kept.cloned().ok_or(Status::named("BadMessageNotAvailable"))
        });
        Box::pin(ready(kept))
    }

    fn close(&self) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

struct Rig {
    script: Script,
    readings: mpsc::Receiver<Delivery>,
    health: watch::Receiver<HealthReport>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
}

fn start() -> Rig {
    let script = Script::default();
    let (sender, readings) = Readings::channel(64, DropCounters::default());
    let (health_sender, health) = Health::channel();
    let shutdown = CancellationToken::new();
    let ctx = SourceCtx {
        id: "s".into(),
        readings: sender,
        devices: Devices::channel().0,
        health: health_sender,
        commands: Commands::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new("/".into(), "/".into()),
        state_dir: "/".into(),
        memory: fieldgate_kit::Memory::default(),
    };
    let connection = script.clone();
    let running = tokio::spawn(async move {
        let items = [item()];
        let results = [Ok(revised())];
        let announcer = Announcer::new(&items, &[None], &results, "server", "paced".to_owned());
        let subscription = Subscription {
            id: 7,
            publishing_ms: 500.0,
            keep_alive_count: 4,
        };
        Publishing::new(&connection, &ctx, subscription, &items, &results, announcer)
            .run()
            .await
    });
    Rig {
        script,
        readings,
        health,
        shutdown,
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

fn item() -> Item {
    let device = DeviceId::new("s", "d").unwrap();
    Item {
        node: Some(NodeId::numeric(2, 1)),
        point: device.point("p").unwrap(),
        device,
        device_name: "d".to_owned(),
        name: "p".to_owned(),
        address: "ns=2;i=1".to_owned(),
        sampling_ms: 100,
        queue_size: 10,
        deadband: None,
    }
}

fn revised() -> ItemRevised {
    ItemRevised {
        id: 1,
        sampling_ms: 100.0,
        queue_size: 10,
    }
}

/// A message whose one value is its own number.
fn message(sequence: u32) -> Notification {
    let observed = Observed {
        value: Value::UInt(sequence.into()),
        quality: Quality::Good,
        at: None,
        overflow: false,
    };
    Notification {
        sequence,
        changes: vec![Change {
            handle: 0,
            observed: Some(observed),
        }],
        ..Notification::default()
    }
}

fn published(sequence: u32, available: &[u32]) -> Result<Published, Status> {
    Ok(Published {
        subscription: 7,
        available: available.to_vec(),
        notification: message(sequence),
    })
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
    assert_eq!(rig.script.told(|told| told.acknowledged.clone()), [1, 2]);
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
    assert_eq!(rig.script.told(|told| told.republished.clone()), [2, 3]);
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
    assert_eq!(asked, MAX_UNDURABLE + MAX_OUTSTANDING - 1);
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
async fn a_silent_node_that_is_gone_is_named_and_monitored_again_when_it_is_back() {
    let mut rig = start();
    rig.script.answer(published(1, &[]));
    rig.next().await;
    rig.script.told(|told| told.gone = true);
    let keep_alive = |script: &Script| {
        let notification = Notification {
            sequence: 2,
            keep_alive: true,
            ..Notification::default()
        };
        script.answer(Ok(Published {
            subscription: 7,
            available: vec![],
            notification,
        }));
    };
    let bad = async {
        loop {
            tokio::select! {
                delivery = rig.readings.recv() => break delivery.unwrap(),
                () = tokio::time::sleep(Duration::from_secs(2)) => keep_alive(&rig.script),
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
        keep_alive(&rig.script);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    rig.script.answer(published(2, &[]));
    assert_eq!(rig.next().await.value, Value::UInt(2));
    assert_eq!(rig.health.borrow().words, "1 of 1 monitored items, paced");
    rig.stop().await;
}
