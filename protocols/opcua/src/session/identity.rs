//! Who signs in, as the library wants it.

use opcua::{
    client::{IdentityToken, Password},
    crypto::{KeySize, PrivateKey, X509},
};

/// Who signs in.
pub(crate) struct Identity(pub(super) IdentityToken);

// === impl Identity ===

impl Identity {
    pub(crate) fn anonymous() -> Self {
        Self(IdentityToken::Anonymous)
    }

    pub(crate) fn user_name(name: &str, password: &str) -> Self {
        Self(IdentityToken::UserName(
            name.to_owned(),
            Password::new(password),
        ))
    }

    /// A user's certificate and its private key, both in PEM.
    ///
    /// # Errors
    /// In words, when they are unreadable or do not belong together. The key is not in the words.
    pub(crate) fn certificate(certificate: &str, key: &str) -> Result<Self, &'static str> {
        let certificate = X509::from_pem(certificate.as_bytes())
            .map_err(|_| "the user's certificate is not in PEM")?;
        let key = PrivateKey::from_pem(key.as_bytes())
            .map_err(|_| "the user's key is no RSA key in PEM without a passphrase")?;
        let public = certificate
            .public_key()
            .map_err(|_| "the user's certificate has no RSA key")?;
        let mut signature = vec![0; key.size()];
        let proven = key
            .sign_sha256(&[], &mut signature)
            .and_then(|_| public.verify_sha256(&[], &signature));
        match proven {
            Ok(true) => Ok(Self(IdentityToken::new_x509(certificate, key))),
            _ => Err("the user's key is not the one of the user's certificate"),
        }
    }
}
