//! The TLS side of a connection that a destination makes: whom to trust and how to prove who we are, and what went wrong, in
//! words. Verification cannot be switched off.

mod words;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Problem, SecretError, SecretRef, Secrets, SinkError};

pub use words::{FarSide, closed};

/// Whom to trust, and how to prove who we are. The far side's certificate and name are always verified.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file with the certificate authorities to trust, instead of the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's own certificate, and those between it and its authority.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// Where the private key of the client certificate is kept, in PEM.
    #[serde(default)]
    pub client_key: Option<SecretRef>,
}

// === impl Tls ===

impl Tls {
    /// Something is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.ca.is_some() || self.client_certificate.is_some() || self.client_key.is_some()
    }

    /// What its types cannot tell, where the settings call it `tls`.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let half = self.client_certificate.is_some() != self.client_key.is_some();
        half.then(|| {
            Problem::new(
                ["tls"],
                "client_certificate and client_key belong together, and one is missing",
                "set both, or none",
            )
        })
    }
}

/// Reads certificates and keys, and makes of them what TLS needs. Reads files: not for the async executor.
///
/// # Errors
/// `Denied` when a file cannot be read or holds something else: no attempt makes sense before that is repaired.
pub fn client_config(tls: &Tls, secrets: &Secrets) -> Result<Arc<ClientConfig>, SinkError> {
    let roots = match &tls.ca {
        Some(path) => own_roots(path, secrets)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SinkError::Denied(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let config = match (&tls.client_certificate, &tls.client_key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("tls.client_certificate", certificate, secrets)?;
            builder
                .with_client_auth_cert(chain, private_key(key, secrets)?)
                .map_err(|error| unfit(&error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn own_roots(path: &Path, secrets: &Secrets) -> Result<RootCertStore, SinkError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls.ca", path, secrets)? {
        roots.add(certificate).map_err(|error| {
            SinkError::Denied(format!(
                "tls.ca: a certificate in {} cannot be used: {error}",
                path.display()
            ))
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, SinkError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(SinkError::Denied(
            "this system trusts no certificate authority; install the package ca-certificates, or set tls.ca".to_owned(),
        ));
    }
    Ok(roots)
}

fn certificates(
    setting: &str,
    path: &Path,
    secrets: &Secrets,
) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    // Not a secret, but found in the same folder and read with the same care.
    let pem = secrets
        .read(&SecretRef::File(path.to_owned()))
        .map_err(|error| unreadable(setting, error))?;
    let certificates = CertificateDer::pem_slice_iter(pem.reveal().as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            SinkError::Denied(format!(
                "{setting}: {} is no PEM file: {error}",
                path.display()
            ))
        })?;
    if certificates.is_empty() {
        return Err(SinkError::Denied(format!(
            "{setting}: there is no certificate in {}; it should hold -----BEGIN CERTIFICATE-----",
            path.display()
        )));
    }
    Ok(certificates)
}

fn private_key(key: &SecretRef, secrets: &Secrets) -> Result<PrivateKeyDer<'static>, SinkError> {
    let pem = secrets
        .read(key)
        .map_err(|error| unreadable("tls.client_key", error))?;
    // The parser's error could quote the key, so it is left out.
    PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(|_| {
        SinkError::Denied(
            "tls.client_key is no unencrypted private key in PEM; it should hold -----BEGIN PRIVATE KEY-----"
                .to_owned(),
        )
    })
}

fn unfit(error: &rustls::Error) -> SinkError {
    SinkError::Denied(match error {
        rustls::Error::InconsistentKeys(_) => {
            "tls.client_key is not the key of tls.client_certificate; set both from the same pair"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(why) => format!(
            "tls.client_certificate cannot be used: {why}; it must be an X.509 certificate of version 3"
        ),
        other => format!("tls.client_certificate and tls.client_key cannot be used: {other}"),
    })
}

fn unreadable(setting: &str, error: SecretError) -> SinkError {
    SinkError::Denied(match error {
        SecretError::File { path, source } => format!(
            "{setting}: cannot read {}: {source}; create it readable for the gateway's user, or change the setting",
            path.display()
        ),
        other => format!("{setting}: {other}"),
    })
}
