//! `cargo xtask run`: from a fresh clone to the running demonstration.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::{Workspace, step};

#[derive(clap::Args)]
pub struct Arguments {
    /// Build with optimisation: slower to build, faster to run.
    #[arg(long)]
    release: bool,
    /// Further arguments of `fieldgate run`, after `--`.
    #[arg(last = true)]
    gateway: Vec<OsString>,
}

/// Builds, then becomes the gateway: returns only if that fails.
pub fn run(workspace: &Workspace, arguments: Arguments) -> Result<()> {
    let (profile, directory, estimate) = if arguments.release {
        ("release", "release", "fifteen")
    } else {
        ("dev", "debug", "five")
    };
    workspace.ensure_wasm_target()?;
    if !workspace.target.join(directory).join("fieldgate").exists() {
        eprintln!(
            "first build: some 600 crates and the console, about {estimate} minutes on two cores; kept in {}",
            workspace.target.display()
        );
    }
    step(
        "build the gateway with its console",
        workspace.cargo().args([
            "build",
            "--locked",
            "--package",
            "fieldgate",
            "--profile",
            profile,
        ]),
    )?;
    let gateway = workspace.keep("run", directory, "fieldgate")?;
    let state = workspace.root.join(".fieldgate");
    eprintln!(
        "starting the gateway with its demonstration devices; its state is in {}; the address to open follows; Ctrl-C stops it",
        workspace.shown(&state)
    );
    let error = Command::new(&gateway)
        .args(["run", "--demo", "--state"])
        .arg(&state)
        .args(arguments.gateway)
        .exec();
    Err(error).with_context(|| format!("cannot start {}", gateway.display()))
}
