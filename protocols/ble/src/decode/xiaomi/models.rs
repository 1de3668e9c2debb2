//! What a product id says beyond the objects: how buttons are laid out, and whether silence means anything.

/// How a product's buttons are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buttons {
    /// One, and the kind of press.
    One,
    /// The names by number.
    Named(&'static [&'static str]),
    /// A knob that is pressed and turned.
    Knob,
    /// A cube that is turned.
    Cube,
    /// Several keys at once, by number; the codes of double and long press are swapped.
    Keys(&'static [&'static [&'static str]]),
}

pub(super) const CUBE: u16 = 0x04E1;
pub(super) const NIGHTLIGHT: u16 = 0x07F6;
pub(super) const WINDOW_MCCGQ02HL: u16 = 0x098B;
pub(super) const MOTION_RTCGQ02LM: u16 = 0x0A8D;
pub(super) const LOCK_DSL_C08: u16 = 0x0380;
pub(super) const SAFE_BOX: u16 = 0x09B0;
pub(super) const LEAK_SJWS02LM: u16 = 0x6375;
pub(super) const LEAK_ZHIEE: u16 = 0x7712;
pub(super) const OCCUPANCY_XMOSB01XS: u16 = 0x4683;
pub(super) const PRESENCE_ES5BB: u16 = 0x6A0F;
pub(super) const SWITCH_XMWS01XS: u16 = 0x5968;
pub(super) const SWITCH_XMWXKG01YL: u16 = 0x1949;
pub(super) const SWITCH_K9BB: u16 = 0x1C10;
pub(super) const SWITCH_KS1: [u16; 2] = [0x3A61, 0x3E17];

/// How the object 0x1001 is read.
pub(super) fn buttons(product: u16) -> Buttons {
    const LEFT: &[&str] = &["left"];
    const MIDDLE: &[&str] = &["middle"];
    const RIGHT: &[&str] = &["right"];
    match product {
        0x0153 => Buttons::Named(&["on", "off", "brightness", "plus", "m", "min"]),
        0x068E => Buttons::Named(&[
            "fan",
            "light",
            "wind_speed",
            "color_temperature",
            "wind_mode",
            "brightness",
        ]),
        0x04E6 => Buttons::Named(&[
            "swing",
            "power",
            "timer_60_minutes",
            "increase_wind_speed",
            "timer_30_minutes",
            "decrease_wind_speed",
        ]),
        0x03BF => Buttons::Named(&[
            "stop",
            "air_exchange",
            "fan",
            "increase_speed",
            "decrease_speed",
            "dry",
            "light",
            "swing",
            "heat",
        ]),
        0x03B6 => Buttons::Knob,
        CUBE => Buttons::Cube,
        0x1568 => Buttons::Keys(&[&[""]]),
        0x1569 => Buttons::Keys(&[LEFT, RIGHT, &["left", "right"]]),
        0x0DFD => Buttons::Keys(&[
            LEFT,
            MIDDLE,
            RIGHT,
            &["left", "middle"],
            &["middle", "right"],
            &["left", "right"],
            &["left", "middle", "right"],
        ]),
        _ => Buttons::One,
    }
}

/// Scales say that nobody stands on them by a frame without an object.
pub(super) fn is_scale(product: u16) -> bool {
    matches!(
        product,
        0x30D9 | 0x3BD5 | 0x48CF | 0x4FC2 | 0x45C9 | 0x4C04 | 0x4DCB | 0x4B05
    )
}

/// Those that only speak when something happens.
pub(super) fn sleeps(product: u16) -> bool {
    is_scale(product)
        || matches!(
            product,
            0x03D6 | 0x78D1 // door and window
                | 0x098B | 0x1889
                | 0x50FB | 0x6A0F | 0x3F4C | 0x4683 // presence
                | 0x0997 | 0x3F0F | 0x6375 | 0x7712 // smoke, water
                | 0x0A8D | 0x2AEB | 0x3531 | 0x4C60 // motion
                | 0x0391 // a thermometer that is worn
                | 0x59FA | 0x59FB | 0x59FC | 0x6188 // bands
        )
}
