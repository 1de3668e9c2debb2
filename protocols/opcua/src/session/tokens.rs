//! How one can sign in at an endpoint, and which of several ways the library takes: it takes the first, and has no word for
//! a policy that is left out with a user's certificate.

use opcua::types::{EndpointDescription, UserTokenPolicy, UserTokenType};

use crate::{
    security::Tokens,
    settings::{Mode, Policy},
};

/// Puts the best way of each kind first, leaves out what cannot be used, and says what remains.
pub(super) fn prepare(description: &mut EndpointDescription, policy: Policy, mode: Mode) -> Tokens {
    let given = description.user_identity_tokens.take().unwrap_or_default();
    // A server that names no way lets everybody in (OPC UA Part 4, 7.14, in older versions of it).
    let unnamed = given.is_empty();
    let mut ways: Vec<(Policy, UserTokenPolicy)> = given
        .into_iter()
        .filter_map(|way| Some((protection(&way, policy)?, way)))
        .filter(|(protection, way)| {
            way.token_type != UserTokenType::Certificate || *protection != Policy::None
        })
        .collect();
    ways.sort_by_key(|(protection, _)| std::cmp::Reverse(*protection));
    let best = |kind| {
        ways.iter()
            .find(|(_, way)| way.token_type == kind)
            .map(|(protection, _)| *protection)
    };
    let tokens = Tokens {
        anonymous: unnamed || best(UserTokenType::Anonymous).is_some(),
        user_name: best(UserTokenType::UserName).is_some(),
        certificate: best(UserTokenType::Certificate).is_some(),
        password_in_the_open: mode != Mode::SignAndEncrypt
            && best(UserTokenType::UserName) == Some(Policy::None),
    };
    let channel = description.security_policy_uri.clone();
    let ways = ways.into_iter().map(|(_, mut way)| {
        if way.token_type == UserTokenType::Certificate && way.security_policy_uri.is_empty() {
            way.security_policy_uri = channel.clone();
        }
        way
    });
    description.user_identity_tokens = (!unnamed).then(|| ways.collect());
    tokens
}

/// The policy that protects the token: its own, else the channel's (OPC UA Part 4, 7.42); `None` when it is not spoken here.
fn protection(way: &UserTokenPolicy, channel: Policy) -> Option<Policy> {
    match way.security_policy_uri.as_ref() {
        "" => Some(channel),
        uri => Policy::named(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(kind: UserTokenType, policy: &str) -> UserTokenPolicy {
        let uri = match policy {
            "" => String::new(),
            name => format!("http://opcfoundation.org/UA/SecurityPolicy#{name}"),
        };
        UserTokenPolicy {
            policy_id: policy.into(),
            token_type: kind,
            security_policy_uri: uri.into(),
            ..UserTokenPolicy::default()
        }
    }

    fn check(ways: Vec<UserTokenPolicy>, mode: Mode, expected: Tokens, first: Option<&str>) {
        let mut description = EndpointDescription {
            security_policy_uri: "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256".into(),
            user_identity_tokens: Some(ways),
            ..EndpointDescription::default()
        };
        let tokens = prepare(&mut description, Policy::Basic256Sha256, mode);
        assert_eq!(tokens, expected);
        let ways = description.user_identity_tokens.unwrap_or_default();
        assert_eq!(ways.first().map(|way| way.policy_id.as_ref()), first);
        let bare = |way: &&UserTokenPolicy| way.security_policy_uri.is_empty();
        assert!(
            !ways
                .iter()
                .filter(bare)
                .any(|way| way.token_type == UserTokenType::Certificate)
        );
    }

    #[test]
    fn the_best_way_of_each_kind_is_taken() {
        use UserTokenType::{Anonymous, Certificate, UserName};
        let none = Tokens::default();
        check(
            vec![],
            Mode::Sign,
            Tokens {
                anonymous: true,
                ..none
            },
            None,
        );
        check(
            vec![way(Anonymous, "")],
            Mode::Sign,
            Tokens {
                anonymous: true,
                ..none
            },
            Some(""),
        );
        let user = Tokens {
            user_name: true,
            ..none
        };
        let both = vec![way(UserName, "None"), way(UserName, "Basic256")];
        check(both, Mode::Sign, user, Some("Basic256"));
        check(vec![way(UserName, "")], Mode::Sign, user, Some(""));
        check(
            vec![way(UserName, "None")],
            Mode::SignAndEncrypt,
            user,
            Some("None"),
        );
        let open = Tokens {
            password_in_the_open: true,
            ..user
        };
        check(vec![way(UserName, "None")], Mode::Sign, open, Some("None"));
        let certificate = Tokens {
            certificate: true,
            ..none
        };
        check(
            vec![way(Certificate, "")],
            Mode::Sign,
            certificate,
            Some(""),
        );
        check(vec![way(Certificate, "None")], Mode::Sign, none, None);
        check(vec![way(Certificate, "Unheard")], Mode::Sign, none, None);
    }
}
