//! `fieldgate selection`: what a source reads, as a CSV or JSON file, out and in.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use fieldgate_api::{
    endpoint::{ExportSelection, ImportSelection},
    selection::{
        SelectionFormat, SelectionImport, SelectionMode, SelectionOutcome, SelectionPlan,
        SelectionQuery,
    },
};

use super::{client::Failure, output::Remote};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    Csv,
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// New rules are added, those that differ become the file's, the others stay.
    #[default]
    Merge,
    /// New rules are added; everything that is there stays as it is.
    Skip,
    /// New rules are added; when one differs from what is there, nothing is taken over.
    Create,
    /// The file is everything: rules that are not in it go.
    Overwrite,
    /// The rules that the file is about go, the others stay.
    Delete,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write the rules of a source to the standard output.
    Export {
        source: String,
        #[arg(long, value_enum, default_value = "csv")]
        format: FileFormat,
        #[command(flatten)]
        remote: Remote,
    },
    /// Take the rules of a file over. Exit code 1 when something is wrong with it; then nothing is changed.
    Import {
        source: String,
        /// A file that ends in .csv or .json, or - for CSV from the standard input.
        file: PathBuf,
        #[arg(long, value_enum, default_value_t)]
        mode: Mode,
        /// Only tell what would be done.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Verb {
    pub fn act(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Export {
                source,
                format,
                remote,
            } => {
                let format = match format {
                    FileFormat::Csv => SelectionFormat::Csv,
                    FileFormat::Json => SelectionFormat::Json,
                };
                let query = SelectionQuery { format };
                let file = remote
                    .client()?
                    .call::<ExportSelection>(&[&source], &query)?;
                io::stdout().lock().write_all(file.text.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Import {
                source,
                file,
                mode,
                dry_run,
                remote,
            } => {
                let import = SelectionImport {
                    format: format_of(&file),
                    text: read(&file)?,
                    mode: match mode {
                        Mode::Merge => SelectionMode::Merge,
                        Mode::Skip => SelectionMode::Skip,
                        Mode::Create => SelectionMode::Create,
                        Mode::Overwrite => SelectionMode::Overwrite,
                        Mode::Delete => SelectionMode::Delete,
                    },
                    dry_run,
                };
                let plan = remote
                    .client()?
                    .call::<ImportSelection>(&[&source], &import)?;
                remote.print(&plan, |plan| text(plan, dry_run))?;
                Ok(match plan.problems.is_empty() {
                    true => ExitCode::SUCCESS,
                    false => ExitCode::FAILURE,
                })
            }
        }
    }
}

fn format_of(file: &Path) -> SelectionFormat {
    match file
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"))
    {
        true => SelectionFormat::Json,
        false => SelectionFormat::Csv,
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let read = match file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text).map(|_| text)
        }
        false => fs::read_to_string(file),
    };
    read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))
}

fn text(plan: &SelectionPlan, dry_run: bool) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        if let Some(before) = before {
            text.push_str(&format!("- {before}\n"));
        }
        if let Some(after) = after {
            text.push_str(&format!("+ {after}\n"));
        }
    }
    for conflict in &plan.conflicts {
        text.push_str(&format!(
            "line {}: {} is there already, the file says {}\n",
            conflict.line, conflict.present, conflict.file
        ));
    }
    for problem in &plan.problems {
        let place = problem
            .line
            .map_or("the file".to_owned(), |line| format!("line {line}"));
        text.push_str(&format!("{place}: {}\n", problem.words));
    }
    let end = match (&plan.saved, plan.problems.is_empty()) {
        (Some(saved), _) => format!("written as revision {}", saved.revision),
        (None, false) => "nothing was changed because of what is wrong".to_owned(),
        (None, true) if dry_run => "nothing was changed: a dry run".to_owned(),
        (None, true) => "nothing differs".to_owned(),
    };
    if dry_run {
        text.extend(plan.modes.iter().map(mode_line));
    }
    let figures = figures([
        plan.added,
        plan.changed,
        plan.removed,
        plan.same,
        plan.ignored,
    ]);
    text + &format!("{figures}; {end}")
}

/// What a mode would come to.
fn mode_line(outcome: &SelectionOutcome) -> String {
    let name = match outcome.mode {
        SelectionMode::Merge => "merge",
        SelectionMode::Skip => "skip",
        SelectionMode::Create => "create",
        SelectionMode::Overwrite => "overwrite",
        SelectionMode::Delete => "delete",
    };
    let figures = figures([
        outcome.added,
        outcome.changed,
        outcome.removed,
        outcome.same,
        outcome.ignored,
    ]);
    match outcome.problems {
        0 => format!("--mode {name}: {figures}\n"),
        _ => format!("--mode {name}: nothing, because of what is wrong\n"),
    }
}

fn figures([added, changed, removed, same, ignored]: [u64; 5]) -> String {
    let ignored = match ignored {
        0 => String::new(),
        ignored => format!(", {ignored} without effect"),
    };
    format!("{added} added, {changed} changed, {removed} removed, {same} the same{ignored}")
}
