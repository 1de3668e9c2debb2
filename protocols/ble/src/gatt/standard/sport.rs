//! Formats of sport: cycling, running, places on the way, and fitness machines.

use super::format::{
    Format, Group, GroupAs, Part, S16, S24, S32, Take, U8, U16, U24, U32, bits, div, int, mul,
    part, words,
};

const SENSOR_LOCATION: &[&str] = &[
    "other",
    "top of shoe",
    "in shoe",
    "hip",
    "front wheel",
    "left crank",
    "right crank",
    "left pedal",
    "right pedal",
    "front hub",
    "rear dropout",
    "chainstay",
    "rear wheel",
    "rear hub",
    "chest",
    "spider",
    "chain ring",
];

const fn degrees(id: &'static str) -> Part {
    int(id, U16, "deg")
}

const fn angle(id: &'static str, at: u8) -> Group {
    Group {
        id,
        at,
        unit: "deg",
        as_: GroupAs::Number(12),
    }
}

const fn newton_metres(id: &'static str) -> Part {
    div(id, S16, 32.0, "N.m")
}

const fn heading(id: &'static str) -> Part {
    div(id, U16, 100.0, "deg")
}

const fn speed(id: &'static str) -> Part {
    div(id, U16, 100.0, "km/h")
}

const fn distance() -> Part {
    int("total_distance", U24, "m")
}

const fn incline() -> Part {
    div("inclination", S16, 10.0, "%").unknown(&[0x7FFF])
}

const fn ramp() -> Part {
    div("ramp_angle", S16, 10.0, "deg").unknown(&[0x7FFF])
}

const fn kilocalories(id: &'static str) -> Part {
    int(id, U16, "kcal").unknown(&[0xFFFF])
}

const fn kilocalories_per_minute() -> Part {
    int("energy_per_minute", U8, "kcal").unknown(&[0xFF])
}

const fn heart_rate() -> Part {
    int("heart_rate", U8, "/min")
}

const fn metabolic() -> Part {
    div("metabolic_equivalent", U8, 10.0, "[MET]")
}

const fn seconds(id: &'static str) -> Part {
    int(id, U16, "s")
}

const fn watts(id: &'static str) -> Part {
    int(id, S16, "W")
}

const fn rate(id: &'static str) -> Part {
    int(id, U16, "/min")
}

const fn half_rate(id: &'static str) -> Part {
    div(id, U16, 2.0, "/min")
}

const fn metres(id: &'static str) -> Part {
    int(id, U16, "m")
}

