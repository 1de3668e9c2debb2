//! Any bytes as frames with any clock: fragments and clips, whose boxes must join without a gap and whose size is bounded.
#![no_main]

use std::{io::Cursor, sync::Arc};

use fieldgate_media::{
    Clip, ClipEnd, ClipLimits, ClipStep, Codec, Fmp4, Frame, Ring, RingLimits, Track, whole_length,
};
use fieldgate_model::Timestamp;
use libfuzzer_sys::fuzz_target;

const MOST: u64 = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<8>() else {
        return;
    };
    let timescale = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let tracks = [
        track(Codec::H264, timescale, 20),
        track(Codec::Aac, 48_000, 20),
        track(Codec::Mjpeg, 90_000, 0),
        track(Codec::OtherSound, 8_000, 0),
    ];
    let frames: Vec<Frame> = rest
        .chunks_exact(16)
        .map(|chunk| frame(&tracks, chunk))
        .collect();
    fragments(&tracks, &frames, usize::from(head[4] % 9) + 1);
    clip(&tracks[..2], &frames);
});

fn fragments(tracks: &[Arc<Track>], frames: &[Frame], every: usize) {
    let (mut writer, beginning) = Fmp4::new(tracks).expect("it has tracks");
    let mut file = beginning.to_vec();
    for chunk in frames.chunks(every) {
        file.extend_from_slice(&writer.fragment(chunk));
    }
    let length = whole_length(&mut Cursor::new(&file)).expect("memory can be read");
    assert!(length == 0 && file.len() == beginning.len() || length == file.len() as u64);
    let data: usize = frames.iter().map(|frame| frame.data.len()).sum();
    assert!(file.len() <= beginning.len() + data + 400 * frames.len());
}

fn clip(tracks: &[Arc<Track>], frames: &[Frame]) {
    let mut ring = Ring::new(RingLimits {
        bytes: 20_000,
        span: std::time::Duration::from_secs(5),
    });
    for frame in frames {
        ring.push(frame);
        assert!(ring.held().bytes <= 20_000);
    }
    let limits = ClipLimits {
        until: Timestamp::from_nanos(i64::MAX),
        bytes: MOST,
    };
    for stretch in ring.since(Timestamp::default()) {
        assert!(stretch.frames[0].key);
    }
    let (mut clip, beginning) = Clip::start(tracks, limits).expect("it has tracks");
    let mut length = beginning.len();
    for frame in frames {
        let (ClipStep::Goes(bytes) | ClipStep::Ends(bytes)) = clip.push(frame);
        length += bytes.len();
    }
    length += clip.stop(ClipEnd::Stopped).len();
    assert!(length as u64 <= MOST && clip.summary().bytes == length as u64);
}

fn track(codec: Codec, timescale: u32, entry: usize) -> Arc<Track> {
    Arc::new(Track {
        codec,
        rfc6381: String::new(),
        width: 640,
        height: 480,
        timescale,
        channels: 0,
        sample_entry: vec![1; entry].into(),
        config: bytes::Bytes::new(),
    })
}

fn frame(tracks: &[Arc<Track>], chunk: &[u8]) -> Frame {
    let word = |at: usize| {
        i64::from(i32::from_le_bytes([
            chunk[at],
            chunk[at + 1],
            chunk[at + 2],
            chunk[at + 3],
        ]))
    };
    let far = if chunk[0] & 0x80 > 0 {
        i64::from(i32::MAX) * 3
    } else {
        1
    };
    Frame {
        track: tracks[usize::from(chunk[0] & 3)].clone(),
        seen: Timestamp::from_nanos(
            word(4)
                .wrapping_mul(far)
                .wrapping_mul(1 + i64::from(chunk[1])),
        ),
        pts: word(8).wrapping_mul(far),
        key: chunk[0] & 4 > 0,
        data: vec![chunk[2]; usize::from(chunk[12]) * usize::from(chunk[13] % 16)].into(),
    }
}
