//! Formats of the environment: weather, air, and what of them is measured.

use super::format::{
    Format, Part, S8, S16, S24, Take, U8, U16, U24, U32, div, int, part, sfloat, words,
};

/// kg/m3 as ug/m3.
const MICROGRAMS: i8 = 9;

const TREND: &[&str] = &[
    "unknown",
    "continuously falling",
    "continuously rising",
    "falling, then steady",
    "rising, then steady",
    "falling before a lesser rise",
    "falling before a greater rise",
    "rising before a greater fall",
    "rising before a lesser fall",
    "steady",
];

const fn temperature(id: &'static str) -> Part {
    div(id, S16, 100.0, "Cel")
        .unknown(&[-0x8000])
        .within(-27_315, 0x7FFF)
}

const fn degrees(id: &'static str) -> Part {
    div(id, U16, 100.0, "deg").within(0, 35_999)
}

const fn speed(id: &'static str) -> Part {
    div(id, U16, 100.0, "m/s")
}

/// 10^-7 T.
const fn magnetic(id: &'static str) -> Part {
    div(id, S16, 10.0, "uT")
}

/// Half a degree.
const fn temperature_8(id: &'static str) -> Part {
    div(id, S8, 2.0, "Cel").unknown(&[0x7F])
}

const fn percentage_8(id: &'static str) -> Part {
    div(id, U8, 2.0, "%").unknown(&[0xFF]).within(0, 200)
}

const fn sensing() -> Part {
    Part {
        unit: "s",
        ..part("sensing_duration", Take::Exponential)
    }
}

pub(super) const ENVIRONMENT: &[Format] = &[
    Format(0x2A2C, 0, &[degrees("magnetic_declination")]),
    Format(0x2A6C, 0, &[div("elevation", S24, 100.0, "m")]),
    Format(0x2A6D, 0, &[div("pressure", U32, 10.0, "Pa")]),
    Format(0x2A6E, 0, &[temperature("temperature")]),
    Format(
        0x2A6F,
        0,
        &[div("humidity", U16, 100.0, "%")
            .unknown(&[0xFFFF])
            .within(0, 10_000)],
    ),
    Format(0x2A70, 0, &[speed("wind_speed")]),
    Format(0x2A71, 0, &[degrees("wind_direction")]),
    Format(0x2A72, 0, &[speed("apparent_wind_speed")]),
    Format(0x2A73, 0, &[degrees("apparent_wind_direction")]),
    Format(0x2A74, 0, &[div("gust_factor", U8, 10.0, "")]),
    Format(0x2A75, 0, &[int("pollen", U24, "/m3")]),
    Format(0x2A76, 0, &[int("uv_index", U8, "")]),
    Format(0x2A77, 0, &[div("irradiance", U16, 10.0, "W/m2")]),
    Format(0x2A78, 0, &[int("rainfall", U16, "mm")]),
    Format(0x2A79, 0, &[int("wind_chill", S8, "Cel")]),
    Format(0x2A7A, 0, &[int("heat_index", S8, "Cel")]),
    Format(0x2A7B, 0, &[int("dew_point", S8, "Cel")]),
    Format(0x2AA0, 0, &[magnetic("magnetic_x"), magnetic("magnetic_y")]),
    Format(
        0x2AA1,
        0,
        &[
            magnetic("magnetic_x"),
            magnetic("magnetic_y"),
            magnetic("magnetic_z"),
        ],
    ),
    Format(0x2AA3, 0, &[words("pressure_trend", TREND)]),
    Format(
        0x2B0C,
        0,
        &[
            percentage_8("relative_value"),
            temperature("minimum"),
            temperature("maximum"),
        ],
    ),
    Format(0x2B0D, 0, &[temperature_8("temperature")]),
    Format(
        0x2B0E,
        0,
        &[
            temperature_8("temperature"),
            div("start_time", U8, 10.0, "h")
                .unknown(&[0xFF])
                .within(0, 239),
            div("end_time", U8, 10.0, "h")
                .unknown(&[0xFF])
                .within(0, 239),
        ],
    ),
    Format(
        0x2B0F,
        0,
        &[
            temperature_8("average"),
            temperature_8("standard_deviation"),
            temperature_8("minimum"),
            temperature_8("maximum"),
            sensing(),
        ],
    ),
    Format(0x2B10, 0, &[temperature("minimum"), temperature("maximum")]),
    Format(
        0x2B11,
        0,
        &[
            temperature("average"),
            temperature("standard_deviation"),
            temperature("minimum"),
            temperature("maximum"),
            sensing(),
        ],
    ),
    // 0xFFFE means 65534 or more, which is a value and no gap.
    Format(0x2B8C, 0, &[int("co2", U16, "[ppm]").unknown(&[0xFFFF])]),
    Format(0x2BCF, 0, &[sfloat("ammonia", MICROGRAMS, "ug/m3")]),
    Format(0x2BD0, 0, &[sfloat("carbon_monoxide", MICROGRAMS, "ug/m3")]),
    Format(0x2BD1, 0, &[sfloat("methane", 0, "[ppb]")]),
    Format(
        0x2BD2,
        0,
        &[sfloat("nitrogen_dioxide", MICROGRAMS, "ug/m3")],
    ),
    Format(0x2BD3, 0, &[sfloat("nmvoc", MICROGRAMS, "ug/m3")]),
    Format(0x2BD4, 0, &[sfloat("ozone", MICROGRAMS, "ug/m3")]),
    Format(0x2BD5, 0, &[sfloat("pm1", MICROGRAMS, "ug/m3")]),
    Format(0x2BD6, 0, &[sfloat("pm25", MICROGRAMS, "ug/m3")]),
    Format(0x2BD7, 0, &[sfloat("pm10", MICROGRAMS, "ug/m3")]),
    Format(0x2BD8, 0, &[sfloat("sulfur_dioxide", MICROGRAMS, "ug/m3")]),
    Format(
        0x2BD9,
        0,
        &[sfloat("sulfur_hexafluoride", MICROGRAMS, "ug/m3")],
    ),
    Format(
        0x2BDF,
        0,
        &[div("temperature", S16, 2.0, "Cel")
            .unknown(&[-0x8000, -0x7FFF])
            .within(-546, 0x7FFF)],
    ),
    // 0xFE means 254 dB or more.
    Format(0x2BE4, 0, &[int("noise", U8, "dB[SPL]").unknown(&[0xFF])]),
    Format(0x2BE7, 0, &[int("voc", U16, "[ppb]").unknown(&[0xFFFF])]),
    Format(0x2C1B, 0, &[percentage_8("humidity")]),
    Format(
        0x2C2E,
        0,
        &[div("temperature", S16, 10.0, "Cel")
            .unknown(&[-0x8000])
            .within(-1_000, 10_000)],
    ),
    Format(
        0x2C30,
        0,
        &[div("airflow", U16, 1_000.0, "m3/s").unknown(&[0xFFFF])],
    ),
];
