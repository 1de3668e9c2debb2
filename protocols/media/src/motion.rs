//! `Motion`: whether something moves, told from thumbnails of brightness, for cameras that do not tell it themselves.
//!
//! Each thumbnail is compared with a background that follows slowly: daylight that changes is learnt, a parked car after a while.
//! What all pixels have in common is taken out first, and a picture that changes nearly everywhere is light and no motion.

mod zone;

use std::time::Duration;

use fieldgate_model::Timestamp;
use thiserror::Error;

pub use self::zone::Zone;
use crate::worker::Luma;

/// In which the background comes near to a picture that stays.
const LEARNS: Duration = Duration::from_secs(30);
/// Pixels that changed are learnt so much more slowly, so that somebody who waits is not learnt at once.
const HESITATES: i64 = 8;
/// Hundredths of the whole picture; more is light.
const LIGHT: usize = 70;
/// Zones of one camera.
const MOST_ZONES: usize = 32;
/// The background's fraction, as a power of two.
const FRACTION: u32 = 8;

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionSettings {
    /// Where; the whole picture if there is none.
    pub zones: Vec<Zone>,
    /// By how many of 255 steps a pixel has to change.
    pub threshold: u8,
    /// Which part of a zone has to change, 0 to 1.
    pub area: f32,
    /// How many pictures one after the other have to show it, at least 1.
    pub pictures: u8,
    /// After how long without it, it has ended.
    pub quiet: Duration,
}

/// What is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MotionError {
    #[error("{0} zones: {MOST_ZONES} at most")]
    Zones(usize),
    #[error(
        "zone {0}: a rectangle has its left before its right and its top before its bottom, a polygon 3 to 64 corners, all between 0 and 1"
    )]
    Zone(usize),
    #[error("the area is a part of 1, more than 0")]
    Area,
}

/// What one picture showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionStep {
    pub change: MotionChange,
    /// The part of the zone that changed most, 0 to 1.
    pub area: f32,
    /// Which zone that is, counted from 0.
    pub zone: usize,
    /// It changed nearly everywhere: light, or the camera was turned.
    pub light: bool,
}

/// Whether it began or ended with this picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MotionChange {
    #[default]
    None,
    Began,
    Ended,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Motion {
    settings: MotionSettings,
    scene: Option<Scene>,
    /// Pictures one after the other that showed motion.
    seen: u8,
    moving: bool,
    /// When motion was last there.
    last: Timestamp,
}

/// What is known of the picture without motion.
#[derive(Debug, Clone)]
struct Scene {
    size: (u16, u16),
    /// Brightness with a fraction of [`FRACTION`] bits.
    background: Vec<i32>,
    /// The pixels of each zone.
    zones: Vec<Vec<usize>>,
    at: Timestamp,
    /// The last picture was light, and this is it.
    light: Option<Vec<u8>>,
}

// === impl Motion ===

impl Motion {
    /// Looks for these.
    ///
    /// # Errors
    ///
    /// When a zone is none, or the area is nothing.
    pub fn new(settings: MotionSettings) -> Result<Self, MotionError> {
        if settings.zones.len() > MOST_ZONES {
            return Err(MotionError::Zones(settings.zones.len()));
        }
        if let Some(wrong) = settings.zones.iter().position(|zone| !zone.is_sound()) {
            return Err(MotionError::Zone(wrong + 1));
        }
        if !(settings.area > 0.0 && settings.area <= 1.0) {
            return Err(MotionError::Area);
        }
        Ok(Self {
            settings,
            scene: None,
            seen: 0,
            moving: false,
            last: Timestamp::default(),
        })
    }

    #[must_use]
    pub fn is_moving(&self) -> bool {
        self.moving
    }

    /// Looks at the next picture. The first of a size shows the scene.
    pub fn look(&mut self, luma: &Luma, at: Timestamp) -> MotionStep {
        let size = (luma.width, luma.height);
        let whole = usize::from(luma.width) * usize::from(luma.height);
        let pixels = &luma.pixels[..];
        if pixels.len() != whole || whole == 0 {
            return self.step(at, Seen::default());
        }
        let Some(scene) = self.scene.as_mut().filter(|scene| scene.size == size) else {
            self.scene = Some(Scene::new(size, pixels, &self.settings.zones, at));
            return self.step(at, Seen::default());
        };
        let seen = scene.look(pixels, at, self.settings.threshold);
        self.step(at, seen)
    }

