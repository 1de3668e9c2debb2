//! SensorPush: values packed as one large number, as sensorpush-ble (MIT) and its tests know it.

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{le, per_unsigned, rounded},
        kind::{HUMIDITY, Kind, PRESSURE, TEMPERATURE},
    },
};

/// One of the values: the smallest, how many steps there are, and how many make one of its unit.
struct Range {
    kind: &'static Kind,
    least: f64,
    steps: u64,
    per_one: f64,
}

static HTP_XW: [Range; 3] = [
    Range {
        kind: &TEMPERATURE,
        least: -40.0,
        steps: 72_001,
        per_one: 400.0,
    },
    Range {
        kind: &HUMIDITY,
        least: 0.0,
        steps: 40_001,
        per_one: 400.0,
    },
    Range {
        kind: &PRESSURE,
        least: 30_000.0,
        steps: 95_001,
        per_one: 1.0,
    },
];
static HT_W: [Range; 2] = [
    Range {
        kind: &TEMPERATURE,
        least: -40.0,
        steps: 66_001,
        per_one: 400.0,
    },
    Range {
        kind: &HUMIDITY,
        least: 0.0,
        steps: 40_001,
        per_one: 400.0,
    },
];
static TC_X: [Range; 1] = [Range {
    kind: &TEMPERATURE,
    least: -200.0,
    steps: 32_001,
    per_one: 16.0,
}];

pub(crate) fn decode(advertisement: &Advertisement, _: Option<&Key>, _: &mut Memory) -> Decoded {
    let first = advertisement.name.as_deref() == Some("s");
    // Other pages of the newer ones hold other things.
    let values = advertisement
        .manufacturer
        .iter()
        .rev()
        .find(|(company, _)| first || company & 3 == 0);
    let Some((company, rest)) = values else {
        return Decoded::Unfit("no manufacturer data of page 0".into());
    };
    let [head, second] = company.to_le_bytes();
    let mut data = Vec::with_capacity(rest.len() + 2);
    data.extend([head, second]);
    data.extend(rest);
    let fields = if first {
        ht1(&data)
    } else {
        match head >> 2 {
            0 => packed(&HTP_XW, &data[1..]),
            1 => packed(&HT_W, &data[1..]),
            2 => packed(&TC_X, &data[1..]),
            _ => None,
        }
    };
    match fields {
        Some(fields) => Decoded::Fields {
            fields,
            sealed: false,
        },
        None => Decoded::Unfit(format!(
            "model {} in byte 0, with {} bytes, is unknown",
            head >> 2,
            data.len()
        )),
    }
}

/// The first model: 12 bits of humidity and 14 of temperature in the units of its sensor (Sensirion SHT2x, 6.1 and 6.2).
fn ht1(data: &[u8]) -> Option<Vec<Field>> {
    if data.len() < 4 || (data[3] & 0x7C) >> 2 != 1 {
        return None;
    }
    let bits = le(&data[..4]);
    let humidity = 125.0f64.mul_add(per_unsigned(bits & 0xFFF, 4096.0), -6.0);
    let celsius = 175.72f64.mul_add(per_unsigned(bits >> 12 & 0x3FFF, 16_384.0), -46.85);
    Some(vec![
        TEMPERATURE.measured(rounded(celsius, 2)),
        HUMIDITY.measured(rounded(humidity.clamp(0.0, 100.0), 2)),
    ])
}

/// The values are the digits of a number whose base is another at each place.
fn packed(ranges: &'static [Range], bytes: &[u8]) -> Option<Vec<Field>> {
    if bytes.len() < 2 || bytes.len() > 8 {
        return None;
    }
    let mut number = le(bytes);
    let fields = ranges.iter().map(|range| {
        let step = number % range.steps;
        number /= range.steps;
        let value = rounded(per_unsigned(step, range.per_one) + range.least, 2);
        range.kind.measured(value)
    });
    Some(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{manufacturer, once, told};

    #[test]
    fn every_model_is_read() {
        for (name, company, data, expected) in [
            ("SensorPush HT.w 0CA1", 0x0704, "e1e88e16", ""),
            ("s", 0x4A0A, "5206", ""),
        ] {
            let decoded = once(decode, &manufacturer(name, company, data), None);
            assert!(
                expected.is_empty() && matches!(decoded, Decoded::Fields { .. }),
                "{name}: {}",
                told(&decoded)
            );
        }
        let decoded = once(decode, &manufacturer("SensorPush TC.x", 0x0003, "00"), None);
        assert!(matches!(decoded, Decoded::Unfit(_)));
        // Nothing but steps: -40 °C and 0 %.
        let decoded = once(
            decode,
            &manufacturer("SensorPush HT.w", 0x0004, "000000"),
            None,
        );
        assert_eq!(told(&decoded), "temperature -40 Cel, humidity 0 %");
    }
}
