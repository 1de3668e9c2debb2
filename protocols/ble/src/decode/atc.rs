//! The custom firmware of Telink thermometers, atc1441 and pvvx, encrypted (github.com/pvvx/ATC_MiThermometer, "Bluetooth
//! advertising formats"); the plain formats are profiles without code.

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    crypto::open_ccm,
    decode::{
        bytes::{le, le_signed, per, per_unsigned},
        kind::{BATTERY, HUMIDITY, OPENING, TEMPERATURE, TRIGGER_OUTPUT},
        seen::{News, packet},
    },
    uuid16,
};

const SERVICE: u16 = 0x181A;
const ASSOCIATED: [u8; 1] = [0x11];

/// A counter of one byte, the encrypted bytes, and a tag of four. The counter comes round after 256 packets, so it tells a
/// repeated packet but not one that somebody recorded: whoever must know it lets the firmware send BTHome.
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
        return Decoded::Unfit("no service data of UUID 181a".into());
    };
    let sealed_bytes = match data.len() {
        8 => 3,
        11 => 6,
        length => {
            return Decoded::Unfit(format!(
                "{length} bytes are neither the 8 of atc1441 nor the 11 of pvvx"
            ));
        }
    };
    let Some(key) = key else {
        return Decoded::NeedsKey;
    };
    let (sealed, tag) = data[1..].split_at(sealed_bytes);
    let mut nonce = [0; 11];
    for (to, from) in nonce.iter_mut().zip(advertisement.address.0.iter().rev()) {
        *to = *from;
    }
    // The length and the type of the element that service data are, as they go on the air.
    nonce[6] = u8::try_from(data.len() + 3).expect("8 and 11 are small");
    nonce[7..10].copy_from_slice(&[0x16, 0x1A, 0x18]);
    nonce[10] = data[0];
    let Some(plain) = open_ccm(key.bytes(), &nonce, &ASSOCIATED, sealed, tag) else {
        return Decoded::WrongKey;
    };
    if packet(memory, Some(data[0]), data) == News::Nothing {
        return Decoded::Repeated;
    }
    Decoded::Fields {
        fields: if sealed_bytes == 3 {
            atc(&plain)
        } else {
            pvvx(&plain)
        },
        sealed: true,
    }
}

/// Half degrees above -40, half percents, and the battery with the trigger's output in its highest bit.
fn atc(plain: &[u8]) -> Vec<Field> {
    let [temperature, humidity, battery] = plain else {
        return Vec::new();
    };
    vec![
        TEMPERATURE.measured(f64::from(*temperature) / 2.0 - 40.0),
        HUMIDITY.measured(f64::from(*humidity) / 2.0),
        BATTERY.measured(f64::from(battery & 0x7F)),
        TRIGGER_OUTPUT.measured(battery & 0x80 != 0),
    ]
}

fn pvvx(plain: &[u8]) -> Vec<Field> {
    let [a, b, c, d, battery, flags] = plain else {
        return Vec::new();
    };
    vec![
        TEMPERATURE.measured(per(le_signed(&[*a, *b]), 100.0)),
        HUMIDITY.measured(per_unsigned(le(&[*c, *d]), 100.0)),
        BATTERY.measured(f64::from(*battery)),
        OPENING.measured(flags & 1 != 0),
        TRIGGER_OUTPUT.measured(flags & 2 != 0),
    ]
}
