//! `Quality`: how far a value can be trusted, and the reason when it cannot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The level without its reason, for colours, filters and counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum QualityLevel {
    Good,
    Uncertain,
    Bad,
}

/// How far a value can be trusted. The reason names the protocol's own code first, then says it in words,
/// such as `BadNodeIdUnknown: the server no longer has this node`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    #[default]
    Good,
    Uncertain(Arc<str>),
    Bad(Arc<str>),
}

impl Quality {
    #[must_use]
    pub fn level(&self) -> QualityLevel {
        match self {
            Self::Good => QualityLevel::Good,
            Self::Uncertain(_) => QualityLevel::Uncertain,
            Self::Bad(_) => QualityLevel::Bad,
        }
    }

    /// The reason; `None` when the quality is good.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Good => None,
            Self::Uncertain(why) | Self::Bad(why) => Some(why),
        }
    }
}
