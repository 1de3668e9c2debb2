//! The guard before every request: own names only, writes from the own origin only, strict headers on every answer.
//!
//! | threat | what stands against it |
//! |---|---|
//! | DNS rebinding | `Host` must be a loopback address, `localhost` or the machine's name, else 421 |
//! | CSRF | a write needs the header `x-fieldgate: 1`, JSON, and no foreign `Origin` or `Sec-Fetch-Site`, else 403 |
//! | foreign WebSockets | an upgrade needs no foreign `Origin` either |
//! | another user of the machine | the control socket is a file of the gateway's user, see control.rs |
//! | injected markup | a Content-Security-Policy without inline code, framing, or any foreign host |

use std::net::{IpAddr, Ipv6Addr};

use actix_web::{
    Error, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use fieldgate_api::{GUARD_HEADER, GUARD_VALUE};

use super::{Shared, control::LocalUser, error::Failure};

/// The most bytes of names and values in a request's head.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// What stands on every answer. No HSTS: there is no TLS yet.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Lets a request through or refuses it, and puts the headers on the answer.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let host_name = request
        .app_data::<Data<Shared>>()
        .map(|shared| shared.host_name.clone())
        .unwrap_or_default();
    let checked = match request.conn_data::<LocalUser>() {
        Some(LocalUser) => Ok(()),
        None => check(request.method(), request.headers(), &host_name),
    };
    let mut response = match checked {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(failure) => request.into_response(failure.error_response()),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

fn check(method: &Method, headers: &HeaderMap, host_name: &str) -> Result<(), Failure> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > MAX_HEAD_BYTES {
        return Err(Failure::HeadTooLarge);
    }
    let host = own_host(headers, host_name)?;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads || headers.contains_key(header::UPGRADE) {
        expect_same_origin(headers, &host)?;
    }
    if !reads {
        expect_guard(headers)?;
        expect_json(headers)?;
    }
    Ok(())
}

/// The `Host` header, when it names this machine.
fn own_host(headers: &HeaderMap, host_name: &str) -> Result<String, Failure> {
    let mut hosts = headers.get_all(header::HOST);
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default().to_ascii_lowercase(),
        _ => String::new(),
    };
    if is_own(&host, host_name) {
        return Ok(host);
    }
    Err(Failure::Misdirected(format!(
        "the request was sent to `{}`; call the console by localhost or 127.0.0.1",
        host.escape_debug()
    )))
}

fn is_own(host: &str, host_name: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let loopback = address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
                return loopback && (port.is_empty() || is_port(port));
            }
            None => return false,
        },
        None => match host.find(':') {
            Some(at) => host.split_at(at),
            None => (host, ""),
        },
    };
    let loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let own = name == "localhost" || loopback || (!name.is_empty() && name == host_name);
    own && (port.is_empty() || is_port(port))
}

/// `:8443`
fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .is_some_and(|port| port.parse::<u16>().is_ok())
}

/// What a browser tells about where a request comes from. Other clients tell nothing, and need not.
fn expect_same_origin(headers: &HeaderMap, host: &str) -> Result<(), Failure> {
    let foreign_origin = headers
        .get_all(header::ORIGIN)
        .any(|origin| origin.as_bytes() != format!("http://{host}").as_bytes());
    let foreign_site = headers
        .get_all("sec-fetch-site")
        .any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    if foreign_origin || foreign_site {
        return Err(Failure::Forbidden(format!(
            "the request comes from a page that is not the console at http://{host}; open the console there"
        )));
    }
    Ok(())
}

/// A header that a foreign page cannot send without asking first, which nobody answers.
fn expect_guard(headers: &HeaderMap) -> Result<(), Failure> {
    let guarded = headers
        .get(GUARD_HEADER)
        .is_some_and(|value| value == GUARD_VALUE);
    guarded.then_some(()).ok_or_else(|| {
        Failure::Forbidden(format!(
            "a change needs the header `{GUARD_HEADER}: {GUARD_VALUE}`; add it"
        ))
    })
}

/// A form cannot send JSON.
fn expect_json(headers: &HeaderMap) -> Result<(), Failure> {
    let empty = match headers.get(header::CONTENT_LENGTH) {
        Some(length) => length == "0",
        None => !headers.contains_key(header::TRANSFER_ENCODING),
    };
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().eq_ignore_ascii_case("application/json"));
    match (json, empty) {
        (Some(true), _) | (None, true) => Ok(()),
        _ => Err(Failure::Forbidden(
            "a body needs the header `content-type: application/json`; send JSON".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(method: &Method, headers: &[(&'static str, &'static str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        match check(method, &map, "line-4") {
            Ok(()) => 200,
            Err(failure) => failure.trouble().status,
        }
    }

    #[test]
    fn only_own_names_are_answered() {
        for (host, own) in [
            ("localhost", true),
            ("localhost:8443", true),
            ("LOCALHOST:1", true),
            ("127.0.0.1:8443", true),
            ("[::1]:8443", true),
            ("[::1]", true),
            ("line-4:8443", true),
            ("evil.example", false),
            ("evil.example:8443", false),
            ("localhost.evil.example", false),
            ("localhost:80@evil.example", false),
            ("127.0.0.1.nip.io", false),
            ("192.168.1.2", false),
            ("[::2]", false),
            ("[::1]evil", false),
            ("", false),
        ] {
            let status = outcome(&Method::GET, &[("host", host)]);
            assert_eq!(status == 200, own, "{host}: {status}");
        }
        assert_eq!(outcome(&Method::GET, &[]), 421);
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(outcome(&Method::GET, &twice), 421);
    }

    #[test]
    fn a_write_comes_from_the_own_origin_with_the_guard_header() {
        let own = [("host", "localhost:1"), ("x-fieldgate", "1")];
        let json = ("content-type", "application/json; charset=utf-8");
        for (more, expected) in [
            (vec![], 200),
            (vec![("content-length", "2"), json], 200),
            (vec![("content-length", "2")], 403),
            (
                vec![("content-length", "2"), ("content-type", "text/plain")],
                403,
            ),
            (
                vec![("content-type", "application/x-www-form-urlencoded")],
                403,
            ),
            (vec![("transfer-encoding", "chunked")], 403),
            (vec![("origin", "http://localhost:1")], 200),
            (vec![("origin", "http://localhost:2")], 403),
            (vec![("origin", "null")], 403),
            (
                vec![("origin", "http://localhost:1"), ("origin", "http://a")],
                403,
            ),
            (vec![("sec-fetch-site", "same-origin")], 200),
            (vec![("sec-fetch-site", "same-site")], 403),
            (vec![("sec-fetch-site", "cross-site")], 403),
        ] {
            let headers: Vec<_> = own.iter().chain(&more).copied().collect();
            for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
                assert_eq!(outcome(&method, &headers), expected, "{more:?}");
            }
        }
        assert_eq!(outcome(&Method::POST, &[("host", "localhost")]), 403);
    }

    #[test]
    fn a_foreign_page_cannot_upgrade() {
        let upgrade = [("host", "localhost:1"), ("upgrade", "websocket")];
        let foreign = [upgrade[0], upgrade[1], ("origin", "http://evil.example")];
        assert_eq!(outcome(&Method::GET, &upgrade), 200);
        assert_eq!(outcome(&Method::GET, &foreign), 403);
    }
}
