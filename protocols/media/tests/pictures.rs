//! Pictures that were really coded, decoded in this process: their colours, their size, and what is refused before it is decoded.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use bytes::Bytes;
use fieldgate_media::{
    Codec,
    h264::{self, Colours, Sps},
    worker::{Job, PictureWish, Want, decode},
};
use jpeg_encoder::{ColorType, Encoder};

use support::{assert_bars, bars, film, job, jpeg_job, picture};

/// A JPEG of the bars.
fn jpeg(width: u16, height: u16) -> Bytes {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 95)
        .encode(
            &bars(width.into(), height.into(), 0),
            width,
            height,
            ColorType::Rgb,
        )
        .unwrap();
    bytes.into()
}

#[test]
fn a_keyframe_becomes_a_picture_in_its_colours() {
    let film = film(640, 360, 1);
    let decoded = decode(&job(&film, picture(1920, 1920))).unwrap();
    assert_eq!((decoded.width, decoded.height), (640, 360));
    let whole = decoded.picture.unwrap();
    assert_bars(&whole.jpeg, (640, 360));
    let decoded = decode(&job(&film, picture(160, 160))).unwrap();
    let small = decoded.picture.unwrap();
    assert_eq!((small.width, small.height), (160, 90));
    assert_bars(&small.jpeg, (160, 90));
    assert!(small.jpeg.len() < whole.jpeg.len());
    assert_eq!(decoded.luma, None);
}

#[test]
fn a_thumbnail_is_brighter_on_the_left() {
    let want = Want {
        picture: None,
        luma: Some((64, 36)),
    };
    for job in [
        job(&film(640, 360, 1), want),
        jpeg_job(jpeg(640, 360), want),
    ] {
        let decoded = decode(&job).unwrap();
        assert_eq!(decoded.picture, None);
        let luma = decoded.luma.unwrap();
        assert_eq!((luma.width, luma.height), (64, 36));
        assert_eq!(luma.pixels.len(), 64 * 36);
        let bars: Vec<u8> = (0..8)
            .map(|bar| luma.pixels[64 * 18 + 8 * bar + 4])
            .collect();
        assert!(bars.is_sorted_by(|one, other| one > other), "{bars:?}");
    }
}

#[test]
fn its_parameters_are_read_from_what_an_encoder_wrote() {
    let film = film(640, 360, 30);
    let sets: Vec<&[u8]> = h264::parameter_sets(&film.track.config).collect();
    assert_eq!(sets.len(), 2);
    let sps = Sps::parse(sets[0]).unwrap();
    assert_eq!((sps.width, sps.height), (640, 360));
    assert_eq!((sps.coded_width, sps.coded_height), (640, 368));
    assert_eq!((sps.colours, sps.full_range), (Colours::Bt601, false));
    let keys: Vec<usize> = (0..30).filter(|at| film.frames[*at].key).collect();
    assert_eq!(keys, [0, 25]);
}

#[test]
fn a_jpeg_is_made_smaller_or_taken_as_it_is() {
    let large = jpeg(640, 360);
    let decoded = decode(&jpeg_job(large.clone(), picture(320, 320))).unwrap();
    assert_bars(&decoded.picture.unwrap().jpeg, (320, 180));
    let decoded = decode(&jpeg_job(large.clone(), picture(640, 640))).unwrap();
    assert_eq!(decoded.picture.unwrap().jpeg, large);
    assert_eq!((decoded.width, decoded.height), (640, 360));
}

#[test]
fn what_is_no_picture_is_told_in_words() {
    let film = film(320, 240, 2);
    let wish = picture(320, 240);
    let error = |job: Job| decode(&job).unwrap_err();
    let good = job(&film, wish);
    let without = Job {
        config: Bytes::new(),
        ..good.clone()
    };
    assert!(error(without).contains("no sequence parameter set"));
    let empty = Job {
        frame: Bytes::new(),
        ..good.clone()
    };
    assert!(error(empty).contains("holds no picture"));
    let html = jpeg_job(Bytes::from_static(b"<html>not found</html>"), wish);
    assert!(error(html).contains("HTML"));
    let h265 = Job {
        codec: Codec::H265,
        ..good.clone()
    };
    assert!(error(h265).contains("snapshot address"));
    // A picture that depends on one that is not there.
    let later = Job {
        frame: film.frames[1].data.clone(),
        ..good
    };
    assert!(decode(&later).is_err());
}

#[test]
fn a_giant_is_refused_before_it_is_decoded_wherever_it_hides() {
    let film = film(320, 240, 1);
    // 16,384 × 16,384, as an encoder of the baseline profile would write it: see the unit tests of `h264`.
    let giant = giant();
    assert_eq!(Sps::parse(&giant).unwrap().coded_width, 16_384);
    let config = h264::track(&giant, &[0x68, 0xCE, 0x38, 0x80])
        .unwrap()
        .config;
    let mut units = vec![&giant[..]];
    units.extend(h264::units(&film.frames[0].data));
    let hidden = [&[0x41, 0x9A, 0, 0, 1], &giant[..]].concat();
    let within = [&film.frames[0].data[..], &h264::framed(&[&hidden])].concat();
    for job in [
        Job {
            config,
            ..job(&film, picture(64, 64))
        },
        Job {
            frame: h264::framed(&units),
            ..job(&film, picture(64, 64))
        },
        Job {
            frame: within.into(),
            ..job(&film, picture(64, 64))
        },
    ] {
        let words = decode(&job).unwrap_err();
        assert!(words.contains("larger than the 8 megapixels"), "{words}");
    }
    let mut header = jpeg(64, 64).to_vec();
    let frame_header = header
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    header[frame_header + 5..frame_header + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    let words = decode(&jpeg_job(header.into(), picture(64, 64))).unwrap_err();
    assert!(words.contains("65535 × 65535"), "{words}");
}

/// profile 66, level 31, all numbers 0 but 1024 × 1024 macroblocks.
fn giant() -> Vec<u8> {
    let mut bits = String::from("010000101100000000011111");
    // id, frame number, order 2, reference frames 1, no gaps.
    bits += "110110100";
    for _ in 0..2 {
        // 1024 in 21 bits is 1023 as ue(v).
        bits += "000000000010000000000";
    }
    // Frames only, direct 8×8, no cropping, no VUI, stop bit.
    bits += "11001";
    let mut unit = vec![0x67];
    let padded = format!("{bits:0<width$}", width = bits.len().div_ceil(8) * 8);
    for byte in padded.as_bytes().chunks(8) {
        let byte = std::str::from_utf8(byte).unwrap();
        unit.push(u8::from_str_radix(byte, 2).unwrap());
    }
    unit
}

#[test]
fn bent_pictures_are_no_panic() {
    let film = film(160, 96, 1);
    let good = job(
        &film,
        Want {
            picture: Some(PictureWish {
                width: 64,
                height: 64,
                quality: 50,
            }),
            luma: Some((8, 8)),
        },
    );
    let photo = jpeg_job(jpeg(160, 96), good.want);
    for good in [good, photo] {
        for at in (0..good.frame.len()).step_by(7) {
            let mut bent = good.frame.to_vec();
            bent[at] ^= 0x55;
            let cut = bent[..at].to_vec();
            for frame in [bent, cut] {
                let _ = decode(&Job {
                    frame: frame.into(),
                    ..good.clone()
                });
            }
        }
    }
}
