//! Formats of health devices: thermometers, heart rate, blood pressure, oximeters, glucose meters, scales, and who uses them.

use super::format::{
    Format, Group, GroupAs, Number, Part, S16, Take, U8, U16, U24, bit, bits, div, int, mul, part,
    sfloat, words,
};

/// One point has one unit: what comes in pounds, inches, kPa or degrees Fahrenheit is converted.
const POUND_KG: f64 = 0.453_592_37;
const INCH_M: f64 = 0.025_4;
/// By UCUM a `mm[Hg]` is 133.322 Pa.
const KPA_MMHG: f64 = 1_000.0 / 133.322;

const BODY_LOCATION: &[&str] = &[
    "other", "chest", "wrist", "finger", "hand", "ear lobe", "foot",
];
const TEMPERATURE_TYPE: &[&str] = &[
    "",
    "armpit",
    "body",
    "ear",
    "finger",
    "gastrointestinal tract",
    "mouth",
    "rectum",
    "toe",
    "tympanum",
];
const PULSE_RANGE: &[&str] = &[
    "within range",
    "above the upper limit",
    "below the lower limit",
    "",
];
const SAMPLE: &[&str] = &[
    "",
    "capillary whole blood",
    "capillary plasma",
    "venous whole blood",
    "venous plasma",
    "arterial whole blood",
    "arterial plasma",
    "undetermined whole blood",
    "undetermined plasma",
    "interstitial fluid",
    "control solution",
];
const SAMPLE_LOCATION: &[&str] = &[
    "",
    "finger",
    "alternate site",
    "earlobe",
    "control solution",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
];
const GENDER: &[&str] = &["male", "female", "unspecified"];

const fn beats(id: &'static str) -> Part {
    int(id, U8, "/min")
}

const fn user(id: &'static str) -> Part {
    int(id, U8, "").unknown(&[0xFF])
}

const fn time() -> Part {
    part("time", Take::DateTime)
}

const fn celsius() -> Part {
    Part {
        unit: "Cel",
        ..part("temperature", Take::Float)
    }
}

const fn fahrenheit() -> Part {
    Part {
        unit: "Cel",
        ..part("temperature", Take::Fahrenheit)
    }
}

const THERMOMETER: &[Part] = &[
    celsius().clear(0),
    fahrenheit().set(0),
    time().set(1),
    words("temperature_type", TEMPERATURE_TYPE).set(2),
];

const fn pressure(id: &'static str) -> Part {
    sfloat(id, 0, "mm[Hg]").clear(0)
}

const fn kilopascal(id: &'static str) -> Part {
    sfloat(id, 0, "mm[Hg]").times(KPA_MMHG).set(0)
}

const fn pulse() -> Part {
    sfloat("pulse_rate", 0, "/min")
}

const PRESSURE_STATUS: &[Group] = &[
    bit("body_movement", 0),
    bit("cuff_too_loose", 1),
    bit("irregular_pulse", 2),
    Group {
        id: "pulse_range",
        at: 3,
        unit: "",
        as_: GroupAs::Words(2, PULSE_RANGE),
    },
    bit("improper_position", 5),
];

const fn pressure_status() -> Part {
    bits(U16, PRESSURE_STATUS)
}

/// Kilograms, 5 g each, by a clear bit 0.
const fn kilograms(id: &'static str, bit: u8) -> Part {
    mul(id, U16, 5.0, 1_000.0, "kg").clear(0).set(bit)
}

/// Pounds, a hundredth each, by a set bit 0.
const fn pounds(id: &'static str, bit: u8) -> Part {
    mul(id, U16, POUND_KG, 100.0, "kg").set(0).set(bit)
}

const fn metres(bit: u8) -> Part {
    div("height", U16, 1_000.0, "m").clear(0).set(bit)
}

const fn inches(bit: u8) -> Part {
    mul("height", U16, INCH_M, 10.0, "m").set(0).set(bit)
}

const fn centimetres(id: &'static str) -> Part {
    div(id, U16, 100.0, "m")
}

const fn text(id: &'static str) -> Part {
    part(id, Take::Text)
}

