//! The objects of newer devices, whose ids stand for properties and events of MIoT specifications (miot-spec.org).

use super::{
    buttons,
    models::{LEAK_SJWS02LM, LEAK_ZHIEE, OCCUPANCY_XMOSB01XS, PRESENCE_ES5BB},
    objects::still,
    scale,
};
use crate::{
    Field,
    decode::{
        bytes::{le, rounded},
        kind::{
            ASLEEP, BATTERY, BATTERY_LOW, CHARGING_STATE, DOOR_LEFT_OPEN, FORCIBLY_REMOVED,
            HUMIDITY, ILLUMINANCE, Kind, MODE, MOISTURE_DETECTED, MOTION, OCCUPANCY,
            OCCUPANCY_CLOSE, OCCUPIED_FOR, OPENING, PRESSED_FOR, RELEASED_FOR, SPLASH, SUBMERSION,
            TEMPERATURE, UNOCCUPIED_FOR, WEARING, count,
        },
    },
};

pub(super) fn object(product: u16, object: u16, value: &[u8], fields: &mut Vec<Field>) {
    match (object, value) {
        (0x4801, _) => float(&TEMPERATURE, value, 1, fields),
        (0x4C01, _) => float(&TEMPERATURE, value, 2, fields),
        (0x4808, _) => float(&HUMIDITY, value, 1, fields),
        (0x4C08, _) => float(&HUMIDITY, value, 2, fields),
        (0x4805, _) => float(&ILLUMINANCE, value, 2, fields),
        (0x4A08, _) => {
            fields.push(MOTION.measured(true));
            float(&ILLUMINANCE, value, 2, fields);
        }
        (0x4802 | 0x4C02, [percent]) => fields.push(HUMIDITY.measured(f64::from(*percent))),
        (0x4803 | 0x4C03 | 0x5003, [percent, ..]) => {
            fields.push(BATTERY.measured(f64::from(*percent)))
        }
        (0x4A01 | 0x4E01, [low, ..]) => fields.push(BATTERY_LOW.measured(*low != 0)),
        (0x4804 | 0x4A12, [code, ..]) => opening(*code, fields),
        (0x480C, [code]) if *code < 2 => fields.push(OPENING.measured(*code == 0)),
        (0x4A0F, [1, ..]) => {
            fields.push(OPENING.measured(true));
            fields.push(FORCIBLY_REMOVED.measured(true));
        }
        (0x4A1A, [1, ..]) => {
            fields.push(OPENING.measured(true));
            fields.push(DOOR_LEFT_OPEN.measured(true));
        }
        (0x4806, [wet]) => {
            let kind = match product {
                LEAK_SJWS02LM | LEAK_ZHIEE => &SUBMERSION,
                _ => &MOISTURE_DETECTED,
            };
            fields.push(kind.measured(*wet != 0));
        }
        (0x487B, [wet]) if product == LEAK_SJWS02LM => fields.push(SPLASH.measured(*wet != 0)),
        (0x4A68, [code]) if product == LEAK_SJWS02LM => match code {
            0 | 1 => fields.push(SUBMERSION.measured(*code == 0)),
            2 | 3 => fields.push(SPLASH.measured(*code == 2)),
            _ => {}
        },
        (0x4818, [_, _]) => still(le(value), fields),
        (0x483C, [code]) => fields.push(OCCUPANCY.measured(*code != 0)),
        (0x484E, [code, ..]) => {
            let occupied = match product {
                OCCUPANCY_XMOSB01XS => *code == 1,
                _ => *code != 0,
            };
            fields.push(OCCUPANCY.measured(occupied));
        }
        (0x5413, [code, ..]) if product == PRESENCE_ES5BB => {
            fields.push(OCCUPANCY_CLOSE.measured(*code != 0));
        }
        (0x483D, [_, _, _, _]) => fields.push(PRESSED_FOR.measured(le(value))),
        (0x483E, [_, _, _, _]) => fields.push(RELEASED_FOR.measured(le(value))),
        (0x4851, [minutes, ..]) => fields.push(OCCUPIED_FOR.measured(count(*minutes))),
        (0x4852, [minutes, ..]) => fields.push(UNOCCUPIED_FOR.measured(count(*minutes))),
        (0x4A13, [1, ..]) => fields.push(buttons::pressed("", "press")),
        (0x4A0C..=0x4A0E | 0x4E0C..=0x4E0E | 0x560C..=0x560E, _) => {
            buttons::switch(product, object, value, fields);
        }
        (0x4C14 | 0x5414, [mode, ..]) => fields.push(MODE.measured(count(*mode))),
        (0x4E16, _) => scale::s200(value, fields),
        (0x6E16, _) => scale::s400(value, fields),
        (0x5422, [code]) => fields.push(CHARGING_STATE.measured(match code {
            0 => "charging",
            1 => "not_charging",
            2 => "full",
            _ => "unknown",
        })),
        (0x5810, [code]) => fields.push(ASLEEP.measured(*code != 1)),
        (0x6461, [code]) => fields.push(WEARING.measured(*code != 1)),
        _ => {}
    }
}

fn opening(code: u8, fields: &mut Vec<Field>) {
    match code {
        1 => fields.push(OPENING.measured(true)),
        2 => {
            fields.push(OPENING.measured(false));
            fields.push(DOOR_LEFT_OPEN.measured(false));
            fields.push(FORCIBLY_REMOVED.measured(false));
        }
        _ => {}
    }
}

/// A float of four bytes; one that is no number is no value.
fn float(kind: &'static Kind, value: &[u8], decimals: i32, fields: &mut Vec<Field>) {
    let number = <[u8; 4]>::try_from(value).map(f32::from_le_bytes);
    if let Some(number) = number.ok().filter(|number| number.is_finite()) {
        fields.push(kind.measured(rounded(f64::from(number), decimals)));
    }
}
