//! Every value type, in every format, against the published schemas; packing keeps every reading once and in order.

use std::{collections::HashMap, sync::Arc};

use fieldgate_model::{Class, PointId, Quality, Reading, TimeQuality, Timestamp, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::Origin;

fn book() -> AddressBook {
    AddressBook {
        gateway: "line 4".into(),
        gateway_id: "a1b2c3d4".into(),
        version: "0.1.0".into(),
        config_revision: 7,
    }
}

fn reading(device: &str, point: &str, value: Value) -> Reading {
    let at = Timestamp::parse("2026-11-23T18:22:52.25Z").unwrap();
    Reading::new(PointId::new("press", device, point).unwrap(), value, at)
}

fn numbered(readings: Vec<Reading>) -> Vec<Sequenced> {
    (1..)
        .zip(readings)
        .map(|(seq, reading)| Sequenced {
            seq,
            time_quality: TimeQuality::default(),
            origin: Origin { lane: 'n', seq },
            reading,
        })
        .collect()
}

fn every_value() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(21.5),
        Value::Float(-0.0),
        Value::Float(f64::NAN),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NEG_INFINITY),
        Value::Text("a \"quoted\"\n\u{1F600} \u{7} text".into()),
        Value::Bytes(Bytes::from_static(b"\x00\xff\x10\x20")),
        Value::List(vec![Value::Int(1), Value::List(vec![]), Value::Null]),
        Value::Struct(vec![
            ("x".into(), Value::Float(1.0)),
            ("y \"z\"".into(), Value::Struct(vec![])),
        ]),
        Value::Blob {
            media_type: "image/jpeg".into(),
            data: Bytes::from_static(b"\xff\xd8"),
        },
    ]
}

/// One reading of every value type, quality, class and unit.
fn everything() -> Vec<Sequenced> {
    let mut readings: Vec<Reading> = every_value()
        .into_iter()
        .enumerate()
        .map(|(index, value)| reading("Line/Press", &format!("p{index}"), value))
        .collect();
    readings[0].quality =
        Quality::Bad("BadNodeIdUnknown: the server no longer has this node".into());
    readings[1].quality = Quality::Uncertain(Arc::from("UncertainLastUsableValue: stale"));
    readings[4].unit = Some("Cel".into());
    readings[12].class = Class::Event;
    let mut numbered = numbered(readings);
    numbered[2].time_quality = TimeQuality::Estimated;
    numbered
}

fn valid(schema: &str, payload: &[u8]) -> Json {
    let schema: Json = serde_json::from_str(schema).unwrap();
    let payload: Json = serde_json::from_slice(payload).unwrap();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&payload)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {payload}");
    payload
}

