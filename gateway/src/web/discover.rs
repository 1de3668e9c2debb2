//! Discovery: what answers at an address that a person typed, and could be a source. Nothing is saved, no other machine is asked.

use std::collections::{BTreeSet, HashMap};

use fieldgate_api::{
    discovery::{DiscoverDraft, Found, FoundWay},
    endpoint::DiscoverSources,
};
use fieldgate_kit::{Discovered, SourceKind, Way};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    trial::turn,
    value::shown,
};

use crate::config::SourceConfig;

/// The longest address that is taken; a host's name has at most 253 characters.
const MOST_BYTES: usize = 512;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<DiscoverSources, _, _>(discover);
}

async fn discover(call: Call<DiscoverSources>) -> Answer<DiscoverSources> {
    let DiscoverDraft { kind, address } = &call.body;
    let _turn = turn(&call.shared)?;
    let registry = &call.shared.gateway.registry;
    let source = registry
        .source(kind)
        .ok_or_else(|| Failure::no_such("kind of source", kind))?;
    let address = address.trim();
    if address.is_empty() || address.len() > MOST_BYTES {
        return Err(Failure::Malformed(
            "say where to look: `address` is a host or a URL of at most 512 characters".into(),
        ));
    }
    let found = source.discover(address.to_owned()).await;
    let found = found.map_err(|words| Failure::Unavailable(shown(&words)))?;
    Ok(as_found(&call.shared, source, found))
}

/// With the sources that lead to each of them already. Each source's settings are read once, however many were found.
pub fn as_found(shared: &Shared, kind: &SourceKind, found: Vec<Discovered>) -> Vec<Found> {
    let loaded = shared.desired.current();
    let sources = loaded.config.sources.iter();
    let leading = leading(kind, sources.filter(|source| source.kind == kind.kind));
    let one = |one: Discovered| {
        let there = kind.places_of(&one);
        let sources = there
            .iter()
            .filter_map(|place| leading.get(place))
            .flatten();
        let sources: BTreeSet<String> = sources.map(ToString::to_string).collect();
        found_with(one, sources.into_iter().collect())
    };
    found.into_iter().map(one).collect()
}

/// The sources, by the places where they lead.
fn leading<'a>(
    kind: &SourceKind,
    sources: impl Iterator<Item = &'a SourceConfig>,
) -> HashMap<String, Vec<&'a str>> {
    let mut leading: HashMap<String, Vec<&str>> = HashMap::new();
    for source in sources {
        for place in kind.places(source.settings.clone()) {
            leading.entry(place).or_default().push(&source.id);
        }
    }
    leading
}

fn found_with(found: Discovered, sources: Vec<String>) -> Found {
    let id = id_of(&found.title);
    Found {
        addresses: found
            .addresses
            .iter()
            .map(|address| shown(address))
            .collect(),
        sources,
        silent: found.silent.map(|why| shown(&why)),
        title: shown(&found.title),
        identity: shown(&found.identity),
        product: shown(&found.product),
        ways: found.ways.into_iter().map(as_way).collect(),
        id,
    }
}

fn as_way(way: Way) -> FoundWay {
    FoundWay {
        address: shown(&way.address),
        words: shown(&way.words),
        needs: way.needs,
        settings: way.settings,
    }
}

/// A short name for it: lower-case letters, digits and dashes.
fn id_of(title: &str) -> String {
    const LONGEST: usize = 24;
    let mut id = String::new();
    for c in title.chars().take(200) {
        match c {
            c if c.is_ascii_alphanumeric() => id.push(c.to_ascii_lowercase()),
            _ if id.is_empty() || id.ends_with('-') => {}
            _ => id.push('-'),
        }
    }
    id.truncate(LONGEST);
    id.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use fieldgate_opcua::OpcUa;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_found_knows_the_sources_that_lead_there() {
        let source = |id: &str, endpoint: &str| SourceConfig {
            id: id.into(),
            kind: "opcua".into(),
            paused: false,
            settings: json!({
                "endpoint": endpoint,
                "alternates": ["opc.tcp://spare:4840"],
                "select": ["Objects/**"],
            }),
        };
        let sources = [
            source("a", "opc.tcp://PLC1/path"),
            source("b", "opc.tcp://plc1:4840"),
            source("c", "opc.tcp://plc1:4841"),
        ];
        let kind = SourceKind::of::<OpcUa>();
        let leading = leading(&kind, sources.iter());
        for (address, expected) in [
            ("opc.tcp://plc1:4840", &["a", "b"][..]),
            ("opc.tcp://plc1:4841/x", &["c"]),
            ("opc.tcp://spare", &["a", "b", "c"]),
            ("opc.tcp://other", &[]),
            ("nonsense", &[]),
        ] {
            let found = Discovered {
                title: String::new(),
                identity: String::new(),
                product: String::new(),
                addresses: vec![address.to_owned()],
                ways: Vec::new(),
                silent: None,
            };
            let there = kind.places_of(&found);
            let sources: Vec<&str> = there
                .iter()
                .filter_map(|place| leading.get(place))
                .flatten()
                .copied()
                .collect();
            assert_eq!(sources, expected, "{address}");
        }
    }

    #[test]
    fn a_title_becomes_an_id() {
        for (title, expected) in [
            ("Press 4 (Hall B)", "press-4-hall-b"),
            ("../../etc", "etc"),
            ("日本", ""),
            (
                "A very long name of a server, indeed",
                "a-very-long-name-of-a-se",
            ),
        ] {
            assert_eq!(id_of(title), expected);
        }
    }
}
