//! Whom a link talks to: checked addresses that stay, TLS with the right authority, nobody on this machine unless it is said.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fieldgate_kit::{Probe, ProbeCtx, RungState, SinkError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value as Json, json};

use super::{
    link::{Names, TestLink, batch, context, reading},
    server::{Reply, Server},
};
use crate::{guard::Surroundings, probe};

#[tokio::test]
async fn this_machine_is_not_asked_unless_it_is_said() {
    let server = Server::start(|_, _| Reply::of(200)).await;
    let settings = json!({ "url": server.url("/in") });
    let nobody = Surroundings {
        own_ports: Vec::new,
        ..Surroundings::of_this_machine()
    };
    let denied = TestLink::among(settings.clone(), nobody).await.map(drop);
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("allow_local")),
        "{denied:?}"
    );
    // This process listens there, as the gateway does at its console's port.
    let mut local = settings;
    local["allow_local"] = true.into();
    let denied = TestLink::among(local, Surroundings::of_this_machine())
        .await
        .map(drop);
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("this gateway itself")),
        "{denied:?}"
    );
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_link_stays_with_the_addresses_that_were_checked() {
    let server = Server::start(|_, _| Reply {
        last: true,
        ..Reply::of(200)
    })
    .await;
    let elsewhere = Server::start(|_, _| Reply::of(200)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let surroundings = Surroundings {
        resolver: Arc::new(Names {
            answers: vec![server.address, elsewhere.address],
            asked: asked.clone(),
        }),
        own_ports: Vec::new,
    };
    let settings = json!({
        "url": format!("http://flips.localhost:{}/in", server.address.port()),
        "allow_local": true,
        "connections": 1,
    });
    let mut link = TestLink::among(settings, surroundings).await.unwrap();
    // Each request has a connection of its own, and the name leads elsewhere by now.
    for seq in 1..=3 {
        link.send(batch([reading(seq, "A")])).await.unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!((server.seen().len(), elsewhere.connections()), (3, 0));
    let host = server.seen()[0].headers["host"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(host, format!("flips.localhost:{}", server.address.port()));
}

#[tokio::test]
async fn tls_wants_the_right_authority_and_the_right_name() {
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = authority(&["127.0.0.1"]);
    let server = Server::with(Some(config), |_, _| Reply::of(200)).await;
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &ca).unwrap();
    let url = format!("https://{}/in", server.address);
    let settings = json!({ "url": url, "tls": { "ca": file } });
    let mut link = TestLink::connect(settings).await.unwrap();
    assert!(link.words.contains("TLS 1.3"), "{}", link.words);
    link.send(batch([reading(1, "A")])).await.unwrap();

    let stranger = folder.path().join("stranger.pem");
    std::fs::write(&stranger, authority(&["x"]).1).unwrap();
    let denied = TestLink::connect(json!({ "url": url, "tls": { "ca": stranger } }))
        .await
        .map(drop);
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("does not trust")),
        "{denied:?}"
    );

    let (config, ca) = authority(&["other.plant"]);
    let other = Server::with(Some(config), |_, _| Reply::of(200)).await;
    std::fs::write(&file, ca).unwrap();
    let settings = json!({ "url": format!("https://{}/in", other.address), "tls": { "ca": file } });
    let denied = TestLink::connect(settings).await.map(drop);
    assert!(
        matches!(&denied, Err(SinkError::Denied(words)) if words.contains("is for another name")),
        "{denied:?}"
    );
}

#[tokio::test]
async fn a_test_climbs_as_far_as_it_gets() {
    let fine = Server::start(|_, _| Reply::of(405)).await;
    let closed = Server::start(|_, _| Reply::of(401)).await;
    let rungs = climb(json!({ "url": fine.url("/in/{device}") })).await;
    assert_eq!(rungs, ["DNS ok", "TCP ok", "Answer ok"]);
    let asked = &fine.seen()[0];
    assert_eq!(
        (&*asked.method, &*asked.target, asked.body.len()),
        ("OPTIONS", "/in/", 0)
    );
    let rungs = climb(json!({ "url": closed.url("/in") })).await;
    assert_eq!(rungs, ["DNS ok", "TCP ok", "Answer failed"]);
    let rungs = climb(json!({ "url": fine.url("/in"), "allow_local": false })).await;
    assert_eq!(rungs, ["DNS failed"]);
    let rungs = climb(json!({ "url": format!("https://{}/", fine.address) })).await;
    assert_eq!(rungs.last().unwrap(), "TLS failed");
    let rungs =
        climb(json!({ "url": fine.url("/in"), "bearer": { "env": "FIELDGATE_NO_SUCH" } })).await;
    assert_eq!(rungs, ["Settings failed"]);
}

async fn climb(mut settings: Json) -> Vec<String> {
    if settings.get("allow_local").is_none() {
        settings["allow_local"] = true.into();
    }
    let surroundings = Surroundings {
        own_ports: Vec::new,
        ..Surroundings::of_this_machine()
    };
    let ctx = context();
    let ctx = ProbeCtx {
        id: ctx.id,
        secrets: ctx.secrets,
        state_dir: ctx.state_dir,
        book: ctx.book,
        common: fieldgate_kit::Memory::default(),
    };
    let mut probe = Probe::default();
    let settings = Arc::new(serde_json::from_value(settings).unwrap());
    probe::climb(settings, ctx, surroundings, &mut probe).await;
    let word = |state| match state {
        RungState::Ok => "ok",
        RungState::Failed => "failed",
    };
    let rungs = probe.rungs().into_iter();
    rungs
        .map(|rung| format!("{} {}", rung.name, word(rung.state)))
        .collect()
}

/// A server's certificate for these names, and the authority that signed it, in PEM.
fn authority(names: &[&str]) -> (ServerConfig, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Two authorities of one name would be one with a wrong signature.
    params
        .distinguished_name
        .push(DnType::CommonName, names.join(" "));
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own_key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let own = CertificateParams::new(names)
        .unwrap()
        .signed_by(&own_key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(own_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (config, ca)
}
