//! Bluetooth LE: advertisements decoded on one core, and through D-Bus beside the bus's own ceiling.

mod decode;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

/// Prints the figures: `ble [ROUNDS [SECONDS]]`. What is not measured yet is null.
pub fn run(arguments: &[&str]) -> Result<()> {
    let word =
        |index: usize, default: &'static str| arguments.get(index).copied().unwrap_or(default);
    let rounds = word(0, "5").parse().context("the number of rounds")?;
    let seconds = word(1, "2").parse().context("seconds a round")?;
    let decode_per_s = decode::per_second(rounds, Duration::from_secs_f64(seconds))?;
    let figures = json!({
        "decode_per_s": decode_per_s.round(),
        "dbus_per_s": null,
        "dbus_ceiling_per_s": null,
        "dbus_ratio": null,
        "cpu_percent_at_300": null,
    });
    println!("{figures}");
    Ok(())
}
