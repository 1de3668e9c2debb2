//! Finding OPC UA servers: those that one at an address knows, those that announce themselves, and those in a range.

use std::{net::TcpListener, path::Path, process::Output};

use fieldgate_api::{
    discovery::{DiscoverDraft, Found, SearchDraft, SearchView},
    endpoint::{DiscoverSources, GetSearch, GetSearches, PreviewSearch, StartSearch, StopSearch},
};
use fieldgate_tests::{
    discovery_peers::{Listing, Responder},
    gateway::{self, Gateway},
    opcua_server::{OpcUaServer, Options},
    wait::{SOON, until},
};

const NOTHING: &str = "[gateway]\nname = \"test\"\n";

fn few() -> Options {
    Options {
        nodes: 1,
        ..Options::default()
    }
}

fn scan(range: &str, ports: &[u16]) -> SearchDraft {
    SearchDraft {
        kind: "opcua".to_owned(),
        range: Some(range.to_owned()),
        ports: ports.to_vec(),
        public: false,
    }
}

#[track_caller]
fn named<'a>(found: &'a [Found], title: &str) -> &'a Found {
    let one = found.iter().find(|one| one.title == title);
    one.unwrap_or_else(|| panic!("{title} is not among {found:?}"))
}

#[track_caller]
fn searched(gateway: &Gateway, draft: &SearchDraft) -> SearchView {
    let started = gateway.api.call::<StartSearch>(&[], draft).unwrap();
    until("the search's end", SOON, || {
        let view = gateway.api.get::<GetSearch>(&[&started.id]);
        match view.state.as_str() {
            "running" => Err(format!("{} of {}", view.done, view.all)),
            _ => Ok(view),
        }
    })
}

fn discover(gateway: &Gateway, words: &[&str]) -> Output {
    let state = gateway.state();
    let mut all = vec!["discover"];
    all.extend(words);
    all.extend(["--state", state.to_str().unwrap()]);
    gateway::fieldgate(&all, Path::new("/")).1
}

#[test]
fn a_discovery_server_tells_whom_it_knows() {
    let (listing, gateway) = (Listing::start(), Gateway::start(NOTHING));
    let draft = DiscoverDraft {
        kind: "opcua".to_owned(),
        address: listing.address(),
    };
    let found = gateway.api.call::<DiscoverSources>(&[], &draft).unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    let lists = named(&found, "lists");
    assert_eq!(lists.identity, "urn:fieldgate:test:lists");
    assert_eq!(
        lists.addresses,
        [format!("opc.tcp://{}", listing.address())]
    );
    assert!(lists.ways.iter().all(|way| way.needs.is_none()));

    // On the same machine, so it was asked what it offers.
    let registers = named(&found, "registers");
    assert_eq!(registers.identity, "urn:fieldgate:test:registers");
    assert!(
        registers.ways[0].address.ends_with(&listing.other()),
        "{registers:?}"
    );
    assert_eq!(registers.silent, None);

    // Somebody else's machine is named, and not asked.
    let elsewhere = named(&found, "elsewhere");
    assert!(elsewhere.ways.is_empty());
    let why = elsewhere.silent.as_deref().unwrap();
    assert!(
        why.contains("was not asked") && why.contains("192.0.2.77"),
        "{why}"
    );
    let gone = named(&found, "gone");
    assert!(
        gone.silent
            .as_deref()
            .unwrap()
            .contains("refuses the connection")
    );

    let text = discover(&gateway, &[&listing.address()]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("registers\n  identity: urn:fieldgate:test:registers"),
        "{text}"
    );
    assert!(
        text.contains("no way in: it is on another machine"),
        "{text}"
    );
}

#[test]
fn a_server_that_announces_itself_is_found_among_those_that_pretend() {
    let server = OpcUaServer::start(few());
    let _responder = Responder::start(server.port());
    let gateway = Gateway::start(NOTHING);
    let question = SearchDraft {
        range: None,
        ..scan("", &[])
    };
    let scope = gateway.api.call::<PreviewSearch>(&[], &question).unwrap();
    assert_eq!((scope.connections, scope.public), (0, false));
    assert!(scope.words.contains("_opcua-tcp._tcp"), "{}", scope.words);

    let view = searched(&gateway, &question);
    assert_eq!(view.state, "done");
    let at = server.endpoint();
    let line = view.found.iter().find(|one| !one.ways.is_empty());
    let line = line.unwrap_or_else(|| panic!("{view:?}"));
    assert_eq!(line.ways[0].address, at);
    let gone = named(&view.found, "Gone");
    assert!(gone.ways.is_empty() && gone.silent.is_some(), "{gone:?}");
    // An address that is nobody's neighbour is not asked, whoever announces it.
    assert!(
        !view.found.iter().any(|one| one.title == "Somebody else"),
        "{view:?}"
    );
    assert!(
        view.silent[0].contains("one announcement was passed over"),
        "{view:?}"
    );

    let text = discover(&gateway, &["--mdns"]);
    assert!(text.status.success());
    assert!(
        String::from_utf8_lossy(&text.stdout).contains(&at),
        "{text:?}"
    );
}

