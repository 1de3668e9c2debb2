//! What a protocol author writes against: two traits, their contexts, errors by consequence, payload formats, topics.
//!
//! A source implements [`Source`] and touches nothing but its [`SourceCtx`]. A destination implements
//! [`Destination`] and yields a [`Link`]. `gateway/src/registry.rs` lists both, one line each.

pub mod accepted;
pub mod alarms;
pub mod camera;
pub mod clip;
pub mod command;
pub mod counters;
pub mod destination;
pub mod discovery;
pub mod explore;
pub mod format;
pub mod latest;
pub mod memory;
pub mod path;
pub mod probe;
pub mod review;
pub mod scanner;
pub mod secret;
pub mod settings;
pub mod source;
pub mod tls;
pub mod topic;
pub mod trust;

pub use accepted::Accepted;
pub use alarms::Alarms;
pub use camera::{Camera, Showing};
pub use clip::ClipPart;
pub use command::{Commands, Desk, Intake, NotTaken, Order, Orders};
pub use counters::DropCounters;
pub use destination::{
    AddressBook, Batch, BatchLimits, BoxSink, Destination, DestinationKind, Link, Origin, Receipt,
    Refusal, Rejected, Sequenced, SinkCtx, SinkError, Throttle,
};
pub use discovery::{Announcement, Discovered, Nearby, Question, Way};
pub use explore::{Explore, ExploreCtx, ExploreError, Exploring};
pub use latest::Latest;
pub use memory::Memory;
pub use probe::{Probe, Rung, RungState};
pub use review::{ReviewBoard, ReviewDesk, ReviewList, Reviews};
pub use scanner::{Scanner, Scanning};
pub use secret::{Secret, SecretError, SecretRef, Secrets};
pub use settings::{Problem, SettingsError};
pub use source::{
    Delivery, Devices, Durable, Health, HealthReport, NotAccepted, ProbeCtx, Readings, Source,
    SourceCtx, SourceError, SourceKind,
};
pub use trust::Trust;
