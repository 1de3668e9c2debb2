//! `Reading`: one observed value, the unit of everything that is counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{PointId, Quality, Timestamp, Value};

/// What a reading is for the queue: telemetry waits its turn, events overtake it in the critical lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    #[default]
    Telemetry,
    Event,
}

/// One observed value of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub point: PointId,
    pub value: Value,
    pub quality: Quality,
    /// When it was so, by the source's clock; the gateway's clock where the source gives none.
    pub at: Timestamp,
    /// When the gateway saw it, by the gateway's clock.
    pub seen: Timestamp,
    /// UCUM code.
    pub unit: Option<Arc<str>>,
    pub class: Class,
    /// It was missed when it happened, and read from the source's own history later. Not part of the encoding: who
    /// writes readings down keeps it beside them.
    #[serde(skip)]
    pub backfilled: bool,
}

impl Reading {
    /// A good reading without a unit, observed and seen at the same moment.
    #[must_use]
    pub fn new(point: PointId, value: impl Into<Value>, at: Timestamp) -> Self {
        Self {
            point,
            value: value.into(),
            quality: Quality::Good,
            at,
            seen: at,
            unit: None,
            class: Class::Telemetry,
            backfilled: false,
        }
    }
}
