//! `fieldgate trust import FILE…`: certificates and lists of revocation, in PEM or DER.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args as ClapArgs;
use fieldgate_api::{endpoint::ImportTrust, trust::TrustImport};

use crate::cli::{client::Failure, output::Remote};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Files in PEM or DER: a peer's certificate, an authority's, its list of revocation, or ours signed by one.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// For which kind of source; not needed while only one has certificates.
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let kind = super::kind(args.kind.as_deref(), &super::view(&args.remote)?)?;
    for file in &args.files {
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
        let (pem, der_base64) = match String::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => (Some(text), None),
            Ok(text) => (None, Some(STANDARD.encode(text))),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        let draft = TrustImport {
            kind: kind.clone(),
            pem,
            der_base64,
        };
        let done = args.remote.client()?.call::<ImportTrust>(&[], &draft)?;
        args.remote.print(&done, super::told)?;
    }
    Ok(())
}
