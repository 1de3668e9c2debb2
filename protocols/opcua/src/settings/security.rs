//! The settings of security: policy and mode, who signs in, which server is trusted; and what is wrong with them.

use fieldgate_kit::{Problem, SecretRef};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::Settings;

/// How messages are protected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// The set of algorithms. `None` sends everything readable for all on the way; `Basic128Rsa15` and `Basic256`
    /// are weak and deprecated, for old servers that have nothing better.
    pub policy: Policy,
    /// Left out: signed and encrypted where the server offers it.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// A security policy (OPC UA Part 7, 6.6.161 and following), weakest first. The first three are only used when they
/// are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Policy {
    None,
    Basic128Rsa15,
    Basic256,
    Basic256Sha256,
    #[serde(rename = "Aes128_Sha256_RsaOaep")]
    Aes128Sha256RsaOaep,
    #[serde(rename = "Aes256_Sha256_RsaPss")]
    Aes256Sha256RsaPss,
}

/// A message security mode, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Mode {
    None,
    Sign,
    SignAndEncrypt,
}

/// Who signs in, with a password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's name on the server.
    pub name: String,
    /// Where the password is kept.
    pub password: SecretRef,
}

/// Who signs in, with a certificate of the user's own (OPC UA Part 4, 7.41.5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCertificate {
    /// Where the certificate is kept, in PEM.
    pub certificate: SecretRef,
    /// Where its private key is kept, in PEM without a passphrase.
    pub key: SecretRef,
}

/// Which server certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerTrust {
    /// The first one that is seen, and only that one from then on.
    #[default]
    First,
    /// None before a person has accepted it.
    Ask,
    /// The one with this SHA-1 thumbprint, 40 lower-case hexadecimal digits (OPC UA Part 6, 6.2.2).
    Thumbprint(String),
}

/// What is wrong with the settings of security.
pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let signs_in = settings.user.is_some() || settings.user_certificate.is_some();
    if let Some(Security { policy, mode }) = &settings.security {
        problems.extend(check_mode(*policy, *mode));
        if *policy == Policy::None && signs_in {
            let (key, what) = match settings.user {
                Some(_) => ("user", "a password would travel without encryption"),
                None => (
                    "user_certificate",
                    "everybody on the way could take the session over",
                ),
            };
            problems.push(Problem::new(
                [key],
                format!("{what}, because the policy is None"),
                "choose another security policy, or leave the user out",
            ));
        }
    }
    if settings.user.is_some() && settings.user_certificate.is_some() {
        problems.push(Problem::new(
            ["user_certificate"],
            "one signs in with a password or with a certificate, not with both",
            "leave `user` or `user_certificate` out",
        ));
    }
    if settings
        .user
        .as_ref()
        .is_some_and(|user| user.name.is_empty())
    {
        problems.push(Problem::new(
            ["user", "name"],
            "the user's name is empty",
            "write the name, or leave the user out to sign in as anonymous",
        ));
    }
    problems
}

fn check_mode(policy: Policy, mode: Option<Mode>) -> Option<Problem> {
    match (policy, mode) {
        (Policy::None, Some(Mode::Sign | Mode::SignAndEncrypt)) => Some(Problem::new(
            ["security", "mode"],
            "nothing can be signed or encrypted with the policy None",
            "choose another policy, or leave the mode out",
        )),
        (policy, Some(Mode::None)) if policy != Policy::None => Some(Problem::new(
            ["security", "mode"],
            "the mode None goes with the policy None only",
            "choose Sign or SignAndEncrypt, or leave the mode out",
        )),
        _ => None,
    }
}

// === impl Policy ===

impl Policy {
    pub(crate) const ALL: [Self; 6] = [
        Self::None,
        Self::Basic128Rsa15,
        Self::Basic256,
        Self::Basic256Sha256,
        Self::Aes128Sha256RsaOaep,
        Self::Aes256Sha256RsaPss,
    ];

    /// The last part of the policy's URI.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Basic128Rsa15 => "Basic128Rsa15",
            Self::Basic256 => "Basic256",
            Self::Basic256Sha256 => "Basic256Sha256",
            Self::Aes128Sha256RsaOaep => "Aes128_Sha256_RsaOaep",
            Self::Aes256Sha256RsaPss => "Aes256_Sha256_RsaPss",
        }
    }

    /// The policy of a URI, or of its last part.
    pub(crate) fn named(uri: &str) -> Option<Self> {
        let name = uri.rsplit('#').next()?;
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Why it protects less than one thinks; none for the policies that are used unasked.
    pub(crate) fn weakness(self) -> Option<&'static str> {
        match self {
            Self::None => Some("without security: everybody on the way can read along"),
            Self::Basic128Rsa15 => {
                Some("weak security: Basic128Rsa15 uses SHA-1 and an old padding of RSA")
            }
            Self::Basic256 => Some("weak security: Basic256 uses SHA-1"),
            _ => None,
        }
    }
}

// === impl Mode ===

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Sign => "Sign",
            Self::SignAndEncrypt => "SignAndEncrypt",
        }
    }
}

// === impl ServerTrust ===

impl<'de> Deserialize<'de> for ServerTrust {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "trust_first" => return Ok(Self::First),
            "ask" => return Ok(Self::Ask),
            _ => {}
        }
        let digits: String = text
            .chars()
            .filter(|character| !matches!(character, ':' | ' '))
            .collect::<String>()
            .to_ascii_lowercase();
        if digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Thumbprint(digits));
        }
        Err(de::Error::custom(format!(
            "`{text}` is neither \"trust_first\" nor \"ask\" nor a thumbprint of 40 hexadecimal digits"
        )))
    }
}

impl JsonSchema for ServerTrust {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServerTrust".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "default": "trust_first",
            "pattern": "^(trust_first|ask|([0-9A-Fa-f]{2}[: ]?){20})$",
        })
    }
}
