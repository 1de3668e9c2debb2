//! Bluetooth LE: advertisements decoded on one core, and through D-Bus beside the bus's own ceiling.

mod decode;

use std::time::Duration;

use anyhow::{Context, Result};
use fieldgate_tests::bluez;
use serde_json::json;

/// The stand-in makes its flood before it sends it, so that a short one does not measure its beginning.
const FLOOD_SECONDS: u64 = 5;

/// Prints the figures: `ble [ROUNDS [SECONDS]]`, the seconds being those of a round of the pure decoder.
pub fn run(arguments: &[&str]) -> Result<()> {
    let word =
        |index: usize, default: &'static str| arguments.get(index).copied().unwrap_or(default);
    let rounds: u32 = word(0, "5").parse().context("the number of rounds")?;
    let seconds = word(1, "2").parse().context("seconds a round")?;
    let decode_per_s = decode::per_second(rounds as usize, Duration::from_secs_f64(seconds))?;
    eprintln!("decoder: {decode_per_s:.0} advertisements/s on one core");
    let rates = bluez::rates(rounds, FLOOD_SECONDS);
    eprintln!("lost at 300/s: {}", rates.lost_at_300);
    let hundredths = |number: f64| (number * 100.0).round() / 100.0;
    let figures = json!({
        "decode_per_s": decode_per_s.round(),
        "dbus_per_s": rates.radio_per_s.round(),
        "dbus_ceiling_per_s": rates.ceiling_per_s.round(),
        "dbus_ratio": hundredths(rates.radio_per_s / rates.ceiling_per_s),
        "cpu_percent_at_300": hundredths(rates.cpu_percent_at_300),
    });
    println!("{figures}");
    Ok(())
}
