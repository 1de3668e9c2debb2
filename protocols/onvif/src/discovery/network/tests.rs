//! Tests of `network.rs` on loopback.

use super::*;
use crate::sim::{SimSettings, Simulator};

fn ask_for(port: u16) -> Search {
    Search {
        place: Where::One(Ipv4Addr::LOCALHOST.into()),
        wait: Duration::from_millis(600),
        reach: Reach::ThisMachineToo,
        port,
    }
}

#[tokio::test]
async fn a_device_that_is_asked_answers_and_is_told_once() {
    let mut simulator = Simulator::start(SimSettings::default()).await.unwrap();
    let port = simulator.discoverable().await.unwrap().port();
    let mut told = Vec::new();
    let findings = search(ask_for(port), |found| told.push(found.clone()))
        .await
        .unwrap();
    assert_eq!(findings.rows, told);
    let [found] = told.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(found.addresses, [simulator.url()]);
    assert_eq!(found.endpoint, SimSettings::default().endpoint);
    assert_eq!(found.scopes.name.as_deref(), Some("Simulated camera"));
    assert_eq!(found.scopes.location.as_deref(), Some("Test bench"));
}

#[tokio::test]
async fn answers_to_questions_of_others_and_rubbish_are_not_taken() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let answering = async {
        let mut buffer = vec![0; 4_096];
        let (_, from) = socket.recv_from(&mut buffer).await.unwrap();
        let answer = "<E:Envelope><E:Header><RelatesTo>urn:uuid:00000000-0000-0000-0000-000000000000</RelatesTo></E:Header><E:Body><Hello>\
                      <EndpointReference><Address>x</Address></EndpointReference><Types>NetworkVideoTransmitter</Types></Hello></E:Body></E:Envelope>";
        for datagram in [answer, "rubbish", ""] {
            socket.send_to(datagram.as_bytes(), from).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    let findings = tokio::select! {
        () = answering => unreachable!("it answers for ever"),
        findings = search(ask_for(port), |_| ()) => findings.unwrap(),
    };
    assert_eq!((findings.rows.len(), findings.not_understood), (0, 3));
}

#[tokio::test]
async fn this_machine_is_not_asked_unless_it_is_allowed() {
    let search = search(
        Search {
            reach: Reach::Network,
            ..ask_for(1)
        },
        |_| (),
    );
    assert!(matches!(search.await, Err(SearchError::Forbidden { .. })));
}

#[test]
fn what_is_overheard_is_of_its_sender() {
    let networks = Networks::default();
    let from: IpAddr = "203.0.113.9".parse().unwrap();
    let hello = "<E:Envelope><E:Body><Hello><EndpointReference><Address>urn:uuid:X</Address></EndpointReference><Types>NetworkVideoTransmitter</Types>\
                 <XAddrs>http://203.0.113.9/d http://203.0.113.66/d</XAddrs></Hello></E:Body></E:Envelope>";
    let Some(Overheard::Here(found)) = overheard(hello.as_bytes(), from, &networks) else {
        panic!("it is a hello");
    };
    assert_eq!((found.addresses.len(), found.elsewhere.len()), (1, 1));
    let bye = "<E:Envelope><E:Body><Bye><EndpointReference><Address>urn:uuid:X</Address></EndpointReference></Bye></E:Body></E:Envelope>";
    assert_eq!(
        overheard(bye.as_bytes(), from, &networks),
        Some(Overheard::Gone("urn:uuid:x".to_owned()))
    );
    assert_eq!(overheard(b"x", from, &networks), None);
}

#[tokio::test]
async fn the_listener_hears_what_comes_to_its_port() {
    // Where a sandbox has no multicast there is nothing to join, and that is said.
    let mut listener = match Listener::join_at(Reach::ThisMachineToo, 0) {
        Ok(listener) => listener,
        Err(error) => return assert!(matches!(error, SearchError::NoNetwork), "{error}"),
    };
    let port = listener.socket.local_addr().unwrap().port();
    let speaker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let bye = "<E:Envelope><E:Body><Bye><EndpointReference><Address>urn:uuid:X</Address></EndpointReference></Bye></E:Body></E:Envelope>";
    for datagram in ["rubbish", bye] {
        speaker
            .send_to(datagram.as_bytes(), (Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
    }
    assert_eq!(
        listener.next().await,
        Overheard::Gone("urn:uuid:x".to_owned())
    );
}

#[test]
fn a_second_has_so_many_announcements_and_no_more() {
    let mut budget = Budget::default();
    let now = Instant::now();
    assert_eq!((0..200).filter(|_| budget.has(now)).count(), 50);
    assert!(budget.has(now + Duration::from_secs(1)));
}
