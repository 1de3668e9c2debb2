//! BTHome version 1 and 2, plain and encrypted (bthome.io/v1, bthome.io/format, bthome.io/encryption).

mod objects;
mod parse;

use crate::{
    Advertisement, Decoded, Key, Memory,
    crypto::open_ccm,
    decode::{
        bytes::le,
        seen::{Counted, counter, packet, told},
    },
    uuid16,
};

const V1_PLAIN: u16 = 0x181C;
const V1_SEALED: u16 = 0x181E;
const V2: u16 = 0xFCD2;

/// The counter and the tag that follow the encrypted objects.
const TAIL_BYTES: usize = 8;

/// A device that begins anew counts from zero; as many packets may be missed. The number is that of Home Assistant's decoder.
const NEAR_ZERO: u64 = 100;

/// Decodes the first of the three kinds of service data that is there.
pub(crate) fn decode(
    advertisement: &Advertisement,
    key: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    for (uuid, data) in &advertisement.service_data {
        if *uuid == uuid16(V2) {
            return v2(advertisement, data, key, memory);
        }
        if *uuid == uuid16(V1_PLAIN) {
            return plain(parse::v1(data), data, memory);
        }
        if *uuid == uuid16(V1_SEALED) {
            return v1_sealed(advertisement, data, key, memory);
        }
    }
    Decoded::Unfit("no service data of UUID fcd2, 181c or 181e".into())
}

fn v2(
    advertisement: &Advertisement,
    data: &[u8],
    key: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let Some((information, mut objects)) = data.split_first() else {
        return Decoded::Unfit("no byte of device information".into());
    };
    if information >> 5 != 2 {
        return Decoded::Unfit(format!(
            "byte 0 ({information:02x}) says version {}, not 2",
            information >> 5
        ));
    }
    memory.sleeps = Some(information & 0b100 != 0);
    let mut address = advertisement.address.0;
    // Not in today's specification, but in older ones: the address stands in front of the objects, reversed.
    if information & 0b10 != 0 {
        let Some((reversed, rest)) = objects.split_first_chunk::<6>() else {
            return Decoded::Unfit("the address that byte 0 announces does not fit".into());
        };
        address = *reversed;
        address.reverse();
        objects = rest;
    }
    if information & 1 == 0 {
        return plain(parse::v2(objects), objects, memory);
    }
    let nonce = |counter: &[u8]| {
        let mut nonce = [0; 13];
        nonce[..6].copy_from_slice(&address);
        nonce[6..9].copy_from_slice(&[0xD2, 0xFC, *information]);
        nonce[9..].copy_from_slice(counter);
        nonce
    };
    sealed(objects, key, memory, &[], parse::v2, |counter| {
        nonce(counter).to_vec()
    })
}

fn v1_sealed(
    advertisement: &Advertisement,
    data: &[u8],
    key: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    sealed(data, key, memory, &[0x11], parse::v1, |counter| {
        let mut nonce = [0; 12];
        nonce[..6].copy_from_slice(&advertisement.address.0);
        nonce[6..8].copy_from_slice(&[0x1E, 0x18]);
        nonce[8..].copy_from_slice(counter);
        nonce.to_vec()
    })
}

fn plain(parsed: Result<parse::Parsed, String>, bytes: &[u8], memory: &mut Memory) -> Decoded {
    match parsed {
        Ok(parsed) => {
            let news = packet(memory, parsed.packet, bytes);
            told(parsed.fields, news, false)
        }
        Err(why) => Decoded::Unfit(why),
    }
}

fn sealed(
    data: &[u8],
    key: Option<&Key>,
    memory: &mut Memory,
    associated: &[u8],
    parse: fn(&[u8]) -> Result<parse::Parsed, String>,
    nonce: impl Fn(&[u8]) -> Vec<u8>,
) -> Decoded {
    // One encrypted object has two bytes at least.
    let Some(at) = data
        .len()
        .checked_sub(TAIL_BYTES)
        .filter(|bytes| *bytes >= 2)
    else {
        return Decoded::Unfit(format!(
            "{} bytes are too few for a counter, a tag and encrypted objects",
            data.len()
        ));
    };
    let Some(key) = key else {
        return Decoded::NeedsKey;
    };
    let (objects, tail) = data.split_at(at);
    let (count, tag) = tail.split_at(4);
    let Some(objects) = open_ccm(key.bytes(), &nonce(count), associated, objects, tag) else {
        return Decoded::WrongKey;
    };
    // Only what the key opened may move the counter.
    match counter(memory, le(count), NEAR_ZERO) {
        Counted::New => {}
        Counted::Same => return Decoded::Repeated,
        Counted::Old => return Decoded::Replayed,
    }
    match parse(&objects) {
        Ok(parsed) => {
            let news = packet(memory, parsed.packet, &objects);
            told(parsed.fields, news, true)
        }
        Err(why) => Decoded::Unfit(why),
    }
}

#[cfg(test)]
mod tests;
