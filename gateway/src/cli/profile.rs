//! `fieldgate profile`: profiles of Bluetooth devices, for who writes one. Needs no running gateway.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args as ClapArgs, Subcommand};
use fieldgate_ble::profile::{TryData, try_out};

use super::client::Failure;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Read a profile and try it: on bytes, or without any on its own examples.
    Try(Try),
}

#[derive(Debug, ClapArgs)]
pub struct Try {
    /// The profile, a TOML file.
    file: PathBuf,
    /// The bytes that the profile matches: manufacturer data without the company's number, or service data.
    #[arg(long, value_name = "HEX")]
    data: Option<String>,
    /// Manufacturer data with the company's number, such as 0499:0512fc…; may be given several times.
    #[arg(long, value_name = "ID:HEX")]
    manufacturer: Vec<String>,
    /// Service data with the service's UUID, such as fcd2:4001…; may be given several times.
    #[arg(long, value_name = "UUID:HEX")]
    service_data: Vec<String>,
    /// The name that the device advertises.
    #[arg(long)]
    name: Option<String>,
    /// Its address; some formats need it to decrypt.
    #[arg(long)]
    address: Option<String>,
    /// The key of encrypted packets, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
}

// === impl Verb ===

impl Verb {
    pub fn act(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Try(args) => args.run(),
        }
    }
}

// === impl Try ===

impl Try {
    fn run(self) -> Result<ExitCode, Failure> {
        let (id, text) = self.read()?;
        let data = TryData {
            data: self.data,
            manufacturer: self.manufacturer,
            service_data: self.service_data,
            name: self.name,
            address: self.address,
            key: self.key,
        };
        let tried = try_out(&id, &text, &data)
            .map_err(|words| Failure::Usage(format!("{}: {words}", self.file.display())))?;
        println_all(&format!("{}\n{}", tried.title, tried.words))?;
        Ok(match tried.fine {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }

    /// The profile's id, which is the file's name, and its text.
    fn read(&self) -> Result<(String, String), Failure> {
        let cannot = |why: String| {
            Failure::Usage(format!(
                "cannot read the profile {}: {why}",
                self.file.display()
            ))
        };
        let size = fs::metadata(&self.file).map_err(|error| cannot(error.to_string()))?;
        if size.len() > LARGEST {
            return Err(cannot("it is larger than 1 MiB".into()));
        }
        let text = fs::read_to_string(&self.file).map_err(|error| cannot(error.to_string()))?;
        let id = self.file.file_stem().unwrap_or_default();
        Ok((id.to_string_lossy().into_owned(), text))
    }
}

fn println_all(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    Ok(())
}
