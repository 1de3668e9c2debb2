//! `Api`: the gateway's HTTP API, called through the same table of endpoints that the console uses.

use std::time::Duration;

use fieldgate_api::{
    GUARD_HEADER, GUARD_VALUE,
    endpoint::{self, Endpoint, Method},
    state::{LedgerSum, Status},
    trouble::Trouble,
};
use ureq::{Agent, http};

use crate::wait::{SOON, until};

/// A client of one gateway.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    agent: Agent,
}

const LIMIT: Duration = Duration::from_secs(20);

// === impl Api ===

impl Api {
    /// `base` is `http://host:port`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .build();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            agent: agent.into(),
        }
    }

    /// What the endpoint answers; its `places` filled in.
    ///
    /// # Panics
    /// When it answers with trouble.
    #[track_caller]
    #[must_use]
    pub fn get<E: Endpoint<Request = ()>>(&self, places: &[&str]) -> E::Response {
        self.call::<E>(places, &())
            .unwrap_or_else(|trouble| panic!("{} {places:?}: {trouble:?}", E::PATH))
    }

    /// As [`Self::get`], for what changes or tries something.
    ///
    /// # Errors
    /// The trouble that the gateway answers.
    #[track_caller]
    pub fn call<E: Endpoint>(
        &self,
        places: &[&str],
        request: &E::Request,
    ) -> Result<E::Response, Trouble> {
        let body = serde_json::to_string(request).expect("the contract's types are JSON");
        let body = if body == "null" { String::new() } else { body };
        let (status, text) = self.send(E::METHOD, &endpoint::path::<E>(places), &body, &guarded());
        if !(200..300).contains(&status) {
            return Err(read(&text));
        }
        Ok(read(if text.is_empty() { "null" } else { &text }))
    }

    /// Any request: status and body.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut request = http::Request::builder()
            .method(method.as_str())
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body.to_owned())
            .expect("paths and headers of tests are well formed");
        let answer = self.agent.run(request);
        let mut answer =
            answer.unwrap_or_else(|error| panic!("{} {path}: {error}", method.as_str()));
        let text = answer.body_mut().read_to_string().expect("a body of text");
        (answer.status().as_u16(), text)
    }

    /// What a path answers that is no JSON: status and body.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let answer = self.agent.get(format!("{}{path}", self.base)).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("GET {path}: {error}"));
        let bytes = answer.body_mut().read_to_vec().expect("a body");
        (answer.status().as_u16(), bytes)
    }

    /// Waits until there is such a source and its status satisfies: who saved it in a browser may still be waiting for that.
    #[track_caller]
    pub fn source_is(&self, id: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        until(&format!("source {id}"), SOON, || {
            let found = self.find::<endpoint::GetSource>(&[id])?;
            check(found.status, &wanted)
        })
    }

    /// As [`Self::source_is`], for a destination.
    #[track_caller]
    pub fn destination_is(&self, id: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        until(&format!("destination {id}"), SOON, || {
            let found = self.find::<endpoint::GetDestination>(&[id])?;
            check(found.status, &wanted)
        })
    }

    /// As [`Self::get`], where it is no error yet that there is no such thing.
    #[track_caller]
    fn find<E: Endpoint<Request = ()>>(&self, places: &[&str]) -> Result<E::Response, String> {
        self.call::<E>(places, &()).map_err(|trouble| {
            assert_eq!(trouble.status, 404, "{} {places:?}: {trouble:?}", E::PATH);
            trouble.detail
        })
    }

    /// The balance of all routes.
    #[track_caller]
    #[must_use]
    pub fn ledger(&self) -> LedgerSum {
        self.get::<endpoint::GetQueue>(&[]).ledger.total
    }

    /// Waits until nothing is pending, and checks that the balance holds: everything accepted was acknowledged.
    ///
    /// # Panics
    /// When anything left the queue in another way, or is unaccounted for.
    #[track_caller]
    pub fn all_acknowledged(&self, limit: Duration) -> LedgerSum {
        let sum = until("an empty queue", limit, || match self.ledger() {
            sum if sum.pending == 0 => Ok(sum),
            sum => Err(format!("{sum:?}")),
        });
        let expected = LedgerSum {
            accepted: sum.accepted,
            acked: sum.accepted,
            ..LedgerSum::default()
        };
        assert_eq!(sum, expected, "the balance");
        sum
    }
}

/// The headers that a change needs.
#[must_use]
pub fn guarded() -> [(&'static str, &'static str); 2] {
    [
        (GUARD_HEADER, GUARD_VALUE),
        ("content-type", "application/json"),
    ]
}

fn check(status: Status, wanted: impl Fn(&Status) -> bool) -> Result<Status, String> {
    if wanted(&status) {
        Ok(status)
    } else {
        Err(format!("it is {}: {}", status.state, status.words))
    }
}

#[track_caller]
fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in the answer {text}"))
}
