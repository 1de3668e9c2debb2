//! `cargo xtask bench NAME`: one bench in a release build; its last line of output is one JSON object.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::peers;
use crate::workspace::{Workspace, step};

/// One file a bench beside `main.rs`; the file's first line says what it measures.
const BENCHES: &str = "tests/src/bin/bench";

#[derive(clap::Args)]
pub struct Arguments {
    /// The bench to run; without it they are listed.
    name: Option<String>,
    /// Arguments for the bench, after `--`.
    #[arg(last = true)]
    bench: Vec<OsString>,
}

/// Builds and runs one bench, or lists them.
pub fn bench(workspace: &Workspace, arguments: Arguments) -> Result<()> {
    let benches = benches(workspace)?;
    let Some(name) = arguments.name else {
        for (name, subject) in benches {
            println!("{name:12} {subject}");
        }
        return Ok(());
    };
    if !benches.iter().any(|(bench, _)| *bench == name) {
        bail!("no bench `{name}`; `cargo xtask bench` lists them");
    }
    workspace.ensure_wasm_target()?;
    let mut variables = peers::install(workspace)?;
    step(
        "build the gateway and the bench, optimised",
        workspace
            .cargo()
            .args(["build", "--release", "--locked", "--bins"])
            .args(["--package", "fieldgate", "--package", "fieldgate-tests"]),
    )?;
    let gateway = workspace.keep("bench", "release", "fieldgate")?;
    let bench = workspace.keep("bench", "release", "bench")?;
    variables.push(("FIELDGATE_BIN", gateway));
    let radio = workspace.keep("bench", "release", "radio")?;
    variables.push(("FIELDGATE_BLE_RADIO", radio));
    let mut command = Command::new(bench);
    command
        .arg(&name)
        .args(arguments.bench)
        .current_dir(&workspace.root);
    peers::give(&mut command, &variables);
    step(&format!("bench {name}"), &mut command)
}

/// Names and subjects, sorted by name.
fn benches(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let mut benches = Vec::new();
    for entry in fs::read_dir(workspace.root.join(BENCHES)).context(BENCHES)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if stem == "main" || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let subject = text.lines().next().unwrap_or_default();
        benches.push((
            stem.into_owned(),
            subject.trim_start_matches("//! ").to_owned(),
        ));
    }
    benches.sort();
    Ok(benches)
}
