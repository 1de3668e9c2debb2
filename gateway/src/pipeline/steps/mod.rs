//! Steps: what happens to a reading on its route. Synchronous, no I/O: one reading in, none or more out.

mod class;
mod deadband;
mod rename;
mod scale;
mod throttle;

use fieldgate_kit::Problem;
use fieldgate_model::{DropReason, Reading};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use class::{ClassSettings, SetClass};
pub use deadband::Deadband;
pub use rename::Rename;
pub use scale::Scale;
pub use throttle::Throttle;

/// One step as configured; the table of all there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepSettings {
    /// Lets a number through when it differs by more than this from the last one let through, and everything whose quality changed.
    Deadband(f64),
    /// Multiplies, then adds, and sets the unit.
    Scale(scale::ScaleSettings),
    /// Gives the point another name.
    Rename(rename::RenameSettings),
    /// Lets at most one reading of a point through in a span of time.
    Throttle(throttle::ThrottleSettings),
    /// Makes events of readings, so that alarms overtake telemetry; or telemetry of events.
    Class(ClassSettings),
}

/// A running step with what it remembers of each point.
pub trait Step: Send {
    /// What becomes of one reading.
    ///
    /// # Errors
    /// The reason for which it goes no further; the pipeline counts it.
    fn apply(&mut self, reading: Reading) -> Result<Reading, DropReason>;
}

impl StepSettings {
    /// What the types cannot tell.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        match self {
            Self::Deadband(width) if !width.is_finite() || *width < 0.0 => vec![Problem::new(
                ["deadband"],
                format!("{width} is no width"),
                "give a number that is not negative",
            )],
            Self::Scale(settings) => settings.check(),
            Self::Rename(settings) => settings.check(),
            Self::Deadband(_) | Self::Throttle(_) | Self::Class(_) => Vec::new(),
        }
    }

    /// True when it may hand on something else than it got; false when it only lets through or holds back.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Scale(_) | Self::Rename(_) | Self::Class(_) => true,
            Self::Deadband(_) | Self::Throttle(_) => false,
        }
    }

    /// The running step.
    #[must_use]
    pub fn build(&self) -> Box<dyn Step> {
        match self {
            Self::Deadband(width) => Box::new(Deadband::new(*width)),
            Self::Scale(settings) => Box::new(Scale::new(settings)),
            Self::Rename(settings) => Box::new(Rename::new(settings)),
            Self::Throttle(settings) => Box::new(Throttle::new(settings)),
            Self::Class(settings) => Box::new(SetClass::from(*settings)),
        }
    }
}
