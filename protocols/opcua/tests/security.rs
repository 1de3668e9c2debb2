//! Every policy and mode that the library offers, with every kind of user, against the simulated server.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::path::Path;

use fieldgate_kit::{AddressBook, ProbeCtx, Rung, RungState, Secrets, SourceKind};
use fieldgate_opcua::{OpcUa, sim};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value as Json, json};

const POLICIES: [&str; 5] = [
    "Basic128Rsa15",
    "Basic256",
    "Basic256Sha256",
    "Aes128_Sha256_RsaOaep",
    "Aes256_Sha256_RsaPss",
];
const WEAK: [&str; 2] = ["Basic128Rsa15", "Basic256"];

fn ctx(folder: &Path) -> ProbeCtx {
    ProbeCtx {
        id: "press".into(),
        secrets: Secrets::new(folder.into(), folder.into()),
        state_dir: folder.join("state"),
        common: fieldgate_kit::Memory::default(),
        book: AddressBook {
            gateway: "line-4".into(),
            gateway_id: "00000000".into(),
            version: "0".into(),
            config_revision: 0,
        },
    }
}

/// Writes `NAME.pem`, `NAME.key` and `NAME.der`: a user's certificate.
fn user(folder: &Path, name: &str) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    std::fs::write(file("pem"), certificate.pem()).unwrap();
    std::fs::write(file("der"), certificate.der()).unwrap();
    std::fs::write(file("key"), key.serialize_pem()).unwrap();
}

async fn probe(folder: &Path, endpoint: &str, security: Json, user: (&str, Json)) -> Vec<Rung> {
    let mut settings = json!({
        "endpoint": endpoint,
        "security": security,
        "select": ["Objects/Demo/Press/Temperature"],
    });
    settings[user.0] = user.1;
    SourceKind::of::<OpcUa>().probe(settings, ctx(folder)).await
}

#[tokio::test]
async fn every_policy_with_every_mode_and_every_user() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["mia", "eve"] {
        user(folder, name);
    }
    std::fs::write(folder.join("password"), "secret\n").unwrap();
    let server = sim::start(sim::Options {
        every_policy: true,
        user: Some(("operator".to_owned(), "secret".to_owned())),
        user_certificate: Some(folder.join("mia.der")),
        ..sim::Options::new(folder.join("server"))
    })
    .await
    .unwrap();
    let certificate = |name: &str| {
        json!({
            "certificate": { "file": format!("{name}.pem") },
            "key": { "file": format!("{name}.key") },
        })
    };
    let users = [
        ("user", Json::Null),
        (
            "user",
            json!({ "name": "operator", "password": { "file": "password" } }),
        ),
        ("user_certificate", certificate("mia")),
    ];
    let mut ways = 0;
    for policy in POLICIES {
        for mode in ["Sign", "SignAndEncrypt"] {
            for user in &users {
                let security = json!({ "policy": policy, "mode": mode });
                let rungs = probe(folder, &server.endpoint, security, user.clone()).await;
                let all_good = rungs.iter().all(|rung| rung.state == RungState::Ok);
                assert!(
                    all_good && rungs.len() == 7,
                    "{policy} {mode} {user:?}: {rungs:#?}"
                );
                let words = &rungs[3].words;
                assert!(words.starts_with(&format!("{policy} {mode}")), "{words}");
                assert_eq!(words.contains("weak"), WEAK.contains(&policy), "{words}");
                ways += 1;
            }
        }
    }
    assert_eq!(ways, 30);

    // One whom the server does not know, and one whose key is another's.
    let security = json!({ "policy": "Basic256Sha256" });
    let stranger = ("user_certificate", certificate("eve"));
    let rungs = probe(folder, &server.endpoint, security.clone(), stranger).await;
    let last = rungs.last().unwrap();
    assert_eq!(last.name, "Sign-in");
    assert!(last.words.contains("`user_certificate`"), "{last:?}");
    let mixed = json!({ "certificate": { "file": "mia.pem" }, "key": { "file": "eve.key" } });
    let rungs = probe(
        folder,
        &server.endpoint,
        security,
        ("user_certificate", mixed),
    )
    .await;
    let last = rungs.last().unwrap();
    assert!(last.words.contains("is not the one of"), "{last:?}");

    // Without security, only anonymous and only when it is said.
    let none = json!({ "policy": "None" });
    let rungs = probe(folder, &server.endpoint, none, ("user", Json::Null)).await;
    assert_eq!(rungs.len(), 7, "{rungs:#?}");
    assert!(rungs[3].words.contains("read along"), "{rungs:#?}");
    let rungs = probe(folder, &server.endpoint, Json::Null, ("user", Json::Null)).await;
    assert!(
        rungs[3]
            .words
            .starts_with("Aes256_Sha256_RsaPss SignAndEncrypt"),
        "{rungs:#?}"
    );
    assert!(
        rungs[2].words.contains("Basic256 Sign (weak)"),
        "{rungs:#?}"
    );
    server.stop().await;
}
