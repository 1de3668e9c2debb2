//! `fieldgate check FILE…`: says everything that is wrong with configuration files, with file, line and remedy.

use std::{path::PathBuf, process::ExitCode};

use crate::{
    config::{Loaded, check, line},
    registry::Registry,
};

/// The exit code for a configuration with problems.
const PROBLEMS: u8 = 2;

/// Checks files and folders together, as the gateway would read them; without any, `/etc/fieldgate`.
///
/// Prints every problem to stderr and gives 2, or one line to stdout and gives 0.
#[must_use]
pub fn run(files: &[PathBuf]) -> ExitCode {
    match check(files, &Registry::all()) {
        Ok(loaded) => {
            println!("{}", praise(&loaded));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{}", line(problem));
            }
            ExitCode::from(PROBLEMS)
        }
    }
}

fn praise(loaded: &Loaded) -> String {
    let count = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let read = match &loaded.files[..] {
        [] => "no files".to_owned(),
        files => files.join(", "),
    };
    format!(
        "{read}: good, with {}, {}, {} and {}",
        count(loaded.sources.len(), "source"),
        count(loaded.destinations.len(), "destination"),
        count(loaded.routes.len(), "route"),
        count(loaded.rules.len(), "rule"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(text: &str) -> ExitCode {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("x.toml");
        std::fs::write(&file, text).expect("a file in a new folder");
        run(&[file])
    }

    #[test]
    fn the_exit_code_says_whether_there_are_problems() {
        assert_eq!(
            check_file("[gateway]\nname = \"line-4\"\n"),
            ExitCode::SUCCESS
        );
        assert_eq!(
            check_file("[gateway]\nnam = \"line-4\"\n"),
            ExitCode::from(PROBLEMS)
        );
        assert_eq!(
            run(&[PathBuf::from("/nonexistent/x.toml")]),
            ExitCode::from(PROBLEMS)
        );
    }

    #[test]
    fn one_line_says_what_there_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let loaded =
            check(&[folder.path().to_owned()], &Registry::all()).expect("an empty folder is good");
        assert_eq!(
            praise(&loaded),
            "no files: good, with 0 sources, 0 destinations, 0 routes and 0 rules"
        );
    }
}
