//! Mopeka's tank sensors of the Pro family (mopeka-iot-ble, MIT, and spbrogan/mopeka_pro_check).

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{le, per_unsigned, rounded, signed},
        kind::{
            BATTERY, BATTERY_VOLTAGE, BUTTON_PRESSED, POSITION_X, POSITION_Y, QUALITY, TANK_LEVEL,
            TANK_LEVEL_RAW, TEMPERATURE, count,
        },
    },
};

const COMPANY: u16 = 0x0059;

/// How far sound goes in a count, by the temperature's own unit: a + b t + c t².
struct Medium(f64, f64, f64);

const PROPANE: Medium = Medium(0.573_045, -0.002_822, -0.000_005_35);
const AIR: Medium = Medium(0.153_096, 0.000_327, -0.000_000_294);
const WATER: Medium = Medium(0.600_592, 0.003_124, -0.000_013_68);

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
        return Decoded::Unfit("no manufacturer data of company 0059".into());
    };
    let [model, battery, temperature, low, high, _, _, _, x, y] = data.as_slice() else {
        return Decoded::Unfit(format!(
            "{} bytes are not the 10 of a Pro sensor",
            data.len()
        ));
    };
    let medium = match model {
        // Under a bottle or a tank of gas, which is what they are sold for.
        0x03 | 0x04 | 0x06 | 0x08 | 0x09 | 0x0C | 0x12 => PROPANE,
        0x05 => WATER,
        // On top of a tank, through the air.
        0x0A | 0x0B => AIR,
        _ => return Decoded::Unfit(format!("model {model:02x} at byte 0 is unknown")),
    };
    memory.model = Some((*model).into());
    let level = le(&[*low, *high]) & 0x3FFF;
    let quality = high >> 6;
    let mut fields = status(*battery, *temperature);
    fields.push(TANK_LEVEL_RAW.measured(level));
    // Without an echo the level is no level.
    if quality > 0 {
        fields.push(TANK_LEVEL.measured(medium.millimetres(level, temperature & 0x7F)));
    }
    fields.push(QUALITY.measured(count(quality)));
    fields.push(POSITION_X.measured(count(*x)));
    fields.push(POSITION_Y.measured(count(*y)));
    Decoded::Fields {
        fields,
        sealed: false,
    }
}

/// Thirty-seconds of a volt, of which 2.2 is empty and 2.85 full; degrees above -40, and the button in the highest bit.
fn status(battery: u8, temperature: u8) -> Vec<Field> {
    let volts = f64::from(battery) / 32.0;
    let percent = ((volts - 2.2) / 0.65 * 100.0).clamp(0.0, 100.0);
    let mut fields = Vec::with_capacity(9);
    fields.push(BATTERY_VOLTAGE.measured(volts));
    fields.push(BATTERY.measured(rounded(percent, 1)));
    let celsius = signed(u64::from(temperature & 0x7F), 64) - 40;
    fields.push(TEMPERATURE.measured(crate::decode::bytes::per(celsius, 1.0)));
    fields.push(BUTTON_PRESSED.measured(temperature & 0x80 != 0));
    fields
}

// === impl Medium ===

impl Medium {
    fn millimetres(&self, level: u64, temperature: u8) -> f64 {
        let t = f64::from(temperature);
        let per_count = (self.2 * t + self.1) * t + self.0;
        (per_unsigned(level, 1.0) * per_count).trunc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{manufacturer, once, told};

    #[test]
    fn a_tank_is_measured() {
        let decoded = once(
            decode,
            &manufacturer("", COMPANY, "08 72 46 00 c0 79 46 7e 00 01"),
            None,
        );
        assert_eq!(
            told(&decoded),
            "battery_voltage 3.5625 V, battery 100 %, temperature 30 Cel, button_pressed false, tank_level_raw 0, tank_level 0 mm, quality 3, position_x 0, position_y 1"
        );
        let decoded = once(
            decode,
            &manufacturer("", COMPANY, "03 5a b3 54 14 79 46 7e 00 01"),
            None,
        );
        let told = told(&decoded);
        assert!(
            told.contains("button_pressed true") && !told.contains("tank_level "),
            "{told}"
        );
        for data in ["", "0872", "ff7246000000000000aa"] {
            let decoded = once(decode, &manufacturer("", COMPANY, data), None);
            assert!(matches!(decoded, Decoded::Unfit(_)), "{data}");
        }
    }
}
