//! `fieldgate`: the one binary.

use std::process::ExitCode;

use clap::Parser;
use fieldgate::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().act()
}
