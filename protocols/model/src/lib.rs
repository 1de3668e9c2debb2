//! The words of the product: what a reading is, where it came from, how good it is.
//!
//! Everything else speaks in these types, the browser included, so this crate has no I/O, no async
//! runtime, and builds for `wasm32-unknown-unknown`.

mod alarm;
mod command;
mod device;
mod drop_reason;
mod event;
mod id;
mod pattern;
mod quality;
mod reading;
mod time_quality;
mod timestamp;
mod value;

pub use alarm::Alarm;
pub use command::{
    Action, ActionKind, Answer, Arguments, Command, Offer, Outcome, Parameter, Remark,
};
pub use device::{Device, Point, Range};
pub use drop_reason::DropReason;
pub use event::Event;
pub use id::{DeviceId, IdError, PointId, escape_segment, unescape_segment};
pub use pattern::{Pattern, PatternError};
pub use quality::{Quality, QualityLevel};
pub use reading::{Class, Reading};
pub use time_quality::TimeQuality;
pub use timestamp::Timestamp;
pub use value::Value;
