//! `Config`: the desired state, validated. Everything that runs is started from a difference between two of these.

use std::sync::Arc;

use fieldgate_kit::settings::{ByteSize, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{pipeline::steps::StepSettings, rules::RuleSettings};

/// The whole desired state.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub gateway: GatewaySettings,
    pub queue: QueueSettings,
    pub sources: Vec<SourceConfig>,
    pub destinations: Vec<DestinationConfig>,
    pub routes: Vec<RouteConfig>,
    pub rules: Vec<RuleConfig>,
    /// The console's revision that is part of it; 0 when there is none.
    pub revision: u64,
}

/// `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// The gateway's name, `{gateway}` in topics. Default: the host name.
    #[serde(default = "host_name")]
    pub name: String,
}

/// `[queue]`: two lanes, which own the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Telemetry.
    #[serde(default = "normal_lane")]
    pub normal: LaneSettings,
    /// Events, alarms and command answers; it overtakes the other.
    #[serde(default = "critical_lane")]
    pub critical: LaneSettings,
}

/// One lane's share of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneSettings {
    /// The most bytes that it may take on the disk.
    pub max_bytes: ByteSize,
    /// What happens when it is full.
    pub on_full: Full,
    /// Readings older than this expire, whoever still waits for them. Left out: never. A clock that is not believed lets
    /// nothing expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Delivered readings that stay, so that they can be sent once more. Left out: none. They go first when the lane needs
    /// room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<KeepSettings>,
}

/// How much of what was delivered stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepSettings {
    /// Bytes on the disk, as part of the lane's `max_bytes`.
    pub bytes: ByteSize,
    /// The longest. Left out: as long as there is room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Span>,
}

/// What a full lane does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Full {
    /// The oldest readings make room; each is counted as evicted.
    DropOldest,
    /// From 80 % on, telemetry is told by fewer readings, the oldest first: repeated values go, then all but the smallest,
    /// the largest, the last and the one nearest to the mean of each minute, of ten, of an hour. Events stay. Each reading
    /// that goes is counted as thinned. When that is not enough, as `drop_oldest`.
    Thin,
    /// New readings wait, and the sources with them. A destination that is away holds another, which has everything, back for
    /// 30 s; from then on its own oldest readings go, each counted as evicted.
    RefuseNewest,
}

/// `[[source]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    pub id: Arc<str>,
    /// A protocol of `registry.rs`.
    pub kind: String,
    pub paused: bool,
    /// The protocol's own settings, checked by the protocol.
    pub settings: Json,
}

/// `[[destination]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationConfig {
    pub id: Arc<str>,
    /// A protocol of `registry.rs`.
    pub kind: String,
    pub paused: bool,
    /// The protocol's own settings, checked by the protocol.
    pub settings: Json,
}

/// `[[route]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    pub id: Arc<str>,
    pub paused: bool,
    pub settings: RouteSettings,
}

/// `[[rule]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleConfig {
    pub id: Arc<str>,
    pub paused: bool,
    pub settings: RuleSettings,
}

/// A route's own settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// Which points it takes: globs over `source/device/point`, where `*` is any text within one segment and `**` any number of
    /// segments. `press/**` is everything of the source `press`.
    pub from: Vec<String>,
    /// What happens to each reading on the way, in this order.
    #[serde(default)]
    pub steps: Vec<StepSettings>,
    /// The destination's id.
    pub to: String,
    /// Its readings expire instead of being sent when they waited longer than this, such as `2 h`. Left out: only the
    /// destination's own limit counts.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// After an outage, send what is new before the backlog, for a screen that shows the present. Nothing is lost, but this
    /// route's readings then arrive out of order.
    #[serde(default)]
    pub live_first: bool,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            normal: normal_lane(),
            critical: critical_lane(),
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self { name: host_name() }
    }
}

fn normal_lane() -> LaneSettings {
    LaneSettings {
        max_bytes: ByteSize(2 << 30),
        on_full: Full::DropOldest,
        max_age: None,
        keep: None,
    }
}

fn critical_lane() -> LaneSettings {
    LaneSettings {
        max_bytes: ByteSize(64 << 20),
        on_full: Full::RefuseNewest,
        max_age: None,
        keep: None,
    }
}

/// The host's name as the kernel knows it, `gateway` when it has none.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" | "(none)" => "gateway".to_owned(),
        name => name.to_owned(),
    }
}
