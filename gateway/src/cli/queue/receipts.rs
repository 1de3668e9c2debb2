//! `fieldgate queue receipts`: the receipts and whether their chain holds (exit code 1 if not), or one as it lies on the disk.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::{GetReceipt, GetReceipts},
    receipt::{Receipt, ReceiptLine, Receipts},
};

use crate::cli::{
    client::Failure,
    output::{Remote, table},
};

/// The running hour.
const NOW: &str = "now";

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The receipt of this hour, such as 2026-11-25T20, as it lies on the disk; `now` is the running hour's so far.
    hour: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let client = args.remote.client()?;
    match args.hour.as_deref() {
        Some(NOW) => {
            let receipt = client.call::<GetReceipt>(&[NOW], &())?;
            args.remote.print(&receipt, json)?;
        }
        Some(hour) => {
            let url = crate::web::receipt_path(hour);
            client.download(&url, &mut std::io::stdout().lock())?;
        }
        None => {
            let receipts = client.call::<GetReceipts>(&[], &())?;
            args.remote.print(&receipts, text)?;
            if !receipts.findings.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json(receipt: &Receipt) -> String {
    serde_json::to_string_pretty(receipt).unwrap_or_default()
}

fn text(receipts: &Receipts) -> String {
    let row = |line: &ReceiptLine| {
        let change = line.change;
        [
            line.hour.clone(),
            change.accepted.to_string(),
            change.acked.to_string(),
            change.pending.to_string(),
            change.unaccounted.to_string(),
            line.sha256.clone(),
        ]
    };
    let rows: Vec<_> = receipts.receipts.iter().map(row).collect();
    let titles = [
        "hour",
        "accepted",
        "delivered",
        "waiting",
        "unaccounted",
        "sha-256",
    ];
    let findings = receipts.findings.iter();
    let findings: String = findings
        .map(|finding| format!("{}: {}\n", finding.hour, finding.words))
        .collect();
    let verdict = match findings.is_empty() {
        true => "The chain holds.\n",
        false => "The chain is broken:\n",
    };
    format!("{}\n{verdict}{findings}", table(titles, &rows))
}
