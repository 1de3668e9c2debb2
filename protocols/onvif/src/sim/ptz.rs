//! The simulated device's motors: they need time for their way, and turn until they are told to stop.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::answer::{Given, No};
use crate::xml::{Element, escape};

pub(super) struct Motors {
    axes: [Axis; 3],
    presets: BTreeMap<String, (String, [f64; 3])>,
    home: [f64; 3],
    next_preset: u32,
}

/// One axis: where it was when its present movement began, and how it moves since.
#[derive(Clone, Copy)]
struct Axis {
    from: f64,
    since: Instant,
    way: Way,
    min: f64,
    max: f64,
}

#[derive(Clone, Copy)]
enum Way {
    Still,
    /// At the axis' own speed.
    To(f64),
    /// Units a second, at most until.
    With(f64, Instant),
}

/// Units a second.
const SPEED: f64 = 4.0;
const MAX_PRESETS: usize = 8;
const SPACES: &str = "http://www.onvif.org/ver10/tptz/";

// === impl Motors ===

impl Default for Motors {
    fn default() -> Self {
        let axis = |min, max| Axis {
            from: 0.0,
            since: Instant::now(),
            way: Way::Still,
            min,
            max,
        };
        Self {
            // Tilt is bounded by the configuration, zoom goes one way.
            axes: [axis(-1.0, 1.0), axis(-1.0, 0.5), axis(0.0, 1.0)],
            presets: BTreeMap::new(),
            home: [0.0; 3],
            next_preset: 1,
        }
    }
}

impl Motors {
    pub(super) fn position(&self) -> (f64, f64, f64) {
        let [pan, tilt, zoom] = self.places();
        (pan, tilt, zoom)
    }

    pub(super) fn answer(&mut self, operation: &Element) -> Given {
        let name = operation.local();
        let body = match name {
            "GetConfiguration" => configuration(),
            "GetNode" => node(),
            _ => self.of_profile(name, operation)?,
        };
        Ok(format!("<tptz:{name}Response>{body}</tptz:{name}Response>"))
    }

    fn of_profile(&mut self, name: &str, operation: &Element) -> Given {
        if !matches!(operation.word(&["ProfileToken"]), Some("main" | "sub")) {
            return Err(No::invalid("NoProfile", "The profile does not exist"));
        }
        match name {
            "GetStatus" => return Ok(self.status()),
            "AbsoluteMove" => {
                self.each(operation, "Position", |axis, place| axis.go(Way::To(place)))?
            }
            "RelativeMove" => self.each(operation, "Translation", |axis, step| {
                axis.go(Way::To(axis.place() + step))
            })?,
            "ContinuousMove" => {
                let until = Instant::now() + timeout(operation.word(&["Timeout"]));
                self.each(operation, "Velocity", |axis, speed| {
                    axis.go(Way::With(speed, until))
                })?;
            }
            "Stop" => self.stop(operation),
            "GetPresets" => return Ok(self.list()),
            "SetPreset" => return self.keep(operation),
            "GotoPreset" => {
                let (_, places) = self.preset(operation)?.clone();
                self.go(places);
            }
            "RemovePreset" => {
                self.preset(operation)?;
                self.presets
                    .remove(operation.word(&["PresetToken"]).unwrap_or_default());
            }
            "GotoHomePosition" => self.go(self.home),
            "SetHomePosition" => self.home = self.places(),
            _ => return Err(No::not_supported()),
        }
        Ok(String::new())
    }

    /// Does something to each axis that is named.
    fn each(
        &mut self,
        operation: &Element,
        part: &str,
        mut act: impl FnMut(&mut Axis, f64),
    ) -> Result<(), No> {
        let vector = operation
            .child(part)
            .ok_or_else(|| No::invalid("InvalidPosition", "There is nothing to move"))?;
        let named = |axis: &str, attribute: &str| {
            vector
                .child(axis)
                .and_then(|of| of.real_attribute(attribute))
        };
        let wishes = [
            named("PanTilt", "x"),
            named("PanTilt", "y"),
            named("Zoom", "x"),
        ];
        for (axis, wish) in self.axes.iter_mut().zip(wishes) {
            let Some(wish) = wish else { continue };
            if !(-1.0..=1.0).contains(&wish)
                || part == "Position" && !(axis.min..=axis.max).contains(&wish)
            {
                return Err(No::invalid(
                    "InvalidPosition",
                    "The position is out of bounds",
                ));
            }
            act(axis, wish);
        }
        Ok(())
    }

