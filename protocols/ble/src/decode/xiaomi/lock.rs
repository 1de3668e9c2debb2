//! Locks and doors: the objects 0x0006, 0x0007, 0x000b and 0x100e of MiBeacon.

use crate::{
    Field,
    decode::{
        bytes::le,
        kind::{
            ANTILOCK, CHILD_LOCK, DOOR, DOOR_LEFT_OPEN, DOOR_STUCK, FINGERPRINT, FINGERPRINT_OK,
            KEY_ID, KNOCK, LOCK, LOCK_ERROR, LOCK_METHOD, PRY, TIMESTAMP, UNLOCKED,
        },
    },
};

/// What was done; `None` for numbers that are not given away.
fn action(code: u8) -> Option<(&'static str, Option<Field>)> {
    let unlocked = |open: bool| Some(UNLOCKED.measured(open));
    Some(match code {
        0 => ("unlocked_from_outside", unlocked(true)),
        1 => ("locked", unlocked(false)),
        2 => ("antilock_on", Some(ANTILOCK.measured(true))),
        3 => ("antilock_off", Some(ANTILOCK.measured(false))),
        4 => ("unlocked_from_inside", unlocked(true)),
        5 => ("locked_from_inside", unlocked(false)),
        6 => ("child_lock_on", Some(CHILD_LOCK.measured(true))),
        7 => ("child_lock_off", Some(CHILD_LOCK.measured(false))),
        8 => ("locked_from_outside", unlocked(false)),
        // Nothing is said of how the lock stands.
        15 => ("abnormal", None),
        _ => return None,
    })
}

fn method(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "bluetooth",
        1 => "password",
        2 => "biometrics",
        3 => "key",
        4 => "turntable",
        5 => "nfc",
        6 => "one_time_password",
        7 => "two_step_verification",
        8 => "coercion",
        9 => "homekit",
        10 => "manual",
        11 => "automatic",
        15 => "abnormal",
        _ => return None,
    })
}

/// Numbers of keys that are no keys but faults.
fn fault(key: u64) -> Option<&'static str> {
    Some(match key {
        0xC0DE_0000 => "password_wrong_repeatedly",
        0xC0DE_0001 => "fingerprint_wrong_repeatedly",
        0xC0DE_0002 => "password_timed_out",
        0xC0DE_0003 => "picked",
        0xC0DE_0004 => "reset_pressed",
        0xC0DE_0005 => "key_wrong_repeatedly",
        0xC0DE_0006 => "keyhole_blocked",
        0xC0DE_0007 => "key_left_in",
        0xC0DE_0008 => "nfc_wrong_repeatedly",
        0xC0DE_0009 => "not_locked_in_time",
        0xC0DE_000A => "several_methods_wrong_repeatedly",
        0xC0DE_000B => "face_wrong_repeatedly",
        0xC0DE_000C => "vein_wrong_repeatedly",
        0xC0DE_000D => "hijack_alarm",
        0xC0DE_000E => "unlocked_inside_while_armed",
        0xC0DE_000F => "palm_wrong_repeatedly",
        0xC0DE_0010 => "safe_moved",
        0xC0DE_1000 => "battery_below_10_percent",
        0xC0DE_1001 => "battery_below_5_percent",
        0xC0DE_1002 => "fingerprint_sensor_faulty",
        0xC0DE_1003 => "accessory_battery_low",
        0xC0DE_1004 => "mechanics_faulty",
        0xC0DE_1005 => "lock_sensor_faulty",
        _ => return None,
    })
}

/// The object 0x000b: what was done and by which means, with which key, and when.
pub(super) fn event(code: u8, key: &[u8], time: &[u8], fields: &mut Vec<Field>) {
    let (Some((action, state)), Some(method)) = (action(code & 0x0F), method(code >> 4)) else {
        return;
    };
    fields.extend(state);
    fields.push(LOCK.happened(action));
    fields.push(LOCK_METHOD.measured(method));
    fields.push(KEY_ID.measured(le(key)));
    fields.push(TIMESTAMP.measured(le(time)));
    if let Some(fault) = fault(le(key)) {
        fields.push(LOCK_ERROR.happened(fault));
    }
}

/// The object 0x100e, one bit each.
pub(super) fn attributes(bits: u8, fields: &mut Vec<Field>) {
    fields.push(UNLOCKED.measured(bits & 1 == 0));
    fields.push(CHILD_LOCK.measured(bits & 0b1000 != 0));
}

/// The object 0x0006.
pub(super) fn fingerprint(key: &[u8], code: u8, fields: &mut Vec<Field>) {
    fields.push(FINGERPRINT_OK.measured(code == 0));
    fields.push(KEY_ID.measured(le(key)));
    let told = match code {
        0 => "match_successful",
        1 => "match_failed",
        2 => "timeout",
        3 => "low_quality",
        4 => "insufficient_area",
        5 => "skin_too_dry",
        6 => "skin_too_wet",
        _ => return,
    };
    fields.push(FINGERPRINT.happened(told));
}

/// The object 0x0007: the door, and what is wrong with it.
pub(super) fn door(code: u8, fields: &mut Vec<Field>) {
    let open = match code {
        0 | 2 | 4 => true,
        1 | 3 | 5 => false,
        _ => return,
    };
    fields.push(DOOR.measured(open));
    match code {
        // It moves again: nothing holds it, and nobody knocks.
        0 => {
            fields.push(DOOR_STUCK.measured(false));
            fields.push(KNOCK.measured(false));
        }
        1 => {
            fields.push(DOOR_LEFT_OPEN.measured(false));
            fields.push(PRY.measured(false));
        }
        2 => fields.push(DOOR_LEFT_OPEN.measured(true)),
        3 => fields.push(KNOCK.measured(true)),
        4 => fields.push(PRY.measured(true)),
        _ => fields.push(DOOR_STUCK.measured(true)),
    }
}
