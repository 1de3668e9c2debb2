//! A test of settings, rung by rung: the folder is there, can be written to, and has room.

use std::sync::Arc;

use fieldgate_kit::{Probe, SinkError, settings::ByteSize};
use tokio::task::spawn_blocking;

use crate::{folder::Folder, settings::Settings};

/// Less than this is as good as full.
const LITTLE_ROOM: u64 = 16 << 20;

pub(crate) async fn climb(settings: Arc<Settings>, probe: &mut Probe) {
    let tried = spawn_blocking(move || {
        let mut probe = Probe::default();
        // The rung that broke has said so.
        let _ = rungs(&settings, &mut probe);
        probe
    });
    match tried.await {
        Ok(tried) => *probe = tried,
        Err(_) => probe.failed("Folder", "the gateway is stopping"),
    }
}

fn rungs(settings: &Settings, probe: &mut Probe) -> Option<()> {
    let folder = Folder::unchecked(&settings.folder);
    let place = settings.folder.display();
    rung(probe, "Folder", folder.is_there())?;
    probe.ok("Folder", format!("{place} is there"));
    rung(probe, "Write", folder.try_to_write())?;
    probe.ok(
        "Write",
        "a file could be written there, and was removed again",
    );
    let free = rung(probe, "Room", folder.free_bytes())?;
    match free < LITTLE_ROOM {
        true => probe.failed(
            "Room",
            format!("only {} are free; make room", ByteSize(free)),
        ),
        false => probe.ok("Room", format!("{} are free", ByteSize(free))),
    }
    Some(())
}

fn rung<T>(probe: &mut Probe, name: &str, tried: Result<T, SinkError>) -> Option<T> {
    match tried {
        Ok(value) => Some(value),
        Err(error) => {
            probe.failed(name, error.to_string());
            None
        }
    }
}
