//! `Lines`: an answer of the API that comes line by line, each line a JSON object, until it ends or nobody wants more.

use fieldgate_api::trouble::Trouble;
use leptos::prelude::window;
use serde_json::Error;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStreamDefaultReader, ReadableStreamReadResult, Response, js_sys::Uint8Array,
};

use crate::client::UNREACHABLE;

/// The longest line that is waited for.
const MOST_BYTES: usize = 1 << 20;

/// What is still to come.
pub struct Lines {
    reader: ReadableStreamDefaultReader,
    /// What came and is not a whole line yet.
    rest: Vec<u8>,
}

// === impl Lines ===

impl Lines {
    /// Asks.
    ///
    /// # Errors
    /// When the gateway does not answer, or refuses.
    pub async fn of(path: &str) -> Result<Self, Trouble> {
        let answer = JsFuture::from(window().fetch_with_str(path)).await;
        let response: Response = answer.and_then(JsCast::dyn_into).map_err(|_| broken())?;
        let reader = response.body().map(|body| body.get_reader());
        let reader = reader.filter(|_| response.ok()).ok_or_else(broken)?;
        Ok(Self {
            reader: reader.unchecked_into(),
            rest: Vec::new(),
        })
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// When the connection breaks, or the line is none of ours.
    pub async fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, Trouble> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| unreadable(&error));
            }
            if self.rest.len() > MOST_BYTES || !self.read().await.map_err(|_| broken())? {
                return match self.rest.is_empty() {
                    true => Ok(None),
                    false => Err(broken()),
                };
            }
        }
    }

    /// Ends it here; the gateway stops, too.
    pub async fn stop(self) {
        // A connection that broke meanwhile has ended as well.
        let _ended = JsFuture::from(self.reader.cancel()).await;
    }

    /// Whether anything came.
    async fn read(&mut self) -> Result<bool, JsValue> {
        let piece = JsFuture::from(self.reader.read()).await?;
        let piece: ReadableStreamReadResult = piece.unchecked_into();
        if piece.get_done() == Some(true) {
            return Ok(false);
        }
        self.rest
            .extend(Uint8Array::new(&piece.get_value()).to_vec());
        Ok(true)
    }
}

fn broken() -> Trouble {
    Trouble {
        code: UNREACHABLE.to_owned(),
        title: "the gateway's answer ended early".to_owned(),
        status: 0,
        detail: "look whether it runs, then try again".to_owned(),
        problems: Vec::new(),
    }
}

fn unreadable(error: &Error) -> Trouble {
    Trouble {
        detail: format!("{error}; reload the page, it may be older than the gateway"),
        title: "the gateway's answer is not understood".to_owned(),
        ..broken()
    }
}
