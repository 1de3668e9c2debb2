//! The live view: frames become an MP4 that a browser plays as it comes, without transcoding; a viewer that is too slow goes on at a key frame.

use std::{collections::VecDeque, sync::Arc};

use fieldgate_kit::camera::LivePart;
use fieldgate_media::{Codec, Fmp4, Frame, Track, TrackKind, mime};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::hub::Hub;

/// A viewer.
struct Viewer {
    frames: broadcast::Receiver<Frame>,
    writer: Writer,
    /// What is to be told before the next frame is looked at.
    parts: VecDeque<LivePart>,
    /// How many watch, for as long as this one does.
    _seat: Seat,
}

/// Counts a viewer while it is there.
pub(crate) type Seat = Arc<()>;

/// What one viewer is told of the frames that come; pure.
#[derive(Default)]
struct Writer {
    file: Option<(Fmp4, Vec<Arc<Track>>)>,
    /// Parts were missed: nothing before a key frame can be shown.
    waits: bool,
}

/// What a camera shows from now on. `tracks` are those of the stream.
pub(crate) fn live(hub: &Hub, tracks: Vec<Arc<Track>>, seat: Seat) -> BoxStream<'static, LivePart> {
    let joined = hub.join();
    let mut writer = Writer::default();
    let parts = writer.begin(tracks, &joined.group);
    let viewer = Viewer {
        frames: joined.frames,
        writer,
        parts: parts.into(),
        _seat: seat,
    };
    stream::unfold(viewer, |mut viewer| async move {
        loop {
            if let Some(part) = viewer.parts.pop_front() {
                return Some((part, viewer));
            }
            match viewer.frames.recv().await {
                Ok(frame) => viewer.parts = viewer.writer.take(&frame).into(),
                Err(RecvError::Lagged(_)) => viewer.writer.waits = true,
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .boxed()
}

// === impl Writer ===

impl Writer {
    /// Begins with the tracks of the stream and the group of pictures that is under way.
    fn begin(&mut self, tracks: Vec<Arc<Track>>, group: &[Frame]) -> Vec<LivePart> {
        self.file = None;
        let pictures = tracks.iter();
        let mut pictures = pictures.filter(|track| track.codec.kind() == TrackKind::Picture);
        if pictures.any(|track| track.codec == Codec::Mjpeg) {
            let last = group.iter().rev().find_map(picture);
            return last.into_iter().collect();
        }
        let Some(mime) = mime(&tracks) else {
            let codecs: Vec<_> = tracks.iter().map(|track| track.codec.title()).collect();
            return vec![LivePart::None(format!(
                "no browser plays this stream ({})",
                codecs.join(", ")
            ))];
        };
        let (mut file, bytes) = match Fmp4::new(&tracks) {
            Ok(begun) => begun,
            Err(error) => return vec![LivePart::None(error.to_string())],
        };
        let mut parts = vec![LivePart::Begin { mime, bytes }];
        if let Some(seen) = group.last().map(|frame| frame.seen) {
            let bytes = file.fragment(group);
            parts.push(LivePart::Fragment { seen, bytes });
        }
        self.waits = group.is_empty();
        self.file = Some((file, tracks));
        parts
    }

    fn take(&mut self, frame: &Frame) -> Vec<LivePart> {
        if let Some(part) = picture(frame) {
            return vec![part];
        }
        let is_picture = frame.track.codec.kind() == TrackKind::Picture;
        let Some((file, tracks)) = &mut self.file else {
            return Vec::new();
        };
        if is_picture && !file.takes(frame) {
            // The camera changed its parameters.
            let tracks = changed(tracks, &frame.track);
            let group = frame.key.then(|| frame.clone());
            return self.begin(tracks, group.as_slice());
        }
        if self.waits && !(is_picture && frame.key) {
            return Vec::new();
        }
        self.waits = false;
        let bytes = file.fragment(std::slice::from_ref(frame));
        match bytes.is_empty() {
            true => Vec::new(),
            false => vec![LivePart::Fragment {
                seen: frame.seen,
                bytes,
            }],
        }
    }
}

/// The tracks with another one of pictures.
fn changed(tracks: &[Arc<Track>], to: &Arc<Track>) -> Vec<Arc<Track>> {
    let tracks = tracks.iter().map(|track| match track.codec.kind() {
        TrackKind::Picture => Arc::clone(to),
        TrackKind::Sound => Arc::clone(track),
    });
    tracks.collect()
}

/// A frame that is a whole JPEG.
fn picture(frame: &Frame) -> Option<LivePart> {
    (frame.track.codec == Codec::Mjpeg).then(|| LivePart::Picture {
        seen: frame.seen,
        bytes: frame.data.clone(),
    })
}
