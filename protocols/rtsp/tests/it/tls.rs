//! RTSP in TLS: nobody is believed who was not named, and the fingerprint to compare is told.

use std::sync::Arc;

use fieldgate_rtsp::{Kind, Options, StreamError, TlsFault, Trust};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::rig::{hasty, honest, outcome, packet, serve};

#[tokio::test]
async fn certificates_are_judged() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let accepted = acceptor.accept(stream);
            tokio::spawn(async move {
                if let Ok(stream) = accepted.await {
                    let script = |method: &str, request: &str| {
                        assert!(
                            request.contains(" rtsps://127.0.0.1:")
                                || !request.starts_with("DESCRIBE")
                        );
                        honest(
                            method,
                            request,
                            &[packet(1, 0, true, &[0x65, 0x88, 1, 2]), b"HANG UP".to_vec()]
                                .concat(),
                        )
                    };
                    serve(stream, script).await;
                }
            });
        }
    });
    let url = format!("rtsps://127.0.0.1:{port}/live");
    let with = |trust| Options { trust, ..hasty() };

    let (_, error) = outcome(&url, &with(Trust::Pinned([7; 32]))).await;
    let StreamError::Tls {
        fault: TlsFault::NotPinned,
        fingerprint: Some(digits),
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), Kind::Refused);
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect();

    // The one that was told, and the one that the camera's own certificate names.
    for trust in [
        Trust::Pinned(bytes.try_into().unwrap()),
        Trust::Authority(made.cert.pem().into_bytes()),
    ] {
        let (_, error) = outcome(&url, &with(trust)).await;
        assert_eq!(error, StreamError::Ended("it closed the connection".into()));
    }

    let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).unwrap();
    let (_, error) = outcome(&url, &with(Trust::Authority(other.cert.pem().into_bytes()))).await;
    assert!(
        matches!(
            error,
            StreamError::Tls {
                fault: TlsFault::UnknownIssuer,
                fingerprint: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains(digits.as_str()));
    let (_, error) = outcome(&url, &with(Trust::Authority(b"no PEM".to_vec()))).await;
    assert!(
        matches!(
            error,
            StreamError::Tls {
                fault: TlsFault::Trust(_),
                ..
            }
        ),
        "{error}"
    );
    // What speaks plainly at a port of TLS hears it.
    let (_, error) = outcome(&format!("rtsp://127.0.0.1:{port}/live"), &hasty()).await;
    assert_eq!(error.kind(), Kind::Lost, "{error}");
}
