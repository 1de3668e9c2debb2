//! The guard, generated over the endpoint table: no foreign page can change or read anything, no foreign name is answered.

use fieldgate_api::endpoint::{Method, Row, TABLE};

use crate::{
    client::{Socket, request},
    rig::Rig,
};

/// A row's path with its places filled.
fn filled(row: &Row) -> String {
    let pieces = row.path.split(['{', '}']).enumerate();
    pieces
        .map(|(index, piece)| if index % 2 == 0 { piece } else { "1" })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_changes_nothing() {
    let rig = Rig::start().await;
    let host = rig.address.to_string();
    let host = ("host", host.as_str());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let plain = ("content-type", "text/plain");
    let json = ("content-type", "application/json");
    let guard = ("x-fieldgate", "1");
    let foreign = ("origin", "http://evil.example");
    let site = ("sec-fetch-site", "cross-site");
    for row in TABLE.iter().filter(|row| row.method != Method::Get) {
        for headers in [
            vec![host, form, foreign, site],
            vec![host, plain, foreign],
            vec![host, form],
            vec![host, json],
            vec![host, json, guard, foreign],
            vec![host, json, guard, site],
            vec![host, json, guard, ("origin", "null")],
            vec![host, plain, guard],
        ] {
            for method in [row.method.as_str(), "POST"] {
                let response = request(rig.address, method, &filled(row), &headers, b"{}").await;
                assert_eq!(response.status, 403, "{method} {} {headers:?}", row.path);
                assert_eq!(response.header("access-control-allow-origin"), None);
            }
        }
    }
    assert_eq!(rig.desired.current().config.revision, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_foreign_name_is_answered() {
    let rig = Rig::start().await;
    let others = [
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1/live",
        "/",
        "/index.html",
    ];
    let others = others.map(|path| ("GET", path.to_owned()));
    let rows = TABLE.iter().map(|row| (row.method.as_str(), filled(row)));
    for (method, path) in rows.chain(others) {
        let headers = [("host", "evil.example"), ("x-fieldgate", "1")];
        let response = request(rig.address, method, &path, &headers, b"").await;
        assert_eq!(response.status, 421, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_opens_no_socket() {
    let rig = Rig::start().await;
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        assert_eq!(
            Socket::open(rig.address, origin).await.err(),
            Some(403),
            "{origin}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_strict_headers() {
    let rig = Rig::start().await;
    let host = rig.address.to_string();
    let rows = TABLE.iter().map(|row| (row.method.as_str(), filled(row)));
    let others = ["/", "/metrics", "/api/v1/nothing", "/nothing.js"];
    let others = others.map(|path| ("GET", path.to_owned()));
    for (method, path) in rows.chain(others) {
        for headers in [
            vec![("host", host.as_str())],
            vec![("host", "evil.example")],
        ] {
            let response = request(rig.address, method, &path, &headers, b"").await;
            let csp = response.header("content-security-policy").unwrap();
            assert!(
                !csp.contains("unsafe-inline") && !csp.contains("'unsafe-eval'"),
                "{csp}"
            );
            for directive in [
                "default-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "object-src 'none'",
            ] {
                assert!(csp.contains(directive), "{csp}");
            }
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(response.header(name), Some(value), "{method} {path}");
            }
            assert!(response.header("permissions-policy").is_some());
            assert_eq!(response.header("strict-transport-security"), None);
            if path.starts_with("/api") {
                assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
            }
        }
    }
}
