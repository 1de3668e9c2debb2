//! Signs requests as a camera asks for it: Digest (RFC 7616), or Basic (RFC 7617) where that is allowed.

use http_auth::{PasswordClient, PasswordParams};

use crate::{address::Credentials, error::StreamError, mask::tame, options::Basic};

/// Answers the challenges of one camera.
pub(crate) struct Signer {
    credentials: Option<Credentials>,
    /// A password in the clear is readable by nobody else, or was allowed to be.
    basic: bool,
    client: Option<PasswordClient>,
}

// === impl Signer ===

impl Signer {
    pub(crate) fn new(credentials: Option<Credentials>, basic: Basic, tls: bool) -> Self {
        Self {
            credentials,
            basic: tls || basic == Basic::Anywhere,
            client: None,
        }
    }

    /// Takes the `WWW-Authenticate` headers of a refused request.
    pub(crate) fn challenged<'a>(
        &mut self,
        challenges: impl Iterator<Item = &'a str>,
    ) -> Result<(), StreamError> {
        let mut builder = PasswordClient::builder();
        let mut asked = String::new();
        for challenge in challenges.take(8) {
            builder = builder.challenges(challenge);
            let scheme = challenge.split_whitespace().next().unwrap_or_default();
            asked.push_str(scheme);
            asked.push(' ');
        }
        if self.credentials.is_none() {
            return Err(StreamError::NoCredentials);
        }
        match builder.build() {
            Ok(PasswordClient::Basic(_)) if !self.basic => Err(StreamError::BasicOnly),
            Ok(client) => {
                self.client = Some(client);
                Ok(())
            }
            Err(why) => Err(StreamError::SignInUnknown(tame(
                &format!("{asked}({why})"),
                120,
            ))),
        }
    }

    /// The `Authorization` header; `None` before the first challenge.
    pub(crate) fn sign(&mut self, method: &str, uri: &str) -> Result<Option<String>, StreamError> {
        let (Some(client), Some(credentials)) = (&mut self.client, &self.credentials) else {
            return Ok(None);
        };
        let params = PasswordParams {
            username: &credentials.user,
            password: &credentials.password,
            uri,
            method,
            body: Some(&[]),
        };
        client
            .respond(&params)
            .map(Some)
            // The reason is about the challenge and the user's characters; it is not repeated, as it could quote them.
            .map_err(|_| StreamError::SignInUnknown("it cannot be answered".to_owned()))
    }
}

/// The nonce was too old, and the password is not in question (RFC 7616 clause 3.3).
pub(crate) fn is_stale<'a>(mut challenges: impl Iterator<Item = &'a str>) -> bool {
    challenges.any(|challenge| {
        let plain: String = challenge
            .chars()
            .filter(|c| !matches!(c, '"' | ' '))
            .collect();
        plain.to_ascii_lowercase().contains("stale=true")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Option<Credentials> {
        Some(Credentials {
            user: "admin".into(),
            password: "CANARY".into(),
        })
    }

    const DIGEST: &str = r#"Digest realm="cam", nonce="abc", algorithm=MD5"#;
    const BASIC: &str = r#"Basic realm="cam""#;

    #[test]
    fn digest_is_preferred_and_basic_guarded() {
        let check = |challenges: &[&str], basic, tls| {
            let mut signer = Signer::new(credentials(), basic, tls);
            signer.challenged(challenges.iter().copied())?;
            Ok::<_, StreamError>(signer.sign("DESCRIBE", "rtsp://h/").unwrap().unwrap())
        };
        for (challenges, basic, tls, begins) in [
            (&[DIGEST][..], Basic::OverTlsOnly, false, Ok("Digest ")),
            (&[BASIC, DIGEST], Basic::OverTlsOnly, false, Ok("Digest ")),
            (&[BASIC], Basic::OverTlsOnly, true, Ok("Basic ")),
            (&[BASIC], Basic::Anywhere, false, Ok("Basic ")),
            (
                &[BASIC],
                Basic::OverTlsOnly,
                false,
                Err(StreamError::BasicOnly),
            ),
        ] {
            let found = check(challenges, basic, tls);
            match (found, begins) {
                (Ok(header), Ok(begins)) => {
                    assert!(
                        header.starts_with(begins) && !header.contains("CANARY"),
                        "{header}"
                    );
                }
                (found, expected) => assert_eq!(found.err(), expected.err()),
            }
        }
        assert!(matches!(
            check(&["Negotiate"], Basic::Anywhere, true),
            Err(StreamError::SignInUnknown(_))
        ));
        assert!(matches!(
            check(&[], Basic::Anywhere, true),
            Err(StreamError::SignInUnknown(_))
        ));
    }

    #[test]
    fn without_credentials_nothing_is_signed() {
        let mut signer = Signer::new(None, Basic::Anywhere, true);
        assert_eq!(
            signer.challenged([DIGEST].into_iter()),
            Err(StreamError::NoCredentials)
        );
        assert_eq!(signer.sign("PLAY", "x"), Ok(None));
    }

    #[test]
    fn staleness() {
        assert!(is_stale(
            [r#"Digest realm="x", stale="TRUE", nonce="y""#].into_iter()
        ));
        assert!(is_stale(["Digest stale=true"].into_iter()));
        assert!(!is_stale([DIGEST, "Digest stale=false"].into_iter()));
    }
}
