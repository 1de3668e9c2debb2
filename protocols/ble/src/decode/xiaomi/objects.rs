//! The objects of MiBeacon (iot.mi.com, "BLE object definition"); those above 0x4000 are in `miot`.

use super::{
    buttons, lock, miot,
    models::{LOCK_DSL_C08, MOTION_RTCGQ02LM, NIGHTLIGHT, SAFE_BOX, WINDOW_MCCGQ02HL},
};
use crate::{
    Field,
    decode::{
        bytes::{le, le_signed, per, per_unsigned, rounded},
        kind::{
            ARMED, BATTERY, CONDUCTIVITY, CONSUMABLE, COUNTER, DOOR, DOOR_LEFT_OPEN, FORMALDEHYDE,
            HUMIDITY, IDLE_FOR, ILLUMINANCE, LIGHT, LOCK, LOCK_METHOD, MOISTURE, MOISTURE_DETECTED,
            MOTION, OPENING, POWERED, SCORE, SMOKE, TEMPERATURE, TOOTHBRUSH, UNLOCKED, count,
        },
    },
};

/// Anything shorter without motion is called motion by the maker's app.
const STILL_SECONDS: u64 = 30;

/// Reads object after object, and tells whether their lengths added up.
pub(super) fn read(product: u16, mut bytes: &[u8]) -> (Vec<Field>, bool) {
    let mut fields = Vec::with_capacity(2);
    let mut any = false;
    while let [low, high, length, rest @ ..] = bytes {
        let Some((value, after)) = rest.split_at_checked(usize::from(*length)) else {
            return (fields, false);
        };
        any = true;
        object(
            product,
            u16::from_le_bytes([*low, *high]),
            value,
            &mut fields,
        );
        bytes = after;
    }
    (fields, any && bytes.is_empty())
}

fn object(product: u16, object: u16, value: &[u8], fields: &mut Vec<Field>) {
    if object >= 0x4000 {
        return miot::object(product, object, value, fields);
    }
    match (object, value) {
        (0x0003, [_, ..]) => fields.push(MOTION.happened(true)),
        (0x0006, [key @ .., code]) if key.len() == 4 => lock::fingerprint(key, *code, fields),
        (0x0007, [code, ..]) => lock::door(*code, fields),
        (0x0008, [code, ..]) => armed(product, *code, fields),
        (0x000A, [_, _]) if le(value) != 0 => {
            fields.push(TEMPERATURE.measured(per(le_signed(value), 100.0)));
        }
        (0x000B, [code, rest @ ..]) if rest.len() == 8 => {
            lock::event(*code, &rest[..4], &rest[4..], fields);
        }
        (0x000F, [_, _, _]) => moved(product, le(value), fields),
        (0x0010, [state, rest @ ..]) => {
            fields.push(TOOTHBRUSH.measured(*state == 0));
            if let Some(number) = rest.first() {
                let kind = if *state == 0 { &COUNTER } else { &SCORE };
                fields.push(kind.measured(count(*number)));
            }
        }
        (0x1001, [button, value, kind]) => buttons::event(product, *button, *value, *kind, fields),
        (0x2000, [a, b, c, d, battery]) => {
            let skin = le_signed(&[*a, *b]);
            let room = le_signed(&[*c, *d]);
            fields.push(TEMPERATURE.measured(body_temperature(skin, room)));
            fields.push(BATTERY.measured(f64::from(*battery)));
        }
        (0x3003, [state, rest @ ..]) if rest.len() >= 4 => {
            if *state < 2 {
                fields.push(TOOTHBRUSH.measured(*state == 0));
            }
            if let [_, _, _, _, score] = rest {
                fields.push(SCORE.measured(count(*score)));
            }
        }
        _ => attribute(product, object, value, fields),
    }
}

