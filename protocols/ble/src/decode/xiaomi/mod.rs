//! Xiaomi MiBeacon, version 2 to 5, plain and encrypted (iot.mi.com, "MiBeacon protocol").

mod buttons;
mod lock;
mod miot;
mod models;
mod objects;
mod scale;

use crate::{
    Advertisement, Decoded, Key, Memory,
    crypto::{apply_ctr_be, open_ccm},
    decode::{
        bytes::le,
        kind::STABILIZED,
        seen::{Counted, counter, packet, told},
    },
    uuid16,
};

const SERVICE: u16 = 0xFE95;

/// What the makers of old devices put between the two halves of a key of twelve bytes.
const LEGACY_KEY_MIDDLE: [u8; 4] = [0x8D, 0x3D, 0x3C, 0x97];
const ASSOCIATED: [u8; 1] = [0x11];

/// A device counts each packet; after a new battery it counts from zero.
const NEAR_ZERO: u64 = 1_000;

/// The bits of the frame control.
mod control {
    pub(super) const ENCRYPTED: u16 = 1 << 3;
    pub(super) const ADDRESS: u16 = 1 << 4;
    pub(super) const CAPABILITY: u16 = 1 << 5;
    pub(super) const OBJECT: u16 = 1 << 6;
    pub(super) const MESH: u16 = 1 << 7;
}

/// A frame, taken apart.
struct Frame<'a> {
    control: u16,
    product: u16,
    counter: u8,
    /// The first five bytes, which go into the nonce of old frames.
    head: [u8; 5],
    /// The sender's address, the least significant byte first, as it is in the nonce.
    reversed: [u8; 6],
    /// Objects, or what stands in their place while they are encrypted.
    rest: &'a [u8],
}

/// What a key made of encrypted objects.
enum Opened {
    Objects {
        objects: Vec<u8>,
        count: Option<u64>,
    },
    Not(Decoded),
}

pub(crate) fn decode(
    advertisement: &Advertisement,
    key: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let service = uuid16(SERVICE);
    let data = advertisement
        .service_data
        .iter()
        .find(|(uuid, _)| *uuid == service);
    let Some((_, data)) = data else {
        return Decoded::Unfit("no service data of UUID fe95".into());
    };
    let frame = match Frame::of(data, advertisement) {
        Ok(frame) => frame,
        Err(why) => return Decoded::Unfit(why),
    };
    memory.model = Some(frame.product.into());
    memory.sleeps = Some(models::sleeps(frame.product));
    if frame.control & control::OBJECT == 0 {
        return without_object(&frame);
    }
    if frame.control & control::ENCRYPTED == 0 {
        let news = packet(memory, Some(frame.counter), data);
        let (fields, _) = objects::read(frame.product, frame.rest);
        return told(fields, news, false);
    }
    let (objects, count) = match frame.open(key) {
        Opened::Objects { objects, count } => (objects, count),
        Opened::Not(decoded) => return decoded,
    };
    if let Some(count) = count {
        match counter(memory, count, NEAR_ZERO) {
            Counted::New => {}
            Counted::Same => return Decoded::Repeated,
            Counted::Old => return Decoded::Replayed,
        }
    }
    let (fields, whole) = objects::read(frame.product, &objects);
    // Old frames have no tag: that the lengths do not add up is all that tells a wrong key.
    if count.is_none() && !whole {
        return Decoded::WrongKey;
    }
    told(fields, packet(memory, Some(frame.counter), data), true)
}

/// A scale that nobody stands on says so by saying nothing.
fn without_object(frame: &Frame<'_>) -> Decoded {
    let fields = if models::is_scale(frame.product) {
        vec![STABILIZED.measured(false)]
    } else {
        Vec::new()
    };
    Decoded::Fields {
        fields,
        sealed: false,
    }
}

// === impl Frame ===

