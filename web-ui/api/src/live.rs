//! The one WebSocket of a tab, `/api/v1/live`: the tab says what it shows, the gateway sends just that.

use serde::{Deserialize, Serialize};

use crate::state::{LiveValue, Overview};

/// Where the WebSocket is.
pub const PATH: &str = "/api/v1/live";

/// The most points that a tab may watch at once.
pub const MAX_POINTS: usize = 1000;

/// From the tab: replaces what it watched before. A hidden tab sends the default: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// The overview, once a second.
    pub overview: bool,
    /// Ids of points, at most four updates a second each.
    pub points: Vec<String>,
    /// Sources whose cameras are watched: their pictures come as binary messages (see `camera::live_message`).
    pub cameras: Vec<String>,
}

/// To the tab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Update {
    Overview(Box<Overview>),
    /// Values that changed since the last update, each point once.
    Values(Vec<LiveValue>),
    /// The configuration changed to this revision: fetch again what you show.
    Revision(u64),
    /// What the tab sent could not be taken.
    Refused(String),
}
