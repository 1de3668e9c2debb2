//! Qingping's own format: service data of UUID fdcd, as qingping-ble (MIT) and its tests know it. Some of their devices send MiBeacon
//! or BTHome instead.

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{le, le_signed, per, per_unsigned},
        kind::{
            BATTERY, CO2, DOOR, DOOR_LEFT_OPEN, EXTERNALLY_POWERED, HUMIDITY, ILLUMINANCE, LIGHT,
            MOTION, NOISE, PM10, PM25, PRESSURE, TEMPERATURE, VOC_INDEX,
        },
        seen::{News, packet},
    },
    uuid16,
};

const SERVICE: u16 = 0xFDCD;

/// Frame control, device, address; then objects of an id, a length and bytes.
const HEAD_BYTES: usize = 8;
/// The device tells a change, and what is not part of the change is not to be read.
const EVENT: u8 = 0x40;

pub(crate) fn decode(
    advertisement: &Advertisement,
    _: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let service = uuid16(SERVICE);
    let data = advertisement
        .service_data
        .iter()
        .find(|(uuid, _)| *uuid == service);
    let Some((_, data)) = data else {
        return Decoded::Unfit("no service data of UUID fdcd".into());
    };
    let (Some(control), Some(device), Some(mut objects)) =
        (data.first(), data.get(1), data.get(HEAD_BYTES..))
    else {
        return Decoded::Unfit(format!(
            "{} bytes are less than the 8 before the objects",
            data.len()
        ));
    };
    memory.model = Some((*device).into());
    let mut fields = Vec::with_capacity(4);
    let mut identifier = None;
    while let [id, length, rest @ ..] = objects {
        let Some((value, after)) = rest.split_at_checked(usize::from(*length)) else {
            break;
        };
        match (id, value) {
            (0x0F, [number]) => identifier = Some(*number),
            _ => object(*id, value, control & EVENT != 0, &mut fields),
        }
        objects = after;
    }
    if identifier.is_some() && packet(memory, identifier, data) == News::Nothing {
        return Decoded::Repeated;
    }
    Decoded::Fields {
        fields,
        sealed: false,
    }
}

fn object(id: u8, value: &[u8], event: bool, fields: &mut Vec<Field>) {
    match (id, value) {
        (0x01, [a, b, c, d]) => {
            fields.push(TEMPERATURE.measured(per(le_signed(&[*a, *b]), 10.0)));
            fields.push(HUMIDITY.measured(per_unsigned(le(&[*c, *d]), 10.0)));
        }
        // A device on mains has no battery that could be empty.
        (0x02, [0xFF]) => fields.push(EXTERNALLY_POWERED.measured(true)),
        (0x02, [percent]) => fields.push(BATTERY.measured(f64::from(*percent))),
        (0x04, [code]) => {
            fields.push(DOOR.measured(matches!(code, 0 | 2)));
            fields.push(DOOR_LEFT_OPEN.measured(*code == 2));
        }
        // Tenths of a hectopascal.
        (0x07, [_, _]) => fields.push(PRESSURE.measured(per_unsigned(le(value) * 10, 1.0))),
        (0x08, [motion, light @ ..]) if light.len() == 3 => {
            fields.push(MOTION.measured(*motion != 0));
            if !event {
                illuminance(light, fields);
            }
        }
        (0x09, [_, _, _, _]) => illuminance(value, fields),
        (0x11, [light]) => fields.push(LIGHT.measured(*light != 0)),
        (0x12, [a, b, c, d]) => {
            fields.push(PM25.measured(per_unsigned(le(&[*a, *b]), 1.0)));
            fields.push(PM10.measured(per_unsigned(le(&[*c, *d]), 1.0)));
        }
        (0x13, [_, _]) => fields.push(CO2.measured(per_unsigned(le(value), 1.0))),
        (0x15, [_, _]) => fields.push(VOC_INDEX.measured(per_unsigned(le(value), 1.0))),
        (0x19, [decibel]) => fields.push(NOISE.measured(f64::from(*decibel))),
        _ => {}
    }
}

/// Two objects tell it; the later one counts.
fn illuminance(lux: &[u8], fields: &mut Vec<Field>) {
    let told = ILLUMINANCE.measured(per_unsigned(le(lux), 1.0));
    match fields.iter_mut().find(|field| field.id == told.id) {
        Some(before) => *before = told,
        None => fields.push(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{once, service, told};

    #[track_caller]
    fn check(data: &str, expected: &str) {
        let heard = service("58:2D:34:00:00:01", SERVICE, data);
        assert_eq!(told(&once(decode, &heard, None)), expected, "{data}");
    }

    #[test]
    fn every_object_is_read() {
        check(
            "0816 a7e30534 2d58 0104 d100 4c02 0201 64",
            "temperature 20.9 Cel, humidity 58.8 %, battery 100 %",
        );
        check(
            "0809 a7e30534 2d58 0702 5d27 0201 ff",
            "pressure 100770 Pa, externally_powered true",
        );
        check(
            "0812 a7e30534 2d58 0804 01 0d0000 0f01 05",
            "motion true, illuminance 13 lx",
        );
        check("4812 a7e30534 2d58 0804 01 0d0000", "motion true");
        check(
            "0812 a7e30534 2d58 0804 01 0d0000 0904 10000000",
            "motion true, illuminance 16 lx",
        );
        check(
            "0804 a7e30534 2d58 0401 02",
            "door true, door_left_open true",
        );
        check(
            "080e a7e30534 2d58 1204 0800 0c00 1302 9b01 1502 6400 1901 2a",
            "pm25 8 ug/m3, pm10 12 ug/m3, co2 411 [ppm], voc_index 100, noise 42 dB",
        );
        check("0810 a7e30534 2d58 0104 d100", "");
    }

    #[test]
    fn a_packet_with_its_number_counts_once() {
        let mut memory = Memory::default();
        let heard = service(
            "58:2D:34:00:00:01",
            SERVICE,
            "0812a7e305342d5808040010270f0f0105",
        );
        assert!(matches!(
            decode(&heard, None, &mut memory),
            Decoded::Fields { .. }
        ));
        assert_eq!(decode(&heard, None, &mut memory), Decoded::Repeated);
        let short = once(decode, &service("58:2D:34:00:00:01", SERVICE, "0812"), None);
        assert!(matches!(short, Decoded::Unfit(_)));
    }
}
