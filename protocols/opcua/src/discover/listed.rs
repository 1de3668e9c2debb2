//! Servers that a server knows of. It may name any machine of the world, so only its own is asked; a person decides about the rest.

use std::{
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, LazyLock},
    time::Duration,
};

use fieldgate_kit::Discovered;
use futures::{StreamExt, stream};
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

use super::servers;
use crate::{
    dial::Target,
    session::{self, Listed},
};

/// Servers of the machine that are asked; all of them at once.
const MOST_ASKED: usize = 8;
/// How long each may take, all in all.
const PATIENCE: Duration = Duration::from_secs(4);

/// Where a server is, seen from the one that knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// On the same machine, at this URL.
    Here(String),
    Elsewhere(String),
    Unsaid,
}

/// Adds to what was found where it says that it is, and hands back the servers beyond it.
pub(super) fn others(found: &mut [Discovered], listed: Vec<Listed>) -> Vec<Listed> {
    let mut others = Vec::new();
    for one in listed {
        let same = found
            .iter_mut()
            .find(|known| known.identity == one.server.uri);
        match same {
            Some(known) if one.only_lists => {
                known.addresses = one.urls;
                known.silent = Some(ONLY_LISTS.to_owned());
                known.ways.clear();
            }
            Some(known) => known.addresses = one.urls,
            None => others.push(one),
        }
    }
    others
}

const ONLY_LISTS: &str =
    "it is a discovery server: it knows which servers there are, and has no values of its own";

/// Asks those that are on the machine `here`, which was called `host`; the rest is only named.
pub(super) async fn ask(listed: Vec<Listed>, host: &str, here: IpAddr) -> Vec<Discovered> {
    let asks = listed
        .into_iter()
        .enumerate()
        .map(|(place, one)| async move {
            if place >= MOST_ASKED {
                return silent(
                    one,
                    "it was not asked, since there are too many here".to_owned(),
                );
            }
            let asked = timeout(PATIENCE, find(&one, host, here)).await;
            let asked = asked.unwrap_or_else(|_| {
                Err(format!(
                    "it does not answer within {} s",
                    PATIENCE.as_secs()
                ))
            });
            match asked {
                Ok(found) => Discovered {
                    addresses: one.urls,
                    ..found
                },
                Err(why) => silent(one, why),
            }
        });
    stream::iter(asks).buffered(MOST_ASKED).collect().await
}

/// The server as it answers, or why it was not asked or does not answer.
async fn find(one: &Listed, host: &str, here: IpAddr) -> Result<Discovered, String> {
    if one.only_lists {
        return Err(ONLY_LISTS.to_owned());
    }
    let mut why = "it does not say where it is".to_owned();
    for url in &one.urls {
        match place(url, host, here).await {
            Place::Here(url) => match answer(&url, here, &one.server.uri).await {
                Ok(found) => return Ok(found),
                Err(words) => why = words,
            },
            Place::Elsewhere(url) => {
                why = format!("it is on another machine, which was not asked; look there: {url}");
            }
            Place::Unsaid => {}
        }
    }
    Err(why)
}

async fn answer(url: &str, here: IpAddr, uri: &str) -> Result<Discovered, String> {
    let target = Target::of(url)?;
    let stream = target.connect(&[(here, target.port).into()]).await?;
    let endpoints = session::endpoints(stream, url).await;
    let endpoints =
        endpoints.map_err(|why| format!("{url} does not answer as an OPC UA server: {why}"))?;
    let mut found = servers(url, &endpoints);
    match found.iter().position(|known| known.identity == uri) {
        Some(at) => Ok(found.swap_remove(at)),
        None => found
            .pop()
            .ok_or_else(|| format!("{url} answers, but offers no way in that is spoken here")),
    }
}

async fn place(url: &str, host: &str, here: IpAddr) -> Place {
    let Ok(target) = Target::of(url) else {
        return Place::Unsaid;
    };
    let known = match target.host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) if target.host.eq_ignore_ascii_case(host) => vec![here],
        // A name that only the plant's own network knows: the machine that names it is the likeliest.
        Err(_) => addresses(target.host.clone()).await,
    };
    decide(url, &known, here)
}

