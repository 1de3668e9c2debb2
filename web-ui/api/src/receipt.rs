//! The hourly receipt: what the queue took and what became of it, route by route, chained to the receipt before.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::{EvictedBy, LedgerSum};

/// The balance over one hour. On the disk it is this, as JSON; its file's SHA-256 stands in the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this document: 1.
    pub version: u32,
    /// Eight hexadecimal digits, as in message ids.
    pub gateway_id: String,
    pub gateway: String,
    /// The version of the software.
    pub software: String,
    /// `2026-11-25T20`, UTC.
    pub hour: String,
    /// When it was opened and closed. Both are within the hour, or a moment after it, unless the gateway did not run then.
    pub from: Timestamp,
    pub to: Timestamp,
    /// False for the hour that is still running.
    pub closed: bool,
    pub rows: Vec<ReceiptRow>,
    /// The sum of the rows.
    pub total: ReceiptChange,
    /// The receipt before this one; none for the first.
    pub previous: Option<ReceiptLink>,
}

/// One route in one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptRow {
    pub lane: String,
    pub route: String,
    pub destination: String,
    /// The balance when the receipt was opened.
    pub start: LedgerSum,
    /// The balance when it was closed; as at the start when the route is gone.
    pub end: LedgerSum,
    pub change: ReceiptChange,
    /// The route was removed and had nothing left to deliver.
    pub gone: bool,
}

/// What happened in the hour: accepted = acked + pending + expired + evicted + dead_lettered + lost_detected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptChange {
    pub accepted: u64,
    pub acked: u64,
    /// Negative when a backlog shrank.
    pub pending: i64,
    pub expired: u64,
    pub evicted: u64,
    /// The same by reason.
    pub evicted_by: EvictedBy,
    pub dead_lettered: u64,
    pub lost_detected: u64,
    pub unaccounted: i64,
}

/// Which receipt came before, and what its file's bytes were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptLink {
    pub hour: String,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// All receipts that are kept, the newest first, and whether they are as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipts {
    pub receipts: Vec<ReceiptLine>,
    /// Receipts that are missing, changed or out of balance; nothing when all is well.
    pub findings: Vec<ReceiptFinding>,
    /// How long they are kept.
    pub days: u32,
}

/// A receipt in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptLine {
    pub hour: String,
    pub change: ReceiptChange,
    pub sha256: String,
}

/// Something is wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiptFinding {
    pub hour: String,
    pub words: String,
}
