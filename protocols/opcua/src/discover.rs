//! What a server at an address offers (GetEndpoints, OPC UA Part 4, 5.5.4), and which others it knows (FindServers): questions
//! without a session, that sign in nowhere.

mod listed;

use fieldgate_kit::{Announcement, Discovered, Way};
use serde_json::{Value as Json, json};

use crate::{
    dial::Target,
    security::{Certificate, Endpoint, Tokens},
    session::{self, Asked, Server},
    settings::{Mode, Policy},
};

const SCHEME: &str = "opc.tcp://";
/// What a source reads when nobody has chosen yet.
const EVERYTHING: &str = "Objects/**";
/// The longest path of a server's address that an announcement may name.
const LONGEST_PATH: usize = 256;

/// Asks the server at an address that a person typed: a URL, or a host with or without a port. Servers that it knows are
/// asked as well where they are on the same machine; the others are only named.
pub(crate) async fn discover(address: &str) -> Result<Vec<Discovered>, String> {
    let url = url(address);
    let target = Target::of(&url)?;
    let addresses = target.resolve().await?;
    let stream = target.connect(&addresses).await?;
    let here = stream.peer_addr().ok().map(|peer| peer.ip());
    let asked = session::servers(stream, &url).await.map_err(|why| {
        format!("{url} does not answer as an OPC UA server: {why}; is it one, and is it ready?")
    })?;
    let Asked { endpoints, listed } = asked;
    let mut found = servers(&url, &endpoints);
    let others = listed::others(&mut found, listed);
    if let Some(here) = here {
        found.extend(listed::ask(others, &target.host, here).await);
    }
    Ok(found)
}

/// The address of a server that announced itself: its path is in the TXT record (OPC UA Part 12, Annex C).
pub(crate) fn announced(announcement: &Announcement, at: std::net::IpAddr) -> String {
    let path = announcement.text.get("path").map_or("", String::as_str);
    let plain = path.len() <= LONGEST_PATH && path.chars().all(|c| c.is_ascii_graphic());
    let path = match path.trim_start_matches('/') {
        path if path.is_empty() || !plain => String::new(),
        path => format!("/{path}"),
    };
    let at = std::net::SocketAddr::new(at, announcement.port);
    format!("{SCHEME}{at}{path}")
}

/// Host and port; the path is often written by one side only.
pub(crate) fn place(url: &str) -> Option<String> {
    let target = Target::of(url).ok()?;
    Some(format!(
        "{} {}",
        target.host.to_ascii_lowercase(),
        target.port
    ))
}

fn url(address: &str) -> String {
    let address = address.trim();
    match address.contains("://") {
        true => address.to_owned(),
        false => format!("{SCHEME}{address}"),
    }
}

/// One for each server that is spoken of, with its ways from the strongest on.
fn servers(url: &str, endpoints: &[Endpoint]) -> Vec<Discovered> {
    let mut endpoints: Vec<&Endpoint> = endpoints.iter().collect();
    endpoints.sort_by_key(|endpoint| {
        let strong = endpoint.policy.weakness().is_none();
        std::cmp::Reverse((strong, endpoint.mode, endpoint.policy))
    });
    let mut found: Vec<Discovered> = Vec::new();
    for endpoint in endpoints {
        let Server { name, uri, product } = endpoint.description.server();
        let at = found.iter().position(|server| server.identity == uri);
        let server = match at {
            Some(at) => &mut found[at],
            None => {
                found.push(Discovered {
                    title: if name.is_empty() { uri.clone() } else { name },
                    identity: uri,
                    product,
                    addresses: Vec::new(),
                    ways: Vec::new(),
                    silent: None,
                });
                found.last_mut().expect("it was pushed just now")
            }
        };
        let way = way(url, endpoint);
        if !server.ways.contains(&way) {
            server.ways.push(way);
        }
    }
    found
}

fn way(url: &str, endpoint: &Endpoint) -> Way {
    Way {
        address: url.to_owned(),
        words: words(endpoint),
        needs: needs(endpoint.tokens).map(str::to_owned),
        settings: settings(url, endpoint),
    }
}

