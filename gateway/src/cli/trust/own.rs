//! `fieldgate trust own`: our own certificate on the standard output.

use std::io::Write;

use clap::Args as ClapArgs;
use fieldgate_api::trust::IdentityRole;

use crate::{
    cli::{client::Failure, output::Remote},
    web::trust_path,
};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// In DER instead of PEM.
    #[arg(long)]
    der: bool,
    /// The next one, which is offered while the one in use still works.
    #[arg(long)]
    next: bool,
    /// For which kind of source; not needed while only one has certificates.
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let view = super::view(&args.remote)?;
    let kind = super::kind(args.kind.as_deref(), &view)?;
    let role = match args.next {
        true => IdentityRole::Next,
        false => IdentityRole::Own,
    };
    let mut ours = view
        .identities
        .iter()
        .filter(|own| own.kind == kind && own.role == role);
    let Some(own) = ours.find_map(|own| own.certificate.as_ref()) else {
        let words = match args.next {
            true => "there is no next certificate; `fieldgate trust renew` makes one",
            false => {
                "there is no certificate yet; `fieldgate trust renew` makes one, or the first connection with security does"
            }
        };
        return Err(Failure::Usage(words.into()));
    };
    let ending = if args.der { "der" } else { "pem" };
    let mut out = std::io::stdout().lock();
    let path = trust_path(&format!("{}.{ending}", own.sha256));
    args.remote.client()?.download(&path, &mut out)?;
    out.flush()?;
    Ok(())
}
