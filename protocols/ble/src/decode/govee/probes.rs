//! Govee's meat thermometers, with one to six probes.

use super::Heard;
use crate::{
    Field,
    decode::{
        bytes::{be_signed, le_signed, per},
        kind::{BATTERY, LOW_TEMPERATURE_ALARM, TEMPERATURE, TEMPERATURE_ALARM, TEMPERATURE_PROBE},
    },
    uuid16,
};

pub(super) fn read(heard: &Heard<'_>, data: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::with_capacity(4);
    match data.len() {
        14 if heard.model("H5181", 0x8151, &[0xF861, 0x388A, 0xEA42, 0xAAA2, 0xD14B])
            || heard.model("H5183", 0x8351, &[0x67DD, 0xE02F, 0xF79F]) =>
        {
            pair(1, &data[8..10], &data[10..12], &mut fields);
        }
        17 if heard.model("H5182", 0x8251, &[0x2730]) => {
            pair(1, &data[8..10], &data[10..12], &mut fields);
            pair(2, &data[13..15], &data[15..17], &mut fields);
        }
        17 if heard.model("H5184", 0x8451, &[0x1B36]) => {
            let first = first_of_four(data[6])?;
            pair(first, &data[8..10], &data[10..12], &mut fields);
            pair(first + 1, &data[13..15], &data[15..17], &mut fields);
        }
        20 if heard.model("H5185", 0x8551, &[0x4A32, 0x0332, 0x4C32]) => {
            pair(1, &data[8..10], &data[10..12], &mut fields);
            pair(2, &data[14..16], &data[16..18], &mut fields);
        }
        20 if heard.model("H5191", 0x9151, &[0xAC63]) => {
            pair(1, &data[8..10], &data[10..12], &mut fields);
            fields.push(TEMPERATURE.measured(per(be_signed(&data[14..16]), 100.0)));
        }
        20 if heard.model("H5198", 0x9851, &[0x3022]) => {
            let first = first_of_four(data[6])?;
            for (probe, at) in [(first, 8), (first + 1, 14)] {
                pair(probe, &data[at..at + 2], &data[at + 2..at + 4], &mut fields);
                let low = degrees(&data[at + 4..at + 6]);
                fields.extend(low.map(|low| LOW_TEMPERATURE_ALARM.suffixed(probe, low)));
            }
        }
        20 if heard.services.contains(&uuid16(0x5550)) => six(data, &mut fields)?,
        _ => return None,
    }
    Some(fields)
}

/// A probe's temperature and the one at which it gives alarm.
fn pair(probe: u8, temperature: &[u8], alarm: &[u8], fields: &mut Vec<Field>) {
    let temperature =
        degrees(temperature).map(|celsius| TEMPERATURE_PROBE.suffixed(probe, celsius));
    let alarm = degrees(alarm).map(|celsius| TEMPERATURE_ALARM.suffixed(probe, celsius));
    fields.extend(temperature.into_iter().chain(alarm));
}

/// Hundredths; negative ones say that there is no probe, or no alarm.
fn degrees(bytes: &[u8]) -> Option<f64> {
    Some(be_signed(bytes))
        .filter(|counts| *counts >= 0)
        .map(|counts| per(counts, 100.0))
}

/// Which two of the four probes a packet is about.
fn first_of_four(code: u8) -> Option<u8> {
    match code & 0x3F {
        1 => Some(1),
        2 => Some(3),
        _ => None,
    }
}

/// The H5055: whole degrees, the least significant byte first; which probes are plugged in stands in the lower six bits, which
/// two the packet is about in the upper ones.
fn six(data: &[u8], fields: &mut Vec<Field>) -> Option<()> {
    let first = match data[3] & 0xC0 {
        0x00 => 1,
        0x40 => 3,
        0x80 => 5,
        _ => return None,
    };
    for (probe, at) in [(first, 5), (first + 1, 12)] {
        if data[3] & 1 << (probe - 1) == 0 {
            continue;
        }
        let celsius = |at: usize| le_signed(&data[at..at + 2]);
        let set = |at: usize| Some(celsius(at)).filter(|limit| *limit >= 0);
        fields.push(TEMPERATURE_PROBE.suffixed(probe, per(celsius(at), 1.0)));
        let high = set(at + 4).map(|limit| TEMPERATURE_ALARM.suffixed(probe, per(limit, 1.0)));
        let low = set(at + 2).map(|limit| LOW_TEMPERATURE_ALARM.suffixed(probe, per(limit, 1.0)));
        fields.extend(high.into_iter().chain(low));
    }
    fields.push(BATTERY.measured(f64::from(data[2] & 0x7F)));
    Some(())
}

// === impl Heard ===

impl Heard<'_> {
    /// By name, by one of the identifiers that stand in a company's place, or by the service that it has.
    fn model(&self, name: &str, service: u16, companies: &[u16]) -> bool {
        self.is(name)
            || companies.contains(&self.company)
            || self.services.contains(&uuid16(service))
    }
}