/// Bit 0 says that more of the same record follows in another value; then the first fields are in that one.
pub(super) const SPORT: &[Format] = &[
    Format(
        0x2A53,
        1,
        &[
            div("speed", U16, 256.0, "m/s"),
            int("cadence", U8, "/min"),
            div("stride_length", U16, 100.0, "m").set(0),
            div("total_distance", U32, 10.0, "m").set(1),
            part("running", Take::Flag(2)),
        ],
    ),
    Format(
        0x2A5B,
        1,
        &[
            int("wheel_revolutions", U32, "").set(0),
            div("wheel_event_time", U16, 1_024.0, "s").set(0),
            int("crank_revolutions", U16, "").set(1),
            div("crank_event_time", U16, 1_024.0, "s").set(1),
        ],
    ),
    Format(0x2A5D, 0, &[words("sensor_location", SENSOR_LOCATION)]),
    Format(
        0x2A63,
        2,
        &[
            watts("power"),
            div("pedal_balance", U8, 2.0, "%").set(0),
            div("accumulated_torque", U16, 32.0, "N.m").set(2),
            int("wheel_revolutions", U32, "").set(4),
            div("wheel_event_time", U16, 2_048.0, "s").set(4),
            int("crank_revolutions", U16, "").set(5),
            div("crank_event_time", U16, 1_024.0, "s").set(5),
            int("maximum_force", S16, "N").set(6),
            int("minimum_force", S16, "N").set(6),
            newton_metres("maximum_torque").set(7),
            newton_metres("minimum_torque").set(7),
            bits(
                U24,
                &[angle("maximum_angle", 0), angle("minimum_angle", 12)],
            )
            .set(8),
            degrees("top_dead_spot").set(9),
            degrees("bottom_dead_spot").set(10),
            int("accumulated_energy", U16, "kJ").set(11),
        ],
    ),
    Format(
        0x2A67,
        2,
        &[
            div("speed", U16, 100.0, "m/s").set(0),
            div("total_distance", U24, 10.0, "m").set(1),
            div("latitude", S32, 10_000_000.0, "deg").set(2),
            div("longitude", S32, 10_000_000.0, "deg").set(2),
            div("elevation", S24, 100.0, "m").set(3),
            heading("heading").set(4),
            int("rolling_time", U8, "s").set(5),
            part("time", Take::DateTime).set(6),
        ],
    ),
    Format(
        0x2A68,
        2,
        &[
            heading("bearing"),
            heading("heading"),
            div("remaining_distance", U24, 10.0, "m").set(0),
            div("remaining_vertical_distance", S24, 100.0, "m").set(1),
            part("estimated_arrival", Take::DateTime).set(2),
        ],
    ),
    Format(
        0x2A69,
        2,
        &[
            int("beacons_in_solution", U8, "").set(0),
            int("beacons_in_view", U8, "").set(1),
            div("time_to_first_fix", U16, 10.0, "s").set(2),
            div("horizontal_error", U32, 100.0, "m").set(3),
            div("vertical_error", U32, 100.0, "m").set(4),
            mul("hdop", U8, 2.0, 10.0, "").set(5),
            mul("vdop", U8, 2.0, 10.0, "").set(6),
        ],
    ),
    Format(
        0x2ACD,
        2,
        &[
            speed("speed").clear(0),
            speed("average_speed").set(1),
            distance().set(2),
            incline().set(3),
            ramp().set(3),
            div("elevation_gain", U16, 10.0, "m").set(4),
            div("elevation_loss", U16, 10.0, "m").set(4),
            seconds("pace_500m").set(5),
            seconds("average_pace_500m").set(6),
            kilocalories("total_energy").set(7),
            kilocalories("energy_per_hour").set(7),
            kilocalories_per_minute().set(7),
            heart_rate().set(8),
            metabolic().set(9),
            seconds("elapsed_time").set(10),
            seconds("remaining_time").set(11),
            int("belt_force", S16, "N").unknown(&[0x7FFF]).set(12),
            watts("power").unknown(&[0x7FFF]).set(12),
        ],
    ),
    Format(
        0x2ACE,
        3,
        &[
            speed("speed").clear(0),
            speed("average_speed").set(1),
            distance().set(2),
            rate("step_rate").set(3),
            rate("average_step_rate").set(3),
            div("strides", U16, 10.0, "").set(4),
            metres("elevation_gain").set(5),
            metres("elevation_loss").set(5),
            incline().set(6),
            ramp().set(6),
            part("resistance", Take::Resistance).set(7),
            watts("power").set(8),
            watts("average_power").set(9),
            kilocalories("total_energy").set(10),
            kilocalories("energy_per_hour").set(10),
            kilocalories_per_minute().set(10),
            heart_rate().set(11),
            metabolic().set(12),
            seconds("elapsed_time").set(13),
            seconds("remaining_time").set(14),
        ],
    ),
    Format(
        0x2ACF,
        2,
        &[
            int("floors", U16, "").clear(0),
            int("steps", U16, "").clear(0),
            rate("step_rate").set(1),
            rate("average_step_rate").set(2),
            metres("elevation_gain").set(3),
            kilocalories("total_energy").set(4),
            kilocalories("energy_per_hour").set(4),
            kilocalories_per_minute().set(4),
            heart_rate().set(5),
            metabolic().set(6),
            seconds("elapsed_time").set(7),
            seconds("remaining_time").set(8),
        ],
    ),
    Format(
        0x2AD0,
        2,
        &[
            int("floors", U16, "").clear(0),
            rate("step_rate").set(1),
            rate("average_step_rate").set(2),
            metres("elevation_gain").set(3),
            int("strides", U16, "").set(4),
            kilocalories("total_energy").set(5),
            kilocalories("energy_per_hour").set(5),
            kilocalories_per_minute().set(5),
            heart_rate().set(6),
            metabolic().set(7),
            seconds("elapsed_time").set(8),
            seconds("remaining_time").set(9),
        ],
    ),
    Format(
        0x2AD1,
        2,
        &[
            div("stroke_rate", U8, 2.0, "/min").clear(0),
            int("strokes", U16, "").clear(0),
            div("average_stroke_rate", U8, 2.0, "/min").set(1),
            distance().set(2),
            seconds("pace_500m").set(3),
            seconds("average_pace_500m").set(4),
            watts("power").set(5),
            watts("average_power").set(6),
            part("resistance", Take::Resistance).set(7),
            kilocalories("total_energy").set(8),
            kilocalories("energy_per_hour").set(8),
            kilocalories_per_minute().set(8),
            heart_rate().set(9),
            metabolic().set(10),
            seconds("elapsed_time").set(11),
            seconds("remaining_time").set(12),
        ],
    ),
    Format(
        0x2AD2,
        2,
        &[
            speed("speed").clear(0),
            speed("average_speed").set(1),
            half_rate("cadence").set(2),
            half_rate("average_cadence").set(3),
            distance().set(4),
            part("resistance", Take::Resistance).set(5),
            watts("power").set(6),
            watts("average_power").set(7),
            kilocalories("total_energy").set(8),
            kilocalories("energy_per_hour").set(8),
            kilocalories_per_minute().set(8),
            heart_rate().set(9),
            metabolic().set(10),
            seconds("elapsed_time").set(11),
            seconds("remaining_time").set(12),
        ],
    ),
    Format(
        0x2AD4,
        0,
        &[
            speed("minimum_speed"),
            speed("maximum_speed"),
            speed("speed_increment"),
        ],
    ),
    Format(
        0x2AD5,
        0,
        &[
            div("minimum_inclination", S16, 10.0, "%"),
            div("maximum_inclination", S16, 10.0, "%"),
            div("inclination_increment", U16, 10.0, "%"),
        ],
    ),
    Format(
        0x2AD7,
        0,
        &[
            int("minimum_heart_rate", U8, "/min"),
            int("maximum_heart_rate", U8, "/min"),
            int("heart_rate_increment", U8, "/min"),
        ],
    ),
    Format(
        0x2AD8,
        0,
        &[
            watts("minimum_power"),
            watts("maximum_power"),
            int("power_increment", U16, "W"),
        ],
    ),
];
