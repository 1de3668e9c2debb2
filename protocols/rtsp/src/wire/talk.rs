//! The conversation with a camera: whose URL is asked, who signs, and what an answer means. Pure: bytes in, bytes out.

use crate::{
    error::StreamError,
    mask::tame,
    sign::{Signer, is_stale},
    wire::head::{Head, Start},
};

/// Requests of ours on their way to the camera, and its answers on their way back.
///
/// retina speaks to the loopback end of the wire and knows neither the camera's URL nor a password: here its URL becomes the
/// camera's, before the signature is made over it, and an answer that asks for a signature never reaches it.
pub(crate) struct Talk {
    /// What retina takes for the camera's URL.
    ours: String,
    /// The camera's.
    theirs: String,
    signer: Signer,
    cseq: u32,
    pending: Option<Pending>,
    session: Option<String>,
}

/// The request that waits for its answer.
struct Pending {
    request: Head,
    method: String,
    uri: String,
    /// By which number the camera knows it.
    theirs: u32,
    /// By which number retina knows it.
    ours: u32,
    /// Challenges that were answered already.
    signed: u8,
}

/// What an answer leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Pass it on.
    Answer { method: String, head: Head },
    /// Ask again, with a signature.
    Again(Vec<u8>),
    /// Nobody waits for it.
    Ignore,
}

// === impl Talk ===

impl Talk {
    pub(crate) fn new(ours: String, theirs: String, signer: Signer) -> Self {
        Self {
            ours,
            theirs,
            signer,
            cseq: 0,
            pending: None,
            session: None,
        }
    }

    /// The method whose answer is awaited.
    pub(crate) fn awaits(&self) -> Option<&str> {
        Some(self.pending.as_ref()?.method.as_str())
    }

    /// A request for the camera.
    pub(crate) fn ask(&mut self, mut request: Head) -> Result<Vec<u8>, StreamError> {
        let Start::Request { method, uri } = &mut request.start else {
            return Err(StreamError::Broken(
                "an answer where a request was due".to_owned(),
            ));
        };
        if let Some(rest) = uri.strip_prefix(&self.ours) {
            *uri = format!("{}{rest}", self.theirs);
        }
        let pending = Pending {
            method: method.clone(),
            uri: uri.clone(),
            theirs: 0,
            ours: request.cseq().unwrap_or_default(),
            signed: 0,
            request,
        };
        self.send(pending)
    }

    /// The request that ends the session; `None` when there is none.
    pub(crate) fn teardown(&mut self) -> Option<Result<Vec<u8>, StreamError>> {
        let session = self.session.take()?;
        let mut request = Head::request("TEARDOWN", &self.theirs);
        request.set("User-Agent", super::USER_AGENT);
        request.set("Session", session);
        Some(self.ask(request))
    }

    /// An answer of the camera.
    pub(crate) fn answer(&mut self, mut head: Head) -> Result<Reaction, StreamError> {
        let Start::Response { status, reason } = &head.start else {
            return Ok(Reaction::Ignore);
        };
        let (status, reason) = (*status, reason.clone());
        let mine = |pending: &Pending| head.cseq().is_none_or(|cseq| cseq == pending.theirs);
        let Some(mut pending) = self.pending.take_if(|pending| mine(pending)) else {
            return Ok(Reaction::Ignore);
        };
        match status {
            // Provisional: the answer is still to come.
            100..200 => {
                self.pending = Some(pending);
                return Ok(Reaction::Ignore);
            }
            200..300 => {}
            401 | 407 => {
                let challenges: Vec<String> =
                    head.all("WWW-Authenticate").map(str::to_owned).collect();
                let challenges = || challenges.iter().map(String::as_str);
                let stale = is_stale(challenges());
                if pending.signed > u8::from(stale) {
                    return Err(StreamError::WrongPassword);
                }
                self.signer.challenged(challenges())?;
                pending.signed += 1;
                return self.send(pending).map(Reaction::Again);
            }
            _ if is_keepalive(&pending.method) && status != 454 => {}
            _ => return Err(refusal(&pending.method, status, &reason)),
        }
        head.set("CSeq", pending.ours.to_string());
        match pending.method.as_str() {
            "DESCRIBE" => self.rebase(&mut head),
            "SETUP" => self.note_session(&head),
            _ => {}
        }
        Ok(Reaction::Answer {
            method: pending.method,
            head,
        })
    }

