//! `fieldgate trust …`: our identities and the peers' certificates from the command line.

mod import;
mod ls;
mod own;
mod renew;
mod show;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use fieldgate_api::{
    endpoint::{AcceptPeer, Endpoint, GetTrust, RejectPeer, RemovePeer},
    trust::{TrustDone, TrustView},
};

use super::{client::Failure, output::Remote};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List our identities and the peers' certificates, what waits for a decision first.
    Ls(ls::Args),
    /// Show one certificate with all that is in it, and what is different from the one that is trusted.
    Show(show::Args),
    /// Trust a certificate from now on, as it is; its sources try again at once.
    Accept(Named),
    /// Refuse a certificate for ever.
    Reject(Named),
    /// Forget a certificate, or withdraw our next one; `request` withdraws the request.
    Rm(Named),
    /// Take certificates, lists of revocation, or our own certificate from an authority, out of files.
    Import(import::Args),
    /// Write our own certificate to the standard output, to be trusted on a server.
    Own(own::Args),
    /// Make a new certificate for ourselves, or a request for an authority.
    Renew(renew::Args),
}

/// One certificate.
#[derive(Debug, ClapArgs)]
pub struct Named {
    /// A thumbprint (SHA-1 or SHA-256), or at least the first six digits of one.
    thumbprint: String,
    #[command(flatten)]
    remote: Remote,
}

impl Verb {
    pub fn act(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Ls(args) => ls::run(&args)?,
            Self::Show(args) => show::run(&args)?,
            Self::Accept(named) => decide::<AcceptPeer>(&named)?,
            Self::Reject(named) => decide::<RejectPeer>(&named)?,
            Self::Rm(named) => decide::<RemovePeer>(&named)?,
            Self::Import(args) => import::run(&args)?,
            Self::Own(args) => own::run(&args)?,
            Self::Renew(args) => renew::run(&args)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn decide<E: Endpoint<Request = (), Response = TrustDone>>(named: &Named) -> Result<(), Failure> {
    let id = plain(&named.thumbprint);
    let done = named.remote.client()?.call::<E>(&[&id], &())?;
    named.remote.print(&done, told)
}

fn view(remote: &Remote) -> Result<TrustView, Failure> {
    remote.client()?.call::<GetTrust>(&[], &())
}

/// As other programs write thumbprints: `AA:BB CC`.
fn plain(thumbprint: &str) -> String {
    let plain = thumbprint.chars().filter(|c| !matches!(c, ':' | ' '));
    plain.collect::<String>().to_ascii_lowercase()
}

/// What was done, and who tries again.
fn told(done: &TrustDone) -> String {
    match done.retried.as_slice() {
        [] => done.words.clone(),
        retried => format!("{}\ntrying again: {}", done.words, retried.join(", ")),
    }
}

/// The only kind there is, or the one that is said.
fn kind(said: Option<&str>, view: &TrustView) -> Result<String, Failure> {
    match (said, view.kinds.as_slice()) {
        (Some(said), _) => Ok(said.to_owned()),
        (None, [only]) => Ok(only.kind.clone()),
        (None, _) => Err(Failure::Usage(
            "several kinds of sources have certificates; say which with --kind".into(),
        )),
    }
}
