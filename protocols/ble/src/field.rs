//! `Field`: one named value out of an advertisement or a characteristic, before anybody knows whose point it is.

use std::sync::Arc;

use fieldgate_model::Value;

/// One decoded value. Its `id` becomes the last segment of the point's id.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Lower case with underscores, for instance `temperature`, `battery_voltage`; of two alike the second is `temperature_2`.
    pub id: Arc<str>,
    pub value: Value,
    /// UCUM code.
    pub unit: Option<Arc<str>>,
    pub nature: Nature,
}

/// What a field is for whoever gets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nature {
    /// A state or measurement: the same value again is no news.
    #[default]
    Measured,
    /// Something happened, such as a press of a button: each one counts, and it travels as an event.
    Happened,
}

impl Field {
    /// A measurement.
    #[must_use]
    pub fn measured(id: impl Into<Arc<str>>, value: impl Into<Value>, unit: Option<&str>) -> Self {
        Self {
            id: id.into(),
            value: value.into(),
            unit: unit.map(Arc::from),
            nature: Nature::Measured,
        }
    }
}
