//! MQTT destination: versions 3.1.1 and 5, QoS 1, acknowledged means PUBACK.
//!
//! ```text
//! Batch ─▶ sink.rs ─encode─▶ Call ─▶ pump.rs ─▶ wire.rs ◀─ link.rs (rumqttc) ─▶ broker
//!                                      ▲ pairs PUBACK with the call, keeps the window, watches the age
//! gateway ◀─ Request ─ inbox.rs ◀──────┘ commands; PUBACK when they are written down
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `settings`, `endpoint` | what a person sets, and what is wrong with it |
//! | `connection` | settings → secrets, TLS → signed in → link |
//! | `sink` | batch → packets that fit the broker; the tower service |
//! | `pump` | the window, the pairing, the good-bye; no MQTT library in sight |
//! | `pacer` | how much may be under way on a line like this; pure |
//! | `inbox`, `filter` | commands on their way in, answers on their way out; which topics a filter means |
//! | `link` | the only place that knows rumqttc |
//! | `words`, `status`, `probe` | errors as people read them; retained status; the test of settings |
//! | `sim` | an in-process broker, for the demonstration (feature `sim`) |

mod connection;
mod endpoint;
mod filter;
mod inbox;
mod link;
mod pacer;
mod probe;
mod pump;
pub mod settings;
#[cfg(feature = "sim")]
pub mod sim;
mod sink;
mod status;
mod wire;
mod words;

use std::sync::Arc;

use fieldgate_kit::{
    AddressBook, BatchLimits, Destination, Link, Probe, ProbeCtx, Problem, SinkCtx, SinkError,
    topic::TopicValues,
};
use fieldgate_model::{Class, DeviceId};
pub use settings::Settings;

/// The MQTT destination.
#[derive(Debug, Clone, Copy)]
pub struct Mqtt;

impl Destination for Mqtt {
    const KIND: &'static str = "mqtt";
    const TITLE: &'static str = "MQTT broker";
    const ABOUT: &'static str = "Publishes readings to an MQTT broker (3.1.1 or 5, with or without TLS) and counts them as \
                                 delivered when the broker acknowledged them.";
    type Settings = Settings;

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.problems()
    }

    fn limits(settings: &Settings) -> BatchLimits {
        settings.limits()
    }

    /// The topic of the device's `data`. A `{point}` in it stands for whatever point.
    fn address(settings: &Settings, book: &AddressBook, device: &DeviceId) -> String {
        settings.topic.render(&TopicValues {
            gateway: &book.gateway,
            source: device.source(),
            device: device.device(),
            dataset: fieldgate_kit::format::dataset(Class::Telemetry),
            point: "{point}",
            format: settings.format.as_str(),
        })
    }

    /// The command topic.
    fn commands(settings: &Settings, book: &AddressBook) -> Option<String> {
        settings
            .commands
            .as_ref()
            .map(|commands| commands.topic(book))
    }

    async fn connect(settings: Arc<Settings>, ctx: SinkCtx) -> Result<Link, SinkError> {
        connection::connect(settings, ctx).await
    }

    async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
        probe::climb(settings, ctx, probe).await;
    }
}
