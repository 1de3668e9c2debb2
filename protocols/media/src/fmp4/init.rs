//! The start of a fragmented file, ISO/IEC 14496-12 clause 8: `ftyp` and a `moov` that describes tracks and holds no sample.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::boxes::{boxed, full_box, put_unity_matrix};
use crate::{Codec, Track, TrackKind};

/// `und`, the language of clause 8.4.2.3 as three letters of five bits.
const NO_LANGUAGE: u16 = 0x55C4;
/// The object type of ISO/IEC 14496-1 table 5 for JPEG.
const OBJECT_JPEG: u8 = 0x6C;

/// The whole beginning of a file with these tracks; their ids count from 1.
pub(super) fn beginning(tracks: &[Arc<Track>]) -> Bytes {
    let mut out = BytesMut::with_capacity(2048);
    boxed(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso6");
        out.put_u32(0);
        out.put_slice(b"iso6mp41dash");
    });
    boxed(&mut out, b"moov", |out| {
        movie_header(out, tracks.len());
        for (id, track) in (1..).zip(tracks) {
            boxed(out, b"trak", |out| put_track(out, id, track));
        }
        boxed(out, b"mvex", |out| {
            for id in (1..).take(tracks.len()) {
                full_box(out, b"trex", 0, 0, |out| {
                    for number in [id, 1, 0, 0, 0] {
                        out.put_u32(number);
                    }
                });
            }
        });
    });
    out.freeze()
}

/// What the file says of a track's samples; `None` where no MP4 holds them.
pub(super) fn sample_entry(track: &Track) -> Option<Bytes> {
    match track.codec {
        Codec::Mjpeg if track.sample_entry.is_empty() => jpeg_sample_entry(track),
        _ if track.sample_entry.is_empty() => None,
        _ => Some(track.sample_entry.clone()),
    }
}

fn movie_header(out: &mut BytesMut, tracks: usize) {
    full_box(out, b"mvhd", 0, 0, |out| {
        for number in [0, 0, 1000, 0, 0x0001_0000] {
            out.put_u32(number);
        }
        out.put_u16(0x0100);
        out.put_bytes(0, 10);
        put_unity_matrix(out);
        out.put_bytes(0, 24);
        out.put_u32(u32::try_from(tracks).expect("a few tracks") + 1);
    });
}

fn put_track(out: &mut BytesMut, id: u32, track: &Track) {
    let sound = track.codec.kind() == TrackKind::Sound;
    // Enabled, in the movie.
    full_box(out, b"tkhd", 0, 3, |out| {
        for number in [0, 0, id, 0, 0, 0, 0, 0] {
            out.put_u32(number);
        }
        out.put_u16(if sound { 0x0100 } else { 0 });
        out.put_u16(0);
        put_unity_matrix(out);
        // 16.16, as large as it can say.
        out.put_u32(track.width.min(0xFFFF) << 16);
        out.put_u32(track.height.min(0xFFFF) << 16);
    });
    boxed(out, b"mdia", |out| {
        full_box(out, b"mdhd", 0, 0, |out| {
            for number in [0, 0, track.timescale.max(1), 0] {
                out.put_u32(number);
            }
            out.put_u16(NO_LANGUAGE);
            out.put_u16(0);
        });
        full_box(out, b"hdlr", 0, 0, |out| {
            out.put_u32(0);
            out.put_slice(if sound { b"soun" } else { b"vide" });
            out.put_bytes(0, 12);
            out.put_slice(if sound { b"sound\0" } else { b"pictures\0" });
        });
        boxed(out, b"minf", |out| {
            if sound {
                full_box(out, b"smhd", 0, 0, |out| out.put_u32(0));
            } else {
                full_box(out, b"vmhd", 0, 1, |out| out.put_bytes(0, 8));
            }
            boxed(out, b"dinf", |out| {
                full_box(out, b"dref", 0, 0, |out| {
                    out.put_u32(1);
                    // The samples are in this file.
                    full_box(out, b"url ", 0, 1, |_| {});
                });
            });
            boxed(out, b"stbl", |out| put_sample_table(out, track));
        });
    });
}

/// Empty tables: the samples are in fragments.
fn put_sample_table(out: &mut BytesMut, track: &Track) {
    full_box(out, b"stsd", 0, 0, |out| {
        out.put_u32(1);
        out.put_slice(&sample_entry(track).unwrap_or_default());
    });
    for kind in [b"stts", b"stsc", b"stco"] {
        full_box(out, kind, 0, 0, |out| out.put_u32(0));
    }
    full_box(out, b"stsz", 0, 0, |out| out.put_bytes(0, 8));
}

/// `mp4v` with an elementary stream descriptor (ISO/IEC 14496-14 clause 5.6) that says JPEG. Browsers play none of it, other players do.
fn jpeg_sample_entry(track: &Track) -> Option<Bytes> {
    let (width, height) = (
        u16::try_from(track.width).ok()?,
        u16::try_from(track.height).ok()?,
    );
    let mut out = BytesMut::with_capacity(160);
    boxed(&mut out, b"mp4v", |out| {
        out.put_bytes(0, 6);
        out.put_u16(1);
        out.put_bytes(0, 16);
        out.put_u16(width);
        out.put_u16(height);
        // 72 dots an inch.
        out.put_u32(0x0048_0000);
        out.put_u32(0x0048_0000);
        out.put_u32(0);
        out.put_u16(1);
        out.put_bytes(0, 32);
        out.put_u16(24);
        out.put_i16(-1);
        full_box(out, b"esds", 0, 0, |out| {
            // ES_Descriptor of 21 bytes: id, flags, DecoderConfigDescriptor of 13, SLConfigDescriptor of 1.
            out.put_slice(&[3, 21, 0, 1, 0, 4, 13, OBJECT_JPEG, 0x11]);
            out.put_bytes(0, 11);
            out.put_slice(&[6, 1, 2]);
        });
    });
    Some(out.freeze())
}
