//! Our client against oxvif's device, and oxvif's client against our simulated one: neither half of a conversation is judged by itself.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::time::Duration;

use fieldgate_onvif::{
    Client, Credentials, Device, DeviceError, Happening, Lifetime, Plan, Reach, Settings,
    StreamTransport, Watch, Wish, candidates,
    sim::{Signing, SimSettings, Simulator},
};
use oxvif::{
    OnvifSession,
    mock::{AckOnlyOperation, MockServer},
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn provider() {
    // Another test of this process may have been first.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn client(url: &str, user: &str, password: &str) -> Client {
    let settings = Settings {
        credentials: Some(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
        reach: Reach::ThisMachineToo,
        ..Settings::new(url).unwrap()
    };
    Client::new(settings).unwrap()
}

async fn their_device() -> MockServer {
    MockServer::builder()
        .enforce_auth(true)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn their_device_is_read_by_our_client() {
    let server = their_device().await;
    let client = client(server.device_url(), "admin", "admin");
    let clock = client.clock().await.unwrap();
    assert!(clock.drift_millis.abs() < 5_000, "{clock:?}");
    let information = client.information().await.unwrap();
    assert!(!information.manufacturer.is_empty() && !information.model.is_empty());
    assert!(!client.scopes().await.unwrap().all.is_empty());
    let services = client.services().await.unwrap();
    assert!(
        services.media && services.media2 && services.ptz && services.imaging && services.events,
        "{services:?}"
    );
    let profiles = client.profiles().await.unwrap();
    let candidates = candidates(&profiles);
    assert!(candidates.len() >= 2, "{profiles:?}");
    let main = &candidates[0].profile;
    assert!(
        main.video
            .as_ref()
            .is_some_and(|video| video.width >= 640 && video.fps.is_some()),
        "{main:?}"
    );
    let stream = client.stream_uri(main, StreamTransport::Tcp).await.unwrap();
    assert!(stream.uri.starts_with("rtsp://"), "{stream:?}");
    let snapshot = client.snapshot_uri(main).await.unwrap();
    assert!(snapshot.uri.starts_with("http://"), "{snapshot:?}");
    assert!(!client.encoder_options(main).await.unwrap().is_empty());
    let lens = main.video_source.as_deref().unwrap();
    assert!(!client.imaging(lens).await.unwrap().rows.is_empty());
    let error = client.endpoint_reference().await;
    assert!(
        error.is_ok()
            || matches!(
                error,
                Err(DeviceError::NotSupported { .. }
                    | DeviceError::Refused { .. }
                    | DeviceError::Busy { .. })
            ),
        "{error:?}"
    );
}

#[tokio::test]
async fn their_device_is_moved_by_our_client() {
    let server = their_device().await;
    let client = client(server.device_url(), "admin", "admin");
    let profiles = client.profiles().await.unwrap();
    let profile = profiles
        .iter()
        .find(|profile| profile.ptz.is_some())
        .expect("it has motors");
    let ranges = client.ptz_ranges(profile).await.unwrap();
    let wish = Wish {
        pan_tilt: Some((0.25, -0.5)),
        zoom: Some(0.5),
        speed: None,
    };
    client
        .move_to(&profile.token, &ranges.to_place(&wish).unwrap())
        .await
        .unwrap();
    let status = client.ptz_status(&profile.token).await.unwrap();
    let place = ranges.place_of(status.pan_tilt.as_ref(), status.zoom.as_ref());
    let (pan, tilt) = place.pan_tilt.unwrap();
    assert!(
        (pan - 0.25).abs() < 1e-6 && (tilt + 0.5).abs() < 1e-6,
        "{place:?}"
    );
    let velocity = ranges.with_velocity(&Wish { zoom: None, ..wish }).unwrap();
    client
        .move_on(&profile.token, &velocity, Duration::from_secs(2))
        .await
        .unwrap();
    client.stop(&profile.token).await.unwrap();
    let preset = client.add_preset(&profile.token, "Gate").await.unwrap();
    assert!(
        client
            .presets(&profile.token)
            .await
            .unwrap()
            .iter()
            .any(|one| one.token == preset && one.name == "Gate")
    );
    client.go_to_preset(&profile.token, &preset).await.unwrap();
    client.remove_preset(&profile.token, &preset).await.unwrap();
    client.set_home(&profile.token).await.unwrap();
    client.go_home(&profile.token).await.unwrap();
}

#[tokio::test]
async fn their_device_is_subscribed_to_by_our_client() {
    // It carries these out in no other way than by saying so; without that it answers with a fault.
    let server = MockServer::builder()
        .enforce_auth(true)
        .with_acknowledgment_only(AckOnlyOperation::EventsRenew)
        .with_acknowledgment_only(AckOnlyOperation::EventsUnsubscribe)
        .start()
        .await
        .unwrap();
    let client = client(server.device_url(), "admin", "admin");
    let subscribed = client
        .subscribe(Lifetime::For(Duration::from_secs(60)))
        .await
        .unwrap();
    client
        .pull(&subscribed.reference, Duration::from_secs(1), 10)
        .await
        .unwrap();
    client
        .renew(
            &subscribed.reference,
            Lifetime::For(Duration::from_secs(60)),
        )
        .await
        .unwrap();
    client.unsubscribe(&subscribed.reference).await.unwrap();
    let mut watch = Watch::new(Plan::default());
    let first = timeout(PATIENCE, watch.next(&client)).await.unwrap();
    assert_eq!(first, Ok(Happening::Up));
}

#[tokio::test]
async fn their_device_refuses_a_wrong_password_and_we_say_so() {
    let server = their_device().await;
    let error = client(server.device_url(), "admin", "CANARY")
        .information()
        .await
        .unwrap_err();
    assert!(
        error.is_denial() && !error.to_string().contains("CANARY"),
        "{error}"
    );
}

#[tokio::test]
async fn our_device_is_read_by_their_client() {
    provider();
    for signing in [Signing::Token, Signing::Digest, Signing::Both] {
        for drift_seconds in [0, 1_200] {
            let simulator = Simulator::start(SimSettings {
                signing,
                drift_seconds,
                ..SimSettings::default()
            })
            .await
            .unwrap();
            let session = OnvifSession::builder(simulator.url())
                .with_credentials("admin", "secret")
                .with_clock_sync()
                .build()
                .await
                .unwrap();
            let profiles = session.get_profiles().await.unwrap();
            assert_eq!(profiles.len(), 2);
            let stream = session.get_stream_uri(&profiles[0].token).await.unwrap();
            assert_eq!(stream.uri, "rtsp://127.0.0.1:8554/main");
            session
                .ptz_absolute_move("main", 0.5, 0.25, 0.5)
                .await
                .unwrap();
            let status = session.ptz_get_status("main").await.unwrap();
            assert!(status.pan.is_some() && status.zoom.is_some());
            assert_eq!(session.get_device_info().await.unwrap().model, "Simulator");
        }
    }
}

#[tokio::test]
async fn our_device_refuses_their_client_with_a_wrong_password_or_the_wrong_time() {
    provider();
    let simulator = Simulator::start(SimSettings {
        signing: Signing::Token,
        drift_seconds: 1_200,
        ..SimSettings::default()
    })
    .await
    .unwrap();
    let without_sync = OnvifSession::builder(simulator.url())
        .with_credentials("admin", "secret")
        .build()
        .await;
    assert!(without_sync.is_err());
    let wrong = OnvifSession::builder(simulator.url())
        .with_credentials("admin", "wrong")
        .with_clock_sync()
        .build()
        .await;
    assert!(wrong.is_err());
}
