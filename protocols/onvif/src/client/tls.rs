//! Whom to believe when a device is asked over TLS. Verification cannot be switched off.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::error::DeviceError;

/// Certificate authorities of one file that are read.
const MAX_CERTIFICATES: usize = 64;

/// Who is trusted over TLS.
pub(crate) struct Trust(Arc<ClientConfig>);

// === impl Trust ===

impl Trust {
    /// The authorities that this system trusts. Reads files: not for the async executor.
    pub(crate) fn system() -> Result<Self, DeviceError> {
        let mut roots = RootCertStore::empty();
        let (usable, _) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if usable == 0 {
            return Err(DeviceError::Misconfigured(
                "this system trusts no certificate authority; install the package ca-certificates, or give the device's own authority".to_owned(),
            ));
        }
        Self::of(roots)
    }

    /// These authorities, as PEM, and no others.
    pub(crate) fn own(pem: &[u8]) -> Result<Self, DeviceError> {
        let wrong = |why: &str| {
            DeviceError::Misconfigured(format!("the device's certificate authority: {why}"))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES) {
            let certificate = certificate.map_err(|_| wrong("it is no PEM"))?;
            roots
                .add(certificate)
                .map_err(|error| wrong(&error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in it"));
        }
        Self::of(roots)
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    fn of(roots: RootCertStore) -> Result<Self, DeviceError> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| DeviceError::Misconfigured(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}
