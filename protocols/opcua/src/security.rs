//! Which of the server's endpoints is used: the strongest that both sides offer, or the one the settings ask for.

use fieldgate_kit::SourceError;

use crate::{
    session::Description,
    settings::{Mode, Policy, Settings},
};

/// One way into the server (OPC UA Part 4, 7.14), as far as it is spoken here.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub policy: Policy,
    pub mode: Mode,
    pub tokens: Tokens,
    /// The server's certificate; some servers without security have none.
    pub certificate: Option<Certificate>,
    pub description: Description,
}

/// How one can sign in at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub anonymous: bool,
    pub user_name: bool,
    /// The server wants the password without encryption, on a channel that is not encrypted either.
    pub password_in_the_open: bool,
}

/// A server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub der: Vec<u8>,
    /// SHA-1, 40 lower-case hexadecimal digits.
    pub thumbprint: String,
    pub subject: String,
    /// Why it should not be trusted at first sight.
    pub flaw: Option<String>,
}

/// The endpoint to sign in at.
///
/// # Errors
/// `Refused` when the server offers nothing that the settings allow, with what it offers instead.
pub(crate) fn choose<'a>(
    endpoints: &'a [Endpoint],
    settings: &Settings,
) -> Result<&'a Endpoint, SourceError> {
    let allowed = |endpoint: &&Endpoint| match &settings.security {
        None => endpoint.policy != Policy::None,
        Some(security) => {
            endpoint.policy == security.policy
                && security.mode.is_none_or(|mode| endpoint.mode == mode)
        }
    };
    let at = &settings.endpoint;
    let endpoint = endpoints
        .iter()
        .filter(allowed)
        .max_by_key(|endpoint| (endpoint.mode, endpoint.policy))
        .ok_or_else(|| SourceError::Refused(not_offered(endpoints, settings)))?;
    if endpoint.policy != Policy::None && endpoint.certificate.is_none() {
        return Err(SourceError::Refused(format!(
            "the server at {at} offers {} without a certificate; give it one",
            endpoint.policy.name()
        )));
    }
    match &settings.user {
        None if !endpoint.tokens.anonymous => Err(SourceError::Refused(format!(
            "the server at {at} lets nobody in without a user; set `user`"
        ))),
        Some(_) if !endpoint.tokens.user_name => Err(SourceError::Refused(format!(
            "the server at {at} takes no user name and password with {}; leave `user` out, or enable it on the server",
            endpoint.policy.name()
        ))),
        Some(_) if endpoint.tokens.password_in_the_open => Err(SourceError::Refused(format!(
            "the server at {at} wants the password without encryption with {} {}; choose the mode SignAndEncrypt",
            endpoint.policy.name(),
            endpoint.mode.name()
        ))),
        _ => Ok(endpoint),
    }
}

/// `None, Basic256Sha256 Sign, Basic256Sha256 SignAndEncrypt`.
pub(crate) fn list(endpoints: &[Endpoint]) -> String {
    let mut offers: Vec<_> = endpoints
        .iter()
        .map(|offer| (offer.policy, offer.mode))
        .collect();
    offers.sort_unstable();
    offers.dedup();
    let words: Vec<String> = offers
        .into_iter()
        .map(|(policy, mode)| match policy {
            Policy::None => "None".to_owned(),
            policy => format!("{} {}", policy.name(), mode.name()),
        })
        .collect();
    words.join(", ")
}

fn not_offered(endpoints: &[Endpoint], settings: &Settings) -> String {
    let at = &settings.endpoint;
    let offers = match list(endpoints) {
        offers if offers.is_empty() => "nothing that is spoken here".to_owned(),
        offers => offers,
    };
    match &settings.security {
        None if offers == "None" => format!(
            "the server at {at} offers no security; enable it there, or say security = {{ policy = \"None\" }} if everybody may read along"
        ),
        None => format!("the server at {at} offers {offers}; enable Basic256Sha256 there"),
        Some(security) => format!(
            "the server at {at} does not offer {}{}; it offers {offers}; enable it there, or change `security`",
            security.policy.name(),
            security
                .mode
                .map_or_else(String::new, |mode| format!(" {}", mode.name())),
        ),
    }
}
