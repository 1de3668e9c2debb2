//! TLS to a camera: whom to believe, and what went wrong in words. Verification cannot be switched off.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use sha2::{Digest as _, Sha256};

use crate::{error::TlsFault, options::Trust};

/// What TLS needs to know, and where the fingerprint of the camera's certificate is written. Reading the system's authorities reads
/// files: not for the async executor.
pub(crate) fn client_config(trust: &Trust) -> Result<(Arc<ClientConfig>, Seen), TlsFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = match trust {
        Trust::System => Some(system_roots()?),
        Trust::Authority(pem) => Some(own_roots(pem)?),
        Trust::Pinned(_) => None,
    };
    let chain = roots.map(|roots| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()
    });
    let judge = match (chain, trust) {
        (Some(chain), _) => {
            Judge::Chain(chain.map_err(|error| TlsFault::Trust(error.to_string()))?)
        }
        (None, Trust::Pinned(fingerprint)) => Judge::Pin(*fingerprint),
        (None, _) => return Err(TlsFault::Trust("nobody is trusted".to_owned())),
    };
    let seen = Seen::default();
    let verifier = Verifier {
        judge,
        seen: Arc::clone(&seen),
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::Other(error.to_string()))?
        // Its verification is that of rustls, or stricter: one certificate only.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((Arc::new(config), seen))
}

/// The SHA-256 of the certificate that the camera showed, as hexadecimal digits.
pub(crate) type Seen = Arc<OnceLock<String>>;

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
        // An authority of the same name with another key is another one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::OtherName
        }
        CertificateError::ApplicationVerificationFailure => TlsFault::NotPinned,
        // Self-signed ones are often marked as an authority's.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            TlsFault::SelfSigned
        }
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

/// Believes what it is told to, and that the certificate's key signed the handshake.
#[derive(Debug)]
struct Verifier {
    judge: Judge,
    seen: Seen,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Judge {
    Chain(Arc<WebPkiServerVerifier>),
    Pin([u8; 32]),
}

// === impl Verifier ===

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
        let told = found.iter().map(|byte| format!("{byte:02x}")).collect();
        // Once for each connection.
        let _ = self.seen.set(told);
        match &self.judge {
            Judge::Chain(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Judge::Pin(pinned) if *pinned == found => Ok(ServerCertVerified::assertion()),
            Judge::Pin(_) => Err(rustls::Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
        }
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
