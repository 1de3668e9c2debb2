//! The one decoder that all cameras of a gateway share, in a process of its own.

use std::sync::OnceLock;

use fieldgate_media::worker::Decoder;

/// The hidden word of the command line by which the gateway's own program becomes the decoder.
pub const MEDIA_WORKER: &str = "media-worker";

/// Made by the first camera that needs it.
#[derive(Debug, Default)]
pub(crate) struct Decoders(OnceLock<Decoder>);

// === impl Decoders ===

impl Decoders {
    pub(crate) fn decoder(&self) -> Decoder {
        let decoder = self.0.get_or_init(|| {
            // Where the own program cannot be told, its start fails in words.
            let program = std::env::current_exe().unwrap_or_default();
            Decoder::new(program, [MEDIA_WORKER.into()])
        });
        decoder.clone()
    }
}
