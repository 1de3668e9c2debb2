//! `cargo xtask`: set-up, checks, tests and benches, one file a verb.
//!
//! # Where things go
//!
//! Unless `CARGO_TARGET_DIR` is set, builds go to `${XDG_CACHE_HOME:-~/.cache}/fieldgate/target` and the Python
//! environment of the tests to `…/fieldgate/venv-<hash of its requirements>`. A build of the whole workspace is some
//! 600 crates, and a second clone on the same machine, or the next run of a CI machine that keeps its cache folder, finds
//! them there. Everything in it can be deleted at any time. Nothing else is written outside the checkout, except
//! the Debian packages that `test` installs and the wasm32 target of rustup.
//!
//! # What the tests and benches are given
//!
//! | variable | what it is |
//! |---|---|
//! | `FIELDGATE_BIN` | the built `fieldgate`, with the console embedded |
//! | `FIELDGATE_VENV` | Python environment with asyncua: run `$FIELDGATE_VENV/bin/python` |
//! | `FIELDGATE_AXE_JS` | `axe.min.js`, the accessibility checker to inject into the page |
//! | `FIELDGATE_MOSQUITTO` | the MQTT broker's program |
//! | `FIELDGATE_NGINX` | the web server's program |
//! | `FIELDGATE_CHROMIUM`, `FIELDGATE_CHROMEDRIVER` | the browser, and the WebDriver server that drives it |

mod bench;
mod check;
mod dependencies;
mod licence;
mod peers;
mod run;
mod test;
mod torture;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Set-up, checks, tests and benches of Fieldgate.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the gateway with its console, and start it with the demonstration devices.
    Run(run::Arguments),
    /// Check formatting, lints, licences, sources and banned crates.
    Check,
    /// Install the real peers that the tests need, and run every test.
    Test(test::Arguments),
    /// Run a harness of the store with large numbers, or list them: crashes, power cuts, failing calls, damage.
    Torture(torture::Arguments),
    /// Run a bench in a release build, or list them.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let verb = Arguments::parse().verb;
    let workspace = Workspace::find()?;
    match verb {
        Verb::Run(arguments) => run::run(&workspace, arguments),
        Verb::Check => check::check(&workspace),
        Verb::Test(arguments) => test::test(&workspace, arguments),
        Verb::Torture(arguments) => torture::torture(&workspace, arguments),
        Verb::Bench(arguments) => bench::bench(&workspace, arguments),
    }
}