    fn go(&mut self, places: [f64; 3]) {
        for (axis, place) in self.axes.iter_mut().zip(places) {
            axis.go(Way::To(place));
        }
    }

    fn stop(&mut self, operation: &Element) {
        let [pan, tilt, zoom] = &mut self.axes;
        if operation.flag(&["PanTilt"]).unwrap_or(true) {
            pan.go(Way::Still);
            tilt.go(Way::Still);
        }
        if operation.flag(&["Zoom"]).unwrap_or(true) {
            zoom.go(Way::Still);
        }
    }

    fn places(&self) -> [f64; 3] {
        self.axes.map(|axis| axis.place())
    }

    fn status(&self) -> String {
        let [pan, tilt, zoom] = self.places();
        let state = |moves: bool| if moves { "MOVING" } else { "IDLE" };
        let [pans, tilts, zooms] = self.axes.map(|axis| axis.moves());
        format!(
            "<tptz:PTZStatus><tt:Position><tt:PanTilt x=\"{pan}\" y=\"{tilt}\" space=\"{SPACES}PanTiltSpaces/PositionGenericSpace\"/>\
             <tt:Zoom x=\"{zoom}\" space=\"{SPACES}ZoomSpaces/PositionGenericSpace\"/></tt:Position><tt:MoveStatus><tt:PanTilt>{}</tt:PanTilt>\
             <tt:Zoom>{}</tt:Zoom></tt:MoveStatus><tt:UtcTime>{}</tt:UtcTime></tptz:PTZStatus>",
            state(pans || tilts),
            state(zooms),
            crate::clock::write_date_time(crate::clock::now())
        )
    }

    fn list(&self) -> String {
        self.presets
            .iter()
            .map(|(token, (name, [pan, tilt, zoom]))| {
                format!(
                    "<tptz:Preset token=\"{}\"><tt:Name>{}</tt:Name><tt:PTZPosition><tt:PanTilt x=\"{pan}\" y=\"{tilt}\"/><tt:Zoom x=\"{zoom}\"/>\
                     </tt:PTZPosition></tptz:Preset>",
                    escape(token),
                    escape(name)
                )
            })
            .collect()
    }

    fn preset(&self, operation: &Element) -> Result<&(String, [f64; 3]), No> {
        let token = operation.word(&["PresetToken"]).unwrap_or_default();
        self.presets
            .get(token)
            .ok_or_else(|| No::invalid("NoToken", "The preset does not exist"))
    }

    fn keep(&mut self, operation: &Element) -> Given {
        let places = self.places();
        let token = match operation.word(&["PresetToken"]) {
            Some(token) => {
                let name = self.preset(operation)?.0.clone();
                self.presets.insert(token.to_owned(), (name, places));
                token.to_owned()
            }
            None if self.presets.len() >= MAX_PRESETS => {
                return Err(No::invalid(
                    "TooManyPresets",
                    "There is no room for another preset",
                ));
            }
            None => {
                let token = format!("P{}", self.next_preset);
                self.next_preset += 1;
                let name = operation.word(&["PresetName"]).unwrap_or(&token).to_owned();
                self.presets.insert(token.clone(), (name, places));
                token
            }
        };
        Ok(format!(
            "<tptz:PresetToken>{}</tptz:PresetToken>",
            escape(&token)
        ))
    }
}

/// `PT1.5S`, at most a minute.
fn timeout(text: Option<&str>) -> Duration {
    let seconds = text
        .and_then(|text| {
            text.strip_prefix("PT")?
                .strip_suffix('S')?
                .parse::<f64>()
                .ok()
        })
        .filter(|seconds| (0.0..=60.0).contains(seconds));
    Duration::from_secs_f64(seconds.unwrap_or(10.0))
}

