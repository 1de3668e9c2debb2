//! The objects of BTHome, by their id (bthome.io/format, tables of sensor, binary, event, device information and misc data).

use crate::decode::kind::{
    ACCELERATION, BATTERY, BATTERY_CHARGING, BATTERY_LOW, BUTTON, CARBON_MONOXIDE, CHANNEL, CO2,
    COLD, COMMAND, CONDUCTIVITY, CONNECTED, COUNT, CURRENT, DEVICE_TYPE, DEW_POINT, DIMMER,
    DIRECTION, DISTANCE_M, DISTANCE_MM, DOOR, DURATION, ENERGY, FIRMWARE, GARAGE_DOOR, GAS,
    GAS_DETECTED, GENERIC, GYROSCOPE, HEAT, HUMIDITY, ILLUMINANCE, Kind, LIGHT, LIGHT_LEVEL,
    MOISTURE, MOISTURE_DETECTED, MOTION, MOVING, OCCUPANCY, OPENING, PLUGGED, PM10, PM25, POWER,
    POWERED, PRECIPITATION, PRESENCE, PRESSURE, PROBLEM, RAW, ROTATION, ROTATIONAL_SPEED, RUNNING,
    SAFE, SETTINGS_REVISION, SMOKE, SOUND, SPEED, TAMPER, TEMPERATURE, TEXT, TIMESTAMP, UNLOCKED,
    UV_INDEX, VIBRATION, VOC, VOLTAGE, VOLUME_FLOW, VOLUME_L, VOLUME_ML, VOLUME_STORED, WATER,
    WEIGHT, WEIGHT_LB, WINDOW,
};

/// How the bytes of an object are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A number of which the divisor's count is one.
    Unsigned,
    Signed,
    /// An unsigned number without a scale: a count, an index, a revision.
    Whole,
    SignedWhole,
    Truth,
    Button,
    Dimmer,
    Command,
    Text,
    Raw,
    Firmware,
}

/// One row of the specification.
pub(super) struct Object {
    /// How many bytes it has; 0 when a byte says how many.
    pub width: usize,
    pub form: Form,
    pub divisor: f64,
    pub kind: &'static Kind,
    /// The lowest id of those with the same name: they are counted together.
    pub family: u8,
}

/// The packet's identifier, which is no field.
pub(super) const PACKET: u8 = 0x00;

/// The object of this id.
pub(super) fn object(id: u8) -> Option<&'static Object> {
    let index = INDEX[usize::from(id)];
    OBJECTS.get(usize::from(index)).map(|(_, object)| object)
}

static INDEX: [u8; 256] = index();

const fn index() -> [u8; 256] {
    let mut index = [u8::MAX; 256];
    let mut row = 0;
    while row < IDS.len() {
        index[IDS[row] as usize] = row as u8;
        row += 1;
    }
    index
}

macro_rules! objects {
    ($($id:literal $family:literal $width:literal $form:ident $divisor:literal $kind:ident;)*) => {
        const IDS: &[u8] = &[$($id),*];
        static OBJECTS: &[(u8, Object)] = &[$(($id, Object {
            width: $width,
            form: Form::$form,
            divisor: $divisor,
            kind: &$kind,
            family: $family,
        })),*];
    };
}

