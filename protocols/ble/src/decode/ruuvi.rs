//! Ruuvi's formats that are more than fields at places: 6, E1 and C5 (docs.ruuvi.com, "Bluetooth advertisements"). Formats 3 and 5
//! are profiles without code.

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{be, be_signed, per, per_unsigned},
        kind::{
            BATTERY_VOLTAGE, CALIBRATING, CO2, HUMIDITY, ILLUMINANCE, Kind, MOVEMENT_COUNTER, NOX,
            PM1, PM4, PM10, PM25, PRESSURE, TEMPERATURE, TX_POWER, VOC_INDEX, count,
        },
        seen::{News, packet},
    },
};

const COMPANY: u16 = 0x0499;

pub(crate) fn decode(
    advertisement: &Advertisement,
    _: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let data = advertisement
        .manufacturer
        .iter()
        .find(|(company, _)| *company == COMPANY);
    let Some((_, data)) = data else {
        return Decoded::Unfit("no manufacturer data of company 0499".into());
    };
    let (fields, sequence) = match data.as_slice() {
        [0x06, ..] if data.len() >= 20 => (format_6(data), data[15]),
        [0xE1, ..] if data.len() >= 40 => (format_e1(data), data[27]),
        [0xC5, ..] if data.len() >= 18 => (format_c5(data), data[11]),
        [format, ..] => {
            return Decoded::Unfit(format!(
                "{} bytes are not of format {format:02x}",
                data.len()
            ));
        }
        [] => return Decoded::Unfit("no byte of a format".into()),
    };
    // The number is the measurement's: the same one is sent several times.
    if packet(memory, Some(sequence), data) == News::Nothing {
        return Decoded::Repeated;
    }
    Decoded::Fields {
        fields,
        sealed: false,
    }
}

/// Temperature, humidity and pressure stand at the same places in all three.
fn climate(data: &[u8]) -> Vec<Field> {
    let mut fields = Vec::with_capacity(12);
    let temperature = be_signed(&data[1..3]);
    if temperature != -0x8000 {
        fields.push(TEMPERATURE.measured(per(temperature, 200.0)));
    }
    word(&HUMIDITY, &data[3..5], 400.0, &mut fields);
    let pressure = be(&data[5..7]);
    if pressure != 0xFFFF {
        fields.push(PRESSURE.measured(per_unsigned(pressure + 50_000, 1.0)));
    }
    fields
}

fn format_6(data: &[u8]) -> Vec<Field> {
    let mut fields = climate(data);
    word(&PM25, &data[7..9], 10.0, &mut fields);
    word(&CO2, &data[9..11], 1.0, &mut fields);
    indexes(data[11], data[12], data[16], &mut fields);
    if data[13] != 0xFF {
        fields.push(ILLUMINANCE.measured(logarithmic(data[13])));
    }
    fields
}

fn format_e1(data: &[u8]) -> Vec<Field> {
    let mut fields = climate(data);
    for (kind, at) in [(&PM1, 7), (&PM25, 9), (&PM4, 11), (&PM10, 13)] {
        word(kind, &data[at..at + 2], 10.0, &mut fields);
    }
    word(&CO2, &data[15..17], 1.0, &mut fields);
    indexes(data[17], data[18], data[28], &mut fields);
    let light = be(&data[19..22]);
    if light != 0xFF_FFFF {
        fields.push(ILLUMINANCE.measured(per_unsigned(light, 100.0)));
    }
    fields
}

fn format_c5(data: &[u8]) -> Vec<Field> {
    let mut fields = climate(data);
    let power = be(&data[7..9]);
    if power >> 5 != 0x7FF {
        fields.push(BATTERY_VOLTAGE.measured(per_unsigned((power >> 5) + 1600, 1000.0)));
    }
    if power & 0x1F != 0x1F {
        let counts = i64::try_from(power & 0x1F).unwrap_or_default();
        fields.push(TX_POWER.measured(per(2 * counts - 40, 1.0)));
    }
    if data[9] != 0xFF {
        fields.push(MOVEMENT_COUNTER.measured(count(data[9])));
    }
    fields
}

fn word(kind: &'static Kind, bytes: &[u8], divisor: f64, fields: &mut Vec<Field>) {
    let counts = be(bytes);
    if counts != 0xFFFF {
        fields.push(kind.measured(per_unsigned(counts, divisor)));
    }
}

/// The indexes of volatile compounds and nitrogen oxides have nine bits, whose lowest stand among the flags, with the one that says
/// that the sensors are settling.
fn indexes(voc: u8, nox: u8, flags: u8, fields: &mut Vec<Field>) {
    for (kind, high, low) in [(&VOC_INDEX, voc, flags >> 6 & 1), (&NOX, nox, flags >> 7)] {
        let index = u64::from(high) << 1 | u64::from(low);
        if index != 0x1FF {
            fields.push(kind.measured(per_unsigned(index, 1.0)));
        }
    }
    fields.push(CALIBRATING.measured(flags & 1 != 0));
}

/// 0 to 254 stand for 0 to 65535 lux, by the logarithm.
fn logarithmic(code: u8) -> f64 {
    let step = 65_536_f64.ln() / 254.0;
    ((f64::from(code) * step).exp() - 1.0).round()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{manufacturer, once, told};

    #[track_caller]
    fn check(data: &str, expected: &str) {
        let heard = manufacturer("", COMPANY, data);
        assert_eq!(told(&once(decode, &heard, None)), expected, "{data}");
    }

    /// The test vectors of Ruuvi's documents.
    #[test]
    fn the_documents_vectors_are_read() {
        check(
            "06170C5668C79E007000C90501D9FFCD004C884F",
            "temperature 29.5 Cel, humidity 55.3 %, pressure 101102 Pa, pm25 11.2 ug/m3, co2 201 [ppm], voc_index 10, nox 2, calibrating false, illuminance 13027 lx",
        );
        check(
            "06800000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "humidity 0.6375 %, calibrating true",
        );
        check(
            "E1170C5668C79E0065007004BD11CA00C90A0213E0ACFFFFFFDECDEE10FFFFFFFFFFCBB8334C884F",
            "temperature 29.5 Cel, humidity 55.3 %, pressure 101102 Pa, pm1 10.1 ug/m3, pm25 11.2 ug/m3, pm4 121.3 ug/m3, pm10 455.4 ug/m3, co2 201 [ppm], voc_index 20, nox 4, calibrating false, illuminance 13027 lx",
        );
        check(
            "C512FC5394C37CAC364200CDCBB8334C884F",
            "temperature 24.3 Cel, humidity 53.49 %, pressure 100044 Pa, battery_voltage 2.977 V, tx_power 4 dB[mW], movement_counter 66",
        );
        check("C58000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "");
    }

    #[test]
    fn a_measurement_counts_once() {
        let mut memory = Memory::default();
        let heard = manufacturer("", COMPANY, "C512FC5394C37CAC364200CDCBB8334C884F");
        assert!(matches!(
            decode(&heard, None, &mut memory),
            Decoded::Fields { .. }
        ));
        assert_eq!(decode(&heard, None, &mut memory), Decoded::Repeated);
        for data in ["", "06", "07", "E100"] {
            let decoded = once(decode, &manufacturer("", COMPANY, data), None);
            assert!(matches!(decoded, Decoded::Unfit(_)), "{data}");
        }
    }
}
