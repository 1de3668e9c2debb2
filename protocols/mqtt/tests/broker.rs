//! The whole destination against the in-process broker, in both versions.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::{path::Path, time::Duration};

use fieldgate_kit::{
    AddressBook, Batch, DestinationKind, Intake, Link, Origin, ProbeCtx, Receipt, RungState,
    Secrets, Sequenced, SinkCtx, SinkError,
    command::{Door, Lost, Owed, Request, Taken},
};
use fieldgate_model::{Answer, PointId, Reading, TimeQuality, Timestamp};
use fieldgate_mqtt::{Mqtt, sim};
use futures::{FutureExt, future::BoxFuture};
use rumqttc::v5::{
    AsyncClient, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, PublishProperties},
    },
};
use serde_json::{Value as Json, json};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tower::{Service, ServiceExt};

const LIMIT: Duration = Duration::from_secs(10);

fn kind() -> DestinationKind {
    DestinationKind::of::<Mqtt>()
}

fn book() -> AddressBook {
    AddressBook {
        gateway: "line-4".into(),
        gateway_id: "a1b2c3d4".into(),
        version: "0.1.0".into(),
        config_revision: 7,
    }
}

fn ctx() -> SinkCtx {
    SinkCtx {
        id: "local".into(),
        secrets: Secrets::new("/nonexistent".into(), "/nonexistent".into()),
        state_dir: Path::new("/nonexistent").to_owned(),
        book: book(),
        commands: Intake::default(),
    }
}

fn batch(first: u64, readings: u64) -> Batch {
    let reading = |seq: u64| Sequenced {
        seq,
        time_quality: TimeQuality::default(),
        origin: Origin { lane: 'n', seq },
        reading: Reading::new(
            PointId::new("press", "Line/Press", &format!("p{}", seq % 10)).unwrap(),
            21.5,
            Timestamp::from_millis(1_700_000_000_000),
        ),
    };
    Batch {
        lane: 'n',
        readings: (first..first + readings).map(reading).collect(),
    }
}

