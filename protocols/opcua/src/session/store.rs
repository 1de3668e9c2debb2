//! The library's own store of certificates: one that holds nothing that counts, made for each session.

use std::{fs, path::Path, sync::Arc};

use opcua::{
    crypto::{CertificateStore, X509, X509Data},
    sync::RwLock,
};

use crate::{
    security::Certificate,
    status::Status,
    trust::{own::Own, store::private},
};

/// For connections without security: no key, no folder.
pub(super) fn bare() -> Arc<RwLock<CertificateStore>> {
    Arc::new(RwLock::new(CertificateStore::new(Path::new(""))))
}

/// Our own key pair, and the server's certificate where the library looks for trusted ones.
pub(super) async fn secure(
    own: &Own,
    folder: &Path,
    certificate: &Certificate,
) -> Result<Arc<RwLock<CertificateStore>>, Status> {
    let (own, folder, der) = (own.clone(), folder.to_owned(), certificate.der.clone());
    let prepare = move || -> Result<CertificateStore, String> {
        private(&folder)?;
        let (mut store, certificate, key) = CertificateStore::new_with_x509_data(
            &folder,
            false,
            Some(&own.certificate),
            Some(&own.key),
            None::<X509Data>,
        );
        if certificate.is_none() || key.is_none() {
            return Err(format!(
                "{} or its key cannot be read",
                own.certificate.display()
            ));
        }
        // Who counts as trusted was decided before; the library takes no other one than the endpoint's.
        store.ensure_pki_path()?;
        let server = X509::from_der(&der).map_err(|error| error.to_string())?;
        let name = CertificateStore::cert_file_name(&server);
        let copy = store.trusted_certs_dir().join(name);
        // Other sessions of the same source may just be reading it.
        if fs::read(&copy).ok().as_ref() != Some(&der) {
            fs::write(copy, der).map_err(|error| error.to_string())?;
        }
        // Validity, application and host were checked before, too.
        store.set_skip_verify_certs(true);
        Ok(store)
    };
    match tokio::task::spawn_blocking(prepare).await {
        Ok(Ok(store)) => Ok(Arc::new(RwLock::new(store))),
        Ok(Err(why)) => {
            tracing::error!(why, "cannot prepare the certificates");
            Err(Status::named("BadConfigurationError"))
        }
        Err(_) => Err(Status::named("BadInternalError")),
    }
}
