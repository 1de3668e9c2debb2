//! HTTPS destination: readings in batches, pictures and clips as files; acknowledged means 2xx.
//!
//! ```text
//! Batch ─▶ sink.rs ─by device─▶ worker.rs ─▶ encoder.rs ─▶ Call ─▶ client.rs (hyper) ─▶ server
//!             ▲ the answers of a batch, in order   ▲ verdict.rs: what a status means ◀─┘
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `settings`, `target` | what a person sets; a URL with placeholders |
//! | `connection` | settings → secrets, addresses that are checked and stay → link |
//! | `guard` and its folder | which addresses may not be asked: this machine, this gateway, a cloud's metadata |
//! | `sink` | the tower service: a batch to its shards, and their outcomes back |
//! | `worker` | one shard: one request at a time, what is refused, postponed, split |
//! | `encoder`, `files` | readings, pictures and parts of clips to requests; pure |
//! | `verdict` | what an answer means; pure |
//! | `client` | the only place that knows hyper |
//! | `probe` | the test of settings |

mod client;
mod connection;
mod encoder;
mod files;
mod guard;
mod probe;
pub mod settings;
mod sink;
mod target;
#[cfg(test)]
mod tests;
mod verdict;
mod worker;

use std::sync::Arc;

use fieldgate_kit::{
    AddressBook, BatchLimits, Destination, Link, Probe, ProbeCtx, Problem, SinkCtx, SinkError,
    path::PathValues, topic::TopicValues,
};
use fieldgate_model::{Class, DeviceId};
pub use settings::Settings;

/// The HTTPS destination.
#[derive(Debug, Clone, Copy)]
pub struct Https;

impl Destination for Https {
    const KIND: &'static str = "https";
    const TITLE: &'static str = "HTTPS server";
    const ABOUT: &'static str = "Sends readings in batches, and pictures and clips as files, to a web server by POST or PUT, and \
                                 counts them as delivered when the server answered with success.";
    type Settings = Settings;

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.problems()
    }

    fn limits(settings: &Settings) -> BatchLimits {
        settings.limits()
    }

    /// The URL of the device's `data`. `{point}` and `{name}` in it stand for whatever is there.
    fn address(settings: &Settings, book: &AddressBook, device: &DeviceId) -> String {
        let values = PathValues {
            of: TopicValues {
                gateway: &book.gateway,
                source: device.source(),
                device: device.device(),
                dataset: fieldgate_kit::format::dataset(Class::Telemetry),
                point: "{point}",
                format: settings.format.as_str(),
            },
            name: "{name}",
            ..PathValues::default()
        };
        let url = settings.url.whole(&values);
        url.replace("%7B", "{").replace("%7D", "}")
    }

    async fn connect(settings: Arc<Settings>, ctx: SinkCtx) -> Result<Link, SinkError> {
        connection::connect(settings, ctx, guard::Surroundings::of_this_machine()).await
    }

    async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
        probe::climb(settings, ctx, guard::Surroundings::of_this_machine(), probe).await;
    }
}
