//! Victron Instant Readout: encrypted records in the manufacturer data of company 0x02e1
//! (Victron Energy, "Extra Manufacturer Data", 2022-12-14).

mod codes;
mod records;

use crate::{
    Advertisement, Decoded, Key, Memory,
    crypto::apply_ctr_le,
    decode::{
        bytes::le,
        seen::{News, packet},
    },
};

const COMPANY: u16 = 0x02E1;
/// The manufacturer data that has such a record after its product id.
const PRODUCT_ADVERTISEMENT: u8 = 0x10;

/// Record type 0x02 is also what the Smart Battery Sense sends, which has no shunt: its current and charge mean nothing.
const BATTERY_SENSE: [u64; 2] = [0xA3A4, 0xA3A5];

/// The records have a counter but no tag: a wrong key is told by the key's first byte, which is sent along, and nothing tells that
/// a packet is played back or made up. Whoever must know it needs another device.
pub(crate) fn decode(
    advertisement: &Advertisement,
    key: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let data = advertisement
        .manufacturer
        .iter()
        .find(|(company, _)| *company == COMPANY);
    let Some((_, data)) = data else {
        return Decoded::Unfit("no manufacturer data of company 02e1".into());
    };
    let [
        PRODUCT_ADVERTISEMENT,
        _,
        a,
        b,
        record,
        low,
        high,
        first,
        sealed @ ..,
    ] = data.as_slice()
    else {
        return Decoded::Unfit("no product advertisement (byte 0 is 10) of 8 bytes or more".into());
    };
    if !records::is_known(*record) {
        return Decoded::Unfit(format!(
            "byte 4 says record type {record:02x}, which is unknown"
        ));
    }
    let product = le(&[*a, *b]);
    memory.model = u32::try_from(product).ok();
    let Some(key) = key else {
        return Decoded::NeedsKey;
    };
    if key.bytes().first() != Some(first) {
        return Decoded::WrongKey;
    }
    let mut block = [0; 16];
    block[..2].copy_from_slice(&[*low, *high]);
    let Some(opened) = apply_ctr_le(key.bytes(), block, sealed) else {
        return Decoded::WrongKey;
    };
    if packet(memory, Some(*low), data) == News::Nothing {
        return Decoded::Repeated;
    }
    let fields = if BATTERY_SENSE.contains(&product) {
        records::battery_sense(&opened)
    } else {
        records::read(*record, &opened)
    };
    match fields {
        Some(fields) => Decoded::Fields {
            fields,
            sealed: true,
        },
        None => Decoded::Unfit(format!(
            "{} bytes are too few for record type {record:02x}",
            opened.len()
        )),
    }
}

#[cfg(test)]
mod tests;
