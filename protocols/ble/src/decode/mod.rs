//! Decoders that are code, since their formats are more than fields at places. All are pure, and total on any bytes.

mod atc;
mod bthome;
mod bytes;
mod eddystone;
mod govee;
mod inkbird;
mod kind;
mod mopeka;
mod qingping;
mod ruuvi;
mod seen;
mod sensorpush;
mod switchbot;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod thermopro;
mod victron;
mod xiaomi;

use crate::Decode;

/// By the names that profiles call them by, sorted.
pub(crate) const NAMED: &[(&str, Decode)] = &[
    ("atc-sealed", atc::decode),
    ("bthome", bthome::decode),
    ("eddystone", eddystone::decode),
    ("govee", govee::decode),
    ("inkbird", inkbird::decode),
    ("mibeacon", xiaomi::decode),
    ("mopeka", mopeka::decode),
    ("qingping", qingping::decode),
    ("ruuvi", ruuvi::decode),
    ("sensorpush", sensorpush::decode),
    ("switchbot", switchbot::decode),
    ("thermopro", thermopro::decode),
    ("victron", victron::decode),
];
