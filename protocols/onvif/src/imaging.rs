//! Imaging: brightness and its like as a table of settings, each with its value and what it can be set to (ONVIF Imaging Service).

use crate::{media::Bounds, words::bounded};

/// A setting of the imager. The order is that of the schema's `ImagingSettings20`, in which it has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImagingSetting {
    /// `ON` or `OFF`.
    BacklightCompensation,
    BacklightCompensationLevel,
    Brightness,
    ColorSaturation,
    Contrast,
    /// `AUTO` or `MANUAL`.
    Exposure,
    /// Microseconds, with manual exposure.
    ExposureTime,
    /// dB, with manual exposure.
    Gain,
    /// `AUTO` or `MANUAL`.
    Focus,
    /// `ON` is day, `OFF` is night, `AUTO`.
    IrCutFilter,
    Sharpness,
    /// `ON` or `OFF`.
    WideDynamicRange,
    WideDynamicRangeLevel,
    /// `AUTO` or `MANUAL`.
    WhiteBalance,
}

/// What something is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum ImagingValue {
    Number(f64),
    Word(String),
}

/// What something can be set to.
#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    Between(Bounds),
    OneOf(Vec<String>),
    /// The device does not say.
    Unknown,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagingRow {
    pub setting: ImagingSetting,
    /// `None` where it can be set, but the device does not tell to what it is.
    pub value: Option<ImagingValue>,
    pub allowed: Allowed,
}

/// What an imager is set to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imaging {
    pub rows: Vec<ImagingRow>,
}

/// What is to be different.
#[derive(Debug, Clone, PartialEq)]
pub struct ImagingChange {
    pub setting: ImagingSetting,
    pub value: ImagingValue,
}

/// Where a setting is in the schema.
pub(crate) struct Shape {
    pub setting: ImagingSetting,
    /// In `ImagingSettings20`.
    pub path: &'static [&'static str],
    /// In `ImagingOptions20`.
    pub options: &'static [&'static str],
    pub is_number: bool,
}

/// Choices of one setting that are kept.
const MAX_CHOICES: usize = 16;

/// In the order of the schema.
pub(crate) const SHAPES: &[Shape] = &[
    word(
        ImagingSetting::BacklightCompensation,
        &["BacklightCompensation", "Mode"],
        &["BacklightCompensation", "Mode"],
    ),
    number(
        ImagingSetting::BacklightCompensationLevel,
        &["BacklightCompensation", "Level"],
        &["BacklightCompensation", "Level"],
    ),
    number(ImagingSetting::Brightness, &["Brightness"], &["Brightness"]),
    number(
        ImagingSetting::ColorSaturation,
        &["ColorSaturation"],
        &["ColorSaturation"],
    ),
    number(ImagingSetting::Contrast, &["Contrast"], &["Contrast"]),
    word(
        ImagingSetting::Exposure,
        &["Exposure", "Mode"],
        &["Exposure", "Mode"],
    ),
    number(
        ImagingSetting::ExposureTime,
        &["Exposure", "ExposureTime"],
        &["Exposure", "ExposureTime"],
    ),
    number(
        ImagingSetting::Gain,
        &["Exposure", "Gain"],
        &["Exposure", "Gain"],
    ),
    word(
        ImagingSetting::Focus,
        &["Focus", "AutoFocusMode"],
        &["Focus", "AutoFocusModes"],
    ),
    word(
        ImagingSetting::IrCutFilter,
        &["IrCutFilter"],
        &["IrCutFilterModes"],
    ),
    number(ImagingSetting::Sharpness, &["Sharpness"], &["Sharpness"]),
    word(
        ImagingSetting::WideDynamicRange,
        &["WideDynamicRange", "Mode"],
        &["WideDynamicRange", "Mode"],
    ),
    number(
        ImagingSetting::WideDynamicRangeLevel,
        &["WideDynamicRange", "Level"],
        &["WideDynamicRange", "Level"],
    ),
    word(
        ImagingSetting::WhiteBalance,
        &["WhiteBalance", "Mode"],
        &["WhiteBalance", "Mode"],
    ),
];

const fn number(
    setting: ImagingSetting,
    path: &'static [&'static str],
    options: &'static [&'static str],
) -> Shape {
    Shape {
        setting,
        path,
        options,
        is_number: true,
    }
}

const fn word(
    setting: ImagingSetting,
    path: &'static [&'static str],
    options: &'static [&'static str],
) -> Shape {
    Shape {
        setting,
        path,
        options,
        is_number: false,
    }
}

// === impl ImagingSetting ===

impl ImagingSetting {
    /// All, in the order of the schema.
    pub fn all() -> impl Iterator<Item = Self> {
        SHAPES.iter().map(|shape| shape.setting)
    }

    /// As it is called in an address or a setting of ours.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::BacklightCompensation => "backlight_compensation",
            Self::BacklightCompensationLevel => "backlight_compensation_level",
            Self::Brightness => "brightness",
            Self::ColorSaturation => "color_saturation",
            Self::Contrast => "contrast",
            Self::Exposure => "exposure",
            Self::ExposureTime => "exposure_time",
            Self::Gain => "gain",
            Self::Focus => "focus",
            Self::IrCutFilter => "ir_cut_filter",
            Self::Sharpness => "sharpness",
            Self::WideDynamicRange => "wide_dynamic_range",
            Self::WideDynamicRangeLevel => "wide_dynamic_range_level",
            Self::WhiteBalance => "white_balance",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BacklightCompensation => "Backlight compensation",
            Self::BacklightCompensationLevel => "Backlight compensation, level",
            Self::Brightness => "Brightness",
            Self::ColorSaturation => "Colour saturation",
            Self::Contrast => "Contrast",
            Self::Exposure => "Exposure",
            Self::ExposureTime => "Exposure time (µs)",
            Self::Gain => "Gain (dB)",
            Self::Focus => "Focus",
            Self::IrCutFilter => "Infrared cut filter",
            Self::Sharpness => "Sharpness",
            Self::WideDynamicRange => "Wide dynamic range",
            Self::WideDynamicRangeLevel => "Wide dynamic range, level",
            Self::WhiteBalance => "White balance",
        }
    }

    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::all().find(|setting| setting.id() == id)
    }

    pub(crate) fn shape(self) -> &'static Shape {
        SHAPES
            .iter()
            .find(|shape| shape.setting == self)
            .expect("every setting has its line in the table, as a test holds")
    }
}

