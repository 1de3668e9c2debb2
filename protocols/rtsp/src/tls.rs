//! TLS to a camera: whom to believe, and what went wrong in words. Verification cannot be switched off.

use std::{io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use sha2::{Digest as _, Sha256};

use crate::{error::TlsFault, options::Trust};

/// What TLS needs to know. Reading the system's authorities reads files: not for the async executor.
pub(crate) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::Other(error.to_string()))?;
    let config = match trust {
        Trust::System => builder
            .with_root_certificates(system_roots()?)
            .with_no_client_auth(),
        Trust::Authority(pem) => builder
            .with_root_certificates(own_roots(pem)?)
            .with_no_client_auth(),
        Trust::Pinned(fingerprint) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin {
                fingerprint: *fingerprint,
                provider,
            }))
            .with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// What a failed handshake means.
pub(crate) fn fault(error: &io::Error) -> TlsFault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => certificate(why),
        Some(rustls::Error::InvalidMessage(_)) => TlsFault::NoTls,
        Some(other) => TlsFault::Other(other.to_string()),
        // It hung up on our greeting: what speaks no TLS often does.
        None if error.kind() == io::ErrorKind::UnexpectedEof => TlsFault::NoTls,
        None => TlsFault::Other(error.to_string()),
    }
}

fn certificate(why: &CertificateError) -> TlsFault {
    match why {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::OtherName
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<OtherFingerprint>() {
            Some(found) => TlsFault::NotPinned {
                fingerprint: found.0.clone(),
            },
            // The camera's own certificate given as the authority: it may lack the mark of one.
            None if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::Trust(
                "the camera shows an authority's certificate as its own; pin its fingerprint"
                    .to_owned(),
            ),
            None => TlsFault::Other(other.to_string()),
        },
        other => TlsFault::Other(other.to_string()),
    }
}

fn system_roots() -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(TlsFault::Trust(
            "this system trusts no authority; install ca-certificates, or give the camera's certificate".to_owned(),
        ));
    }
    Ok(roots)
}

fn own_roots(pem: &[u8]) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| TlsFault::Trust(format!("it is no PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| TlsFault::Trust(format!("a certificate cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(TlsFault::Trust(
            "there is no certificate in it; it should hold -----BEGIN CERTIFICATE-----".to_owned(),
        ));
    }
    Ok(roots)
}

/// Believes one certificate, and that its key signed the handshake.
#[derive(Debug)]
struct Pin {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, thiserror::Error)]
#[error("another certificate than the pinned one")]
struct OtherFingerprint(String);

// === impl Pin ===

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
        if found == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let fingerprint = found.iter().map(|byte| format!("{byte:02x}")).collect();
        let other = rustls::OtherError(Arc::new(OtherFingerprint(fingerprint)));
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(
            other,
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