/// The objects from 0x1002 on, which say how something is.
fn attribute(product: u16, object: u16, value: &[u8], fields: &mut Vec<Field>) {
    match (object, value) {
        (0x1004, [_, _]) => fields.push(TEMPERATURE.measured(per(le_signed(value), 10.0))),
        (0x1005, [on, celsius, ..]) => {
            fields.push(POWERED.measured(*on != 0));
            fields.push(TEMPERATURE.measured(f64::from(*celsius)));
        }
        (0x1006, [_, _]) => fields.push(HUMIDITY.measured(per_unsigned(le(value), 10.0))),
        (0x1007, [_, _, _]) => fields.push(match product {
            NIGHTLIGHT | WINDOW_MCCGQ02HL => LIGHT.measured(le(value) == 100),
            _ => ILLUMINANCE.measured(per_unsigned(le(value), 1.0)),
        }),
        (0x1008, [percent, ..]) => fields.push(MOISTURE.measured(f64::from(*percent))),
        (0x1009, [_, _]) => fields.push(CONDUCTIVITY.measured(per_unsigned(le(value), 1.0))),
        (0x100A, [percent, ..]) => fields.push(BATTERY.measured(f64::from(*percent))),
        (0x100D, [a, b, c, d]) => {
            fields.push(TEMPERATURE.measured(per(le_signed(&[*a, *b]), 10.0)));
            fields.push(HUMIDITY.measured(per_unsigned(le(&[*c, *d]), 10.0)));
        }
        (0x100E, [bits]) => lock::attributes(*bits, fields),
        (0x100F, [code]) if product == SAFE_BOX => fields.push(DOOR.measured(*code == 1)),
        (0x1010, [_, _]) => fields.push(FORMALDEHYDE.measured(per_unsigned(le(value), 100.0))),
        (0x1012, [on, ..]) => fields.push(POWERED.measured(*on != 0)),
        (0x1013, [percent, ..]) => fields.push(CONSUMABLE.measured(f64::from(*percent))),
        (0x1014, [wet, ..]) => fields.push(MOISTURE_DETECTED.measured(*wet != 0)),
        (0x1015, [smoke, ..]) => fields.push(SMOKE.measured(*smoke != 0)),
        (0x1017, [_, _, _, _]) => still(le(value), fields),
        (0x1018, [light, ..]) => fields.push(LIGHT.measured(*light != 0)),
        (0x1019, [code, ..]) => opening(*code, fields),
        (0x101B, _) => fields.push(MOTION.measured(false)),
        _ => {}
    }
}

/// So long nothing moved.
pub(super) fn still(seconds: u64, fields: &mut Vec<Field>) {
    fields.push(MOTION.measured(seconds <= STILL_SECONDS));
    fields.push(IDLE_FOR.measured(seconds));
}

fn opening(code: u8, fields: &mut Vec<Field>) {
    let (open, left_open) = match code {
        0 => (true, None),
        1 => (false, Some(false)),
        2 => (true, Some(true)),
        _ => return,
    };
    fields.push(OPENING.measured(open));
    fields.extend(left_open.map(|left| DOOR_LEFT_OPEN.measured(left)));
}

/// Something moved, and so bright it was.
fn moved(product: u16, light: u64, fields: &mut Vec<Field>) {
    fields.push(MOTION.measured(true));
    fields.push(match product {
        NIGHTLIGHT | MOTION_RTCGQ02LM => LIGHT.measured(light >= 100),
        _ => ILLUMINANCE.measured(per_unsigned(light, 1.0)),
    });
}

fn armed(product: u16, code: u8, fields: &mut Vec<Field>) {
    let armed = code != 1;
    fields.push(ARMED.measured(armed));
    // This lock tells so that somebody outside lifted its handle.
    if product == LOCK_DSL_C08 {
        fields.push(UNLOCKED.measured(armed));
        fields.push(LOCK.happened("locked_from_outside"));
        fields.push(LOCK_METHOD.measured("manual"));
    }
}

/// The thermometer that is worn sends two temperatures; the maker's app computes the body's. The formula approximates the app's
/// between 36.5 and 37.8 °C (xiaomi-ble).
#[expect(clippy::cast_precision_loss, reason = "sixteen bits")]
#[expect(clippy::approx_constant, reason = "a fitted number, not the logarithm")]
fn body_temperature(skin: i64, room: i64) -> f64 {
    let skin = 3.719_34e-11 * (0.693_14 * skin as f64 / 100.0).exp();
    let room = 1.028_01e-8 * (0.538_71 * room as f64 / 100.0).exp();
    rounded(skin - room + 36.413, 2)
}
