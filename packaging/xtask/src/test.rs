//! `cargo xtask test`: every test, with the real peers that the system tests need.

use std::ffi::OsString;

use anyhow::Result;

use crate::peers;
use crate::workspace::{SELECTION, Workspace, step};

#[derive(clap::Args)]
pub struct Arguments {
    /// Further arguments of `cargo test`, after `--`: `-- --test it -- broker`.
    #[arg(last = true)]
    cargo: Vec<OsString>,
}

/// Installs, builds, tests; goes on after a failed test to show all of them.
pub fn test(workspace: &Workspace, arguments: Arguments) -> Result<()> {
    workspace.ensure_wasm_target()?;
    let mut variables = peers::install(workspace)?;
    step(
        "build the gateway and the tests",
        workspace
            .cargo()
            .arg("build")
            .args(SELECTION)
            // One selection for both: building the gateway alone would compile its dependencies with other features.
            .args(["--bins", "--tests"]),
    )?;
    variables.push((
        "FIELDGATE_BIN",
        workspace.keep("test", "debug", "fieldgate")?,
    ));
    variables.push((
        "FIELDGATE_BLE_RADIO",
        workspace.keep("test", "debug", "radio")?,
    ));
    let mut cargo = workspace.cargo();
    cargo
        .arg("test")
        .args(SELECTION)
        .arg("--no-fail-fast")
        .args(arguments.cargo);
    peers::give(&mut cargo, &variables);
    step("tests", &mut cargo)
}
