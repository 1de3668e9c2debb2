//! The chain: whether each receipt is there, unchanged and in balance.

use fieldgate_api::receipt::{Receipt, ReceiptChange, ReceiptFinding, ReceiptLink};
use sha2::{Digest, Sha256};

/// A receipt's file: its hour and its bytes.
pub struct File {
    pub hour: String,
    pub bytes: Vec<u8>,
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with the receipts, the oldest first. `head` is what the running hour knows of the last one. The oldest
/// may name one before it: that was removed when it was too old.
pub fn verify(files: &[File], head: Option<&ReceiptLink>) -> Vec<ReceiptFinding> {
    let mut findings = Vec::new();
    let mut before: Option<&File> = None;
    for file in files {
        let say = |words: String| ReceiptFinding {
            hour: file.hour.clone(),
            words,
        };
        match serde_json::from_slice::<Receipt>(&file.bytes) {
            Err(error) => findings.push(say(format!("it cannot be read: {error}"))),
            Ok(receipt) => {
                if receipt.hour != file.hour {
                    findings.push(say(format!("it is the receipt of {}", receipt.hour)));
                }
                if !balances(&receipt) {
                    findings.push(say("it does not balance".into()));
                }
                if let Some(before) = before {
                    findings.extend(broken(before, receipt.previous.as_ref(), &file.hour));
                }
            }
        }
        before = Some(file);
    }
    match (before, head) {
        (Some(last), head) => findings.extend(broken(last, head, "the running hour")),
        (None, Some(head)) => findings.push(missing(head, "the running hour")),
        (None, None) => {}
    }
    findings
}

/// What is wrong between a receipt and the link that its successor holds.
fn broken(file: &File, link: Option<&ReceiptLink>, successor: &str) -> Option<ReceiptFinding> {
    match link {
        Some(link) if link.hour != file.hour => Some(missing(link, successor)),
        Some(link) if link.sha256 != sha256(&file.bytes) => Some(ReceiptFinding {
            hour: file.hour.clone(),
            words: format!(
                "it was changed after it was written: {successor} knows another SHA-256 of it"
            ),
        }),
        Some(_) => None,
        None => Some(ReceiptFinding {
            hour: file.hour.clone(),
            words: format!("{successor} does not know it"),
        }),
    }
}

fn missing(link: &ReceiptLink, successor: &str) -> ReceiptFinding {
    ReceiptFinding {
        hour: link.hour.clone(),
        words: format!("it is missing: {successor} follows on it"),
    }
}

fn balances(receipt: &Receipt) -> bool {
    let even = |change: &ReceiptChange| {
        let exits = change.acked
            + change.expired
            + change.evicted
            + change.dead_lettered
            + change.lost_detected;
        let exits = i128::from(exits) + i128::from(change.pending);
        i128::from(change.accepted) - exits == i128::from(change.unaccounted)
    };
    receipt
        .rows
        .iter()
        .all(|row| even(&row.change) && row.change.unaccounted == 0)
}
