//! `Alarm`: a condition that somebody should know of, as its source last told it, in the words of no protocol.

use crate::{ActionKind, PointId, Timestamp};

/// A condition whose state is kept because it is of interest: active, or still to be acknowledged or confirmed
/// (OPC UA Part 9, 5.5.2: Retain).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Where its events are.
    pub point: PointId,
    /// What it is, in its protocol's own words: one point can have several.
    pub condition: String,
    /// An earlier state that somebody still has to deal with, while the condition went on; `None` for the present one.
    pub branch: Option<String>,
    /// The event that told this state. Who acknowledges names it, so that nobody acknowledges what was not seen.
    pub event: String,
    /// The condition's name.
    pub name: String,
    /// What it is the condition of.
    pub source: String,
    /// The protocol's own name of its type.
    pub kind: String,
    /// 1 (information) to 1000 (catastrophe).
    pub severity: u16,
    pub message: String,
    /// `None` where the source does not say, here and below.
    pub active: Option<bool>,
    pub acked: Option<bool>,
    pub confirmed: Option<bool>,
    pub suppressed: Option<bool>,
    /// `Unshelved`, `TimedShelved`, `OneShotShelved`.
    pub shelving: Option<String>,
    /// How far what it is about can be trusted.
    pub quality: Option<String>,
    /// The last remark, and whose it is.
    pub comment: Option<String>,
    pub user: Option<String>,
    /// Since when it is active, or was at last.
    pub since: Timestamp,
    /// When it last changed.
    pub at: Timestamp,
    /// What may be done to it by commands; nothing else may.
    pub allow: Vec<ActionKind>,
}
