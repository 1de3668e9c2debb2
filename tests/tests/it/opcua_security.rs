//! Signed and encrypted sessions with asyncua: who may sign in, and which server is trusted.

use fieldgate_api::{endpoint::RetrySource, state::Level};
use fieldgate_tests::{
    broker::Broker,
    gateway::{self, Gateway},
    opcua_server::{OpcUaServer, Options, User},
    received::Received,
    subscriber::Subscriber,
};

use crate::line;

const POINTS: usize = 10;

#[test]
fn signed_encrypted_and_with_a_user_name() {
    let folder = gateway::folder();
    let password = folder.path().join("password");
    std::fs::write(&password, "wrong").unwrap();
    let server = OpcUaServer::start(Options {
        user: Some(User {
            name: "operator",
            password: "right",
        }),
        ..secure()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let config = line::config(&server.endpoint(), &broker.url()).replace(
        "security = { policy = \"None\" }",
        &format!(
            "security = {{ policy = \"Basic256Sha256\", mode = \"SignAndEncrypt\" }}\n\
             user = {{ name = \"operator\", password = {{ file = {password:?} }} }}"
        ),
    );
    let gateway = Gateway::start(&config);
    let status = gateway
        .api
        .source_is("line", |status| status.level == Level::Bad);
    assert_eq!(status.state, "refused");
    assert!(
        status.words.contains("does not let operator in"),
        "{}",
        status.words
    );
    assert!(!status.words.contains("wrong"), "{}", status.words);

    std::fs::write(&password, "right").unwrap();
    gateway.api.call::<RetrySource>(&["line"], &()).unwrap();
    let mut received = Received::default();
    received.wait_for(&subscriber, POINTS, line::moment(0, 500));
    let before = received.latest().millis();
    received.wait_for(&subscriber, POINTS, line::moment(before / 500 + 2, 500));
    for reading in &received.readings {
        line::assert_as_served(reading, 500);
    }
    received.assert_order();
    assert!(gateway.log().iter().all(|line| !line.contains("right\"")));
}

#[test]
fn a_server_that_shows_another_certificate_than_before() {
    let mut server = OpcUaServer::start(secure());
    // Without a word about security: the strongest that both sides offer.
    let config =
        line::source("line", &server.endpoint()).replace("security = { policy = \"None\" }\n", "");
    let gateway = Gateway::start(&config);
    gateway
        .api
        .source_is("line", |status| status.level == Level::Good);
    server.restart(secure());
    gateway.api.source_is("line", |status| {
        status.level == Level::Good && status.attempts > 0
    });
    server.restart(Options {
        certificate: "renewed",
        ..secure()
    });
    let status = gateway
        .api
        .source_is("line", |status| status.level == Level::Bad);
    assert_eq!(status.state, "refused");
    assert!(
        status.words.contains("another certificate than before"),
        "{}",
        status.words
    );
    assert!(
        status.words.contains("on the Trust page"),
        "{}",
        status.words
    );
}

#[test]
fn a_server_without_security_is_used_only_when_that_is_said() {
    let server = OpcUaServer::start(Options {
        secure: false,
        ..secure()
    });
    let config =
        line::source("line", &server.endpoint()).replace("security = { policy = \"None\" }\n", "");
    let gateway = Gateway::start(&config);
    let status = gateway
        .api
        .source_is("line", |status| status.level == Level::Bad);
    assert!(status.words.contains("None"), "{}", status.words);
}

fn secure() -> Options {
    Options {
        nodes: POINTS,
        secure: true,
        ..Options::default()
    }
}