impl<'a> Frame<'a> {
    fn of(data: &'a [u8], advertisement: &Advertisement) -> Result<Self, String> {
        let Some((head, mut rest)) = data.split_first_chunk::<5>() else {
            return Err(format!("a frame has 5 bytes at least, not {}", data.len()));
        };
        let control = u16::from_le_bytes([head[0], head[1]]);
        if control & control::MESH != 0 {
            return Err("byte 0 says that it is a frame of a mesh".into());
        }
        if control >> 12 < 2 {
            return Err(format!(
                "byte 1 says version {}, and 2 is the oldest known",
                control >> 12
            ));
        }
        let mut reversed = advertisement.address.0;
        reversed.reverse();
        if control & control::ADDRESS != 0 {
            let Some((said, after)) = rest.split_first_chunk::<6>() else {
                return Err("the address at byte 5 ends too early".into());
            };
            if *said != reversed {
                return Err("the address at byte 5 is another than the sender's".into());
            }
            rest = after;
        }
        if control & control::CAPABILITY != 0 {
            let Some((capability, after)) = rest.split_first() else {
                return Err("the byte of capabilities is missing".into());
            };
            rest = after;
            // The end of its Wi-Fi address where it is bonded over that, then what it can show and take in for pairing: two bytes
            // each (MiEcosystem/mijia_ble_common, mible_beacon).
            let skipped =
                usize::from(capability >> 3 & 3 == 3) + usize::from(capability & 0x20 != 0);
            rest = rest
                .get(2 * skipped..)
                .ok_or("the bytes that belong to the capabilities are missing")?;
        }
        Ok(Self {
            control,
            product: u16::from_le_bytes([head[2], head[3]]),
            counter: head[4],
            head: *head,
            reversed,
            rest,
        })
    }

    fn open(&self, key: Option<&Key>) -> Opened {
        // From version 4 on three bytes of counter and a tag of four follow, before that three and one that nobody explains.
        let authentic = self.control >> 12 >= 4;
        let tail_bytes = if authentic { 7 } else { 4 };
        let at = self
            .rest
            .len()
            .checked_sub(tail_bytes)
            .filter(|bytes| *bytes >= 2);
        let Some(at) = at else {
            let why = format!(
                "{} bytes are too few for encrypted objects",
                self.rest.len()
            );
            return Opened::Not(Decoded::Unfit(why));
        };
        let Some(key) = key else {
            return Opened::Not(Decoded::NeedsKey);
        };
        let (sealed, tail) = self.rest.split_at(at);
        let (high, tag) = tail.split_at(3);
        let opened = if authentic {
            self.open_authentic(key, sealed, high, tag)
        } else {
            self.open_legacy(key, sealed, high)
        };
        match opened {
            Some(objects) => Opened::Objects {
                objects,
                // Without a tag anybody could move the counter to its end, and the device would never be believed again.
                count: authentic.then(|| le(high) << 8 | u64::from(self.counter)),
            },
            None => Opened::Not(Decoded::WrongKey),
        }
    }

    fn open_authentic(&self, key: &Key, sealed: &[u8], high: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; 12];
        nonce[..6].copy_from_slice(&self.reversed);
        nonce[6..9].copy_from_slice(&self.head[2..]);
        nonce[9..].copy_from_slice(high);
        open_ccm(key.bytes(), &nonce, &ASSOCIATED, sealed, tag)
    }

    /// The key stream of AES-CCM (RFC 3610, 2.3) without its tag.
    fn open_legacy(&self, key: &Key, sealed: &[u8], high: &[u8]) -> Option<Vec<u8>> {
        let mut long = [0; 16];
        match key.bytes() {
            short if short.len() == 12 => {
                long[..6].copy_from_slice(&short[..6]);
                long[6..10].copy_from_slice(&LEGACY_KEY_MIDDLE);
                long[10..].copy_from_slice(&short[6..]);
            }
            full => long = full.try_into().ok()?,
        }
        // Two bytes of length field, a nonce of thirteen, and the counter, which is 1 for the first block.
        let mut block = [0; 16];
        block[0] = 1;
        block[1..6].copy_from_slice(&self.head);
        block[6..9].copy_from_slice(high);
        block[9..14].copy_from_slice(&self.reversed[..5]);
        block[15] = 1;
        apply_ctr_be(&long, block, sealed)
    }
}

#[cfg(test)]
mod tests;
