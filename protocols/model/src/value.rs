//! `Value`: what a point can hold. Closed: a protocol's own types are turned into it in that protocol's one pure file.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One observed value.
///
/// Integers keep all 64 bits. `Float` may be NaN or infinite. `Null` is for a reading that has no value to
/// show, such as one of bad quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    Bytes(Bytes),
    List(Vec<Value>),
    /// Named fields in the device's order.
    Struct(Vec<(String, Value)>),
    /// A picture, a clip, a document.
    Blob {
        media_type: String,
        data: Bytes,
    },
}

impl Value {
    /// The number that a numeric step can work on; `None` for everything that is not a number.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "steps compute in f64; exact 64-bit integers pass through untouched"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::UInt(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::UInt(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
