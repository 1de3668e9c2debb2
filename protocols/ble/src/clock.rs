//! The gateway's wall clock, as readings are stamped with it.

use std::time::{SystemTime, UNIX_EPOCH};

use fieldgate_model::Timestamp;

/// Now. Before 1970 and after 2262 it is the beginning of 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok());
    Timestamp::from_nanos(nanos.unwrap_or_default())
}
