//! Who is let in: WS-UsernameToken with its nonce and its time, and HTTP Digest (RFC 7616, MD5 with `qop=auth`).

use std::collections::VecDeque;

use base64::{Engine, prelude::BASE64_STANDARD};
use fieldgate_model::Timestamp;
use md5::{Digest, Md5};
use uuid::Uuid;

use crate::{clock::read_date_time, soap::password_digest, xml::Element};

/// How requests have to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// WS-UsernameToken, as in Profile S.
    Token,
    /// HTTP Digest, as in Profile T; a token counts for nothing.
    Digest,
    #[default]
    Either,
    /// HTTP wants Digest, and the service behind it a token.
    Both,
}

/// What the door says.
pub(super) enum Entry {
    Open,
    /// HTTP 401 with this challenge.
    Challenge(String),
    /// A SOAP fault with this reason.
    Refused(&'static str),
}

pub(super) struct Door {
    user: Option<(String, String)>,
    signing: Signing,
    /// Of tokens, that none is used twice.
    used: VecDeque<String>,
    nonces: VecDeque<String>,
}

/// A token may be so much older or newer than the device's clock, in seconds.
const WINDOW_SECONDS: i64 = 30;
const MAX_REMEMBERED: usize = 256;
const REALM: &str = "simulated camera";

// === impl Door ===

impl Door {
    pub(super) fn new(user: Option<(String, String)>, signing: Signing) -> Self {
        Self {
            user,
            signing,
            used: VecDeque::new(),
            nonces: VecDeque::new(),
        }
    }

    pub(super) fn set_password(&mut self, password: &str) {
        if let Some((_, known)) = &mut self.user {
            password.clone_into(known);
        }
        self.nonces.clear();
    }

    pub(super) fn judge(
        &mut self,
        envelope: &Element,
        authorization: Option<&str>,
        uri: &str,
        device_now: Timestamp,
    ) -> Entry {
        let Some((user, password)) = self.user.clone() else {
            return Entry::Open;
        };
        let digest =
            authorization.is_some_and(|answer| self.is_digest_right(answer, uri, &user, &password));
        let token = envelope.at(&["Header", "Security", "UsernameToken"]);
        // Where HTTP wants Digest first, nobody has looked at the token before.
        let token = token
            .filter(|_| self.signing != Signing::Both || digest)
            .map(|token| self.is_token_right(token, &user, &password, device_now));
        match (self.signing, digest, token) {
            (Signing::Digest | Signing::Either, true, _)
            | (Signing::Either | Signing::Token, _, Some(Ok(())))
            | (Signing::Both, true, Some(Ok(()))) => Entry::Open,
            (Signing::Token | Signing::Both, _, Some(Err(why)))
                if self.signing == Signing::Token || digest =>
            {
                Entry::Refused(why)
            }
            (Signing::Token, ..) | (Signing::Both, true, _) => {
                Entry::Refused("Sender not authorized")
            }
            (Signing::Either, false, Some(Err(why))) => Entry::Refused(why),
            _ => Entry::Challenge(self.challenge()),
        }
    }

    fn is_token_right(
        &mut self,
        token: &Element,
        user: &str,
        password: &str,
        device_now: Timestamp,
    ) -> Result<(), &'static str> {
        let word = |name: &str| token.word(&[name]).unwrap_or_default();
        let nonce = word("Nonce").to_owned();
        let created = word("Created");
        let at = read_date_time(created).ok_or("The security token has no time")?;
        let off = (at.nanos() - device_now.nanos()) / 1_000_000_000;
        if off.abs() > WINDOW_SECONDS {
            return Err("Sender not authorized: the time of the security token is too far off");
        }
        let raw = BASE64_STANDARD
            .decode(&nonce)
            .map_err(|_| "Sender not authorized")?;
        let expected = BASE64_STANDARD.encode(password_digest(&raw, created, password));
        if word("Username") != user || word("Password") != expected {
            return Err("Sender not authorized");
        }
        if self.used.contains(&nonce) {
            return Err("Sender not authorized: the security token was used before");
        }
        remember(&mut self.used, nonce);
        Ok(())
    }

    fn is_digest_right(&self, answer: &str, uri: &str, user: &str, password: &str) -> bool {
        let Some(answer) = answer.strip_prefix("Digest ") else {
            return false;
        };
        let part = |name: &str| parameter(answer, name).unwrap_or_default();
        let nonce = part("nonce");
        if part("username") != user || part("uri") != uri || !self.nonces.contains(&nonce) {
            return false;
        }
        let secret = md5(&format!("{user}:{REALM}:{password}"));
        let request = md5(&format!("POST:{uri}"));
        let expected = md5(&format!(
            "{secret}:{nonce}:{}:{}:{}:{request}",
            part("nc"),
            part("cnonce"),
            part("qop")
        ));
        part("response") == expected
    }

    fn challenge(&mut self) -> String {
        let nonce = Uuid::new_v4().simple().to_string();
        remember(&mut self.nonces, nonce.clone());
        format!("Digest realm=\"{REALM}\", qop=\"auth\", nonce=\"{nonce}\", algorithm=MD5")
    }
}

fn remember(all: &mut VecDeque<String>, one: String) {
    if all.len() == MAX_REMEMBERED {
        all.pop_front();
    }
    all.push_back(one);
}

/// One parameter of `Authorization`, with or without quotes.
fn parameter(answer: &str, name: &str) -> Option<String> {
    answer.split(',').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
