//! `Device` and `Point`: what exists. Announced once, not repeated on every reading.

use serde::{Deserialize, Serialize};

use crate::{DeviceId, PointId};

/// A thing that has points: an OPC UA object, a BLE peripheral, a camera, the gateway itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    pub id: DeviceId,
    /// As a person would call it.
    pub name: String,
    /// Maker and type where the device says it, for instance `async-opcua demo server`.
    pub model: Option<String>,
    /// Where it is in its protocol's own words: a browse path, a Bluetooth address, a URL without credentials.
    pub address: String,
    pub points: Vec<Point>,
}

/// One value of a device that can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    pub id: PointId,
    /// As a person would call it.
    pub name: String,
    /// UCUM code, or the device's own word where there is none.
    pub unit: Option<String>,
    /// What is usual, in the point's unit.
    pub range: Option<Range>,
    /// What it is, in the device's words.
    pub description: Option<String>,
    /// The protocol's own type name, for instance `Double` or `UInt16[]`.
    pub data_type: Option<String>,
    /// Where it is in its protocol's own words, for instance `nsu=urn:plant;s=Temp`.
    pub address: String,
    /// Facts that the protocol knows about how it is read, as a sentence, for instance `sampled every 500 ms, asked for 100 ms`.
    pub remark: Option<String>,
    /// Why no value comes from it, in words; `None` when nothing is wrong.
    pub problem: Option<String>,
}

/// From the lowest to the highest value that is usual. Both are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Range {
    pub low: f64,
    pub high: f64,
}
