//! `fieldgate trust renew`: a new certificate for ourselves, or a request for an authority.

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::{RenewIdentity, RequestIdentity},
    trust::TrustKey,
};

use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Write a request for an authority to the standard output instead; import what it signs.
    #[arg(long)]
    request: bool,
    /// The size of the new key: 2048 or 3072.
    #[arg(long, default_value_t = 2048)]
    bits: u32,
    /// For which kind of source; not needed while only one has certificates.
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let kind = super::kind(args.kind.as_deref(), &super::view(&args.remote)?)?;
    let key = TrustKey {
        kind,
        key_bits: Some(args.bits),
    };
    let client = args.remote.client()?;
    let done = match args.request {
        true => client.call::<RequestIdentity>(&[], &key)?,
        false => client.call::<RenewIdentity>(&[], &key)?,
    };
    args.remote.print(&done, super::told)
}