    fn step(&mut self, at: Timestamp, seen: Seen) -> MotionStep {
        // It goes on with half of what it takes to begin.
        let enough = if self.moving {
            self.settings.area / 2.0
        } else {
            self.settings.area
        };
        let mut change = MotionChange::None;
        if seen.area >= enough && !seen.light {
            self.seen = self.seen.saturating_add(1);
            self.last = at;
            if !self.moving && self.seen >= self.settings.pictures.max(1) {
                self.moving = true;
                change = MotionChange::Began;
            }
        } else if !seen.light {
            self.seen = 0;
            if self.moving && since(self.last, at) >= self.settings.quiet {
                self.moving = false;
                change = MotionChange::Ended;
            }
        }
        MotionStep {
            change,
            area: seen.area,
            zone: seen.zone,
            light: seen.light,
        }
    }
}

/// What one picture shows against the background.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    area: f32,
    zone: usize,
    light: bool,
}

// === impl Scene ===

impl Scene {
    fn new(size: (u16, u16), pixels: &[u8], zones: &[Zone], at: Timestamp) -> Self {
        let whole = [Zone::whole()];
        let zones = if zones.is_empty() { &whole } else { zones };
        Self {
            size,
            background: pixels.iter().map(|pixel| fine(*pixel)).collect(),
            zones: zones.iter().map(|zone| zone.pixels(size)).collect(),
            at,
            light: None,
        }
    }

    fn look(&mut self, pixels: &[u8], at: Timestamp, threshold: u8) -> Seen {
        let took = since(self.at, at);
        self.at = at;
        let threshold = i32::from(threshold.max(1)) << FRACTION;
        let differences: Vec<i32> = pixels
            .iter()
            .zip(&self.background)
            .map(|(pixel, known)| fine(*pixel) - known)
            .collect();
        let common = median(&differences);
        let changed: Vec<bool> = differences
            .iter()
            .map(|difference| (difference - common).abs() >= threshold)
            .collect();
        let many = changed.iter().filter(|changed| **changed).count();
        if common.abs() >= threshold || many * 100 > pixels.len() * LIGHT {
            self.bear_light(pixels, threshold);
            return Seen {
                light: true,
                ..Seen::default()
            };
        }
        self.light = None;
        self.learn(&differences, &changed, took);
        let mut most = Seen::default();
        for (zone, places) in self.zones.iter().enumerate() {
            let many = places.iter().filter(|place| changed[**place]).count();
            let area = many as f32 / places.len().max(1) as f32;
            if area > most.area {
                most = Seen {
                    area,
                    zone,
                    light: false,
                };
            }
        }
        most
    }

    /// A flash is borne; light that is the same in a second picture is the new background.
    fn bear_light(&mut self, pixels: &[u8], threshold: i32) {
        let stays = self.light.as_ref().is_some_and(|before| {
            let same = before
                .iter()
                .zip(pixels)
                .filter(|(before, pixel)| (fine(**before) - fine(**pixel)).abs() < threshold);
            same.count() * 100 > pixels.len() * LIGHT
        });
        if stays {
            self.background = pixels.iter().map(|pixel| fine(*pixel)).collect();
            self.light = None;
        } else {
            self.light = Some(pixels.to_vec());
        }
    }

    fn learn(&mut self, differences: &[i32], changed: &[bool], took: Duration) {
        let whole = i64::try_from(LEARNS.as_millis()).unwrap_or(i64::MAX);
        let took = i64::try_from(took.as_millis()).map_or(whole, |took| took.min(whole));
        let places = self.background.iter_mut().zip(differences).zip(changed);
        for ((known, difference), changed) in places {
            let slower = if *changed { HESITATES } else { 1 };
            let step = i64::from(*difference) * took / (whole * slower);
            // However short the time was, it comes nearer.
            let least = i64::from(difference.signum()) * took.signum();
            let step = if step == 0 { least } else { step };
            *known += i32::try_from(step).unwrap_or(0);
        }
    }
}

fn fine(pixel: u8) -> i32 {
    i32::from(pixel) << FRACTION
}

fn since(from: Timestamp, to: Timestamp) -> Duration {
    let nanos = to.nanos().saturating_sub(from.nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Of numbers between -255 and 255 with a fraction, to the whole.
fn median(differences: &[i32]) -> i32 {
    let mut counts = [0usize; 511];
    for difference in differences {
        let whole = (difference >> FRACTION).clamp(-255, 255) + 255;
        counts[usize::try_from(whole).unwrap_or(0)] += 1;
    }
    let mut left = differences.len() / 2;
    for (whole, count) in (-255..).zip(counts) {
        if count > left {
            return whole << FRACTION;
        }
        left -= count;
    }
    0
}

#[cfg(test)]
#[path = "motion/tests.rs"]
mod tests;
