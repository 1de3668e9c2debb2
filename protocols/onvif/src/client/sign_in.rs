//! How a device wants to be signed for: WS-UsernameToken, HTTP Digest, or both, learnt from what it refuses.

use std::sync::{Arc, Mutex, PoisonError};

use http_auth::{PasswordClient, PasswordParams};
use hyper::StatusCode;
use url::Url;

use super::http::Reply;
use crate::{
    error::DeviceError,
    soap::{Answer, Credentials, Fault, Meaning, read},
    words::shown,
    xml::Element,
};

/// A way to sign in, with the device's challenge. Copies count the uses of its nonce together.
#[derive(Clone, Default)]
pub(super) struct SignIn {
    way: Way,
    challenge: Option<Arc<Mutex<PasswordClient>>>,
    /// The challenge was not taken over from an earlier request.
    fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Way {
    /// Profile S knows nothing else.
    #[default]
    Token,
    /// Devices that ask for Digest may refuse what has a token as well.
    Digest,
    Both,
}

/// What a reply means.
pub(super) enum Verdict {
    Done(Element),
    Refused(Refusal),
    Failed(DeviceError),
}

/// The sign-in is not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What HTTP wants; empty where it was content, and the service behind it was not.
    challenges: Vec<String>,
    pub locked: bool,
    /// It is about the time.
    time: bool,
    why: String,
}

/// A difference of the clocks that devices bear, most of them.
const BEARABLE_SECONDS: u64 = 5;

/// What a reply means, before it is known who asked.
pub(super) fn judge(at: &str, operation: &str, reply: Reply) -> Verdict {
    let status = reply.status;
    let said = read(&reply.body);
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        return Verdict::Refused(Refusal::by_http(reply, said.ok()));
    }
    let not_onvif = |why: String| {
        Verdict::Failed(DeviceError::NotOnvif {
            at: at.to_owned(),
            why,
        })
    };
    match said {
        Ok(Answer::Done(envelope)) if status.is_success() => Verdict::Done(envelope),
        Ok(Answer::Fault(fault)) => by_fault(at, operation, &fault),
        _ if status.is_redirection() => not_onvif(format!(
            "it sends to another address (HTTP {})",
            status.as_u16()
        )),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Verdict::Failed(busy(at, &format!("HTTP {}", words(status))))
        }
        _ if !status.is_success() => not_onvif(format!("HTTP {}", words(status))),
        Ok(Answer::Done(_)) => Verdict::Failed(DeviceError::garbage(
            at,
            operation,
            "an answer and an error at once",
        )),
        Err(_) if looks_like_a_page(&reply.body) => {
            not_onvif("it answers with a web page".to_owned())
        }
        Err(why) => Verdict::Failed(DeviceError::garbage(at, operation, &why)),
    }
}

fn by_fault(at: &str, operation: &str, fault: &Fault) -> Verdict {
    let meaning = fault.meaning();
    let why = fault.words();
    match meaning {
        Meaning::NotAuthorized | Meaning::WrongTime | Meaning::Locked => {
            Verdict::Refused(Refusal {
                challenges: Vec::new(),
                locked: meaning == Meaning::Locked,
                time: meaning == Meaning::WrongTime,
                why,
            })
        }
        Meaning::NotSupported => Verdict::Failed(DeviceError::NotSupported {
            at: at.to_owned(),
            operation: operation.to_owned(),
        }),
        Meaning::Trouble => Verdict::Failed(busy(at, &why)),
        Meaning::Refused => Verdict::Failed(DeviceError::refused(at, operation, &why)),
    }
}

fn busy(at: &str, why: &str) -> DeviceError {
    DeviceError::Busy {
        at: at.to_owned(),
        why: shown(why),
    }
}

