//! Trust over the wire: shelves, decisions, import, renewal, and certificates as files.

use fieldgate_api::{
    endpoint::{
        AcceptPeer, GetOverview, GetTrust, ImportTrust, RejectPeer, RemovePeer, RenewIdentity,
    },
    trust::{IdentityRole, ShelfName, TrustImport, TrustKey},
};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

use crate::{
    client::{ask, call, get},
    rig::Rig,
};
use fieldgate_api::trouble::Trouble;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_imported_rejected_accepted_and_forgotten() {
    let rig = Rig::start().await;
    let at = rig.address;
    let empty = ask::<GetTrust>(at, &[], &()).await;
    assert_eq!(empty.kinds[0].kind, "opcua");
    assert_eq!((empty.identities.len(), empty.peers.len()), (0, 0));

    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(vec!["plc".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "plc \u{202e}1");
    let certificate = params.self_signed(&key).unwrap();
    let import = |pem: String| TrustImport {
        kind: "opcua".into(),
        pem: Some(pem),
        der_base64: None,
    };
    let refused = call::<ImportTrust>(at, &[], &import(key.serialize_pem()), None)
        .await
        .json::<Trouble>();
    assert!(refused.detail.contains("private key"), "{refused:?}");
    ask::<ImportTrust>(at, &[], &import(certificate.pem())).await;
    let one = || async move {
        let view = ask::<GetTrust>(at, &[], &()).await;
        assert_eq!(view.peers.len(), 1, "{view:?}");
        view.peers[0].clone()
    };
    let peer = one().await;
    assert_eq!(peer.shelf, ShelfName::Trusted);
    assert!(!peer.certificate.subject.contains('\u{202e}'), "{peer:?}");
    let id = peer.certificate.sha256.clone();
    ask::<RejectPeer>(at, &[&id], &()).await;
    assert_eq!(one().await.shelf, ShelfName::Rejected);
    ask::<AcceptPeer>(at, &[&peer.certificate.thumbprint[..8]], &()).await;
    assert_eq!(one().await.shelf, ShelfName::Trusted);
    let path = format!("/api/v1/export/trust/{id}.der");
    assert_eq!(get(at, &path).await.body, certificate.der().to_vec());
    let elsewhere = get(at, "/api/v1/export/trust/..%2Fown.der").await;
    assert_eq!(elsewhere.status, 404);
    ask::<RemovePeer>(at, &[&id], &()).await;
    let gone = call::<RemovePeer>(at, &[&id], &(), None)
        .await
        .json::<Trouble>();
    assert_eq!(gone.status, 404);
    let overview = ask::<GetOverview>(at, &[], &()).await;
    assert_eq!(overview.trust_waiting, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_certificate_is_made_and_renewed() {
    let rig = Rig::start().await;
    let at = rig.address;
    let key = |bits| TrustKey {
        kind: "opcua".into(),
        key_bits: bits,
    };
    let wrong = call::<RenewIdentity>(at, &[], &key(Some(1024)), None)
        .await
        .json::<Trouble>();
    assert!(wrong.detail.contains("2048 or 3072"), "{wrong:?}");
    for expected in [
        vec![IdentityRole::Own],
        vec![IdentityRole::Own, IdentityRole::Next],
    ] {
        ask::<RenewIdentity>(at, &[], &key(None)).await;
        let view = ask::<GetTrust>(at, &[], &()).await;
        let roles: Vec<_> = view.identities.iter().map(|own| own.role).collect();
        assert_eq!(roles, expected);
    }
}
