//! What does not work is told in words on the unit's page, and what was changed is all that is restarted.

use fieldgate_api::{
    endpoint::{GetQueue, GetSource, RetryDestination},
    state::Level,
};
use fieldgate_tests::{
    broker::{Broker, Listener},
    gateway::{self, Gateway},
    opcua_server::{OpcUaServer, Options},
    port,
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};

use crate::line;

#[test]
fn a_password_that_the_broker_refuses() {
    let folder = gateway::folder();
    let listener = Listener::with_password("line-4", "right", folder.path());
    let broker = Broker::with(&[listener]);
    let password = folder.path().join("password");
    std::fs::write(&password, "wrong").unwrap();
    let url = format!("mqtt://127.0.0.1:{}", broker.ports[0]);
    let config = format!(
        "{}\n[destination.user]\nname = \"line-4\"\npassword = {{ file = {password:?} }}\n",
        line::destination("broker", &url)
    );
    let gateway = Gateway::start(&config);
    let status = gateway
        .api
        .destination_is("broker", |status| status.level == Level::Bad);
    assert_eq!(status.state, "refused");
    assert!(status.words.contains("user.password"), "{}", status.words);

    std::fs::write(&password, "right").unwrap();
    gateway
        .api
        .call::<RetryDestination>(&["broker"], &())
        .unwrap();
    gateway
        .api
        .destination_is("broker", |status| status.level == Level::Good);
}

#[test]
fn an_endpoint_that_nobody_answers() {
    let free = port::free();
    for (id, endpoint, words) in [
        (
            "silent",
            format!("opc.tcp://127.0.0.1:{free}"),
            "refuses the connection; is the OPC UA server running",
        ),
        (
            "unknown",
            "opc.tcp://no-such-host.invalid:4840".to_owned(),
            "no-such-host.invalid",
        ),
    ] {
        let gateway = Gateway::start(&line::source(id, &endpoint));
        let status = gateway.api.source_is(id, |status| status.attempts > 0);
        assert!(status.words.contains(words), "{}", status.words);
        assert_eq!(status.level, Level::Warning);
    }
}

#[test]
fn a_port_that_speaks_something_else() {
    let broker = Broker::start();
    let gateway = Gateway::start(&line::source(
        "line",
        &format!("opc.tcp://127.0.0.1:{}", broker.port),
    ));
    let status = gateway.api.source_is("line", |status| status.attempts > 0);
    assert!(
        status.words.contains("does not answer as an OPC UA server"),
        "{}",
        status.words
    );
}

#[test]
fn a_reload_restarts_only_what_changed() {
    let [one, two] = [(); 2].map(|()| OpcUaServer::start(few()));
    let both = |more: &str| {
        line::source("one", &one.endpoint()) + &line::source("two", &two.endpoint()) + more
    };
    let gateway = Gateway::start(&both(""));
    let [before, _] = ["one", "two"].map(|id| {
        gateway
            .api
            .source_is(id, |status| status.level == Level::Good)
    });
    gateway.reload(&both("sampling_ms = 100\n"));
    gateway.logged(0, &["the configuration was read again"]);
    until(
        "source two to be connected again",
        SOON,
        || match connections(&gateway, "two") {
            2 => Ok(()),
            count => Err(format!("it was connected {count} times")),
        },
    );
    assert_eq!(connections(&gateway, "one"), 1);
    assert_eq!(
        gateway.api.get::<GetSource>(&["one"]).status.since,
        before.since
    );

    gateway.reload(&both("samplig_ms = 100\n"));
    gateway.logged(0, &["fieldgate.toml", "samplig_ms"]);
    gateway.logged(0, &["the last good one stays in force"]);
    assert_eq!(
        gateway.api.get::<GetSource>(&["two"]).status.level,
        Level::Good
    );
}

#[test]
fn a_destination_that_is_removed_takes_its_backlog_along_and_the_ledger_balances() {
    let server = OpcUaServer::start(few());
    let nowhere = format!("mqtt://127.0.0.1:{}", port::free());
    let gateway = Gateway::start(&line::config(&server.endpoint(), &nowhere));
    until_true("a backlog", SOON, || gateway.api.ledger().pending > 20);
    gateway.reload(&line::source("line", &server.endpoint()));
    let sum = until("an empty ledger", SOON, || match gateway.api.ledger() {
        sum if sum.pending == 0 => Ok(sum),
        sum => Err(format!("{sum:?}")),
    });
    assert_eq!(sum.unaccounted, 0, "{sum:?}");
    assert!(gateway.api.get::<GetQueue>(&[]).backlogs.is_empty());
    assert_eq!(
        gateway.api.get::<GetSource>(&["line"]).status.level,
        Level::Good
    );
}

#[test]
fn a_second_route_gets_everything_too_and_its_steps_are_its_own() {
    let server = OpcUaServer::start(few());
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let config = line::config(&server.endpoint(), &broker.url())
        + &line::destination("second", &broker.url())
        + "format = \"json\"\ntopic = \"fieldgate/second/{device}/{point}\"\n"
        + "[[route]]\nid = \"scaled\"\nfrom = [\"line/*/p0\"]\nto = \"second\"\n"
        + "steps = [{ scale = { by = 10, unit = \"mm\" } }, { rename = { from = \"p0\", to = \"length\" } }]\n";
    let gateway = Gateway::start(&config);
    let scaled = subscriber.message("a scaled value", 0, |message| {
        (message.topic == "fieldgate/second/Line/length").then(|| message.json())
    });
    let schema = serde_json::from_str(fieldgate_kit::format::JSON_SCHEMA).unwrap();
    line::assert_valid(&jsonschema::validator_for(&schema).unwrap(), &scaled);
    let at =
        fieldgate_model::Timestamp::parse(scaled["sourceTimestamp"].as_str().unwrap()).unwrap();
    let served =
        fieldgate_tests::opcua_server::value(0, fieldgate_tests::opcua_server::tick(at, 500));
    assert_eq!(
        scaled["value"].as_f64(),
        served.as_f64().map(|value| value * 10.0)
    );
    assert_eq!(scaled["unit"], "mm");
    subscriber.message("the unscaled one", 0, |message| {
        (message.topic == "fieldgate/test/Line/data" && message.json().get("p0").is_some())
            .then_some(())
    });
    assert_eq!(gateway.api.ledger().unaccounted, 0);
}

fn few() -> Options {
    Options {
        nodes: 10,
        ..Options::default()
    }
}

/// How often a source was connected, by the log.
fn connections(gateway: &Gateway, source: &str) -> usize {
    let source = format!("source={source} ");
    let log = gateway.log();
    log.iter()
        .filter(|line| line.contains("connected") && line.contains(&source))
        .count()
}
