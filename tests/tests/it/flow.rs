//! What the server has is what the broker gets: every value, quality and source timestamp, valid against the published schema.

use std::time::Instant;

use fieldgate_api::endpoint::Method;
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    api::Api,
    broker::Broker,
    gateway::Gateway,
    opcua_server::{self, OpcUaServer, Options, Ticks},
    received::Received,
    subscriber::{Message, Subscriber},
};
use serde_json::{Value as Json, json};

use crate::line::{self, PATIENCE};

const POINTS: usize = 500;
const PERIOD_MS: i64 = 100;
/// Ten seconds.
const TICKS: i64 = 100;

#[test]
fn five_hundred_points_at_ten_hertz_arrive_as_the_server_has_them() {
    let mut server = OpcUaServer::start(Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let mut gateway = Gateway::start(&line::config(&server.endpoint(), &broker.url()));

    let started = Instant::now();
    let mut received = Received::default();
    received.wait_for(&subscriber, POINTS, Timestamp::default());
    let enough = received.latest().millis() + TICKS * PERIOD_MS;
    received.wait_for(&subscriber, POINTS, Timestamp::from_millis(enough));
    let ticks = server.hold();
    received.wait_for(&subscriber, POINTS, line::moment(ticks.last, PERIOD_MS));
    let rate = received.readings.len() as f64 / started.elapsed().as_secs_f64();
    println!(
        "{} readings in {} messages, {rate:.0} a second",
        received.readings.len(),
        subscriber.count()
    );
    let sum = gateway.api.all_acknowledged(PATIENCE);

    let messages = subscriber.messages_from(0);
    check_schemas(&gateway.api, &messages);
    check_values(&received, ticks);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
    assert_eq!(
        received.repeated, 0,
        "nothing went wrong, so nothing was sent twice"
    );
    gateway.stop();
    assert_eq!(gateway.warnings(), Vec::<String>::new());
}

/// Every message is what the gateway publishes as its schema, and its user properties are a CloudEvent around it.
fn check_schemas(api: &Api, messages: &[Message]) {
    let [payload, event] = ["aio-json", "cloud-event"].map(|format| {
        let path = format!("/api/v1/schemas/{format}.json");
        let (status, schema) = api.send(Method::Get, &path, "", &[]);
        assert_eq!(status, 200, "{schema}");
        jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap()
    });
    let data: Vec<&Message> = messages
        .iter()
        .filter(|m| m.topic.ends_with("/data"))
        .collect();
    assert!(!data.is_empty());
    for message in data {
        let json = message.json();
        line::assert_valid(&payload, &json);
        assert_eq!(message.topic, "fieldgate/test/Line/data");
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        let mut whole = json!({ "data": json });
        for (name, value) in &message.user_properties {
            whole[name] = Json::from(value.as_str());
        }
        line::assert_valid(&event, &whole);
    }
}

/// Each point has each tick, from the first that was seen to the last that was written, as the server's function says.
fn check_values(received: &Received, written: Ticks) {
    let points = received.by_point();
    assert_eq!(points.len(), POINTS);
    for (point, readings) in points {
        let first = opcua_server::tick(readings[0].at, PERIOD_MS);
        assert!(first >= written.first, "{point}");
        let seen: Vec<i64> = readings
            .iter()
            .map(|reading| opcua_server::tick(reading.at, PERIOD_MS))
            .collect();
        assert_eq!(seen, (first..=written.last).collect::<Vec<_>>(), "{point}");
        for reading in readings {
            line::assert_as_served(reading, PERIOD_MS);
        }
    }
}
