//! `fieldgate trust ls`: every certificate in a line, what waits for a decision first.

use clap::Args as ClapArgs;
use fieldgate_api::trust::{CertificateView, IdentityRole, PeerView, ShelfName, TrustView};

use crate::cli::{
    client::Failure,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    args.remote.print(&super::view(&args.remote)?, text)
}

fn text(view: &TrustView) -> String {
    let mut rows = Vec::new();
    for shelf in [
        ShelfName::Waiting,
        ShelfName::Trusted,
        ShelfName::Issuers,
        ShelfName::Rejected,
    ] {
        let on = view.peers.iter().filter(|peer| peer.shelf == shelf);
        rows.extend(on.map(|peer| row(word(shelf), &peer.certificate, used_by(peer))));
    }
    for own in &view.identities {
        if let Some(certificate) = &own.certificate {
            let what = match own.role {
                IdentityRole::Next => "our next",
                _ => "our own",
            };
            rows.push(row(what, certificate, own.words.clone()));
        }
    }
    let titles = ["shelf", "thumbprint", "expires in", "subject", "used by"];
    let mut text = table(titles, &rows);
    for one in &view.distrusting {
        text.push_str(&format!("\n{}: {}\n", one.source, one.words));
    }
    for problem in &view.problems {
        text.push_str(&format!("\n{problem}\n"));
    }
    text
}

fn row(shelf: &str, certificate: &CertificateView, used_by: String) -> [String; 5] {
    [
        shelf.to_owned(),
        certificate.thumbprint[..certificate.thumbprint.len().min(12)].to_owned(),
        super::show::left(certificate),
        certificate.subject.clone(),
        used_by,
    ]
}

pub(super) fn word(shelf: ShelfName) -> &'static str {
    match shelf {
        ShelfName::Waiting => "waiting",
        ShelfName::Trusted => "trusted",
        ShelfName::Issuers => "authority",
        ShelfName::Rejected => "rejected",
    }
}

fn used_by(peer: &PeerView) -> String {
    let sources: Vec<&str> = peer
        .used_by
        .iter()
        .map(|used| used.source.as_str())
        .collect();
    match sources.as_slice() {
        [] => "all".to_owned(),
        sources => sources.join(", "),
    }
}
