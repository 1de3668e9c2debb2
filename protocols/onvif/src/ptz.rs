//! Movement: the spaces and ranges of a device (ONVIF PTZ Service clause 5.2) and the words -1 to 1 that people and programs use instead.

use crate::{media::Bounds, words::bounded};

/// In one of the device's spaces: what is sent to it. Made by [`PtzRanges`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Movement {
    pub pan_tilt: Option<Vector2>,
    pub zoom: Option<Vector1>,
    /// How fast to get there; the device's own speed when it is `None`.
    pub pan_tilt_speed: Option<Vector2>,
    pub zoom_speed: Option<Vector1>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Vector2 {
    pub x: f64,
    pub y: f64,
    pub space: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Vector1 {
    pub x: f64,
    pub space: String,
}

/// For people: pan and tilt from -1 (left, down) to 1 (right, up), zoom from 0 (wide) to 1 (near) as a place, and from -1 to 1 as a
/// difference or a speed. `None` is not moved.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Wish {
    pub pan_tilt: Option<(f64, f64)>,
    pub zoom: Option<f64>,
    /// 0 to 1; the device's own speed when it is `None`.
    pub speed: Option<f64>,
}

/// A plane that pan and tilt move in.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    pub space: String,
    pub x: Bounds,
    pub y: Bounds,
}

/// A line that zoom moves on.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub space: String,
    pub x: Bounds,
}

/// What a profile's motors can do. What is `None` they cannot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PtzRanges {
    pub place: Option<Plane>,
    pub zoom_place: Option<Line>,
    pub step: Option<Plane>,
    pub zoom_step: Option<Line>,
    pub velocity: Option<Plane>,
    pub zoom_velocity: Option<Line>,
    /// From slow to fast.
    pub speed: Option<Line>,
    pub zoom_speed: Option<Line>,
    pub max_presets: Option<u32>,
    pub home: bool,
}

/// Whether something moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MoveState {
    Idle,
    Moving,
    /// The device does not say.
    #[default]
    Unknown,
}

/// Where it points, in the device's spaces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PtzStatus {
    pub pan_tilt: Option<Vector2>,
    pub zoom: Option<Vector1>,
    pub pan_tilt_state: MoveState,
    pub zoom_state: MoveState,
    /// What the device says is wrong.
    pub trouble: Option<String>,
}

/// A place that the device keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    pub token: String,
    pub name: String,
    pub pan_tilt: Option<Vector2>,
    pub zoom: Option<Vector1>,
}

/// Why a wish cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    #[error("this camera cannot be turned to a place; it may turn continuously")]
    NoPlace,
    #[error("this camera cannot zoom to a place; it may zoom continuously")]
    NoZoomPlace,
    #[error("this camera cannot be turned by a step")]
    NoStep,
    #[error("this camera cannot zoom by a step")]
    NoZoomStep,
    #[error("this camera cannot be turned continuously")]
    NoVelocity,
    #[error("this camera cannot zoom continuously")]
    NoZoomVelocity,
    #[error("a movement needs pan and tilt, or zoom")]
    Nothing,
    #[error("pan, tilt, zoom and speed are numbers from -1 to 1")]
    NoNumber,
}

// === impl PtzRanges ===

impl PtzRanges {
    /// To a place.
    ///
    /// # Errors
    /// When the device has no such space, or nothing is wished.
    pub fn to_place(&self, wish: &Wish) -> Result<Movement, WishError> {
        let wish = wish.checked()?;
        Ok(Movement {
            pan_tilt: on_plane(
                wish.pan_tilt,
                self.place.as_ref(),
                as_place,
                WishError::NoPlace,
            )?,
            zoom: on_line(
                wish.zoom,
                self.zoom_place.as_ref(),
                as_zoom_place,
                WishError::NoZoomPlace,
            )?,
            ..self.speeds(&wish)
        })
    }

    /// By a step.
    ///
    /// # Errors
    /// As [`Self::to_place`].
    pub fn by_step(&self, wish: &Wish) -> Result<Movement, WishError> {
        let wish = wish.checked()?;
        Ok(Movement {
            pan_tilt: on_plane(wish.pan_tilt, self.step.as_ref(), as_way, WishError::NoStep)?,
            zoom: on_line(
                wish.zoom,
                self.zoom_step.as_ref(),
                as_way,
                WishError::NoZoomStep,
            )?,
            ..self.speeds(&wish)
        })
    }

    /// With a velocity, until it is stopped.
    ///
    /// # Errors
    /// As [`Self::to_place`].
    pub fn with_velocity(&self, wish: &Wish) -> Result<Movement, WishError> {
        let wish = wish.checked()?;
        Ok(Movement {
            pan_tilt: on_plane(
                wish.pan_tilt,
                self.velocity.as_ref(),
                as_way,
                WishError::NoVelocity,
            )?,
            zoom: on_line(
                wish.zoom,
                self.zoom_velocity.as_ref(),
                as_way,
                WishError::NoZoomVelocity,
            )?,
            ..Movement::default()
        })
    }