fn needs(tokens: Tokens) -> Option<&'static str> {
    match tokens {
        tokens if tokens.anonymous => None,
        tokens if tokens.user_name => Some("a user name and a password"),
        tokens if tokens.certificate => Some("a certificate of the user, with its key"),
        _ => Some("a way to sign in that is not spoken here"),
    }
}

fn words(endpoint: &Endpoint) -> String {
    match (endpoint.policy, &endpoint.certificate) {
        (Policy::None, _) => "no security: everybody on the way can read along".to_owned(),
        (policy @ (Policy::Basic128Rsa15 | Policy::Basic256), _) => format!(
            "{} {}; {}",
            policy.name(),
            endpoint.mode.name(),
            policy.weakness().unwrap_or_default()
        ),
        (
            policy,
            Some(Certificate {
                flaw: Some(flaw), ..
            }),
        ) => {
            format!(
                "{} {}; its certificate has a flaw: {flaw}",
                policy.name(),
                endpoint.mode.name()
            )
        }
        (policy, _) => format!("{} {}", policy.name(), endpoint.mode.name()),
    }
}

fn settings(url: &str, endpoint: &Endpoint) -> Json {
    let security = match (endpoint.policy, endpoint.mode) {
        (Policy::None, _) | (_, Mode::None) => json!({ "policy": endpoint.policy.name() }),
        (policy, mode) => json!({ "policy": policy.name(), "mode": mode.name() }),
    };
    json!({ "endpoint": url, "security": security, "select": [EVERYTHING] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_becomes_a_url() {
        for (typed, expected) in [
            (" plc ", "opc.tcp://plc"),
            ("10.0.0.1:4841", "opc.tcp://10.0.0.1:4841"),
            ("opc.tcp://plc/path", "opc.tcp://plc/path"),
        ] {
            assert_eq!(url(typed), expected);
        }
    }

    #[test]
    fn what_is_missing_for_a_sign_in_is_said() {
        for (anonymous, user_name, certificate, part) in [
            (true, true, false, None),
            (false, true, true, Some("password")),
            (false, false, true, Some("certificate")),
            (false, false, false, Some("not spoken here")),
        ] {
            let tokens = Tokens {
                anonymous,
                user_name,
                certificate,
                ..Tokens::default()
            };
            let needs = needs(tokens);
            assert_eq!(needs.is_some(), part.is_some());
            assert!(part.is_none_or(|part| needs.is_some_and(|words| words.contains(part))));
        }
    }

    #[test]
    fn an_announcement_becomes_an_address() {
        for (port, path, at, expected) in [
            (4840, None, "10.0.0.1", "opc.tcp://10.0.0.1:4840"),
            (
                4841,
                Some("/UA/Line"),
                "10.0.0.1",
                "opc.tcp://10.0.0.1:4841/UA/Line",
            ),
            (4841, Some("UA"), "::1", "opc.tcp://[::1]:4841/UA"),
            (1, Some("/"), "10.0.0.1", "opc.tcp://10.0.0.1:1"),
            (1, Some("/a b\n"), "10.0.0.1", "opc.tcp://10.0.0.1:1"),
            (
                1,
                Some("//evil.example/x"),
                "10.0.0.1",
                "opc.tcp://10.0.0.1:1/evil.example/x",
            ),
        ] {
            let path = path.map(|path| ("path".to_owned(), path.to_owned()));
            let announcement = Announcement {
                port,
                text: path.into_iter().collect(),
                ..Announcement::default()
            };
            assert_eq!(announced(&announcement, at.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_source_is_recognised_by_host_and_port() {
        for (one, other, same) in [
            (
                "opc.tcp://10.0.0.1:4841/other",
                "opc.tcp://10.0.0.1:4841",
                true,
            ),
            ("opc.tcp://plc1:4840", "opc.tcp://PLC1/path", true),
            ("opc.tcp://10.0.0.1", "opc.tcp://10.0.0.1:4841", false),
            ("opc.tcp://plc2", "opc.tcp://plc1", false),
        ] {
            assert_eq!(place(one) == place(other), same, "{one} {other}");
        }
        assert_eq!(place(""), None);
    }

    #[tokio::test]
    async fn an_address_that_names_no_host_is_told() {
        let words = discover("opc.tcp://").await.unwrap_err();
        assert!(words.contains("opc.tcp://"), "{words}");
    }
}
