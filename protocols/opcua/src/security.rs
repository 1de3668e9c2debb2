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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    pub anonymous: bool,
    pub user_name: bool,
    /// With a certificate of the user, and an algorithm to sign with.
    pub certificate: bool,
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

/// The endpoint to sign in at: of those that let the user in, the strongest. A weak policy is taken only when the
/// settings name it.
///
/// # Errors
/// `Refused` when the server offers nothing that the settings allow, with what it offers instead.
pub(crate) fn choose<'a>(
    endpoints: &'a [Endpoint],
    settings: &Settings,
) -> Result<&'a Endpoint, SourceError> {
    let strongest = allowed(endpoints, settings)
        .max_by_key(|endpoint| strength(endpoint))
        .ok_or_else(|| SourceError::Refused(not_offered(endpoints, settings)))?;
    let endpoint = allowed(endpoints, settings)
        .filter(|endpoint| hindrance(endpoint, settings).is_none())
        .max_by_key(|endpoint| strength(endpoint))
        .unwrap_or(strongest);
    match hindrance(endpoint, settings) {
        None => Ok(endpoint),
        Some(why) => Err(SourceError::Refused(format!(
            "the server at {} {why}",
            settings.endpoint
        ))),
    }
}

/// The endpoints that the settings allow.
fn allowed<'a, 's>(
    endpoints: &'a [Endpoint],
    settings: &'s Settings,
) -> impl Iterator<Item = &'a Endpoint> + use<'a, 's> {
    endpoints
        .iter()
        .filter(|endpoint| match &settings.security {
            None => endpoint.policy.weakness().is_none(),
            Some(security) => {
                endpoint.policy == security.policy
                    && security.mode.is_none_or(|mode| endpoint.mode == mode)
            }
        })
}

/// What the server really offers that would have been chosen instead of `chosen`, when that was not all it offers.
pub(crate) fn better<'a>(
    offered: &'a [Endpoint],
    chosen: &Endpoint,
    settings: &Settings,
) -> Option<&'a Endpoint> {
    let best = choose(offered, settings).ok()?;
    (strength(best) > strength(chosen)).then_some(best)
}

fn strength(endpoint: &Endpoint) -> (Mode, Policy) {
    (endpoint.mode, endpoint.policy)
}