fn configuration() -> String {
    format!(
        "<tptz:PTZConfiguration token=\"PTZ_1\"><tt:Name>Motors</tt:Name><tt:UseCount>2</tt:UseCount><tt:NodeToken>NODE_1</tt:NodeToken>\
         <tt:PanTiltLimits><tt:Range><tt:URI>{SPACES}PanTiltSpaces/PositionGenericSpace</tt:URI><tt:XRange><tt:Min>-1</tt:Min><tt:Max>1</tt:Max></tt:XRange>\
         <tt:YRange><tt:Min>-1</tt:Min><tt:Max>0.5</tt:Max></tt:YRange></tt:Range></tt:PanTiltLimits></tptz:PTZConfiguration>"
    )
}

fn node() -> String {
    let range = |name: &str, min: i32, max: i32| {
        format!("<tt:{name}><tt:Min>{min}</tt:Min><tt:Max>{max}</tt:Max></tt:{name}>")
    };
    let plane = |name: &str, space: &str| {
        format!(
            "<tt:{name}><tt:URI>{SPACES}PanTiltSpaces/{space}</tt:URI>{}{}</tt:{name}>",
            range("XRange", -1, 1),
            range("YRange", -1, 1)
        )
    };
    let line = |name: &str, space: &str, min| {
        format!(
            "<tt:{name}><tt:URI>{SPACES}{space}</tt:URI>{}</tt:{name}>",
            range("XRange", min, 1)
        )
    };
    let spaces = [
        plane("AbsolutePanTiltPositionSpace", "PositionGenericSpace"),
        line(
            "AbsoluteZoomPositionSpace",
            "ZoomSpaces/PositionGenericSpace",
            0,
        ),
        plane("RelativePanTiltTranslationSpace", "TranslationGenericSpace"),
        line(
            "RelativeZoomTranslationSpace",
            "ZoomSpaces/TranslationGenericSpace",
            -1,
        ),
        plane("ContinuousPanTiltVelocitySpace", "VelocityGenericSpace"),
        line(
            "ContinuousZoomVelocitySpace",
            "ZoomSpaces/VelocityGenericSpace",
            -1,
        ),
        line("PanTiltSpeedSpace", "PanTiltSpaces/GenericSpeedSpace", 0),
        line("ZoomSpeedSpace", "ZoomSpaces/ZoomGenericSpeedSpace", 0),
    ]
    .concat();
    format!(
        "<tptz:PTZNode token=\"NODE_1\" FixedHomePosition=\"false\"><tt:Name>Motors</tt:Name><tt:SupportedPTZSpaces>{spaces}</tt:SupportedPTZSpaces>\
         <tt:MaximumNumberOfPresets>{MAX_PRESETS}</tt:MaximumNumberOfPresets><tt:HomeSupported>true</tt:HomeSupported></tptz:PTZNode>"
    )
}

// === impl Axis ===

impl Axis {
    fn go(&mut self, way: Way) {
        self.from = self.place();
        self.since = Instant::now();
        self.way = match way {
            Way::To(place) => Way::To(place.clamp(self.min, self.max)),
            other => other,
        };
    }

    fn place(&self) -> f64 {
        let place = match self.way {
            Way::Still => self.from,
            Way::To(place) => {
                let most = self.since.elapsed().as_secs_f64() * SPEED;
                self.from + (place - self.from).clamp(-most, most)
            }
            Way::With(speed, until) => {
                let ran = Instant::now()
                    .min(until)
                    .saturating_duration_since(self.since);
                self.from + speed * ran.as_secs_f64()
            }
        };
        place.clamp(self.min, self.max)
    }

    fn moves(&self) -> bool {
        match self.way {
            Way::Still => false,
            Way::To(place) => self.place() != place,
            Way::With(speed, until) => speed != 0.0 && Instant::now() < until,
        }
    }
}
