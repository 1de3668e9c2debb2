//! Formats of one value each that any service may use: electricity, light, mass, time, counts, contacts.

use super::format::{
    Format, Group, GroupAs, Part, S8, S16, S32, Take, U8, U16, U24, U32, U48, bit, bits, div, int,
    mul, part, words,
};

const UNKNOWN_8: &[i64] = &[0xFF];
const UNKNOWN_16: &[i64] = &[0xFFFF];
const UNKNOWN_24: &[i64] = &[0xFF_FFFF];
const UNKNOWN_32: &[i64] = &[0xFFFF_FFFF];
/// Not valid, not known.
const NEITHER_24: &[i64] = &[0xFF_FFFE, 0xFF_FFFF];
const NEITHER_32: &[i64] = &[0xFFFF_FFFE, 0xFFFF_FFFF];
const UNKNOWN_S32: &[i64] = &[0x7FFF_FFFF];

/// One g, in m/s2.
const G: f64 = 9.806_65;

const BUTTON: &[&str] = &["", "pressed", "released", "held"];
const LIGHT_SOURCE: &[&str] = &[
    "not specified",
    "low pressure fluorescent",
    "high intensity discharge",
    "low voltage halogen",
    "incandescent",
    "LED",
    "OLED",
];

const fn current(id: &'static str) -> Part {
    div(id, U16, 100.0, "A").unknown(UNKNOWN_16)
}

/// 1/64 V.
const fn voltage(id: &'static str) -> Part {
    div(id, U16, 64.0, "V").unknown(UNKNOWN_16)
}

const fn power(id: &'static str) -> Part {
    div(id, U24, 10.0, "W").unknown(NEITHER_24)
}

const fn illuminance(id: &'static str) -> Part {
    div(id, U24, 100.0, "lx").unknown(UNKNOWN_24)
}

const fn luminous_flux(id: &'static str) -> Part {
    int(id, U16, "lm").unknown(UNKNOWN_16)
}

const fn color_temperature(id: &'static str) -> Part {
    int(id, U16, "K").unknown(UNKNOWN_16).within(800, 65_534)
}

/// 1/65535, as the range of 0 to 1 needs it, though the exponent in the specification says 1/65536.
const fn chromaticity(id: &'static str) -> Part {
    div(id, U16, 65_535.0, "")
}

const fn percentage_8(id: &'static str) -> Part {
    div(id, U8, 2.0, "%").unknown(UNKNOWN_8).within(0, 200)
}

/// An hour of the day, by tenths.
const fn decihour(id: &'static str) -> Part {
    div(id, U8, 10.0, "h").unknown(UNKNOWN_8).within(0, 239)
}

const fn exponential(id: &'static str) -> Part {
    Part {
        unit: "s",
        ..part(id, Take::Exponential)
    }
}

const fn force(id: &'static str, by: f64, unit: &'static str) -> Part {
    div(id, S32, by, unit).unknown(UNKNOWN_S32)
}

const fn fixed_text(len_bytes: u8) -> Part {
    part("text", Take::FixedText(len_bytes))
}

/// Hundredths of g in a byte.
const fn acceleration_8(id: &'static str) -> Part {
    mul(id, S8, G, 100.0, "m/s2").unknown(&[0x7E, 0x7F])
}

/// Thousandths of g.
const fn acceleration_16(id: &'static str) -> Part {
    mul(id, S16, G, 1_000.0, "m/s2").unknown(&[0x7FFE, 0x7FFF])
}

const fn button(id: &'static str, at: u8) -> Group {
    Group {
        id,
        at,
        unit: "",
        as_: GroupAs::Words(2, BUTTON),
    }
}

