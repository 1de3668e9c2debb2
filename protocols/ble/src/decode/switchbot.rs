//! SwitchBot (OpenWonderLabs/SwitchBotAPI-BLE; pySwitchbot, MIT, and its tests): service data name the model, manufacturer data of
//! company 0x0969 carry what newer firmware tells.

use crate::{
    Advertisement, Decoded, Field, Key, Memory,
    decode::{
        bytes::{be, per_unsigned},
        kind::{
            BATTERY, BATTERY_LOW, BUTTON_COUNTER, CALIBRATED, CO2, CONTACT_TIMEOUT, HUMIDITY, LEAK,
            LIGHT, LIGHT_LEVEL, MOTION, MOVING, ON, OPENING, POSITION, POWER, REPORTS_MODE, TAMPER,
            TEMPERATURE, TESTED, WIFI_RSSI, count,
        },
    },
    uuid16,
};

const SERVICES: [u16; 2] = [0xFD3D, 0x0D00];
const COMPANY: u16 = 0x0969;

/// The most that the carbon dioxide sensor can measure: what is above is a fault.
const MOST_CO2_PPM: u64 = 9_999;

/// What a device told.
struct Told<'a> {
    /// Model, state, battery, and what belongs to the model.
    service: &'a [u8],
    /// Address, a number of the packet, and what belongs to the model.
    maker: &'a [u8],
}

pub(crate) fn decode(
    advertisement: &Advertisement,
    _: Option<&Key>,
    memory: &mut Memory,
) -> Decoded {
    let services = SERVICES.map(uuid16);
    let service = advertisement
        .service_data
        .iter()
        .find(|(uuid, _)| services.contains(uuid));
    let maker = advertisement
        .manufacturer
        .iter()
        .rev()
        .find(|(company, _)| *company == COMPANY);
    let told = Told {
        service: service.map_or(&[], |(_, data)| data.as_slice()),
        maker: maker.map_or(&[], |(_, data)| data.as_slice()),
    };
    // The model is known from the service data, which come in the scan response, and then remembered.
    if let Some(model) = told.service.first() {
        memory.model = Some((model & 0x7F).into());
    }
    let Some(model) = memory.model.and_then(|model| u8::try_from(model).ok()) else {
        return Decoded::Unfit("no service data of UUID fd3d, which name the model".into());
    };
    let fields = match model.to_ascii_lowercase() {
        b't' | b'i' | b'w' | b'4' | 0x14 => told.climate(),
        b'5' | 0x15 => told.climate_with_co2(),
        b'v' => told.hub_2(),
        b'd' => told.contact(),
        b's' => told.motion(),
        b'c' | b'{' | b'[' => told.curtain(),
        b'h' => told.bot(),
        b'g' | b'j' => told.plug(),
        b'&' | 0x06 => told.leak(),
        b'b' => told.battery().map(|battery| vec![battery]),
        _ => return Decoded::Unfit(format!("model {model:02x} at byte 0 is unknown")),
    };
    match fields {
        Some(fields) => Decoded::Fields {
            fields,
            sealed: false,
        },
        None => Decoded::Unfit(format!(
            "{} bytes of service and {} of manufacturer data are too few for model {model:02x}",
            told.service.len(),
            told.maker.len()
        )),
    }
}

// === impl Told ===

