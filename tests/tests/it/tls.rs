//! Every way to a broker: TLS, client certificates, WebSocket, MQTT 3.1.1; and what others see of the gateway there.

use fieldgate_api::state::Level;
use fieldgate_kit::format::{AIO_JSON_SCHEMA, CLOUD_EVENT_SCHEMA};
use fieldgate_tests::{
    broker::{Broker, Listener},
    certificates::{Authority, Pair},
    gateway::{self, Gateway},
    opcua_server::{OpcUaServer, Options},
    proxy::Proxy,
    received::Received,
    subscriber::Subscriber,
};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::line;

const POINTS: usize = 10;

/// Authorities, a server's certificate, and the folder that they lie in.
struct Certificates {
    folder: TempDir,
    authority: Authority,
    server: Pair,
}

#[test]
fn tls_with_an_authority_of_ones_own_also_after_the_connection_was_cut() {
    let certificates = Certificates::for_host("127.0.0.1");
    let broker = Broker::with(&[Listener::anonymous().tls(&certificates.server)]);
    let proxy = Proxy::start(broker.ports[0]);
    let settings = format!(
        "[destination.tls]\nca = {:?}\n",
        certificates.authority.certificate
    );
    let mut line = Line::start(
        &broker,
        &format!("mqtts://127.0.0.1:{}", proxy.port),
        &settings,
    );
    assert!(line.words().contains("TLS"), "{}", line.words());
    assert_eq!(proxy.cut(), 1);
    line.flow();
    line.finish();
}

#[test]
fn a_client_certificate() {
    let certificates = Certificates::for_host("127.0.0.1");
    let listener = Listener::anonymous()
        .tls(&certificates.server)
        .client_authority(&certificates.authority.certificate);
    let broker = Broker::with(&[listener]);
    let url = format!("mqtts://127.0.0.1:{}", broker.ports[0]);
    let tls = format!(
        "[destination.tls]\nca = {:?}\n",
        certificates.authority.certificate
    );
    refused(&url, &tls, "set tls.client_certificate");
    let stranger = Authority::new("stranger", certificates.folder.path()).client("unknown");
    refused(
        &url,
        &(tls.clone() + &own(&stranger)),
        "does not trust our client certificate",
    );
    let known = certificates.authority.client("line-4");
    Line::start(&broker, &url, &(tls + &own(&known))).finish();
}

#[test]
fn a_certificate_of_an_unknown_authority_or_for_another_name() {
    let certificates = Certificates::for_host("127.0.0.1");
    let elsewhere = certificates.authority.server("broker.elsewhere");
    let broker = Broker::with(&[
        Listener::anonymous().tls(&certificates.server),
        Listener::anonymous().tls(&elsewhere),
    ]);
    let stranger = Authority::new("stranger", certificates.folder.path());
    let ca =
        |authority: &Authority| format!("[destination.tls]\nca = {:?}\n", authority.certificate);
    let url = |index: usize| format!("mqtts://127.0.0.1:{}", broker.ports[index]);
    refused(&url(0), "", "set tls.ca to that authority's certificate");
    refused(&url(0), &ca(&stranger), "does not trust");
    refused(&url(1), &ca(&certificates.authority), "is for another name");
    let plain = format!("mqtts://127.0.0.1:{}", broker.port);
    let gateway = Gateway::start(&line::destination("broker", &plain));
    let status = gateway
        .api
        .destination_is("broker", |status| status.attempts > 0);
    assert!(
        status.words.contains(&format!("127.0.0.1:{}", broker.port)),
        "{}",
        status.words
    );
}

#[test]
fn mqtt_3_1_1_carries_cloud_events_in_structured_mode() {
    let broker = Broker::start();
    let mut line = Line::start(&broker, &broker.url(), "version = \"3.1.1\"\n");
    assert!(line.words().contains("MQTT 3.1.1"), "{}", line.words());
    let event = line.subscriber.message("a reading", 0, |message| {
        message.topic.ends_with("/data").then(|| message.json())
    });
    for (schema, document) in [
        (CLOUD_EVENT_SCHEMA, &event),
        (AIO_JSON_SCHEMA, &event["data"]),
    ] {
        let schema = serde_json::from_str(schema).unwrap();
        line::assert_valid(&jsonschema::validator_for(&schema).unwrap(), document);
    }
    line.finish();
}

