//! The retained status messages: what others see of the gateway without asking it.
//!
//! ```json
//! {"state":"online","gateway":"line-4","version":"0.1.0","configRevision":12,"since":"2026-11-23T18:22:52.250Z"}
//! {"state":"offline","gateway":"line-4","reason":"connection lost"}
//! ```
//!
//! The broker publishes the second one itself, as the last will, when the connection breaks.

use std::time::SystemTime;

use bytes::Bytes;
use fieldgate_kit::AddressBook;
use fieldgate_model::Timestamp;
use serde_json::json;

use crate::wire::Publication;

/// Where the gateway's status stands, and what it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub topic: String,
    pub online: Bytes,
    pub stopped: Bytes,
    pub lost: Bytes,
}

// === impl Status ===

impl Status {
    pub fn new(topic: String, book: &AddressBook, now: SystemTime) -> Self {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |span| {
                i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
            });
        let online = json!({
            "state": "online",
            "gateway": &*book.gateway,
            "version": &*book.version,
            "configRevision": book.config_revision,
            "since": Timestamp::from_millis(since),
        });
        let offline = |reason: &str| {
            let status = json!({ "state": "offline", "gateway": &*book.gateway, "reason": reason });
            Bytes::from(status.to_string())
        };
        Self {
            topic,
            online: Bytes::from(online.to_string()),
            stopped: offline("stopped"),
            lost: offline("connection lost"),
        }
    }

    pub fn birth(&self) -> Publication {
        self.publication(&self.online)
    }

    pub fn goodbye(&self) -> Publication {
        self.publication(&self.stopped)
    }

    fn publication(&self, payload: &Bytes) -> Publication {
        Publication {
            topic: self.topic.clone(),
            retain: true,
            payload: payload.clone(),
            content_type: "application/json",
            correlation: None,
            attributes: Vec::new(),
        }
    }
}
