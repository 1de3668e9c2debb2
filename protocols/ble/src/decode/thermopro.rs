//! ThermoPro thermometers, whose values begin in the place of the company identifier (thermopro-ble, MIT, and its tests).

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{le, le_signed, per, per_unsigned, rounded},
        kind::{
            BATTERY, BATTERY_PROBE, HUMIDITY, TEMPERATURE, TEMPERATURE_AMBIENT, TEMPERATURE_CENTER,
            TEMPERATURE_END, TEMPERATURE_PROBE,
        },
    },
};

pub(crate) fn decode(advertisement: &Advertisement, _: Option<&Key>, _: &mut Memory) -> Decoded {
    let name = advertisement.name.as_deref().unwrap_or_default();
    let Some((company, rest)) = advertisement.manufacturer.last() else {
        return Decoded::Unfit("no manufacturer data".into());
    };
    let mut data = Vec::with_capacity(rest.len() + 2);
    data.extend(company.to_le_bytes());
    data.extend(rest);
    let fields = match data.len() {
        23 if name.starts_with("TP97") => spike_of_four(&data),
        7 | 13 if name.starts_with("TP96") || name.starts_with("TP97") => spike(&data),
        6.. if name.starts_with("TP3") => Some(climate(&data)),
        _ => None,
    };
    match fields {
        Some(fields) => Decoded::Fields {
            fields,
            sealed: false,
        },
        None => Decoded::Unfit(format!(
            "{} bytes of `{}` are no known model's",
            data.len(),
            name.escape_debug()
        )),
    }
}

/// Tenths of a degree, whole percents, and three steps of battery.
fn climate(data: &[u8]) -> Vec<Field> {
    let mut fields = Vec::with_capacity(3);
    if data[1..4] != [0xFF; 3] {
        fields.push(TEMPERATURE.measured(per(le_signed(&data[1..3]), 10.0)));
        fields.push(HUMIDITY.measured(f64::from(data[3])));
    }
    let battery = match data[4] & 3 {
        0 => 1.0,
        1 => 50.0,
        2 => 100.0,
        _ => return fields,
    };
    fields.push(BATTERY.measured(battery));
    fields
}

/// A meat probe: the meat and the air, 30 above the degrees, and a voltage.
fn spike(data: &[u8]) -> Option<Vec<Field>> {
    let probe = data[0].checked_add(1)?;
    let celsius = |at: usize| per_unsigned(le(&data[at..at + 2]), 1.0) - 30.0;
    Some(vec![
        TEMPERATURE_PROBE.suffixed(probe, celsius(1)),
        TEMPERATURE_AMBIENT.suffixed(probe, celsius(5)),
        BATTERY_PROBE.suffixed(probe, charge(le(&data[3..5]))),
    ])
}

/// A longer one with three places in the meat, in degrees Fahrenheit, 54 too many.
fn spike_of_four(data: &[u8]) -> Option<Vec<Field>> {
    let probe = data[0].checked_add(1)?;
    let celsius = |fahrenheit: f64| rounded((fahrenheit - 54.0 - 32.0) * 5.0 / 9.0, 1);
    let place = |at: usize| {
        let bytes = data[at..at + 4].try_into().ok().map(f32::from_le_bytes);
        let fahrenheit = bytes.filter(|number| number.is_finite())?;
        Some(celsius(f64::from(fahrenheit)))
    };
    let places = [
        (&TEMPERATURE_PROBE, 5),
        (&TEMPERATURE_CENTER, 9),
        (&TEMPERATURE_END, 13),
    ];
    let mut fields: Vec<Field> = places
        .into_iter()
        .filter_map(|(kind, at)| Some(kind.suffixed(probe, place(at)?)))
        .collect();
    let ambient = celsius(per_unsigned(le(&data[1..3]), 1.0)).trunc();
    fields.push(TEMPERATURE_AMBIENT.suffixed(probe, ambient));
    fields.push(BATTERY_PROBE.suffixed(probe, charge(le(&data[3..5]))));
    Some(fields)
}

/// What thermopro-ble fitted to the display: a curve over a voltage of unknown unit.
fn charge(voltage: u64) -> f64 {
    let curve = (per_unsigned(voltage, 273.624_277_936) - 8.764_854_393_94).tanh();
    rounded(52.317_286f64.mul_add(curve, 51.069_25).clamp(0.0, 100.0), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{manufacturer, once, told};

    #[test]
    fn displays_and_spikes_are_read() {
        for (name, company, data, expected) in [
            (
                "TP357 (2142)",
                0xF1C2,
                "00 2b 02 2c",
                "temperature 24.1 Cel, humidity 43 %, battery 100 %",
            ),
            (
                "TP393 (9376)",
                0xF1C2,
                "00 2b 00 2c",
                "temperature 24.1 Cel, humidity 43 %, battery 1 %",
            ),
            ("TP357S (2142)", 0xFFC2, "ff ff 01 2c", "battery 50 %"),
            (
                "TP96 (ABCD)",
                0x3600,
                "00 d00a 3500",
                "temperature_probe_1 24 Cel, temperature_ambient_probe_1 23 Cel, battery_probe_1 97 %",
            ),
        ] {
            let decoded = once(decode, &manufacturer(name, company, data), None);
            assert_eq!(told(&decoded), expected, "{name}");
        }
        for (name, data) in [("TP357", "00"), ("Other", "002b022c"), ("TP96", "00")] {
            let decoded = once(decode, &manufacturer(name, 1, data), None);
            assert!(matches!(decoded, Decoded::Unfit(_)), "{name}");
        }
    }
}
