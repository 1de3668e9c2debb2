//! Inkbird thermometers and probes, whose values begin in the place of the company identifier (inkbird-ble, MIT, and its tests).

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{be, be_signed, le, le_signed, per, per_unsigned, rounded},
        kind::{BATTERY, CO2, HUMIDITY, TEMPERATURE, TEMPERATURE_PROBE},
    },
};

/// The identifier that newer ones have in the place of a company.
const PADDED: u16 = 0x2449;
const IAM_T2: u16 = 0x3254;
/// They send an identifier 2 beside the values.
const OTHER: u16 = 0x0002;

pub(crate) fn decode(advertisement: &Advertisement, _: Option<&Key>, _: &mut Memory) -> Decoded {
    let name = advertisement
        .name
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let several = advertisement.manufacturer.len() > 1;
    let values = advertisement
        .manufacturer
        .iter()
        .rev()
        .find(|(company, _)| !several || *company != OTHER);
    let Some((company, rest)) = values else {
        return Decoded::Unfit("no manufacturer data".into());
    };
    let mut data = Vec::with_capacity(rest.len() + 2);
    data.extend(company.to_le_bytes());
    data.extend(rest);
    let fields = match (data.len(), name.as_str()) {
        (8 | 9, "sps") => nine(&data, true),
        // The probe has no humidity, and says so by one of two numbers.
        (8 | 9, "tps") => nine(&data, !matches!(le(&data[2..4]), 0 | 0xFFFF)),
        (12 | 14 | 18 | 22, name) if name.contains("bbq") => Ok(probes(&data[10..])),
        (18, "ibs-p02b" | "ith-11-b" | "ith-13-b" | "ith-21-b") => eighteen(&data),
        (18, _) if *company == PADDED && data.ends_with(&[0; 3]) => eighteen(&data),
        (17, _) if *company == IAM_T2 && data[2..4] == [0x00, 0x62] => air(&data),
        (length, _) => Err(format!(
            "{length} bytes of `{}` are no known model's",
            name.escape_debug()
        )),
    };
    match fields {
        Ok(fields) => Decoded::Fields {
            fields,
            sealed: false,
        },
        Err(why) => Decoded::Unfit(why),
    }
}

/// Hundredths of a degree and of a percent, and the battery.
fn nine(data: &[u8], humid: bool) -> Result<Vec<Field>, String> {
    let mut fields = vec![TEMPERATURE.measured(per(le_signed(&data[..2]), 100.0))];
    if humid {
        fields.push(HUMIDITY.measured(percent(le(&data[2..4]), 100.0, 2)?));
    }
    fields.push(BATTERY.measured(percent(data[7].into(), 1.0, 7)?));
    Ok(fields)
}

/// Tenths, after the address.
fn eighteen(data: &[u8]) -> Result<Vec<Field>, String> {
    let humidity = percent(le(&data[8..10]), 10.0, 8)?;
    let mut fields = vec![
        TEMPERATURE.measured(per(le_signed(&data[6..8]), 10.0)),
        BATTERY.measured(percent(data[10].into(), 1.0, 10)?),
    ];
    // Models without that sensor send 0.
    if humidity > 0.0 {
        fields.push(HUMIDITY.measured(humidity));
    }
    Ok(fields)
}

/// Carbon dioxide, too; the most significant byte first. Its battery's number has no known meaning.
fn air(data: &[u8]) -> Result<Vec<Field>, String> {
    let tenths = per(be_signed(&data[10..12]), 10.0);
    let fahrenheit = data[9] & 0x02 != 0;
    let celsius = if fahrenheit {
        rounded((tenths - 32.0) * 5.0 / 9.0, 2)
    } else {
        tenths
    };
    Ok(vec![
        TEMPERATURE.measured(celsius),
        HUMIDITY.measured(percent(be(&data[12..14]), 10.0, 12)?),
        CO2.measured(per_unsigned(be(&data[14..16]), 1.0)),
    ])
}

/// One to six probes in tenths of a degree; one that is not plugged in has all bits set.
fn probes(data: &[u8]) -> Vec<Field> {
    let numbered = (1_u8..).zip(data.chunks_exact(2));
    numbered
        .filter(|(_, counts)| **counts != [0xFF, 0xFF])
        .map(|(probe, counts)| TEMPERATURE_PROBE.suffixed(probe, per(le_signed(counts), 10.0)))
        .collect()
}

/// More than all is how a damaged packet shows: these devices send some.
fn percent(counts: u64, divisor: f64, at: usize) -> Result<f64, String> {
    let percent = per_unsigned(counts, divisor);
    if percent > 100.0 {
        return Err(format!("{percent} % at byte {at} is more than all"));
    }
    Ok(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{manufacturer, once, told};

    #[track_caller]
    fn check(name: &str, company: u16, data: &str, expected: &str) {
        let decoded = once(decode, &manufacturer(name, company, data), None);
        assert_eq!(told(&decoded), expected, "{name} {data}");
    }

    #[test]
    fn every_model_is_read() {
        check(
            "sps",
            2096,
            "0f12005ac75706",
            "temperature 20.96 Cel, humidity 46.23 %, battery 87 %",
        );
        check(
            "tps",
            2248,
            "0000005ac75706",
            "temperature 22.48 Cel, battery 87 %",
        );
        check(
            "iBBQ",
            0,
            "000030e28304b2b1c800ffff",
            "temperature_probe_1 20 Cel",
        );
        check(
            "xBBQ",
            1,
            "000030e28304b2b10a00",
            "temperature_probe_1 1 Cel",
        );
        let padded = "14000104f80017026400000000000000";
        check(
            "ITH-21-B",
            9289,
            padded,
            "temperature 24.8 Cel, battery 100 %, humidity 53.5 %",
        );
    }

    #[test]
    fn damage_and_strangers_are_told() {
        for (name, data) in [
            ("sps", "ffff005ac75706"),
            ("sps", "0f"),
            ("other", "0f12005ac75706"),
            ("", ""),
        ] {
            let decoded = once(decode, &manufacturer(name, 2096, data), None);
            assert!(
                matches!(decoded, Decoded::Unfit(_)),
                "{name} {data}: {}",
                told(&decoded)
            );
        }
    }
}