impl Told<'_> {
    fn battery(&self) -> Option<Field> {
        let byte = self.service.get(2)?;
        Some(BATTERY.measured(f64::from(byte & 0x7F)))
    }

    fn climate(&self) -> Option<Vec<Field>> {
        let measured = self.maker.get(8..11).or(self.service.get(3..6))?;
        let mut fields = temperature_and_humidity(measured);
        if !fields.is_empty() {
            fields.extend(self.battery());
        }
        Some(fields)
    }

    fn climate_with_co2(&self) -> Option<Vec<Field>> {
        let mut fields = self.climate()?;
        let ppm = self.maker.get(13..15).map(be);
        let ppm = ppm.filter(|ppm| *ppm <= MOST_CO2_PPM && !fields.is_empty());
        fields.extend(ppm.map(|ppm| CO2.measured(per_unsigned(ppm, 1.0))));
        Some(fields)
    }

    fn hub_2(&self) -> Option<Vec<Field>> {
        let measured = self.maker.get(13..16)?;
        let mut fields = temperature_and_humidity(measured);
        if !fields.is_empty() {
            fields.push(LIGHT_LEVEL.measured(count(self.maker[12] & 0x1F)));
        }
        Some(fields)
    }

    fn contact(&self) -> Option<Vec<Field>> {
        let (motion, open, timeout, light, presses) =
            if let Some([state, _, _, _, _, presses, ..]) = self.maker.get(7..) {
                (
                    state & 0x80,
                    state & 0x10,
                    state & 0x20,
                    state & 0x40,
                    presses,
                )
            } else {
                let [_, state, _, contact, _, _, _, _, presses, ..] = self.service else {
                    return None;
                };
                (state & 0x40, contact & 2, contact & 4, contact & 1, presses)
            };
        let mut fields = vec![
            // Left open for long is open, too.
            OPENING.measured(open | timeout != 0),
            CONTACT_TIMEOUT.measured(timeout != 0),
            MOTION.measured(motion != 0),
            LIGHT.measured(light != 0),
            BUTTON_COUNTER.measured(count(presses & 0x0F)),
        ];
        fields.extend(
            self.service
                .get(1)
                .map(|state| TESTED.measured(state & 0x80 != 0)),
        );
        fields.extend(self.battery());
        Some(fields)
    }

    fn motion(&self) -> Option<Vec<Field>> {
        let maker = self.maker.get(7);
        let mut fields = Vec::with_capacity(4);
        if let [_, state, _, _, _, light, ..] = self.service {
            fields.push(TESTED.measured(state & 0x80 != 0));
            fields.extend(self.battery());
            // What newer firmware tells beside it is younger.
            if maker.is_none() {
                fields.push(MOTION.measured(state & 0x40 != 0));
                fields.push(LIGHT.measured(light & 2 != 0));
            }
        }
        if let Some(state) = maker {
            fields.push(MOTION.measured(state & 0x40 != 0));
            fields.push(LIGHT.measured(state & 0x20 != 0));
        }
        Some(fields).filter(|fields| !fields.is_empty())
    }

    fn curtain(&self) -> Option<Vec<Field>> {
        let (place, battery) = match self.maker {
            [_, _, _, _, _, _, _, _, place, light, _, _, battery, ..] => {
                ([*place, *light], Some(*battery))
            }
            [_, _, _, _, _, _, _, _, place, light, _, ..] => {
                ([*place, *light], self.service.get(2).copied())
            }
            _ => match self.service {
                [_, _, battery, place, light, _, ..] => ([*place, *light], Some(*battery)),
                _ => return None,
            },
        };
        let closed = (place[0] & 0x7F).min(100);
        let mut fields = vec![
            // They count how far it is closed; here 100 is open.
            POSITION.measured(f64::from(100 - closed)),
            MOVING.measured(place[0] & 0x80 != 0),
            LIGHT_LEVEL.measured(count(place[1] >> 4)),
        ];
        fields.extend(battery.map(|battery| BATTERY.measured(f64::from(battery & 0x7F))));
        fields.extend(
            self.service
                .get(1)
                .map(|state| CALIBRATED.measured(state & 0x40 != 0)),
        );
        Some(fields)
    }

    fn bot(&self) -> Option<Vec<Field>> {
        let [_, state, _, ..] = self.service else {
            return None;
        };
        let switches = state & 0x80 != 0;
        let mut fields = vec![
            REPORTS_MODE.measured(switches),
            ON.measured(switches && state & 0x40 == 0),
        ];
        fields.extend(self.battery());
        Some(fields)
    }

    fn plug(&self) -> Option<Vec<Field>> {
        let [state, _, rssi, high, low, ..] = self.maker.get(7..)? else {
            return None;
        };
        Some(vec![
            ON.measured(*state == 0x80),
            WIFI_RSSI.measured(-f64::from(*rssi)),
            POWER.measured(per_unsigned(be(&[*high, *low]) & 0x7FFF, 10.0)),
        ])
    }

    fn leak(&self) -> Option<Vec<Field>> {
        let [battery, state, ..] = self.maker.get(7..)? else {
            return None;
        };
        Some(vec![
            LEAK.measured(state & 1 != 0),
            TAMPER.measured(state & 2 != 0),
            BATTERY.measured(f64::from(battery & 0x7F)),
            BATTERY_LOW.measured(battery & 0x80 != 0),
        ])
    }
}

