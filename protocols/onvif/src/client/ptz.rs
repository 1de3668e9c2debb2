//! Movement (ONVIF PTZ Service).

use std::{fmt::Write, time::Duration};

use super::{Client, services::Service};
use crate::{
    clock::write_duration,
    error::DeviceError,
    media::{Bounds, Profile},
    ptz::{
        Line, MoveState, Movement, Plane, Preset, PtzRanges, PtzStatus, Vector1, Vector2, space,
    },
    words::bounded,
    xml::{Element, escape},
};

/// Presets of one profile that are read.
const MAX_PRESETS: usize = 512;

/// Of `GetNodeResponse`, narrowed by the limits of `GetConfigurationResponse`.
pub(super) fn read_ranges(node: &Element, configuration: Option<&Element>) -> PtzRanges {
    let spaces = node.child("SupportedPTZSpaces");
    let plane = |name: &str| {
        spaces
            .and_then(|spaces| generic(spaces, name))
            .and_then(read_plane)
    };
    let line = |name: &str| {
        spaces
            .and_then(|spaces| generic(spaces, name))
            .and_then(read_line)
    };
    let mut ranges = PtzRanges {
        place: plane("AbsolutePanTiltPositionSpace"),
        zoom_place: line("AbsoluteZoomPositionSpace"),
        step: plane("RelativePanTiltTranslationSpace"),
        zoom_step: line("RelativeZoomTranslationSpace"),
        velocity: plane("ContinuousPanTiltVelocitySpace"),
        zoom_velocity: line("ContinuousZoomVelocitySpace"),
        speed: line("PanTiltSpeedSpace"),
        zoom_speed: line("ZoomSpeedSpace"),
        max_presets: node.number(&["MaximumNumberOfPresets"]),
        home: node.flag(&["HomeSupported"]).unwrap_or_default(),
    };
    if let Some(configuration) = configuration {
        if let Some(limits) = configuration
            .at(&["PanTiltLimits", "Range"])
            .and_then(read_plane)
        {
            narrow_plane(&mut ranges.place, limits);
        }
        if let Some(limits) = configuration
            .at(&["ZoomLimits", "Range"])
            .and_then(read_line)
        {
            narrow_line(&mut ranges.zoom_place, limits);
        }
    }
    ranges
}

/// The generic space, which every device has to have; another where it has not.
fn generic<'a>(spaces: &'a Element, name: &'a str) -> Option<&'a Element> {
    let is_generic = |space: &&Element| {
        let uri = space.word(&["URI"]).unwrap_or_default();
        uri.ends_with("GenericSpace") || uri.ends_with("GenericSpeedSpace")
    };
    spaces
        .named(name)
        .find(is_generic)
        .or_else(|| spaces.child(name))
}

fn read_plane(of: &Element) -> Option<Plane> {
    Some(Plane {
        space: of.word(&["URI"]).map(space).unwrap_or_default(),
        x: range(of, "XRange")?,
        y: range(of, "YRange")?,
    })
}

fn read_line(of: &Element) -> Option<Line> {
    Some(Line {
        space: of.word(&["URI"]).map(space).unwrap_or_default(),
        x: range(of, "XRange")?,
    })
}

fn range(of: &Element, name: &str) -> Option<Bounds> {
    Bounds::new(of.real(&[name, "Min"])?, of.real(&[name, "Max"])?)
}

/// Limits count in their own space alone.
fn narrow_plane(place: &mut Option<Plane>, limits: Plane) {
    if let Some(place) = place.as_mut().filter(|place| place.space == limits.space) {
        place.x = narrowed(place.x, limits.x);
        place.y = narrowed(place.y, limits.y);
    }
}

fn narrow_line(place: &mut Option<Line>, limits: Line) {
    if let Some(place) = place.as_mut().filter(|place| place.space == limits.space) {
        place.x = narrowed(place.x, limits.x);
    }
}

