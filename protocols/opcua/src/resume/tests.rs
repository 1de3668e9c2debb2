//! A session that goes on where the lost one ended, against a scripted server.

mod owed;

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Health, Memory, Readings, Secrets, SourceCtx,
    SourceError, accepted::Queued,
};
use fieldgate_model::{Quality, Reading, Timestamp, Value};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    announce::Announcer,
    connection::{Change, Limits, Notification, Observed, Published, Subscription, ValueType},
    gate::Filtered,
    history::{Marks, Past},
    publish::{Points, Publishing},
    settings::{Fill, Settings},
    twin::{Script, item, revised},
};

const SERVER: &str = "opc.tcp://h:4840";
/// Time is paused, so that this is no waiting.
const LONG: Duration = Duration::from_secs(3600);

/// A source of one point and one subscription, attempt by attempt.
struct Rig {
    script: Script,
    memory: Memory,
    readings: mpsc::Receiver<Delivery>,
    sender: Readings,
    settings: Arc<Settings>,
    /// What the queue has, when it is asked.
    queue: Queue,
    folder: tempfile::TempDir,
}

#[derive(Clone, Default)]
struct Queue(Vec<Reading>);

impl Queued for Queue {
    fn since<'a>(
        &'a self,
        _: Timestamp,
        each: &'a mut (dyn FnMut(Reading) + Send),
    ) -> BoxFuture<'a, ()> {
        self.0.iter().cloned().for_each(each);
        Box::pin(std::future::ready(()))
    }
}

