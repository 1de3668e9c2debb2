//! The camera source: one camera with all that it can do, joined from its stream and its ONVIF services.
//!
//! ```text
//! camera ══ stream ══ Hub ──▶ live view · ring and clips · pictures (decoder process) · motion · recording · passed on
//!        ══ ONVIF ═══ events ──▶ readings;  commands ──▶ movement, imaging
//! ```

mod commands;
mod connect;
mod decoders;
mod discover;
mod events;
mod eye;
mod hub;
mod live;
mod pass_on;
mod pictures;
mod points;
mod probe;
mod record;
mod saver;
mod settings;
#[cfg(feature = "sim")]
pub mod sim;
mod source;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use fieldgate_kit::{
    Discovered, Nearby, Probe, ProbeCtx, Problem, Question, Source, SourceCtx, SourceError,
};

pub use decoders::MEDIA_WORKER;
pub use fieldgate_media::worker::serve as serve_worker;
pub use settings::{Allowed, Clips, Motion, PassOn, Record, Settings, Snapshots, Transport, User};

/// A camera.
#[derive(Debug, Clone, Copy)]
pub struct Camera;

impl Source for Camera {
    const KIND: &'static str = "camera";
    const TITLE: &'static str = "Camera";
    const ABOUT: &'static str = "Shows a camera live, sends its pictures, clips and events, and moves it: RTSP, ONVIF, and pictures over HTTP";
    type Settings = Settings;

    const COMMANDS: bool = true;
    const SHOWS: bool = true;
    const DISCOVERS: Option<&'static str> = Some("the camera's address, for instance 192.168.0.40");

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.problems()
    }

    async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
        source::run(settings, ctx).await
    }

    async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
        probe::probe(settings, ctx, probe).await;
    }

    const NEARBY: Option<Nearby> = Some(Nearby {
        question: Question::Own {
            words: "two questions by WS-Discovery, each put twice, to the multicast group 239.255.255.250",
            lasts: discover::SEEK,
        },
        ports: &[80, 554],
    });

    async fn seek() -> Result<Vec<Discovered>, String> {
        discover::seek().await
    }

    async fn discover(address: String) -> Result<Vec<Discovered>, String> {
        discover::discover(&address).await
    }

    fn places(settings: &Settings) -> Vec<String> {
        let urls = [settings.onvif.as_deref(), settings.url.as_deref()];
        urls.into_iter()
            .flatten()
            .filter_map(discover::place)
            .collect()
    }

    fn place(address: &str) -> Option<String> {
        discover::place(address)
    }
}
