//! `Attempt`: the way from settings to a signed-in session, step by step, each step's failure in words for people.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use fieldgate_kit::{Secrets, SourceError};

use crate::{
    dial::Target,
    security::{self, Endpoint},
    session::{self, Identity, Opened},
    settings::{Policy, Settings},
    status::Status,
    trust::{self, Verdict},
};

/// One attempt's settings and places.
pub(crate) struct Attempt<'a> {
    settings: &'a Settings,
    secrets: &'a Secrets,
    folder: &'a Path,
    application_uri: String,
}

// === impl Attempt ===

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        source: &str,
        secrets: &'a Secrets,
        folder: &'a Path,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            settings,
            secrets,
            folder,
            application_uri: format!("urn:fieldgate:opcua:{source}"),
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.settings.endpoint
    }

    pub(crate) fn target(&self) -> Result<Target, SourceError> {
        Target::of(self.endpoint()).map_err(SourceError::Misconfigured)
    }

    /// What the server offers.
    pub(crate) async fn endpoints(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Result<Vec<Endpoint>, SourceError> {
        let stream = target.connect(addresses).await.map_err(SourceError::Lost)?;
        session::endpoints(stream, self.endpoint())
            .await
            .map_err(|why| self.unanswered(&why))
    }

    /// Why nobody answered, or not as hoped.
    fn unanswered(&self, why: &Status) -> SourceError {
        let at = self.endpoint();
        SourceError::Lost(match why.name() {
            SILENT => silent(at),
            name if is_busy(name) => busy(at, why),
            _ => format!(
                "{at} does not answer as an OPC UA server: {why}; is it one, and is it ready?"
            ),
        })
    }

    pub(crate) fn choose<'e>(
        &self,
        endpoints: &'e [Endpoint],
    ) -> Result<&'e Endpoint, SourceError> {
        security::choose(endpoints, self.settings)
    }

    /// Whether the server's certificate is trusted; writes nothing.
    pub(crate) fn judge(&self, endpoint: &Endpoint) -> Result<Verdict, SourceError> {
        match &endpoint.certificate {
            Some(certificate) if endpoint.policy != Policy::None => trust::judge(
                certificate,
                &self.settings.server_certificate,
                self.folder,
                self.endpoint(),
            ),
            _ => Ok(Verdict::Trusted),
        }
    }

    /// A signed-in session; a certificate that is seen first is kept once the sign-in worked.
    pub(crate) async fn open(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
        endpoint: &Endpoint,
    ) -> Result<Opened, SourceError> {
        let verdict = self.judge(endpoint)?;
        let opened = self.sign_in(target, addresses, endpoint).await?;
        if let (Verdict::First, Some(certificate)) = (verdict, &endpoint.certificate) {
            trust::pin(certificate, self.folder)?;
            tracing::info!(
                endpoint = self.endpoint(),
                thumbprint = certificate.thumbprint,
                "the server's certificate is trusted from now on"
            );
        }
        Ok(opened)
    }

    /// A signed-in session at an endpoint that was judged before. Keeps nothing of the server's.
    pub(crate) async fn sign_in(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
        endpoint: &Endpoint,
    ) -> Result<Opened, SourceError> {
        let identity = self.identity()?;
        let stream = target.connect(addresses).await.map_err(SourceError::Lost)?;
        session::open(
            stream,
            self.endpoint(),
            endpoint,
            identity,
            &self.application_uri,
            &self.pki(),
        )
        .await
        .map_err(|why| self.not_opened(&why, endpoint))
    }

    pub(crate) fn lost(&self, why: &Status) -> SourceError {
        SourceError::Lost(format!(
            "the connection to {} is lost: {why}",
            self.endpoint()
        ))
    }

    fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    fn identity(&self) -> Result<Identity, SourceError> {
        let read = |secret| {
            let read = self.secrets.read(secret);
            read.map_err(|error| SourceError::Misconfigured(error.to_string()))
        };
        match (&self.settings.user, &self.settings.user_certificate) {
            (Some(user), _) => Ok(Identity::user_name(
                &user.name,
                read(&user.password)?.reveal(),
            )),
            (None, Some(user)) => {
                let (certificate, key) = (read(&user.certificate)?, read(&user.key)?);
                Identity::certificate(certificate.reveal(), key.reveal()).map_err(|why| {
                    SourceError::Misconfigured(format!(
                        "nobody can sign in at {}: {why}; change `user_certificate`",
                        self.endpoint()
                    ))
                })
            }
            (None, None) => Ok(Identity::anonymous()),
        }
    }

    /// Who signs in, in words.
    pub(crate) fn user(&self) -> &str {
        match (&self.settings.user, &self.settings.user_certificate) {
            (Some(user), _) => &user.name,
            (None, Some(_)) => "the user of the certificate",
            (None, None) => "nobody (anonymous)",
        }
    }

    fn not_opened(&self, why: &Status, endpoint: &Endpoint) -> SourceError {
        let at = self.endpoint();
        let user = self.user();
        match why.name() {
            "BadIdentityTokenInvalid"
            | "BadIdentityTokenRejected"
            | "BadUserAccessDenied"
            | "BadUserSignatureInvalid" => SourceError::Refused(format!(
                "the server at {at} does not let {user} in ({why}); check {}",
                match self.settings.user_certificate {
                    Some(_) => "`user_certificate`, and whether the server knows it",
                    None => "`user`",
                }
            )),
            "BadTooManySessions" | "BadMaxConnectionsReached" => SourceError::Refused(format!(
                "the server at {at} is full ({why}); close a session that nobody needs there, or allow more"
            )),
            SILENT => SourceError::Lost(silent(at)),
            name if is_busy(name) => SourceError::Lost(busy(at, why)),
            "BadConfigurationError" => SourceError::Lost(format!(
                "the gateway's own certificate in {} cannot be made or read; make the folder writable for the gateway's user",
                self.pki().display()
            )),
            name if name.starts_with("BadCertificate") || name.starts_with("BadSecurity") => {
                SourceError::Refused(format!("{}: {why}", self.untrusted()))
            }
            // Many servers give no reason when they do not trust a certificate or a password.
            "BadConnectionClosed" | "BadSecureChannelClosed" if endpoint.policy != Policy::None => {
                SourceError::Refused(format!(
                    "{}: it hung up while {user} signed in, and said no reason",
                    self.untrusted()
                ))
            }
            _ => SourceError::Lost(format!("cannot sign in at {at}: {why}")),
        }
    }

    fn untrusted(&self) -> String {
        let pki = self.pki();
        format!(
            "the server at {} may not trust this gateway yet; trust the certificate {} ({}) there",
            self.endpoint(),
            session::own_thumbprint(&pki).unwrap_or_else(|| "of this gateway".to_owned()),
            pki.join("own/cert.der").display()
        )
    }
}

/// What the session calls a server that takes the connection and says no hello.
const SILENT: &str = "BadNoCommunication";

fn silent(at: &str) -> String {
    format!(
        "{at} takes the connection and then says nothing for {} s; does the server stand still, is the line too slow, or does something on the way swallow what is sent?",
        session::HELLO_TIMEOUT.as_secs()
    )
}

/// The server is there, and has no strength for one more request.
pub(crate) fn is_busy(name: &str) -> bool {
    matches!(
        name,
        "BadServerTooBusy"
            | "BadTcpServerTooBusy"
            | "BadTooManyOperations"
            | "BadOutOfMemory"
            | "BadResourceUnavailable"
            | "BadTcpNotEnoughResources"
    )
}

fn busy(at: &str, why: &Status) -> String {
    format!(
        "the server at {at} is too busy ({why}); it is tried again, and needs fewer clients or a stronger machine if this stays"
    )
}
