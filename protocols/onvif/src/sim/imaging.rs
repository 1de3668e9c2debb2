//! The simulated device's imager.

use super::answer::{Given, No};
use crate::xml::Element;

pub(super) struct Imager {
    brightness: f64,
    contrast: f64,
    ir_cut_filter: String,
    wide_dynamic_range: (String, f64),
}

// === impl Imager ===

impl Default for Imager {
    fn default() -> Self {
        Self {
            brightness: 50.0,
            contrast: 50.0,
            ir_cut_filter: "AUTO".to_owned(),
            wide_dynamic_range: ("OFF".to_owned(), 10.0),
        }
    }
}

impl Imager {
    pub(super) fn answer(&mut self, operation: &Element) -> Given {
        if operation.word(&["VideoSourceToken"]) != Some("VS_1") {
            return Err(No::invalid("NoSource", "The video source does not exist"));
        }
        let name = operation.local();
        let body = match name {
            "GetImagingSettings" => self.settings(),
            "GetOptions" => options(),
            "SetImagingSettings" => {
                self.set(operation.child("ImagingSettings").ok_or_else(refused)?)?;
                String::new()
            }
            _ => return Err(No::not_supported()),
        };
        Ok(format!("<timg:{name}Response>{body}</timg:{name}Response>"))
    }

    fn settings(&self) -> String {
        let Self {
            brightness,
            contrast,
            ir_cut_filter,
            wide_dynamic_range: (mode, level),
        } = self;
        format!(
            "<timg:ImagingSettings><tt:Brightness>{brightness}</tt:Brightness><tt:Contrast>{contrast}</tt:Contrast><tt:IrCutFilter>{ir_cut_filter}</tt:IrCutFilter>\
             <tt:WideDynamicRange><tt:Mode>{mode}</tt:Mode><tt:Level>{level}</tt:Level></tt:WideDynamicRange></timg:ImagingSettings>"
        )
    }

    /// What is left out stays.
    fn set(&mut self, set: &Element) -> Result<(), No> {
        let mut percent = |name: &str, place: fn(&mut Self) -> &mut f64| -> Result<(), No> {
            if set.child(name).is_some() {
                *place(self) = set
                    .real(&[name])
                    .filter(|value| (0.0..=100.0).contains(value))
                    .ok_or_else(refused)?;
            }
            Ok(())
        };
        percent("Brightness", |imager| &mut imager.brightness)?;
        percent("Contrast", |imager| &mut imager.contrast)?;
        if let Some(word) = set.word(&["IrCutFilter"]) {
            self.ir_cut_filter = one_of(word, &["ON", "OFF", "AUTO"])?;
        }
        if let Some(range) = set.child("WideDynamicRange") {
            self.wide_dynamic_range.0 =
                one_of(range.word(&["Mode"]).unwrap_or_default(), &["ON", "OFF"])?;
            self.wide_dynamic_range.1 = range.real(&["Level"]).unwrap_or(self.wide_dynamic_range.1);
        }
        Ok(())
    }
}

fn options() -> String {
    let range = "<tt:Min>0</tt:Min><tt:Max>100</tt:Max>";
    format!(
        "<timg:ImagingOptions><tt:Brightness>{range}</tt:Brightness><tt:Contrast>{range}</tt:Contrast><tt:IrCutFilterModes>ON</tt:IrCutFilterModes>\
         <tt:IrCutFilterModes>OFF</tt:IrCutFilterModes><tt:IrCutFilterModes>AUTO</tt:IrCutFilterModes><tt:WideDynamicRange><tt:Mode>ON</tt:Mode>\
         <tt:Mode>OFF</tt:Mode><tt:Level>{range}</tt:Level></tt:WideDynamicRange></timg:ImagingOptions>"
    )
}

fn one_of(word: &str, words: &[&str]) -> Result<String, No> {
    if words.contains(&word) {
        Ok(word.to_owned())
    } else {
        Err(refused())
    }
}

fn refused() -> No {
    No::invalid("SettingsInvalid", "The requested settings are incorrect")
}
