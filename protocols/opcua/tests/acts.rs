//! The simulated server with `acts`, as the demonstration has it: what is written, called, and acknowledged there.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::time::Duration;

use fieldgate_kit::{
    Alarms, Commands, Delivery, Desk, Devices, DropCounters, Health, Readings, Secrets, SourceCtx,
    SourceKind,
};
use fieldgate_model::{
    Action, Alarm, Answer, Arguments, Command, Outcome, Remark, Timestamp, Value,
};
use fieldgate_opcua::{OpcUa, sim};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

struct Rig {
    readings: mpsc::Receiver<Delivery>,
    desk: watch::Receiver<Option<Desk>>,
    alarms: Alarms,
    shutdown: CancellationToken,
}

fn start(folder: &TempDir, settings: Json) -> Rig {
    let (sender, readings) = Readings::channel(4, DropCounters::default());
    let (commands, desk) = Commands::channel();
    let (alarms, shutdown) = (Alarms::default(), CancellationToken::new());
    let ctx = SourceCtx {
        id: "demo".into(),
        readings: sender,
        devices: Devices::channel().0,
        health: Health::channel().0,
        commands,
        alarms: alarms.clone(),
        exploring: Default::default(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: Default::default(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.path().into(), folder.path().into()),
        state_dir: folder.path().join("state"),
        memory: Default::default(),
        accepted: Default::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    tokio::spawn(async move { SourceKind::of::<OpcUa>().run(settings, ctx).await });
    Rig {
        readings,
        desk,
        alarms,
        shutdown,
    }
}

impl Rig {
    /// What comes of it at the device, while values go on.
    async fn done(&mut self, target: &str, action: Action) -> Answer {
        let command = Command {
            id: target.to_owned(),
            target: target.parse().unwrap(),
            action,
            issued: Timestamp::default(),
            expires: Timestamp::from_nanos(i64::MAX),
        };
        let desk = self.desk.borrow().clone().unwrap();
        let mut answer = desk.order(command).unwrap();
        loop {
            tokio::select! {
                answer = &mut answer => return answer.unwrap(),
                delivery = self.readings.recv() => confirm(delivery.unwrap()),
            }
        }
    }

    /// The alarm as soon as it is so.
    async fn alarm(&mut self, is: impl Fn(&Alarm) -> bool) -> Alarm {
        let found = async {
            loop {
                if let Some(alarm) = self.alarms.open().into_iter().find(&is) {
                    return alarm;
                }
                confirm(self.readings.recv().await.unwrap());
            }
        };
        timeout(PATIENCE, found).await.expect("in time")
    }
}

fn confirm(delivery: Delivery) {
    if let Some(durable) = delivery.durable {
        durable.send(Ok(())).unwrap();
    }
}

#[tokio::test]
async fn the_demonstration_can_be_commanded_and_its_alarm_acknowledged() {
    let folder = TempDir::new().unwrap();
    let server = sim::start(sim::Options {
        acts: true,
        ..sim::Options::new(folder.path().join("server"))
    })
    .await
    .unwrap();
    let mut rig = start(
        &folder,
        json!({
            "endpoint": server.endpoint,
            "security": { "policy": "None" },
            "select": ["Objects/Demo/**"],
            "events": [{ "allow": ["acknowledge", "comment"] }],
            "commands": [
                { "path": "Objects/Demo/Press/SpeedLimit", "allow": ["read", "write"], "min": 10, "max": 120 },
                { "path": "Objects/Demo/Press/Order", "allow": ["call"] },
            ],
            "publishing_ms": 100,
        }),
    );
    let mut desk = rig.desk.clone();
    let offers = desk.wait_for(|desk| desk.as_ref().is_some_and(|desk| desk.offers.len() == 2));
    let values = async {
        loop {
            confirm(rig.readings.recv().await.unwrap());
        }
    };
    tokio::select! {
        found = timeout(PATIENCE, offers) => drop(found.expect("in time").unwrap()),
        () = values => {}
    }
    let limit = "demo/Demo%2FPress/SpeedLimit";
    let written = rig.done(limit, Action::Write(Value::Float(80.0))).await;
    assert_eq!(written.outcome, Outcome::Done, "{}", written.words);
    let read = rig.done(limit, Action::Read).await;
    assert_eq!(read.value, Some(Value::Float(80.0)));
    let much = rig.done(limit, Action::Write(Value::Float(500.0))).await;
    assert_eq!(much.outcome, Outcome::Refused, "{}", much.words);
    let order = |count: i64| Action::Call(Arguments::Ordered(vec![Value::Int(count)]));
    let ordered = rig.done("demo/Demo%2FPress/Order", order(5)).await;
    assert_eq!(ordered.outcome, Outcome::Done, "{}", ordered.words);
    let too_many = rig.done("demo/Demo%2FPress/Order", order(5000)).await;
    assert_ne!(too_many.outcome, Outcome::Done, "{}", too_many.words);

    // The oven is too hot some seconds after the start.
    let alarm = rig.alarm(|alarm| alarm.active == Some(true)).await;
    assert_eq!(
        (alarm.name.as_str(), alarm.acked),
        ("HighTemperature", Some(false))
    );
    let point = alarm.point.to_string();
    let remark = |event: &str| Remark {
        event: Some(event.to_owned()),
        text: "on my way".to_owned(),
    };
    let done = rig
        .done(&point, Action::Acknowledge(remark(&alarm.event)))
        .await;
    assert_eq!(done.outcome, Outcome::Done, "{}", done.words);
    let acked = rig.alarm(|alarm| alarm.acked == Some(true)).await;
    assert_eq!(acked.comment.as_deref(), Some("on my way"));
    let again = rig
        .done(&point, Action::Acknowledge(remark(&acked.event)))
        .await;
    assert_eq!(again.outcome, Outcome::Refused);
    assert!(again.words.contains("before"), "{}", again.words);
    rig.shutdown.cancel();
    server.stop().await;
}
