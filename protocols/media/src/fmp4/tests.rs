//! What is written, read by `mp4-atom`, which is by others.

use mp4_atom::{Any, Codec as Entry, Decode as _, Moof, Moov};
use proptest::prelude::*;

use super::*;
use crate::testing::{film, frame, other_pictures, pictures, sound, telephone};

/// All boxes of a file; a byte too many or too few is an error.
fn boxes(bytes: &[u8]) -> Vec<Any> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        found.push(Any::decode(&mut rest).unwrap());
    }
    found
}

fn moov(beginning: &[u8]) -> Moov {
    match &boxes(beginning)[..] {
        [Any::Ftyp(_), Any::Moov(moov)] => moov.clone(),
        other => panic!("{other:?}"),
    }
}

/// Fragments with the bytes of their `mdat`.
fn fragments(bytes: &[u8]) -> Vec<(Moof, Vec<u8>)> {
    let boxes = boxes(bytes);
    boxes
        .chunks(2)
        .map(|pair| match pair {
            [Any::Moof(moof), Any::Mdat(mdat)] => (moof.clone(), mdat.data.to_vec()),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// (track, decoding time, length) of all samples, as a player counts them.
fn samples(fragments: &[(Moof, Vec<u8>)]) -> Vec<(u32, u64, u32)> {
    let mut found = Vec::new();
    for (moof, _) in fragments {
        for traf in &moof.traf {
            let mut at = traf.tfdt.as_ref().unwrap().base_media_decode_time;
            for entry in traf.trun.iter().flat_map(|trun| trun.samples.iter()) {
                found.push((traf.tfhd.track_id, at, entry.size.unwrap()));
                at += u64::from(entry.duration.unwrap());
            }
        }
    }
    found
}

#[test]
fn the_beginning_describes_the_tracks_that_an_mp4_holds() {
    let tracks = [pictures(), telephone(), sound()];
    let (_, beginning) = Fmp4::new(&tracks).unwrap();
    let moov = moov(&beginning);
    assert_eq!(moov.trak.len(), 2);
    let [video, audio] = &moov.trak[..] else {
        panic!("two tracks");
    };
    assert_eq!((video.tkhd.track_id, audio.tkhd.track_id), (1, 2));
    assert_eq!(video.mdia.mdhd.timescale, 90_000);
    assert_eq!(audio.mdia.mdhd.timescale, 48_000);
    let Entry::Avc1(avc1) = &video.mdia.minf.stbl.stsd.codecs[0] else {
        panic!("avc1");
    };
    assert_eq!((avc1.visual.width, avc1.visual.height), (640, 480));
    let Entry::Mp4a(_) = &audio.mdia.minf.stbl.stsd.codecs[0] else {
        panic!("mp4a");
    };
    assert_eq!(moov.mvex.unwrap().trex.len(), 2);
}

#[test]
fn a_browser_is_told_the_names() {
    let named = |tracks: &[Arc<Track>]| mime(tracks);
    assert_eq!(
        named(&[pictures(), telephone(), sound()]).unwrap(),
        "video/mp4; codecs=\"avc1.42c01f,mp4a.40.2\""
    );
    assert_eq!(named(&[sound(), telephone()]), None);
    assert_eq!(named(&[]), None);
}

#[test]
fn a_stream_without_a_track_for_it_is_an_error_in_words() {
    let error = Fmp4::new(&[telephone()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no track of the stream can be written as MP4 (sound): set the camera to H.264, H.265 or MJPEG"
    );
}

#[test]
fn motion_jpeg_gets_a_description_of_its_own() {
    let track = Arc::new(Track {
        codec: Codec::Mjpeg,
        rfc6381: String::new(),
        sample_entry: Bytes::new(),
        config: Bytes::new(),
        ..(*pictures()).clone()
    });
    let (_, beginning) = Fmp4::new(slice::from_ref(&track)).unwrap();
    assert_eq!(moov(&beginning).trak.len(), 1);
    assert_eq!(mime(&[track]), None);
}

#[test]
fn a_fragment_holds_pictures_and_sound_each_at_its_time() {
    let (video, audio) = (pictures(), sound());
    let (mut writer, _) = Fmp4::new(&[video.clone(), audio.clone()]).unwrap();
    // Sound from before the first picture is left out.
    let frames = [
        frame(&audio, 480, true, 7),
        frame(&video, 500, true, 100),
        frame(&audio, 500, true, 8),
        frame(&video, 540, false, 50),
        frame(&audio, 521, true, 9),
        frame(&telephone(), 500, true, 10),
    ];
    let bytes = writer.fragment_before(&frames, &frame(&video, 580, false, 1));
    let found = fragments(&bytes);
    assert_eq!(found.len(), 1);
    let (moof, data) = &found[0];
    assert_eq!(moof.mfhd.sequence_number, 1);
    assert_eq!(
        samples(&found),
        [(1, 0, 100), (1, 3600, 50), (2, 0, 8), (2, 1008, 9)]
    );
    assert_eq!(data.len(), 167);
    // Where they say their data are, counted from the moof.
    let size = bytes.len() - data.len();
    let offsets: Vec<i32> = moof
        .traf
        .iter()
        .map(|traf| traf.trun[0].data_offset.unwrap())
        .collect();
    assert_eq!(offsets, [size as i32, size as i32 + 150]);
    let entries: Vec<_> = moof.traf[0].trun[0].samples.iter().collect();
    assert_eq!(entries[0].flags, Some(SYNC));
    assert_eq!(entries[1].flags, Some(NOT_SYNC));
    assert_eq!(entries[1].duration, Some(3600));
    assert_eq!(writer.skipped(), 2);
}

#[test]
fn a_film_is_the_same_in_one_fragment_or_in_many() {
    let video = pictures();
    let film = film(&video, 0, 4, 20);
    let (mut one, _) = Fmp4::new(slice::from_ref(&video)).unwrap();
    let (mut many, _) = Fmp4::new(slice::from_ref(&video)).unwrap();
    let whole = samples(&fragments(&one.last_fragment(&film)));
    let mut pieces = Vec::new();
    let chunks: Vec<&[Frame]> = film.chunks(7).collect();
    for (chunk, next) in chunks.iter().zip(chunks.iter().skip(1)) {
        pieces.extend_from_slice(&many.fragment_before(chunk, &next[0]));
    }
    pieces.extend_from_slice(&many.last_fragment(chunks.last().unwrap()));
    assert_eq!(samples(&fragments(&pieces)), whole);
    assert_eq!(whole.len(), 100);
    assert_eq!(whole[99].1, 99 * 3600);
}

#[test]
fn live_fragments_follow_each_other_without_a_gap() {
    let video = pictures();
    let (mut writer, _) = Fmp4::new(slice::from_ref(&video)).unwrap();
    let mut next = 0;
    for frame in film(&video, 70, 3, 20) {
        let found = fragments(&writer.fragment(&[frame]));
        let traf = &found[0].0.traf[0];
        assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, next);
        next += u64::from(traf.trun[0].samples.get(0).unwrap().duration.unwrap());
    }
}

#[test]
fn frames_of_other_parameters_and_empty_ones_are_passed_over() {
    let (mut writer, _) = Fmp4::new(&[pictures()]).unwrap();
    let frames = [
        frame(&other_pictures(), 0, true, 10),
        frame(&pictures(), 0, true, 0),
    ];
    assert!(writer.fragment(&frames).is_empty());
    assert_eq!(writer.skipped(), 2);
    // The same parameters from a new connection are the same track.
    assert!(
        !writer
            .fragment(&[frame(&pictures(), 0, true, 10)])
            .is_empty()
    );
}

#[test]
fn many_frames_become_several_fragments() {
    let video = pictures();
    let (mut writer, _) = Fmp4::new(slice::from_ref(&video)).unwrap();
    let frames: Vec<Frame> = (0..5000)
        .map(|number| frame(&video, 40 * number, number == 0, 1))
        .collect();
    let found = fragments(&writer.last_fragment(&frames));
    assert_eq!(found.len(), 3);
    assert_eq!(samples(&found).len(), 5000);
    assert_eq!(samples(&found)[4999].1, 4999 * 3600);
}

fn any_frames() -> impl Strategy<Value = Vec<Frame>> {
    let tracks = [pictures(), sound(), other_pictures(), telephone()];
    let one = (
        0usize..4,
        prop_oneof![any::<i64>(), -90_000i64..900_000],
        prop_oneof![any::<i64>(), 0i64..60_000_000_000],
        any::<bool>(),
        0usize..40,
    );
    proptest::collection::vec(one, 0..60).prop_map(move |frames| {
        frames
            .into_iter()
            .map(|(track, pts, seen, key, length)| Frame {
                track: tracks[track].clone(),
                seen: fieldgate_model::Timestamp::from_nanos(seen),
                pts,
                key,
                data: vec![7; length].into(),
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn any_frames_make_whole_fragments_whose_times_never_go_back(frames in any_frames(), every in 1usize..9, timescale: u32) {
        let pictures = Arc::new(Track { timescale, ..(*pictures()).clone() });
        let frames: Vec<Frame> = frames
            .into_iter()
            .map(|frame| match frame.track.width {
                640 => Frame { track: pictures.clone(), ..frame },
                _ => frame,
            })
            .collect();
        let (mut writer, _) = Fmp4::new(&[pictures, sound()]).unwrap();
        let mut bytes = Vec::new();
        for chunk in frames.chunks(every) {
            bytes.extend_from_slice(&writer.fragment(chunk));
        }
        let found = fragments(&bytes);
        let samples = samples(&found);
        for track in [1, 2] {
            let times: Vec<u64> = samples.iter().filter(|sample| sample.0 == track).map(|sample| sample.1).collect();
            prop_assert!(times.is_sorted(), "{times:?}");
        }
        let data: usize = found.iter().map(|(_, data)| data.len()).sum();
        prop_assert_eq!(data, samples.iter().map(|sample| sample.2 as usize).sum::<usize>());
        prop_assert_eq!(samples.len() as u64 + writer.skipped(), frames.len() as u64);
        prop_assert!(bytes.len() <= data + 200 * frames.len());
    }
}
