//! Eddystone: UID, URL, telemetry and ephemeral identifiers (github.com/google/eddystone, protocol-specification.md).

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{be, be_signed, per, per_unsigned},
        kind::{
            ADVERTISED, BATTERY_VOLTAGE, EPHEMERAL_ID, TELEMETRY_SEALED, TEMPERATURE,
            TX_POWER_NEAR, UID_INSTANCE, UID_NAMESPACE, UPTIME, URL,
        },
    },
    uuid16,
};

const SERVICE: u16 = 0xFEAA;

const SCHEMES: [&str; 4] = ["http://www.", "https://www.", "http://", "https://"];
const ENDINGS: [&str; 14] = [
    ".com/", ".org/", ".edu/", ".net/", ".info/", ".biz/", ".gov/", ".com", ".org", ".edu", ".net",
    ".info", ".biz", ".gov",
];

pub(crate) fn decode(advertisement: &Advertisement, _: Option<&Key>, _: &mut Memory) -> Decoded {
    let service = uuid16(SERVICE);
    let data = advertisement
        .service_data
        .iter()
        .find(|(uuid, _)| *uuid == service);
    let Some((_, data)) = data else {
        return Decoded::Unfit("no service data of UUID feaa".into());
    };
    let fields = match data.as_slice() {
        [0x00, power, id @ ..] if id.len() >= 16 => vec![
            tx_power(*power),
            UID_NAMESPACE.measured(hex(&id[..10])),
            UID_INSTANCE.measured(hex(&id[10..16])),
        ],
        [0x10, power, scheme, rest @ ..] => match url(*scheme, rest) {
            Some(url) => vec![tx_power(*power), URL.measured(url)],
            None => return Decoded::Unfit("the URL at byte 2 has characters that none has".into()),
        },
        [0x20, 0x00, rest @ ..] if rest.len() >= 12 => telemetry(rest),
        // It is encrypted with the beacon's identity key and its clock, which only its owner's service knows.
        [0x20, 0x01, rest @ ..] if rest.len() >= 16 => vec![TELEMETRY_SEALED.measured(true)],
        [0x30, power, id @ ..] if id.len() >= 8 => {
            vec![tx_power(*power), EPHEMERAL_ID.measured(hex(&id[..8]))]
        }
        [frame, ..] => {
            return Decoded::Unfit(format!(
                "{} bytes are no frame of type {frame:02x}",
                data.len()
            ));
        }
        [] => return Decoded::Unfit("no byte of a frame's type".into()),
    };
    Decoded::Fields {
        fields,
        sealed: false,
    }
}

/// Received at no distance, unlike elsewhere.
fn tx_power(byte: u8) -> Field {
    TX_POWER_NEAR.measured(i64::from(byte.cast_signed()))
}

fn hex(bytes: &[u8]) -> fieldgate_model::Value {
    let text = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fieldgate_model::Value::Text(text)
}

fn url(scheme: u8, rest: &[u8]) -> Option<fieldgate_model::Value> {
    let mut url = (*SCHEMES.get(usize::from(scheme))?).to_owned();
    for byte in rest {
        match ENDINGS.get(usize::from(*byte)) {
            Some(ending) => url.push_str(ending),
            None if byte.is_ascii_graphic() => url.push(char::from(*byte)),
            None => return None,
        }
    }
    Some(fieldgate_model::Value::Text(url))
}

/// Voltage, 8.8 fixed point temperature, packets and tenths of seconds since power was switched on.
fn telemetry(data: &[u8]) -> Vec<Field> {
    let mut fields = Vec::with_capacity(4);
    let millivolts = be(&data[..2]);
    if millivolts != 0 {
        fields.push(BATTERY_VOLTAGE.measured(per_unsigned(millivolts, 1000.0)));
    }
    let temperature = be_signed(&data[2..4]);
    if temperature != -0x8000 {
        fields.push(TEMPERATURE.measured(per(temperature, 256.0)));
    }
    fields.push(ADVERTISED.measured(be(&data[4..8])));
    fields.push(UPTIME.measured(per_unsigned(be(&data[8..12]), 10.0)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{once, service, told};

    #[track_caller]
    fn check(data: &str, expected: &str) {
        let heard = service("C0:DE:00:00:00:01", SERVICE, data);
        assert_eq!(told(&once(decode, &heard, None)), expected, "{data}");
    }

    #[test]
    fn every_frame_is_read() {
        check(
            "00ee 00112233445566778899 aabbccddeeff 0000",
            "tx_power_near -18 dB[mW], namespace 00112233445566778899, instance aabbccddeeff",
        );
        check(
            "10ed 03 676f6f2e676c2f53",
            "tx_power_near -19 dB[mW], url https://goo.gl/S",
        );
        check(
            "10ed 00 676f6f676c6500",
            "tx_power_near -19 dB[mW], url http://www.google.com/",
        );
        check(
            "2000 0bb8 1580 0000002a 00000064",
            "battery_voltage 3 V, temperature 21.5 Cel, advertised_packets 42, uptime 10 s",
        );
        check(
            "2000 0000 8000 00000001 00000001",
            "advertised_packets 1, uptime 0.1 s",
        );
        check(
            "2001 00112233445566778899aabb 0011 2233",
            "telemetry_encrypted true",
        );
        check(
            "30f1 0011223344556677",
            "tx_power_near -15 dB[mW], ephemeral_id 0011223344556677",
        );
    }

    #[test]
    fn what_is_no_frame_is_told() {
        for data in ["", "00ee0011", "10ed05", "10ed030102ff", "2002", "40"] {
            let heard = service("C0:DE:00:00:00:01", SERVICE, data);
            let decoded = once(decode, &heard, None);
            assert!(matches!(decoded, Decoded::Unfit(_)), "{data}: {decoded:?}");
        }
    }
}