// id, family, bytes, form, counts of one unit, field. Pressure is in pascal here: 0.01 hPa is one.
objects! {
    0x01 0x01 1 Unsigned 1.0 BATTERY;
    0x02 0x02 2 Signed 100.0 TEMPERATURE;
    0x03 0x03 2 Unsigned 100.0 HUMIDITY;
    0x04 0x04 3 Unsigned 1.0 PRESSURE;
    0x05 0x05 3 Unsigned 100.0 ILLUMINANCE;
    0x06 0x06 2 Unsigned 100.0 WEIGHT;
    0x07 0x06 2 Unsigned 100.0 WEIGHT_LB;
    0x08 0x08 2 Signed 100.0 DEW_POINT;
    0x09 0x09 1 Whole 1.0 COUNT;
    0x0A 0x0A 3 Unsigned 1000.0 ENERGY;
    0x0B 0x0B 3 Unsigned 100.0 POWER;
    0x0C 0x0C 2 Unsigned 1000.0 VOLTAGE;
    0x0D 0x0D 2 Unsigned 1.0 PM25;
    0x0E 0x0E 2 Unsigned 1.0 PM10;
    0x0F 0x0F 1 Truth 1.0 GENERIC;
    0x10 0x10 1 Truth 1.0 POWERED;
    0x11 0x11 1 Truth 1.0 OPENING;
    0x12 0x12 2 Unsigned 1.0 CO2;
    0x13 0x13 2 Unsigned 1.0 VOC;
    0x14 0x14 2 Unsigned 100.0 MOISTURE;
    0x15 0x15 1 Truth 1.0 BATTERY_LOW;
    0x16 0x16 1 Truth 1.0 BATTERY_CHARGING;
    0x17 0x17 1 Truth 1.0 CARBON_MONOXIDE;
    0x18 0x18 1 Truth 1.0 COLD;
    0x19 0x19 1 Truth 1.0 CONNECTED;
    0x1A 0x1A 1 Truth 1.0 DOOR;
    0x1B 0x1B 1 Truth 1.0 GARAGE_DOOR;
    0x1C 0x1C 1 Truth 1.0 GAS_DETECTED;
    0x1D 0x1D 1 Truth 1.0 HEAT;
    0x1E 0x1E 1 Truth 1.0 LIGHT;
    0x1F 0x1F 1 Truth 1.0 UNLOCKED;
    0x20 0x20 1 Truth 1.0 MOISTURE_DETECTED;
    0x21 0x21 1 Truth 1.0 MOTION;
    0x22 0x22 1 Truth 1.0 MOVING;
    0x23 0x23 1 Truth 1.0 OCCUPANCY;
    0x24 0x24 1 Truth 1.0 PLUGGED;
    0x25 0x25 1 Truth 1.0 PRESENCE;
    0x26 0x26 1 Truth 1.0 PROBLEM;
    0x27 0x27 1 Truth 1.0 RUNNING;
    0x28 0x28 1 Truth 1.0 SAFE;
    0x29 0x29 1 Truth 1.0 SMOKE;
    0x2A 0x2A 1 Truth 1.0 SOUND;
    0x2B 0x2B 1 Truth 1.0 TAMPER;
    0x2C 0x2C 1 Truth 1.0 VIBRATION;
    0x2D 0x2D 1 Truth 1.0 WINDOW;
    0x2E 0x03 1 Unsigned 1.0 HUMIDITY;
    0x2F 0x14 1 Unsigned 1.0 MOISTURE;
    0x3A 0x3A 1 Button 1.0 BUTTON;
    0x3B 0x3B 0 Command 1.0 COMMAND;
    0x3C 0x3C 2 Dimmer 1.0 DIMMER;
    0x3D 0x09 2 Whole 1.0 COUNT;
    0x3E 0x09 4 Whole 1.0 COUNT;
    0x3F 0x3F 2 Signed 10.0 ROTATION;
    0x40 0x40 2 Unsigned 1.0 DISTANCE_MM;
    0x41 0x40 2 Unsigned 10.0 DISTANCE_M;
    0x42 0x42 3 Unsigned 1000.0 DURATION;
    0x43 0x43 2 Unsigned 1000.0 CURRENT;
    0x44 0x44 2 Unsigned 100.0 SPEED;
    0x45 0x02 2 Signed 10.0 TEMPERATURE;
    0x46 0x46 1 Unsigned 10.0 UV_INDEX;
    0x47 0x47 2 Unsigned 10.0 VOLUME_L;
    0x48 0x47 2 Unsigned 1.0 VOLUME_ML;
    0x49 0x49 2 Unsigned 1000.0 VOLUME_FLOW;
    0x4A 0x0C 2 Unsigned 10.0 VOLTAGE;
    0x4B 0x4B 3 Unsigned 1000.0 GAS;
    0x4C 0x4B 4 Unsigned 1000.0 GAS;
    0x4D 0x0A 4 Unsigned 1000.0 ENERGY;
    0x4E 0x47 4 Unsigned 1000.0 VOLUME_L;
    0x4F 0x4F 4 Unsigned 1000.0 WATER;
    0x50 0x50 4 Whole 1.0 TIMESTAMP;
    0x51 0x51 2 Unsigned 1000.0 ACCELERATION;
    0x52 0x52 2 Unsigned 1000.0 GYROSCOPE;
    0x53 0x53 0 Text 1.0 TEXT;
    0x54 0x54 0 Raw 1.0 RAW;
    0x55 0x55 4 Unsigned 1000.0 VOLUME_STORED;
    0x56 0x56 2 Unsigned 1.0 CONDUCTIVITY;
    0x57 0x02 1 Signed 1.0 TEMPERATURE;
    0x58 0x02 1 Signed 0.35 TEMPERATURE;
    0x59 0x09 1 SignedWhole 1.0 COUNT;
    0x5A 0x09 2 SignedWhole 1.0 COUNT;
    0x5B 0x09 4 SignedWhole 1.0 COUNT;
    0x5C 0x0B 4 Signed 100.0 POWER;
    0x5D 0x43 2 Signed 1000.0 CURRENT;
    0x5E 0x5E 2 Unsigned 100.0 DIRECTION;
    0x5F 0x5F 2 Unsigned 10.0 PRECIPITATION;
    0x60 0x60 1 Whole 1.0 CHANNEL;
    0x61 0x61 2 Unsigned 1.0 ROTATIONAL_SPEED;
    0x62 0x44 4 Signed 1e6 SPEED;
    0x63 0x51 4 Signed 1e6 ACCELERATION;
    0x64 0x64 1 Whole 1.0 LIGHT_LEVEL;
    0x65 0x65 1 Whole 1.0 SETTINGS_REVISION;
    0xF0 0xF0 2 Whole 1.0 DEVICE_TYPE;
    0xF1 0xF1 4 Firmware 1.0 FIRMWARE;
    0xF2 0xF1 3 Firmware 1.0 FIRMWARE;
}

