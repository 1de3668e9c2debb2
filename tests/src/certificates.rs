//! `Authority`: a certificate authority for a test, and the certificates that it signs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority with a file of its own certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, in PEM.
    pub certificate: PathBuf,
    folder: PathBuf,
}

/// A certificate and its key, each a PEM file.
#[derive(Debug, Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

// === impl Authority ===

impl Authority {
    /// A new authority whose files lie in `folder` and begin with `name`.
    ///
    /// # Panics
    /// When the files cannot be written.
    #[must_use]
    pub fn new(name: &str, folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        let own = params.self_signed(&key).expect("an authority signs itself");
        let certificate = folder.join(format!("{name}.pem"));
        fs::write(&certificate, own.pem()).expect("a file in our folder");
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            folder: folder.to_owned(),
        }
    }

    /// A server's certificate for this host name or address.
    #[must_use]
    pub fn server(&self, host: &str) -> Pair {
        self.sign(host, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate.
    #[must_use]
    pub fn client(&self, name: &str) -> Pair {
        self.sign(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Pair {
        let mut params =
            CertificateParams::new(vec![name.to_owned()]).expect("tests use good names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the authority signs");
        let pair = Pair {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        fs::write(&pair.certificate, certificate.pem()).expect("a file in our folder");
        fs::write(&pair.key, key.serialize_pem()).expect("a file in our folder");
        pair
    }
}