fn narrowed(all: Bounds, limits: Bounds) -> Bounds {
    Bounds::new(all.min.max(limits.min), all.max.min(limits.max)).unwrap_or(all)
}

/// `GetStatusResponse`.
pub(super) fn read_status(response: &Element) -> Option<PtzStatus> {
    let status = response.child("PTZStatus")?;
    let state = |name: &str| {
        status
            .word(&["MoveStatus", name])
            .map(MoveState::read)
            .unwrap_or_default()
    };
    let trouble = status
        .word(&["Error"])
        .filter(|error| !error.eq_ignore_ascii_case("no error"));
    Some(PtzStatus {
        pan_tilt: status.at(&["Position", "PanTilt"]).and_then(read_vector_2),
        zoom: status.at(&["Position", "Zoom"]).and_then(read_vector_1),
        pan_tilt_state: state("PanTilt"),
        zoom_state: state("Zoom"),
        trouble: trouble.map(|trouble| bounded(trouble, 200)),
    })
}

/// `GetPresetsResponse`. A preset without a token cannot be gone to, and is left out.
pub(super) fn read_presets(response: &Element) -> Vec<Preset> {
    let presets = response.named("Preset").take(MAX_PRESETS);
    presets
        .filter_map(|preset| {
            let token = bounded(
                preset
                    .attribute("token")
                    .filter(|token| !token.is_empty())?,
                256,
            );
            Some(Preset {
                name: preset
                    .word(&["Name"])
                    .map_or_else(|| token.clone(), |name| bounded(name, 256)),
                token,
                pan_tilt: preset
                    .at(&["PTZPosition", "PanTilt"])
                    .and_then(read_vector_2),
                zoom: preset.at(&["PTZPosition", "Zoom"]).and_then(read_vector_1),
            })
        })
        .collect()
}

fn read_vector_2(of: &Element) -> Option<Vector2> {
    Some(Vector2 {
        x: of.real_attribute("x")?,
        y: of.real_attribute("y")?,
        space: of.attribute("space").map(space).unwrap_or_default(),
    })
}

fn read_vector_1(of: &Element) -> Option<Vector1> {
    Some(Vector1 {
        x: of.real_attribute("x")?,
        space: of.attribute("space").map(space).unwrap_or_default(),
    })
}

/// What moves, under the operation's own name for it. Axes that are not named are left alone.
fn write_movement(name: &str, movement: &Movement) -> String {
    let mut out = String::new();
    write_vectors(
        name,
        movement.pan_tilt.as_ref(),
        movement.zoom.as_ref(),
        &mut out,
    );
    if movement.pan_tilt_speed.is_some() || movement.zoom_speed.is_some() {
        write_vectors(
            "Speed",
            movement.pan_tilt_speed.as_ref(),
            movement.zoom_speed.as_ref(),
            &mut out,
        );
    }
    out
}

fn write_vectors(name: &str, pan_tilt: Option<&Vector2>, zoom: Option<&Vector1>, out: &mut String) {
    let _infallible = write!(out, "<tptz:{name}>");
    if let Some(Vector2 { x, y, space }) = pan_tilt {
        let space = write_space(space);
        let _infallible = write!(out, "<tt:PanTilt x=\"{x}\" y=\"{y}\"{space}/>");
    }
    if let Some(Vector1 { x, space }) = zoom {
        let space = write_space(space);
        let _infallible = write!(out, "<tt:Zoom x=\"{x}\"{space}/>");
    }
    let _infallible = write!(out, "</tptz:{name}>");
}

fn write_space(space: &str) -> String {
    if space.is_empty() {
        String::new()
    } else {
        format!(" space=\"{}\"", escape(space))
    }
}

// === impl Client ===