#[test]
fn a_range_is_scanned_once_its_scope_is_known() {
    let (one, two) = (OpcUaServer::start(few()), OpcUaServer::start(few()));
    let ports = [one.port(), two.port()];
    // Somebody listens there who is no OPC UA server.
    let _other = TcpListener::bind(("127.0.0.2", one.port())).unwrap();
    let gateway = Gateway::start(&format!(
        "{NOTHING}[[source]]\nid = \"known\"\nkind = \"opcua\"\npaused = true\nendpoint = \"{}\"\nsecurity = {{ policy = \"None\" }}\nselect = [\"Objects/**\"]\n",
        two.endpoint()
    ));
    let draft = scan("127.0.0.0/29", &ports);
    let scope = gateway.api.call::<PreviewSearch>(&[], &draft).unwrap();
    assert_eq!(
        (scope.addresses, scope.connections, scope.public),
        (6, 12, false)
    );
    assert!(
        scope
            .words
            .contains("one TCP connection to each, 12 in all"),
        "{}",
        scope.words
    );
    assert!(gateway.api.get::<GetSearches>(&[]).is_empty());

    let view = searched(&gateway, &draft);
    assert_eq!((view.done, view.all, view.state.as_str()), (12, 12, "done"));
    assert_eq!(view.found.len(), 2, "{view:?}");
    for port in ports {
        let at = format!("opc.tcp://127.0.0.1:{port}");
        let found = view.found.iter().find(|one| one.ways[0].address == at);
        let found = found.unwrap_or_else(|| panic!("{at} is not in {view:?}"));
        let sources: &[&str] = if port == two.port() { &["known"] } else { &[] };
        assert_eq!(found.sources, sources);
    }
    assert_eq!(view.silent.len(), 1, "{view:?}");
    assert!(view.silent[0].contains("127.0.0.2"), "{view:?}");

    let both = ports.map(|port| port.to_string());
    let words = [
        "--scan",
        "127.0.0.0/29",
        "--port",
        &both[0],
        "--port",
        &both[1],
    ];
    let asked = discover(&gateway, &words);
    assert_eq!(asked.status.code(), Some(2), "nobody said yes: {asked:?}");
    let text = discover(&gateway, &[&words[..], &["--yes", "-o", "json"]].concat());
    assert!(
        String::from_utf8_lossy(&text.stderr).contains("12 in all"),
        "{text:?}"
    );
    let found: Vec<Found> = serde_json::from_slice(&text.stdout).unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn a_scan_keeps_within_its_bounds_and_can_be_stopped() {
    let gateway = Gateway::start(NOTHING);
    let refused = |draft: SearchDraft| {
        let trouble = gateway.api.call::<StartSearch>(&[], &draft).unwrap_err();
        (trouble.status, trouble.detail)
    };
    for (range, part) in [
        ("10.0.0.0/8", "more than 4096 addresses"),
        ("nonsense", "is no address"),
        ("8.8.8.0/28", "public addresses"),
        ("224.0.0.0/28", "no machine has"),
    ] {
        let (status, words) = refused(scan(range, &[]));
        assert!(
            status == 400 && words.contains(part),
            "{range}: {status} {words}"
        );
    }
    // Loopback refuses at once, so a /20 takes as long as the pace says: much longer than this test.
    let started = gateway
        .api
        .call::<StartSearch>(&[], &scan("127.9.0.0/20", &[1]));
    let started = started.unwrap();
    let (status, words) = refused(scan("127.0.0.1", &[1]));
    assert!(
        status == 503 && words.contains("another search"),
        "{status} {words}"
    );
    let before = until("the search's progress", SOON, || {
        let view = gateway.api.get::<GetSearch>(&[&started.id]);
        if view.done > 0 {
            Ok(view)
        } else {
            Err("nobody was asked")
        }
    });
    assert!(before.done < before.all, "{before:?}");
    let stopped = gateway.api.call::<StopSearch>(&[&started.id], &()).unwrap();
    assert_eq!(stopped.state, "stopped");
    let next = searched(&gateway, &scan("127.0.0.1", &[1]));
    assert_eq!((next.done, next.found.len()), (1, 0));
    let all = gateway.api.get::<GetSearches>(&[]);
    let states: Vec<&str> = all.iter().map(|view| view.state.as_str()).collect();
    assert_eq!(states, ["done", "stopped"]);
}
