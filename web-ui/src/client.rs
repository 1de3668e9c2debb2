//! Calls of the API, through the rows of its endpoint table.

use fieldgate_api::endpoint::{Endpoint, Method, path, path_and_query};
use fieldgate_api::trouble::Trouble;
use fieldgate_api::{GUARD_HEADER, GUARD_VALUE};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

/// No answer is waited for longer; a test of settings takes 10 s at most.
const TIMEOUT_MS: u32 = 20_000;
/// What goes through the air, or waits for a person at the device.
const PATIENCE_MS: u32 = 80_000;

/// The code of a [`Trouble`] that is ours: the gateway did not answer.
pub const UNREACHABLE: &str = "FG-UNREACHABLE";

/// Calls an endpoint that takes no body.
///
/// # Errors
/// What the gateway answers, or that it does not.
pub async fn call<E: Endpoint<Request = ()>>(places: &[&str]) -> Result<E::Response, Trouble> {
    parse::<E>(send(E::METHOD, path::<E>(places), None, None).await?)
}

/// Asks or changes something, if the configuration is still at `revision`.
///
/// # Errors
/// What the gateway answers, or that it does not.
pub async fn change<E: Endpoint>(
    places: &[&str],
    body: &E::Request,
    revision: Option<u64>,
) -> Result<E::Response, Trouble> {
    if E::METHOD == Method::Get {
        let url = path_and_query::<E>(places, body);
        return parse::<E>(send(Method::Get, url, None, None).await?);
    }
    let body = written(body)?;
    parse::<E>(send(E::METHOD, path::<E>(places), body, revision).await?)
}

/// Asks for what takes its time.
///
/// # Errors
/// What the gateway answers, or that it does not.
pub async fn patiently<E: Endpoint>(
    places: &[&str],
    body: &E::Request,
) -> Result<E::Response, Trouble> {
    let body = written(body)?;
    let path = path::<E>(places);
    parse::<E>(send_within(E::METHOD, path, body, None, PATIENCE_MS).await?)
}

fn written<T: serde::Serialize>(body: &T) -> Result<Option<String>, Trouble> {
    let body = serde_json::to_string(body).map_err(|error| unreadable(&error))?;
    Ok((body != "null").then_some(body))
}

fn parse<E: Endpoint>(text: String) -> Result<E::Response, Trouble> {
    let text = if text.trim().is_empty() {
        "null"
    } else {
        &text
    };
    serde_json::from_str(text).map_err(|error| unreadable(&error))
}

async fn send(
    method: Method,
    path: String,
    body: Option<String>,
    revision: Option<u64>,
) -> Result<String, Trouble> {
    send_within(method, path, body, revision, TIMEOUT_MS).await
}

async fn send_within(
    method: Method,
    path: String,
    body: Option<String>,
    revision: Option<u64>,
    limit_ms: u32,
) -> Result<String, Trouble> {
    let response = fetch(method, &path, body, revision, limit_ms)
        .await
        .map_err(|_| silent())?;
    let text = match response.text() {
        Ok(promise) => JsFuture::from(promise).await.map_err(|_| silent())?,
        Err(_) => return Err(silent()),
    };
    let text = text.as_string().unwrap_or_default();
    if response.ok() {
        return Ok(text);
    }
    Err(serde_json::from_str(&text).unwrap_or_else(|_| Trouble {
        code: "FG-INTERNAL".to_owned(),
        title: "the gateway refused".to_owned(),
        status: response.status(),
        detail: format!("HTTP {} for {} {path}", response.status(), method.as_str()),
        problems: Vec::new(),
    }))
}

async fn fetch(
    method: Method,
    path: &str,
    body: Option<String>,
    revision: Option<u64>,
    limit_ms: u32,
) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    init.set_method(method.as_str());
    init.set_signal(Some(&AbortSignal::timeout_with_u32(limit_ms)));
    let headers = Headers::new()?;
    headers.set("accept", "application/json")?;
    if method != Method::Get {
        headers.set(GUARD_HEADER, GUARD_VALUE)?;
        headers.set("content-type", "application/json")?;
    }
    if let Some(revision) = revision {
        headers.set("if-match", &format!("\"{revision}\""))?;
    }
    if let Some(body) = body {
        init.set_body(&JsValue::from_str(&body));
    }
    init.set_headers(&headers);
    let response = JsFuture::from(window().fetch_with_str_and_init(path, &init)).await?;
    response.dyn_into()
}

fn silent() -> Trouble {
    Trouble {
        code: UNREACHABLE.to_owned(),
        title: "the gateway does not answer".to_owned(),
        status: 0,
        detail: "look whether it runs and whether this computer reaches it".to_owned(),
        problems: Vec::new(),
    }
}

fn unreadable(error: &serde_json::Error) -> Trouble {
    Trouble {
        code: "FG-INTERNAL".to_owned(),
        title: "the gateway's answer is not understood".to_owned(),
        status: 0,
        detail: format!("{error}; reload the page, it may be older than the gateway"),
        problems: Vec::new(),
    }
}
