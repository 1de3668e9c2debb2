//! The benches: `cargo xtask bench NAME`. Progress goes to stderr; the last line of stdout is one JSON object.

mod ble;
mod cameras;
mod drain;
mod opcua;
mod pipeline;
mod queue;
mod start;
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ble", rest @ ..] => ble::run(rest),
        ["cameras", rest @ ..] => cameras::run(rest),
        ["drain", rest @ ..] => drain::run(rest),
        ["opcua", rest @ ..] => opcua::run(rest),
        ["pipeline", rest @ ..] => pipeline::run(rest),
        ["start", ..] => start::run(),
        ["queue", rest @ ..] => queue::run(rest),
        // What a bench runs as processes of their own, so that their cost is theirs.
        ["serve", nodes, every_ms] => support::load::serve(nodes, every_ms),
        ["serve", nodes, every_ms, per_subscription] => {
            support::load::serve_divided(nodes, every_ms, per_subscription)
        }
        ["source", endpoint, seconds] => opcua::client::source(endpoint, seconds),
        ["library", endpoint, nodes, subscriptions, seconds] => {
            opcua::client::library(endpoint, nodes, subscriptions, seconds)
        }
        ["ceiling", endpoint, seconds] => support::load::ceiling(endpoint, seconds),
        ["fill", folder, readings] => queue::fill(folder, readings),
        ["reopen", folder] => queue::reopen(folder),
        _ => Err(anyhow::anyhow!(
            "name a bench: ble, cameras, drain, opcua, pipeline, queue or start"
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
