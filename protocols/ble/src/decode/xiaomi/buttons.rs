//! Presses and turns: the object 0x1001 of MiBeacon, and the buttons of MIoT devices.

use std::sync::Arc;

use fieldgate_model::Value;

use super::models::{
    Buttons, SWITCH_K9BB, SWITCH_KS1, SWITCH_XMWS01XS, SWITCH_XMWXKG01YL, buttons,
};
use crate::{
    Field, Nature,
    decode::kind::{CUBE, DIMMER, POWERED, count},
};

/// A press of the button with this name; of the only one when the name is empty.
pub(super) fn pressed(name: &str, press: &str) -> Field {
    let id: Arc<str> = match name {
        "" => "button".into(),
        name => format!("button_{name}").into(),
    };
    Field {
        id,
        value: press.into(),
        unit: None,
        nature: Nature::Happened,
    }
}

/// The object 0x1001: which button, a value, and the kind of press.
pub(super) fn event(product: u16, button: u8, value: u8, kind: u8, fields: &mut Vec<Field>) {
    match buttons(product) {
        Buttons::One => {
            if let Some(press) = press(kind) {
                fields.push(pressed("", press));
            }
        }
        Buttons::Named(names) => {
            let name = names.get(usize::from(button));
            if let (Some(name), Some(press)) = (name, press(kind)) {
                // The remote control of a lamp: these two say what the lamp is now.
                if let Some(on) = match *name {
                    "on" => Some(true),
                    "off" => Some(false),
                    _ => None,
                } {
                    fields.push(POWERED.measured(on));
                }
                fields.push(pressed(name, press));
            }
        }
        Buttons::Cube => match button {
            0 => fields.push(CUBE.happened("rotate_right")),
            1 => fields.push(CUBE.happened("rotate_left")),
            _ => {}
        },
        Buttons::Knob => fields.extend(knob(button, value, kind)),
        Buttons::Keys(keys) => {
            // Another order than everywhere else.
            let press = match kind {
                0 => "press",
                1 => "long_press",
                2 => "double_press",
                _ => return,
            };
            if let Some(keys) = keys.get(usize::from(button)) {
                fields.extend(keys.iter().map(|key| pressed(key, press)));
            }
        }
    }
}

fn press(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 | 5 => "press",
        1 => "double_press",
        2 | 6 => "long_press",
        _ => return None,
    })
}

/// A knob says how often or how long it was pressed, or how far it was turned.
fn knob(button: u8, value: u8, kind: u8) -> Option<Field> {
    let (event, what, number) = match (kind, button) {
        (3, 0) => ("press", "presses", value),
        (3, 1) => ("long_press", "seconds", value),
        (4, 0) if value < 0x80 => ("rotate_right", "steps", value),
        (4, 0) => ("rotate_left", "steps", value.wrapping_neg()),
        (4, turned) if turned < 0x80 => ("rotate_right_pressed", "steps", turned),
        (4, turned) => ("rotate_left_pressed", "steps", turned.wrapping_neg()),
        _ => return None,
    };
    let value = vec![
        ("event".to_owned(), event.into()),
        (what.to_owned(), count(number)),
    ];
    Some(DIMMER.happened(Value::Struct(value)))
}

/// The objects of MIoT switches: the last byte of the id says which kind of press.
pub(super) fn switch(product: u16, object: u16, value: &[u8], fields: &mut Vec<Field>) {
    let press = match object & 0xFF {
        0x0C => "press",
        0x0D => "double_press",
        0x0E => "long_press",
        _ => return,
    };
    match (product, value.first()) {
        (SWITCH_XMWS01XS, Some(0)) => fields.push(pressed("left", press)),
        (SWITCH_XMWS01XS, Some(1)) => fields.push(pressed("right", press)),
        (SWITCH_XMWXKG01YL, Some(keys)) => {
            for (key, name) in [(1, "left"), (2, "right")] {
                if *keys < 4 && keys & key != 0 {
                    fields.push(pressed(name, press));
                }
            }
        }
        (SWITCH_K9BB, Some(code)) => match code {
            1 => fields.push(pressed("", "press")),
            8 => fields.push(pressed("", "long_press")),
            15 => fields.push(pressed("", "double_press")),
            _ => {}
        },
        (product, Some(key)) if SWITCH_KS1.contains(&product) => {
            let names = ["", "left", "mid_left", "mid_right", "right"];
            fields.push(pressed(names.get(usize::from(*key)).unwrap_or(&""), press));
        }
        (SWITCH_XMWS01XS | SWITCH_XMWXKG01YL | SWITCH_K9BB, _) => {}
        _ => fields.push(pressed("", press)),
    }
}
