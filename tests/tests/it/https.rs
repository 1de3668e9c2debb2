//! A web server that nobody here wrote, nginx, gets everything once by its id, whatever breaks; and its refusals mean what they say.

use std::fs;

use fieldgate_api::{dead::DeadQuery, endpoint::GetDeadLetters, state::Level};
use fieldgate_https::Https;
use fieldgate_kit::SinkError;
use fieldgate_tests::{
    certificates::Authority,
    gateway::{self, Gateway},
    landed,
    link::{Clip, OpenLink},
    nginx::Nginx,
    opcua_server::{OpcUaServer, Options},
    proxy::Proxy,
    wait::{SOON, until, until_true},
};
use serde_json::json;

use crate::line::{self, PATIENCE};

const POINTS: usize = 50;
const PERIOD_MS: i64 = 500;

#[test]
fn nothing_is_missing_and_order_is_kept_when_nginx_is_killed_and_the_network_is_cut() {
    let mut server = OpcUaServer::start(options());
    let mut nginx = Nginx::start();
    let proxy = Proxy::start(nginx.port);
    let url = format!(
        "http://127.0.0.1:{}/up/{{source}}/{{device}}/{{name}}",
        proxy.port
    );
    let mut gateway = Gateway::start(&config(&server.endpoint(), &put(&url)));
    let landed = nginx.root().join("up");
    let first = landed::wait_for(&landed, POINTS, line::moment(0, PERIOD_MS));
    let flow = |later_than: i64| {
        let at = line::moment(later_than / PERIOD_MS + 4, PERIOD_MS);
        landed::wait_for(&landed, POINTS, at).latest().millis()
    };
    let mut latest = first.latest().millis();
    for _ in 0..3 {
        until_true("a connection to cut", SOON, || proxy.cut() > 0);
        latest = flow(latest);
    }
    nginx.kill();
    gateway.api.destination_is("web", |status| {
        status.level != Level::Good && status.attempts > 0
    });
    until_true("a backlog", SOON, || {
        gateway.api.ledger().pending > 4 * POINTS as u64
    });
    nginx.restart();
    latest = flow(latest);
    gateway.kill_and_restart();
    flow(latest);

    let ticks = server.hold();
    landed::wait_for(&landed, POINTS, line::moment(ticks.last, PERIOD_MS));
    let sum = gateway.api.all_acknowledged(PATIENCE);
    let received = landed::received(&landed);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
    for reading in &received.readings {
        line::assert_as_served(reading, PERIOD_MS);
    }
    println!(
        "{} readings in {} files, {} of them more than once",
        received.readings.len(),
        landed::files(&landed, ".json").len(),
        received.repeated
    );
}

#[test]
fn when_nothing_breaks_nothing_comes_twice_and_nothing_is_warned_of() {
    let mut server = OpcUaServer::start(options());
    let folder = gateway::folder();
    let authority = Authority::new("plant", folder.path());
    let pair = authority.server("127.0.0.1");
    let nginx = Nginx::with(Some((&pair, Some(&authority.certificate))));
    let own = authority.client("line-4");
    let url = format!(
        "https://127.0.0.1:{}/up/{{device}}/{{name}}",
        nginx.tls_port
    );
    let settings = format!(
        "{}\n[destination.tls]\nca = {:?}\nclient_certificate = {:?}\nclient_key = {{ file = {:?} }}\n",
        put(&url),
        authority.certificate,
        own.certificate,
        own.key
    );
    let mut gateway = Gateway::start(&config(&server.endpoint(), &settings));
    let landed = nginx.root().join("up");
    let first = landed::wait_for(&landed, POINTS, line::moment(0, PERIOD_MS));
    let later = line::moment(first.latest().millis() / PERIOD_MS + 6, PERIOD_MS);
    landed::wait_for(&landed, POINTS, later);
    let ticks = server.hold();
    landed::wait_for(&landed, POINTS, line::moment(ticks.last, PERIOD_MS));
    let sum = gateway.api.all_acknowledged(PATIENCE);
    let words = gateway
        .api
        .destination_is("web", |status| status.level == Level::Good)
        .words;
    assert!(words.contains("TLS 1.3"), "{words}");
    let received = landed::received(&landed);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
    assert_eq!(received.repeated, 0);
    gateway.stop();
    assert_eq!(gateway.warnings(), Vec::<String>::new());
}