#[test]
fn aio_json_is_what_its_schema_says() {
    let messages = FormatKind::AioJson.encode(&book(), &everything(), usize::MAX);
    assert_eq!(messages.len(), 2, "one for data, one for events");
    for message in &messages {
        valid(AIO_JSON_SCHEMA, &message.payload);
    }
    let events = std::str::from_utf8(&messages[1].payload).unwrap();
    assert_eq!(
        events,
        r#"{"p12":{"SourceTimestamp":"2026-11-23T18:22:52.250Z","Value":{"x":1.0,"y \"z\"":{}},"Id":"a1b2c3d4-n-000000000000000d"}}"#
    );
    assert_eq!(messages[1].dataset, "events");
    let data: Json = serde_json::from_slice(&messages[0].payload).unwrap();
    for (point, expected) in [
        ("p2", "-9223372036854775808"),
        ("p3", "18446744073709551615"),
        ("p5", "-0.0"),
        ("p6", "\"NaN\""),
        ("p8", "\"-Infinity\""),
        ("p10", "\"AP8QIA==\""),
        ("p13", r#"{"data":"/9g=","mediaType":"image/jpeg"}"#),
    ] {
        assert_eq!(data[point]["Value"].to_string(), expected, "{point}");
    }
    assert_eq!(data["p0"]["Quality"]["Level"], "Bad");
    assert_eq!(data["p1"]["Quality"]["Level"], "Uncertain");
    assert_eq!(data["p4"]["Unit"], "Cel");
    assert!(data["p4"].get("Quality").is_none());
}

#[test]
fn json_is_what_its_schema_says() {
    let messages = FormatKind::Json.encode(&book(), &everything(), usize::MAX);
    assert_eq!(messages.len(), everything().len());
    for message in &messages {
        valid(JSON_SCHEMA, &message.payload);
        assert!(message.structured().is_none());
    }
    assert_eq!(
        std::str::from_utf8(&messages[4].payload).unwrap(),
        r#"{"id":"a1b2c3d4-n-0000000000000005","point":"press/Line%2FPress/p4","value":21.5,"quality":"good","sourceTimestamp":"2026-11-23T18:22:52.250Z","gatewayTimestamp":"2026-11-23T18:22:52.250Z","unit":"Cel"}"#
    );
}

#[test]
fn a_structured_message_is_what_its_schema_says() {
    for message in FormatKind::AioJson.encode(&book(), &everything(), usize::MAX) {
        let envelope = valid(CLOUD_EVENT_SCHEMA, &message.structured().unwrap());
        let payload: Json = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(envelope["data"], payload);
        assert_eq!(envelope["source"], "fieldgate/line%204/press");
        for (name, value) in &message.attributes {
            assert_eq!(envelope[name], Json::from(value.as_str()));
        }
    }
}

#[test]
fn a_reading_that_comes_again_by_another_lane_keeps_its_id() {
    let mut readings = numbered(vec![reading("d", "p", Value::Int(1))]);
    (readings[0].seq, readings[0].origin) = (900, Origin { lane: 'c', seq: 7 });
    for format in [FormatKind::AioJson, FormatKind::Json] {
        let message = format.encode(&book(), &readings, usize::MAX).remove(0);
        let payload = std::str::from_utf8(&message.payload).unwrap();
        assert!(payload.contains("a1b2c3d4-c-0000000000000007"), "{payload}");
        assert_eq!(message.seqs, [900]);
    }
}

#[test]
fn what_was_read_from_a_devices_history_is_marked() {
    let mut readings = numbered(vec![
        reading("d", "p", Value::Int(1)),
        reading("e", "p", Value::Int(1)),
        reading("e", "q", Value::Int(1)),
    ]);
    readings[0].reading.backfilled = true;
    readings[1].reading.backfilled = true;
    for message in FormatKind::Json.encode(&book(), &readings, usize::MAX) {
        valid(JSON_SCHEMA, &message.payload);
    }
    let flat = FormatKind::Json.encode(&book(), &readings, usize::MAX);
    let flat: Vec<Json> = flat
        .iter()
        .map(|message| serde_json::from_slice(&message.payload).unwrap())
        .collect();
    assert_eq!(flat[0]["backfilled"], true);
    assert_eq!(flat[2].get("backfilled"), None);
    let messages = FormatKind::AioJson.encode(&book(), &readings, usize::MAX);
    let [whole, part] = &messages[..] else {
        panic!("one a device: {messages:?}");
    };
    let envelope = valid(CLOUD_EVENT_SCHEMA, &whole.structured().unwrap());
    assert_eq!(envelope["backfilled"], "true");
    assert_eq!(envelope["data"]["p"]["Backfilled"], true);
    let envelope = valid(CLOUD_EVENT_SCHEMA, &part.structured().unwrap());
    assert_eq!(envelope.get("backfilled"), None, "not every one inside is");
    let inside = valid(AIO_JSON_SCHEMA, &part.payload);
    assert_eq!(inside["p"]["Backfilled"], true);
    assert_eq!(inside["q"].get("Backfilled"), None);
}

#[test]
fn a_point_name_is_the_devices_own() {
    let readings = numbered(vec![reading("d", "50% / \"x\"", Value::Null)]);
    let payload = &FormatKind::AioJson.encode(&book(), &readings, usize::MAX)[0].payload;
    let payload: Json = serde_json::from_slice(payload).unwrap();
    assert!(payload.get("50% / \"x\"").is_some(), "{payload}");
}

#[test]
fn a_point_that_occurs_again_begins_the_next_message() {
    let readings = [
        ("d", "a"),
        ("d", "b"),
        ("e", "a"),
        ("d", "a"),
        ("d", "b"),
        ("d", "a"),
    ]
    .map(|(device, point)| reading(device, point, Value::Int(1)));
    let messages = FormatKind::AioJson.encode(&book(), &numbered(readings.into()), usize::MAX);
    let seqs: Vec<&[u64]> = messages.iter().map(|message| &message.seqs[..]).collect();
    assert_eq!(seqs, [&[1, 2][..], &[3], &[4, 5], &[6]]);
}

#[test]
fn how_well_the_gateways_time_is_known_is_said_where_it_is_not() {
    for (quality, word) in [
        (TimeQuality::Synced, Json::Null),
        (TimeQuality::Estimated, "estimated".into()),
        (TimeQuality::Unknown, "unknown".into()),
    ] {
        let mut readings = numbered(vec![
            reading("Line", "a", Value::Null),
            reading("Line", "b", Value::Null),
        ]);
        for sequenced in &mut readings {
            sequenced.time_quality = quality;
        }
        // The source gave its own time for the second.
        readings[1].reading.seen = Timestamp::default();
        let payload = |format: FormatKind, index: usize| -> Json {
            let messages = format.encode(&book(), &readings, 10_000);
            serde_json::from_slice(&messages[index].payload).unwrap()
        };
        let aio = payload(FormatKind::AioJson, 0);
        assert_eq!(aio["a"]["TimeQuality"], word);
        assert_eq!(aio["b"]["TimeQuality"], Json::Null);
        assert_eq!(payload(FormatKind::Json, 1)["timeQuality"], word);
    }
}

proptest! {
    #[test]
    fn every_reading_is_sent_once_and_in_order(
        points in prop::collection::vec((0..3usize, 0..4usize, any::<bool>()), 0..60),
        payload_bytes in 0usize..2000,
    ) {
        let readings: Vec<Reading> = points
            .iter()
            .map(|(device, point, event)| {
                let mut reading = reading(&format!("d{device}"), &format!("p{point}"), Value::Int(1));
                if *event {
                    reading.class = Class::Event;
                }
                reading
            })
            .collect();
        let readings = numbered(readings);
        for format in [FormatKind::AioJson, FormatKind::Json] {
            let messages = format.encode(&book(), &readings, payload_bytes);
            let mut sent: Vec<u64> = Vec::new();
            let mut latest: HashMap<(DeviceId, &str), u64> = HashMap::new();
            for message in &messages {
                let before = latest.insert((message.device.clone(), message.dataset), message.last_seq);
                prop_assert!(before.unwrap_or(0) < message.first_seq);
                prop_assert!(message.seqs.is_sorted());
                prop_assert_eq!(Some(&message.first_seq), message.seqs.first());
                prop_assert_eq!(Some(&message.last_seq), message.seqs.last());
                prop_assert!(message.seqs.len() == 1 || message.payload.len() <= payload_bytes);
                let payload: Json = serde_json::from_slice(&message.payload).unwrap();
                if format == FormatKind::AioJson {
                    prop_assert_eq!(payload.as_object().unwrap().len(), message.seqs.len());
                }
                sent.extend(&message.seqs);
            }
            sent.sort_unstable();
            prop_assert_eq!(sent, (1..=readings.len() as u64).collect::<Vec<_>>());
        }
    }
}
