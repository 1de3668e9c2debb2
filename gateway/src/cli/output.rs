//! What a verb prints: a table for people, or JSON for programs.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;

use super::client::{Client, Failure, SOCKET};

/// How it is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}

/// Which gateway is asked, and how the answer is printed.
#[derive(Debug, ClapArgs)]
pub struct Remote {
    /// The state folder of the gateway.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/fieldgate")]
    pub state: PathBuf,
    /// Its control socket, when it is not in the state folder.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

// === impl Remote ===

impl Remote {
    /// # Errors
    /// When there can be no client on this machine.
    pub fn client(&self) -> Result<Client, Failure> {
        let default = || self.state.join(SOCKET);
        Client::new(&self.control.clone().unwrap_or_else(default))
    }

    /// Prints an answer: as JSON, or as what `table` makes of it.
    ///
    /// # Errors
    /// When nobody takes the output.
    pub fn print<T: Serialize>(
        &self,
        answer: &T,
        table: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let text = match self.output {
            Format::Table => table(answer),
            Format::Json => serde_json::to_string_pretty(answer)
                .map_err(|error| Failure::Usage(error.to_string()))?,
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{}", text.trim_end())?;
        Ok(())
    }
}

/// The exit code of a verb: 0 done, 1 something was found or the gateway refused, 3 no gateway answers.
pub fn exit_code(outcome: Result<ExitCode, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        // Who reads no further is no failure: `fieldgate dead ls | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fieldgate: {error}");
            match error {
                Failure::Silent { .. } => ExitCode::from(3),
                Failure::Usage(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Rows in aligned columns, below their titles; what is a number stands to the right.
pub fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(titles[column].chars().count())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let is_number = |column: usize| {
        !rows.is_empty()
            && rows
                .iter()
                .all(|row| row[column].starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    };
    let numeric: [bool; N] = std::array::from_fn(is_number);
    let line = |cells: &[String; N]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let gap = " ".repeat(widths[column] - cell.chars().count());
            match numeric[column] {
                true => line.push_str(&format!("{gap}{cell}  ")),
                false => line.push_str(&format!("{cell}{gap}  ")),
            }
        }
        format!("{}\n", line.trim_end())
    };
    let head = line(&titles.map(str::to_uppercase));
    rows.iter().map(line).fold(head, |text, line| text + &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a→b", "7"], ["ab", "1234"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["route", "pending"], &rows),
            "ROUTE  PENDING\na→b          7\nab        1234\n"
        );
        assert_eq!(table(["route"], &[]), "ROUTE\n");
    }
}
