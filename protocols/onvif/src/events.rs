//! Events: what a device tells through a PullPoint subscription, in words of ours, and the life of such a subscription.
//!
//! [`PullPoint`] decides everything and does nothing: it is asked what to do next, and told what came of it, with the time given to
//! it. [`Watch`] carries that out with a [`Device`](crate::Device).

mod machine;
mod meaning;
mod message;
mod states;
mod watch;

use std::time::Duration;

use fieldgate_model::Timestamp;

pub use machine::{Counters, Happening, Plan, PullPoint, Step};
pub use meaning::EventKind;
pub use watch::Watch;

pub(crate) use message::{read_pulled, read_subscribed, read_times};

/// Names with values, in the order of the message.
pub type Items = Vec<(String, String)>;

/// How long a subscription is wished to live, in the two forms that the standard knows; there are devices for each that refuse the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    For(Duration),
    /// In the device's own time.
    Until(Timestamp),
}

/// The address of a subscription, with what its device wants to have repeated in each request to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub address: String,
    /// WS-Addressing reference parameters, as XML.
    pub parameters: Vec<String>,
}

/// Times of a subscription, by the device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    pub device_now: Option<Timestamp>,
    pub terminates: Option<Timestamp>,
}

/// What came of a wish to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    pub reference: Reference,
    pub times: Times,
}

/// What came of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulled {
    pub messages: Vec<Message>,
    pub times: Times,
}

/// One notification, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// For instance `tns1:RuleEngine/CellMotionDetector/Motion`.
    pub topic: String,
    /// `None` for what only happens, and has no state.
    pub operation: Option<PropertyOperation>,
    /// By the device's clock.
    pub at: Option<Timestamp>,
    pub source: Items,
    pub data: Items,
}

/// What became of a property (ONVIF Core Specification clause 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyOperation {
    /// It is told for the first time, or again on request.
    Initialized,
    Changed,
    Deleted,
}

/// Why an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The device told the state of something.
    State,
    /// It is no longer there, says the device.
    Deleted,
    /// It happened, and has no state.
    Moment,
    /// After the subscription was lost the device told its states again, and this was not among them: nobody knows.
    Forgotten,
}

/// Something that a device noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceEvent {
    /// The same for the same thing of the same device, for instance `motion/VideoSource_1`. A path whose segments may have any character.
    pub id: String,
    pub kind: EventKind,
    /// For people.
    pub title: String,
    pub cause: Cause,
    /// On or off; `None` where it has no such state, or it is not known.
    pub active: Option<bool>,
    /// When, by our clock: the device's time without its drift, or when it came where the device's makes no sense.
    pub at: Timestamp,
    pub topic: String,
    pub source: Items,
    pub data: Items,
}

/// Any answer of a device, taken as if it had been waited for.
pub(crate) fn take_anything(pulled: Pulled) {
    let mut states = states::States::default();
    let drift_millis = pulled.times.device_now.map_or(0, Timestamp::millis);
    for message in pulled.messages {
        let _news = states.take(message, drift_millis, Timestamp::default());
    }
    states.begin();
    let _forgotten = states.forget_untold(Timestamp::default());
}