/// Everything that is published under `fieldgate/#`; subscribed when this returns. With MQTT 5, because rumqttd cannot hand
/// messages with properties to older clients. Unbounded: a test receives little.
async fn subscriber(url: &str, id: &str) -> mpsc::UnboundedReceiver<(String, Json)> {
    let url = url::Url::parse(url).unwrap();
    let options = MqttOptions::new(id, url.host_str().unwrap(), url.port().unwrap());
    let (client, mut events) = AsyncClient::new(options, 10);
    client
        .subscribe("fieldgate/#", QoS::AtLeastOnce)
        .await
        .unwrap();
    let (sender, messages) = mpsc::unbounded_channel();
    let (ready, subscribed) = tokio::sync::oneshot::channel();
    let mut ready = Some(ready);
    tokio::spawn(async move {
        let _client = client;
        while let Ok(event) = events.poll().await {
            match event {
                Event::Incoming(Packet::SubAck(_)) => {
                    let _ = ready.take().map(|ready| ready.send(()));
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let payload = serde_json::from_slice(&publish.payload).unwrap();
                    let topic = String::from_utf8(publish.topic.into()).unwrap();
                    if sender.send((topic, payload)).is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    timeout(LIMIT, subscribed).await.unwrap().unwrap();
    messages
}

async fn next(messages: &mut mpsc::UnboundedReceiver<(String, Json)>) -> (String, Json) {
    timeout(LIMIT, messages.recv()).await.unwrap().unwrap()
}

fn drive(link: Link) -> (Driven, JoinHandle<Result<(), SinkError>>) {
    let Link {
        sink,
        driver,
        close,
        words,
    } = link;
    (Driven { sink, close, words }, tokio::spawn(driver))
}

struct Driven {
    sink: fieldgate_kit::BoxSink,
    close: tokio_util::sync::CancellationToken,
    words: String,
}

impl Driven {
    async fn send(&mut self, batch: Batch) -> Result<Receipt, SinkError> {
        let ready = timeout(LIMIT, self.sink.ready()).await.unwrap()?;
        timeout(LIMIT, ready.call(batch)).await.unwrap()
    }
}

#[tokio::test]
async fn readings_arrive_and_are_acknowledged_in_both_versions() {
    for version in ["5", "3.1.1"] {
        let broker = sim::start().unwrap();
        let url = if version == "5" {
            &broker.url
        } else {
            &broker.url_v311
        };
        let mut messages = subscriber(&broker.url, &format!("test-{version}")).await;
        let settings = json!({ "url": url, "version": version });
        let link = kind().connect(settings, ctx()).await.unwrap();
        let (mut link, driver) = drive(link);
        assert!(
            link.words
                .starts_with(&format!("MQTT {version} over TCP, not encrypted, ")),
            "{}",
            link.words
        );

        let (topic, status) = next(&mut messages).await;
        assert_eq!(topic, "fieldgate/line-4/status");
        assert_eq!(
            (&status["state"], &status["configRevision"]),
            (&json!("online"), &json!(7))
        );

        assert_eq!(link.send(batch(1, 10)).await, Ok(Receipt::default()));
        let (topic, payload) = next(&mut messages).await;
        assert_eq!(topic, "fieldgate/line-4/Line/Press/data");
        let readings = match version {
            "5" => &payload,
            _ => {
                assert_eq!(payload["specversion"], "1.0");
                &payload["data"]
            }
        };
        assert_eq!(readings["p1"]["Id"], "a1b2c3d4-n-0000000000000001");
        assert_eq!(readings.as_object().unwrap().len(), 10);

        link.close.cancel();
        assert_eq!(timeout(LIMIT, driver).await.unwrap().unwrap(), Ok(()));
        let (topic, status) = next(&mut messages).await;
        assert_eq!(
            (topic.as_str(), &status["reason"]),
            ("fieldgate/line-4/status", &json!("stopped"))
        );
        assert!(matches!(
            link.send(batch(11, 1)).await,
            Err(SinkError::Unreachable(_))
        ));
    }
}

#[tokio::test]
async fn many_batches_under_way_are_all_acknowledged() {
    let broker = sim::start().unwrap();
    for (version, url) in [("5", &broker.url), ("3.1.1", &broker.url_v311)] {
        let settings = json!({ "url": url, "version": version, "format": "json", "in_flight": 4 });
        let link = kind().connect(settings, ctx()).await.unwrap();
        let (mut link, _driver) = drive(link);
        let mut calls = Vec::new();
        for number in 0..20 {
            let sink = timeout(LIMIT, link.sink.ready()).await.unwrap().unwrap();
            calls.push(sink.call(batch(number * 100 + 1, 100)));
        }
        for receipt in timeout(LIMIT, futures::future::join_all(calls))
            .await
            .unwrap()
        {
            assert_eq!(receipt, Ok(Receipt::default()));
        }
    }
}

#[tokio::test]
async fn a_broker_that_goes_away_leaves_nothing_acknowledged_by_mistake() {
    let broker = sim::start().unwrap();
    let settings = json!({ "url": broker.url });
    let link = kind().connect(settings.clone(), ctx()).await.unwrap();
    let (mut link, driver) = drive(link);
    assert_eq!(link.send(batch(1, 5)).await, Ok(Receipt::default()));
    drop(broker);
    let lost = timeout(LIMIT, driver).await.unwrap().unwrap();
    assert!(matches!(lost, Err(SinkError::Unreachable(_))), "{lost:?}");
    assert!(matches!(
        link.send(batch(6, 5)).await,
        Err(SinkError::Unreachable(_))
    ));

    let again = kind().connect(settings, ctx()).await.unwrap_err();
    assert!(
        again.to_string().contains("nobody listens at 127.0.0.1:"),
        "{again}"
    );
}

#[tokio::test]
async fn a_test_of_settings_climbs_to_the_acknowledgement_or_says_where_it_broke() {
    let broker = sim::start().unwrap();
    let probe = |url: String| async move {
        let SinkCtx {
            id,
            secrets,
            state_dir,
            book,
            ..
        } = ctx();
        let ctx = ProbeCtx {
            id,
            secrets,
            state_dir,
            common: fieldgate_kit::Memory::default(),
            book,
        };
        kind()
            .probe(json!({ "url": url, "commands": {} }), ctx)
            .await
    };
    let mut messages = subscriber(&broker.url, "test").await;
    let rungs = probe(broker.url.clone()).await;
    let names: Vec<&str> = rungs.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "DNS",
            "TCP",
            "Sign-in",
            "Publish",
            "Acknowledged",
            "Commands"
        ]
    );
    assert!(
        rungs.iter().all(|rung| rung.state == RungState::Ok),
        "{rungs:?}"
    );
    assert_eq!(next(&mut messages).await.0, "fieldgate/line-4/test");

    for (url, name, words) in [
        ("mqtt://127.0.0.1:1".to_owned(), "TCP", "nobody listens"),
        (
            "mqtt://no-such-host.invalid".to_owned(),
            "DNS",
            "cannot be resolved",
        ),
        (broker.url.replace("mqtt:", "mqtts:"), "TLS", "127.0.0.1"),
        ("http://x".to_owned(), "Settings", "begin with mqtt://"),
    ] {
        let rungs = probe(url).await;
        let last = rungs.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.state),
            (name, RungState::Failed),
            "{rungs:?}"
        );
        assert!(last.words.contains(words), "{}", last.words);
    }
}

/// A gateway that carries out everything at once, and writes down who asked.
struct Obliging(mpsc::UnboundedSender<Request>);

impl Door for Obliging {
    fn take(&self, request: Request) -> BoxFuture<'static, Taken> {
        let said = request.objection.as_ref().map_or_else(
            || Answer::done("it was done"),
            |no| Answer::refused(&no.words),
        );
        let _ = self.0.send(request);
        async move { Taken::answered(Some("7".into()), said) }.boxed()
    }

    fn owed(&self) -> Vec<Owed> {
        Vec::new()
    }

    fn told(&self, _: &str) {}

    fn lost(&self, _: Lost) {}
}

