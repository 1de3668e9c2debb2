//! `fieldgate trust show THUMBPRINT`: one certificate with all that is in it.

use clap::Args as ClapArgs;
use fieldgate_api::trust::{CertificateView, PeerView};

use super::{Named, plain};
use crate::cli::client::Failure;

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    named: Named,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let view = super::view(&args.named.remote)?;
    let named = plain(&args.named.thumbprint);
    let is_named = |one: &CertificateView| {
        named.len() >= 6 && (one.sha256.starts_with(&named) || one.thumbprint.starts_with(&named))
    };
    if let Some(peer) = view.peers.iter().find(|peer| is_named(&peer.certificate)) {
        return args.named.remote.print(peer, peer_text);
    }
    let mut own = view
        .identities
        .iter()
        .filter_map(|own| own.certificate.as_ref());
    match own.find(|one| is_named(one)) {
        Some(own) => args.named.remote.print(own, facts),
        None => Err(Failure::Usage(format!(
            "there is no certificate `{named}`; `fieldgate trust ls` lists them"
        ))),
    }
}

fn peer_text(peer: &PeerView) -> String {
    let mut text = format!("{:>14}  {}\n", "shelf", super::ls::word(peer.shelf));
    for used in &peer.used_by {
        text.push_str(&format!(
            "{:>14}  {} at {}\n",
            "used by", used.source, used.address
        ));
    }
    text.push_str(&format!("{:>14}  {}\n", "why", peer.words));
    text.push_str(&facts(&peer.certificate));
    if !peer.differences.is_empty() {
        text.push_str("\ndifferent from the one that is trusted:\n");
    }
    for difference in &peer.differences {
        text.push_str(&format!(
            "{:>20}  - {}\n{:>20}  + {}\n",
            difference.what, difference.trusted, "", difference.waiting
        ));
    }
    text
}

fn facts(one: &CertificateView) -> String {
    let facts = [
        ("subject", one.subject.clone()),
        ("issuer", one.issuer.clone()),
        ("names", one.names.join(", ")),
        ("valid", format!("{} to {}", one.not_before, one.not_after)),
        ("expires in", left(one)),
        ("key", one.key.clone()),
        ("signature", one.signature.clone()),
        ("usages", one.usages.join(", ")),
        ("serial number", one.serial.clone()),
        ("SHA-1", one.thumbprint.clone()),
        ("SHA-256", one.sha256.clone()),
    ];
    let lines = facts
        .iter()
        .map(|(name, fact)| format!("{name:>14}  {fact}\n"));
    lines.collect()
}

/// `212 days`, or that it has expired.
pub(super) fn left(one: &CertificateView) -> String {
    match one.days_left {
        days if days < 0 => "expired".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