/// What a button did; `None` when nothing.
pub(super) fn press(code: u8) -> Option<&'static str> {
    Some(match code {
        0x01 => "press",
        0x02 => "double_press",
        0x03 => "triple_press",
        0x04 => "long_press",
        0x05 => "long_double_press",
        0x06 => "long_triple_press",
        // 0xFE is how Shelly's buttons said it before their firmware 1.0.20 (shelly-api-docs.shelly.cloud/docs-ble).
        0x80 | 0xFE => "hold_press",
        0x81 => "hold_release",
        _ => return None,
    })
}

/// Which way a dimmer was turned.
pub(super) fn turn(code: u8) -> Option<&'static str> {
    match code {
        0x01 => Some("rotate_left"),
        0x02 => Some("rotate_right"),
        _ => None,
    }
}

/// What is commanded.
pub(super) fn command(code: u8) -> Option<&'static str> {
    Some(match code {
        0x00 => "off",
        0x01 => "on",
        0x02 => "toggle",
        0x03 => "step_up",
        0x04 => "step_down",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_id_and_counts_with_its_namesakes() {
        for (id, row) in OBJECTS {
            let found = object(*id).unwrap();
            assert!(std::ptr::eq(found, row), "{id:02x}");
            assert!(row.family <= *id, "{id:02x}");
            assert!(object(row.family).is_some(), "{id:02x}");
        }
        assert!(object(PACKET).is_none());
        assert!(object(0x30).is_none());
    }
}
