//! Govee's buttons and sensors that only tell changes. They are encrypted with a key that is sent along, which keeps nobody out.

use super::Heard;
use crate::{
    Decoded, Field, Memory, Nature,
    crypto::decrypt_block,
    decode::{
        bytes::be,
        kind::{BATTERY, MOTION, PRESENCE, VIBRATION, WINDOW},
        seen::{packet, told},
    },
};

/// Two bytes, the time, sixteen encrypted bytes, and their checksum.
pub(super) fn read(heard: &Heard<'_>, data: &[u8], memory: &mut Memory) -> Decoded {
    let Some((sealed, sum)) = data
        .get(6..)
        .and_then(<[u8]>::split_first_chunk::<16>)
        .filter(|(_, sum)| sum.len() == 2)
    else {
        return Decoded::Unfit("not the 24 bytes of an encrypted state".into());
    };
    if u64::from(checksum(sealed)) != be(sum) {
        return Decoded::Unfit("the checksum at byte 22 does not fit".into());
    }
    memory.sleeps = Some(true);
    let state = open(&data[2..6], *sealed);
    let Some(fields) = fields(heard, &state) else {
        return Decoded::Unfit(format!(
            "model {:02x} at byte 2 of the state is unknown",
            state[2]
        ));
    };
    // The time is another with each thing that happens.
    let news = packet(memory, None, data);
    told(fields, news, false)
}

/// The time is the key, and all is the other way round.
fn open(time: &[u8], mut block: [u8; 16]) -> [u8; 16] {
    let mut key = [0; 16];
    for (to, from) in key[12..].iter_mut().zip(time.iter().rev()) {
        *to = *from;
    }
    block.reverse();
    let mut state = decrypt_block(key, block);
    state.reverse();
    state
}

fn fields(heard: &Heard<'_>, state: &[u8; 16]) -> Option<Vec<Field>> {
    const MODELS: [(&str, u8); 7] = [
        ("GV5121", 3),
        ("GV5122", 8),
        ("GV5123", 2),
        ("GV5124", 9),
        ("GV5125", 10),
        ("GV5126", 11),
        ("GV5130", 13),
    ];
    let model = MODELS
        .iter()
        .find(|(name, model)| heard.is(name) || state[2] == *model)?
        .1;
    let code = state[5];
    let mut fields = vec![BATTERY.measured(f64::from(state[4]))];
    match model {
        2 => fields.push(WINDOW.measured(code == 2)),
        3 if code == 1 => fields.push(MOTION.happened(true)),
        9 if code == 1 => fields.push(VIBRATION.happened(true)),
        3 | 9 => {}
        // Pressure is the lowest bit, its button the fifth; the button alone says nothing of the pressure.
        13 => {
            if code & 0x10 != 0 {
                fields.push(press(0));
            }
            if code != 0x10 {
                fields.push(PRESENCE.measured(code & 1 != 0));
            }
        }
        _ => fields.push(press(code)),
    }
    Some(fields)
}

fn press(button: u8) -> Field {
    Field {
        id: format!("button_{button}").into(),
        value: "press".into(),
        unit: None,
        nature: Nature::Happened,
    }
}

/// CRC-16 with the polynomial 0x1021, beginning with 0x1d0f.
fn checksum(bytes: &[u8]) -> u16 {
    let bit = |sum: u16, bit: u16| {
        let carry = sum >> 15 ^ bit != 0;
        if carry { sum << 1 ^ 0x1021 } else { sum << 1 }
    };
    bytes.iter().fold(0x1D0F, |sum, byte| {
        (0..8)
            .rev()
            .fold(sum, |sum, place| bit(sum, u16::from(byte >> place & 1)))
    })
}
