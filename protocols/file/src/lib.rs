//! File destination: readings as JSON lines, pictures and clips as files in a folder; acknowledged means synced to the disk.
//!
//! ```text
//! Batch ─▶ sink.rs ─one thread─▶ writer.rs ─┬─▶ lines.rs     readings, appended
//!                                           ├─▶ pictures.rs  whole files, renamed into place
//!            keep.rs ◀─ now and then ─┘     └─▶ clips.rs     parts, joined and verified
//! ```
//!
//! | file | subject |
//! |---|---|
//! | `settings` | what a person sets, and what is wrong with it |
//! | `folder` | the only way to the disk: nothing leaves the folder, no link is followed |
//! | `names` | which names are ours (pure) |
//! | `lines`, `pictures`, `clips` | what is written, so that what comes twice is there once |
//! | `keep` | retention: what of ours goes, the oldest first |
//! | `sink`, `writer` | the tower service, and the batch as it is written |
//! | `words`, `probe` | errors as people read them; the test of settings |

mod clips;
mod folder;
mod keep;
mod lines;
mod names;
mod pictures;
mod probe;
pub mod settings;
mod sink;
#[cfg(test)]
mod tests;
mod words;
mod writer;

use std::sync::Arc;

use fieldgate_kit::{
    AddressBook, BatchLimits, Destination, Link, Probe, ProbeCtx, Problem, SinkCtx, SinkError,
    path::PathValues, topic::TopicValues,
};
use fieldgate_model::{Class, DeviceId};
pub use settings::Settings;

/// The file destination.
#[derive(Debug, Clone, Copy)]
pub struct File;

impl Destination for File {
    const KIND: &'static str = "file";
    const TITLE: &'static str = "Folder";
    const ABOUT: &'static str = "Writes readings as JSON lines, and pictures and clips as files, into a folder with a limit, and counts \
                                 them as delivered when they are synced to the disk.";
    type Settings = Settings;

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.problems()
    }

    fn limits(settings: &Settings) -> BatchLimits {
        settings.limits()
    }

    /// The folder of the device's `data`. A `{point}` in it stands for whatever point.
    fn address(settings: &Settings, book: &AddressBook, device: &DeviceId) -> String {
        let values = PathValues {
            of: TopicValues {
                gateway: &book.gateway,
                source: device.source(),
                device: device.device(),
                dataset: fieldgate_kit::format::dataset(Class::Telemetry),
                point: "{point}",
                format: "json",
            },
            ..PathValues::default()
        };
        let path = settings.readings.render(&values, folder::plain);
        settings.folder.join(path).display().to_string()
    }

    async fn connect(settings: Arc<Settings>, ctx: SinkCtx) -> Result<Link, SinkError> {
        sink::connect(settings, ctx).await
    }

    async fn probe(settings: Arc<Settings>, _ctx: ProbeCtx, probe: &mut Probe) {
        probe::climb(settings, probe).await;
    }
}
