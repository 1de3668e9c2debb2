//! Lets viewers in: Digest (RFC 7616 with MD5, which is what viewers of RTSP speak), a nonce for each connection.

use md5::{Digest as _, Md5};

use super::request::Request;
use crate::address::Credentials;

/// What a connection's requests are signed for.
#[derive(Debug)]
pub(super) struct Guard {
    nonce: String,
}

/// How a request is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// By this user.
    Let(String),
    /// Not at all: ask for it.
    Unsigned,
    /// Wrongly.
    Wrong,
}

const REALM: &str = "Fieldgate";

// === impl Guard ===

impl Guard {
    pub(super) fn new(random: [u8; 16]) -> Self {
        Self {
            nonce: hex(&random),
        }
    }

    /// The `WWW-Authenticate` header.
    pub(super) fn challenge(&self) -> String {
        format!(
            "Digest realm=\"{REALM}\", nonce=\"{}\", algorithm=MD5",
            self.nonce
        )
    }

    pub(super) fn judge(&self, request: &Request, users: &[Credentials]) -> Verdict {
        let Some(header) = &request.authorization else {
            return Verdict::Unsigned;
        };
        let Some(fields) = header.strip_prefix("Digest ") else {
            return Verdict::Wrong;
        };
        let fields = fields_of(fields);
        let field = |name: &str| {
            let found = fields
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str())
        };
        // A nonce of another connection is an old one: ask again. What is signed must be what is asked for.
        if field("nonce") != self.nonce {
            return Verdict::Unsigned;
        }
        if field("realm") != REALM || !same_place(field("uri"), &request.uri) {
            return Verdict::Wrong;
        }
        let method = request.method.as_str();
        let name = field("username");
        let asked = hash(&[method, field("uri")]);
        let matches = |user: &Credentials| {
            let secret = hash(&[&user.user, REALM, &user.password]);
            let expected = match field("qop") {
                "" => hash(&[&secret, &self.nonce, &asked]),
                qop => hash(&[
                    &secret,
                    &self.nonce,
                    field("nc"),
                    field("cnonce"),
                    qop,
                    &asked,
                ]),
            };
            same(&expected, field("response"))
        };
        let user = users.iter().find(|user| user.user == name);
        match user.filter(|user| matches(user)) {
            Some(user) => Verdict::Let(user.user.clone()),
            None => Verdict::Wrong,
        }
    }
}

/// `a="b, c", d=e`
fn fields_of(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=')
        && fields.len() < 24
    {
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (value, after.split_once(',').map_or("", |(_, rest)| rest))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        fields.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = after;
    }
    fields
}

/// Some viewers sign the stream's URL for all requests, also for those of its tracks.
fn same_place(signed: &str, asked: &str) -> bool {
    let (signed, asked) = (signed.trim_end_matches('/'), asked.trim_end_matches('/'));
    signed == asked
        || (!signed.is_empty()
            && asked
                .strip_prefix(signed)
                .is_some_and(|rest| rest.starts_with('/')))
}

/// In the same time, wherever they differ.
fn same(expected: &str, told: &str) -> bool {
    let told = told.as_bytes();
    let differences = expected.bytes().enumerate().fold(0, |found, (at, byte)| {
        found | (byte ^ told.get(at).map_or(0, u8::to_ascii_lowercase))
    });
    expected.len() == told.len() && differences == 0
}

fn hash(parts: &[&str]) -> String {
    hex(&Md5::digest(parts.join(":")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use http_auth::{PasswordClient, PasswordParams};

    use super::*;
    use crate::restream::request::{Incoming, parse};

    const URI: &str = "rtsp://gw:8554/yard";

    fn request(method: &str, uri: &str, authorization: Option<&str>) -> Request {
        let header =
            authorization.map_or_else(String::new, |text| format!("Authorization: {text}\r\n"));
        let text = format!("{method} {uri} RTSP/1.0\r\nCSeq: 1\r\n{header}\r\n");
        match parse(text.as_bytes()).unwrap().unwrap().0 {
            Incoming::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn users() -> Vec<Credentials> {
        vec![Credentials {
            user: "eve, \"x".replace('"', ""),
            password: "secret".into(),
        }]
    }

    /// Signed by the client's library for what it is told.
    fn signed(guard: &Guard, user: &str, password: &str, method: &str, uri: &str) -> String {
        let mut client = PasswordClient::try_from(guard.challenge().as_str()).unwrap();
        client
            .respond(&PasswordParams {
                username: user,
                password,
                uri,
                method,
                body: None,
            })
            .unwrap()
    }

    #[test]
    fn signatures_are_judged() {
        let guard = Guard::new([7; 16]);
        let (users, name) = (users(), users()[0].user.clone());
        let judge = |method: &str, uri: &str, signature: &str| {
            guard.judge(&request(method, uri, Some(signature)), &users)
        };
        let right = signed(&guard, &name, "secret", "DESCRIBE", URI);
        assert_eq!(judge("DESCRIBE", URI, &right), Verdict::Let(name.clone()));
        assert_eq!(judge("SETUP", URI, &right), Verdict::Wrong);
        assert_eq!(
            judge("DESCRIBE", "rtsp://gw:8554/other", &right),
            Verdict::Wrong
        );
        let below = signed(&guard, &name, "secret", "SETUP", URI);
        assert_eq!(
            judge("SETUP", &format!("{URI}/trackID=0"), &below),
            Verdict::Let(name.clone())
        );
        for (user, password) in [(name.as_str(), "wrong"), ("nobody", "secret"), (&name, "")] {
            let wrong = signed(&guard, user, password, "DESCRIBE", URI);
            assert_eq!(judge("DESCRIBE", URI, &wrong), Verdict::Wrong);
        }
        let other = Guard::new([8; 16]);
        let old = signed(&other, &name, "secret", "DESCRIBE", URI);
        assert_eq!(judge("DESCRIBE", URI, &old), Verdict::Unsigned);
        assert_eq!(
            judge("DESCRIBE", URI, "Basic ZXZlOnNlY3JldA=="),
            Verdict::Wrong
        );
        assert_eq!(judge("DESCRIBE", URI, "Digest a=b"), Verdict::Unsigned);
        assert_eq!(
            guard.judge(&request("DESCRIBE", URI, None), &users),
            Verdict::Unsigned
        );
    }

    #[test]
    fn without_users_nobody_comes_in() {
        let guard = Guard::new([1; 16]);
        let signature = signed(&guard, "", "", "DESCRIBE", URI);
        let verdict = guard.judge(&request("DESCRIBE", URI, Some(&signature)), &[]);
        assert_eq!(verdict, Verdict::Wrong);
    }
}
