//! The plant of most tests: the line of `peers/opcua_server.py`, one gateway, one broker.

use std::time::Duration;

use fieldgate_model::Timestamp;
use jsonschema::Validator;
use serde_json::Value as Json;

use crate::{opcua_server, received::Reading};

/// For what has to catch up first.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The line's points to one broker. A queue in the server that holds a minute, so that a busy machine loses nothing.
#[must_use]
pub fn config(endpoint: &str, broker: &str) -> String {
    format!(
        r#"
[gateway]
name = "test"
{}
[[route]]
id = "everything"
from = ["line/**"]
to = "broker"
{}"#,
        source("line", endpoint),
        destination("broker", broker),
    )
}

/// A broker as a destination; further settings can follow.
#[must_use]
pub fn destination(id: &str, url: &str) -> String {
    format!(
        r#"
[[destination]]
id = "{id}"
kind = "mqtt"
url = "{url}"
"#
    )
}

/// The line as a source; further settings can follow.
#[must_use]
pub fn source(id: &str, endpoint: &str) -> String {
    format!(
        r#"
[[source]]
id = "{id}"
kind = "opcua"
endpoint = "{endpoint}"
security = {{ policy = "None" }}
select = ["Objects/Line/**"]
publishing_ms = 200
queue_size = 1000
"#
    )
}

/// The moment of a tick.
#[must_use]
pub fn moment(tick: i64, period_ms: i64) -> Timestamp {
    Timestamp::from_millis(tick * period_ms)
}

/// The reading is the server's, to the last bit.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_as_served(reading: &Reading, period_ms: i64) {
    let (node, tick) = (reading.node(), opcua_server::tick(reading.at, period_ms));
    assert_eq!(
        reading.value,
        opcua_server::value(node, tick),
        "{reading:?}"
    );
    let reason = reading
        .reason
        .as_deref()
        .map(|reason| reason.split(':').next().unwrap_or_default());
    assert_eq!(reason, opcua_server::uncertain(node, tick), "{reading:?}");
}

/// The document is what the schema says.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_valid(schema: &Validator, document: &Json) {
    let errors: Vec<String> = schema
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
}
