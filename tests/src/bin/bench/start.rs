//! Cold start: from process start to the first value accepted from the in-process server; and what is shipped, in bytes.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::json;

use crate::support::{self, median};

const ROUNDS: usize = 5;

/// Prints the medians of several starts.
pub fn run() -> Result<()> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut wasm_bytes = 0;
    for number in 1..=ROUNDS {
        let state = tempfile::tempdir()?;
        let fresh = until_accepted(state.path(), &mut wasm_bytes)?;
        let again = until_accepted(state.path(), &mut wasm_bytes)?;
        eprintln!("round {number}: first start {fresh:.0} ms, second {again:.0} ms");
        first.push(fresh);
        second.push(again);
    }
    let binary_bytes = fs::metadata(support::gateway_binary()?)?.len();
    println!(
        "{}",
        json!({
            "first_value_ms": median(first).round(),
            "second_start_ms": median(second).round(),
            "binary_mb": (binary_bytes as f64 / 1e4).round() / 100.0,
            "wasm_br_kb": (wasm_bytes as f64 / 10.0).round() / 100.0,
        })
    );
    Ok(())
}

/// Starts the demonstration, and returns the milliseconds until a value of this run was accepted.
fn until_accepted(state: &std::path::Path, wasm_bytes: &mut usize) -> Result<f64> {
    let start = Instant::now();
    let (gateway, address) =
        support::start_gateway(&["--demo", "--state", &state.to_string_lossy()])?;
    support::wait_for("the first accepted value", Duration::from_secs(10), || {
        let route = support::get_json(&address, "/api/v1/routes/everything").ok()?;
        (route["out_total"].as_u64()? > 0).then_some(())
    })?;
    let accepted = start.elapsed();
    *wasm_bytes = support::get(&address, "/ui/web_ui_bg.wasm", "br")?.len();
    gateway.terminate()?;
    Ok(accepted.as_secs_f64() * 1000.0)
}