    /// Where a status or a preset is, in people's words.
    #[must_use]
    pub fn place_of(&self, pan_tilt: Option<&Vector2>, zoom: Option<&Vector1>) -> Wish {
        let pan_tilt = pan_tilt.zip(self.place.as_ref()).map(|(at, plane)| {
            (
                plane.x.map(at.x, Bounds::BOTH_WAYS),
                plane.y.map(at.y, Bounds::BOTH_WAYS),
            )
        });
        let zoom = zoom
            .zip(self.zoom_place.as_ref())
            .map(|(at, line)| line.x.map(at.x, Bounds::UNIT));
        Wish {
            pan_tilt,
            zoom,
            speed: None,
        }
    }

    fn speeds(&self, wish: &Wish) -> Movement {
        let speed = |line: Option<&Line>| {
            let (speed, line) = wish.speed.zip(line)?;
            let x = Bounds::UNIT.map(speed.abs(), line.x);
            Some((x, line.space.clone()))
        };
        let pan_tilt = wish.pan_tilt.and(speed(self.speed.as_ref()));
        let zoom = wish.zoom.and(speed(self.zoom_speed.as_ref()));
        Movement {
            pan_tilt_speed: pan_tilt.map(|(x, space)| Vector2 { x, y: x, space }),
            zoom_speed: zoom.map(|(x, space)| Vector1 { x, space }),
            ..Movement::default()
        }
    }
}

/// From one edge to the other.
fn as_place(wish: f64, to: Bounds) -> f64 {
    Bounds::BOTH_WAYS.map(wish, to)
}

fn as_zoom_place(wish: f64, to: Bounds) -> f64 {
    Bounds::UNIT.map(wish, to)
}

/// Each way on its own, so that zero is zero: a standstill must not become a creep where one way is faster than the other.
fn as_way(wish: f64, to: Bounds) -> f64 {
    if to.min > 0.0 || to.max < 0.0 {
        return as_place(wish, to);
    }
    let wish = wish.clamp(-1.0, 1.0);
    if wish < 0.0 {
        -wish * to.min
    } else {
        wish * to.max
    }
}

fn on_plane(
    wish: Option<(f64, f64)>,
    plane: Option<&Plane>,
    map: fn(f64, Bounds) -> f64,
    without: WishError,
) -> Result<Option<Vector2>, WishError> {
    let Some((pan, tilt)) = wish else {
        return Ok(None);
    };
    let plane = plane.ok_or(without)?;
    Ok(Some(Vector2 {
        x: map(pan, plane.x),
        y: map(tilt, plane.y),
        space: plane.space.clone(),
    }))
}

fn on_line(
    wish: Option<f64>,
    line: Option<&Line>,
    map: fn(f64, Bounds) -> f64,
    without: WishError,
) -> Result<Option<Vector1>, WishError> {
    let Some(wish) = wish else { return Ok(None) };
    let line = line.ok_or(without)?;
    Ok(Some(Vector1 {
        x: map(wish, line.x),
        space: line.space.clone(),
    }))
}

// === impl Wish ===

impl Wish {
    fn checked(self) -> Result<Self, WishError> {
        if self.pan_tilt.is_none() && self.zoom.is_none() {
            return Err(WishError::Nothing);
        }
        let (pan, tilt) = self.pan_tilt.unwrap_or_default();
        let all = [
            pan,
            tilt,
            self.zoom.unwrap_or_default(),
            self.speed.unwrap_or_default(),
        ];
        if all.iter().all(|number| number.is_finite()) {
            Ok(self)
        } else {
            Err(WishError::NoNumber)
        }
    }
}

// === impl Bounds ===

impl Bounds {
    /// 0 to 1.
    pub const UNIT: Self = Self { min: 0.0, max: 1.0 };
    /// -1 to 1.
    pub const BOTH_WAYS: Self = Self {
        min: -1.0,
        max: 1.0,
    };

    /// Bounds that a device told; `None` when they are no numbers, or the wrong way round.
    #[must_use]
    pub fn new(min: f64, max: f64) -> Option<Self> {
        (min.is_finite() && max.is_finite() && min <= max).then_some(Self { min, max })
    }

    /// A number in these bounds as the one at the same place in others. What lies outside is taken to the edge.
    #[must_use]
    pub fn map(self, number: f64, to: Self) -> f64 {
        let width = self.max - self.min;
        if width <= 0.0 || !width.is_finite() {
            return to.min;
        }
        let share = ((number - self.min) / width).clamp(0.0, 1.0);
        (to.min + share * (to.max - to.min)).clamp(to.min, to.max)
    }

    #[must_use]
    pub fn contains(self, number: f64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

// === impl MoveState ===

impl MoveState {
    pub(crate) fn read(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "IDLE" => Self::Idle,
            "MOVING" => Self::Moving,
            _ => Self::Unknown,
        }
    }
}

/// A space's URI, bounded.
pub(crate) fn space(uri: &str) -> String {
    bounded(uri, 200)
}

#[cfg(test)]
mod tests;
