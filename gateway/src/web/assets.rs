//! The console's files, embedded and compressed at build time, and what is answered where nothing is mounted.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        Method,
        header::{self, HeaderMap},
    },
};

use super::error::Failure;

/// One file of the console.
pub struct Asset {
    /// As in the URL: `/index.html`.
    pub path: &'static str,
    pub content_type: &'static str,
    /// Weak, quotes included: it holds for all three codings.
    pub etag: &'static str,
    pub identity: &'static [u8],
    /// Empty where compression does not pay.
    pub gzip: &'static [u8],
    /// The same.
    pub brotli: &'static [u8],
    /// The file's name carries a hash of its content.
    pub immutable: bool,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const PAGE: &str = "/index.html";
/// Names with these endings are files and never pages of the console.
const FILE_ENDINGS: [&str; 12] = [
    ".js",
    ".css",
    ".wasm",
    ".map",
    ".json",
    ".webmanifest",
    ".svg",
    ".png",
    ".ico",
    ".woff2",
    ".txt",
    ".html",
];

/// A file of the console, a page of the console, or the news that there is nothing.
pub async fn fallback(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let found = reads.then(|| find(path)).flatten();
    match found {
        Some(asset) => answer(asset, request.headers()),
        None => Failure::NotFound(format!(
            "there is no {} {}; /api/v1/openapi.json lists what there is",
            request.method(),
            path.escape_debug()
        ))
        .error_response(),
    }
}

/// The file at a path; the console's one page for every path that the console itself knows.
fn find(path: &str) -> Option<&'static Asset> {
    let at = |path: &str| {
        let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
        ASSETS.get(index)
    };
    let is_api = path == "/api" || path.starts_with("/api/");
    let is_file = FILE_ENDINGS.iter().any(|ending| path.ends_with(ending));
    match at(path) {
        Some(asset) => Some(asset),
        None if is_api || is_file => None,
        None => at(PAGE),
    }
}

fn answer(asset: &'static Asset, headers: &HeaderMap) -> HttpResponse {
    let caching = match asset.immutable {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let mut response = match is_known(asset, headers) {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::ETAG, asset.etag))
        .insert_header((header::VARY, "accept-encoding"));
    if is_known(asset, headers) {
        return response.finish();
    }
    let (coding, bytes) = choose(asset, headers);
    if let Some(coding) = coding {
        response.insert_header((header::CONTENT_ENCODING, coding));
    }
    response.content_type(asset.content_type).body(bytes)
}

/// RFC 9110, 13.1.2: weak comparison, which for our own weak tags is equality.
fn is_known(asset: &Asset, headers: &HeaderMap) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || strong(tag) == strong(asset.etag))
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn choose(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let accepted: Vec<&str> = headers
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accepted = accepted.join(",");
    [("br", asset.brotli), ("gzip", asset.gzip)]
        .into_iter()
        .find(|(coding, bytes)| !bytes.is_empty() && accepts(&accepted, coding))
        .map_or((None, asset.identity), |(coding, bytes)| {
            (Some(coding), bytes)
        })
}

/// RFC 9110, 12.5.3: a coding is refused by `q=0`.
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    static SAMPLE: Asset = Asset {
        path: "/a.js",
        content_type: "text/javascript",
        etag: "W/\"1\"",
        identity: b"identity",
        gzip: b"gzip",
        brotli: b"",
        immutable: false,
    };

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn the_best_coding_that_both_have_is_chosen() {
        for (accepted, expected) in [
            ("", None),
            ("br", None),
            ("gzip, deflate, br", Some("gzip")),
            ("GZIP;q=0.5", Some("gzip")),
            ("gzip;q=0", None),
        ] {
            let headers = headers(header::ACCEPT_ENCODING, accepted);
            assert_eq!(choose(&SAMPLE, &headers).0, expected, "{accepted}");
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        for (tags, known) in [
            ("W/\"1\"", true),
            ("\"1\"", true),
            ("\"0\", W/\"1\"", true),
            ("*", true),
            ("\"2\"", false),
        ] {
            let headers = headers(header::IF_NONE_MATCH, tags);
            assert_eq!(is_known(&SAMPLE, &headers), known, "{tags}");
        }
    }

    #[test]
    fn pages_of_the_console_are_one_page_and_the_api_has_none() {
        for (path, expected) in [
            ("/", Some(PAGE)),
            ("/devices/press%2FLine.1", Some(PAGE)),
            ("/index.html", Some(PAGE)),
            ("/api/v1/nothing", None),
            ("/api", None),
            ("/nothing.js", None),
            ("/../../etc/passwd.txt", None),
        ] {
            assert_eq!(find(path).map(|asset| asset.path), expected, "{path}");
        }
    }
}