fn words(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn looks_like_a_page(body: &[u8]) -> bool {
    let start: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .take(14)
        .collect();
    let start = String::from_utf8_lossy(&start).to_ascii_lowercase();
    start.starts_with("<!doctypehtml") || start.starts_with("<html")
}

/// The strongest challenge that is understood.
fn challenge(challenges: &[String]) -> Option<PasswordClient> {
    let all = challenges.iter();
    all.fold(PasswordClient::builder(), |builder, challenge| {
        builder.challenges(challenge)
    })
    .build()
    .ok()
}

// === impl SignIn ===

impl SignIn {
    pub(super) fn has_token(&self) -> bool {
        self.way != Way::Digest
    }

    /// `Authorization` of HTTP. A challenge that cannot be answered is left out, and refused again.
    pub(super) fn authorization(
        &self,
        credentials: &Credentials,
        url: &Url,
        body: &[u8],
    ) -> Option<String> {
        let uri = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let challenge = self.challenge.as_ref()?;
        // Nothing that is done under the lock can leave the challenge half changed.
        let mut client = challenge.lock().unwrap_or_else(PoisonError::into_inner);
        client
            .respond(&PasswordParams {
                username: &credentials.user,
                password: &credentials.password,
                uri: &uri,
                method: "POST",
                body: Some(body),
            })
            .ok()
    }

    /// What was found to be right, for the next request.
    pub(super) fn found(self) -> Self {
        Self {
            fresh: false,
            ..self
        }
    }

    /// What to try after a refusal; `None` when it was the user or the password.
    pub(super) fn next(&self, refusal: &Refusal, secure: bool) -> Option<Self> {
        if refusal.challenges.is_empty() {
            // HTTP was content, the service behind it was not.
            return (self.way == Way::Digest).then(|| Self {
                way: Way::Both,
                ..self.clone()
            });
        }
        let challenge = challenge(&refusal.challenges)?;
        let stale = match &challenge {
            PasswordClient::Digest(digest) => digest.stale(),
            // It would give the password to whoever listens.
            _ if !secure => return None,
            _ => false,
        };
        if self.fresh && !stale {
            return None;
        }
        Some(Self {
            way: if self.way == Way::Both {
                Way::Both
            } else {
                Way::Digest
            },
            challenge: Some(Arc::new(Mutex::new(challenge))),
            fresh: true,
        })
    }
}

// === impl Refusal ===

impl Refusal {
    fn by_http(reply: Reply, said: Option<Answer>) -> Self {
        let fault = match said {
            Some(Answer::Fault(fault)) => Some(fault),
            _ => None,
        };
        let meaning = fault.as_ref().map(Fault::meaning);
        let text = String::from_utf8_lossy(&reply.body[..reply.body.len().min(4_096)])
            .to_ascii_lowercase();
        Self {
            locked: meaning == Some(Meaning::Locked) || text.contains("locked"),
            time: meaning == Some(Meaning::WrongTime),
            why: fault.map_or_else(
                || format!("HTTP {}", words(reply.status)),
                |fault| fault.words(),
            ),
            challenges: reply.challenges,
        }
    }

    pub(super) fn without_credentials(self, at: &str) -> DeviceError {
        DeviceError::Denied {
            at: at.to_owned(),
            why: "it wants a user and a password".to_owned(),
        }
    }

    /// `drift_seconds` is `None` where the device does not tell its time.
    pub(super) fn error(self, at: &str, secure: bool, drift_seconds: Option<i64>) -> DeviceError {
        let at = at.to_owned();
        let why = self.why;
        if self.locked {
            return DeviceError::Locked { at, why };
        }
        match drift_seconds {
            Some(drift_seconds) if self.time && drift_seconds.unsigned_abs() > BEARABLE_SECONDS => {
                return DeviceError::ClockOff { at, drift_seconds };
            }
            _ => {}
        }
        let basic = matches!(challenge(&self.challenges), Some(PasswordClient::Basic(_)));
        let why = if basic && !secure {
            "it takes the password in the open alone (HTTP Basic); switch Digest on in the device, or use https".to_owned()
        } else if drift_seconds.is_none() {
            format!("wrong user or password, or a clock that is off, which it does not tell: {why}")
        } else {
            format!("wrong user or password, or a user without the right to this: {why}")
        };
        DeviceError::Denied { at, why }
    }
}

#[cfg(test)]
mod tests;