#[test]
fn what_is_refused_for_good_holds_everything_and_says_what_to_do() {
    let nginx = Nginx::start();
    let locked = nginx.url("/locked/{name}");
    for (settings, words) in [
        (put(&locked), "check user, bearer or headers"),
        (post(&nginx.url("/status/403")), "the rig says 403"),
        (post(&nginx.url("/status/404")), "check the path of the url"),
        (
            post(&nginx.url("/status/405")),
            "set method to what it takes",
        ),
        (post(&nginx.url("/away/")), "sends us to http://127.0.0.1"),
    ] {
        let server = OpcUaServer::start(options());
        let gateway = Gateway::start(&config(&server.endpoint(), &settings));
        let status = gateway
            .api
            .destination_is("web", |status| status.level == Level::Bad);
        assert!(status.words.contains(words), "{}", status.words);
        assert_eq!(status.state, "refused");
        let sum = gateway.api.ledger();
        assert_eq!((sum.acked, sum.dead_lettered, sum.unaccounted), (0, 0, 0));
    }
    // The right password opens it.
    let mut server = OpcUaServer::start(options());
    let folder = gateway::folder();
    let password = folder.path().join("password");
    fs::write(&password, "right").unwrap();
    let user = format!("user = {{ name = \"line-4\", password = {{ file = {password:?} }} }}\n");
    let gateway = Gateway::start(&config(&server.endpoint(), &(put(&locked) + &user)));
    landed::wait_for(
        &nginx.root().join("locked"),
        POINTS,
        line::moment(0, PERIOD_MS),
    );
    server.hold();
    gateway.api.all_acknowledged(PATIENCE);
}

#[test]
fn f44_a_server_that_is_busy_is_asked_when_it_says_and_what_is_too_large_goes_in_halves() {
    let nginx = Nginx::start();
    for status in [429, 503] {
        let server = OpcUaServer::start(options());
        let settings = post(&nginx.url(&format!("/status/{status}")));
        let gateway = Gateway::start(&config(&server.endpoint(), &settings));
        let asked = format!("/status/{status} ");
        let tries = || {
            nginx
                .requests()
                .iter()
                .filter(|line| line.contains(&asked))
                .count()
        };
        until_true("it to be asked again", SOON, || tries() >= 3);
        let sum = gateway.api.ledger();
        assert_eq!((sum.acked, sum.dead_lettered, sum.unaccounted), (0, 0, 0));
        // One link, on which it waits as it was told.
        assert_eq!(gateway.warnings(), Vec::<String>::new());
    }
    let mut server = OpcUaServer::start(options());
    let settings = put(&nginx.url("/small/{name}"));
    let gateway = Gateway::start(&config(&server.endpoint(), &settings));
    let landed = nginx.root().join("small");
    landed::wait_for(&landed, POINTS, line::moment(0, PERIOD_MS));
    let ticks = server.hold();
    landed::wait_for(&landed, POINTS, line::moment(ticks.last, PERIOD_MS));
    let sum = gateway.api.all_acknowledged(PATIENCE);
    assert!(nginx.requests().iter().any(|line| line.ends_with(" 413")));
    let received = landed::received(&landed);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
}

#[test]
fn a_reading_that_the_server_never_takes_is_a_dead_letter_in_its_words() {
    let nginx = Nginx::start();
    let server = OpcUaServer::start(Options {
        nodes: 1,
        ..options()
    });
    let settings = post(&nginx.url("/status/422"));
    let gateway = Gateway::start(&config(&server.endpoint(), &settings));
    let groups = until("a dead letter", PATIENCE, || {
        let dead = gateway
            .api
            .call::<GetDeadLetters>(&[], &DeadQuery::default());
        match dead {
            Ok(dead) if !dead.groups.is_empty() => Ok(dead.groups),
            other => Err(format!("{other:?}")),
        }
    });
    let reason = &groups[0].reason;
    assert!(
        reason.contains("422 Unprocessable Content: the rig says 422"),
        "{reason}"
    );
}

#[tokio::test]
async fn nginx_takes_no_ranges_and_that_is_told() {
    let nginx = Nginx::start();
    let folder = gateway::folder();
    let clip = Clip::new("gate.mp4", 10_000, 5_000);
    let settings = json!({
        "url": nginx.url("/up/{name}"), "files": nginx.url("/up/{name}"), "parts": "ranges", "allow_local": true,
    });
    let mut link = OpenLink::connect::<Https>(settings, folder.path())
        .await
        .unwrap();
    let refused = link.send(&clip.parts[..1]).await;
    let Err(SinkError::Denied(words)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        words.contains("501 Not Implemented") && words.contains("parts to \"objects\""),
        "{words}"
    );
}

fn options() -> Options {
    Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    }
}

/// The line's points to a web server.
fn config(endpoint: &str, destination: &str) -> String {
    format!(
        "[gateway]\nname = \"test\"\n{}\n[[route]]\nid = \"everything\"\nfrom = [\"line/**\"]\nto = \"web\"\n{destination}",
        line::source("line", endpoint)
    )
}

fn post(url: &str) -> String {
    format!(
        "[[destination]]\nid = \"web\"\nkind = \"https\"\nurl = \"{url}\"\nallow_local = true\n"
    )
}

fn put(url: &str) -> String {
    post(url) + "method = \"PUT\"\n"
}