    fn send(&mut self, mut pending: Pending) -> Result<Vec<u8>, StreamError> {
        self.cseq += 1;
        pending.theirs = self.cseq;
        let mut request = pending.request.clone();
        request.set("CSeq", self.cseq.to_string());
        if let Some(signature) = self.signer.sign(&pending.method, &pending.uri)? {
            request.set("Authorization", signature);
        }
        self.pending = Some(pending);
        Ok(request.to_bytes())
    }

    /// Paths in a description are relative to the camera's URL, not to the one that retina asked.
    fn rebase(&self, head: &mut Head) {
        if head.get("Content-Base").is_none_or(str::is_empty)
            && head.get("Content-Location").is_none_or(str::is_empty)
        {
            head.set("Content-Base", self.theirs.clone());
        }
    }

    fn note_session(&mut self, head: &Head) {
        let session = head
            .get("Session")
            .and_then(|header| header.split(';').next());
        if let Some(session) = session
            .map(str::trim)
            .filter(|id| (1..=256).contains(&id.len()))
        {
            self.session.get_or_insert_with(|| session.to_owned());
        }
    }
}

/// A request that only keeps the session: a camera that does not know it still knows that we are here.
fn is_keepalive(method: &str) -> bool {
    matches!(
        method,
        "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" | "TEARDOWN"
    )
}

