//! Govee thermometers, probes and sensors, as govee-ble (Apache-2.0) and its tests know their manufacturer data.

mod probes;
mod sealed;

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{be, le, le_signed, per, per_unsigned},
        kind::{
            BATTERY, BATTERY_REMOTE, CO2, HUMIDITY, HUMIDITY_PROBES, HUMIDITY_REMOTE, Kind, MOTION,
            OCCUPANCY, PM25, TEMPERATURE, TEMPERATURE_PROBE, TEMPERATURE_REMOTE,
        },
    },
};

/// Their company is no company: the identifier's bytes are part of the data, and Apple's beacon stands beside them.
const APPLE: u16 = 0x004C;

/// What tells one model from another.
struct Heard<'a> {
    company: u16,
    name: &'a str,
    services: &'a [uuid::Uuid],
}

pub(crate) fn decode(
    advertisement: &Advertisement,
    _: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let others = advertisement.manufacturer.iter().rev();
    for (company, data) in others.filter(|(company, _)| *company != APPLE) {
        let heard = Heard {
            company: *company,
            name: advertisement.name.as_deref().unwrap_or_default(),
            services: &advertisement.services,
        };
        // Apple's beacon is sometimes glued to the end.
        let glued = data.len() > 25 && data.windows(13).any(|part| part == b"INTELLI_ROCKS");
        let data = if glued {
            &data[..data.len() - 25]
        } else {
            data
        };
        if data.len() == 24 {
            return sealed::read(&heard, data, memory);
        }
        if let Some(fields) = read(&heard, data) {
            return Decoded::Fields {
                fields,
                sealed: false,
            };
        }
    }
    Decoded::Unfit("no manufacturer data of a known Govee model".into())
}

fn read(heard: &Heard<'_>, data: &[u8]) -> Option<Vec<Field>> {
    match data.len() {
        6 => six(heard, data),
        7 if heard.is("H5074") || heard.company == 0xEC88 => Some(hundredths(&data[1..])),
        8 => eight(heard, data),
        9 => nine(heard, data),
        14 | 17 | 20 => probes::read(heard, data),
        _ => None,
    }
}

fn six(heard: &Heard<'_>, data: &[u8]) -> Option<Vec<Field>> {
    let presence =
        data.starts_with(&[0xEC, 0x00, 0x01, 0x01]) || data.starts_with(&[0xEC, 0x00, 0x02, 0x01]);
    if presence && (heard.is("H5127") || matches!(heard.company, 0x8803 | 0x8843)) {
        return Some(vec![
            OCCUPANCY.measured(data[4] == 1),
            MOTION.measured(data[5] == 17),
        ]);
    }
    if heard.is("H5106") {
        return Some(air(be(&data[2..])));
    }
    if ["H5072", "H5075", "H5129"]
        .iter()
        .any(|name| heard.is(name))
        || heard.company == 0xEC88
    {
        return Some(packed(&data[1..5], [&TEMPERATURE, &HUMIDITY, &BATTERY]));
    }
    heard
        .is_h5101()
        .then(|| packed(&data[2..6], [&TEMPERATURE, &HUMIDITY, &BATTERY]))
}

fn eight(heard: &Heard<'_>, data: &[u8]) -> Option<Vec<Field>> {
    if heard.is("H5112") || heard.is("GV5112") {
        return h5112(data);
    }
    if heard.is("5140") {
        let (celsius, percent) = unpacked(be(&data[2..5]));
        let fits = plausible(celsius) && data[7] == 0;
        let fields = [
            TEMPERATURE.measured(celsius),
            HUMIDITY.measured(percent),
            CO2.measured(per_unsigned(be(&data[5..7]), 1.0)),
        ];
        return Some(if fits { fields.into() } else { Vec::new() });
    }
    (heard.is_h5101() || heard.company == 0x0001)
        .then(|| packed(&data[2..6], [&TEMPERATURE, &HUMIDITY, &BATTERY]))
}

