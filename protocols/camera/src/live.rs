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
    file: Option<Fmp4>,
    /// Parts were missed: nothing before a key frame can be shown.
    waits: bool,
    /// It was said that no browser plays the stream.
    said: bool,
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
        // Sound is left out: a browser waits for both, and the picture would come as late as the later one.
        let tracks: Vec<_> = tracks.into_iter().filter(|track| shown(track)).collect();
        if tracks.is_empty() {
            return Vec::new(); // until the first key frame
        }
        if tracks.iter().any(|track| track.codec == Codec::Mjpeg) {
            let last = group.iter().rev().find_map(picture);
            return last.into_iter().collect();
        }
        self.said = true;
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
        let group: Vec<_> = group
            .iter()
            .filter(|frame| shown(&frame.track))
            .cloned()
            .collect();
        if let Some(seen) = group.last().map(|frame| frame.seen) {
            let bytes = file.fragment(&group);
            parts.push(LivePart::Fragment { seen, bytes });
        }
        self.waits = group.is_empty();
        self.file = Some(file);
        parts
    }

    fn take(&mut self, frame: &Frame) -> Vec<LivePart> {
        if let Some(part) = picture(frame) {
            return vec![part];
        }
        if !shown(&frame.track) {
            return Vec::new();
        }
        let begins = match &self.file {
            None => frame.key && !self.said,
            // The camera changed its parameters.
            Some(file) => !file.takes(frame),
        };
        if begins {
            let group = frame.key.then(|| frame.clone());
            return self.begin(vec![Arc::clone(&frame.track)], group.as_slice());
        }
        let Some(file) = &mut self.file else {
            return Vec::new();
        };
        if self.waits && !frame.key {
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

/// What a live view is made of.
fn shown(track: &Track) -> bool {
    track.codec.kind() == TrackKind::Picture
}

/// A frame that is a whole JPEG.
fn picture(frame: &Frame) -> Option<LivePart> {
    (frame.track.codec == Codec::Mjpeg).then(|| LivePart::Picture {
        seen: frame.seen,
        bytes: frame.data.clone(),
    })
}
