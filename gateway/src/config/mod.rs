//! Configuration: what is wanted. Layers with provenance, all problems at once, revisions of what the console changed.

mod desired;

pub use desired::{
    Config, DestinationConfig, Full, GatewaySettings, LaneSettings, QueueSettings, RouteConfig,
    RouteSettings, SourceConfig,
};
