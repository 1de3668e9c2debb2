//! Formats of a device itself: what it is, its battery, its clock, its alerts and objects.

use super::format::{
    Format, Group, GroupAs, Part, Raw, S8, Take, U8, U16, U24, U48, bit, bits, div, int, mul, part,
    sfloat, words,
};

const ALERT: &[&str] = &["none", "mild", "high"];
const DAY: &[&str] = &[
    "unknown",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const VENDOR_SOURCE: &[&str] = &["", "Bluetooth SIG", "USB Implementers Forum"];
const TIME_SOURCE: &[&str] = &[
    "unknown",
    "network time protocol",
    "GPS",
    "radio time signal",
    "manual",
    "atomic clock",
    "cellular network",
    "not synchronised",
];
const UPDATE_RESULT: &[&str] = &[
    "successful",
    "cancelled",
    "no connection to reference",
    "error of the reference",
    "timeout",
    "not attempted after reset",
];
/// An unknown state is no field.
const YES_NO: &[&str] = &["no", "yes", "", ""];
const CHARGE: &[&str] = &["", "charging", "discharging", "not charging"];
const LEVEL: &[&str] = &["", "good", "low", "critical"];
const CHARGING_TYPE: &[&str] = &[
    "",
    "constant current",
    "constant voltage",
    "trickle",
    "float",
];
/// Of the characteristic that came before Battery Level Status; the first two words of each mean nothing.
const OLD_PRESENT: &[&str] = &["", "", "no", "yes"];
const OLD_DISCHARGING: &[&str] = &["", "", "no", "yes"];
const OLD_CHARGING: &[&str] = &["", "not chargeable", "no", "yes"];
const OLD_LEVEL: &[&str] = &["", "", "good", "critical"];
/// Not known, or longer than can be said.
const UNTIL: &[i64] = &[0xFF_FFFE, 0xFF_FFFF];
const POWER_STATE: Raw = U16;

const fn battery(id: &'static str) -> Part {
    int(id, U8, "%").within(0, 100)
}

const fn text(id: &'static str) -> Part {
    part(id, Take::Text)
}

const fn date_time(id: &'static str) -> Part {
    part(id, Take::DateTime)
}

const fn of(id: &'static str, at: u8, width: u8, words: &'static [&'static str]) -> Group {
    Group {
        id,
        at,
        unit: "",
        as_: GroupAs::Words(width, words),
    }
}

const fn minutes(id: &'static str) -> Part {
    int(id, U24, "min").unknown(UNTIL)
}

/// Quarters of an hour.
const fn zone(id: &'static str) -> Part {
    div(id, S8, 4.0, "h").unknown(&[-128]).within(-48, 56)
}

/// Quarters of an hour, of which only some are allowed.
const fn daylight(id: &'static str) -> Part {
    div(id, U8, 4.0, "h").unknown(&[255]).within(0, 8)
}

/// 0x7F and 0x80 mean more and less than can be said.
const fn celsius(id: &'static str) -> Part {
    int(id, S8, "Cel").unknown(&[0x7F, -0x80])
}

/// 1.25 ms.
const fn interval(id: &'static str) -> Part {
    mul(id, U16, 1.25, 1.0, "ms").unknown(&[0xFFFF])
}

const fn accuracy(id: &'static str) -> Part {
    div(id, U8, 8.0, "s").unknown(&[254, 255])
}

pub(super) const DEVICE: &[Format] = &[
    Format(0x2A00, 0, &[text("device_name")]),
    Format(0x2A01, 0, &[part("appearance", Take::Appearance)]),
    Format(
        0x2A04,
        0,
        &[
            interval("minimum_interval"),
            interval("maximum_interval"),
            int("latency", U16, ""),
            mul("supervision_timeout", U16, 10.0, 1.0, "ms").unknown(&[0xFFFF]),
        ],
    ),
    Format(0x2A06, 0, &[words("alert_level", ALERT)]),
    Format(0x2A07, 0, &[int("tx_power", S8, "dB[mW]")]),
    Format(0x2A08, 0, &[date_time("time")]),
    Format(0x2A09, 0, &[words("day_of_week", DAY)]),
    Format(0x2A0A, 0, &[date_time("time"), words("day_of_week", DAY)]),
    Format(
        0x2A0C,
        0,
        &[
            date_time("time"),
            words("day_of_week", DAY),
            div("fraction", U8, 256.0, "s"),
        ],
    ),
    Format(0x2A0D, 0, &[daylight("daylight_saving")]),
    Format(0x2A0E, 0, &[zone("time_zone")]),
    Format(0x2A0F, 0, &[zone("time_zone"), daylight("daylight_saving")]),
    Format(0x2A11, 0, &[date_time("time"), daylight("daylight_saving")]),
    Format(0x2A12, 0, &[accuracy("time_accuracy")]),
    Format(0x2A13, 0, &[words("time_source", TIME_SOURCE)]),
    Format(
        0x2A14,
        0,
        &[
            words("time_source", TIME_SOURCE),
            accuracy("time_accuracy"),
            int("days_since_update", U8, "d").unknown(&[255]),
            int("hours_since_update", U8, "h").unknown(&[255]),
        ],
    ),
    Format(
        0x2A17,
        0,
        &[
            words("state", &["idle", "update pending"]),
            words("result", UPDATE_RESULT),
        ],
    ),
    Format(0x2A19, 0, &[battery("battery")]),
    Format(
        0x2A1A,
        0,
        &[bits(
            U8,
            &[
                of("battery_present", 0, 2, OLD_PRESENT),
                of("battery_discharging", 2, 2, OLD_DISCHARGING),
                of("battery_charging", 4, 2, OLD_CHARGING),
                of("battery_charge_level", 6, 2, OLD_LEVEL),
            ],
        )],
    ),
    Format(0x2A23, 0, &[part("system_id", Take::Hex(8))]),
    Format(0x2A24, 0, &[text("model_number")]),
    Format(0x2A25, 0, &[text("serial_number")]),
    Format(0x2A26, 0, &[text("firmware_revision")]),
    Format(0x2A27, 0, &[text("hardware_revision")]),
    Format(0x2A28, 0, &[text("software_revision")]),
    Format(0x2A29, 0, &[text("manufacturer_name")]),
    Format(
        0x2A2B,
        0,
        &[
            date_time("time"),
            words("day_of_week", DAY),
            div("fraction", U8, 256.0, "s"),
            bits(
                U8,
                &[
                    bit("adjusted_manually", 0),
                    bit("adjusted_by_reference", 1),
                    bit("time_zone_changed", 2),
                    bit("daylight_saving_changed", 3),
                ],
            ),
        ],
    ),
    Format(
        0x2A3F,
        0,
        &[bits(
            U8,
            &[bit("ringer", 0), bit("vibrate", 1), bit("display", 2)],
        )],
    ),
    Format(0x2A41, 0, &[words("ringer_setting", &["silent", "normal"])]),
    Format(
        0x2A45,
        0,
        &[int("alert_category", U8, ""), int("unread_alerts", U8, "")],
    ),
    Format(
        0x2A46,
        0,
        &[
            int("alert_category", U8, ""),
            int("new_alerts", U8, ""),
            text("alert_text"),
        ],
    ),
    Format(
        0x2A50,
        0,
        &[
            words("vendor_id_source", VENDOR_SOURCE),
            int("vendor_id", U16, ""),
            int("product_id", U16, ""),
            int("product_version", U16, ""),
        ],
    ),
    Format(0x2AA2, 0, &[text("language")]),
    Format(
        0x2AA6,
        0,
        &[part("central_address_resolution", Take::Truth)],
    ),
    Format(0x2ABE, 0, &[text("object_name")]),
    Format(0x2AC1, 0, &[date_time("object_first_created")]),
    Format(0x2AC2, 0, &[date_time("object_last_modified")]),
    Format(0x2AC3, 0, &[int("object_id", U48, "")]),
    Format(
        0x2BE9,
        0,
        &[bits(
            U8,
            &[
                bit("battery_critical", 0),
                bit("battery_service_required", 1),
            ],
        )],
    ),
    Format(
        0x2BEA,
        1,
        &[
            battery("battery_health").set(0),
            int("battery_cycles", U16, "").set(1),
            celsius("battery_temperature").set(2),
            int("battery_deep_discharges", U16, "").set(3),
        ],
    ),
    Format(
        0x2BEB,
        1,
        &[
            int("battery_designed_cycles", U16, "").set(0),
            celsius("battery_minimum_temperature").set(1),
            celsius("battery_maximum_temperature").set(1),
        ],
    ),
    Format(
        0x2BEC,
        2,
        &[
            bits(
                U8,
                &[
                    bit("battery_replaceable", 0),
                    bit("battery_rechargeable", 1),
                ],
            ),
            part("battery_manufactured", Take::Days).set(0),
            part("battery_expires", Take::Days).set(1),
            sfloat("battery_designed_capacity", 0, "kW.h").set(2),
            sfloat("battery_low_energy", 0, "kW.h").set(3),
            sfloat("battery_critical_energy", 0, "kW.h").set(4),
            int("battery_chemistry", U8, "").set(5),
            sfloat("battery_nominal_voltage", 0, "V").set(6),
            int("battery_group", U8, "").set(7),
        ],
    ),
    Format(
        0x2BED,
        1,
        &[
            bits(
                POWER_STATE,
                &[
                    bit("battery_present", 0),
                    of("wired_power", 1, 2, YES_NO),
                    of("wireless_power", 3, 2, YES_NO),
                    of("battery_charge_state", 5, 2, CHARGE),
                    of("battery_charge_level", 7, 2, LEVEL),
                    of("battery_charging_type", 9, 3, CHARGING_TYPE),
                    bit("battery_fault", 12),
                    bit("external_power_fault", 13),
                    bit("charging_fault", 14),
                ],
            ),
            int("battery_identifier", U16, "").set(0),
            battery("battery").set(1),
            bits(U8, &[of("battery_service_required", 0, 2, YES_NO)]).set(2),
        ],
    ),
    Format(
        0x2BEE,
        1,
        &[
            minutes("until_discharged"),
            minutes("until_discharged_on_standby").set(0),
            minutes("until_recharged").set(1),
        ],
    ),
    Format(0x2BEF, 0, &[part("estimated_service_date", Take::Days)]),
    Format(
        0x2BF0,
        1,
        &[
            sfloat("external_power", 0, "W").set(0),
            sfloat("battery_voltage", 0, "V").set(1),
            sfloat("battery_energy", 0, "kW.h").set(2),
            sfloat("battery_capacity", 0, "kW.h").set(3),
            sfloat("battery_charge_rate", 0, "W").set(4),
            sfloat("battery_energy_at_last_charge", 0, "kW.h").set(5),
        ],
    ),
];