/// One name after another: a list of names that nobody knows would keep all threads busy that may wait, also after whoever
/// asked is gone.
async fn addresses(host: String) -> Vec<IpAddr> {
    static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));
    let Ok(turn) = Arc::clone(&TURNS).acquire_owned().await else {
        return Vec::new();
    };
    let looking = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), 0).to_socket_addrs();
        drop(turn);
        found.map(|found| found.map(|found| found.ip()).collect())
    });
    match looking.await {
        Ok(Ok(found)) => found,
        _ => Vec::new(),
    }
}

/// `known` is where the URL's host is, as far as anybody knows.
fn decide(url: &str, known: &[IpAddr], here: IpAddr) -> Place {
    if known.contains(&here) {
        return Place::Here(url.to_owned());
    }
    // `localhost`, `0.0.0.0` and names without an address are said from where the server stands.
    let own = |address: &IpAddr| address.is_loopback() || address.is_unspecified();
    match (known.iter().all(own), moved(url, here)) {
        (true, Some(url)) => Place::Here(url),
        (true, None) => Place::Unsaid,
        (false, _) => Place::Elsewhere(url.to_owned()),
    }
}

/// The URL with another host.
fn moved(url: &str, here: IpAddr) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let host = match here {
        IpAddr::V4(here) => here.to_string(),
        IpAddr::V6(here) => format!("[{here}]"),
    };
    url.set_host(Some(&host)).ok()?;
    Some(url.into())
}

fn silent(one: Listed, why: String) -> Discovered {
    let at = one.urls.first().cloned().unwrap_or_default();
    let name = [one.server.name, one.server.uri.clone(), at];
    Discovered {
        title: name
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default(),
        identity: one.server.uri,
        product: one.server.product,
        addresses: one.urls,
        ways: Vec::new(),
        silent: Some(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Server;

    fn here(url: &str) -> Place {
        Place::Here(url.to_owned())
    }

    #[test]
    fn only_the_machine_that_was_asked_is_asked_again() {
        let elsewhere = |url: &str| Place::Elsewhere(url.to_owned());
        for (url, known, expected) in [
            (
                "opc.tcp://plc:4841",
                &["10.0.0.1"][..],
                here("opc.tcp://plc:4841"),
            ),
            (
                "opc.tcp://plc:4841",
                &["10.0.0.9", "10.0.0.1"],
                here("opc.tcp://plc:4841"),
            ),
            (
                "opc.tcp://other:4841",
                &["10.0.0.9"],
                elsewhere("opc.tcp://other:4841"),
            ),
            (
                "opc.tcp://8.8.8.8:53",
                &["8.8.8.8"],
                elsewhere("opc.tcp://8.8.8.8:53"),
            ),
            (
                "opc.tcp://localhost:4841/a",
                &["127.0.0.1", "::1"],
                here("opc.tcp://10.0.0.1:4841/a"),
            ),
            (
                "opc.tcp://0.0.0.0:4841",
                &["0.0.0.0"],
                here("opc.tcp://10.0.0.1:4841"),
            ),
            (
                "opc.tcp://unknown-name:4841",
                &[],
                here("opc.tcp://10.0.0.1:4841"),
            ),
            (
                "opc.tcp://[::]:4841/x",
                &["::"],
                here("opc.tcp://10.0.0.1:4841/x"),
            ),
        ] {
            let known: Vec<IpAddr> = known.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(
                decide(url, &known, "10.0.0.1".parse().unwrap()),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_known_already_gets_its_addresses() {
        let listed = |uri: &str, only_lists| Listed {
            server: Server {
                uri: uri.to_owned(),
                ..Server::default()
            },
            urls: vec![format!("opc.tcp://{uri}")],
            only_lists,
        };
        let found = |uri: &str| Discovered {
            identity: uri.to_owned(),
            ..silent(Listed::default(), String::new())
        };
        let mut found = vec![found("a"), found("lds")];
        let others = others(
            &mut found,
            vec![listed("a", false), listed("b", false), listed("lds", true)],
        );
        assert_eq!(others, [listed("b", false)]);
        assert_eq!(found[0].addresses, ["opc.tcp://a"]);
        assert!(
            found[1]
                .silent
                .as_ref()
                .is_some_and(|why| why.contains("discovery server"))
        );
    }
}