pub(super) const HEALTH: &[Format] = &[
    Format(
        0x2A18,
        1,
        &[
            int("sequence", U16, ""),
            time(),
            int("time_offset", S16, "min").set(0),
            sfloat("glucose", 5, "mg/dL").set(1).clear(2),
            sfloat("glucose", 3, "mmol/L").set(1).set(2),
            bits(
                U8,
                &[
                    Group {
                        id: "sample",
                        at: 0,
                        unit: "",
                        as_: GroupAs::Words(4, SAMPLE),
                    },
                    Group {
                        id: "sample_location",
                        at: 4,
                        unit: "",
                        as_: GroupAs::Words(4, SAMPLE_LOCATION),
                    },
                ],
            )
            .set(1),
            bits(
                U16,
                &[
                    bit("battery_low", 0),
                    bit("sensor_fault", 1),
                    bit("sample_insufficient", 2),
                    bit("strip_misplaced", 3),
                    bit("strip_wrong", 4),
                    bit("result_too_high", 5),
                    bit("result_too_low", 6),
                    bit("temperature_too_high", 7),
                    bit("temperature_too_low", 8),
                    bit("read_interrupted", 9),
                    bit("general_fault", 10),
                    bit("time_fault", 11),
                ],
            )
            .set(3),
        ],
    ),
    Format(0x2A1C, 1, THERMOMETER),
    Format(0x2A1D, 0, &[words("temperature_type", TEMPERATURE_TYPE)]),
    Format(0x2A1E, 1, THERMOMETER),
    // 0 means that nothing is measured by itself.
    Format(0x2A21, 0, &[int("measurement_interval", U16, "s")]),
    Format(
        0x2A35,
        1,
        &[
            pressure("systolic"),
            pressure("diastolic"),
            pressure("mean_arterial_pressure"),
            kilopascal("systolic"),
            kilopascal("diastolic"),
            kilopascal("mean_arterial_pressure"),
            time().set(1),
            pulse().set(2),
            user("user_id").set(3),
            pressure_status().set(4),
        ],
    ),
    Format(
        0x2A36,
        1,
        &[
            pressure("cuff_pressure"),
            kilopascal("cuff_pressure"),
            part("", Take::Skip(4)),
            time().set(1),
            pulse().set(2),
            user("user_id").set(3),
            pressure_status().set(4),
        ],
    ),
    Format(
        0x2A37,
        1,
        &[
            part("sensor_contact", Take::Flag(1)).set(2),
            int("heart_rate", U8, "/min").clear(0),
            int("heart_rate", U16, "/min").set(0),
            // In kilojoules by the Heart Rate Service, 3.1.1.3.
            int("energy_expended", U16, "kJ").set(3),
            Part {
                unit: "s",
                ..part("rr_intervals", Take::Rest(Number::new(U16, 1.0, 1_024.0)))
            }
            .set(4),
        ],
    ),
    Format(0x2A38, 0, &[words("body_sensor_location", BODY_LOCATION)]),
    // Pulse Oximeter Service 1.0.1, 3.1 and 3.2.
    Format(
        0x2A5E,
        1,
        &[
            sfloat("spo2", 0, "%"),
            pulse(),
            time().set(0),
            part("", Take::Skip(2)).set(1),
            part("", Take::Skip(3)).set(2),
            sfloat("pulse_amplitude_index", 0, "%").set(3),
        ],
    ),
    Format(
        0x2A5F,
        1,
        &[
            sfloat("spo2", 0, "%"),
            pulse(),
            sfloat("spo2_fast", 0, "%").set(0),
            sfloat("pulse_rate_fast", 0, "/min").set(0),
            sfloat("spo2_slow", 0, "%").set(1),
            sfloat("pulse_rate_slow", 0, "/min").set(1),
            part("", Take::Skip(2)).set(2),
            part("", Take::Skip(3)).set(3),
            sfloat("pulse_amplitude_index", 0, "%").set(4),
        ],
    ),
    Format(0x2A7E, 0, &[beats("aerobic_heart_rate_lower_limit")]),
    Format(0x2A7F, 0, &[beats("aerobic_threshold")]),
    Format(0x2A80, 0, &[int("age", U8, "a")]),
    Format(0x2A81, 0, &[beats("anaerobic_heart_rate_lower_limit")]),
    Format(0x2A82, 0, &[beats("anaerobic_heart_rate_upper_limit")]),
    Format(0x2A83, 0, &[beats("anaerobic_threshold")]),
    Format(0x2A84, 0, &[beats("aerobic_heart_rate_upper_limit")]),
    Format(0x2A85, 0, &[part("date_of_birth", Take::Date)]),
    Format(0x2A86, 0, &[part("threshold_assessed", Take::Date)]),
    Format(0x2A87, 0, &[text("email_address")]),
    Format(0x2A88, 0, &[beats("fat_burn_heart_rate_lower_limit")]),
    Format(0x2A89, 0, &[beats("fat_burn_heart_rate_upper_limit")]),
    Format(0x2A8A, 0, &[text("first_name")]),
    Format(0x2A8C, 0, &[words("gender", GENDER)]),
    Format(0x2A8D, 0, &[beats("heart_rate_max")]),
    Format(0x2A8E, 0, &[centimetres("height")]),
    Format(0x2A8F, 0, &[centimetres("hip_circumference")]),
    Format(0x2A90, 0, &[text("last_name")]),
    Format(0x2A91, 0, &[beats("maximum_recommended_heart_rate")]),
    Format(0x2A92, 0, &[beats("resting_heart_rate")]),
    Format(0x2A96, 0, &[int("vo2_max", U8, "mL/kg/min")]),
    Format(0x2A97, 0, &[centimetres("waist_circumference")]),
    Format(0x2A98, 0, &[mul("weight", U16, 5.0, 1_000.0, "kg")]),
    Format(0x2A9A, 0, &[user("user_index")]),
    Format(
        0x2A9C,
        2,
        &[
            // 0xFFFF: it could not be measured (Body Composition Service, 3.2).
            div("body_fat", U16, 10.0, "%").unknown(&[0xFFFF]),
            time().set(1),
            user("user_id").set(2),
            int("basal_metabolism", U16, "kJ").set(3),
            div("muscle_percentage", U16, 10.0, "%").set(4),
            kilograms("muscle_mass", 5),
            pounds("muscle_mass", 5),
            kilograms("fat_free_mass", 6),
            pounds("fat_free_mass", 6),
            kilograms("soft_lean_mass", 7),
            pounds("soft_lean_mass", 7),
            kilograms("body_water_mass", 8),
            pounds("body_water_mass", 8),
            div("impedance", U16, 10.0, "Ohm").set(9),
            kilograms("weight", 10),
            pounds("weight", 10),
            metres(11),
            inches(11),
        ],
    ),
    Format(
        0x2A9D,
        1,
        &[
            // 0xFFFF: it could not be measured (Weight Scale Service, 3.2).
            mul("weight", U16, 5.0, 1_000.0, "kg")
                .unknown(&[0xFFFF])
                .clear(0),
            mul("weight", U16, POUND_KG, 100.0, "kg")
                .unknown(&[0xFFFF])
                .set(0),
            time().set(1),
            user("user_id").set(2),
            div("bmi", U16, 10.0, "kg/m2").set(3),
            metres(3),
            inches(3),
        ],
    ),
    Format(
        0x2B34,
        1,
        &[
            pressure("systolic"),
            pressure("diastolic"),
            pressure("mean_arterial_pressure"),
            kilopascal("systolic"),
            kilopascal("diastolic"),
            kilopascal("mean_arterial_pressure"),
            part("", Take::Skip(4)).set(1),
            pulse().set(2),
            user("user_id").set(3),
            pressure_status().set(4),
            part("", Take::Skip(4)).set(5),
        ],
    ),
    Format(
        0x2B35,
        1,
        &[
            pressure("cuff_pressure"),
            kilopascal("cuff_pressure"),
            part("", Take::Skip(4)).set(1),
            pulse().set(2),
            user("user_id").set(3),
            pressure_status().set(4),
            part("", Take::Skip(4)).set(5),
        ],
    ),
    Format(0x2B47, 0, &[div("height", U16, 10_000.0, "m")]),
    Format(0x2B48, 0, &[text("middle_name")]),
    Format(0x2B49, 0, &[div("stride_length", U16, 1_000.0, "m")]),
    Format(
        0x2B4A,
        0,
        &[words(
            "handedness",
            &["left", "right", "both", "unspecified"],
        )],
    ),
    Format(
        0x2B4E,
        1,
        &[
            int("goal_energy", U16, "kJ").set(0),
            int("goal_walking_steps", U24, "").set(1),
            int("goal_intensity_steps", U24, "").set(2),
            int("goal_floor_steps", U24, "").set(3),
            int("goal_distance", U24, "m").set(4),
            int("goal_walking_time", U24, "s").set(5),
            int("goal_intensity_time", U24, "s").set(6),
        ],
    ),
    Format(0x2B4F, 0, &[int("sedentary_interval", U16, "s")]),
    Format(0x2B50, 0, &[int("caloric_intake", U16, "kcal")]),
];