fn h5112(data: &[u8]) -> Option<Vec<Field>> {
    let probe = match data[7] {
        0x41 => 1,
        0x82 => 2,
        _ => return None,
    };
    let (celsius, percent) = unpacked(be(&data[2..5]));
    let mut fields = Vec::with_capacity(3);
    if plausible(celsius) && data[5] & 0x80 == 0 {
        fields.push(TEMPERATURE_PROBE.suffixed(probe, celsius));
        // The second probe is a metal one.
        if probe == 1 {
            fields.push(HUMIDITY_PROBES.suffixed(probe, percent));
        }
    }
    fields.push(BATTERY.measured(f64::from(data[5] & 0x7F)));
    Some(fields)
}

fn nine(heard: &Heard<'_>, data: &[u8]) -> Option<Vec<Field>> {
    if heard.company == 0xEC88
        || ["H5051", "H5052", "H5071"]
            .iter()
            .any(|name| heard.is(name))
    {
        return Some(hundredths(&data[1..]));
    }
    if heard.is("5178") || heard.company == 0x0001 {
        let kinds = match data[2] {
            1 => [&TEMPERATURE_REMOTE, &HUMIDITY_REMOTE, &BATTERY_REMOTE],
            _ => [&TEMPERATURE, &HUMIDITY, &BATTERY],
        };
        return Some(packed(&data[3..7], kinds));
    }
    (heard.is("H5179") || heard.company == 0x8801).then(|| hundredths(&data[4..]))
}

/// Temperature, humidity in hundredths, and the battery.
fn hundredths(data: &[u8]) -> Vec<Field> {
    vec![
        TEMPERATURE.measured(per(le_signed(&data[..2]), 100.0)),
        HUMIDITY.measured(per_unsigned(le(&data[2..4]), 100.0)),
        BATTERY.measured(f64::from(data[4])),
    ]
}

/// Three bytes with temperature and humidity, and the battery with a fault in its highest bit. With the fault there is no measurement.
fn packed(data: &[u8], [temperature, humidity, battery]: [&'static Kind; 3]) -> Vec<Field> {
    let (celsius, percent) = unpacked(be(&data[..3]));
    let mut fields = Vec::with_capacity(3);
    if plausible(celsius) && data[3] & 0x80 == 0 {
        fields.push(temperature.measured(celsius));
        fields.push(humidity.measured(percent));
    }
    fields.push(battery.measured(f64::from(data[3] & 0x7F)));
    fields
}

/// The thousands are tenths of a degree, the rest tenths of a percent; the highest bit is the sign of both, which only the
/// temperature has.
fn unpacked(packed: u64) -> (f64, f64) {
    let number = packed & 0x7F_FFFF;
    let celsius = per_unsigned(number / 1000, 10.0);
    let sign = if packed & 0x80_0000 == 0 { 1.0 } else { -1.0 };
    (celsius * sign, per_unsigned(number % 1000, 10.0))
}

/// The H5106: millions are tenths of a degree, thousands tenths of a percent, the rest fine dust.
fn air(packed: u64) -> Vec<Field> {
    let number = packed & 0x7FFF_FFFF;
    let sign = if packed & 0x8000_0000 == 0 { 1.0 } else { -1.0 };
    vec![
        TEMPERATURE.measured(per_unsigned(number / 1_000_000, 10.0) * sign),
        HUMIDITY.measured(per_unsigned(number % 1_000_000 / 1_000, 10.0)),
        PM25.measured(per_unsigned(number % 1_000, 1.0)),
    ]
}

/// What these thermometers can measure.
fn plausible(celsius: f64) -> bool {
    (-40.0..=100.0).contains(&celsius)
}

// === impl Heard ===

impl Heard<'_> {
    fn is(&self, model: &str) -> bool {
        self.name.contains(model)
    }

    fn is_h5101(&self) -> bool {
        const NAMES: [&str; 11] = [
            "H5108", "H5100", "H5101", "H5102", "H5103", "H5104", "H5105", "H5174", "H5177",
            "H5110", "GV5179",
        ];
        NAMES.iter().any(|name| self.is(name))
    }
}

#[cfg(test)]
mod tests;