impl Rig {
    fn new() -> Self {
        let (sender, readings) = Readings::channel(64, DropCounters::default());
        let table = serde_json::json!({
            "endpoint": "opc.tcp://h:4840",
            "select": ["Objects/**"],
            // Nearly as old as time, since the script's clock begins in 1970.
            "history": { "max_age": "100 years" },
        });
        Self {
            script: Script::default(),
            memory: Memory::default(),
            readings,
            sender,
            settings: Arc::new(fieldgate_kit::settings::read(table).unwrap()),
            queue: Queue::default(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn ctx(&self) -> SourceCtx {
        SourceCtx {
            id: "s".into(),
            readings: self.sender.clone(),
            devices: Devices::channel().0,
            health: Health::channel().0,
            commands: Commands::default(),
            alarms: Default::default(),
            exploring: fieldgate_kit::Exploring::default(),
            scanning: fieldgate_kit::Scanning::default(),
            showing: fieldgate_kit::Showing::default(),
            reviews: fieldgate_kit::Reviews::default(),
            shutdown: CancellationToken::new(),
            secrets: Secrets::new("/".into(), "/".into()),
            state_dir: self.folder.path().join("source"),
            memory: self.memory.clone(),
            accepted: fieldgate_kit::Accepted::new(self.queue.clone()),
            latest: fieldgate_kit::Latest::default(),
        }
    }

    fn attempt(&self) -> JoinHandle<Result<(), SourceError>> {
        let (ctx, script) = (self.ctx(), self.script.clone());
        let settings = Arc::clone(&self.settings);
        tokio::spawn(async move {
            let items = [item(0)];
            let monitored = vec![Monitored {
                subscription: 0,
                result: Ok(revised()),
                filtered: Filtered::default(),
            }];
            let types = [ValueType::default()];
            let announcer = Announcer::new(&items, &types, &monitored, "server", String::new());
            let points = Points::new(&ctx, items.to_vec(), monitored, announcer);
            let subscription = Subscription {
                id: 7,
                publishing_ms: 500.0,
                keep_alive_count: 4,
            };
            let limits = Limits {
                per_read: 10,
                per_browse: 10,
                per_monitor: 10,
                per_history: 10,
                items_per_subscription: None,
                subscriptions: None,
                sessions: None,
            };
            let mut left = Custody::take(&ctx.memory);
            let taken_over = left.or_nothing().take_over(&script, &items).await;
            let taken_over = taken_over.map_err(|why| SourceError::Lost(why.to_string()))?;
            let past = Past::find(&ctx, &settings, &items, left.get_mut()).await;
            let history = match taken_over {
                true => past.history(&settings, &limits),
                false => past.history_of_new_items(&settings, &limits),
            };
            let points = points.after(past.last()).with_history(history);
            let points = points.at(SERVER, watch::channel(String::new()).1);
            let resumed = left.release().into_resumed();
            let publishing = match taken_over {
                true => Publishing::resume(&script, &ctx, resumed, points),
                false => Publishing::new(&script, &ctx, &[subscription], points),
            };
            let publishing = publishing.noting(past.is_written);
            publishing.run().await
        })
    }

    /// The next delivery's values.
    async fn next(&mut self) -> (Vec<Reading>, impl FnOnce(bool) + use<>) {
        let delivery = timeout(LONG, self.readings.recv()).await.expect("in time");
        let Delivery { readings, durable } = delivery.expect("there is one");
        let tell = move |kept: bool| {
            let told = kept
                .then_some(())
                .ok_or_else(|| fieldgate_kit::NotAccepted("the disk is full".to_owned()));
            durable.unwrap().send(told).unwrap();
        };
        (readings, tell)
    }

    async fn value(&mut self, value: u64) {
        let (readings, tell) = self.next().await;
        assert_eq!(readings[0].value, Value::UInt(value));
        tell(true);
    }

    fn say(&self, value: u32, sequence: u32, available: &[u32]) {
        self.script.answer(Ok(Published {
            subscription: 7,
            available: available.to_vec(),
            notification: message(value, sequence),
        }));
    }

    /// The server has the values of these seconds in its history.
    fn keeps(&self, seconds: std::ops::Range<i64>) {
        self.script
            .told(|told| told.historian.values.insert(0, seconds.collect()));
    }

    /// What is written down of the last value, in milliseconds.
    async fn written(&self) -> Option<i64> {
        let marks = Marks::recall(&self.ctx(), SERVER, Fill::OldestFirst).await?;
        let series = marks.points.get(&item(0).point)?;
        Some(series.last?.at.millis())
    }

    /// The server says that it lives, for so many seconds.
    async fn live(&self, seconds: u32, sequence: u32) {
        for _ in 0..seconds {
            self.script.answer(Ok(Published {
                subscription: 7,
                available: Vec::new(),
                notification: Notification {
                    sequence,
                    keep_alive: true,
                    ..Notification::default()
                },
            }));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn lose(&self, attempt: JoinHandle<Result<(), SourceError>>) {
        self.script
            .answer(Err(Status::named("BadConnectionClosed")));
        let outcome = timeout(LONG, attempt).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    }
}

/// A message with this value of the moment of its number.
fn message(value: u32, sequence: u32) -> Notification {
    Notification {
        sequence,
        changes: vec![Change {
            handle: 0,
            observed: Some(Observed {
                value: Value::UInt(value.into()),
                quality: Quality::Good,
                at: Some(Timestamp::from_millis(value.into())),
                overflow: false,
            }),
        }],
        ..Notification::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_lost_session_did_not_hear_is_asked_for_and_what_it_heard_is_one_record() {
    let mut rig = Rig::new();
    let first = rig.attempt();
    rig.say(10, 1, &[1]);
    rig.value(10).await;
    rig.say(20, 2, &[1, 2]);
    rig.value(20).await;
    rig.lose(first).await;
    rig.script.told(|told| {
        told.transferred = Some(vec![Ok(vec![2, 3, 4])]);
        told.kept = vec![message(30, 3), message(40, 4)];
    });
    let second = rig.attempt();
    rig.value(30).await;
    rig.value(40).await;
    // The server sends the current value once more, as it was asked to, and then a new one.
    rig.say(40, 5, &[2, 3, 4, 5]);
    rig.say(50, 6, &[2, 3, 4, 5, 6]);
    rig.value(50).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.say(60, 7, &[6, 7]);
    rig.value(60).await;
    let (republished, acknowledged) = rig
        .script
        .told(|told| (told.republished.clone(), told.acknowledged.clone()));
    assert_eq!(republished, [(7, 3), (7, 4)]);
    for stale in [1, 2] {
        let times = acknowledged.iter().filter(|kept| **kept == (7, stale));
        assert!(times.count() <= 1, "{acknowledged:?}");
    }
    rig.lose(second).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_accepted_is_asked_for_once_more() {
    let mut rig = Rig::new();
    let first = rig.attempt();
    rig.say(10, 1, &[1]);
    let (_, tell) = rig.next().await;
    tell(false);
    let outcome = timeout(LONG, first).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(SourceError::Lost(words)) if words.contains("not accepted")));
    rig.script.told(|told| {
        told.transferred = Some(vec![Ok(vec![1])]);
        told.kept = vec![message(10, 1)];
    });
    let second = rig.attempt();
    rig.value(10).await;
    rig.lose(second).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_no_longer_has_it_begins_anew_and_repeats_nothing() {
    for (transferred, kept) in [
        (
            Some(vec![Err(Status::named("BadSubscriptionIdInvalid"))]),
            true,
        ),
        (None, true),
        (Some(vec![Ok(vec![])]), false),
    ] {
        let mut rig = Rig::new();
        let first = rig.attempt();
        rig.say(10, 1, &[1]);
        rig.value(10).await;
        rig.lose(first).await;
        rig.script.told(|told| told.transferred = transferred);
        let mut second = rig.attempt();
        if !kept {
            // Handed over in name only: silence ends the attempt soon, and the next one asks no more.
            let outcome = timeout(Duration::from_secs(4), second).await;
            let outcome = outcome.unwrap().unwrap();
            assert!(
                matches!(outcome, Err(SourceError::Lost(words)) if words.contains("made anew"))
            );
            second = rig.attempt();
        }
        rig.say(10, 1, &[1]);
        rig.say(20, 2, &[1, 2]);
        rig.value(20).await;
        rig.lose(second).await;
    }
}

/// The items that were known, and those that are found now; whether their subscriptions are gone on with.
#[track_caller]
fn check_wishes(known: &[Item], found: &[Item], expected: bool) {
    let remembered = Remembered {
        items: known.to_vec(),
        ..Remembered::only(Conditions::default())
    };
    assert_eq!(remembered.same_wishes(found), expected);
}

#[test]
fn what_came_or_went_meanwhile_is_no_reason_to_begin_anew_and_another_number_is() {
    let items: Vec<Item> = (0..4).map(item).collect();
    let mut renumbered = items.clone();
    renumbered[1].node = Some(crate::node_id::NodeId::numeric(2, 700));
    let mut faster = items.clone();
    faster[2].sampling.sampling_ms = 1;
    check_wishes(&items, &items, true);
    check_wishes(&items[..3], &items, true);
    check_wishes(&items, &items[1..], true);
    check_wishes(&items, &[items[3].clone(), items[0].clone()], true);
    check_wishes(&items, &renumbered, false);
    check_wishes(&items, &faster, false);
    check_wishes(&items[..2], &items[2..], false);
    check_wishes(&[], &[], true);
}
