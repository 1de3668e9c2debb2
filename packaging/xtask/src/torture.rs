//! `cargo xtask torture NAME`: one harness of the store with large numbers; its last line of output is one JSON object.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;

/// Name, cases unless `--cases` says otherwise, and what a case is. Each is `store/tests/NAME.rs`, whose test with
/// `torture` in its name runs with fewer cases in `cargo xtask test`.
const HARNESSES: [(&str, u64, &str); 7] = [
    (
        "model",
        10_000,
        "lists of random actions, on sled, on the plain log and in memory",
    ),
    (
        "decides",
        2_000,
        "random lives of a lane that thins, drops, keeps and lets age go, with purges and replays",
    ),
    ("kill", 1_000, "kills of a process under load"),
    (
        "power",
        2_400,
        "crash states, rebuilt from recorded system calls: lost, reordered, torn",
    ),
    (
        "syscalls",
        1,
        "every n-th system call fails, once and for ever (a number has no meaning)",
    ),
    (
        "disk",
        5,
        "times that a small file system is filled and freed, with each policy for a full lane",
    ),
    (
        "damage",
        500,
        "bit flips, zeroed pages and truncations over all files",
    ),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// The harness to run; without it they are listed.
    name: Option<String>,
    /// How many cases, instead of the usual number.
    #[arg(long)]
    cases: Option<u64>,
}

/// Builds and runs one harness, or lists them.
pub fn torture(workspace: &Workspace, arguments: Arguments) -> Result<()> {
    let Some(name) = arguments.name else {
        for (name, cases, subject) in HARNESSES {
            println!("{name:10} {cases:6} {subject}");
        }
        return Ok(());
    };
    let Some((_, usual, subject)) = HARNESSES.iter().find(|(known, ..)| *known == name) else {
        bail!("no harness `{name}`; `cargo xtask torture` lists them");
    };
    let cases = arguments.cases.unwrap_or(*usual);
    eprintln!("── torture {name}: {cases} {subject}");
    let started = Instant::now();
    let figures = run(workspace, &name, cases)?;
    eprintln!(
        "── torture {name}: {:.1} s",
        started.elapsed().as_secs_f64()
    );
    println!("{figures}");
    Ok(())
}

/// Runs the harness; its figures are the last line of its output that is a JSON object.
fn run(workspace: &Workspace, name: &str, cases: u64) -> Result<String> {
    let mut child = workspace
        .cargo()
        .env("FIELDGATE_TORTURE", cases.to_string())
        .args([
            "test",
            "--release",
            "--locked",
            "--package",
            "fieldgate-store",
            "--test",
            name,
        ])
        .args(["--", "--nocapture", "torture"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("the harness has no output")?;
    let mut figures = None;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if line.starts_with('{') {
            figures = Some(line);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "torture {name} failed ({status}); its figures: {}",
            figures.unwrap_or_default()
        );
    }
    figures.with_context(|| format!("torture {name} printed no figures"))
}
