//! A session that goes on where the lost one ended, against a scripted server.

use std::time::Duration;

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Health, Memory, Readings, Secrets, SourceCtx,
    SourceError,
};
use fieldgate_model::{Quality, Reading, Timestamp, Value};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    announce::Announcer,
    connection::{Change, Notification, Observed, Published, Subscription, ValueType},
    gate::Filtered,
    publish::{Points, Publishing},
    twin::{Script, item, revised},
};

/// Time is paused, so that this is no waiting.
const LONG: Duration = Duration::from_secs(3600);

/// A source of one point and one subscription, attempt by attempt.
struct Rig {
    script: Script,
    memory: Memory,
    readings: mpsc::Receiver<Delivery>,
    sender: Readings,
}

impl Rig {
    fn new() -> Self {
        let (sender, readings) = Readings::channel(64, DropCounters::default());
        Self {
            script: Script::default(),
            memory: Memory::default(),
            readings,
            sender,
        }
    }

    fn attempt(&self) -> JoinHandle<Result<(), SourceError>> {
        let ctx = SourceCtx {
            id: "s".into(),
            readings: self.sender.clone(),
            devices: Devices::channel().0,
            health: Health::channel().0,
            commands: Commands::default(),
            alarms: Default::default(),
            exploring: fieldgate_kit::Exploring::default(),
            reviews: fieldgate_kit::Reviews::default(),
            shutdown: CancellationToken::new(),
            secrets: Secrets::new("/".into(), "/".into()),
            state_dir: "/".into(),
            memory: self.memory.clone(),
            accepted: fieldgate_kit::Accepted::default(),
        };
        let script = self.script.clone();
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
            let Some(mut remembered) = ctx.memory.take::<Remembered>() else {
                return Publishing::new(&script, &ctx, &[subscription], points)
                    .run()
                    .await;
            };
            let points = points.after(remembered.last_of(&items));
            match remembered.take_over(&script, &items).await.unwrap() {
                Some(resumed) => {
                    Publishing::resume(&script, &ctx, resumed, points)
                        .run()
                        .await
                }
                None => {
                    Publishing::new(&script, &ctx, &[subscription], points)
                        .run()
                        .await
                }
            }
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
