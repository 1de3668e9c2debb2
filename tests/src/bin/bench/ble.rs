//! Bluetooth LE: advertisements decoded on one core, through D-Bus beside the bus's own ceiling, and a flood over a gateway.

mod decode;

use std::time::Duration;

use anyhow::{Context, Result};
use fieldgate_tests::{bluez, flood::Flood};
use serde_json::json;

/// The stand-in makes its flood before it sends it, so that a short one does not measure its beginning.
const FLOOD_SECONDS: u64 = 5;

/// More than a controller could ever hear, from more addresses than anything remembers.
const FLOOD: Flood = Flood {
    strangers: 100_000,
    per_s: 5_000,
    seconds: 30,
};

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
    let flood = FLOOD.withstand();
    let (before, most) = flood.resident_bytes;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (flood_per_s, grown_mb, lost_percent) = (
        flood.sent as f64 / flood.seconds,
        most.saturating_sub(before) as f64 / 1e6,
        flood.known_lost as f64 * 100.0 / flood.known_sent.max(1) as f64,
    );
    eprintln!(
        "flood: {} of {} addresses in {:.0} s; {} of {} advertisements of known devices lost; {} listed, {} folded; not looked at: {:?}",
        flood.sent,
        flood.addresses,
        flood.seconds,
        flood.known_lost,
        flood.known_sent,
        flood.view.heard_total,
        flood.view.passing,
        flood.view.not_looked_at,
    );
    let hundredths = |number: f64| (number * 100.0).round() / 100.0;
    let figures = json!({
        "decode_per_s": decode_per_s.round(),
        "dbus_per_s": rates.radio_per_s.round(),
        "dbus_ceiling_per_s": rates.ceiling_per_s.round(),
        "dbus_ratio": hundredths(rates.radio_per_s / rates.ceiling_per_s),
        "cpu_percent_at_300": hundredths(rates.cpu_percent_at_300),
        "flood_per_s": flood_per_s.round(),
        "flood_rss_mb": hundredths(grown_mb),
        "flood_known_lost_percent": hundredths(lost_percent),
    });
    println!("{figures}");
    Ok(())
}
