//! `Scale`: what makers multiply with and add to, the usual first.

/// What a raw number is multiplied with, and what is added then.
#[derive(Debug, PartialEq)]
pub(super) struct Scale {
    pub scale: f64,
    pub offset: f64,
    /// How unusual it is, as a power of two.
    pub cost: f64,
    pub suits_floats: bool,
    /// What it says of the device, for people.
    pub note: Option<&'static str>,
}

const fn plain(scale: f64, cost: f64) -> Scale {
    Scale {
        scale,
        offset: 0.0,
        cost,
        suits_floats: scale == 1.0
            || scale == 0.001
            || scale == 1000.0
            || scale == 0.01
            || scale == 100.0,
        note: None,
    }
}

const fn moved(scale: f64, offset: f64, cost: f64) -> Scale {
    Scale {
        scale,
        offset,
        cost,
        suits_floats: false,
        note: None,
    }
}

const fn noted(
    scale: f64,
    offset: f64,
    cost: f64,
    suits_floats: bool,
    note: &'static str,
) -> Scale {
    Scale {
        scale,
        offset,
        cost,
        suits_floats,
        note: Some(note),
    }
}

const TO_FAHRENHEIT: &str = "the display shows degrees Fahrenheit, the packet has degrees Celsius";
const TO_CELSIUS: &str = "the display shows degrees Celsius, the packet has degrees Fahrenheit";
const KELVIN: &str = "the packet has kelvins";
const SENSIRION: &str = "it is how Sensirion's sensors give it";

pub(super) const fn scales() -> &'static [Scale] {
    SCALES
}

const SCALES: &[Scale] = &[
    plain(0.1, 0.0),
    plain(0.01, 0.0),
    plain(1.0, 0.0),
    plain(0.001, 1.0),
    plain(0.0001, 2.0),
    plain(0.00001, 3.0),
    plain(10.0, 1.5),
    plain(100.0, 2.0),
    plain(1000.0, 2.5),
    plain(0.5, 1.0),
    plain(0.05, 2.0),
    plain(0.005, 2.0),
    plain(0.2, 2.0),
    plain(0.02, 2.5),
    plain(0.002, 3.0),
    plain(0.25, 2.0),
    plain(0.025, 2.5),
    plain(0.0025, 2.5),
    plain(0.125, 2.5),
    plain(0.0625, 2.0),
    plain(0.031_25, 3.0),
    plain(0.015_625, 3.0),
    plain(0.007_812_5, 3.0),
    plain(0.003_906_25, 2.0),
    plain(2.0, 2.5),
    plain(5.0, 3.0),
    plain(-1.0, 4.0),
    plain(-0.1, 4.0),
    plain(-0.01, 4.0),
    moved(1.0, -40.0, 2.0),
    moved(1.0, -50.0, 3.0),
    moved(1.0, -60.0, 3.0),
    moved(1.0, -100.0, 3.0),
    moved(1.0, 100.0, 4.0),
    moved(1.0, -127.0, 4.0),
    moved(1.0, -128.0, 3.5),
    moved(1.0, 50_000.0, 4.0),
    moved(0.01, 500.0, 4.0),
    moved(0.5, -40.0, 3.0),
    moved(0.1, -40.0, 2.5),
    moved(0.1, -50.0, 4.0),
    moved(0.1, -100.0, 3.5),
    moved(0.01, -40.0, 3.0),
    moved(0.01, -50.0, 4.0),
    moved(0.01, -100.0, 4.0),
    moved(0.01, 1.0, 4.5),
    moved(0.01, 2.0, 4.5),
    moved(0.001, 1.6, 5.0),
    moved(2.0, -40.0, 4.0),
    noted(0.1, -273.15, 3.0, false, KELVIN),
    noted(0.01, -273.15, 3.0, false, KELVIN),
    noted(0.007_812_5, -273.15, 4.5, false, KELVIN),
    noted(0.02, -273.15, 4.0, false, KELVIN),
    noted(1.0, -273.15, 3.0, true, KELVIN),
    noted(100.0 / 65_535.0, 0.0, 3.0, false, SENSIRION),
    noted(100.0 / 65_536.0, 0.0, 4.0, false, SENSIRION),
    noted(175.0 / 65_535.0, -45.0, 3.0, false, SENSIRION),
    noted(125.0 / 65_535.0, -6.0, 4.0, false, SENSIRION),
    noted(175.72 / 65_536.0, -46.85, 4.0, false, SENSIRION),
    noted(125.0 / 65_536.0, -6.0, 4.0, false, SENSIRION),
    noted(
        165.0 / 65_536.0,
        -40.0,
        4.5,
        false,
        "it is how Texas Instruments' sensors give it",
    ),
    noted(
        100.0 / 255.0,
        0.0,
        4.0,
        false,
        "the whole range of a byte is a hundred",
    ),
    noted(
        0.009_806_65,
        0.0,
        3.5,
        false,
        "the packet has thousandths of g",
    ),
    noted(1.8, 32.0, 3.0, true, TO_FAHRENHEIT),
    noted(0.18, 32.0, 3.0, false, TO_FAHRENHEIT),
    noted(0.018, 32.0, 3.0, false, TO_FAHRENHEIT),
    noted(0.009, 32.0, 4.5, false, TO_FAHRENHEIT),
    noted(0.1125, 32.0, 4.5, false, TO_FAHRENHEIT),
    noted(0.9, 32.0, 4.5, false, TO_FAHRENHEIT),
    noted(1.0 / 1.8, -32.0 / 1.8, 3.0, true, TO_CELSIUS),
    noted(0.1 / 1.8, -32.0 / 1.8, 3.0, false, TO_CELSIUS),
    noted(0.01 / 1.8, -32.0 / 1.8, 3.0, false, TO_CELSIUS),
];
