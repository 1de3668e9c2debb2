//! `cargo xtask check`: everything that can be said about the code without running it.

use anyhow::{Result, bail};

use crate::dependencies;
use crate::workspace::{SELECTION, WASM, Workspace, step};

/// Runs all checks, also after one failed: a person fixes them in one go.
pub fn check(workspace: &Workspace) -> Result<()> {
    workspace.ensure_wasm_target()?;
    let results = [
        format(workspace),
        lint(workspace),
        lint_console(workspace),
        dependencies::check(workspace),
    ];
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    for failure in &failures {
        eprintln!("error: {failure:#}");
    }
    if !failures.is_empty() {
        bail!("{} of 4 checks failed", failures.len());
    }
    eprintln!("all checks passed");
    Ok(())
}

fn format(workspace: &Workspace) -> Result<()> {
    step(
        "formatting (repair with `cargo fmt --all`)",
        workspace.cargo().args(["fmt", "--all", "--", "--check"]),
    )
}

fn lint(workspace: &Workspace) -> Result<()> {
    step(
        "lints",
        workspace
            .cargo()
            // No lint needs the console's files, and building them takes minutes.
            .env("FIELDGATE_UI", "skip")
            .arg("clippy")
            .args(SELECTION)
            .args(["--all-targets", "--", "-D", "warnings"]),
    )
}

fn lint_console(workspace: &Workspace) -> Result<()> {
    step(
        "lints of the console",
        workspace
            .cargo()
            // The profile and the folder of gateway/build.rs: they share the compiled macros.
            .env_remove("RUSTFLAGS")
            .args(["clippy", "--locked", "--package", "web-ui"])
            .args(["--target", WASM, "--profile", "wasm-dev", "--target-dir"])
            .arg(workspace.target.join("web-ui-wasm"))
            .args(["--", "-D", "warnings"]),
    )
}
