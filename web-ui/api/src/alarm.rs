//! Alarms: the conditions of devices that somebody should know of.

use fieldgate_model::{ActionKind, Timestamp};
use serde::{Deserialize, Serialize};

/// Which alarms are asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AlarmQuery {
    /// Only those of this source.
    #[serde(default)]
    pub source: Option<String>,
    /// Only those of this `source/device`.
    #[serde(default)]
    pub device: Option<String>,
    /// At most so many; left out: 1000.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// An open alarm: active, or still to be acknowledged or confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlarmView {
    /// `source/device/point`: where its events are, and what commands are given to.
    pub target: String,
    /// Its event, which a command can name so that no other state of it is meant.
    pub event: String,
    /// The condition's name.
    pub name: String,
    /// What it is the condition of.
    pub about: String,
    /// The protocol's own name of its type.
    pub kind: String,
    /// The condition in its protocol's own words.
    pub address: String,
    /// An earlier state that is still to be dealt with, while the condition went on.
    pub branch: Option<String>,
    /// 1 (information) to 1000 (catastrophe).
    pub severity: u16,
    pub message: String,
    /// None where the device does not say, here and below.
    pub active: Option<bool>,
    pub acked: Option<bool>,
    pub confirmed: Option<bool>,
    pub suppressed: Option<bool>,
    pub shelving: Option<String>,
    pub quality: Option<String>,
    /// The last remark, and whose it is.
    pub comment: Option<String>,
    pub user: Option<String>,
    /// Since when it is active, or was at last.
    pub since: Timestamp,
    /// When it last changed.
    pub at: Timestamp,
    /// What its source allows to be done to it.
    pub allow: Vec<ActionKind>,
    /// Its source is connected, so that this is how it is now; else it is how it was at last.
    pub current: bool,
}

// === impl AlarmView ===

impl AlarmView {
    /// `active, not acknowledged`; what the device does not say is left out.
    #[must_use]
    pub fn state(&self) -> String {
        let word = |state: Option<bool>, yes: &'static str, no: &'static str| {
            state.map(|state| if state { yes } else { no })
        };
        let shelved = self.shelving.as_deref();
        let words = [
            word(self.active, "active", "over"),
            word(self.acked, "acknowledged", "not acknowledged"),
            word(self.confirmed, "confirmed", "not confirmed"),
            (self.suppressed == Some(true)).then_some("suppressed"),
            shelved.filter(|word| *word != "Unshelved"),
            self.branch.as_ref().map(|_| "an earlier one"),
            (!self.current).then_some("as it was last told"),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
