//! Why nobody could sign in, in words for people.

use fieldgate_kit::SourceError;

use super::Attempt;
use crate::{security::Endpoint, session, settings::Policy, status::Status, trust::own::Own};

impl Attempt<'_> {
    pub(super) fn not_opened(
        &self,
        why: &Status,
        endpoint: &Endpoint,
        own: Option<&Own>,
    ) -> SourceError {
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
            "BadConfigurationError" => SourceError::Lost(
                "the gateway's own certificate cannot be read; make the state folder readable for the gateway's user".to_owned(),
            ),
            name if name.starts_with("BadCertificate") || name.starts_with("BadSecurity") => {
                SourceError::Refused(format!("{}: it says {why}", self.untrusted(own)))
            }
            // Many servers give no reason when they do not trust a certificate or a password.
            "BadConnectionClosed" | "BadSecureChannelClosed" if endpoint.policy != Policy::None => {
                SourceError::Refused(format!(
                    "{}: it hung up while {user} signed in, and said no reason",
                    self.untrusted(own)
                ))
            }
            _ => SourceError::Lost(format!("cannot sign in at {at}: {why}")),
        }
    }

    fn untrusted(&self, own: Option<&Own>) -> String {
        let thumbprint = own.map_or("of this gateway", |own| &own.facts.shown.thumbprint);
        format!(
            "the server at {} may not trust this gateway yet; trust the certificate {thumbprint} there (download it on the Trust page, or with `fieldgate trust own`), then it goes on by itself",
            self.endpoint()
        )
    }
}

/// What the session calls a server that takes the connection and says no hello.
pub(super) const SILENT: &str = "BadNoCommunication";

pub(super) fn silent(at: &str) -> String {
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

pub(super) fn busy(at: &str, why: &Status) -> String {
    format!(
        "the server at {at} is too busy ({why}); it is tried again, and needs fewer clients or a stronger machine if this stays"
    )
}

/// Whether the server may have refused our certificate. Many say nothing, and hang up.
pub(super) fn distrusts(why: &Status) -> bool {
    let name = why.name();
    name.starts_with("BadCertificate") || name == "BadSecurityChecksFailed" || hung_up(why)
}

pub(super) fn hung_up(why: &Status) -> bool {
    matches!(why.name(), "BadConnectionClosed" | "BadSecureChannelClosed")
}