impl Client {
    pub(super) async fn ask_for_ranges(&self, profile: &Profile) -> Result<PtzRanges, DeviceError> {
        let ptz = profile
            .ptz
            .as_ref()
            .ok_or_else(|| self.not_supported("movement in this profile"))?;
        let name = "GetConfiguration";
        let token = escape(&ptz.token);
        let body = format!(
            "<tptz:{name}><tptz:PTZConfigurationToken>{token}</tptz:PTZConfigurationToken></tptz:{name}>"
        );
        let configuration = self.operation(Service::Ptz, name, body).await?;
        let configuration = configuration.child("PTZConfiguration");
        let node = configuration
            .and_then(|configuration| configuration.word(&["NodeToken"]))
            .unwrap_or(&ptz.node);
        let name = "GetNode";
        let body = format!(
            "<tptz:{name}><tptz:NodeToken>{}</tptz:NodeToken></tptz:{name}>",
            escape(node)
        );
        let response = self.operation(Service::Ptz, name, body).await?;
        let node = response
            .child("PTZNode")
            .ok_or_else(|| self.garbage(name, "there is no node in it"))?;
        Ok(read_ranges(node, configuration))
    }

    pub(super) async fn ask_for_status(&self, profile: &str) -> Result<PtzStatus, DeviceError> {
        let name = "GetStatus";
        let response = self.of_profile(name, profile, "").await?;
        read_status(&response).ok_or_else(|| self.garbage(name, "there is no status in it"))
    }

    /// `AbsoluteMove`, `RelativeMove`.
    pub(super) async fn move_once(
        &self,
        name: &str,
        part: &str,
        profile: &str,
        movement: &Movement,
    ) -> Result<(), DeviceError> {
        let movement = write_movement(part, movement);
        self.of_profile(name, profile, &movement).await.map(|_| ())
    }

    pub(super) async fn move_until(
        &self,
        profile: &str,
        velocity: &Movement,
        at_most: Duration,
    ) -> Result<(), DeviceError> {
        let rest = format!(
            "{}<tptz:Timeout>{}</tptz:Timeout>",
            write_movement("Velocity", velocity),
            write_duration(at_most)
        );
        self.of_profile("ContinuousMove", profile, &rest)
            .await
            .map(|_| ())
    }

    pub(super) async fn stop_moving(&self, profile: &str) -> Result<(), DeviceError> {
        let rest = "<tptz:PanTilt>true</tptz:PanTilt><tptz:Zoom>true</tptz:Zoom>";
        self.of_profile("Stop", profile, rest).await.map(|_| ())
    }

    pub(super) async fn ask_for_presets(&self, profile: &str) -> Result<Vec<Preset>, DeviceError> {
        Ok(read_presets(
            &self.of_profile("GetPresets", profile, "").await?,
        ))
    }

    /// Keeps the present position: under a name, or in the preset with a token.
    pub(super) async fn keep_preset(
        &self,
        profile: &str,
        part: &str,
        value: &str,
    ) -> Result<String, DeviceError> {
        let name = "SetPreset";
        let rest = format!("<tptz:{part}>{}</tptz:{part}>", escape(value));
        let response = self.of_profile(name, profile, &rest).await?;
        response
            .word(&["PresetToken"])
            .map(|token| bounded(token, 256))
            .ok_or_else(|| self.garbage(name, "there is no token in it"))
    }

    /// `GotoPreset`, `RemovePreset`.
    pub(super) async fn with_preset(
        &self,
        name: &str,
        profile: &str,
        preset: &str,
    ) -> Result<(), DeviceError> {
        let rest = format!("<tptz:PresetToken>{}</tptz:PresetToken>", escape(preset));
        self.of_profile(name, profile, &rest).await.map(|_| ())
    }

    /// An operation whose first part is the profile.
    pub(super) async fn of_profile(
        &self,
        name: &str,
        profile: &str,
        rest: &str,
    ) -> Result<Element, DeviceError> {
        let profile = escape(profile);
        let body = format!(
            "<tptz:{name}><tptz:ProfileToken>{profile}</tptz:ProfileToken>{rest}</tptz:{name}>"
        );
        self.operation(Service::Ptz, name, body).await
    }
}

#[cfg(test)]
mod tests;