fn refusal(method: &str, status: u16, reason: &str) -> StreamError {
    match status {
        300..400 => StreamError::Redirected,
        403 => StreamError::Locked { status },
        404 | 410 => StreamError::NoSuchStream { status },
        454 => StreamError::Ended("it forgot the session".to_owned()),
        453 | 503 => StreamError::Busy {
            status,
            reason: tame(reason, 80),
        },
        461 => StreamError::TransportRefused("this transport"),
        _ => StreamError::Status {
            method: method.to_owned(),
            status,
            reason: tame(reason, 80),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::Credentials, options::Basic, wire::head::parse};

    const OURS: &str = "rtsp://127.0.0.1:4000/token";
    const THEIRS: &str = "rtsp://cam.lan/live";

    fn talk(credentials: bool) -> Talk {
        let credentials = credentials.then(|| Credentials {
            user: "u".into(),
            password: "CANARY".into(),
        });
        let signer = Signer::new(credentials, Basic::OverTlsOnly, false);
        Talk::new(OURS.into(), THEIRS.into(), signer)
    }

    fn ask(talk: &mut Talk, method: &str, uri: &str, cseq: u32) -> Head {
        let mut head = Head::request(method, uri);
        head.set("CSeq", cseq.to_string());
        parse(&talk.ask(head).unwrap()).unwrap().unwrap().0
    }

    fn response(status: u16, headers: &[(&str, &str)]) -> Head {
        let mut head = Head::response(status, "x");
        for (name, value) in headers {
            head.headers.push(((*name).to_owned(), (*value).to_owned()));
        }
        head
    }

    #[test]
    fn the_camera_sees_its_own_url_and_the_signature_is_over_it() {
        let mut talk = talk(true);
        let first = ask(&mut talk, "DESCRIBE", OURS, 1);
        assert_eq!(first.start, Head::request("DESCRIBE", THEIRS).start);
        assert_eq!(first.get("Authorization"), None);
        let challenge = response(
            401,
            &[
                ("CSeq", "1"),
                ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\""),
            ],
        );
        let Reaction::Again(bytes) = talk.answer(challenge.clone()).unwrap() else {
            panic!("it is asked again");
        };
        let again = parse(&bytes).unwrap().unwrap().0;
        let signature = again.get("Authorization").unwrap();
        assert!(
            signature.contains(&format!("uri=\"{THEIRS}\"")),
            "{signature}"
        );
        assert_eq!(again.cseq(), Some(2));
        // The answer has retina's number, and a base that is the camera's.
        let Reaction::Answer { head, .. } = talk.answer(response(200, &[("CSeq", "2")])).unwrap()
        else {
            panic!("it is passed on");
        };
        assert_eq!(
            (head.cseq(), head.get("Content-Base")),
            (Some(1), Some(THEIRS))
        );
        // Later requests are signed at once, and a path below ours becomes one below the camera's.
        let setup = ask(&mut talk, "SETUP", &format!("{OURS}/track1"), 2);
        assert!(setup.get("Authorization").is_some());
        assert_eq!(
            setup.start,
            Head::request("SETUP", "rtsp://cam.lan/live/track1").start
        );
        // A nonce that is too old is no wrong password, also twice; a second no without that is.
        let mut stale = response(
            401,
            &[
                ("CSeq", "3"),
                (
                    "WWW-Authenticate",
                    "Digest realm=\"r\", nonce=\"m\", stale=true",
                ),
            ],
        );
        assert!(matches!(talk.answer(stale.clone()), Ok(Reaction::Again(_))));
        stale.set("CSeq", "4");
        assert!(matches!(talk.answer(stale.clone()), Ok(Reaction::Again(_))));
        let mut no = challenge;
        no.set("CSeq", "5");
        assert_eq!(talk.answer(no), Err(StreamError::WrongPassword));
    }

    #[test]
    fn refusals_have_causes() {
        for (status, expected) in [
            (401, StreamError::NoCredentials),
            (403, StreamError::Locked { status: 403 }),
            (404, StreamError::NoSuchStream { status: 404 }),
            (301, StreamError::Redirected),
            (454, StreamError::Ended("it forgot the session".into())),
            (
                503,
                StreamError::Busy {
                    status: 503,
                    reason: "x".into(),
                },
            ),
            (
                500,
                StreamError::Status {
                    method: "DESCRIBE".into(),
                    status: 500,
                    reason: "x".into(),
                },
            ),
        ] {
            let mut talk = talk(false);
            ask(&mut talk, "DESCRIBE", OURS, 1);
            let headers = [
                ("CSeq", "1"),
                ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\""),
            ];
            assert_eq!(talk.answer(response(status, &headers)), Err(expected));
        }
        let mut talk = talk(false);
        ask(&mut talk, "GET_PARAMETER", OURS, 9);
        assert!(matches!(
            talk.answer(response(405, &[("CSeq", "1")])),
            Ok(Reaction::Answer { .. })
        ));
    }

    #[test]
    fn answers_that_nobody_waits_for_are_passed_over() {
        let mut talk = talk(false);
        assert_eq!(
            talk.answer(response(200, &[("CSeq", "7")])),
            Ok(Reaction::Ignore)
        );
        ask(&mut talk, "PLAY", OURS, 1);
        assert_eq!(
            talk.answer(response(200, &[("CSeq", "7")])),
            Ok(Reaction::Ignore)
        );
        assert_eq!(
            talk.answer(response(100, &[("CSeq", "1")])),
            Ok(Reaction::Ignore)
        );
        assert_eq!(talk.awaits(), Some("PLAY"));
        assert!(matches!(
            talk.answer(response(200, &[])),
            Ok(Reaction::Answer { .. })
        ));
    }

    #[test]
    fn a_session_is_torn_down_once() {
        let mut talk = talk(false);
        assert!(talk.teardown().is_none());
        ask(&mut talk, "SETUP", OURS, 1);
        talk.answer(response(
            200,
            &[("CSeq", "1"), ("Session", "abc;timeout=60")],
        ))
        .unwrap();
        let bytes = talk.teardown().unwrap().unwrap();
        let (head, _) = parse(&bytes).unwrap().unwrap();
        assert_eq!(head.get("Session"), Some("abc"));
        assert!(talk.teardown().is_none());
    }
}