// === impl Imaging ===

impl Imaging {
    #[must_use]
    pub fn row(&self, setting: ImagingSetting) -> Option<&ImagingRow> {
        self.rows.iter().find(|row| row.setting == setting)
    }

    /// Checks a change against what is allowed.
    ///
    /// # Errors
    /// In words, when the device would refuse it.
    pub fn check(&self, change: &ImagingChange) -> Result<(), String> {
        let title = change.setting.title();
        let row = self
            .row(change.setting)
            .ok_or_else(|| format!("{title} cannot be set in this camera"))?;
        match (&row.allowed, &change.value) {
            (Allowed::Between(bounds), ImagingValue::Number(number))
                if !bounds.contains(*number) =>
            {
                Err(format!(
                    "{title} is a number from {} to {}",
                    bounds.min, bounds.max
                ))
            }
            (Allowed::Between(bounds), ImagingValue::Word(_)) => Err(format!(
                "{title} is a number from {} to {}",
                bounds.min, bounds.max
            )),
            (Allowed::OneOf(words), ImagingValue::Word(word)) if words.contains(word) => Ok(()),
            (Allowed::OneOf(words), _) => Err(format!("{title} is one of {}", words.join(", "))),
            (_, ImagingValue::Number(number)) if !number.is_finite() => {
                Err(format!("{title} is a number"))
            }
            _ => Ok(()),
        }
    }
}

// === impl ImagingValue ===

impl ImagingValue {
    /// As the schema writes it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Word(word) => word.clone(),
        }
    }
}

/// The table of what a device tells about its settings and its options.
pub(crate) fn read(
    settings: &crate::xml::Element,
    options: Option<&crate::xml::Element>,
) -> Imaging {
    let rows = SHAPES
        .iter()
        .filter_map(|shape| row(shape, settings, options));
    Imaging {
        rows: rows.collect(),
    }
}

fn row(
    shape: &Shape,
    settings: &crate::xml::Element,
    options: Option<&crate::xml::Element>,
) -> Option<ImagingRow> {
    let value = if shape.is_number {
        settings.real(shape.path).map(ImagingValue::Number)
    } else {
        settings
            .word(shape.path)
            .map(|word| ImagingValue::Word(bounded(word, 40)))
    };
    let allowed = options
        .and_then(|options| allowed(shape, options))
        .unwrap_or(Allowed::Unknown);
    (value.is_some() || allowed != Allowed::Unknown).then_some(ImagingRow {
        setting: shape.setting,
        value,
        allowed,
    })
}

fn allowed(shape: &Shape, options: &crate::xml::Element) -> Option<Allowed> {
    if shape.is_number {
        let range = options.at(shape.options)?;
        return Bounds::new(range.real(&["Min"])?, range.real(&["Max"])?).map(Allowed::Between);
    }
    let (last, parents) = shape.options.split_last()?;
    let words: Vec<String> = options
        .at(parents)?
        .named(last)
        .take(MAX_CHOICES)
        .map(|word| bounded(&word.text, 40))
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then_some(Allowed::OneOf(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_setting_once_and_in_order() {
        let all: Vec<_> = ImagingSetting::all().collect();
        assert!(all.is_sorted() && all.len() == 14);
        for setting in all {
            assert_eq!(setting.shape().setting, setting);
            assert_eq!(ImagingSetting::parse(setting.id()), Some(setting));
        }
    }

    #[test]
    fn a_change_is_checked_against_what_the_device_allows() {
        let settings = crate::xml::parse(
            b"<S><Brightness>50</Brightness><IrCutFilter>AUTO</IrCutFilter><Contrast>NaN</Contrast></S>",
        )
        .unwrap();
        let options = crate::xml::parse(
            b"<O><Brightness><Min>0</Min><Max>100</Max></Brightness><IrCutFilterModes>ON</IrCutFilterModes><IrCutFilterModes>AUTO</IrCutFilterModes><Sharpness><Min>9</Min><Max>1</Max></Sharpness></O>",
        )
        .unwrap();
        let imaging = read(&settings, Some(&options));
        assert_eq!(imaging.rows.len(), 2);
        let check = |setting, value| imaging.check(&ImagingChange { setting, value });
        use ImagingSetting as S;
        assert!(check(S::Brightness, ImagingValue::Number(100.0)).is_ok());
        assert!(check(S::Brightness, ImagingValue::Number(f64::NAN)).is_err());
        assert_eq!(
            check(S::Brightness, ImagingValue::Number(101.0)).unwrap_err(),
            "Brightness is a number from 0 to 100"
        );
        assert_eq!(
            check(S::IrCutFilter, ImagingValue::Word("OFF".into())).unwrap_err(),
            "Infrared cut filter is one of ON, AUTO"
        );
        assert_eq!(
            check(S::Focus, ImagingValue::Word("AUTO".into())).unwrap_err(),
            "Focus cannot be set in this camera"
        );
    }
}