#[tokio::test]
async fn a_command_is_answered_where_the_asker_wants_it_in_both_versions() {
    let broker = sim::start().unwrap();
    let mut messages = subscriber(&broker.url, "test").await;
    for (version, url) in [("5", &broker.url), ("3.1.1", &broker.url_v311)] {
        // Unbounded: a test asks a handful.
        let (sender, mut requests) = mpsc::unbounded_channel();
        let ctx = SinkCtx {
            commands: Intake::new(Obliging(sender)),
            ..ctx()
        };
        let settings = json!({ "url": url, "version": version, "commands": {} });
        let link = kind().connect(settings, ctx).await.unwrap();
        let (link, driver) = drive(link);
        assert!(
            link.words
                .ends_with("; takes commands at fieldgate/line-4/cmd"),
            "{}",
            link.words
        );
        let address = url::Url::parse(&broker.url).unwrap();
        let options = MqttOptions::new("asker", "127.0.0.1", address.port().unwrap());
        let (client, mut events) = AsyncClient::new(options, 10);
        let properties = PublishProperties {
            response_topic: Some("fieldgate/hmi/answers".into()),
            correlation_data: Some("c".into()),
            user_properties: vec![("from".into(), "hmi-3".into())],
            ..PublishProperties::default()
        };
        // rumqttd throws out an older client when a message with properties comes its way.
        let asked = match version {
            "5" => client.try_publish_with_properties(
                "fieldgate/line-4/cmd",
                QoS::AtLeastOnce,
                false,
                "{}",
                properties,
            ),
            _ => client.try_publish("fieldgate/line-4/cmd", QoS::AtLeastOnce, false, "{}"),
        };
        asked.unwrap();
        let asker = tokio::spawn(async move { while events.poll().await.is_ok() {} });
        let request = timeout(LIMIT, requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.through, "topic fieldgate/line-4/cmd");
        let wanted = match version {
            "5" => ("fieldgate/hmi/answers", Some("hmi-3")),
            _ => ("fieldgate/line-4/cmd/answer", None),
        };
        assert_eq!(request.asker.as_deref(), wanted.1);
        let answer = loop {
            let (topic, payload) = next(&mut messages).await;
            if topic == wanted.0 {
                break payload;
            }
        };
        assert_eq!(
            answer,
            json!({ "id": "7", "outcome": "done", "words": "it was done" })
        );
        link.close.cancel();
        assert_eq!(timeout(LIMIT, driver).await.unwrap().unwrap(), Ok(()));
        asker.abort();
    }
}

#[test]
fn a_topic_is_told_without_connecting() {
    let device = "press/Line%2FPress".parse().unwrap();
    let address = kind().address(json!({ "url": "mqtt://b" }), &book(), &device);
    assert_eq!(address.as_deref(), Some("fieldgate/line-4/Line/Press/data"));
    let point = json!({ "url": "mqtt://b", "format": "json", "topic": "x/{device}/{point}" });
    assert_eq!(
        kind().address(point, &book(), &device).as_deref(),
        Some("x/Line/Press/{point}")
    );
    assert_eq!(
        kind().address(json!({ "url": "b" }), &book(), &device),
        None
    );
    let commands = |settings: Json| kind().commands(settings, &book());
    assert_eq!(commands(json!({ "url": "mqtt://b" })), None);
    let on = json!({ "url": "mqtt://b", "commands": {} });
    assert_eq!(commands(on).as_deref(), Some("fieldgate/line-4/cmd"));
}
