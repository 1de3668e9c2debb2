//! URLs as people write them, and values that stay one level of a path.

use fieldgate_kit::topic::TopicValues;

use super::*;

fn template(text: &str) -> UrlTemplate {
    text.parse().unwrap()
}

#[test]
fn urls_are_read_as_people_write_them() {
    for (text, server, beginning) in [
        ("https://host", "https://host", "/"),
        ("https://host:443/a/b", "https://host", "/a/b"),
        ("HTTPS://Host/a/{device}", "https://host", "/a/"),
        ("http://[::1]:80/a{device}/x", "http://[::1]", "/"),
        (
            "http://10.0.0.1:8080/a?k=1",
            "http://10.0.0.1:8080",
            "/a?k=1",
        ),
        ("https://host?k={device}", "https://host", "/"),
    ] {
        let template = template(text);
        assert_eq!(template.server().to_string(), server);
        assert_eq!(template.beginning(), beginning, "{text}");
    }
}

#[test]
fn every_way_to_write_an_address_is_the_address() {
    for text in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ] {
        let server = template(&format!("http://{text}/")).server;
        let ip = server.ip().map(|ip| ip.to_canonical().to_string());
        assert_eq!(ip.as_deref(), Some("127.0.0.1"), "{text}");
        assert!(server.is_loopback(), "{text}");
    }
    assert!(template("http://a.localhost/").server.is_loopback());
    assert!(!template("http://localhost.plant/").server.is_loopback());
}

#[test]
fn values_are_encoded_so_that_they_stay_one_level() {
    let values = |device| PathValues {
        of: TopicValues {
            device,
            ..TopicValues::default()
        },
        name: "a b.jpg",
        ..PathValues::default()
    };
    for (device, expected) in [
        ("Hall%2FDoor", "/in/Hall/Door/a%20b.jpg?x=%61"),
        ("..%2F..%2Fetc", "/in/..%252F..%252Fetc/a%20b.jpg?x=%61"),
        ("..", "/in/%252E./a%20b.jpg?x=%61"),
        ("a?b#c&d", "/in/a%3Fb%23c%26d/a%20b.jpg?x=%61"),
        ("Öl", "/in/%C3%96l/a%20b.jpg?x=%61"),
    ] {
        let url = template("https://h/in/{device}/{name}?x=%61");
        assert_eq!(url.target(&values(device)), expected);
    }
}

#[test]
fn what_is_no_template_is_explained() {
    for (text, words) in [
        ("host/path", "does not begin with https://"),
        ("ftp://host/", "`ftp` is no way"),
        ("https:///a", "is no URL"),
        ("https://me:secret@host/", "holds credentials"),
        ("https://host/#a", "fragment"),
        ("https://{device}/", "where the server is named"),
        ("https://host/a b", "percent-encode it"),
        ("https://host/a\\b", "percent-encode it"),
        ("https://host/a/../b", "no levels"),
        ("https://host/%2e%2E/b", "no levels"),
        ("https://host/{devise}", "no placeholder"),
        ("https://host:99999/", "is no URL"),
    ] {
        let error = text.parse::<UrlTemplate>().unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