/// Why nobody can sign in at an endpoint as the settings want to; ends the sentence `the server …`.
fn hindrance(endpoint: &Endpoint, settings: &Settings) -> Option<String> {
    let Endpoint {
        policy,
        mode,
        tokens,
        ..
    } = endpoint;
    let (policy, secured) = (policy.name(), *policy != Policy::None);
    if secured && endpoint.certificate.is_none() {
        return Some(format!(
            "offers {policy} without a certificate; give it one"
        ));
    }
    match (&settings.user, &settings.user_certificate) {
        (None, None) if !tokens.anonymous => {
            Some("lets nobody in without a user; set `user` or `user_certificate`".to_owned())
        }
        (Some(_), _) if !tokens.user_name => Some(format!(
            "takes no user name and password with {policy}; leave `user` out, or enable it on the server"
        )),
        // The password's own encryption would be for whoever answers on a channel that nobody has checked.
        (Some(_), _) if !secured => Some(
            "offers no security, so that a password would be for everybody; choose another policy"
                .to_owned(),
        ),
        (Some(_), _) if tokens.password_in_the_open => Some(format!(
            "wants the password without encryption with {policy} {}; choose the mode SignAndEncrypt",
            mode.name()
        )),
        (None, Some(_)) if !tokens.certificate => Some(format!(
            "takes no certificate of a user with {policy}; leave `user_certificate` out, or enable it on the server"
        )),
        _ => None,
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
            policy => match policy.weakness() {
                None => format!("{} {}", policy.name(), mode.name()),
                Some(_) => format!("{} {} (weak)", policy.name(), mode.name()),
            },
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
        None => format!(
            "the server at {at} offers only what is weak: {offers}; enable Basic256Sha256 there, or name one of them in `security` if it has nothing better"
        ),
        Some(security) => format!(
            "the server at {at} does not offer {}{}; it offers {offers}; enable it there, or change `security`",
            security.policy.name(),
            security
                .mode
                .map_or_else(String::new, |mode| format!(" {}", mode.name())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_kit::settings::read;
    use serde_json::{Value as Json, json};

    use super::*;

    fn endpoint(policy: Policy, mode: Mode) -> Endpoint {
        Endpoint {
            policy,
            mode,
            tokens: Tokens {
                anonymous: true,
                user_name: true,
                certificate: true,
                password_in_the_open: false,
            },
            certificate: Some(Certificate {
                der: Vec::new(),
                thumbprint: String::new(),
                subject: String::new(),
                flaw: None,
            }),
            description: Description::default(),
        }
    }

    fn settings(extra: Json) -> Settings {
        let mut table = json!({ "endpoint": "opc.tcp://h", "select": ["Objects/**"] });
        let (Json::Object(all), Json::Object(extra)) = (&mut table, extra) else {
            panic!("two tables");
        };
        all.extend(extra);
        read(table).unwrap()
    }

    /// What is chosen of what is offered, or a part of the refusal.
    fn check(offered: &[Endpoint], extra: Json, expected: Result<(Policy, Mode), &str>) {
        let settings = settings(extra);
        match (choose(offered, &settings), expected) {
            (Ok(chosen), Ok(expected)) => assert_eq!((chosen.policy, chosen.mode), expected),
            (Err(SourceError::Refused(words)), Err(part)) => {
                assert!(words.contains(part), "{words}");
            }
            (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_strongest_is_taken_and_a_weak_one_only_when_it_is_named() {
        use Mode::{Sign, SignAndEncrypt};
        let all: Vec<Endpoint> = Policy::ALL
            .into_iter()
            .flat_map(|policy| match policy {
                Policy::None => vec![endpoint(policy, Mode::None)],
                _ => vec![endpoint(policy, Sign), endpoint(policy, SignAndEncrypt)],
            })
            .collect();
        check(
            &all,
            json!({}),
            Ok((Policy::Aes256Sha256RsaPss, SignAndEncrypt)),
        );
        let weak = &all[..5];
        check(
            weak,
            json!({}),
            Err("only what is weak: None, Basic128Rsa15 Sign (weak)"),
        );
        check(&all[..1], json!({}), Err("offers no security"));
        check(
            weak,
            json!({ "security": { "policy": "Basic256" } }),
            Ok((Policy::Basic256, SignAndEncrypt)),
        );
        check(
            weak,
            json!({ "security": { "policy": "Basic256", "mode": "Sign" } }),
            Ok((Policy::Basic256, Sign)),
        );
        check(
            weak,
            json!({ "security": { "policy": "None" } }),
            Ok((Policy::None, Mode::None)),
        );
    }

    #[test]
    fn an_endpoint_that_lets_the_user_in_is_preferred() {
        use Mode::{Sign, SignAndEncrypt};
        let user = json!({ "user": { "name": "a", "password": { "env": "P" } } });
        let pair =
            json!({ "user_certificate": { "certificate": { "env": "C" }, "key": { "env": "K" } } });
        let mut strong = endpoint(Policy::Aes256Sha256RsaPss, SignAndEncrypt);
        strong.tokens = Tokens::default();
        let other = endpoint(Policy::Basic256Sha256, Sign);
        for extra in [user.clone(), pair.clone(), json!({})] {
            check(
                &[strong.clone(), other.clone()],
                extra.clone(),
                Ok((Policy::Basic256Sha256, Sign)),
            );
            assert!(choose(&[strong.clone()], &settings(extra)).is_err());
        }
        let mut open = other;
        open.tokens.password_in_the_open = true;
        check(&[open], user, Err("wants the password without encryption"));
        check(&[strong], pair, Err("takes no certificate of a user"));
    }

    #[test]
    fn a_password_is_not_for_a_server_without_security() {
        let bare = endpoint(Policy::None, Mode::None);
        let mut settings = settings(json!({ "user": { "name": "a", "password": { "env": "P" } } }));
        settings.security = Some(crate::settings::Security {
            policy: Policy::None,
            mode: None,
        });
        let offered = [bare];
        let refused = choose(&offered, &settings);
        assert!(matches!(refused, Err(SourceError::Refused(words)) if words.contains("password")));
    }

    #[test]
    fn a_list_that_somebody_shortened_is_noticed() {
        use Mode::{Sign, SignAndEncrypt};
        let weak = endpoint(Policy::Basic256Sha256, Sign);
        let strong = endpoint(Policy::Aes256Sha256RsaPss, SignAndEncrypt);
        let real = [weak.clone(), strong.clone()];
        let found = |chosen: &Endpoint, extra| {
            let settings = settings(extra);
            better(&real, chosen, &settings).map(|better| (better.policy, better.mode))
        };
        assert_eq!(
            found(&weak, json!({})),
            Some((Policy::Aes256Sha256RsaPss, SignAndEncrypt))
        );
        assert_eq!(found(&strong, json!({})), None);
        // What the settings name is what is wanted.
        let named = json!({ "security": { "policy": "Basic256Sha256", "mode": "Sign" } });
        assert_eq!(found(&weak, named), None);
    }
}