pub(super) const GENERIC: &[Format] = &[
    Format(0x2A56, 0, &[part("digital", Take::Pairs)]),
    Format(0x2A58, 0, &[int("analog", U16, "")]),
    Format(
        0x2AE0,
        0,
        &[current("current"), exponential("sensing_duration")],
    ),
    Format(
        0x2AE1,
        0,
        &[voltage("voltage"), exponential("sensing_duration")],
    ),
    Format(0x2AE2, 0, &[part("state", Take::Truth)]),
    Format(
        0x2AE3,
        0,
        &[div("planckian_distance", S16, 100_000.0, "")
            .unknown(&[0x7FFE, 0x7FFF])
            .within(-5_000, 5_000)],
    ),
    Format(
        0x2AE4,
        0,
        &[
            chromaticity("chromaticity_x"),
            chromaticity("chromaticity_y"),
        ],
    ),
    Format(
        0x2AE5,
        0,
        &[
            color_temperature("color_temperature"),
            div("planckian_distance", S16, 100_000.0, "")
                .unknown(&[0x7FFE, 0x7FFF])
                .within(-5_000, 5_000),
        ],
    ),
    Format(
        0x2AE6,
        0,
        &[div("chromaticity_tolerance", U8, 10_000.0, "")],
    ),
    Format(
        0x2AE7,
        0,
        &[int("color_rendering_index", S8, "")
            .unknown(&[127])
            .within(-128, 100)],
    ),
    Format(0x2AE8, 0, &[part("coefficient", Take::Single)]),
    Format(0x2AE9, 0, &[color_temperature("color_temperature")]),
    Format(0x2AEA, 0, &[int("count", U16, "").unknown(UNKNOWN_16)]),
    Format(0x2AEB, 0, &[int("count", U24, "").unknown(UNKNOWN_24)]),
    Format(
        0x2AEC,
        0,
        &[int("country_code", U16, "").unknown(UNKNOWN_16)],
    ),
    Format(0x2AED, 0, &[part("date", Take::Days)]),
    Format(0x2AEE, 0, &[current("current")]),
    Format(0x2AEF, 0, &[current("minimum"), current("maximum")]),
    Format(
        0x2AF0,
        0,
        &[current("minimum"), current("typical"), current("maximum")],
    ),
    Format(
        0x2AF1,
        0,
        &[
            current("average"),
            current("standard_deviation"),
            current("minimum"),
            current("maximum"),
            exponential("sensing_duration"),
        ],
    ),
    Format(0x2AF2, 0, &[int("energy", U24, "kW.h").unknown(UNKNOWN_24)]),
    Format(
        0x2AF3,
        0,
        &[
            int("energy", U24, "kW.h").unknown(UNKNOWN_24),
            decihour("start_time"),
            decihour("end_time"),
        ],
    ),
    Format(
        0x2AF4,
        0,
        &[
            int("events", U16, "").unknown(UNKNOWN_16),
            int("average_duration", U16, "s").unknown(UNKNOWN_16),
            exponential("since_last"),
            exponential("sensing_duration"),
        ],
    ),
    Format(0x2AF5, 0, &[fixed_text(16)]),
    Format(0x2AF6, 0, &[fixed_text(24)]),
    Format(0x2AF7, 0, &[fixed_text(36)]),
    Format(0x2AF8, 0, &[fixed_text(8)]),
    Format(0x2AF9, 0, &[int("level", U16, "")]),
    Format(
        0x2AFA,
        0,
        &[int("trade_item_number", U48, "").unknown(&[0])],
    ),
    Format(0x2AFB, 0, &[illuminance("illuminance")]),
    Format(
        0x2AFC,
        0,
        &[div("luminous_efficacy", U16, 10.0, "lm/W")
            .unknown(UNKNOWN_16)
            .within(0, 18_000)],
    ),
    Format(
        0x2AFD,
        0,
        &[mul("luminous_energy", U24, 1_000.0, 1.0, "lm.h").unknown(UNKNOWN_24)],
    ),
    Format(
        0x2AFE,
        0,
        &[mul("luminous_exposure", U24, 1_000.0, 1.0, "lx.h").unknown(UNKNOWN_24)],
    ),
    Format(0x2AFF, 0, &[luminous_flux("luminous_flux")]),
    Format(
        0x2B00,
        0,
        &[luminous_flux("minimum"), luminous_flux("maximum")],
    ),
    Format(
        0x2B01,
        0,
        &[int("luminous_intensity", U16, "cd").unknown(UNKNOWN_16)],
    ),
    Format(
        0x2B02,
        0,
        &[int("mass_flow", U16, "g/s").unknown(UNKNOWN_16)],
    ),
    Format(0x2B03, 0, &[int("perceived_lightness", U16, "")]),
    Format(0x2B04, 0, &[percentage_8("percentage")]),
    Format(0x2B05, 0, &[power("power")]),
    Format(
        0x2B06,
        0,
        &[power("minimum"), power("typical"), power("maximum")],
    ),
    Format(
        0x2B07,
        0,
        &[
            percentage_8("relative_runtime"),
            current("minimum"),
            current("maximum"),
        ],
    ),
    Format(
        0x2B08,
        0,
        &[
            percentage_8("relative_value"),
            int("minimum", U16, ""),
            int("maximum", U16, ""),
        ],
    ),
    Format(
        0x2B09,
        0,
        &[
            percentage_8("relative_value"),
            voltage("minimum"),
            voltage("maximum"),
        ],
    ),
    Format(
        0x2B0A,
        0,
        &[
            percentage_8("relative_value"),
            illuminance("minimum"),
            illuminance("maximum"),
        ],
    ),
    Format(
        0x2B0B,
        0,
        &[
            percentage_8("relative_value"),
            decihour("start_time"),
            decihour("end_time"),
        ],
    ),
    Format(0x2B12, 0, &[decihour("time")]),
    Format(0x2B13, 0, &[exponential("time")]),
    Format(0x2B14, 0, &[int("time", U24, "h").unknown(UNKNOWN_24)]),
    Format(
        0x2B15,
        0,
        &[div("time", U24, 1_000.0, "s").unknown(UNKNOWN_24)],
    ),
    Format(0x2B16, 0, &[int("time", U16, "s").unknown(UNKNOWN_16)]),
    Format(0x2B17, 0, &[int("time", U8, "s").unknown(UNKNOWN_8)]),
    Format(0x2B18, 0, &[voltage("voltage")]),
    Format(
        0x2B19,
        0,
        &[voltage("minimum"), voltage("typical"), voltage("maximum")],
    ),
    Format(
        0x2B1A,
        0,
        &[
            voltage("average"),
            voltage("standard_deviation"),
            voltage("minimum"),
            voltage("maximum"),
            exponential("sensing_duration"),
        ],
    ),
    Format(
        0x2B1B,
        0,
        &[div("volume_flow", U16, 1_000.0, "L/s").unknown(UNKNOWN_16)],
    ),
    Format(0x2B1C, 0, &[chromaticity("chromaticity")]),
    Format(
        0x2B89,
        0,
        &[div("apparent_energy", U32, 1_000.0, "kV.A.h").unknown(NEITHER_32)],
    ),
    Format(
        0x2B8A,
        0,
        &[div("apparent_power", U24, 10.0, "V.A").unknown(NEITHER_24)],
    ),
    Format(
        0x2B8D,
        0,
        &[div("cosine", S8, 100.0, "")
            .unknown(&[0x7F])
            .within(-100, 100)],
    ),
    Format(
        0x2BA8,
        0,
        &[div("energy", U32, 1_000.0, "kW.h").unknown(NEITHER_32)],
    ),
    Format(0x2BDE, 0, &[fixed_text(64)]),
    Format(
        0x2BE0,
        0,
        &[div("voltage", U24, 64.0, "V").unknown(UNKNOWN_24)],
    ),
    Format(
        0x2BE2,
        0,
        &[int("light_output", U24, "lm").unknown(NEITHER_24)],
    ),
    Format(0x2BE3, 0, &[words("light_source", LIGHT_SOURCE)]),
    Format(
        0x2BE5,
        0,
        &[
            percentage_8("relative_runtime"),
            color_temperature("minimum"),
            color_temperature("maximum"),
        ],
    ),
    Format(0x2BE6, 0, &[int("time", U32, "s").unknown(UNKNOWN_32)]),
    // 0 means direct current.
    Format(
        0x2BE8,
        0,
        &[int("frequency", U16, "Hz").unknown(&[0xFFFE, 0xFFFF])],
    ),
    Format(
        0x2C05,
        0,
        &[int("steps", U8, "").unknown(UNKNOWN_8).within(1, 200)],
    ),
    Format(0x2C06, 0, &[force("acceleration", 1_000.0, "m/s2")]),
    Format(0x2C07, 0, &[force("force", 1_000.0, "N")]),
    Format(0x2C08, 0, &[force("position", 10_000_000.0, "m")]),
    Format(
        0x2C09,
        0,
        &[int("rotational_speed", S32, "/min").unknown(UNKNOWN_S32)],
    ),
    Format(
        0x2C0A,
        0,
        &[div("length", U32, 10_000_000.0, "m").unknown(UNKNOWN_32)],
    ),
    Format(0x2C0B, 0, &[force("torque", 100.0, "N.m")]),
    Format(
        0x2C1C,
        0,
        &[int("illuminance", U16, "lx").unknown(UNKNOWN_16)],
    ),
    Format(
        0x2C1D,
        0,
        &[
            acceleration_8("acceleration_x"),
            acceleration_8("acceleration_y"),
            acceleration_8("acceleration_z"),
        ],
    ),
    Format(
        0x2C1E,
        0,
        &[
            acceleration_16("acceleration_x"),
            acceleration_16("acceleration_y"),
            acceleration_16("acceleration_z"),
        ],
    ),
    Format(0x2C1F, 0, &[part("motion", Take::Truth)]),
    Format(
        0x2C20,
        0,
        &[words("opening", &["open", "closed", "tilted"])],
    ),
    Format(
        0x2C21,
        0,
        &[bits(
            U8,
            &[
                button("button", 0),
                button("button_2", 2),
                button("button_3", 4),
                button("button_4", 6),
            ],
        )],
    ),
    Format(
        0x2C22,
        0,
        &[bits(
            U8,
            &[
                bit("contact", 0),
                bit("contact_2", 1),
                bit("contact_3", 2),
                bit("contact_4", 3),
                bit("contact_5", 4),
                bit("contact_6", 5),
                bit("contact_7", 6),
                bit("contact_8", 7),
            ],
        )],
    ),
];
