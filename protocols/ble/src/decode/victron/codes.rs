//! What the numbers in Victron's records mean, in words (VE.Direct protocol 3.33, "MPPT error codes").

use fieldgate_model::Value;

/// The operation state of a device.
pub(super) fn state(code: u64) -> Value {
    let word = match code {
        0 => "off",
        1 => "low_power",
        2 => "fault",
        3 => "bulk",
        4 => "absorption",
        5 => "float",
        6 => "storage",
        7 => "equalize_manual",
        8 => "passthru",
        9 => "inverting",
        10 => "assisting",
        11 => "power_supply",
        244 => "sustain",
        245 => "starting_up",
        246 => "repeated_absorption",
        247 => "recondition",
        248 => "battery_safe",
        249 => "active",
        250 => "blocked",
        251 => "test",
        252 => "external_control",
        _ => return Value::Text(format!("code_{code}")),
    };
    word.into()
}

/// Why there is no output; several may hold.
pub(super) fn off_reason(bits: u64) -> Value {
    flags(
        bits,
        &[
            (0x0001, "no_input_power"),
            (0x0002, "switched_off_by_switch"),
            (0x0004, "switched_off_by_register"),
            (0x0008, "remote_input"),
            (0x0010, "protection_active"),
            (0x0020, "out_of_credit"),
            (0x0040, "bms"),
            (0x0080, "engine_shutdown"),
            (0x0100, "analysing_input_voltage"),
        ],
    )
}

/// Alarms or warnings; several may hold.
pub(super) fn alarms(bits: u64) -> Value {
    flags(
        bits,
        &[
            (0x0001, "low_voltage"),
            (0x0002, "high_voltage"),
            (0x0004, "low_state_of_charge"),
            (0x0008, "low_starter_voltage"),
            (0x0010, "high_starter_voltage"),
            (0x0020, "low_temperature"),
            (0x0040, "high_temperature"),
            (0x0080, "mid_voltage"),
            (0x0100, "overload"),
            (0x0200, "dc_ripple"),
            (0x0400, "low_ac_output_voltage"),
            (0x0800, "high_ac_output_voltage"),
            (0x1000, "short_circuit"),
            (0x2000, "bms_lockout"),
        ],
    )
}

/// Joined by a space; `none` when no bit is set, the number of a bit that has no name.
fn flags(bits: u64, names: &[(u64, &str)]) -> Value {
    if bits == 0 {
        return "none".into();
    }
    let words: Vec<_> = (0..u64::BITS)
        .map(|place| 1_u64 << place)
        .filter(|bit| bits & bit != 0)
        .map(|bit| match names.iter().find(|(known, _)| *known == bit) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("bit_{}", bit.trailing_zeros()),
        })
        .collect();
    Value::Text(words.join(" "))
}

/// Which AC input is in use.
pub(super) fn ac_in(code: u64) -> Value {
    match code {
        0 => "ac_in_1",
        1 => "ac_in_2",
        _ => "not_connected",
    }
    .into()
}

pub(super) fn output(code: u64) -> Value {
    match code {
        0 => "shutdown".into(),
        1 => "on".into(),
        4 => "off".into(),
        _ => Value::Text(format!("code_{code}")),
    }
}

pub(super) fn balancer(code: u64) -> Value {
    match code {
        0 => "unknown".into(),
        1 => "balanced".into(),
        2 => "balancing".into(),
        3 => "imbalance".into(),
        _ => Value::Text(format!("code_{code}")),
    }
}

/// What VE.Bus warns of.
pub(super) fn notification(code: u64) -> Value {
    match code {
        0 => "none",
        1 => "warning",
        _ => "alarm",
    }
    .into()
}

/// What an energy meter measures.
pub(super) fn meter(code: i64) -> Value {
    let word = match code {
        -9 => "solar_charger",
        -8 => "wind_charger",
        -7 => "shaft_generator",
        -6 => "alternator",
        -5 => "fuel_cell",
        -4 => "water_generator",
        -3 => "dc_dc_charger",
        -2 => "ac_charger",
        -1 => "generic_source",
        0 => "battery_monitor",
        1 => "generic_load",
        2 => "electric_drive",
        3 => "fridge",
        4 => "water_pump",
        5 => "bilge_pump",
        6 => "dc_system",
        7 => "inverter",
        8 => "water_heater",
        _ => return Value::Text(format!("code_{code}")),
    };
    word.into()
}