#[test]
fn websocket() {
    let broker = Broker::with(&[Listener::anonymous().line("protocol websockets")]);
    let url = format!("ws://127.0.0.1:{}/mqtt", broker.ports[0]);
    let mut line = Line::start(&broker, &url, "");
    assert!(line.words().contains("WebSocket"), "{}", line.words());
    line.finish();
}

#[test]
fn the_retained_status_says_online_and_the_last_will_offline() {
    let broker = Broker::start();
    let mut line = Line::start(&broker, &broker.url(), "");
    let online = line.status("online", 0);
    assert_eq!(online["gateway"], "test");
    let heard = line.subscriber.count();
    line.gateway.kill();
    assert_eq!(line.status("offline", heard)["reason"], "connection lost");
    line.gateway.restart();
    line.status("online", heard);
    let heard = line.subscriber.count();
    line.gateway.stop();
    assert_eq!(line.status("offline", heard)["reason"], "stopped");

    let newcomer = Subscriber::named("newcomer", broker.port);
    let retained = newcomer.message("the retained status", 0, |message| {
        (message.topic == "fieldgate/test/status").then(|| (message.retained, message.json()))
    });
    assert_eq!(
        (retained.0, &retained.1["state"]),
        (true, &Json::from("offline"))
    );
}

/// A small line, a gateway, and a subscriber at the broker's plain listener.
struct Line {
    server: OpcUaServer,
    gateway: Gateway,
    subscriber: Subscriber,
    received: Received,
}

// === impl Line ===

impl Line {
    /// With data flowing to `url` by these settings of the destination.
    #[track_caller]
    fn start(broker: &Broker, url: &str, settings: &str) -> Self {
        let options = Options {
            nodes: POINTS,
            ..Options::default()
        };
        let server = OpcUaServer::start(options);
        let subscriber = Subscriber::start(broker.port);
        let gateway = Gateway::start(&(line::config(&server.endpoint(), url) + settings));
        let mut line = Self {
            server,
            gateway,
            subscriber,
            received: Received::default(),
        };
        line.received
            .wait_for(&line.subscriber, POINTS, line::moment(0, 500));
        line
    }

    /// Waits until every point has news.
    #[track_caller]
    fn flow(&mut self) {
        let later = self.received.latest().millis() + 1000;
        self.received
            .wait_for(&self.subscriber, POINTS, line::moment(later / 500, 500));
    }

    /// Lets everything arrive: nothing is missing.
    #[track_caller]
    fn finish(&mut self) {
        let ticks = self.server.hold();
        self.received
            .wait_for(&self.subscriber, POINTS, line::moment(ticks.last, 500));
        let sum = self.gateway.api.all_acknowledged(line::PATIENCE);
        self.received.update(&self.subscriber);
        self.received.assert_order();
        assert_eq!(self.received.assert_no_holes(), sum.accepted);
    }

    /// The words about the destination, once it is well.
    #[track_caller]
    fn words(&self) -> String {
        self.gateway
            .api
            .destination_is("broker", |status| status.level == Level::Good)
            .words
    }

    /// The gateway's status message with this state, from the `from`th message on.
    #[track_caller]
    fn status(&self, state: &str, from: usize) -> Json {
        self.subscriber.message(state, from, |message| {
            let json = (message.topic == "fieldgate/test/status").then(|| message.json())?;
            (json["state"] == state).then_some(json)
        })
    }
}

// === impl Certificates ===

impl Certificates {
    fn for_host(host: &str) -> Self {
        let folder = gateway::folder();
        let authority = Authority::new("plant", folder.path());
        Self {
            server: authority.server(host),
            authority,
            folder,
        }
    }
}

/// The settings of a client certificate.
fn own(pair: &Pair) -> String {
    format!(
        "client_certificate = {:?}\nclient_key = {{ file = {:?} }}\n",
        pair.certificate, pair.key
    )
}

/// A destination with these settings is refused, and its status says so.
#[track_caller]
fn refused(url: &str, settings: &str, words: &str) {
    let gateway = Gateway::start(&(line::destination("broker", url) + settings));
    let status = gateway
        .api
        .destination_is("broker", |status| status.level == Level::Bad);
    assert!(status.words.contains(words), "{}", status.words);
    assert_eq!(status.state, "refused");
}
