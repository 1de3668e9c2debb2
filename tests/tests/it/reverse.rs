//! asyncua behind a firewall: it connects to the gateway by itself, signed and encrypted; strangers are sent away.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use fieldgate_api::state::Level;
use fieldgate_tests::{
    broker::Broker,
    gateway::Gateway,
    opcua_server::{OpcUaServer, Options},
    port,
    received::Received,
    relay::Relay,
    subscriber::Subscriber,
};

use crate::line;

const POINTS: usize = 10;
const URI: &str = "urn:fieldgate:test:server";

#[test]
fn a_server_that_connects_by_itself_is_read_like_any_other() {
    let server = OpcUaServer::start(Options {
        nodes: POINTS,
        secure: true,
        ..Options::default()
    });
    let (broker, listen) = (Broker::start(), port::free());
    let subscriber = Subscriber::start(broker.port);
    let config = line::config(&server.endpoint(), &broker.url()).replace(
        "security = { policy = \"None\" }",
        &format!("reverse = {{ listen = \"127.0.0.1:{listen}\", server_uri = \"{URI}\" }}"),
    );
    let gateway = Gateway::start(&config);
    let api = &gateway.api;
    api.source_is("line", |status| {
        status.words.starts_with(&format!(
            "waits for the server {URI} to connect to 127.0.0.1:{listen}, since"
        ))
    });
    let mut stranger = TcpStream::connect(("127.0.0.1", listen)).unwrap();
    stranger
        .write_all(b"RHEF\x10\0\0\0\0\0\0\0\0\0\0\0")
        .unwrap();
    let mut told = Vec::new();
    stranger.read_to_end(&mut told).unwrap();
    assert!(told.starts_with(b"ERRF"), "{told:?}");

    let relay = Relay::start(server.port(), listen, URI, &server.endpoint());
    let mut received = Received::default();
    received.wait_for(&subscriber, POINTS, line::moment(0, 500));
    let status = api.source_is("line", |status| {
        status.level == Level::Good && status.words.contains("it connected by itself")
    });
    assert!(
        status.words.contains("another one was sent away"),
        "{}",
        status.words
    );
    let before = received.latest().millis();
    relay.cut();
    received.wait_for(&subscriber, POINTS, line::moment(before / 500 + 4, 500));
    for reading in &received.readings {
        line::assert_as_served(reading, 500);
    }
    received.assert_order();
}