/// Tenths in four bits, the degrees with a sign bit that is set above zero, and the percents. All zero is not measured yet.
fn temperature_and_humidity(bytes: &[u8]) -> Vec<Field> {
    let [tenths, degrees, percent] = bytes else {
        return Vec::new();
    };
    let (tenths, percent) = (tenths & 0x0F, percent & 0x7F);
    let counts = f64::from(u16::from(degrees & 0x7F) * 10 + u16::from(tenths));
    if counts == 0.0 && percent == 0 {
        return Vec::new();
    }
    let sign = if degrees & 0x80 == 0 { -1.0 } else { 1.0 };
    vec![
        TEMPERATURE.measured(sign * counts / 10.0),
        HUMIDITY.measured(f64::from(percent)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::{hex, once, service, told};

    #[track_caller]
    fn check(data: &str, maker: &str, expected: &str) {
        let mut heard = service("C0:DE:00:00:00:01", 0xFD3D, data);
        if !maker.is_empty() {
            heard.manufacturer.push((COMPANY, hex(maker)));
        }
        assert_eq!(
            told(&once(decode, &heard, None)),
            expected,
            "{data} {maker}"
        );
    }

    #[test]
    fn every_model_is_read() {
        check(
            "5400 e4 06 96 b3",
            "",
            "temperature 22.6 Cel, humidity 51 %, battery 100 %",
        );
        check(
            "5400 e4 03 05 b3",
            "",
            "temperature -5.3 Cel, humidity 51 %, battery 100 %",
        );
        check(
            "7700 64",
            "aabbccddeeff 5503 059823 00",
            "temperature 24.5 Cel, humidity 35 %, battery 100 %",
        );
        check("4890 64", "", "switch_mode true, on true, battery 100 %");
        check(
            "63c0 58 00 11 04",
            "",
            "position 100 %, moving false, light_level 1, battery 88 %, calibrated true",
        );
        check(
            "6740 00",
            "aabbccddeeff 0180 00 2a 0064",
            "on true, wifi_rssi -42 dB[mW], power 10 W",
        );
        check(
            "2600 00",
            "aabbccddeeff 01 e4 03",
            "leak true, tamper true, battery 100 %, battery_low true",
        );
        check(
            "7340 5f 00 00 02",
            "",
            "tested false, battery 95 %, motion true, light true",
        );
        check(
            "6400 58 02 00 00 00 00 03",
            "",
            "opening true, contact_timeout false, motion false, light false, button_counter 3, tested false, battery 88 %",
        );
    }

    #[test]
    fn a_model_is_remembered_between_the_two_parts_of_an_advertisement() {
        let mut memory = Memory::default();
        let mut heard = service("C0:DE:00:00:00:01", 0xFD3D, "770064");
        assert!(matches!(
            decode(&heard, None, &mut memory),
            Decoded::Unfit(_)
        ));
        heard.service_data.clear();
        heard
            .manufacturer
            .push((COMPANY, hex("aabbccddeeff550305982300")));
        assert_eq!(
            told(&decode(&heard, None, &mut memory)),
            "temperature 24.5 Cel, humidity 35 %"
        );
        assert!(matches!(once(decode, &heard, None), Decoded::Unfit(_)));
    }
}
