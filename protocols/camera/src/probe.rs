//! Trying settings, rung by rung: the ONVIF service, the stream, its first key frame. Keeps nothing.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{Probe, ProbeCtx};
use fieldgate_media::TrackKind;
use fieldgate_rtsp::{Item, open};
use tokio::time::timeout;

use crate::{
    connect::{self, Moved},
    settings::Settings,
};

/// How long a first key frame is waited for.
const KEY: Duration = Duration::from_secs(6);

pub(crate) async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
    let found = match connect::find(&settings, &ctx.secrets, &mut Moved::default()).await {
        Ok(found) => found,
        Err(error) => return probe.failed("Camera", error.to_string()),
    };
    if let Some(onvif) = &found.onvif {
        let model = onvif.model.as_deref().unwrap_or("an ONVIF device");
        let streams = onvif.streams.len();
        probe.ok("ONVIF", format!("{model}, {streams} media profiles"));
    } else if settings.onvif.is_some() {
        probe.failed(
            "ONVIF",
            "its ONVIF service does not answer; the stream may do all the same",
        );
        return;
    }
    let mut stream = match open(&found.address, &found.options).await {
        Ok(stream) => stream,
        Err(error) => return probe.failed("Stream", error.to_string()),
    };
    probe.ok("Stream", format!("{} sends", found.address));
    let key = async {
        loop {
            if let Item::Frame(frame) = stream.next().await?
                && frame.key
                && frame.track.codec.kind() == TrackKind::Picture
            {
                return Ok::<_, fieldgate_rtsp::StreamError>(frame);
            }
        }
    };
    match timeout(KEY, key).await {
        Ok(Ok(frame)) => probe.ok(
            "Picture",
            format!(
                "{} {} × {}",
                frame.track.codec.title(),
                frame.track.width,
                frame.track.height
            ),
        ),
        Ok(Err(error)) => probe.failed("Picture", error.to_string()),
        Err(_) => probe.failed(
            "Picture",
            "no key frame came within 6 s; shorten the camera's key frame interval",
        ),
    }
    stream.close().await;
}
