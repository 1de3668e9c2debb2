//! What a value of an OPC UA server looks like in a message: every kind of it, as `protocols/opcua/README.md` says.

use std::process::Command;

use fieldgate_api::endpoint::GetPoint;
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    broker::Broker,
    gateway::Gateway,
    peers, port,
    process::Process,
    received::Received,
    subscriber::Subscriber,
    wait::{SOON, until},
};
use serde_json::{Value as Json, json};

use crate::line;

/// What `peers/opcua_values.py` serves, and how it arrives.
fn expected() -> Vec<(&'static str, Json)> {
    let position = |x: f64, y: f64| json!({ "X": x, "Y": y });
    let press = json!({
        "Name": "A",
        "State": { "Name": "On", "Value": 2 },
        "Position": position(1.0, 2.0),
        "Path": [position(0.0, 0.5)],
        "Counts": [1, 2],
        "Any": true,
    });
    vec![
        ("Boolean", json!(true)),
        ("SByte", json!(-128)),
        ("Byte", json!(255)),
        ("Int16", json!(-32768)),
        ("UInt16", json!(65535)),
        ("Int32", json!(i32::MIN)),
        ("UInt32", json!(u32::MAX)),
        ("Int64", json!(i64::MIN)),
        ("UInt64", json!(u64::MAX)),
        ("Float", json!(21.3)),
        ("Double", json!(-0.1)),
        ("NaN", json!("NaN")),
        ("Infinity", json!("Infinity")),
        ("NegativeInfinity", json!("-Infinity")),
        ("String", json!("heiß")),
        ("DateTime", json!("2026-11-23T18:22:52.250001Z")),
        ("Guid", json!("09087e75-8e5e-499b-954f-f2a9603db28a")),
        ("ByteString", json!("AAH/")),
        ("XmlElement", json!("<a>1</a>")),
        ("NodeId", json!("ns=2;s=Temp")),
        ("ExpandedNodeId", json!("ns=2;i=7")),
        ("StatusCode", json!("BadTimeout")),
        ("QualifiedName", json!("2:Name")),
        ("LocalizedText", json!("warm")),
        ("BooleanArray", json!([true, false])),
        ("Int64Array", json!([i64::MAX, i64::MIN])),
        ("DoubleArray", json!([0.5, "NaN"])),
        ("StringArray", json!(["a", "b"])),
        ("EmptyArray", json!([])),
        (
            "Languages",
            json!([{ "Locale": "en", "Text": "warm" }, { "Locale": "de", "Text": "warm" }]),
        ),
        ("VariantArray", json!([1, "x"])),
        ("Range", json!({ "Low": -10.0, "High": 120.0 })),
        (
            "Argument",
            json!({
                "Name": "Speed", "DataType": "i=11", "ValueRank": -1, "ArrayDimensions": [],
                "Description": "how fast",
            }),
        ),
        ("Matrix", json!([[1, 2, 3], [4, 5, 6]])),
        ("State", json!({ "Name": "On", "Value": 2 })),
        (
            "States",
            json!([{ "Name": "Off", "Value": 0 }, { "Name": null, "Value": 7 }]),
        ),
        ("Press", press.clone()),
        ("Presses", json!([press, press])),
        ("Spare", json!({ "Always": 1 })),
        ("SpareToo", json!({ "Always": 1, "Sometimes": 2 })),
        ("Union", json!({ "Text": "seven" })),
        ("Surprise", position(3.0, 4.0)),
        // asyncua sends no value with a bad status.
        ("BadDeviceFailure", json!(null)),
        ("BadNoCommunication", json!(null)),
        ("UncertainSensorNotAccurate", json!(1.0)),
    ]
}

#[test]
fn every_kind_of_value_arrives_as_documented() {
    let server = Server::start();
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let mut gateway = Gateway::start(&config(&server, &broker));
    let expected = expected();

    let mut received = Received::default();
    // And the temperature.
    received.wait_for(&subscriber, expected.len() + 1, Timestamp::default());
    let points = received.by_point();
    let mut other = Vec::new();
    for (name, value) in &expected {
        let reading = points[name][0];
        if reading.value != *value {
            other.push(format!("{name}: {} instead of {value}", reading.value));
        }
        let code = reading.reason.as_deref().map(|why| why.split(':').next());
        let bad = name.starts_with("Bad") || name.starts_with("Uncertain");
        assert_eq!(code.flatten(), bad.then_some(*name), "{name}");
    }
    assert_eq!(other, Vec::<String>::new());
    // 1234 times 10 ps after the tick.
    assert_eq!(
        points["Boolean"][0].at,
        Timestamp::parse("2026-11-23T18:22:52.250001012Z").unwrap()
    );
    let point = until("the point's facts", SOON, || {
        let point = gateway.api.get::<GetPoint>(&["values/Values/Temperature"]);
        if point.unit.is_some() {
            Ok(point)
        } else {
            Err(format!("{point:?}"))
        }
    });
    assert_eq!(point.name, "Oil temperature");
    assert_eq!(
        point.description.as_deref(),
        Some("In the tank, at the return")
    );
    assert_eq!(point.unit.as_deref(), Some("Cel"));
    let range = point.range.unwrap();
    assert_eq!((range.low, range.high), (-40.0, 150.0));
    subscriber.message("a temperature with its unit", 0, |message| {
        let unit = message.json().get("Temperature")?.get("Unit")?.clone();
        (unit == "Cel").then_some(())
    });
    gateway.stop();
    assert_eq!(gateway.warnings(), Vec::<String>::new());
}

fn config(server: &Server, broker: &Broker) -> String {
    format!(
        r#"
[gateway]
name = "test"

[[source]]
id = "values"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{}"
security = {{ policy = "None" }}
select = ["Objects/Values/*"]
{}
[[route]]
id = "everything"
from = ["values/**"]
to = "broker"
"#,
        server.port,
        line::destination("broker", &broker.url()),
    )
}

/// `peers/opcua_values.py`.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    fn start() -> Self {
        let port = port::free();
        let mut command = Command::new(peers::python());
        command
            .arg(peers::root().join("tests/peers/opcua_values.py"))
            .arg(port.to_string());
        let mut process = Process::start("asyncua", &mut command);
        process.line("its readiness", 0, |line| {
            line.contains("ready").then_some(())
        });
        Self {
            port,
            _process: process,
        }
    }
}
