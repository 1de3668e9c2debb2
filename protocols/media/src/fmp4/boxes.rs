//! How a box of ISO/IEC 14496-12 clause 4.2 is written: its size, which is known at its end, before its type and contents.

use bytes::{BufMut as _, BytesMut};

/// The unity matrix of clause 6.2.2.
const UNITY: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// Appends a box with what `contents` writes in it. Nothing here but `mdat` is large, and that one is bounded by its writer.
pub(super) fn boxed(out: &mut BytesMut, kind: &[u8; 4], contents: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    contents(out);
    let size = u32::try_from(out.len() - start).expect("a box is smaller than 4 GiB");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// A box with version and flags, clause 4.2.2.
pub(super) fn full_box(
    out: &mut BytesMut,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    contents: impl FnOnce(&mut BytesMut),
) {
    boxed(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags & 0x00FF_FFFF);
        contents(out);
    });
}

pub(super) fn put_unity_matrix(out: &mut BytesMut) {
    for number in UNITY {
        out.put_u32(number);
    }
}
